//! A warm training step takes no memory from the system. Alone in its file, and so in its process:
//! the pool's counters are of the whole process.

mod run;

use backstitch::kernels::pool;

#[test]
fn warm_steps_take_no_memory_from_the_system() {
    let mut taken = Vec::new();
    run::train(100, || taken.push(pool::stats().blocks_taken));
    println!("blocks taken from the system: {} after 10 steps, {} after 100", taken[9], taken[99]);
    assert_eq!(taken[9], taken[99], "after each step: {taken:?}");
}
