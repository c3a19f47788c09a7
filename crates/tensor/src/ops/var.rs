//! `var`: the variance of all elements, or of those along some axes; `std`: its root.

use backstitch_kernels::Float;

use super::over::{Over, first_axis};
use crate::shape::{IntoDims, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The variances along some axes; `keepdim` leaves those axes with length 1. No axes means all.
    ///
    /// `y = Σ (x - mean)² / (n - correction)`
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// `dx = dy * 2 (x - mean) / (n - correction)`
    ///
    /// # Numerics
    /// The mean is taken out first. Without more than `correction` elements the result is NaN, or
    /// infinite, as in PyTorch, whose default for `correction` is 1; 0 is the variance of the
    /// elements themselves.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(x.var(0, 1, false).item(), 1.0);
    /// ```
    #[track_caller]
    pub fn var(&self, dims: impl IntoDims, correction: usize, keepdim: bool) -> Tensor<T> {
        of_deviations("var", self, dims.into_dims(), correction, keepdim).0
    }

    /// The standard deviations along some axes: the roots of [`Tensor::var`].
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// `dx = dy * (x - mean) / ((n - correction) y)`; 0 where all elements are equal, as in
    /// PyTorch.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([1.0, 3.0]);
    /// assert_eq!(x.std(0, 0, false).item(), 1.0);
    /// ```
    #[track_caller]
    pub fn std(&self, dims: impl IntoDims, correction: usize, keepdim: bool) -> Tensor<T> {
        let (var, _) = of_deviations("std", self, dims.into_dims(), correction, keepdim);
        // The root has no slope at 0; the gradient there must not become 0 times infinity.
        let flat = var.eq(T::ZERO);
        Tensor::where_(&flat, T::ZERO, var.masked_fill(&flat, T::ONE).sqrt())
    }

    /// The variances and the means along some axes, for little more than the variances alone.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    #[track_caller]
    pub fn var_mean(
        &self,
        dims: impl IntoDims,
        correction: usize,
        keepdim: bool,
    ) -> (Tensor<T>, Tensor<T>) {
        of_deviations("var_mean", self, dims.into_dims(), correction, keepdim)
    }
}

#[track_caller]
fn of_deviations<T: Float>(
    name: &str,
    x: &Tensor<T>,
    dims: crate::shape::Axes<isize>,
    correction: usize,
    keepdim: bool,
) -> (Tensor<T>, Tensor<T>) {
    let over = or_panic(Over::new(name, x.shape(), dims));
    let mean = x.mean_dim(dims, true);
    let freedom = T::from_usize(over.count().saturating_sub(correction));
    let var = (x - &mean).square().sum_dim(dims, keepdim) / freedom;
    (var, mean.reshape(over.result(keepdim)))
}

macro_rules! spec {
    ($name:literal, $formula:literal, $method:ident, $of:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: &[&[&[2]], &[&[3, 0]], &[&[7]], &[&[3, 17]], &[&[5, 2, 33]], &[&[256, 1024]]],
            domain: Domain::Custom(|_, shape, rng| super::extreme::distinct(shape, rng)),
            build: build!(|x| x[0].$method(0, 1, false)),
            oracle: Oracle::Whole(|x| first_axis(&x[0], $of)),
            refused: &[&[&[]]],
            slope: Slope::Smooth,
            cost: |shapes| Cost::elementwise(shapes, 4.0),
            tolerance: Tolerance::Ulps(
                64.0,
                "the mean, the differences and their sum are rounded; the values lie apart",
            ),
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!("var", "y[j] = Σ_i (x[i, j] - mean[j])² / (n - 1), over the first axis", var, var),
    spec!(
        "var std",
        "y[j] = √(Σ_i (x[i, j] - mean[j])² / (n - 1)), over the first axis",
        std,
        |lane| { var(lane).sqrt() }
    ),
];

fn var(lane: &[f64]) -> f64 {
    let n = lane.len() as f64;
    let mean = lane.iter().sum::<f64>() / n;
    lane.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0)
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn equal_elements_have_no_slope() {
        let x = Tensor::from([[2.0f64, 2.0], [1.0, 3.0]]).leaf();
        let y = x.std(1, 0, true);
        assert_eq!((y.to_vec(), y.shape()), (vec![0.0, 1.0], &[2, 1][..]));
        assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [0.0, 0.0, -0.5, 0.5]);
    }

    #[test]
    fn too_few_elements_have_none() {
        let x = Tensor::from([2.0f64]);
        assert!(x.var(0, 1, false).item().is_nan());
        assert!(x.std([], 1, false).item().is_nan());
        let (var, mean) = Tensor::from([[1.0, 3.0]]).var_mean([0, 1], 0, false);
        assert_eq!((var.item(), mean.item()), (1.0, 2.0));
    }

    #[test]
    fn means_have_the_shape_of_the_variances() {
        let x = Tensor::from([[1.0, 3.0], [2.0, 6.0]]);
        let (var, mean) = x.var_mean(1, 1, false);
        assert_eq!(
            (var.shape(), mean.shape(), mean.to_vec()),
            (&[2][..], &[2][..], vec![2.0, 4.0])
        );
        assert_eq!(x.var_mean(1, 1, true).1.shape(), [2, 1]);
    }
}
