//! Trains a VGG on small colour pictures.
//!
//! `cargo run --release --example vgg` trains on the 1,589 emoji in `data/emoji32`, nine categories
//! of Unicode, and leaves weights, history and pictures in `runs/vgg`. `--help` lists the options;
//! `--data` takes CIFAR-10 as it is distributed, or any folder of the same binaries.
//!
//! By default it takes two minutes on two cores and ends at a test accuracy of 0.66; the largest
//! category alone is 0.21.

mod support;

use std::process::ExitCode;
use std::time::Instant;

use backstitch::nn::models::VggItem::{Conv3, Pool};
use backstitch::nn::models::{Vgg, VggItem, VggOptions};
use backstitch::prelude::*;
use support::{Options, Run, predict};

fn main() -> ExitCode {
    let defaults = [
        ("data", concat!(env!("CARGO_MANIFEST_DIR"), "/data/emoji32")),
        ("out", "runs/vgg"),
        ("epochs", "30"),
        ("batch_size", "64"),
        ("lr", "2e-3"),
    ];
    let about = "Trains a VGG on emoji, or on any folder in CIFAR-10's binary format";
    Options::run("vgg", about, &defaults, train)
}

/// Configuration A of the paper at half its width.
const TABLE: &[VggItem] = &[
    Conv3(32),
    Pool,
    Conv3(64),
    Pool,
    Conv3(128),
    Conv3(128),
    Pool,
    Conv3(256),
    Conv3(256),
    Pool,
    Conv3(256),
    Conv3(256),
    Pool,
];

fn train(options: &Options) -> anyhow::Result<()> {
    let start = Instant::now();
    let data = cifar::read_folder(&options.data)?;
    let (mean, std) = data.train.channel_stats();
    let test = Loader::new(data.test.normalize(&mean, &std)?, 500)?;
    let augment = ColorJitter { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.0 }
        .then(Normalize { mean, std })
        .then(RandomCrop::new([32, 32], 4))
        .then(RandomHorizontalFlip::new(0.5));
    let loader = Loader::new(data.train, options.batch_size)?.augment(augment).workers(1);

    let mut rng = Rng::seed(options.seed);
    let small = VggOptions { hidden: 256, ..VggOptions::small_images(data.classes.len()) };
    let model = Vgg::new(TABLE, small, &mut rng);
    let optimizer = AdamW::new(AdamWConfig { weight_decay: 0.05, ..AdamWConfig::default() });
    let mut run = Run::start(options, model, optimizer, rng)?;
    let schedule = OneCycleLr::new(options.lr, options.epochs * loader.batches());
    let evaluate = |model: &Vgg| predict(&test, |x| model.forward(x, &Pass::eval()));
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

    run.report(evaluate, &data.test, &data.classes)?;
    println!("{:.1} s in all; see {}", start.elapsed().as_secs_f64(), options.out.display());
    Ok(())
}
