//! Tests of the loader: order, last batches, workers, resuming, errors, stopping.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::{Epoch, Loader, LoaderState};
use crate::transform::{
    self, ColorJitter, Cutout, Normalize, RandomCrop, RandomHorizontalFlip, RandomRotation,
};
use crate::{Dataset, Error, Images, MemoryDataset, Rng, Transform};

fn numbers(count: usize) -> MemoryDataset<i64> {
    MemoryDataset((0..count as i64).collect())
}

fn batches(epoch: Epoch<backstitch_tensor::Tensor<i64>>) -> Vec<Vec<i64>> {
    epoch.map(|batch| batch.unwrap().to_vec()).collect()
}

/// Images whose pixels all differ, and what an augmenting loader makes of them, as bits.
fn augmented(workers: usize, prefetch: usize, batch_size: usize) -> Vec<(Vec<u32>, Vec<i64>)> {
    let images =
        Images::new((0..=255).cycle().take(23 * 36).collect(), [1, 6, 6], (0..23).collect(), 23);
    let augment = RandomCrop::new([6, 6], 2).then(RandomHorizontalFlip::new(0.5));
    let loader = Loader::new(images.unwrap(), batch_size).unwrap().augment(augment);
    let mut rng = Rng::seed(5);
    let mut all = Vec::new();
    for _ in 0..2 {
        for batch in loader.clone().workers(workers).prefetch(prefetch).epoch(&mut rng) {
            let (x, y) = batch.unwrap();
            all.push((x.to_vec().into_iter().map(f32::to_bits).collect(), y.to_vec()));
        }
    }
    all
}

proptest! {
    /// Row 9.11: each epoch is a permutation, its last ragged batch kept unless it is to be dropped.
    #[test]
    fn an_epoch_is_a_permutation(count in 0usize..50, batch_size in 1usize..12, workers in 0usize..4, drop_last: bool, seed: u64) {
        let loader = Loader::new(numbers(count), batch_size).unwrap().workers(workers).drop_last(drop_last);
        let got = batches(loader.epoch(&mut Rng::seed(seed)));
        prop_assert_eq!(got.len(), loader.batches());
        let full = count / batch_size;
        let ragged = if drop_last { 0 } else { count % batch_size };
        let sizes: Vec<usize> = got.iter().map(Vec::len).collect();
        let wanted: Vec<usize> = [vec![batch_size; full], vec![ragged; usize::from(ragged > 0)]].concat();
        prop_assert_eq!(sizes, wanted);
        let mut all = got.concat();
        prop_assert_eq!(all.len(), loader.samples());
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len(), loader.samples());
        prop_assert_eq!(batches(loader.iter()).concat(), (0..loader.samples() as i64).collect::<Vec<_>>());
    }

    /// A run that was cut off anywhere goes on with the batches that were left.
    #[test]
    fn resuming_delivers_the_rest(count in 0usize..40, batch_size in 1usize..7, at in 0usize..20, workers in 0usize..3, seed: u64) {
        let loader = Loader::new(numbers(count), batch_size).unwrap().workers(workers);
        let whole = batches(loader.epoch(&mut Rng::seed(seed)));
        let at = at.min(whole.len());
        let mut epoch = loader.epoch(&mut Rng::seed(seed));
        epoch.by_ref().take(at).for_each(|batch| drop(batch.unwrap()));
        let words = epoch.state().to_words();
        drop(epoch);
        let state = LoaderState::from_words(&words).unwrap();
        prop_assert_eq!(state.next_batch, at);
        prop_assert_eq!(&batches(loader.resume(&state).unwrap())[..], &whole[at..]);
    }
}

