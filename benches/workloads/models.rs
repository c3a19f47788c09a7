//! The workloads: models, random batches and optimizers.

use backstitch::prelude::*;

/// A training loop, one step at a time.
pub trait Workload {
    /// Forward, loss, backward and update on the next batch; returns the loss.
    fn step(&mut self) -> f32;
    /// The number of parameters.
    fn parameters(&self) -> usize;
}

/// A workload by its name.
pub fn workload(name: &str) -> Option<Box<dyn Workload>> {
    let mut rng = Rng::seed(1);
    let rng = &mut rng;
    let sgd = |lr: f64, momentum, weight_decay| {
        (Sgd::new(SgdConfig { momentum, weight_decay, ..SgdConfig::default() }), lr)
    };
    let adam = (Adam::new(AdamConfig::default()), 1e-4);
    Some(match name {
        "W1" => Box::new(Run::new(Regression::new(rng), 100, sgd(0.01, 0.0, 0.0), rng)),
        "W2" => Box::new(Run::new(Mlp::new(rng), 128, adam, rng)),
        "W3" => Box::new(Run::new(NormMlp::new(rng), 256, sgd(0.01, 0.9, 1e-4), rng)),
        "W9" => Box::new(Run::new(Tiny::new(rng), 32, sgd(0.01, 0.0, 0.0), rng)),
        "W10" => Box::new(Run::new(Residuals::new(rng), 100, adam, rng)),
        _ => return None,
    })
}

/// Batches that are cycled through.
const BATCHES: usize = 8;

trait Model: Module {
    /// Features of an input.
    const INPUTS: usize;
    /// A batch's labels or targets.
    type Target;
    fn target(batch: usize, rng: &mut Rng) -> Self::Target;
    fn loss(&self, x: &Tensor, target: &Self::Target, pass: &Pass) -> Tensor;
}

struct Run<M: Model, O> {
    model: M,
    optimizer: O,
    lr: f64,
    batches: Vec<(Tensor, M::Target)>,
    rng: Rng,
    next: usize,
}

impl<M: Model, O: Optimizer> Run<M, O> {
    fn new(model: M, batch: usize, (optimizer, lr): (O, f64), rng: &mut Rng) -> Self {
        let mut draw = |_| (Tensor::randn([batch, M::INPUTS], rng), M::target(batch, rng));
        let batches = (0..BATCHES).map(&mut draw).collect();
        Run { model, optimizer, lr, batches, rng: rng.split(), next: 0 }
    }
}

impl<M: Model, O: Optimizer> Workload for Run<M, O> {
    fn step(&mut self) -> f32 {
        let (x, target) = &self.batches[self.next % BATCHES];
        self.next += 1;
        let pass = Pass::train(&mut self.rng);
        let loss = self.model.loss(x, target, &pass);
        let grads = loss.backward();
        self.optimizer.step(&mut self.model, &grads, self.lr);
        loss.item()
    }

    fn parameters(&self) -> usize {
        self.model.param_count()
    }
}

/// Random classes.
fn labels(batch: usize, classes: u64, rng: &mut Rng) -> Tensor<i64> {
    Tensor::from_fn([batch], |_| (rng.next_u64() % classes) as i64)
}

macro_rules! classifier {
    ($model:ty, $inputs:expr) => {
        impl Model for $model {
            const INPUTS: usize = $inputs;
            type Target = Tensor<i64>;
            fn target(batch: usize, rng: &mut Rng) -> Tensor<i64> {
                labels(batch, 10, rng)
            }
            fn loss(&self, x: &Tensor, labels: &Tensor<i64>, pass: &Pass) -> Tensor {
                self.forward(x, pass).cross_entropy(labels)
            }
        }
    };
}

classifier!(Regression, 784);
classifier!(Mlp, 784);
classifier!(NormMlp, 784);
classifier!(Residuals, 784);

/// W1: softmax regression.
#[derive(Module)]
struct Regression {
    fc: Linear,
}

