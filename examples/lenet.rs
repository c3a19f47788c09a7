//! Trains a convolutional network on pictures of clothes.
//!
//! `cargo run --release --example lenet` trains on the images in `data/fashion-mnist`;
//! `--data` takes any folder with the four files of an MNIST-like set. `--help` lists the options.

use std::path::PathBuf;
use std::time::Instant;

use backstitch::prelude::*;
use backstitch::train::{Accuracy, Mean};
use clap::Parser;

const CLASSES: usize = 10;

/// Trains a convolutional network on Fashion-MNIST, or on any folder of the same four IDX files.
#[derive(Parser)]
struct Args {
    /// Folder with the IDX files, plain or gzipped.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/fashion-mnist"))]
    data: PathBuf,
    /// Times that each image is seen.
    #[arg(long, default_value_t = 5)]
    epochs: usize,
    /// Images per step.
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// Highest learning rate of the one-cycle schedule.
    #[arg(long, default_value_t = 3e-3)]
    lr: f64,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads; 0 is one per core. Results do not depend on it.
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

/// Two convolutions with pooling, two linear layers: LeNet-5's shape with today's parts.
#[derive(Clone, Module)]
struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    drop: Dropout,
    fc2: Linear,
}

impl LeNet {
    fn new(channels: usize, rng: &mut Rng) -> Self {
        let padded = Conv2dOptions { padding: 2.into(), ..Conv2dOptions::default() };
        LeNet {
            conv1: Conv2d::with_options(channels, 32, [5, 5], padded, rng),
            conv2: Conv2d::with_options(32, 64, [5, 5], padded, rng),
            fc1: Linear::new(64 * 7 * 7, 512, rng),
            drop: Dropout::new(0.3),
            fc2: Linear::new(512, CLASSES, rng),
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

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    pool.install(|| train(&args))
}

fn train(args: &Args) -> anyhow::Result<()> {
    let start = Instant::now();
    let data = mnist::read(&args.data, CLASSES)?;
    let (mean, std) = data.train.channel_stats();
    let train = data.train.normalize(&mean, &std)?;
    let test = data.test.normalize(&mean, &std)?;
    let loader = Loader::new(train, args.batch_size)?;
    let test = Loader::new(test, 500)?.shuffle(false);

    let mut rng = Rng::seed(args.seed);
    let mut model = LeNet::new(1, &mut rng);
    let mut optimizer = AdamW::new(AdamWConfig::default());
    let schedule = OneCycleLr::new(args.lr, args.epochs * loader.batches());
    println!("{}", model.summary());

    let mut step = 0;
    for epoch in 1..=args.epochs {
        let mut loss_mean = Mean::default();
        for batch in loader.epoch(&mut rng) {
            let (images, labels) = batch?;
            let pass = Pass::train(&mut rng);
            let loss = model.forward(&images, &pass).cross_entropy(&labels);
            let grads = loss.backward();
            optimizer.step(&mut model, &grads, schedule.at(step));
            loss_mean.add(loss.item().into(), labels.numel() as f64);
            step += 1;
        }
        let mut accuracy = Accuracy::default();
        for batch in test.epoch(&mut rng) {
            let (images, labels) = batch?;
            let logits = no_grad(|| model.forward(&images, &Pass::eval()));
            accuracy.add(&logits, &labels);
        }
        println!(
            "epoch {epoch:2}  loss {:.4}  test accuracy {:.4}  {:.1} s",
            loss_mean.value(),
            accuracy.value(),
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
