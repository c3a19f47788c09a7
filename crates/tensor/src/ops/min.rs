//! `min`: the smallest element, of all or along some axes; `argmin`: where it is.

use backstitch_kernels::{Float, reduce};

use super::extreme::{distinct, extreme, position, sorted_places};
use super::over::{REFUSED, SHAPES, as_numbers, first_axis};
use crate::shape::IntoDims;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The smallest of all elements; as [`Tensor::min_dim`] over all axes.
    ///
    /// # Panics
    /// When there is no element.
    #[track_caller]
    pub fn min(&self) -> Tensor<T> {
        extreme("min", self, [], false, reduce::min_with_index)
    }

    /// The smallest elements along some axes; `keepdim` leaves those axes with length 1. No axes
    /// means all.
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// All of `dy` goes to the smallest element, to the first one if there are several, as that of
    /// `torch.min` along one axis.
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
    /// assert_eq!(x.min_dim(1, false).to_vec(), [1.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn min_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<T> {
        extreme("min", self, dims, keepdim, reduce::min_with_index)
    }

    /// The positions of the smallest elements along an axis; `keepdim` leaves it with length 1.
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
    /// assert_eq!(x.argmin(1, false).to_vec(), [0, 1]);
    /// assert_eq!(x.argmin([], false).item(), 0);
    /// ```
    #[track_caller]
    pub fn argmin(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<i64> {
        position("argmin", self, dims, keepdim, reduce::argmin)
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "min",
        formula: "y[j] = min_i x[i, j], over the first axis",
        shapes: SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| x[0].min_dim(0, false)),
        oracle: Oracle::Whole(|x| first_axis(&x[0], |lane| lane[sorted_places(lane, false)[0]])),
        refused: REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "min argmin",
        formula: "y[j] = argmin_i x[i, j], over the first axis",
        shapes: SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| as_numbers(&x[0].argmin(0, false))),
        oracle: Oracle::Whole(|x| first_axis(&x[0], |lane| sorted_places(lane, false)[0] as f64)),
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
    fn the_smallest_of_all_keeps_no_axis() {
        let x = Tensor::from([[3.0, -1.0], [2.0, 5.0]]).leaf();
        let y = x.min();
        assert_eq!((y.shape(), y.item()), (&[][..], -1.0));
        assert_eq!(y.backward().get(&x).unwrap().to_vec(), [0.0, 1.0, 0.0, 0.0]);
    }
}