#[test]
fn seeds_decide_and_epochs_differ() {
    let loader = Loader::new(numbers(100), 10).unwrap();
    let with = |seed| {
        let mut rng = Rng::seed(seed);
        [batches(loader.epoch(&mut rng)), batches(loader.epoch(&mut rng))]
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
    let [first, second] = with(1);
    assert_ne!(first, second);
    let ordered = loader.shuffle(false);
    assert_eq!(batches(ordered.epoch(&mut Rng::seed(1))).concat(), (0..100).collect::<Vec<_>>());
}

#[test]
fn weights_are_probabilities() {
    let loader = Loader::new(numbers(4), 2).unwrap();
    let weighted = loader.clone().weighted(&[1.0, 0.0, 3.0, 0.0]).unwrap();
    let mut rng = Rng::seed(8);
    let mut counts = [0u32; 4];
    for _ in 0..250 {
        let drawn = batches(weighted.epoch(&mut rng)).concat();
        drawn.into_iter().for_each(|index| counts[index as usize] += 1);
    }
    // 1000 draws: 250 and 750 with a standard error of 14.
    assert_eq!((counts[1], counts[3], counts[0] + counts[2]), (0, 0, 1000));
    assert!((180..=320).contains(&counts[0]), "{counts:?}");
    assert_eq!(batches(weighted.iter()).concat(), [0, 1, 2, 3]);
    let says = |weights: &[f64], message: &str| {
        let error = loader.clone().weighted(weights).err().unwrap();
        assert_eq!(error.to_string(), message);
    };
    says(&[1.0], "Loader: expected 4 weights, one per sample, found 1");
    says(&[1.0, -1.0, 0.0, 0.0], "weight 1: expected a finite weight of at least 0, found -1");
    says(&[1.0, 0.0, f64::NAN, 0.0], "weight 2: expected a finite weight of at least 0, found NaN");
    says(&[0.0; 4], "weights: expected one above 0, found only 0");
}

/// Every transform there is, in one chain.
#[test]
fn all_transforms_give_the_same_bits_with_any_number_of_workers() {
    let pixels = (0..=255).cycle().take(13 * 3 * 64).collect();
    let images = Images::new(pixels, [3, 8, 8], (0..13).collect(), 13).unwrap();
    let augment = ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }
        .then(RandomRotation::new(20.0))
        .then(Normalize { mean: vec![0.4, 0.5, 0.6], std: vec![0.2, 0.3, 0.4] })
        .then(RandomCrop::new([8, 8], 2))
        .then(RandomHorizontalFlip::new(0.5))
        .then(Cutout { size: 3 });
    let loader = Loader::new(images, 4).unwrap().augment(augment);
    let with = |workers: usize, seed| -> Vec<Vec<u32>> {
        let epoch = loader.clone().workers(workers).epoch(&mut Rng::seed(seed));
        let bits = |x: Vec<f32>| x.into_iter().map(f32::to_bits).collect();
        epoch.map(|batch| bits(batch.unwrap().0.to_vec())).collect()
    };
    let alone = with(0, 1);
    assert_eq!(alone.len(), 4);
    assert!(with(1, 1) == alone && with(3, 1) == alone, "workers change the bits");
    assert!(with(0, 2) != alone, "another seed gives other images");
}

#[test]
fn workers_equal_no_workers() {
    for batch_size in [1, 4, 23, 100] {
        let alone = augmented(0, 1, batch_size);
        for (workers, prefetch) in [(1, 1), (2, 1), (3, 2), (8, 4)] {
            assert!(augmented(workers, prefetch, batch_size) == alone, "{workers} workers");
        }
    }
}

#[test]
fn augmentation_goes_by_position_not_by_sample() {
    let draw = transform::from_fn(|_: i64, rng: &mut Rng| Ok(rng.next_u64() as i64));
    let loader = Loader::new(numbers(64), 5).unwrap().transform(draw);
    let draws = batches(loader.epoch(&mut Rng::seed(9))).concat();
    let mut distinct = draws.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 64);
    let other_sizes = Loader::new(numbers(64), 64).unwrap();
    let other_sizes = other_sizes
        .transform(transform::from_fn(|_: i64, rng: &mut Rng| Ok(rng.next_u64() as i64)));
    assert_eq!(batches(other_sizes.epoch(&mut Rng::seed(9))).concat(), draws);
}

