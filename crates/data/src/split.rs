//! Deterministic splits of a dataset's indices: by fraction and k-fold, plain and stratified.
//!
//! All functions return indices in rising order; which sample goes where depends on the generator
//! alone. Use the indices with [`Dataset::subset`](crate::Dataset::subset) or
//! [`Table::select`](crate::table::Table::select).

use std::collections::BTreeMap;

use rand::seq::SliceRandom;

use crate::{Error, Rng};

/// Indices of a training part and a test part. Together they hold every index once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indices to train on.
    pub train: Vec<usize>,
    /// Indices to test (or validate) on.
    pub test: Vec<usize>,
}

/// Splits `0..len` at random, with `test_fraction * len` indices, rounded to nearest, in the test
/// part.
///
/// # Errors
/// `test_fraction` is not between 0 and 1.
///
/// # Examples
/// ```
/// use backstitch_data::{Rng, split};
/// let parts = split::split(10, 0.2, &mut Rng::seed(7))?;
/// assert_eq!((parts.train.len(), parts.test.len()), (8, 2));
/// # Ok::<(), backstitch_data::Error>(())
/// ```
pub fn split(len: usize, test_fraction: f64, rng: &mut Rng) -> Result<Split, Error> {
    check_fraction(test_fraction)?;
    let count = (len as f64 * test_fraction).round() as usize;
    let order = shuffled(0..len, rng);
    Ok(divide(len, &order[..count]))
}

/// Splits so that each label has nearly the same share in both parts.
///
/// The test part has as many indices as [`split`] would give it. Each label gets the whole part of
/// its share; what is left goes to the labels with the largest remainders, smaller labels first
/// among equals.
///
/// # Errors
/// `test_fraction` is not between 0 and 1.
pub fn stratified<L: Ord>(labels: &[L], test_fraction: f64, rng: &mut Rng) -> Result<Split, Error> {
    check_fraction(test_fraction)?;
    let groups = by_label(labels);
    let shares: Vec<f64> = groups.iter().map(|group| group.len() as f64 * test_fraction).collect();
    let mut counts: Vec<usize> = shares.iter().map(|share| share.floor() as usize).collect();
    let total = (labels.len() as f64 * test_fraction).round() as usize;
    let left = total.saturating_sub(counts.iter().sum());
    let mut by_remainder: Vec<usize> = (0..groups.len()).collect();
    by_remainder.sort_by(|&a, &b| shares[b].fract().total_cmp(&shares[a].fract()));
    for &group in by_remainder.iter().filter(|&&g| shares[g].fract() > 0.0).take(left) {
        counts[group] += 1;
    }
    let mut test = Vec::new();
    for (group, count) in groups.into_iter().zip(counts) {
        test.extend(&shuffled(group, rng)[..count]);
    }
    Ok(divide(labels.len(), &test))
}

/// Cuts `0..len` at random into `k` test parts whose sizes differ by one at most.
///
/// # Errors
/// `k` is less than 2 or more than `len`.
pub fn k_fold(len: usize, k: usize, rng: &mut Rng) -> Result<Vec<Split>, Error> {
    check_folds(len, k)?;
    Ok(deal(len, &shuffled(0..len, rng), k))
}

/// Cuts into `k` test parts among which the indices of each label are spread evenly (their counts
/// differ by one at most).
///
/// # Errors
/// `k` is less than 2 or more than the number of labels given.
pub fn stratified_k_fold<L: Ord>(
    labels: &[L],
    k: usize,
    rng: &mut Rng,
) -> Result<Vec<Split>, Error> {
    check_folds(labels.len(), k)?;
    let order: Vec<usize> =
        by_label(labels).into_iter().flat_map(|group| shuffled(group, rng)).collect();
    Ok(deal(labels.len(), &order, k))
}

fn check_fraction(test_fraction: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&test_fraction) {
        return Ok(());
    }
    Err(Error::mismatch("split", "a test fraction from 0 to 1", test_fraction.to_string()))
}

fn check_folds(len: usize, k: usize) -> Result<(), Error> {
    if (2..=len).contains(&k) {
        return Ok(());
    }
    Err(Error::mismatch("k-fold", format!("2 to {len} folds for {len} samples"), k.to_string()))
}

