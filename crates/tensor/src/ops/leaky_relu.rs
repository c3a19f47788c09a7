//! `leaky_relu`: rectified linear unit with a slope below zero.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Rectified linear unit that lets a small part of the negative elements through.
    ///
    /// `y = x` above 0, `slope * x` below; PyTorch's default slope is 0.01
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy` above 0, `slope * dy` below. At the kink 0 it is `slope * dy`, as in PyTorch.
    ///
    /// # Numerics
    /// NaN stays NaN.
    ///
    /// # Reference
    /// Maas et al. 2013, section 2.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-2.0, 3.0]).leaky_relu(0.5).to_vec(), [-1.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn leaky_relu(&self, slope: T) -> Tensor<T> {
        pointwise(LeakyRelu { slope }, self)
    }
}

#[derive(Clone, Copy)]
struct LeakyRelu<T> {
    slope: T,
}

impl<T: Float> Pointwise<T> for LeakyRelu<T> {
    const NAME: &'static str = "leaky_relu";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::leaky_relu(x, self.slope, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(*self, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for LeakyRelu<T> {
    const NAME: &'static str = "leaky_relu_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::leaky_relu_backward(d, x, self.slope, z);
    }

    fn curvature(&self, _: &Tensor<T>) -> Option<Tensor<T>> {
        None
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "leaky_relu",
    formula: "y = x above 0, 0.25 x below",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].leaky_relu(T::from_f64(0.25))),
    oracle: Oracle::Unary(|x| if x > 0.0 { x } else { 0.25 * x }),
    refused: &[],
    slope: Slope::Kinks(&[(0.0, 0.25)]),
    cost: |shapes| Cost::elementwise(shapes, 2.0),
    tolerance: Tolerance::Ulps(0.5, "one correctly rounded operation"),
}];
