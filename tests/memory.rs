//! A warm training step takes no memory from the system. Alone in its file, and so in its process:
//! the pool's counters are of the whole process.

use backstitch::kernels::pool;
use backstitch::prelude::*;

#[derive(Module)]
struct Mlp {
    fc1: Linear,
    norm: BatchNorm1d,
    drop: Dropout,
    fc2: Linear,
}

impl Mlp {
    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let h = self.norm.forward(&self.fc1.forward(x), pass).relu();
        self.fc2.forward(&self.drop.forward(&h, pass))
    }
}

#[test]
fn warm_steps_take_no_memory_from_the_system() {
    let mut rng = Rng::seed(5);
    let mut model = Mlp {
        fc1: Linear::new(784, 256, &mut rng),
        norm: BatchNorm1d::new(256),
        drop: Dropout::new(0.1),
        fc2: Linear::new(256, 10, &mut rng),
    };
    let mut optimizer = AdamW::new(AdamWConfig::default());
    let images = Tensor::randn([256, 784], &mut rng);
    let labels = Tensor::from_fn([256], |idx| (idx[0] * 7 % 10) as i64);
    let mut taken = Vec::new();
    for _ in 0..100 {
        let pass = Pass::train(&mut rng);
        let loss = model.forward(&images, &pass).cross_entropy(&labels);
        let grads = loss.backward();
        optimizer.step(&mut model, &grads, 1e-3);
        taken.push(pool::stats().blocks_taken);
    }
    println!("blocks taken from the system: {} after 10 steps, {} after 100", taken[9], taken[99]);
    assert_eq!(taken[9], taken[99], "after each step: {taken:?}");
}
