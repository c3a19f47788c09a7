//! `max`: the largest element, of all or along some axes; `argmax`: where it is.

use backstitch_kernels::{Float, reduce};

use super::extreme::{distinct, extreme, position, sorted_places};
use super::over::{REFUSED, SHAPES, as_numbers, first_axis};
use crate::shape::IntoDims;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The largest of all elements; as [`Tensor::max_dim`] over all axes.
    ///
    /// # Panics
    /// When there is no element.
    #[track_caller]
    pub fn max(&self) -> Tensor<T> {
        extreme("max", self, [], false, reduce::max_with_index)
    }

    /// The largest elements along some axes; `keepdim` leaves those axes with length 1. No axes
    /// means all.
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// All of `dy` goes to the largest element, to the first one if there are several, as that of
    /// `torch.max` along one axis.
    ///
    /// # Numerics
    /// NaN where any element is NaN.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or there is no element along them.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 5.0], [7.0, 3.0]]);
    /// assert_eq!(x.max_dim(1, false).to_vec(), [5.0, 7.0]);
    /// ```
    #[track_caller]
    pub fn max_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<T> {
        extreme("max", self, dims, keepdim, reduce::max_with_index)
    }

    /// The positions of the largest elements along an axis; `keepdim` leaves it with length 1.
    /// The first one if there are several, the first NaN if there is one. Along several axes, or
    /// all where none is named, positions count row by row.
    ///
    /// # Gradient
    /// None: positions are integers.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or there is no element along them.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 5.0], [7.0, 3.0]]);
    /// assert_eq!(x.argmax(1, false).to_vec(), [1, 0]);
    /// assert_eq!(x.argmax([], false).item(), 2);
    /// ```
    #[track_caller]
    pub fn argmax(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<i64> {
        position("argmax", self, dims, keepdim, reduce::argmax)
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "max",
        formula: "y[j] = max_i x[i, j], over the first axis",
        shapes: SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| x[0].max_dim(0, false)),
        oracle: Oracle::Whole(|x| first_axis(&x[0], |lane| lane[sorted_places(lane, true)[0]])),
        refused: REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "max all",
        formula: "y = max x, in an axis for each that x has",
        shapes: &[&[&[]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[5, 2, 33]], &[&[256, 1024]]],
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| match x[0].rank() {
            1 => x[0].max_dim(0, true),
            rank => x[0].max().reshape(vec![1; rank]),
        }),
        oracle: Oracle::Whole(|x| {
            let largest = x[0].to_vec().into_iter().fold(f64::NEG_INFINITY, f64::max);
            Tensor::full(vec![1; x[0].rank()], largest)
        }),
        refused: &[&[&[0]], &[&[0, 3]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "max argmax",
        formula: "y[j] = argmax_i x[i, j], over the first axis",
        shapes: SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| as_numbers(&x[0].argmax(0, false))),
        oracle: Oracle::Whole(|x| first_axis(&x[0], |lane| sorted_places(lane, true)[0] as f64)),
        refused: REFUSED,
        slope: Slope::None("a position is an integer"),
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn the_first_of_equal_ones_gets_the_gradient() {
        let x = Tensor::from([[1.0, 3.0], [3.0, 2.0]]).leaf();
        let grads = (x.max() + x.min_dim([0, 1], true) * 5.0).sum().backward();
        assert_eq!(grads.get(&x).unwrap().to_vec(), [5.0, 1.0, 0.0, 0.0]);
        assert_eq!(x.max().shape(), [0; 0]);
        assert_eq!((x.argmax([], false).item(), x.argmin([0, 1], true).shape()), (1, &[1, 1][..]));
    }
}
