//! Trains a small network on pictures of clothes, and shows what became of it.
//!
//! `cargo run --release --example fashion_mnist` trains on the images in `data/fashion-mnist` and
//! leaves weights, history and pictures in `runs/fashion_mnist`. `--help` lists the options.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, ensure};
use backstitch::prelude::*;
use backstitch::train::plots::{self, Curve, Tile};
use backstitch::train::{Accuracy, Checkpoint, ConfusionMatrix, History, Mean, Progress};
use clap::Parser;

const CLASSES: [&str; 10] = [
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot",
];

/// Trains a small network on Fashion-MNIST, or on any folder of the same four IDX files.
#[derive(Parser)]
struct Args {
    /// Folder with the IDX files, plain or gzipped.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/fashion-mnist"))]
    data: PathBuf,
    /// Folder for weights, history, pictures and the checkpoint.
    #[arg(long, default_value = "runs/fashion_mnist")]
    out: PathBuf,
    /// Times that each image is seen.
    #[arg(long, default_value_t = 15)]
    epochs: usize,
    /// Images per step.
    #[arg(long, default_value_t = 128)]
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
    /// Steps between checkpoints; 0 saves after each epoch only.
    #[arg(long, default_value_t = 0)]
    save_every: usize,
    /// Goes on from the checkpoint in the output folder, if there is one.
    #[arg(long)]
    resume: bool,
}

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

