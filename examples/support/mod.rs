//! What the examples share: the command line, the state of a run with its checkpoint, the report.
//! Their loops are their own.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use backstitch::data::{Epoch, Source};
use backstitch::prelude::*;
use backstitch::train::plots::{self, Curve, Tile};
use backstitch::train::{Accuracy, Checkpoint, ConfusionMatrix, History, Mean, Progress, weights};
use clap::{CommandFactory, FromArgMatches, Parser};

/// A batch of images with their labels.
type Batch = (Tensor, Tensor<i64>);

/// The command line.
#[derive(Parser)]
#[command(allow_negative_numbers = true)]
pub struct Options {
    /// Folder with the data.
    #[arg(long)]
    pub data: PathBuf,
    /// Folder for weights, history, pictures and the checkpoint.
    #[arg(long)]
    pub out: PathBuf,
    /// Times that each image is seen.
    #[arg(long)]
    pub epochs: usize,
    /// Images per step.
    #[arg(long)]
    pub batch_size: usize,
    /// Highest learning rate of the one-cycle schedule.
    #[arg(long)]
    pub lr: f64,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Threads; 0 is one per core. Results do not depend on it.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Steps between checkpoints; 0 saves after each epoch only.
    #[arg(long, default_value_t = 0)]
    pub save_every: usize,
    /// Goes on from the checkpoint in the output folder, if there is one.
    #[arg(long)]
    pub resume: bool,
    /// The program, which names its checkpoints.
    #[arg(skip)]
    name: &'static str,
}

impl Options {
    /// Reads the command line of a program with these defaults, and runs it on as many threads as
    /// asked for. An error becomes one line and an exit code: 2 for one in the command line.
    pub fn run(
        name: &'static str,
        about: &'static str,
        defaults: &[(&'static str, &'static str)],
        program: impl FnOnce(&Options) -> anyhow::Result<()> + Send,
    ) -> ExitCode {
        let mut command = Options::command().name(name).about(about);
        for &(arg, value) in defaults {
            command = command.mut_arg(arg, |arg| arg.default_value(value).required(false));
        }
        let parsed = command.try_get_matches().and_then(|found| Options::from_arg_matches(&found));
        let mut options = match parsed {
            Ok(options) => options,
            Err(error) if error.use_stderr() => {
                eprintln!("{}", error.to_string().lines().next().unwrap_or_default());
                return ExitCode::from(2);
            }
            Err(help) => help.exit(),
        };
        options.name = name;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads);
        let done = options
            .check()
            .and_then(|()| Ok(pool.build()?))
            .and_then(|pool| pool.install(|| program(&options)));
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    /// Refuses numbers that no run can have.
    fn check(&self) -> anyhow::Result<()> {
        let Options { epochs, lr, threads, .. } = self;
        let lr_fits = lr.is_finite() && *lr >= 0.0;
        ensure!(
            (1..=1_000_000).contains(epochs),
            "--epochs: expected 1 to 1000000, found {epochs}"
        );
        ensure!(lr_fits, "--lr: expected a finite number that is not negative, found {lr}");
        ensure!(*threads <= 1024, "--threads: expected at most 1024, found {threads}");
        Ok(())
    }

    /// What a checkpoint must agree on to be gone on from.
    fn kind(&self) -> String {
        format!(
            "{} 1, seed {}, {} epochs, batch size {}, lr {}",
            self.name, self.seed, self.epochs, self.batch_size, self.lr
        )
    }

    fn checkpoint(&self) -> PathBuf {
        self.out.join("checkpoint.safetensors")
    }
}

/// The logits and labels of all batches, in their order.
pub fn predict<S: Source<Batch = Batch>>(
    loader: &Loader<S>,
    forward: impl Fn(&Tensor) -> Tensor,
) -> anyhow::Result<Batch> {
    let (mut logits, mut labels) = (Vec::new(), Vec::new());
    for batch in loader.iter() {
        let (x, y) = batch?;
        logits.push(no_grad(|| forward(&x)));
        labels.extend(y.to_vec());
    }
    let count = labels.len();
    let logits: Vec<&Tensor> = logits.iter().collect();
    Ok((Tensor::concat(&logits, 0), Tensor::from_vec(labels, [count])))
}

/// Everything that changes while training, and so everything that a checkpoint holds.
pub struct Run<'a, M, O> {
    pub model: M,
    pub optimizer: O,
    pub rng: Rng,
    pub step: usize,
    options: &'a Options,
    /// Where the present epoch stands; none between epochs.
    position: Option<LoaderState>,
    loss: Mean,
    accuracy: Accuracy,
    history: History,
    /// What the model made of the test images after the last epoch.
    predicted: Option<Batch>,
}

