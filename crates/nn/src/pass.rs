//! [`Pass`]: whether a forward trains or evaluates, and the randomness it draws.

use std::sync::atomic::{AtomicU64, Ordering};

use backstitch_tensor::Rng;

/// What a forward needs to know besides its input: whether it trains, where dropout takes its
/// randomness from, and which statistics norm layers use.
///
/// There is no mode to toggle on a model, so none can be forgotten. A clone of a pass draws the
/// same masks as the original from there on: run a forward twice with clones to get the same
/// numbers twice.
///
/// # Examples
/// ```
/// use backstitch_nn::{Dropout, Pass};
/// use backstitch_tensor::{Rng, Tensor};
///
/// let x = Tensor::from([1.0, 2.0, 3.0]);
/// let drop = Dropout::new(0.5);
/// assert_eq!(drop.forward(&x, &Pass::eval()).to_vec(), x.to_vec());
///
/// let pass = Pass::train(&mut Rng::seed(0));
/// let copy = pass.clone();
/// assert_eq!(drop.forward(&x, &pass).to_vec(), drop.forward(&x, &copy).to_vec());
/// ```
#[derive(Debug)]
pub struct Pass {
    trains: bool,
    statistics: Statistics,
    /// What all seeds of this pass derive from; unused in evaluation.
    seed: u64,
    /// Seeds drawn so far.
    draws: AtomicU64,
}

/// Where norm layers take mean and variance from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// From the batch, and the running statistics follow it: training.
    Follow,
    /// From the batch; the running statistics stay as they are.
    Batch,
    /// From the running statistics, which stay as they are: evaluation, or training with frozen
    /// norms.
    Running,
}

impl Pass {
    /// A pass that trains: dropout drops, norms use and follow the batch. Takes one number from
    /// `rng`, from which everything random in the pass derives.
    pub fn train(rng: &mut Rng) -> Self {
        Pass {
            trains: true,
            statistics: Statistics::Follow,
            seed: rng.next_u64(),
            draws: AtomicU64::new(0),
        }
    }

    /// A pass that evaluates: nothing is random, and nothing changes.
    pub fn eval() -> Self {
        Pass { trains: false, statistics: Statistics::Running, seed: 0, draws: AtomicU64::new(0) }
    }

    /// The same pass with other statistics in the norm layers: those of the batch in an
    /// evaluation off the training distribution, or the running ones in fine-tuning.
    ///
    /// # Examples
    /// ```
    /// use backstitch_nn::{Pass, Statistics};
    /// use backstitch_tensor::Rng;
    ///
    /// let eval_with_batch_statistics = Pass::eval().with_statistics(Statistics::Batch);
    /// let frozen_norms = Pass::train(&mut Rng::seed(0)).with_statistics(Statistics::Running);
    /// assert!(!eval_with_batch_statistics.is_train() && frozen_norms.is_train());
    /// ```
    pub fn with_statistics(self, statistics: Statistics) -> Self {
        Pass { statistics, ..self }
    }

    /// Whether the pass trains.
    pub fn is_train(&self) -> bool {
        self.trains
    }

    /// Where norm layers take mean and variance from.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// A fresh seed for something random in a forward. The first, second, ... call of a pass
    /// always returns the same; calls from several threads race for them.
    pub fn draw_seed(&self) -> u64 {
        let draw = self.draws.fetch_add(1, Ordering::Relaxed);
        split_mix(self.seed.wrapping_add(draw.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

impl Clone for Pass {
    fn clone(&self) -> Self {
        let draws = AtomicU64::new(self.draws.load(Ordering::Relaxed));
        Pass { draws, ..*self }
    }
}

/// The output function of SplitMix64: neighbouring inputs give unrelated outputs
/// (Steele, Lea and Flood 2014).
fn split_mix(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_between_draws_and_passes_and_repeat_with_the_generator() {
        let mut rng = Rng::seed(1);
        let seeds = |pass: &Pass| [pass.draw_seed(), pass.draw_seed(), pass.draw_seed()];
        let (first, second) = (Pass::train(&mut rng), Pass::train(&mut rng));
        let all: std::collections::BTreeSet<u64> =
            seeds(&first).into_iter().chain(seeds(&second)).collect();
        assert_eq!(all.len(), 6);
        let again = Pass::train(&mut Rng::seed(1));
        assert!(seeds(&again).iter().all(|seed| all.contains(seed)));
    }

    #[test]
    fn a_clone_goes_on_from_where_the_pass_stands() {
        let pass = Pass::train(&mut Rng::seed(1));
        pass.draw_seed();
        let copy = pass.clone();
        assert_eq!(pass.draw_seed(), copy.draw_seed());
    }
}
