//! `recurrence`: a linear recurrence along an axis, from which the derivatives of running products
//! and of running log-sums are made.

use backstitch_kernels::{Float, reduce};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

/// `h_i = a_i h_(i-1) + b_i` along axis `axis`, from 0 before the first element; or in `reverse`,
/// `h_i = a_i h_(i+1) + b_i`.
///
/// # Gradient
/// That of `b` is a recurrence in the other direction, and so on for every order.
#[track_caller]
pub(super) fn recurrence<T: Float>(
    a: &Tensor<T>,
    b: &Tensor<T>,
    axis: usize,
    reverse: bool,
) -> Tensor<T> {
    or_panic(shape_rule(a.shape(), b.shape(), axis));
    apply(Recurrence { axis, reverse }, [a, b])
}

fn shape_rule(a: &[usize], b: &[usize], axis: usize) -> Result<(), ShapeError> {
    match a == b && axis < a.len() {
        true => Ok(()),
        false => {
            let rule = format!("two tensors of one shape with axis {axis}");
            Err(ShapeError::new("recurrence", rule, format!("{a:?} and {b:?}")))
        }
    }
}

/// What a scan met one step before each place: `fill` at its first.
pub(super) fn before<T: Float>(x: &Tensor<T>, axis: usize, fill: T, reverse: bool) -> Tensor<T> {
    let (dim, n) = (axis as isize, x.shape()[axis]);
    if n == 0 {
        return x.clone();
    }
    let edge = Tensor::full(super::over::kept(x.shape(), axis), fill);
    match reverse {
        false => Tensor::concat(&[&edge, &x.narrow(dim, 0, n - 1)], dim),
        true => Tensor::concat(&[&x.narrow(dim, 1, n - 1), &edge], dim),
    }
}

struct Recurrence {
    axis: usize,
    reverse: bool,
}

impl<T: Float> Op<T, 2> for Recurrence {
    const NAME: &'static str = "recurrence";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        let (a, b) = (a.contiguous(), b.contiguous());
        let split = reduce::Split::at(a.shape(), self.axis);
        Tensor::build(a.shape(), |h| {
            reduce::recurrence(data(&a), data(&b), split, self.reverse, h);
        })
    }

    fn backward(&self, at: &Site<T>, dh: &Tensor<T>) -> Gradient<T, 2> {
        let next = before(at.input(0), self.axis, T::ZERO, !self.reverse);
        let db = recurrence(&next, dh, self.axis, !self.reverse);
        let da = at.want(0, || &db * before(at.output(), self.axis, T::ZERO, self.reverse));
        [da, at.wants(1).then_some(db)]
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        let by_a = da.map(|da| da * before(at.output(), self.axis, T::ZERO, self.reverse));
        let moved = super::binary::sum_tangents(at, by_a, db.cloned());
        recurrence(at.input(0), &moved, self.axis, self.reverse)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "recurrence",
    formula: "h_i = a_i h_(i-1) + b_i, along the first axis",
    shapes: &[
        &[&[1], &[1]],
        &[&[0, 3], &[0, 3]],
        &[&[7], &[7]],
        &[&[3, 17], &[3, 17]],
        &[&[5, 2, 3], &[5, 2, 3]],
        &[&[256, 1024], &[256, 1024]],
    ],
    domain: Domain::Range(-0.9, 0.9),
    build: build!(|x| recurrence(&x[0], &x[1], 0, false)),
    oracle: Oracle::Whole(|x| oracle(&x[0], &x[1], |x| x)),
    refused: &[&[&[2], &[3]], &[&[], &[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 2.0),
    tolerance: Tolerance::Terms(2.0, |x| oracle(&x[0], &x[1], f64::abs), "kept in f64"),
}];

fn oracle(a: &Tensor<f64>, b: &Tensor<f64>, term: fn(f64) -> f64) -> Tensor<f64> {
    Tensor::from_fn(a.shape(), |idx| {
        let at = |x: &Tensor<f64>, i: usize| term(x.at(&[&[i], &idx[1..]].concat()));
        (0..=idx[0]).fold(0.0, |h, i| at(a, i) * h + at(b, i))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rng, check_gradients, check_second_order};

    #[test]
    fn backwards_it_is_its_own_mirror() {
        let mut rng = Rng::seed(1);
        let a = Tensor::<f64>::randn([4, 3], &mut rng);
        let b = Tensor::<f64>::randn([4, 3], &mut rng);
        let flip = |x: &Tensor<f64>| x.slice_step(0, .., -1);
        let want = flip(&recurrence(&flip(&a), &flip(&b), 0, false));
        assert_eq!(recurrence(&a, &b, 0, true).to_vec(), want.to_vec());
        let f = |x: &Vec<Tensor<f64>>| recurrence(&x[0], &x[1], 0, true);
        check_gradients(f, &vec![a.clone(), b.clone()]).unwrap();
        check_second_order(f, &vec![a, b]).unwrap();
    }
}
