//! `Epoch`: the batches of one pass, and the plan that says what each of them holds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rand::RngExt as _;
use rand::seq::SliceRandom;

use super::workers::Workers;
use super::{LoaderState, Source};
use crate::{Error, Rng};

/// The batches of one pass over a dataset; made by [`Loader::epoch`](crate::Loader::epoch).
///
/// Dropping it early stops its workers.
pub struct Epoch<B> {
    batches: Batches<B>,
    state: LoaderState,
    end: usize,
}

enum Batches<B> {
    /// Each batch is made when it is asked for.
    Direct(Arc<dyn MakeBatch<B>>),
    /// Worker threads make batches ahead of time.
    Ahead(Workers<B>),
    /// An error ended the epoch, maybe before it began.
    Failed(Option<Error>),
}

impl<B: Send + 'static> Epoch<B> {
    pub(super) fn start<S: Source<Batch = B>>(
        plan: Plan<S>,
        state: LoaderState,
        end: usize,
        workers: usize,
        prefetch: usize,
    ) -> Epoch<B> {
        let make: Arc<dyn MakeBatch<B>> = Arc::new(plan);
        let left = end - state.next_batch;
        let batches = match workers.min(left) {
            0 => Batches::Direct(make),
            threads => match Workers::start(
                make,
                state.next_batch..end,
                threads,
                threads.saturating_mul(prefetch),
            ) {
                Ok(workers) => Batches::Ahead(workers),
                Err(error) => Batches::Failed(Some(error)),
            },
        };
        Epoch { batches, state, end }
    }
}

impl<B> Epoch<B> {
    /// Where the epoch stands, after the batches that were delivered so far.
    pub fn state(&self) -> LoaderState {
        self.state
    }
}

impl<B> Iterator for Epoch<B> {
    type Item = Result<B, Error>;

    fn next(&mut self) -> Option<Result<B, Error>> {
        if self.state.next_batch == self.end {
            return None;
        }
        let batch = match &mut self.batches {
            Batches::Direct(make) => make.batch(self.state.next_batch),
            Batches::Ahead(workers) => workers.next(),
            Batches::Failed(error) => Err(error.take()?),
        };
        match batch {
            Ok(_) => self.state.next_batch += 1,
            Err(_) => self.batches = Batches::Failed(None),
        }
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.state.next_batch;
        match self.batches {
            // An error cuts the rest off.
            Batches::Failed(None) => (0, Some(0)),
            _ => (usize::from(left > 0), Some(left)),
        }
    }
}

/// Makes the batch of a number, whatever it is made from.
pub(super) trait MakeBatch<B>: Send + Sync {
    fn batch(&self, number: usize) -> Result<B, Error>;
}

/// Which samples each batch of an epoch holds, and with which random numbers.
pub(super) struct Plan<S> {
    source: Arc<S>,
    batch_size: usize,
    seed: u64,
    order: Vec<usize>,
}

impl<S: Source> Plan<S> {
    pub(super) fn new(source: Arc<S>, weights: Option<&[f64]>, state: &LoaderState) -> Plan<S> {
        let order = order(weights, state);
        Plan { source, batch_size: state.batch_size, seed: state.seed, order }
    }
}

/// The samples of an epoch, in the order in which they are delivered.
fn order(weights: Option<&[f64]>, state: &LoaderState) -> Vec<usize> {
    let mut order: Vec<usize> = (0..state.samples).collect();
    let rng = &mut Rng::seed(state.seed);
    match (state.shuffled, weights) {
        (false, _) => {}
        (true, None) => order.shuffle(rng),
        (true, Some(sums)) => {
            let total = sums.last().copied().unwrap_or(0.0);
            for index in &mut order {
                let at = total * rng.random::<f64>();
                *index = sums.partition_point(|&sum| sum <= at);
            }
        }
    }
    order
}

/// The running sums of weights.
pub(super) fn cumulative(weights: &[f64]) -> Result<Arc<[f64]>, Error> {
    let mut sum = 0.0;
    let mut sums = Vec::with_capacity(weights.len());
    for (index, &weight) in weights.iter().enumerate() {
        sum += weight;
        if !(weight >= 0.0 && sum.is_finite()) {
            let expected = "a finite weight of at least 0";
            return Err(Error::mismatch(format!("weight {index}"), expected, weight.to_string()));
        }
        sums.push(sum);
    }
    match sum > 0.0 || weights.is_empty() {
        true => Ok(sums.into()),
        false => Err(Error::mismatch("weights", "one above 0", "only 0")),
    }
}

impl<S: Source> MakeBatch<S::Batch> for Plan<S> {
    fn batch(&self, number: usize) -> Result<S::Batch, Error> {
        let start = number * self.batch_size;
        let end = self.order.len().min(start + self.batch_size);
        let indices = &self.order[start..end];
        let rng = |place| sample_rng(self.seed, start + place);
        // Samples are guarded one by one; this is for a gather of the user's own.
        let made = catch_unwind(AssertUnwindSafe(|| self.source.load(indices, &rng)));
        made.unwrap_or_else(|payload| match indices {
            [index] => Err(Error::panicked(&*payload).at_sample(*index)),
            _ => {
                let message = format!("batch {number}: {}", Error::panicked(&*payload));
                Err(Error::other(message))
            }
        })
    }
}

/// The generator of the sample at a position in the epoch: SplitMix64's output for that position
/// of the stream that starts at the epoch's seed.
fn sample_rng(seed: u64, position: usize) -> Rng {
    let mut z = seed.wrapping_add((position as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Rng::seed(z ^ (z >> 31))
}
