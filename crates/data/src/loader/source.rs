//! `Source`: what a loader draws batches from: a dataset, or one with a transform.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::dataset::{collate_named, guarded};
use crate::{Collate, Dataset, Error, Rng, Transform};

/// What a [`Loader`](crate::Loader) draws batches from.
///
/// Every [`Dataset`] is one; so is a dataset with a transform,
/// which [`Loader::augment`](crate::Loader::augment) makes. There is no need to implement it.
pub trait Source: Send + Sync + 'static {
    /// What it delivers.
    type Batch: Send + 'static;

    /// How many samples there are.
    fn samples(&self) -> usize;

    /// One batch. `rng(place)` is the generator of the sample at that place in `indices`.
    ///
    /// # Errors
    /// Of the first sample, in the order of `indices`, that has one.
    fn load(&self, indices: &[usize], rng: &dyn Fn(usize) -> Rng) -> Result<Self::Batch, Error>;
}

impl<D> Source for D
where
    D: Dataset<Sample: Collate<Batch: 'static>> + 'static,
{
    type Batch = <D::Sample as Collate>::Batch;

    fn samples(&self) -> usize {
        self.len()
    }

    fn load(&self, indices: &[usize], _: &dyn Fn(usize) -> Rng) -> Result<Self::Batch, Error> {
        self.batch(indices)
    }
}

/// A dataset with a transform; made by [`Loader::augment`](crate::Loader::augment) and
/// [`Loader::transform`](crate::Loader::transform).
pub struct Augmented<D, T> {
    dataset: Arc<D>,
    transform: T,
}

impl<D, T> Augmented<D, T> {
    pub(super) fn new(dataset: Arc<D>, transform: T) -> Self {
        Augmented { dataset, transform }
    }

    /// The dataset.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }
}

impl<D, T> Source for Augmented<D, T>
where
    D: Dataset + 'static,
    T: Transform<Input = D::Sample, Output: Collate<Batch: 'static>> + 'static,
{
    type Batch = <T::Output as Collate>::Batch;

    fn samples(&self) -> usize {
        self.dataset.len()
    }

    fn load(&self, indices: &[usize], rng: &dyn Fn(usize) -> Rng) -> Result<Self::Batch, Error> {
        let samples: Result<Vec<T::Output>, Error> = indices
            .iter()
            .enumerate()
            .map(|(place, &index)| {
                guarded(index, || {
                    let sample = self.dataset.get(index)?;
                    self.transform.apply(sample, &mut rng(place))
                })
            })
            .collect();
        collate_named(samples?, indices)
    }
}

/// A transform of the input of `(input, target)` samples.
pub struct OnInput<T, L> {
    transform: T,
    target: PhantomData<fn(L) -> L>,
}

impl<T, L> OnInput<T, L> {
    pub(super) fn new(transform: T) -> Self {
        OnInput { transform, target: PhantomData }
    }
}

impl<T: Transform, L> Transform for OnInput<T, L> {
    type Input = (T::Input, L);
    type Output = (T::Output, L);

    fn apply(
        &self,
        (input, target): (T::Input, L),
        rng: &mut Rng,
    ) -> Result<(T::Output, L), Error> {
        Ok((self.transform.apply(input, rng)?, target))
    }
}