impl Regression {
    fn new(rng: &mut Rng) -> Self {
        Regression { fc: Linear::new(784, 10, rng) }
    }

    fn forward(&self, x: &Tensor, _: &Pass) -> Tensor {
        self.fc.forward(x)
    }
}

/// W2: two hidden layers of 512.
#[derive(Module)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl Mlp {
    fn new(rng: &mut Rng) -> Self {
        Mlp {
            fc1: Linear::new(784, 512, rng),
            fc2: Linear::new(512, 512, rng),
            fc3: Linear::new(512, 10, rng),
        }
    }

    fn forward(&self, x: &Tensor, _: &Pass) -> Tensor {
        let h = self.fc1.forward(x).relu();
        self.fc3.forward(&self.fc2.forward(&h).relu())
    }
}

/// W3: two hidden layers of 1024 with batch norm and dropout.
#[derive(Module)]
struct NormMlp {
    fc1: Linear,
    norm1: BatchNorm1d,
    fc2: Linear,
    norm2: BatchNorm1d,
    drop: Dropout,
    fc3: Linear,
}

impl NormMlp {
    fn new(rng: &mut Rng) -> Self {
        NormMlp {
            fc1: Linear::new(784, 1024, rng),
            norm1: BatchNorm1d::new(1024),
            fc2: Linear::new(1024, 1024, rng),
            norm2: BatchNorm1d::new(1024),
            drop: Dropout::new(0.1),
            fc3: Linear::new(1024, 10, rng),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let h = self.norm1.forward(&self.fc1.forward(x), pass).relu();
        let h = self.drop.forward(&h, pass);
        let h = self.norm2.forward(&self.fc2.forward(&h), pass).relu();
        self.fc3.forward(&self.drop.forward(&h, pass))
    }
}

/// W9: a network so small that only the overhead of a step counts.
#[derive(Module)]
struct Tiny {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl Tiny {
    fn new(rng: &mut Rng) -> Self {
        Tiny {
            fc1: Linear::new(2, 16, rng),
            fc2: Linear::new(16, 16, rng),
            fc3: Linear::new(16, 1, rng),
        }
    }
}

impl Model for Tiny {
    const INPUTS: usize = 2;
    type Target = Tensor;

    fn target(batch: usize, rng: &mut Rng) -> Tensor {
        Tensor::randn([batch, 1], rng)
    }

    fn loss(&self, x: &Tensor, target: &Tensor, _: &Pass) -> Tensor {
        let h = self.fc2.forward(&self.fc1.forward(x).tanh()).tanh();
        self.fc3.forward(&h).mse(target)
    }
}

/// W10: residual blocks with layer norm.
#[derive(Module)]
struct Residuals {
    fc1: Linear,
    blocks: Vec<Block>,
    fc2: Linear,
}

#[derive(Module)]
struct Block {
    fc1: Linear,
    norm1: LayerNorm,
    drop: Dropout,
    fc2: Linear,
    norm2: LayerNorm,
}

impl Residuals {
    fn new(rng: &mut Rng) -> Self {
        Residuals {
            fc1: Linear::new(784, 100, rng),
            blocks: (0..3).map(|_| Block::new(rng)).collect(),
            fc2: Linear::new(100, 10, rng),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let mut h = self.fc1.forward(x).relu();
        for block in &self.blocks {
            h = block.forward(&h, pass);
        }
        self.fc2.forward(&h)
    }
}

impl Block {
    fn new(rng: &mut Rng) -> Self {
        Block {
            fc1: Linear::new(100, 50, rng),
            norm1: LayerNorm::new([50]),
            drop: Dropout::new(0.1),
            fc2: Linear::new(50, 100, rng),
            norm2: LayerNorm::new([100]),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let h = self.norm1.forward(&self.fc1.forward(x)).relu();
        let h = self.fc2.forward(&self.drop.forward(&h, pass));
        (x + self.norm2.forward(&h)).relu()
    }
}
