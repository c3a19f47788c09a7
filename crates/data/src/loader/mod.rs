//! `Loader`: batches of a dataset, shuffled, augmented, prefetched, resumable.

mod epoch;
mod source;
mod state;
#[cfg(test)]
mod tests;
mod workers;

use std::sync::Arc;

pub use epoch::Epoch;
pub use source::{Augmented, Source};
pub use state::LoaderState;

use crate::{Dataset, Error, Rng, Transform};
use epoch::Plan;

/// Makes batches of a dataset.
///
/// [`epoch`](Loader::epoch) goes through all samples in a new random order; [`iter`](Loader::iter)
/// goes through them in their own order, for evaluation. Both give `Result<batch, Error>` items,
/// where the batch is what [`Collate`](crate::Collate) makes of the samples: `(images, labels)`
/// for `(image, label)`.
///
/// What an epoch delivers depends on one number that it draws from the generator, and on nothing
/// else: not on the number of workers, nor on time. Each sample's augmentation has a generator of
/// its own, made from that number and the sample's position in the epoch. So [`Epoch::state`] is
/// two numbers, and [`Loader::resume`] goes on with exactly the batches that were left.
///
/// The first error ends an epoch. It names the sample; so does a panic in the user's code, which
/// arrives as an error.
///
/// # Examples
/// ```
/// use backstitch_data::{Loader, Rng, TensorDataset};
/// use backstitch_tensor::Tensor;
///
/// let inputs = Tensor::from_vec((0..10).map(|v| v as f32).collect(), &[5, 2]);
/// let labels = Tensor::from_vec(vec![0i64, 1, 2, 3, 4], &[5]);
/// let loader = Loader::new(TensorDataset::new(inputs, labels)?, 2)?.workers(1);
/// let mut rng = Rng::seed(7);
/// for epoch in 0..2 {
///     for batch in loader.epoch(&mut rng) {
///         let (x, y) = batch?;
///         assert_eq!(x.shape()[0], y.shape()[0]);
///     }
/// }
/// assert_eq!(loader.batches(), 3);
/// # Ok::<(), backstitch_data::Error>(())
/// ```
pub struct Loader<S> {
    source: Arc<S>,
    /// The running sums of the weights, if samples are drawn by weight.
    weights: Option<Arc<[f64]>>,
    options: Options,
}

#[derive(Clone, Copy)]
struct Options {
    batch_size: usize,
    drop_last: bool,
    shuffle: bool,
    workers: usize,
    prefetch: usize,
}

impl<S> Clone for Loader<S> {
    /// Another loader of the same data, which is shared.
    fn clone(&self) -> Self {
        Loader { source: self.source.clone(), weights: self.weights.clone(), options: self.options }
    }
}

impl<S: Source> Loader<S> {
    /// Batches of `batch_size` samples; the last one of an epoch holds what is left.
    ///
    /// # Errors
    /// `batch_size` is 0.
    pub fn new(source: S, batch_size: usize) -> Result<Loader<S>, Error> {
        if batch_size == 0 {
            return Err(Error::mismatch("Loader", "a batch size of at least 1", "0"));
        }
        let source = Arc::new(source);
        let options =
            Options { batch_size, drop_last: false, shuffle: true, workers: 0, prefetch: 2 };
        Ok(Loader { source, weights: None, options })
    }

