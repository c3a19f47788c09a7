//! A short training run of the README's network on random images.

use backstitch::prelude::*;

#[derive(Module)]
pub struct Mlp {
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

/// Trains for `steps` steps, with a look at the world after each.
pub fn train(steps: usize, mut after_step: impl FnMut()) -> Mlp {
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
        after_step();
    }
    model
}
