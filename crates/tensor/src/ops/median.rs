//! `median`: the element in the middle of the order along an axis; `quantile`: any place of it.

use backstitch_kernels::{Float, sort};

use super::extreme::{chosen, distinct, sorted_places};
use super::over::{Over, first_axis};
use crate::shape::{IntoDims, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The medians along some axes, and where they are; `keepdim` leaves those axes with length 1.
    /// No axes means all. Of an even number of elements it is the lower one in the middle, as in
    /// PyTorch; `quantile(0.5, ...)` is the mean of both. Along several axes positions count row
    /// by row.
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place; the same for the positions.
    ///
    /// # Gradient
    /// `dy` goes to the element that was chosen; of equal ones, to the one that a stable sort puts
    /// there.
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
    /// let (y, idx) = Tensor::from([3.0, 1.0, 2.0, 9.0]).median(0, false);
    /// assert_eq!((y.item(), idx.item()), (2.0, 2));
    /// ```
    #[track_caller]
    pub fn median(&self, dims: impl IntoDims, keepdim: bool) -> (Tensor<T>, Tensor<i64>) {
        let over = or_panic(Over::some("median", self.shape(), dims));
        let (merged, axis) = over.merge(self);
        let middle = over.count().saturating_sub(1) / 2;
        let (y, idx) = chosen("median", &merged, axis, 1, |x, split, values, idx| {
            sort::nth(x, split, middle, values, idx);
        });
        let shape = over.result(keepdim);
        (y.reshape(shape), idx.reshape(shape))
    }

    /// The `q`-quantiles along some axes, `q` from 0 to 1, between two elements by linear
    /// interpolation; `keepdim` leaves those axes with length 1. No axes means all.
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// `dy` goes to the elements between which the quantile lies, by their shares.
    ///
    /// # Numerics
    /// NaN where any element is NaN.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, there is no element along them, or `q` lies
    /// outside.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([3.0, 1.0, 2.0, 9.0]);
    /// assert_eq!(x.quantile(0.5, 0, false).item(), 2.5);
    /// ```
    #[track_caller]
    pub fn quantile(&self, q: f64, dims: impl IntoDims, keepdim: bool) -> Tensor<T> {
        let over = or_panic(Over::some("quantile", self.shape(), dims));
        assert!((0.0..=1.0).contains(&q), "quantile: needs q from 0 to 1; got {q}");
        let (merged, axis) = over.merge(self);
        let (sorted, _) = merged.sort(axis as isize, false);
        let last = over.count().saturating_sub(1);
        let place = q * last as f64;
        let at = |i: f64| sorted.narrow(axis as isize, i as usize, 1.min(over.count()));
        let (low, high) = (at(place.floor()), at(place.ceil()));
        let share = T::from_f64(place - place.floor());
        let y = &low + (high - &low) * share;
        let broken = at(last as f64).is_nan();
        y.masked_fill(&broken, T::NAN).reshape(over.result(keepdim))
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "median",
        formula: "y[j] = the lower median of x[i, j], over the first axis",
        shapes: super::over::SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| x[0].median(0, false).0),
        oracle: Oracle::Whole(|x| {
            first_axis(&x[0], |lane| lane[sorted_places(lane, false)[(lane.len() - 1) / 2]])
        }),
        refused: super::over::REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "median quantile",
        formula: "y[j] = the 0.3-quantile of x[i, j], over the first axis",
        shapes: super::over::SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| x[0].quantile(0.3, 0, false)),
        oracle: Oracle::Whole(|x| {
            first_axis(&x[0], |lane| {
                let places = sorted_places(lane, false);
                let place = 0.3 * (lane.len() - 1) as f64;
                let at = |i: f64| lane[places[i as usize]];
                let share = place - place.floor();
                at(place.floor()) * (1.0 - share) + at(place.ceil()) * share
            })
        }),
        refused: super::over::REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Terms(
            4.0,
            |x| first_axis(&x[0], |lane| lane.iter().fold(0.0, |top, x| x.abs().max(top))),
            "a difference, a product and a sum, each rounded",
        ),
    },
];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn nan_takes_over() {
        let x = Tensor::from([[1.0, f64::NAN, 0.0], [5.0, 4.0, 6.0]]);
        let (y, idx) = x.median(1, true);
        assert!(y.to_vec()[0].is_nan() && y.to_vec()[1] == 5.0);
        assert_eq!((idx.to_vec(), idx.shape()), (vec![1, 0], &[2, 1][..]));
        let y = x.quantile(0.0, 1, false).to_vec();
        assert!(y[0].is_nan() && y[1] == 4.0);
        assert_eq!(x.slice(0, 1..).quantile(1.0, [], false).item(), 6.0);
        assert_eq!(Tensor::<f64>::zeros([3, 0]).quantile(0.5, 0, false).shape(), [0]);
    }

    #[test]
    fn positions_have_the_shape_of_the_values() {
        let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 9.0]]);
        let (y, idx) = x.median(1, false);
        assert_eq!((y.shape(), idx.shape(), idx.to_vec()), (&[2][..], &[2][..], vec![2, 0]));
        assert_eq!(x.median(1, true).1.shape(), [2, 1]);
    }
}