    /// Whether to leave out a last batch that is not full; off unless asked for, as in PyTorch.
    #[must_use]
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.options.drop_last = drop_last;
        self
    }

    /// Whether [`epoch`](Loader::epoch) shuffles; on unless told otherwise.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.options.shuffle = shuffle;
        self
    }

    /// Draws the samples of each epoch with replacement, each with a probability in proportion to
    /// its weight: for rare classes, say. An epoch still has as many samples as the dataset.
    /// PyTorch's `WeightedRandomSampler`.
    ///
    /// # Errors
    /// Not one weight per sample; a weight that is negative or not finite; all weights 0.
    pub fn weighted(mut self, weights: &[f64]) -> Result<Self, Error> {
        if weights.len() != self.source.samples() {
            let expected = format!("{} weights, one per sample", self.source.samples());
            return Err(Error::mismatch("Loader", expected, weights.len().to_string()));
        }
        self.weights = Some(epoch::cumulative(weights)?);
        Ok(self)
    }

    /// How many threads make batches ahead of time; 0, the default, makes each batch when it is
    /// asked for. The batches are the same, in the same order.
    ///
    /// Workers are worth their cost where loading or augmenting takes a good part of a step, and
    /// take processor time from the step where they do not.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.options.workers = workers;
        self
    }

    /// How many finished batches may wait for each worker; 2 as in PyTorch, at least 1.
    #[must_use]
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.options.prefetch = batches.max(1);
        self
    }

    /// How many batches an epoch has.
    pub fn batches(&self) -> usize {
        match self.options.drop_last {
            true => self.source.samples() / self.options.batch_size,
            false => self.source.samples().div_ceil(self.options.batch_size),
        }
    }

    /// How many samples an epoch delivers.
    pub fn samples(&self) -> usize {
        self.source.samples().min(self.batches() * self.options.batch_size)
    }

    /// The dataset, with its transform if it has one.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// A new epoch, shuffled and augmented by a seed that is drawn from `rng`.
    pub fn epoch(&self, rng: &mut Rng) -> Epoch<S::Batch> {
        self.start(rng.next_u64(), self.options.shuffle, 0)
    }

    /// All samples in their own order, for evaluation. Random transforms get the same numbers
    /// each time.
    pub fn iter(&self) -> Epoch<S::Batch> {
        self.start(0, false, 0)
    }

    /// The rest of an epoch that stood at `state`; the same batches, to the bit, that the epoch
    /// would have delivered.
    ///
    /// # Errors
    /// The state is of a loader with another number of samples or another batch size, or lies
    /// beyond the end.
    pub fn resume(&self, state: &LoaderState) -> Result<Epoch<S::Batch>, Error> {
        let now = LoaderState {
            samples: self.source.samples(),
            batch_size: self.options.batch_size,
            ..*state
        };
        let text = |state: &LoaderState| {
            format!("{} samples in batches of {}", state.samples, state.batch_size)
        };
        if now != *state {
            return Err(Error::mismatch("loader state", text(&now), text(state)));
        }
        if state.next_batch > self.batches() {
            let expected = format!("a next batch of at most {}", self.batches());
            return Err(Error::mismatch("loader state", expected, state.next_batch.to_string()));
        }
        Ok(self.start(state.seed, state.shuffled, state.next_batch))
    }

    fn start(&self, seed: u64, shuffled: bool, next_batch: usize) -> Epoch<S::Batch> {
        let samples = self.source.samples();
        let state = LoaderState {
            seed,
            shuffled,
            next_batch,
            samples,
            batch_size: self.options.batch_size,
        };
        let plan = Plan::new(self.source.clone(), self.weights.as_deref(), &state);
        Epoch::start(plan, state, self.batches(), self.options.workers, self.options.prefetch)
    }
}

impl<D: Dataset + 'static> Loader<D> {
    /// Applies a transform to the input of each `(input, target)` sample: augmentation.
    ///
    /// It runs in the workers. Cheap deterministic changes of a whole dataset are better made
    /// once, before.
    ///
    /// # Examples
    /// ```
    /// # use backstitch_data::{Images, Loader, RandomCrop, RandomHorizontalFlip, Rng, Transform};
    /// # let images = Images::new(vec![0; 4 * 64], [1, 8, 8], vec![0, 1, 2, 3], 10)?;
    /// let augment = RandomCrop::new([8, 8], 1).then(RandomHorizontalFlip::new(0.5));
    /// let loader = Loader::new(images, 3)?.augment(augment).workers(2);
    /// let (x, _) = loader.epoch(&mut Rng::seed(7)).next().unwrap()?;
    /// assert_eq!(x.shape(), [3, 1, 8, 8]);
    /// # Ok::<(), backstitch_data::Error>(())
    /// ```
    pub fn augment<T, L>(self, transform: T) -> Loader<Augmented<D, source::OnInput<T, L>>>
    where
        D: Dataset<Sample = (T::Input, L)>,
        T: Transform,
    {
        self.transform(source::OnInput::new(transform))
    }

    /// Applies a transform to each whole sample.
    pub fn transform<T>(self, transform: T) -> Loader<Augmented<D, T>>
    where
        T: Transform<Input = D::Sample>,
    {
        let source = Arc::new(Augmented::new(self.source, transform));
        Loader { source, weights: self.weights, options: self.options }
    }
}
