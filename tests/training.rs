//! Whole training runs: the same bits on any number of threads, and no memory from the system
//! once warm.

use backstitch::kernels::pool;
use backstitch::prelude::*;

#[derive(Clone, Module)]
struct Mlp {
    fc1: Linear,
    norm: BatchNorm1d,
    drop: Dropout,
    fc2: Linear,
}

impl Mlp {
    fn new(rng: &mut Rng) -> Self {
        Mlp {
            fc1: Linear::new(784, 256, rng),
            norm: BatchNorm1d::new(256),
            drop: Dropout::new(0.1),
            fc2: Linear::new(256, 10, rng),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let h = self.norm.forward(&self.fc1.forward(x), pass).relu();
        self.fc2.forward(&self.drop.forward(&h, pass))
    }
}

/// Trains for `steps` steps on random images; `after` is called with each step's number.
fn train(steps: usize, mut after: impl FnMut(usize)) -> Vec<u32> {
    let mut rng = Rng::seed(5);
    let mut model = Mlp::new(&mut rng);
    let mut optimizer = AdamW::new(AdamWConfig::default());
    let images = Tensor::randn([256, 784], &mut rng);
    let labels = Tensor::from_fn([256], |idx| (idx[0] * 7 % 10) as i64);
    for step in 0..steps {
        let pass = Pass::train(&mut rng);
        let loss = model.forward(&images, &pass).cross_entropy(&labels);
        let grads = loss.backward();
        optimizer.step(&mut model, &grads, 1e-3);
        after(step);
    }
    let mut bits = Vec::new();
    backstitch::for_each(&model, |_, slot| match slot {
        backstitch::Slot::Param(param) => bits.extend(param.to_vec().iter().map(|x| x.to_bits())),
        backstitch::Slot::Running(running) => {
            bits.extend(running.get().to_vec().iter().map(|x| x.to_bits()));
        }
        backstitch::Slot::Tensor(_) => {}
    });
    bits
}

#[test]
fn a_whole_run_has_the_same_bits_on_any_number_of_threads() {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(20, |_| {}))
    };
    let one = on(1);
    assert!(one.len() > 784 * 256);
    for threads in [2, 3, 8] {
        assert!(on(threads) == one, "{threads} threads give other bits than one");
    }
}

#[test]
fn warm_steps_take_no_memory_from_the_system() {
    let mut taken = Vec::new();
    train(100, |_| taken.push(pool::stats().blocks_taken));
    println!("blocks taken from the system: {} after 10 steps, {} after 100", taken[9], taken[99]);
    assert_eq!(taken[9], taken[99]);
}
