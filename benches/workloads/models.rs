//! The workloads: models, random batches and optimizers.

use backstitch::prelude::*;

/// A training loop, one step at a time.
pub trait Workload {
    /// Forward, loss, backward and update on the next batch; returns the loss.
    fn step(&mut self) -> f32;
    /// The number of parameters.
    fn parameters(&self) -> usize;
    /// The operations of a step's products by matrices, forward and backward: nearly all of those of
    /// a network of dense layers.
    #[allow(dead_code, reason = "for the bench with rates")]
    fn flops(&self) -> u64;
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
        "W4" => Box::new(Run::new(LeNet::new(rng), 64, adam, rng)),
        "W5" => Box::new(Run::new(Vgg::new(rng), 32, sgd(0.001, 0.9, 0.0), rng)),
        "W6" => Box::new(Run::new(ResNet::new(rng), 16, sgd(0.01, 0.9, 0.0), rng)),
        "W9" => Box::new(Run::new(Tiny::new(rng), 32, sgd(0.01, 0.0, 0.0), rng)),
        "W10" => Box::new(Run::new(Residuals::new(rng), 100, adam, rng)),
        _ => return None,
    })
}

/// Batches that are cycled through.
const BATCHES: usize = 8;

trait Model: Module {
    /// The shape of an input.
    const INPUT: &'static [usize];
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
        let shape: Vec<usize> = [batch].iter().chain(M::INPUT).copied().collect();
        let mut draw = |_| (Tensor::randn(&shape, rng), M::target(batch, rng));
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

    fn flops(&self) -> u64 {
        let batch = self.batches[0].0.shape()[0];
        let sizes: Vec<usize> = self
            .model
            .params()
            .iter()
            .filter(|(_, param)| param.rank() == 2)
            .map(|(_, param)| param.numel())
            .collect();
        // Forward, by the weights, and by the inputs, but for those of the first layer.
        2 * (batch * (3 * sizes.iter().sum::<usize>() - sizes[0])) as u64
    }
}

/// Random classes.
fn labels(batch: usize, classes: u64, rng: &mut Rng) -> Tensor<i64> {
    Tensor::from_fn([batch], |_| (rng.next_u64() % classes) as i64)
}

macro_rules! classifier {
    ($model:ty, $input:expr) => {
        impl Model for $model {
            const INPUT: &'static [usize] = &$input;
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

classifier!(Regression, [784]);
classifier!(Mlp, [784]);
classifier!(NormMlp, [784]);
classifier!(LeNet, [1, 28, 28]);
classifier!(Vgg, [3, 32, 32]);
classifier!(ResNet, [3, 32, 32]);
classifier!(Residuals, [784]);

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
        let h = self.norm1.forward_relu(&self.fc1.forward(x), pass);
        let h = self.drop.forward(&h, pass);
        let h = self.norm2.forward_relu(&self.fc2.forward(&h), pass);
        self.fc3.forward(&self.drop.forward(&h, pass))
    }
}

/// W4: two convolutions with pooling, two linear layers.
#[derive(Module)]
struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

impl LeNet {
    fn new(rng: &mut Rng) -> Self {
        let options = Conv2dOptions { padding: 2.into(), ..Conv2dOptions::default() };
        LeNet {
            conv1: Conv2d::with_options(1, 32, [5, 5], options, rng),
            conv2: Conv2d::with_options(32, 64, [5, 5], options, rng),
            fc1: Linear::new(3136, 512, rng),
            fc2: Linear::new(512, 10, rng),
        }
    }

    fn forward(&self, x: &Tensor, _: &Pass) -> Tensor {
        let pool = MaxPool2d::new(2);
        let h = pool.forward(&self.conv1.forward(x).relu());
        let h = pool.forward(&self.conv2.forward(&h).relu());
        self.fc2.forward(&self.fc1.forward(&Flatten.forward(&h)).relu())
    }
}

/// A 3x3 convolution without a bias, and batch norm.
#[derive(Module)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    fn new(inputs: usize, outputs: usize, kernel: usize, stride: usize, rng: &mut Rng) -> Self {
        let options = Conv2dOptions {
            stride: [stride; 2],
            padding: (kernel / 2).into(),
            bias: false,
            ..Conv2dOptions::default()
        };
        ConvNorm {
            conv: Conv2d::with_options(inputs, outputs, [kernel; 2], options, rng),
            norm: BatchNorm2d::new(outputs),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        self.norm.forward(&self.conv.forward(x), pass)
    }

    fn forward_relu(&self, x: &Tensor, pass: &Pass) -> Tensor {
        self.norm.forward_relu(&self.conv.forward(x), pass)
    }
}

/// W5: pairs of 3x3 convolutions at 64, 128 and 256 channels.
#[derive(Module)]
struct Vgg {
    pairs: Vec<(ConvNorm, ConvNorm)>,
    fc: Linear,
}

impl Vgg {
    fn new(rng: &mut Rng) -> Self {
        let mut pair = |inputs, width| {
            (ConvNorm::new(inputs, width, 3, 1, rng), ConvNorm::new(width, width, 3, 1, rng))
        };
        let pairs = vec![pair(3, 64), pair(64, 128), pair(128, 256)];
        Vgg { pairs, fc: Linear::new(256 * 16, 10, rng) }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let mut h = x.clone();
        for (first, second) in &self.pairs {
            h = first.forward_relu(&h, pass);
            h = MaxPool2d::new(2).forward(&second.forward_relu(&h, pass));
        }
        self.fc.forward(&Flatten.forward(&h))
    }
}

/// W6: ResNet-18 for images of 32 x 32.
#[derive(Module)]
struct ResNet {
    stem: ConvNorm,
    blocks: Vec<BasicBlock>,
    fc: Linear,
}

#[derive(Module)]
struct BasicBlock {
    first: ConvNorm,
    second: ConvNorm,
    shortcut: Option<ConvNorm>,
}

impl ResNet {
    fn new(rng: &mut Rng) -> Self {
        let stem = ConvNorm::new(3, 64, 3, 1, rng);
        let (mut blocks, mut channels) = (Vec::new(), 64);
        for (width, stride) in [(64, 1), (128, 2), (256, 2), (512, 2)] {
            blocks.push(BasicBlock::new(channels, width, stride, rng));
            blocks.push(BasicBlock::new(width, width, 1, rng));
            channels = width;
        }
        ResNet { stem, blocks, fc: Linear::new(512, 10, rng) }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let mut h = self.stem.forward_relu(x, pass);
        for block in &self.blocks {
            h = block.forward(&h, pass);
        }
        self.fc.forward(&Flatten.forward(&AdaptiveAvgPool2d::new(1).forward(&h)))
    }
}

impl BasicBlock {
    fn new(inputs: usize, width: usize, stride: usize, rng: &mut Rng) -> Self {
        BasicBlock {
            first: ConvNorm::new(inputs, width, 3, stride, rng),
            second: ConvNorm::new(width, width, 3, 1, rng),
            shortcut: (inputs != width || stride != 1)
                .then(|| ConvNorm::new(inputs, width, 1, stride, rng)),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let h = self.second.conv.forward(&self.first.forward_relu(x, pass));
        let shortcut = self.shortcut.as_ref().map(|shortcut| shortcut.forward(x, pass));
        self.second.norm.forward_add_relu(&h, shortcut.as_ref().unwrap_or(x), pass)
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
    const INPUT: &'static [usize] = &[2];
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