fn shuffled(indices: impl IntoIterator<Item = usize>, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = indices.into_iter().collect();
    order.shuffle(rng);
    order
}

/// The indices of each label, labels in rising order.
fn by_label<L: Ord>(labels: &[L]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<&L, Vec<usize>> = BTreeMap::new();
    for (index, label) in labels.iter().enumerate() {
        groups.entry(label).or_default().push(index);
    }
    groups.into_values().collect()
}

/// Deals `order` out to `k` folds like cards.
fn deal(len: usize, order: &[usize], k: usize) -> Vec<Split> {
    (0..k)
        .map(|fold| divide(len, &order.iter().copied().skip(fold).step_by(k).collect::<Vec<_>>()))
        .collect()
}

/// Splits `0..len` into `test` and the rest, both in rising order.
fn divide(len: usize, test: &[usize]) -> Split {
    let mut tested = vec![false; len];
    for &index in test {
        tested[index] = true;
    }
    let (test, train) = (0..len).partition(|&index| tested[index]);
    Split { train, test }
}

#[cfg(test)]
mod tests {
    use super::{Split, k_fold, split, stratified, stratified_k_fold};
    use crate::Rng;
    use proptest::prelude::*;

    fn check_partition(len: usize, split: &Split) {
        let mut all = [split.train.clone(), split.test.clone()].concat();
        assert!(split.train.is_sorted() && split.test.is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..len).collect::<Vec<_>>());
    }

    fn count(labels: &[u8], indices: &[usize], label: u8) -> usize {
        indices.iter().filter(|&&i| labels[i] == label).count()
    }

    proptest! {
        #[test]
        fn splits_are_partitions(labels in prop::collection::vec(0u8..4, 0..60), fraction in 0.0..=1.0f64, seed: u64) {
            let len = labels.len();
            let plain = split(len, fraction, &mut Rng::seed(seed)).unwrap();
            check_partition(len, &plain);
            let even = stratified(&labels, fraction, &mut Rng::seed(seed)).unwrap();
            check_partition(len, &even);
            prop_assert_eq!(plain.test.len(), even.test.len());
            for label in 0..4 {
                let share = labels.iter().filter(|&&l| l == label).count() as f64 * fraction;
                let got = count(&labels, &even.test, label) as f64;
                prop_assert!((got - share).abs() <= 1.0, "label {}: {} of {}", label, got, share);
            }
            prop_assert_eq!(even, stratified(&labels, fraction, &mut Rng::seed(seed)).unwrap());
        }

        #[test]
        fn folds_test_every_sample_once(labels in prop::collection::vec(0u8..3, 2..50), k in 2usize..7, seed: u64) {
            prop_assume!(k <= labels.len());
            let len = labels.len();
            for folds in [k_fold(len, k, &mut Rng::seed(seed)).unwrap(), stratified_k_fold(&labels, k, &mut Rng::seed(seed)).unwrap()] {
                prop_assert_eq!(folds.len(), k);
                folds.iter().for_each(|fold| check_partition(len, fold));
                let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
                tested.sort_unstable();
                prop_assert_eq!(tested, (0..len).collect::<Vec<_>>());
            }
            let folds = stratified_k_fold(&labels, k, &mut Rng::seed(seed)).unwrap();
            for label in 0..3 {
                let counts: Vec<usize> = folds.iter().map(|fold| count(&labels, &fold.test, label)).collect();
                let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
                prop_assert!(spread <= 1, "{:?}", counts);
            }
        }
    }

    #[test]
    fn seeds_decide_and_differ() {
        let with = |seed| split(100, 0.3, &mut Rng::seed(seed)).unwrap();
        assert_eq!(with(1), with(1));
        assert_ne!(with(1), with(2));
    }

    #[test]
    fn nonsense_is_refused() {
        let rng = &mut Rng::seed(0);
        for fraction in [-0.1, 1.1, f64::NAN] {
            let error = split(10, fraction, rng).unwrap_err().to_string();
            assert!(error.contains("a test fraction from 0 to 1"), "{error}");
        }
        for k in [0, 1, 11] {
            let error = k_fold(10, k, rng).unwrap_err().to_string();
            assert!(error.contains("2 to 10 folds"), "{error}");
        }
    }
}