#[test]
fn a_batch_size_of_0_is_refused() {
    let error = Loader::new(numbers(3), 0).err().unwrap();
    assert_eq!(error.to_string(), "Loader: expected a batch size of at least 1, found 0");
}

#[test]
fn states_of_other_loaders_are_refused() {
    let loader = Loader::new(numbers(10), 4).unwrap();
    let state = loader.epoch(&mut Rng::seed(0)).state();
    let refuse = |state: LoaderState| loader.resume(&state).err().unwrap().to_string();
    assert_eq!(
        refuse(LoaderState { samples: 11, ..state }),
        "loader state: expected 10 samples in batches of 4, found 11 samples in batches of 4"
    );
    assert_eq!(
        refuse(LoaderState { next_batch: 4, ..state }),
        "loader state: expected a next batch of at most 3, found 4"
    );
    assert!(loader.resume(&LoaderState { next_batch: 3, ..state }).unwrap().next().is_none());
}

/// A dataset that fails at one sample, by an error or a panic, and counts what it is asked for.
struct Broken {
    at: usize,
    panics: bool,
    asked: Arc<AtomicUsize>,
}

impl Dataset for Broken {
    type Sample = i64;

    fn len(&self) -> usize {
        1000
    }

    fn get(&self, index: usize) -> Result<i64, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match (index == self.at, self.panics) {
            (true, true) => panic!("the disk\nis gone"),
            (true, false) => Err(Error::other("the disk is gone")),
            _ => Ok(index as i64),
        }
    }
}

#[test]
fn errors_and_panics_name_the_sample_and_end_the_epoch() {
    for workers in [0, 1, 3] {
        for (panics, message) in [
            (false, "sample 37: the disk is gone"),
            (true, "sample 37: panicked: the disk\\nis gone"),
        ] {
            let broken = Broken { at: 37, panics, asked: Arc::default() };
            let loader = Loader::new(broken, 10).unwrap().workers(workers);
            let mut epoch = loader.iter();
            for start in [0, 10, 20] {
                assert_eq!(epoch.next().unwrap().unwrap().to_vec()[0], start);
            }
            assert_eq!(epoch.next().unwrap().unwrap_err().to_string(), message);
            assert!(epoch.next().is_none());
            assert_eq!(epoch.state().next_batch, 3);
        }
    }
}

#[test]
fn a_panicking_transform_names_the_sample() {
    let picky = transform::from_fn(|x: i64, _: &mut Rng| {
        assert!(x != 5, "five");
        Ok(x)
    });
    let loader = Loader::new(numbers(8).subset([7, 5, 6]), 3).unwrap().transform(picky).workers(1);
    // In other orders than the dataset's, too: the index is not the place in the batch.
    for epoch in (0..8).map(|seed| loader.epoch(&mut Rng::seed(seed))).chain([loader.iter()]) {
        let error = { epoch }.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "sample 1: panicked: five");
    }
}

#[test]
fn dropping_an_epoch_stops_its_workers_and_prefetch_is_bounded() {
    let asked: Arc<AtomicUsize> = Arc::default();
    let broken = Broken { at: usize::MAX, panics: false, asked: asked.clone() };
    let loader = Loader::new(broken, 10).unwrap().workers(2).prefetch(2);
    let mut epoch = loader.iter();
    epoch.next().unwrap().unwrap();
    drop(epoch);
    // The threads are joined, so nobody counts any more: one batch taken, at most four ahead.
    let after = asked.load(Ordering::SeqCst);
    assert!(after <= 50, "{after} samples for one batch");
    assert_eq!(Arc::strong_count(&loader.source), 1, "a worker still holds the dataset");
}