/// The loop's steps.
impl<'a, M: Module, O: Optimizer> Run<'a, M, O> {
    /// A run that begins, or goes on from its checkpoint.
    pub fn start(
        options: &'a Options,
        model: M,
        optimizer: O,
        rng: Rng,
    ) -> anyhow::Result<Run<'a, M, O>> {
        let mut run = Run {
            model,
            optimizer,
            rng,
            step: 0,
            options,
            position: None,
            loss: Mean::default(),
            accuracy: Accuracy::default(),
            history: History::new(["epoch", "loss", "accuracy", "test_loss", "test_accuracy"]),
            predicted: None,
        };
        let path = options.checkpoint();
        if options.resume && path.exists() {
            run.load(&path)?;
        }
        run.history.save(options.out.join("history.csv"))?;
        println!("{}", run.model.summary());
        Ok(run)
    }

    /// The epochs that are left.
    pub fn epochs(&self) -> std::ops::RangeInclusive<usize> {
        self.history.rows().len() + 1..=self.options.epochs
    }

    /// The batches of an epoch, or of what is left of it, and a bar for them.
    pub fn batches<S: Source>(
        &mut self,
        epoch: usize,
        loader: &Loader<S>,
    ) -> anyhow::Result<(Epoch<S::Batch>, Progress)> {
        let title = format!("epoch {epoch}/{}", self.options.epochs);
        let batches = match self.position.take() {
            Some(position) => loader.resume(&position)?,
            None => loader.epoch(&mut self.rng),
        };
        Ok((batches, Progress::new(title, loader.samples())))
    }

    /// Counts a step; the epoch stands at `position`.
    pub fn stepped(
        &mut self,
        (logits, labels): (&Tensor, &Tensor<i64>),
        loss: f32,
        position: LoaderState,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        self.step += 1;
        self.loss.add(loss.into(), labels.numel() as f64);
        self.accuracy.add(logits, labels);
        ensure!(
            loss.is_finite(),
            "step {}: loss: expected a finite number, found {loss}",
            self.step
        );
        progress.add(labels.numel(), || {
            format!("loss {:.3}  accuracy {:.3}", self.loss.value(), self.accuracy.value())
        });
        let every = self.options.save_every;
        if every > 0 && self.step.is_multiple_of(every) {
            self.position = Some(position);
            self.save()?;
            self.position = None;
        }
        Ok(())
    }

    /// Ends an epoch: prints and keeps its figures, and saves.
    pub fn end_epoch(
        &mut self,
        epoch: usize,
        progress: Progress,
        predicted: Batch,
    ) -> anyhow::Result<()> {
        let speed = progress.samples_per_second();
        progress.finish();
        let mut accuracy = Accuracy::default();
        let (logits, labels) = &predicted;
        accuracy.add(logits, labels);
        let test_loss = f64::from(logits.cross_entropy(labels).item());
        let (train_loss, train_accuracy) = (self.loss.value(), self.accuracy.value());
        println!(
            "epoch {epoch:2}  loss {train_loss:.4}  accuracy {train_accuracy:.4}  \
             test loss {test_loss:.4}  test accuracy {:.4}  {speed:.0} samples/s",
            accuracy.value()
        );
        let row = [train_loss, train_accuracy, test_loss, accuracy.value()];
        self.history.push([epoch as f64].into_iter().chain(row));
        (self.loss, self.accuracy) = Default::default();
        self.predicted = Some(predicted);
        self.save()
    }

    /// Leaves weights and pictures: curves, a confusion matrix, the worst mistakes. A run that had no
    /// epoch left evaluates the test images now.
    pub fn report(
        &mut self,
        evaluate: impl FnOnce(&M) -> anyhow::Result<Batch>,
        test: &Images,
        classes: &[impl AsRef<str>],
    ) -> anyhow::Result<()> {
        let (logits, labels) = match self.predicted.take() {
            Some(predicted) => predicted,
            None => evaluate(&self.model)?,
        };
        let out = &self.options.out;
        weights::save(out.join("weights.safetensors"), &self.model.state_dict())?;

        let column = |name: &str| self.history.column(name).expect("the history has this column");
        let pair = |name: &str| {
            let test = format!("test_{name}");
            [Curve::new("train", &column(name)), Curve::new("test", &column(&test))]
        };
        plots::curves(out.join("loss.svg"), "cross-entropy", "epoch", &pair("loss"))?;
        plots::curves(out.join("accuracy.svg"), "accuracy", "epoch", &pair("accuracy"))?;

        let mut confusion = ConfusionMatrix::new(classes.len());
        confusion.add(&logits, &labels);
        plots::confusion_matrix(out.join("confusion.svg"), &confusion, classes)?;

        let options = CrossEntropy { reduction: Reduction::None, ..CrossEntropy::default() };
        let losses = logits.cross_entropy_with(&labels, &options).to_vec();
        let mut worst: Vec<usize> = (0..losses.len()).collect();
        worst.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]));
        let shape = test.image_shape();
        let size: usize = shape.iter().product();
        let tile = |&i: &usize| Tile {
            shape,
            pixels: test.pixels()[i * size..][..size].to_vec(),
            frame: [200, 40, 40],
        };
        let tiles: Vec<Tile> = worst.iter().take(40).map(tile).collect();
        plots::sheet(out.join("worst.png"), &tiles, 10)?;
        Ok(())
    }
}

/// The checkpoint.
impl<M: Module, O: Optimizer> Run<'_, M, O> {
    fn save(&self) -> anyhow::Result<()> {
        let mut checkpoint = Checkpoint::new(self.options.kind());
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
        checkpoint.save(self.options.checkpoint())?;
        self.history.save(self.options.out.join("history.csv"))?;
        Ok(())
    }

    fn load(&mut self, path: &Path) -> anyhow::Result<()> {
        let checkpoint = Checkpoint::load(path, &self.options.kind())?;
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
        let history = checkpoint.text("history").and_then(History::parse).with_context(place)?;
        let (expected, found) = (self.history.columns(), history.columns());
        ensure!(
            found == expected,
            "{}: history: expected {expected:?}, found {found:?}",
            path.display()
        );
        self.history = history;
        Ok(())
    }
}
