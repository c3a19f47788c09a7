//! `unique`: the different elements, or slices along an axis, in order; `bincount`: how many of
//! each number.

use std::cmp::Ordering;

use backstitch_kernels::{Element, index, reduce::Split};

use crate::shape::{Shape, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

/// What [`Tensor::unique`] finds.
#[derive(Clone, Debug)]
pub struct Unique<T: Element> {
    /// The different elements, or slices, in rising order; outside the graph.
    pub values: Tensor<T>,
    /// Where each of them stands first.
    pub first: Tensor<i64>,
    /// Which of them each element, or slice, is.
    pub inverse: Tensor<i64>,
    /// How often each of them occurs.
    pub counts: Tensor<i64>,
}

impl<T: Element> Tensor<T> {
    /// The different elements in rising order, where each stands first in row-major order, which
    /// of them each element is, and how often each occurs.
    ///
    /// # Shape
    /// `x (...)` to lists, but `inverse (...)`.
    ///
    /// # Gradient
    /// None, as in PyTorch.
    ///
    /// # Numerics
    /// -0 equals 0, and the one that stands first is given. NaN comes last, and differs from NaN.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let found = Tensor::from([5i64, 3, 5]).unique();
    /// assert_eq!(found.values.to_vec(), [3, 5]);
    /// assert_eq!(found.inverse.to_vec(), [1, 0, 1]);
    /// assert_eq!(found.counts.to_vec(), [1, 2]);
    /// ```
    pub fn unique(&self) -> Unique<T> {
        let found = self.detach().reshape([self.numel()]).unique_dim(0);
        Unique { inverse: found.inverse.reshape(self.shape()), ..found }
    }

    /// The different slices along axis `dim`, in lexicographic order; as [`Tensor::unique`].
    ///
    /// # Shape
    /// `x (...)` to `values (...)` with as many slices as are different, and lists.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn unique_dim(&self, dim: isize) -> Unique<T> {
        let axis = or_panic(axis_of("unique", dim, self.rank()));
        let n = self.shape()[axis];
        let slices = self.detach().transpose(0, axis as isize).contiguous();
        let len = slices.numel() / n.max(1);
        let slice = |i: i64| &data(&slices)[i as usize * len..][..len];
        let mut order: Vec<i64> = (0..n as i64).collect();
        order.sort_by(|&a, &b| compare(slice(a), slice(b)));
        let (mut first, mut counts) = (Vec::new(), Vec::new());
        let mut inverse = vec![0; n];
        for &i in &order {
            if first.last().is_none_or(|&first| slice(first) != slice(i)) {
                first.push(i);
                counts.push(0);
            }
            inverse[i as usize] = first.len() as i64 - 1;
            *counts.last_mut().expect("just pushed") += 1;
        }
        let mut shape = Shape::new(self.shape());
        shape[axis] = first.len();
        let x = self.contiguous();
        let values = Tensor::build(&shape, |values| {
            let picked = index::index_select(data(&x), Split::at(x.shape(), axis), &first, values);
            picked.expect("the places are inside");
        });
        Unique { values, first: first.into(), inverse: inverse.into(), counts: counts.into() }
    }
}

/// Lexicographic, NaN last.
fn compare<T: Element>(a: &[T], b: &[T]) -> Ordering {
    #[expect(clippy::eq_op, reason = "x != x is NaN's test for any element type")]
    let is_nan = |x: &T| x != x;
    let pairs = a.iter().zip(b);
    let orders = pairs.map(|(a, b)| a.partial_cmp(b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b))));
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

impl Tensor<i64> {
    /// How often each number from 0 on occurs, at least up to `min_length`.
    ///
    /// # Shape
    /// `x (...)` to a list of the largest number and one more elements, or of `min_length`.
    ///
    /// # Panics
    /// When a number is negative.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([3i64, 1, 1]).bincount(0).to_vec(), [0, 2, 0, 1]);
    /// ```
    #[track_caller]
    pub fn bincount(&self, min_length: usize) -> Tensor<i64> {
        let mut counts = vec![0; min_length];
        for number in self.to_vec() {
            assert!(number >= 0, "bincount: needs numbers from 0 on; got {number}");
            let at = number as usize;
            if at >= counts.len() {
                counts.resize(at + 1, 0);
            }
            counts[at] += 1;
        }
        Tensor::from(counts)
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "unique",
        formula: "y = the different x, rounded, in rising order",
        shapes: &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[256, 1024]]],
        domain: Domain::Range(-9.0, 9.0),
        build: build!(|x| x[0].round().unique().values),
        oracle: Oracle::Whole(|x| {
            let mut all: Vec<i64> =
                x[0].to_vec().iter().map(|x| x.round_ties_even() as i64).collect();
            all.sort_unstable();
            all.dedup();
            all.into_iter().map(|x| x as f64).collect()
        }),
        refused: &[],
        slope: Slope::None("which elements are equal changes by jumps"),
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "unique bincount",
        formula: "y_i = how many x, rounded down, are i",
        shapes: &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[256, 1024]]],
        domain: Domain::Range(0.0, 9.0),
        build: build!(|x| x[0].to::<i64>().bincount(3).to::<T>()),
        oracle: Oracle::Whole(|x| {
            let count = |i: i64| x[0].to_vec().iter().filter(|&&x| x as i64 == i).count() as f64;
            let largest = x[0].to_vec().iter().fold(-1.0, |a: f64, &b| a.max(b.floor()));
            (0..3.max(largest as i64 + 1)).map(count).collect()
        }),
        refused: &[],
        slope: Slope::None("a count"),
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn slices_are_compared_whole() {
        let x = Tensor::from([[1.0, 0.0, 1.0], [2.0, 5.0, 2.0]]);
        let found = x.unique_dim(1);
        assert_eq!(
            (found.values.shape(), found.values.to_vec()),
            (&[2, 2][..], vec![0.0, 1.0, 5.0, 2.0])
        );
        assert_eq!((found.first.to_vec(), found.inverse.to_vec()), (vec![1, 0], vec![1, 0, 1]));
        assert_eq!(found.counts.to_vec(), [1, 2]);
    }

    #[test]
    fn nan_comes_last_and_alone() {
        let found = Tensor::from([f32::NAN, 0.0, -0.0, f32::NAN]).unique();
        assert_eq!(found.counts.to_vec(), [2, 1, 1]);
        assert_eq!(found.first.to_vec(), [1, 0, 3]);
    }

    #[test]
    fn views_are_read_as_they_look() {
        let x = Tensor::from([[2i64, 1], [5, 0], [2, 1]]).transpose(0, 1);
        let found = x.unique_dim(1);
        assert_eq!((found.values.shape(), found.values.to_vec()), (&[2, 2][..], vec![2, 5, 1, 0]));
        assert_eq!(x.unique().inverse.shape(), [2, 3]);
        assert_eq!(Tensor::from([1i64, 2]).bincount(2).to_vec(), [0, 1, 1]);
    }
}
