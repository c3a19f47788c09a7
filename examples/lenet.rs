//! Trains a convolutional network on pictures of clothes.
//!
//! `cargo run --release --example lenet` trains on the 6,000 images in `data/fashion-mnist` and
//! leaves weights, history and pictures in `runs/lenet`. `--help` lists the options; `--data` takes
//! any folder with the four IDX files of an MNIST-like set, plain or gzipped. On MNIST itself it
//! ends at 0.994.

mod support;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::ensure;
use backstitch::prelude::*;
use support::{Options, Run, predict};

const CLASSES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Two convolutions with pooling, two linear layers: LeNet-5's shape with today's parts and widths.
#[derive(Clone, Module)]
struct WideLeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    drop: Dropout,
    fc2: Linear,
}

impl WideLeNet {
    fn new(rng: &mut Rng) -> Self {
        let padded = Conv2dOptions { padding: 2.into(), ..Conv2dOptions::default() };
        WideLeNet {
            conv1: Conv2d::with_options(1, 32, [5, 5], padded, rng),
            conv2: Conv2d::with_options(32, 64, [5, 5], padded, rng),
            fc1: Linear::new(64 * 7 * 7, 512, rng),
            drop: Dropout::new(0.3),
            fc2: Linear::new(512, CLASSES.len(), rng),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let pool = MaxPool2d::new(2);
        let h = pool.forward(&self.conv1.forward(x).relu());
        let h = pool.forward(&self.conv2.forward(&h).relu());
        let h = self.fc1.forward(&Flatten.forward(&h)).relu();
        self.fc2.forward(&self.drop.forward(&h, pass))
    }
}

fn main() -> ExitCode {
    let defaults = [
        ("data", concat!(env!("CARGO_MANIFEST_DIR"), "/data/fashion-mnist")),
        ("out", "runs/lenet"),
        ("epochs", "5"),
        ("batch_size", "64"),
        ("lr", "3e-3"),
    ];
    let about = "Trains a convolutional network on any folder of MNIST's four IDX files";
    Options::run("lenet", about, &defaults, train)
}

fn train(options: &Options) -> anyhow::Result<()> {
    let start = Instant::now();
    let data = mnist::read(&options.data, CLASSES.len())?;
    let (shape, place) = (data.train.image_shape(), options.data.display());
    ensure!(shape == [1, 28, 28], "{place}: image shape: expected [1, 28, 28], found {shape:?}");
    let (mean, std) = data.train.channel_stats();
    let loader = Loader::new(data.train.normalize(&mean, &std)?, options.batch_size)?;
    let test = Loader::new(data.test.normalize(&mean, &std)?, 500)?;

    let mut rng = Rng::seed(options.seed);
    let model = WideLeNet::new(&mut rng);
    let optimizer = AdamW::new(AdamWConfig::default());
    let mut run = Run::start(options, model, optimizer, rng)?;
    let schedule = OneCycleLr::new(options.lr, options.epochs * loader.batches());
    let evaluate = |model: &WideLeNet| predict(&test, |x| model.forward(x, &Pass::eval()));
    for epoch in run.epochs() {
        let (mut batches, mut progress) = run.batches(epoch, &loader)?;
        while let Some(batch) = batches.next() {
            let (images, labels) = batch?;
            let pass = Pass::train(&mut run.rng);
            let logits = run.model.forward(&images, &pass);
            let loss = logits.cross_entropy(&labels);
            let grads = loss.backward();
            run.optimizer.step(&mut run.model, &grads, schedule.at(run.step));
            run.stepped((&logits, &labels), loss.item(), batches.state(), &mut progress)?;
        }
        run.end_epoch(epoch, progress, evaluate(&run.model)?)?;
    }

    run.report(evaluate, &data.test, &CLASSES)?;
    println!("{:.1} s in all; see {}", start.elapsed().as_secs_f64(), options.out.display());
    Ok(())
}
