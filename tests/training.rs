//! Whole training runs give the same bits on any number of threads.

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

/// Trains for `steps` steps on random images and gives every bit of the model.
fn train(steps: usize) -> Vec<u32> {
    let mut rng = Rng::seed(5);
    let mut model = Mlp::new(&mut rng);
    let mut optimizer = AdamW::new(AdamWConfig::default());
    let images = Tensor::randn([256, 784], &mut rng);
    let labels = Tensor::from_fn([256], |idx| (idx[0] * 7 % 10) as i64);
    for _ in 0..steps {
        let pass = Pass::train(&mut rng);
        let loss = model.forward(&images, &pass).cross_entropy(&labels);
        let grads = loss.backward();
        optimizer.step(&mut model, &grads, 1e-3);
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
        pool.install(|| train(20))
    };
    let one = on(1);
    assert!(one.len() > 784 * 256);
    for threads in [2, 3, 8] {
        assert!(on(threads) == one, "{threads} threads give other bits than one");
    }
}
