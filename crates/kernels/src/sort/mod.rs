//! Sorting along an axis, the k largest or smallest elements, and the n-th one.
//!
//! NaN counts as larger than every number, as in PyTorch: it comes last in rising order, first in
//! falling order, and is among the largest. Equal elements (-0 equals 0) keep their order.
//!
//! Each lane (the elements along the axis at one place of the other axes) becomes a list of entries
//! whose order as integers is the wanted one: see `lane.rs`. Lanes that do not lie in one piece are
//! copied, several neighbours at a time, so that whole cache lines are read.

mod lane;

use crate::disjoint::Disjoint;
use crate::element::{Float, per_float};
use crate::reduce::Split;
use crate::{par, scratch};
use lane::{Entry, Sortable};

/// Elements of a task.
const TASK: usize = 4 * 1024;

/// Neighbouring lanes that are copied together.
const STRIP: usize = 16;

/// Which elements come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The smallest.
    Rising,
    /// The largest.
    Falling,
}

/// Sorts along the axis: `values` are the elements in order, `index` is where they came from.
/// Both have as many elements as `x`. `index` alone is the argsort.
///
/// # Panics
/// If lengths do not fit, or the axis has 2^32 elements or more.
pub fn sort<T: Float>(x: &[T], split: Split, order: Order, values: &mut [T], index: &mut [i64]) {
    top_k(x, split, split.axis, order, values, index);
}

/// The first `k` elements along the axis in the given order, sorted, and where they came from;
/// both outputs are `[outer, k, inner]`.
///
/// # Panics
/// If lengths do not fit, or the axis has less than k elements, or 2^32 or more.
pub fn top_k<T: Float>(
    x: &[T],
    split: Split,
    k: usize,
    order: Order,
    values: &mut [T],
    index: &mut [i64],
) {
    check("top_k", x.len(), split, k, values.len(), index.len());
    per_float!(T: first_k(
        x: &[T], split: Split, k: usize, order: Order, values: &mut [T], index: &mut [i64]
    ))
}

/// The element that stands at place `n` in rising order, and where it came from; the first NaN
/// where there is one. Both outputs are `[outer, inner]`.
///
/// # Panics
/// If lengths do not fit, or the axis has no place n, or 2^32 elements or more.
pub fn nth<T: Float>(x: &[T], split: Split, n: usize, values: &mut [T], index: &mut [i64]) {
    check("nth", x.len(), split, 1, values.len(), index.len());
    assert!(n < split.axis || x.is_empty(), "nth: needs a place below {}; got {n}", split.axis);
    per_float!(T: nth_of_each(
        x: &[T], split: Split, n: usize, values: &mut [T], index: &mut [i64]
    ))
}

#[track_caller]
fn check(kernel: &str, elements: usize, split: Split, k: usize, values: usize, index: usize) {
    let results = split.reduced() * k;
    assert!(
        k <= split.axis && elements == split.elements() && values == results && index == results,
        "{kernel}: needs {} elements, k up to {} and {results} results for {split:?}; \
         got {elements}, {k}, {values} and {index}",
        split.elements(),
        split.axis,
    );
    assert!(split.axis < 1 << 32, "{kernel}: needs an axis below 2^32; got {split:?}");
}

fn first_k<T: Sortable>(
    x: &[T],
    split: Split,
    k: usize,
    order: Order,
    values: &mut [T],
    index: &mut [i64],
) {
    if k > 0 {
        let words = lane::room::<T>(split.axis, k);
        each_lane(x, split, k, words, values, index, |lane, words| {
            lane::first_k(lane, k, order, words)
        });
    }
}

fn nth_of_each<T: Sortable>(x: &[T], split: Split, n: usize, values: &mut [T], index: &mut [i64]) {
    let words = lane::room::<T>(split.axis, split.axis);
    each_lane(x, split, 1, words, values, index, |lane, words| lane::nth(lane, n, words));
}

