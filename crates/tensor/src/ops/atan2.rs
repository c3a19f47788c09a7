//! `atan2`: the angle of a point.

use backstitch_kernels::{Float, elementwise};

use super::operand::Operand;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The angle, between -π and π, of the points with these y-coordinates and the x-coordinates
    /// of another tensor.
    ///
    /// `y = angle of (b, a)`
    ///
    /// # Shape
    /// `a (...)` and `b (...)`, or a number, to their broadcast shape.
    ///
    /// # Gradient
    /// `da = dy * b / (a² + b²)`, `db = -dy * a / (a² + b²)`; 0 at the origin, as in PyTorch.
    ///
    /// # Numerics
    /// As C's `atan2`, with all signs of zero.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let angle = Tensor::from([1.0f64, 0.0]).atan2(&Tensor::from([0.0, -1.0])).to_vec();
    /// assert_eq!(angle, [std::f64::consts::FRAC_PI_2, std::f64::consts::PI]);
    /// ```
    #[track_caller]
    pub fn atan2(&self, b: impl Operand<T>) -> Tensor<T> {
        let b = b.into_tensor();
        or_panic(broadcast("atan2", self.shape(), b.shape()));
        apply(Atan2, [self, &b])
    }
}

struct Atan2;

/// `part / (a² + b²)`, 0 at the origin.
fn slope<T: Float>(part: &Tensor<T>, a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    let square = a.square() + b.square();
    part / square.masked_fill(&square.eq(T::ZERO), T::ONE)
}

impl<T: Float> Op<T, 2> for Atan2 {
    const NAME: &'static str = "atan2";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        super::binary::map([a, b], elementwise::atan2)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        let (a, b) = (at.input(0), at.input(1));
        [
            at.want(0, || (dy * slope(b, a, b)).sum_to(at.shape(0))),
            at.want(1, || -(dy * slope(a, a, b)).sum_to(at.shape(1))),
        ]
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        let (a, b) = (at.input(0), at.input(1));
        let by_a = da.map(|da| da * slope(b, a, b));
        let by_b = db.map(|db| -(db * slope(a, a, b)));
        super::binary::sum_tangents(at, by_a, by_b)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "atan2",
    formula: "y = angle of (b, a)",
    shapes: super::binary::SHAPES,
    domain: Domain::Ranges(&[(0.3, 2.0), (-2.0, 2.0)]),
    build: build!(|x| x[0].atan2(&x[1])),
    oracle: Oracle::Binary(f64::atan2),
    refused: super::binary::REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(4.0, "as atan, and one rounding more for the quadrant"),
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn the_origin_has_slope_zero_and_all_quadrants_their_angle() {
        let (a, b) = (Tensor::scalar(0.0).leaf(), Tensor::scalar(0.0).leaf());
        let grads = a.atan2(&b).backward();
        assert_eq!([&a, &b].map(|x| grads.get(x).unwrap().item()), [0.0, 0.0]);
        let angle = |a: f64, b: f64| Tensor::scalar(a).atan2(b).item();
        assert_eq!(angle(-1.0, -1.0), -0.75 * std::f64::consts::PI);
        assert_eq!(angle(-0.0, -1.0), -std::f64::consts::PI);
    }
}
