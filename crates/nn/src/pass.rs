//! [`Pass`]: whether a forward trains or evaluates, and the randomness it draws.

use std::sync::atomic::{AtomicU64, Ordering};

use backstitch_tensor::{Float, Module, Rng, Tensor, checkpoint};

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

    /// Runs a part of a model and keeps nothing of what it computes on the way: backward runs it
    /// again, with the same dropout masks; running statistics follow the first run alone. See
    /// [`checkpoint`](backstitch_tensor::checkpoint).
    ///
    /// # Panics
    /// When `f` uses a tracked tensor that is neither in `module` nor in `x`.
    ///
    /// # Examples
    /// ```
    /// use backstitch_nn::{Dropout, Linear, Pass};
    /// use backstitch_tensor::{Rng, Tensor};
    ///
    /// let rng = &mut Rng::seed(0);
    /// let block = (Linear::<f32>::new(4, 4, rng), Dropout::new(0.5));
    /// let x = Tensor::randn([2, 4], rng);
    /// let pass = Pass::train(rng);
    /// let y = pass.checkpoint(&block, &x, |(fc, drop), x, pass| drop.forward(&fc.forward(x), pass));
    /// assert!(y.sum().backward().get(&block.0.weight).is_some());
    /// ```
    #[track_caller]
    pub fn checkpoint<T, M, X>(
        &self,
        module: &M,
        x: &X,
        f: impl Fn(&M, &X, &Pass) -> Tensor<T> + Send + Sync + 'static,
    ) -> Tensor<T>
    where
        T: Float,
        M: Module<T> + Clone + Send + Sync + 'static,
        X: Module<T> + Clone + Send + Sync + 'static,
    {
        let own = Pass { seed: self.draw_seed(), draws: AtomicU64::new(0), ..*self };
        checkpoint(module, x, move |module, x| f(module, x, &own.clone()))
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
    use crate::{BatchNorm1d, Dropout, Linear};

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

    #[test]
    fn a_checkpoint_drops_the_same_elements_and_follows_the_batch_once() {
        let rng = &mut Rng::seed(3);
        let model = (Linear::<f32>::new(4, 6, rng), BatchNorm1d::new(6), Dropout::new(0.4));
        let x = Tensor::randn([8, 4], rng).leaf();
        let forward =
            |(fc, norm, drop): &(Linear, BatchNorm1d, Dropout), x: &Tensor, pass: &Pass| {
                let h = drop.forward(&norm.forward(&fc.forward(x), pass).relu(), pass);
                drop.forward(&h, pass)
            };
        let (pass, norm) = (Pass::train(rng), &model.1);
        let y = pass.checkpoint(&model, &x, forward);
        let mean = norm.running_mean.as_ref().expect("it follows the batch").get().to_vec();
        assert!(mean.iter().any(|&mean| mean != 0.0));
        let grads = y.square().sum().backward();
        let after = norm.running_mean.as_ref().expect("it follows the batch").get().to_vec();
        assert_eq!(after, mean);
        // The same numbers from the same draws, without a checkpoint.
        let own = Pass { seed: pass_seed(&pass), draws: AtomicU64::new(0), ..pass };
        let plain = forward(&model, &x, &own);
        assert_eq!(y.to_vec(), plain.to_vec());
        let want = plain.square().sum().backward();
        assert_eq!(grads.get(&x).unwrap().to_vec(), want.get(&x).unwrap().to_vec());
        let weight = &model.0.weight;
        assert_eq!(grads.get(weight).unwrap().to_vec(), want.get(weight).unwrap().to_vec());
    }

    /// The first seed that a pass has drawn.
    fn pass_seed(pass: &Pass) -> u64 {
        Pass { draws: AtomicU64::new(0), ..*pass }.draw_seed()
    }
}
