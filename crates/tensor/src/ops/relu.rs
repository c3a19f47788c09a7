//! `relu`: rectified linear unit.

use backstitch_kernels::{Float, elementwise};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Rectified linear unit: keeps positive elements, zeroes the rest.
    ///
    /// `y = max(x, 0)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy` where `x > 0`, else 0. At the kink `x = 0` it is 0, as in PyTorch.
    ///
    /// # Numerics
    /// NaN stays NaN, and -0 stays -0.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-1.0, 0.0, 2.0]).relu().to_vec(), [0.0, 0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn relu(&self) -> Tensor<T> {
        apply(Relu, [self])
    }
}

struct Relu;

impl<T: Float> Op<T, 1> for Relu {
    const NAME: &'static str = "relu";
    const SAVES: Saves = Saves::OUTPUT;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        Tensor::build_like([x], |[x], y| elementwise::relu(x, y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(mask_by(dy, at.output()))]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        mask_by(dx.expect("the only input moves"), at.output())
    }
}

/// `dy` where `y > 0`, else 0. As a function of `y` it is constant wherever it has a derivative.
pub(super) fn mask_by<T: Float>(dy: &Tensor<T>, y: &Tensor<T>) -> Tensor<T> {
    apply(ReluMask { y: y.detach() }, [dy])
}

/// The derivative of relu applied to a direction; linear in it.
struct ReluMask<T: Float> {
    y: Tensor<T>,
}

impl<T: Float> Op<T, 1> for ReluMask<T> {
    const NAME: &'static str = "relu_mask";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [dy]: [&Tensor<T>; 1]) -> Tensor<T> {
        Tensor::build_like([dy, &self.y], |[dy, y], dx| elementwise::relu_backward(dy, y, dx))
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(mask_by(dy, &self.y))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        mask_by(dx.expect("the only input moves"), &self.y)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "relu",
    formula: "y = max(x, 0)",
    shapes: &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[2, 3, 33]], &[&[256, 1024]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].relu()),
    oracle: Oracle::Unary(|x| if x < 0.0 { 0.0 } else { x }),
    refused: &[],
    slope: Slope::Kinks(&[(0.0, 0.0)]),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