/// Everything that changes while training, and so everything that a checkpoint holds.
struct Run {
    model: Mlp,
    optimizer: AdamW,
    rng: Rng,
    step: usize,
    /// Where the present epoch stands; none between epochs.
    position: Option<LoaderState>,
    loss: Mean,
    accuracy: Accuracy,
    history: History,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build();
    let done = pool.map_err(anyhow::Error::from).and_then(|pool| pool.install(|| train(&args)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn train(args: &Args) -> anyhow::Result<()> {
    let start = Instant::now();
    let data = mnist::read(&args.data, CLASSES.len())?;
    let (mean, std) = data.train.channel_stats();
    let train = data.train.normalize(&mean, &std)?.flat();
    let test = data.test.normalize(&mean, &std)?.flat();
    let (test_x, test_labels) = test.all()?;
    let loader = Loader::new(train, args.batch_size)?;

    let mut run = Run::new(args, test_x.shape()[1]);
    let checkpoint = args.out.join("checkpoint.safetensors");
    if args.resume && checkpoint.exists() {
        run.load(args, &checkpoint)?;
    }
    run.history.save(args.out.join("history.csv"))?;
    let schedule = OneCycleLr::new(args.lr, args.epochs * loader.batches());
    println!("{}", run.model.summary());

    for epoch in run.history.rows().len() + 1..=args.epochs {
        let mut progress =
            Progress::new(format!("epoch {epoch}/{}", args.epochs), loader.samples());
        let mut batches = match run.position.take() {
            Some(position) => loader.resume(&position)?,
            None => loader.epoch(&mut run.rng),
        };
        while let Some(batch) = batches.next() {
            let (images, labels) = batch?;
            let pass = Pass::train(&mut run.rng);
            let logits = run.model.forward(&images, &pass);
            let loss = logits.cross_entropy(&labels);
            let grads = loss.backward();
            run.optimizer.step(&mut run.model, &grads, schedule.at(run.step));

            run.step += 1;
            run.loss.add(loss.item().into(), labels.numel() as f64);
            run.accuracy.add(&logits, &labels);
            ensure!(loss.item().is_finite(), "step {}: the loss became {}", run.step, loss.item());
            progress.add(labels.numel(), || {
                format!("loss {:.3}  accuracy {:.3}", run.loss.value(), run.accuracy.value())
            });
            if args.save_every > 0 && run.step.is_multiple_of(args.save_every) {
                run.position = Some(batches.state());
                run.save(args, &checkpoint)?;
            }
        }
        run.position = None;
        let speed = progress.samples_per_second();
        progress.finish();

        let logits = no_grad(|| run.model.forward(&test_x, &Pass::eval()));
        let mut accuracy = Accuracy::default();
        accuracy.add(&logits, &test_labels);
        let test_loss = f64::from(logits.cross_entropy(&test_labels).item());
        let (train_loss, train_accuracy) = (run.loss.value(), run.accuracy.value());
        println!(
            "epoch {epoch:2}  loss {train_loss:.4}  accuracy {train_accuracy:.4}  \
             test loss {test_loss:.4}  test accuracy {:.4}  {speed:.0} samples/s",
            accuracy.value()
        );
        let row = [train_loss, train_accuracy, test_loss, accuracy.value()];
        run.history.push([epoch as f64].into_iter().chain(row));
        (run.loss, run.accuracy) = Default::default();
        run.save(args, &checkpoint)?;
    }

    report(&run, &test, &test_x, &test_labels, &args.out)?;
    println!("{:.1} s in all; see {}", start.elapsed().as_secs_f64(), args.out.display());
    Ok(())
}

impl Run {
    fn new(args: &Args, inputs: usize) -> Self {
        let mut rng = Rng::seed(args.seed);
        Run {
            model: Mlp::new(inputs, &mut rng),
            optimizer: AdamW::new(AdamWConfig::default()),
            rng,
            step: 0,
            position: None,
            loss: Mean::default(),
            accuracy: Accuracy::default(),
            history: History::new(["epoch", "loss", "accuracy", "test_loss", "test_accuracy"]),
        }
    }

    /// What a checkpoint must agree on to be gone on from.
    fn kind(args: &Args) -> String {
        format!(
            "fashion_mnist 1, seed {}, {} epochs, batch size {}, lr {}",
            args.seed, args.epochs, args.batch_size, args.lr
        )
    }

    fn save(&self, args: &Args, path: &Path) -> anyhow::Result<()> {
        let mut checkpoint = Checkpoint::new(Self::kind(args));
        checkpoint.put_module("model", &self.model);
        checkpoint.put_optimizer("optimizer", &self.optimizer);
        checkpoint.put_rng("rng", &self.rng);
        checkpoint.put_words("step", &[self.step as u64]);
        let position = self.position.map_or(Vec::new(), |position| position.to_words().to_vec());
        checkpoint.put_words("position", &position);
        checkpoint.put_numbers("loss", &[self.loss.sum, self.loss.weight]);
        let counts = [self.accuracy.correct, self.accuracy.total].map(|count| count as u64);
        checkpoint.put_words("accuracy", &counts);
        checkpoint.put_text("history", self.history.to_csv());
        checkpoint.save(path)?;
        self.history.save(path.with_file_name("history.csv"))?;
        Ok(())
    }

    fn load(&mut self, args: &Args, path: &Path) -> anyhow::Result<()> {
        let checkpoint = Checkpoint::load(path, &Self::kind(args))?;
        let place = || format!("{}", path.display());
        checkpoint.load_module("model", &mut self.model).with_context(place)?;
        checkpoint
            .load_optimizer("optimizer", &mut self.optimizer, &self.model)
            .with_context(place)?;
        self.rng = checkpoint.rng("rng").with_context(place)?;
        let numbers = |name| checkpoint.words(name).with_context(place);
        self.step = numbers("step")?.first().map_or(0, |&step| step as usize);
        let position = numbers("position")?;
        self.position = match position.is_empty() {
            true => None,
            false => Some(LoaderState::from_words(&position).with_context(place)?),
        };
        if let &[sum, weight] = &checkpoint.numbers("loss").with_context(place)?[..] {
            self.loss = Mean { sum, weight };
        }
        if let &[correct, total] = &numbers("accuracy")?[..] {
            self.accuracy = Accuracy { correct: correct as usize, total: total as usize };
        }
        self.history = History::parse(checkpoint.text("history").with_context(place)?)?;
        Ok(())
    }
}

/// Weights, history and pictures.
fn report(
    run: &Run,
    test: &FlatImages,
    x: &Tensor,
    labels: &Tensor<i64>,
    out: &Path,
) -> anyhow::Result<()> {
    let mut weights = Checkpoint::new("fashion_mnist weights 1");
    weights.put_module("", &run.model);
    weights.save(out.join("weights.safetensors"))?;

    let column = |name: &str| run.history.column(name).expect("the history has this column");
    let pair = |name: &str| {
        [Curve::new("train", &column(name)), Curve::new("test", &column(&format!("test_{name}")))]
    };
    plots::curves(out.join("loss.svg"), "cross-entropy", "epoch", &pair("loss"))?;
    plots::curves(out.join("accuracy.svg"), "accuracy", "epoch", &pair("accuracy"))?;

    let logits = no_grad(|| run.model.forward(x, &Pass::eval()));
    let mut confusion = ConfusionMatrix::new(CLASSES.len());
    confusion.add(&logits, labels);
    plots::confusion_matrix(out.join("confusion.svg"), &confusion, &CLASSES)?;

    let options = CrossEntropy { reduction: Reduction::None, ..CrossEntropy::default() };
    let losses = logits.cross_entropy_with(labels, &options).to_vec();
    let mut worst: Vec<usize> = (0..losses.len()).collect();
    worst.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]));
    let shape = test.images().image_shape();
    let size: usize = shape.iter().product();
    let tile = |&i: &usize| Tile {
        shape,
        pixels: test.images().pixels()[i * size..][..size].to_vec(),
        frame: [200, 40, 40],
    };
    let tiles: Vec<Tile> = worst.iter().take(40).map(tile).collect();
    plots::sheet(out.join("worst.png"), &tiles, 10)?;
    Ok(())
}
