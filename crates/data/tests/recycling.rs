//! Batches take no memory from the system once the loader is warm.

use backstitch_data::{Images, Loader, RandomCrop, Rng};
use backstitch_kernels::pool;

/// One test only: the pool's counters are those of the whole process.
#[test]
fn warm_epochs_take_no_blocks_from_the_system() {
    let images = Images::new(vec![7; 512 * 400], [1, 20, 20], vec![1; 512], 10).unwrap();
    let plain = Loader::new(images.clone(), 32).unwrap();
    let augmented = Loader::new(images, 32).unwrap().augment(RandomCrop::new([20, 20], 2));
    let mut rng = Rng::seed(3);
    let mut epochs = |count: usize| {
        for _ in 0..count {
            for workers in [0, 2] {
                let batches = plain.clone().workers(workers).epoch(&mut rng);
                batches.for_each(|batch| drop(batch.unwrap()));
                let batches = augmented.clone().workers(workers).epoch(&mut rng);
                batches.for_each(|batch| drop(batch.unwrap()));
            }
        }
        pool::stats().blocks_taken
    };
    let warm = epochs(10);
    assert!(warm > 0);
    // Threads race for free blocks, so a worker may now and then find its list empty; what must
    // not happen is that memory grows with the batches: 1,280 here, with more than 20,000 blocks.
    let later = epochs(20);
    assert!(later - warm <= 300, "{} blocks more", later - warm);
}
