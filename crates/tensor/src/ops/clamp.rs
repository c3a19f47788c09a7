//! `clamp`: cuts elements off at bounds.

use backstitch_kernels::{Float, View, elementwise};

use super::operand::Operand;
use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::shape::{Shape, ShapeError, broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Each element, or the bound that it lies beyond. An infinite bound cuts nothing off.
    ///
    /// `y = min(max(x, low), high)`
    ///
    /// # Shape
    /// `x (...)`, and numbers or tensors `low (...)` and `high (...)`, to their broadcast shape.
    ///
    /// # Gradient
    /// `dx = dy` where `low < x < high`, else 0. At the kinks it is 0 between numbers, as in
    /// PyTorch from 2.15 on (before, it was `dy`). Bounds that are tensors get the rest of `dy`;
    /// there, x and a bound that are equal get half each, as in [`Tensor::maximum`].
    ///
    /// # Numerics
    /// NaN stays NaN. Where `low > high` the result is `high`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([-5.0, 0.5, 5.0]);
    /// assert_eq!(x.clamp(-1.0, 1.0).to_vec(), [-1.0, 0.5, 1.0]);
    /// assert_eq!(x.clamp(&Tensor::from([0.0, 1.0, 2.0]), 3.0).to_vec(), [0.0, 1.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn clamp(&self, low: impl Operand<T>, high: impl Operand<T>) -> Tensor<T> {
        match (low.number(), high.number()) {
            (Some(low), Some(high)) => pointwise(Clamp { low, high }, self),
            _ => {
                let (low, high) = (low.into_tensor(), high.into_tensor());
                or_panic(shape_rule(self.shape(), low.shape(), high.shape()));
                self.maximum(low).minimum(high)
            }
        }
    }
}

fn shape_rule(x: &[usize], low: &[usize], high: &[usize]) -> Result<Shape, ShapeError> {
    let whole = broadcast("clamp", x, low).and_then(|shape| broadcast("clamp", &shape, high));
    whole.map_err(|_| {
        let got = format!("{x:?}, {low:?} and {high:?}");
        ShapeError::new("clamp", "three shapes that broadcast", got)
    })
}

/// Cuts off at two numbers.
#[derive(Clone, Copy)]
struct Clamp<T> {
    low: T,
    high: T,
}

impl<T: Float> Pointwise<T> for Clamp<T> {
    const NAME: &'static str = "clamp";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::clamp(x, self.low, self.high, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(*self, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for Clamp<T> {
    const NAME: &'static str = "clamp_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::hardtanh_backward(d, x, self.low, self.high, z);
    }

    fn curvature(&self, _: &Tensor<T>) -> Option<Tensor<T>> {
        None
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "clamp",
        formula: "y = min(max(x, -1), 0.5)",
        shapes: SHAPES,
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].clamp(-T::ONE, T::HALF)),
        oracle: Oracle::Unary(|x| x.clamp(-1.0, 0.5)),
        refused: &[],
        slope: Slope::Kinks(&[(-1.0, 0.0), (0.5, 0.0)]),
        cost: |shapes| Cost::elementwise(shapes, 2.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "clamp tensors",
        formula: "y = min(max(x, low), high)",
        shapes: &[
            &[&[], &[], &[]],
            &[&[0], &[1], &[]],
            &[&[7], &[7], &[7]],
            &[&[3, 17], &[17], &[3, 1]],
            &[&[2, 1, 5], &[4, 1], &[]],
            &[&[256, 1024], &[1024], &[1024]],
        ],
        domain: Domain::Custom(|input, shape, rng| match input {
            0 => super::binary::draw_apart(0, shape, rng),
            1 => super::binary::draw_apart(1, shape, rng) - 0.4,
            _ => super::binary::draw_apart(1, shape, rng) + 0.42,
        }),
        build: build!(|x| x[0].clamp(&x[1], &x[2])),
        oracle: Oracle::Whole(|x| {
            let shape = shape_rule(x[0].shape(), x[1].shape(), x[2].shape());
            let shape = shape.expect("the op accepted them");
            let [x, low, high] = [0, 1, 2].map(|i| x[i].broadcast_view(&shape));
            Tensor::from_fn(shape, |idx| {
                let above = if x.at(idx) < low.at(idx) { low.at(idx) } else { x.at(idx) };
                if above > high.at(idx) { high.at(idx) } else { above }
            })
        }),
        refused: &[&[&[2, 3], &[4], &[]], &[&[2], &[], &[3]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 2.0),
        tolerance: Tolerance::Exact,
    },
];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn crossed_bounds_give_the_upper_one() {
        let x = Tensor::from([0.0f32, 1.5, 3.0]);
        assert_eq!(x.clamp(2.0, 1.0).to_vec(), [1.0; 3]);
        assert_eq!(x.clamp(Tensor::scalar(2.0), 1.0).to_vec(), [1.0; 3]);
    }

    #[test]
    fn tensors_as_bounds_share_the_gradient() {
        let [x, low, high] =
            [[-2.0, -1.0, 0.0, 1.0, 2.0], [-1.0; 5], [1.0; 5]].map(|x| Tensor::from(x).leaf());
        let grads = x.clamp(&low, &high).sum().backward();
        assert_eq!(grads.get(&x).unwrap().to_vec(), [0.0, 0.5, 1.0, 0.5, 0.0]);
        assert_eq!(grads.get(&low).unwrap().to_vec(), [1.0, 0.5, 0.0, 0.0, 0.0]);
        assert_eq!(grads.get(&high).unwrap().to_vec(), [0.0, 0.0, 0.0, 0.5, 1.0]);
    }
}
