//! `maximum`: the larger of two numbers.

use backstitch_kernels::{Float, elementwise};

use super::operand::Operand;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The larger of two numbers, element by element.
    ///
    /// `y = max(a, b)`
    ///
    /// # Shape
    /// `a (...)` and `b (...)`, or a number, to their broadcast shape.
    ///
    /// # Gradient
    /// `dy` goes to the larger one; where both are equal, half of it to each, as in PyTorch.
    ///
    /// # Numerics
    /// NaN where either is NaN; then both get `dy`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 5.0]).maximum(2.0).to_vec(), [2.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn maximum(&self, b: impl Operand<T>) -> Tensor<T> {
        let b = b.into_tensor();
        or_panic(broadcast("maximum", self.shape(), b.shape()));
        apply(Winner::<true>, [self, &b])
    }
}

/// The larger of two numbers if `LARGER`, else the smaller.
pub(super) struct Winner<const LARGER: bool>;

impl<const LARGER: bool> Winner<LARGER> {
    /// The part of `d`, of the output's shape, that belongs to input `i`.
    fn part<T: Float>(at: &Site<T>, i: usize, d: &Tensor<T>) -> Tensor<T> {
        let (own, other) = (at.input(i), at.input(1 - i));
        if LARGER { share(d, own, other) } else { share(d, other, own) }
    }
}

impl<T: Float, const LARGER: bool> Op<T, 2> for Winner<LARGER> {
    const NAME: &'static str = if LARGER { "maximum" } else { "minimum" };
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        super::binary::map([a, b], if LARGER { elementwise::max } else { elementwise::min })
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        [0, 1].map(|i| at.want(i, || Self::part(at, i, dy).sum_to(at.shape(i))))
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        let (a, b) = (at.input(0), at.input(1));
        let op = <Self as Op<T, 2>>::NAME;
        let shape = broadcast(op, a.shape(), b.shape()).expect("the op accepted them");
        let da = da.map(|da| Self::part(at, 0, &da.expand(shape)));
        let db = db.map(|db| Self::part(at, 1, &db.expand(shape)));
        super::binary::sum_tangents(at, da, db)
    }
}

/// The part of `d` that goes to `winner` where it is at least as large as `loser`: all of it, or
/// half where they are equal. As a function of the two it is constant wherever it has a derivative.
fn share<T: Float>(d: &Tensor<T>, winner: &Tensor<T>, loser: &Tensor<T>) -> Tensor<T> {
    let view = |x: &Tensor<T>| x.broadcast_view(d.shape());
    apply(Share { winner: view(winner), loser: view(loser) }, [d])
}

struct Share<T: Float> {
    winner: Tensor<T>,
    loser: Tensor<T>,
}

impl<T: Float> Op<T, 1> for Share<T> {
    const NAME: &'static str = "share";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [d]: [&Tensor<T>; 1]) -> Tensor<T> {
        let (winner, loser) = (self.winner.view(), self.loser.view());
        Tensor::build(d.shape(), |z| elementwise::share(d.view(), winner, loser, z))
    }

    fn backward(&self, _: &Site<T>, dz: &Tensor<T>) -> Gradient<T, 1> {
        [Some(share(dz, &self.winner, &self.loser))]
    }

    fn jvp(&self, _: &Site<T>, [dd]: Tangents<T, 1>) -> Tensor<T> {
        share(dd.expect("the only input moves"), &self.winner, &self.loser)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "maximum",
    formula: "y = max(a, b)",
    shapes: super::binary::SHAPES,
    domain: Domain::Custom(super::binary::draw_apart),
    build: build!(|x| x[0].maximum(&x[1])),
    oracle: Oracle::Binary(|a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }),
    refused: super::binary::REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn equal_ones_share_the_gradient() {
        let a = Tensor::from([1.0, 2.0, 3.0]).leaf();
        let b = Tensor::from([2.0, 2.0, 2.0]).leaf();
        let grads = (a.maximum(&b) * Tensor::from([10.0, 20.0, 30.0])).sum().backward();
        assert_eq!(grads.get(&a).unwrap().to_vec(), [0.0, 10.0, 30.0]);
        assert_eq!(grads.get(&b).unwrap().to_vec(), [10.0, 10.0, 0.0]);
    }

    #[test]
    fn nan_wins_and_goes_both_ways() {
        let a = Tensor::from([1.0, f32::NAN]).leaf();
        let b = Tensor::from([f32::NAN, 1.0]).leaf();
        let y = a.maximum(&b);
        assert!(y.to_vec().iter().all(|y| y.is_nan()));
        let grads = y.sum().backward();
        assert_eq!(grads.get(&a).unwrap().to_vec(), [1.0, 1.0]);
        assert_eq!(grads.get(&b).unwrap().to_vec(), [1.0, 1.0]);
    }
}
