//! `Dataset`: samples by index; and what can be made of datasets: subsets, chains, maps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::split::{self, Split};
use crate::{Collate, Error, Rng};

/// A collection of samples that are numbered from 0.
///
/// Two methods are enough; [`Loader`](crate::Loader) makes batches of any dataset whose samples
/// are [`Collate`]. `get` is deterministic: random augmentation belongs to the loader
/// ([`Loader::augment`](crate::Loader::augment)), which knows the epoch.
///
/// # Examples
/// ```
/// use backstitch_data::{Dataset, Error};
///
/// /// Points on a parabola.
/// struct Parabola;
///
/// impl Dataset for Parabola {
///     type Sample = (f32, f32);
///
///     fn len(&self) -> usize {
///         1000
///     }
///
///     fn get(&self, index: usize) -> Result<(f32, f32), Error> {
///         let x = index as f32 / 1000.0;
///         Ok((x, x * x))
///     }
/// }
///
/// let (x, y) = Parabola.batch(&[0, 500])?;
/// assert_eq!(x.to_vec(), [0.0, 0.5]);
/// assert_eq!(y.to_vec(), [0.0, 0.25]);
/// # Ok::<(), Error>(())
/// ```
pub trait Dataset: Send + Sync {
    /// One sample: an input and its target, as a rule.
    type Sample: Collate;

    /// How many samples there are.
    fn len(&self) -> usize;

    /// The sample of that index.
    ///
    /// # Errors
    /// Whatever hinders loading it.
    ///
    /// # Panics
    /// May panic if `index` is not below [`len`](Dataset::len).
    fn get(&self, index: usize) -> Result<Self::Sample, Error>;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples of those indices as one batch. Datasets in memory override it with one gather.
    ///
    /// # Errors
    /// What [`get`](Dataset::get) or [`Collate::collate`] say, with the sample's index; a panic of
    /// `get` becomes such an error too.
    fn batch(&self, indices: &[usize]) -> Result<<Self::Sample as Collate>::Batch, Error> {
        let samples: Result<Vec<_>, Error> =
            indices.iter().map(|&index| guarded(index, || self.get(index))).collect();
        collate_named(samples?, indices)
    }

    /// The whole dataset as one batch.
    ///
    /// # Errors
    /// As [`batch`](Dataset::batch).
    fn all(&self) -> Result<<Self::Sample as Collate>::Batch, Error> {
        self.batch(&(0..self.len()).collect::<Vec<_>>())
    }

    /// A dataset of `change(sample)`. A step that can fail is a dataset of its own; a step that
    /// wants randomness is a [`Transform`](crate::Transform), given to the loader.
    fn map<O, F>(self, change: F) -> Map<Self, F>
    where
        Self: Sized,
        O: Collate,
        F: Fn(Self::Sample) -> O + Send + Sync,
    {
        Map { dataset: self, change }
    }

    /// The samples of `indices`, in that order; indices may repeat.
    ///
    /// # Panics
    /// If an index is not below [`len`](Dataset::len).
    #[track_caller]
    fn subset(self, indices: impl Into<Arc<[usize]>>) -> Subset<Self>
    where
        Self: Sized,
    {
        let indices = indices.into();
        let len = self.len();
        if let Some(index) = indices.iter().find(|&&index| index >= len) {
            panic!("subset: needs indices below {len}; got {index}");
        }
        Subset { dataset: self, indices }
    }

    /// The samples of this dataset, then those of `next`.
    fn chain<D>(self, next: D) -> Chain<Self, D>
    where
        Self: Sized,
        D: Dataset<Sample = Self::Sample>,
    {
        Chain { first: self, next }
    }

    /// Splits at random into a training and a test part; see [`split::split`] for the rule and
    /// [`split`](mod@crate::split) for stratified and k-fold splits.
    ///
    /// # Errors
    /// `test_fraction` is not between 0 and 1.
    #[allow(clippy::type_complexity, reason = "two halves of one type, spelled once")]
    fn split(
        self,
        test_fraction: f64,
        rng: &mut Rng,
    ) -> Result<(Subset<Arc<Self>>, Subset<Arc<Self>>), Error>
    where
        Self: Sized,
    {
        let Split { train, test } = split::split(self.len(), test_fraction, rng)?;
        let shared = Arc::new(self);
        Ok((shared.clone().subset(train), shared.subset(test)))
    }
}

/// Calls the user's code for one sample; errors and panics come back with the sample's index.
pub(crate) fn guarded<O>(index: usize, f: impl FnOnce() -> Result<O, Error>) -> Result<O, Error> {
    // Nothing of ours is shared with `f`; what the user's own state looks like after a panic is
    // the user's matter, as with a poisoned mutex.
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result.map_err(|error| error.at_sample(index)),
        Err(payload) => Err(Error::panicked(&*payload).at_sample(index)),
    }
}

/// Collates samples; an error that names a place in the batch gets the index in the dataset.
pub(crate) fn collate_named<S: Collate>(
    samples: Vec<S>,
    indices: &[usize],
) -> Result<S::Batch, Error> {
    S::collate(samples).map_err(|error| match error {
        Error::Sample { index, cause } if index < indices.len() => cause.at_sample(indices[index]),
        other => other,
    })
}

