//! `histc`: how many elements lie in each of some equal intervals.

use backstitch_kernels::Float;

use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// How many elements lie in each of `bins` intervals of equal length, from the first number of
    /// `range` to the second; without one, from the smallest element to the largest.
    ///
    /// An interval has its left end but not its right one; the last has both.
    ///
    /// # Shape
    /// `x (...)` to `(bins)`.
    ///
    /// # Gradient
    /// None: counts change by jumps.
    ///
    /// # Numerics
    /// Elements outside the range, and NaN, count nowhere. Where both ends are equal, the range
    /// reaches 1 further on both sides, as in PyTorch.
    ///
    /// # Panics
    /// When there are no bins, or the range falls or is not finite.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([0.0, 0.5, 2.0, 4.0, 9.0]);
    /// assert_eq!(x.histc(4, Some((0.0, 4.0))).to_vec(), [2.0, 0.0, 1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn histc(&self, bins: usize, range: Option<(T, T)>) -> Tensor<T> {
        let x = self.to_vec();
        let (low, high) = range.unwrap_or_else(|| extent(&x));
        let fits = bins > 0 && low <= high && (high - low).is_finite();
        let rule = "one bin or more, and a finite range that does not fall";
        let got = || format!("{bins} bins from {low:?} to {high:?} for {:?}", self.shape());
        or_panic(if fits { Ok(()) } else { Err(ShapeError::new("histc", rule, got())) });
        let (low, high) = if low == high { (low - T::ONE, high + T::ONE) } else { (low, high) };
        let mut counts = vec![T::ZERO; bins];
        for x in x.into_iter().filter(|x| (low..=high).contains(x)) {
            let bin = (x - low) * T::from_f64(bins as f64) / (high - low);
            counts[(bin.to_f64() as usize).min(bins - 1)] += T::ONE;
        }
        Tensor::from(counts)
    }
}

/// The smallest and the largest element; zeros for none.
fn extent<T: Float>(x: &[T]) -> (T, T) {
    let Some(&first) = x.first() else { return (T::ZERO, T::ZERO) };
    x.iter().fold((first, first), |(low, high), &x| {
        (if x < low { x } else { low }, if x > high { x } else { high })
    })
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "histc",
    formula: "y_i = how many x lie from -1 + i / 4 up to, not including, -1 + (i + 1) / 4; 8 bins",
    shapes: &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[256, 1024]]],
    // Eighths, so that ends of intervals occur and both element types see the same numbers.
    domain: Domain::Custom(|_, shape, rng| {
        let x: Tensor<f64> = Tensor::rand(shape, -12.0, 12.0, rng);
        x.round() * 0.125
    }),
    build: build!(|x| x[0].histc(8, Some((-T::ONE, T::ONE)))),
    oracle: Oracle::Whole(|x| {
        let edge = |i: usize| -1.0 + 0.25 * i as f64;
        let inside = |x: f64, i: usize| edge(i) <= x && (x < edge(i + 1) || i == 7 && x == 1.0);
        (0..8).map(|i| x[0].to_vec().iter().filter(|&&x| inside(x, i)).count() as f64).collect()
    }),
    refused: &[],
    slope: Slope::None("a count"),
    cost: |shapes| Cost::elementwise(shapes, 2.0),
    tolerance: Tolerance::Exact,
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn the_range_comes_from_the_data_where_none_is_given() {
        // As torch.histc prints them.
        assert_eq!(Tensor::from([1.0f64, 2.0, 4.0, 2.5]).histc(3, None).to_vec(), [1.0, 2.0, 1.0]);
        assert_eq!(Tensor::from([5.0f64, 5.0]).histc(2, None).to_vec(), [0.0, 2.0]);
        assert_eq!(Tensor::<f64>::zeros([0]).histc(2, None).to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn nan_counts_nowhere() {
        assert_eq!(Tensor::from([f64::NAN, 0.5]).histc(2, Some((0.0, 1.0))).to_vec(), [0.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "histc: needs one bin or more, and a finite range that does not \
                               fall; got 0 bins from 0.0 to 1.0 for [1]")]
    fn bins_are_needed() {
        Tensor::from([0.5f64]).histc(0, Some((0.0, 1.0)));
    }

    #[test]
    fn one_bin_holds_all_and_equal_numbers_lie_in_the_middle() {
        assert_eq!(Tensor::from([1.0f64, 2.0, 4.0]).histc(1, None).to_vec(), [3.0]);
        assert_eq!(Tensor::from([5.0f64, 5.0]).histc(4, None).to_vec(), [0.0, 0.0, 2.0, 0.0]);
    }

    #[test]
    fn a_range_without_end_is_refused() {
        let x = Tensor::from([1.0f64, 2.0]);
        let (far, none) = (f64::INFINITY, f64::NAN);
        for range in [(-far, 0.0), (0.0, far), (f64::MIN, f64::MAX), (none, 0.0), (0.0, none)] {
            let refused = std::panic::catch_unwind(|| x.histc(2, Some(range)));
            assert!(refused.is_err(), "{range:?}");
        }
    }
}
