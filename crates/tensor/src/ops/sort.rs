//! `sort`: the elements along an axis in order; `argsort`: where they were.

use backstitch_kernels::{Float, sort, sort::Order};

use super::extreme::{chosen, distinct, sorted_places};
use super::over::{along_first, as_numbers};
use crate::shape::{axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The elements along axis `dim` in rising order, or in falling order, and where they were.
    ///
    /// # Shape
    /// `x (...)` to `y (...)` and positions `(...)`.
    ///
    /// # Gradient
    /// `dx` is `dy` put back in the old order.
    ///
    /// # Numerics
    /// Equal elements (-0 equals 0) keep their order. NaN counts as larger than every number, as
    /// in PyTorch.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (y, idx) = Tensor::from([2.0, 3.0, 1.0]).sort(0, false);
    /// assert_eq!((y.to_vec(), idx.to_vec()), (vec![1.0, 2.0, 3.0], vec![2, 0, 1]));
    /// ```
    #[track_caller]
    pub fn sort(&self, dim: isize, descending: bool) -> (Tensor<T>, Tensor<i64>) {
        let axis = or_panic(axis_of("sort", dim, self.rank()));
        chosen("sort", self, axis, self.shape()[axis], |x, split, values, idx| {
            sort::sort(x, split, order(descending), values, idx);
        })
    }

    /// Where the elements in order along axis `dim` are: the positions of [`Tensor::sort`], outside
    /// the graph.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn argsort(&self, dim: isize, descending: bool) -> Tensor<i64> {
        or_panic(axis_of("argsort", dim, self.rank()));
        self.detach().sort(dim, descending).1
    }
}

pub(super) fn order(descending: bool) -> Order {
    if descending { Order::Falling } else { Order::Rising }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "sort",
        formula: "y = x in rising order, along the first axis",
        shapes: super::over::SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| x[0].sort(0, false).0),
        oracle: Oracle::Whole(|x| {
            along_first(&x[0], |lane| sorted_places(lane, false).iter().map(|&i| lane[i]).collect())
        }),
        refused: &[&[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "sort argsort",
        formula: "y = where the elements in falling order are, along the first axis",
        shapes: super::over::SHAPES,
        domain: Domain::Range(-2.0, 2.0),
        // Rounded, so that equal ones occur.
        build: build!(|x| as_numbers(&x[0].round().argsort(0, true))),
        oracle: Oracle::Whole(|x| {
            along_first(&x[0], |lane| {
                let lane: Vec<f64> = lane.iter().map(|x| x.round_ties_even()).collect();
                sorted_places(&lane, true).iter().map(|&i| i as f64).collect()
            })
        }),
        refused: &[&[&[]]],
        slope: Slope::None("a position is an integer"),
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn nan_is_the_largest_and_equal_ones_keep_their_order() {
        let x = Tensor::from([0.0, f32::NAN, -0.0, -1.0, f32::INFINITY]);
        assert_eq!(x.argsort(0, false).to_vec(), [3, 0, 2, 4, 1]);
        assert_eq!(x.argsort(-1, true).to_vec(), [1, 4, 0, 2, 3]);
    }
}