/// Samples in memory, handed out as clones.
///
/// ```
/// use backstitch_data::{Dataset, MemoryDataset};
/// let squares = MemoryDataset(vec![1i64, 2, 3]).map(|x| (x as f32, x * x));
/// assert_eq!(squares.get(1)?, (2.0, 4));
/// # Ok::<(), backstitch_data::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryDataset<S>(pub Vec<S>);

impl<S: Collate + Clone + Send + Sync> Dataset for MemoryDataset<S> {
    type Sample = S;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, index: usize) -> Result<S, Error> {
        Ok(self.0[index].clone())
    }
}

/// Some samples of a dataset; made by [`Dataset::subset`].
#[derive(Clone, Debug)]
pub struct Subset<D> {
    dataset: D,
    indices: Arc<[usize]>,
}

impl<D> Subset<D> {
    /// The indices in the whole dataset.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Sample = D::Sample;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn get(&self, index: usize) -> Result<D::Sample, Error> {
        self.dataset.get(self.indices[index])
    }

    /// Gathers in the whole dataset; errors name the indices in the subset.
    fn batch(&self, indices: &[usize]) -> Result<<D::Sample as Collate>::Batch, Error> {
        let inner: Vec<usize> = indices.iter().map(|&index| self.indices[index]).collect();
        self.dataset.batch(&inner).map_err(|error| match error {
            Error::Sample { index, cause } => {
                let place = inner.iter().position(|&i| i == index);
                cause.at_sample(place.map_or(index, |place| indices[place]))
            }
            other => other,
        })
    }
}

/// One dataset after another; made by [`Dataset::chain`].
#[derive(Clone, Debug)]
pub struct Chain<A, B> {
    first: A,
    next: B,
}

impl<A: Dataset, B: Dataset<Sample = A::Sample>> Dataset for Chain<A, B> {
    type Sample = A::Sample;

    fn len(&self) -> usize {
        self.first.len() + self.next.len()
    }

    fn get(&self, index: usize) -> Result<A::Sample, Error> {
        match index.checked_sub(self.first.len()) {
            None => self.first.get(index),
            Some(index) => self.next.get(index),
        }
    }
}

/// A dataset with a function applied to each sample; made by [`Dataset::map`].
#[derive(Clone, Debug)]
pub struct Map<D, F> {
    dataset: D,
    change: F,
}

impl<D, O, F> Dataset for Map<D, F>
where
    D: Dataset,
    O: Collate,
    F: Fn(D::Sample) -> O + Send + Sync,
{
    type Sample = O;

    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn get(&self, index: usize) -> Result<O, Error> {
        self.dataset.get(index).map(&self.change)
    }
}

/// Shared datasets are datasets, so that several loaders can use one.
impl<D: Dataset + ?Sized> Dataset for Arc<D> {
    type Sample = D::Sample;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn get(&self, index: usize) -> Result<D::Sample, Error> {
        (**self).get(index)
    }

    fn batch(&self, indices: &[usize]) -> Result<<D::Sample as Collate>::Batch, Error> {
        (**self).batch(indices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at the samples of a list.
    struct Picky(Vec<usize>);

    impl Dataset for Picky {
        type Sample = i64;

        fn len(&self) -> usize {
            10
        }

        fn get(&self, index: usize) -> Result<i64, Error> {
            match self.0.contains(&index) {
                true => Err(Error::other("no")),
                false => Ok(index as i64),
            }
        }
    }

    #[test]
    fn combinations_equal_their_parts() {
        let first = MemoryDataset(vec![1i64, 2, 3]).map(|x| 10 * x);
        let data = first.chain(Picky(vec![]).map(|x| -x)).subset([12, 0, 2, 4, 0]);
        assert_eq!(data.len(), 5);
        let batch = data.all().unwrap().to_vec();
        assert_eq!(batch, [-9, 10, 30, -1, 10]);
        let samples: Vec<i64> = (0..5).map(|at| data.get(at).unwrap()).collect();
        assert_eq!(batch, samples);
        assert_eq!(Arc::new(data).batch(&[3]).unwrap().to_vec(), [-1]);
    }

    /// A user can ask the dataset for the sample that the error names.
    #[test]
    fn errors_name_the_index_of_the_outermost_dataset() {
        let subset = Picky(vec![4]).subset([9, 8, 4]);
        assert_eq!(subset.all().unwrap_err().to_string(), "sample 2: no");
        let nested = Picky(vec![4]).subset([9, 8, 4]).subset([2, 2, 0]);
        assert_eq!(nested.batch(&[2, 1]).unwrap_err().to_string(), "sample 1: no");
        let chain = MemoryDataset(vec![0i64; 5]).chain(Picky(vec![4]));
        assert_eq!(chain.all().unwrap_err().to_string(), "sample 9: no");
        let ragged = MemoryDataset(vec![vec![0i64], vec![1], vec![2, 3]]).subset([0, 2]);
        let error = ragged.all().unwrap_err().to_string();
        assert!(error.starts_with("sample 1: batch: expected shape [1]"), "{error}");
    }

    #[test]
    fn parts_of_a_split_share_the_dataset() {
        let (train, test) = Picky(vec![]).split(0.3, &mut Rng::seed(1)).unwrap();
        assert_eq!((train.len(), test.len()), (7, 3));
        let mut all = [train.all().unwrap().to_vec(), test.all().unwrap().to_vec()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
    }

    #[test]
    #[should_panic(expected = "subset: needs indices below 10; got 10")]
    fn subsets_are_checked() {
        let _ = Picky(vec![]).subset([3, 10]);
    }
}