/// Writes what `choose` chooses of each lane, `k` entries, given `words` of scratch.
fn each_lane<T: Sortable>(
    x: &[T],
    split: Split,
    k: usize,
    words: usize,
    values: &mut [T],
    index: &mut [i64],
    choose: impl for<'a> Fn(&[T], &'a mut [i64]) -> &'a [T::Entry] + Sync,
) {
    let Split { outer, axis, inner } = split;
    if values.is_empty() {
        return;
    }
    let strips = inner.div_ceil(STRIP);
    let units = outer * strips;
    let group = TASK.div_ceil(axis * inner.min(STRIP));
    let (values, index) = (Disjoint::new(values), Disjoint::new(index));
    let run = |unit: usize, lanes: &mut [T], words: &mut [i64]| {
        let (o, column) = (unit / strips, unit % strips * STRIP);
        let width = STRIP.min(inner - column);
        let plane = &x[o * axis * inner..][..axis * inner];
        if inner > 1 {
            for (a, row) in plane.chunks_exact(inner).enumerate() {
                for (i, &x) in row[column..column + width].iter().enumerate() {
                    lanes[i * axis + a] = x;
                }
            }
        }
        for i in 0..width {
            let lane = if inner > 1 { &lanes[i * axis..][..axis] } else { plane };
            for (j, entry) in choose(lane, words).iter().enumerate() {
                let to = (o * k + j) * inner + column + i;
                // SAFETY: each lane belongs to one task.
                let (value, slot) = unsafe { (values.range(to..to + 1), index.range(to..to + 1)) };
                (value[0], slot[0]) = (lane[entry.place()], entry.place() as i64);
            }
        }
    };
    par::for_each(units.div_ceil(group), 10 * x.len(), |task| {
        let copies = if inner > 1 { axis * inner.min(STRIP) } else { 0 };
        scratch::with(copies, |lanes: &mut [T]| {
            scratch::with(words, |words: &mut [i64]| {
                for unit in task * group..units.min((task + 1) * group) {
                    run(unit, lanes, words);
                }
            });
        });
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::*;

    /// Selects the next place again and again: the first one that nothing left beats.
    fn naive(lane: &[f64], k: usize, order: Order) -> Vec<i64> {
        let beats = |a: f64, b: f64| match order {
            Order::Rising => a < b || b.is_nan() && !a.is_nan(),
            Order::Falling => a > b || a.is_nan() && !b.is_nan(),
        };
        let mut left: Vec<usize> = (0..lane.len()).collect();
        let mut chosen = vec![];
        for _ in 0..k {
            let mut best = 0;
            for i in 1..left.len() {
                if beats(lane[left[i]], lane[left[best]]) {
                    best = i;
                }
            }
            chosen.push(left.remove(best) as i64);
        }
        chosen
    }

    fn check<T: Float>(x: &[T], split: Split, k: usize, order: Order) {
        let Split { outer, axis, inner } = split;
        let mut values = vec![T::from_f64(7.0); split.reduced() * k];
        let mut index = vec![-1; values.len()];
        top_k(x, split, k, order, &mut values, &mut index);
        for lane in 0..outer * inner {
            let (o, i) = (lane / inner, lane % inner);
            let elements: Vec<f64> =
                (0..axis).map(|a| x[(o * axis + a) * inner + i].to_f64()).collect();
            for (j, &place) in naive(&elements, k, order).iter().enumerate() {
                let at = (o * k + j) * inner + i;
                assert_eq!(index[at], place, "{split:?} {k} {order:?}");
                let value = elements[place as usize];
                assert_eq!(values[at].to_f64().to_bits(), value.to_bits());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn equals_its_twin(
            outer in 0..3usize,
            axis in 0..40usize,
            inner in prop_oneof![0..4usize, Just(37)],
            share in 0..4usize,
            seed: u64,
        ) {
            let split = Split { outer, axis, inner };
            let k = axis * share / 3;
            let special = [0.0, -0.0, 1.0, -1.0, 2.0, f64::NAN, f64::INFINITY, -f64::INFINITY];
            let pick = indices(split.elements(), special.len(), seed);
            let ties: Vec<f64> = pick.iter().map(|&i| special[i as usize]).collect();
            for order in [Order::Rising, Order::Falling] {
                check(&values::<f32>(split.elements(), seed), split, k, order);
                check(&ties, split, k, order);
            }
        }
    }

    /// Long enough for sorting by digits and for sifting, with ties.
    #[test]
    fn long_lanes_equal_a_stable_sort() {
        let n = 5000;
        let special = [f64::NAN, f64::INFINITY, -f64::INFINITY, 0.0, -0.0, f64::MIN_POSITIVE];
        let few: Vec<f64> = indices(n, 400, 1)
            .into_iter()
            .map(|i| special.get(i as usize).copied().unwrap_or(i as f64 - 200.0))
            .collect();
        let rising: Vec<f64> = (0..n).map(|i| i as f64).collect();
        for x in [few, rising, values(n, 2)] {
            check_long(&x);
            check_long(&x.iter().map(|&x| x as f32).collect::<Vec<_>>());
        }
    }

    fn check_long<T: Float>(x: &[T]) {
        for order in [Order::Rising, Order::Falling] {
            let mut places: Vec<i64> = (0..x.len() as i64).collect();
            places.sort_by(|&a, &b| {
                let (a, b) = (x[a as usize], x[b as usize]);
                let (a, b) = if order == Order::Rising { (a, b) } else { (b, a) };
                a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
            });
            for k in [1, 10, 700, 2000, x.len()] {
                let split = Split { outer: 1, axis: x.len(), inner: 1 };
                let (mut values, mut index) = (vec![T::ZERO; k], vec![0; k]);
                top_k(x, split, k, order, &mut values, &mut index);
                assert_eq!(index, places[..k], "{order:?} {k}");
            }
        }
    }

    #[test]
    fn the_nth_is_that_of_the_sorted() {
        for (outer, axis, inner) in [(3, 1, 1), (2, 7, 3), (1, 1001, 1), (2, 50, 20), (0, 4, 2)] {
            let split = Split { outer, axis, inner };
            let x: Vec<f32> = values(split.elements(), 3);
            let (mut sorted, mut from) = (vec![0.0; x.len()], vec![0; x.len()]);
            sort(&x, split, Order::Rising, &mut sorted, &mut from);
            let (mut values, mut index) = (vec![7.0; split.reduced()], vec![-1; split.reduced()]);
            for n in [0, axis / 2, axis - 1] {
                nth(&x, split, n, &mut values, &mut index);
                for lane in 0..split.reduced() {
                    let at = (lane / inner * axis + n) * inner + lane % inner;
                    assert_eq!((values[lane], index[lane]), (sorted[at], from[at]));
                }
            }
        }
        let (mut value, mut index) = ([0.0], [0]);
        let split = Split { outer: 1, axis: 3, inner: 1 };
        nth(&[1.0, f32::NAN, f32::NAN], split, 0, &mut value, &mut index);
        assert!(value[0].is_nan() && index == [1]);
    }

    #[test]
    fn threads_do_not_change_results() {
        let x: Vec<f32> = values(300 * 100, 1);
        for (outer, inner) in [(100, 1), (1, 100)] {
            let split = Split { outer, axis: 300, inner };
            assert_same_on_threads(|| {
                let (mut values, mut index) = (vec![0.0; x.len()], vec![0; x.len()]);
                sort(&x, split, Order::Falling, &mut values, &mut index);
                (bits(&values), index)
            });
        }
    }

    #[test]
    #[should_panic(expected = "k up to 2")]
    fn too_large_a_k_is_refused() {
        let split = Split { outer: 1, axis: 2, inner: 1 };
        top_k(&[1.0f32, 2.0], split, 3, Order::Rising, &mut [0.0; 3], &mut [0; 3]);
    }
}
