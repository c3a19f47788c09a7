//! `softplus`: a smooth relu.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// A smooth relu.
    ///
    /// `y = ln(1 + eˣ)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * sigmoid(x)`, in one kernel.
    ///
    /// # Numerics
    /// Exact to the stated bound for every x, so it needs no threshold above which `y = x`:
    /// PyTorch's default, 20, differs from it by 2e-9 at most.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.0f64, 1000.0]).softplus().to_vec();
    /// assert!((y[0] - 2.0f64.ln()).abs() < 1e-12 && y[1] == 1000.0);
    /// ```
    #[track_caller]
    pub fn softplus(&self) -> Tensor<T> {
        pointwise(Softplus, self)
    }

    /// [`Tensor::softplus`] made `beta` times as sharp, and straight from `threshold` on.
    ///
    /// `y = ln(1 + exp(beta x)) / beta`, or `x` where `beta x > threshold`;
    /// PyTorch's defaults are 1 and 20
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * sigmoid(beta x)`, or `dy` where `beta x > threshold`.
    ///
    /// # Panics
    /// When beta is 0.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.0f64, 5.0]).softplus_with(2.0, 8.0).to_vec();
    /// assert!((y[0] - 2.0f64.ln() / 2.0).abs() < 1e-12 && y[1] == 5.0);
    /// ```
    #[track_caller]
    pub fn softplus_with(&self, beta: T, threshold: T) -> Tensor<T> {
        assert!(beta != T::ZERO, "softplus: needs a beta other than 0; got {beta}");
        let scaled = self * beta;
        Tensor::where_(&scaled.gt(threshold), self, scaled.softplus() / beta)
    }
}

#[derive(Clone, Copy)]
struct Softplus;

impl<T: Float> Pointwise<T> for Softplus {
    const NAME: &'static str = "softplus";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::softplus(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(Softplus, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Softplus {
    const NAME: &'static str = "softplus_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::softplus_backward(d, x, z);
    }

    fn curvature(&self, x: &Tensor<T>) -> Option<Tensor<T>> {
        let p = x.sigmoid();
        Some(&p - p.square())
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "softplus",
        formula: "y = ln(1 + e^x)",
        shapes: SHAPES,
        domain: Domain::Range(-4.0, 4.0),
        build: build!(|x| x[0].softplus()),
        oracle: Oracle::Unary(|x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        refused: &[],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 20.0),
        tolerance: Tolerance::Ulps(5.0, "the kernel's stated bound, and the oracle's roundings"),
    },
    OpSpec {
        name: "softplus with",
        formula: "y = ln(1 + e^(2 x)) / 2, or x where 2 x > 3",
        shapes: SHAPES,
        // Away from the threshold, where it jumps a little.
        domain: Domain::Custom(|_, shape, rng| {
            let draw = Tensor::<f64>::rand(shape, -2.0, 2.0, rng);
            Tensor::where_(&(&draw - 1.5).abs().lt(0.05), &draw + 0.1, &draw)
        }),
        build: build!(|x| x[0].softplus_with(T::from_f64(2.0), T::from_f64(3.0))),
        oracle: Oracle::Unary(|x| match 2.0 * x > 3.0 {
            true => x,
            false => (2.0 * x).exp().ln_1p() / 2.0,
        }),
        refused: &[],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 22.0),
        tolerance: Tolerance::Ulps(6.0, "the kernel's stated bound, and the oracle's roundings"),
    },
];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn the_threshold_itself_is_on_the_curve() {
        let x = Tensor::from([1.5, 1.6]).leaf();
        let y = x.softplus_with(2.0, 3.0);
        let dx = y.sum().backward().get(&x).unwrap().to_vec();
        assert!((y.to_vec()[0] - 1.524293675786871f64).abs() < 1e-12 && y.to_vec()[1] == 1.6);
        assert!((dx[0] - 0.9525741268224333).abs() < 1e-12 && dx[1] == 1.0);
    }
}
