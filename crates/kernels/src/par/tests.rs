//! Loops reach every task once, in the same tree, on any number of threads and from any of them.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::*;
use crate::arch::{self, Isa};

/// An estimate that makes every loop worth sharing.
const LARGE: usize = usize::MAX;

fn on_threads<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(body)
}

/// Runs a loop and checks that each task ran once.
fn check_cover(tasks: usize) {
    let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
    for_each(tasks, LARGE, |index| {
        counts[index].fetch_add(1, Relaxed);
    });
    assert!(counts.iter().all(|count| count.load(Relaxed) == 1), "{tasks} tasks: {counts:?}");
}

#[test]
fn every_task_runs_once() {
    for threads in [1, 2, 3, 8] {
        on_threads(threads, || {
            for round in 0..300 {
                check_cover([0, 1, 2, 3, 7, 100][round % 6]);
            }
        });
    }
}

#[test]
fn loops_from_outside_any_pool_run_too() {
    for _ in 0..100 {
        check_cover(17);
    }
}

#[test]
fn several_threads_may_lead_at_once() {
    on_threads(3, || {
        rayon::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|_| (0..200).for_each(|_| check_cover(9)));
            }
        });
    });
    let outsiders: Vec<_> =
        (0..4).map(|_| std::thread::spawn(|| (0..200).for_each(|_| check_cover(5)))).collect();
    outsiders.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn rayon_loops_between_team_loops_finish() {
    use rayon::prelude::*;
    on_threads(2, || {
        for _ in 0..200 {
            check_cover(4);
            let sum: usize = (0..100_usize).into_par_iter().sum();
            assert_eq!(sum, 4950);
        }
    });
}

#[test]
fn nested_loops_stay_on_their_thread() {
    on_threads(3, || {
        for_each(6, LARGE, |_| {
            let thread = std::thread::current().id();
            for_each(5, LARGE, |_| assert_eq!(std::thread::current().id(), thread));
        });
    });
}

#[test]
fn a_panic_reaches_the_caller_and_leaves_the_team_whole() {
    on_threads(3, || {
        for bad in 0..40_usize {
            let result = catch_unwind(|| {
                for_each(40, LARGE, |index| assert!(index != bad, "task {index} fails"));
            });
            let message = *result.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(message, format!("task {bad} fails"));
            check_cover(10);
        }
    });
}

#[test]
fn tasks_use_the_callers_instruction_set() {
    on_threads(3, || {
        for _ in 0..50 {
            arch::with(Isa::Scalar, || {
                for_each(20, LARGE, |_| assert_eq!(arch::current(), Isa::Scalar));
            });
        }
    });
}

#[test]
fn chunks_are_disjoint_and_complete() {
    for threads in [1, 3] {
        on_threads(threads, || {
            let mut out = vec![0_usize; 1003];
            chunks_mut(&mut out, 100, LARGE, |index, chunk| {
                assert_eq!(chunk.len(), if index == 10 { 3 } else { 100 });
                chunk.iter_mut().for_each(|x| *x += index + 1);
            });
            assert!(out.iter().enumerate().all(|(i, &x)| x == i / 100 + 1));
            let mut sums = [0_usize; 11];
            chunks_mut2((&mut out, 100), (&mut sums, 1), LARGE, |index, chunk, sum| {
                chunk.fill(index);
                sum[0] = chunk.len();
            });
            assert_eq!(sums, [100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 3]);
        });
    }
}

#[test]
#[should_panic(expected = "as many chunks on both sides")]
fn unequal_chunk_counts_are_refused() {
    chunks_mut2((&mut [0; 10], 5), (&mut [0; 10], 2), 0, |_, _, _| {});
}

#[test]
fn the_tree_of_a_reduction_is_fixed() {
    let joined =
        |blocks| reduce(blocks, LARGE, |index| index.to_string(), |a, b| format!("({a} {b})"));
    for threads in [1, 2, 8] {
        on_threads(threads, || {
            assert_eq!(joined(0), None);
            assert_eq!(joined(1).unwrap(), "0");
            assert_eq!(joined(7).unwrap(), "(((0 1) (2 3)) ((4 5) 6))");
        });
    }
}
