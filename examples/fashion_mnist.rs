//! Trains a small network on pictures of clothes, and shows what became of it.
//!
//! `cargo run --release --example fashion_mnist` trains on the images in `data/fashion-mnist` and
//! leaves weights, history and pictures in `runs/fashion_mnist`. `--help` lists the options;
//! `--data` takes any folder with the four IDX files of an MNIST-like set, plain or gzipped.

mod support;

use std::process::ExitCode;
use std::time::Instant;

use backstitch::prelude::*;
use support::{Options, Run, predict};

const CLASSES: [&str; 10] = [
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot",
];

#[derive(Clone, Module)]
struct Mlp {
    fc1: Linear,
    norm: BatchNorm1d,
    drop: Dropout,
    fc2: Linear,
}

impl Mlp {
    fn new(inputs: usize, rng: &mut Rng) -> Self {
        Mlp {
            fc1: Linear::new(inputs, 512, rng),
            norm: BatchNorm1d::new(512),
            drop: Dropout::new(0.1),
            fc2: Linear::new(512, CLASSES.len(), rng),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let h = self.norm.forward(&self.fc1.forward(x), pass).relu();
        self.fc2.forward(&self.drop.forward(&h, pass))
    }
}

fn main() -> ExitCode {
    let defaults = [
        ("data", concat!(env!("CARGO_MANIFEST_DIR"), "/data/fashion-mnist")),
        ("out", "runs/fashion_mnist"),
        ("epochs", "15"),
        ("batch_size", "128"),
        ("lr", "3e-3"),
    ];
    let about = "Trains a small network on Fashion-MNIST, or on any folder of the same IDX files";
    Options::run("fashion_mnist", about, &defaults, train)
}

fn train(options: &Options) -> anyhow::Result<()> {
    let start = Instant::now();
    let data = mnist::read(&options.data, CLASSES.len())?;
    let (mean, std) = data.train.channel_stats();
    let inputs = data.train.image_shape().iter().product();
    let loader = Loader::new(data.train.normalize(&mean, &std)?.flat(), options.batch_size)?;
    let test = Loader::new(data.test.normalize(&mean, &std)?.flat(), 1000)?;

    let mut rng = Rng::seed(options.seed);
    let model = Mlp::new(inputs, &mut rng);
    let optimizer = AdamW::new(AdamWConfig::default());
    let mut run = Run::start(options, model, optimizer, rng)?;
    let schedule = OneCycleLr::new(options.lr, options.epochs * loader.batches());
    let evaluate = |model: &Mlp| predict(&test, |x| model.forward(x, &Pass::eval()));
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
