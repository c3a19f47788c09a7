//! Sorting along an axis, and the k largest or smallest elements.
//!
//! NaN counts as larger than every number, as in PyTorch: it comes last in rising order, first in
//! falling order, and is among the largest. Equal elements (-0 equals 0) keep their order.

use std::cmp::Ordering;

use crate::disjoint::Disjoint;
use crate::element::{Float, per_float};
use crate::reduce::Split;
use crate::{par, scratch};

/// Elements of a task.
const TASK: usize = 4 * 1024;

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
/// If lengths do not fit.
pub fn sort<T: Float>(x: &[T], split: Split, order: Order, values: &mut [T], index: &mut [i64]) {
    top_k(x, split, split.axis, order, values, index);
}

/// The first `k` elements along the axis in the given order, sorted, and where they came from;
/// both outputs are `[outer, k, inner]`.
///
/// # Panics
/// If lengths do not fit, or the axis has less than k elements.
pub fn top_k<T: Float>(
    x: &[T],
    split: Split,
    k: usize,
    order: Order,
    values: &mut [T],
    index: &mut [i64],
) {
    let results = split.reduced() * k;
    assert!(
        k <= split.axis
            && x.len() == split.elements()
            && values.len() == results
            && index.len() == results,
        "top_k: needs {} elements, k up to {} and {results} results for {split:?}; got {}, {k}, {} and {}",
        split.elements(),
        split.axis,
        x.len(),
        values.len(),
        index.len()
    );
    per_float!(T: first_k(
        x: &[T], split: Split, k: usize, order: Order, values: &mut [T], index: &mut [i64]
    ))
}

fn first_k<T: Float>(
    x: &[T],
    split: Split,
    k: usize,
    order: Order,
    values: &mut [T],
    index: &mut [i64],
) {
    let Split { axis, inner, .. } = split;
    if k == 0 {
        return;
    }
    let lanes = split.reduced();
    let group = TASK.div_ceil(axis);
    let (values, index) = (Disjoint::new(values), Disjoint::new(index));
    par::for_each(lanes.div_ceil(group), 30 * x.len(), |task| {
        scratch::with(axis, |places: &mut [i64]| {
            for lane in task * group..lanes.min((task + 1) * group) {
                let (o, i) = (lane / inner, lane % inner);
                let at = |place: i64| x[(o * axis + place as usize) * inner + i];
                for (place, slot) in places.iter_mut().enumerate() {
                    *slot = place as i64;
                }
                let by_value = |&a: &i64, &b: &i64| {
                    let (x, y) = (at(a), at(b));
                    let values = match order {
                        Order::Rising => compare(x, y),
                        Order::Falling => compare(y, x),
                    };
                    // Places decide between equals: stable without a stable sort's memory.
                    values.then(a.cmp(&b))
                };
                if k < axis {
                    places.select_nth_unstable_by(k - 1, by_value);
                }
                places[..k].sort_unstable_by(by_value);
                for (j, &place) in places[..k].iter().enumerate() {
                    let to = (o * k + j) * inner + i;
                    // SAFETY: each lane belongs to one task.
                    let (value, slot) =
                        unsafe { (values.range(to..to + 1), index.range(to..to + 1)) };
                    (value[0], slot[0]) = (at(place), place);
                }
            }
        });
    });
}

/// The order of numbers, NaN above all.
fn compare<T: Float>(x: T, y: T) -> Ordering {
    x.partial_cmp(&y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
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
            inner in 0..4usize,
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

    #[test]
    fn threads_do_not_change_results() {
        let x: Vec<f32> = values(300 * 100, 1);
        let split = Split { outer: 100, axis: 300, inner: 1 };
        assert_same_on_threads(|| {
            let (mut values, mut index) = (vec![0.0; x.len()], vec![0; x.len()]);
            sort(&x, split, Order::Falling, &mut values, &mut index);
            (bits(&values), index)
        });
    }

    #[test]
    #[should_panic(expected = "k up to 2")]
    fn too_large_a_k_is_refused() {
        let split = Split { outer: 1, axis: 2, inner: 1 };
        top_k(&[1.0f32, 2.0], split, 3, Order::Rising, &mut [0.0; 3], &mut [0; 3]);
    }
}
