//! Arithmetic of two and three inputs.

use pulp::Simd;

use super::map::{Input, MapOp, cost, map, map_scalar};
use super::{binary_maps, scalar_binary_maps};
use crate::element::{Float, per_float};
use crate::math;
use crate::simd::Vector;
use crate::view::View;

binary_maps! {
    /// `y = a + b`
    add add_assign Add() MEMORY |a, b| a + b;

    /// `y = a - b`
    sub sub_assign Sub() MEMORY |a, b| a - b;

    /// `y = a b`
    mul mul_assign Mul() MEMORY |a, b| a * b;

    /// `y = a / b`
    div div_assign Div() MEMORY |a, b| a / b;

    /// The larger one; NaN if either is NaN.
    max max_assign Max() MEMORY |a, b| a.max_nan(b);

    /// The smaller one; NaN if either is NaN.
    min min_assign Min() MEMORY |a, b| a.min_nan(b);

    /// `y = a + alpha b`, fused where the instruction set has it; in place, gradient
    /// accumulation.
    add_scaled add_scaled_assign AddScaled(alpha) MEMORY |a, b| alpha.mul_add(b, a);

    /// `y = a + weight (b - a)`; exactly b for weight 1 (as in PyTorch, which takes the nearer
    /// end as its base).
    lerp lerp_assign Lerp(weight) MEMORY |a, b| {
        let difference = b - a;
        let from_a = weight.mul_add(difference, a);
        let from_b = (weight - a.same(T::ONE)).mul_add(difference, b);
        weight.less(a.same(T::HALF)).select(from_a, from_b)
    };

    /// The angle of the point `(b, a)`.
    atan2 atan2_assign Atan2() MATH |a, b| math::atan2(a, b);
}

scalar_binary_maps! {
    /// The remainder of `a / b` with the sign of a (C's fmod, Rust's `%`).
    rem rem_assign |a: T, b: T| a % b;

    /// The remainder of `a / b` with the sign of b (Python's `%`).
    remainder remainder_assign |a: T, b: T| {
        let y = a % b;
        if y != T::ZERO && (y < T::ZERO) != (b < T::ZERO) { y + b } else { y }
    };

    /// `y = a^b`, by the standard library.
    pow pow_assign T::powf;
}

#[derive(Clone, Copy)]
struct MulAdd;

impl<T: Float> MapOp<T, 3> for MulAdd {
    #[inline(always)]
    fn apply<S: Simd>(self, [a, b, c]: [Vector<T, S>; 3]) -> Vector<T, S> {
        a.mul_add(b, c)
    }
}

/// `y = a b + c`, fused where the instruction set has it.
#[track_caller]
pub fn mul_add<T: Float>(a: View<'_, T>, b: View<'_, T>, c: View<'_, T>, y: &mut [T]) {
    #[track_caller]
    fn kernel<T: Float>(a: View<'_, T>, b: View<'_, T>, c: View<'_, T>, y: &mut [T]) {
        map(MulAdd, [a, b, c].map(Input::View), y);
    }
    per_float!(T: kernel(a: View<'_, T>, b: View<'_, T>, c: View<'_, T>, y: &mut [T]))
}

/// `y += a b`, fused where the instruction set has it.
#[track_caller]
pub fn mul_add_assign<T: Float>(y: &mut [T], a: View<'_, T>, b: View<'_, T>) {
    #[track_caller]
    fn kernel<T: Float>(y: &mut [T], a: View<'_, T>, b: View<'_, T>) {
        map(MulAdd, [Input::View(a), Input::View(b), Input::Output], y);
    }
    per_float!(T: kernel(y: &mut [T], a: View<'_, T>, b: View<'_, T>))
}

#[derive(Clone, Copy)]
struct Share;

impl<T: Float> MapOp<T, 3> for Share {
    #[inline(always)]
    fn apply<S: Simd>(self, [d, winner, loser]: [Vector<T, S>; 3]) -> Vector<T, S> {
        let shared = winner.equal(loser).select(d * d.same(T::HALF), d);
        winner.less(loser).select(d.same(T::ZERO), shared)
    }
}

/// `z = d` where the winner is above the loser or either is NaN, `d / 2` where they are equal,
/// 0 where the winner is below: what a maximum hands back to one of its operands.
#[track_caller]
pub fn share<T: Float>(d: View<'_, T>, winner: View<'_, T>, loser: View<'_, T>, z: &mut [T]) {
    #[track_caller]
    fn kernel<T: Float>(d: View<'_, T>, winner: View<'_, T>, loser: View<'_, T>, z: &mut [T]) {
        map(Share, [d, winner, loser].map(Input::View), z);
    }
    per_float!(T: kernel(d: View<'_, T>, winner: View<'_, T>, loser: View<'_, T>, z: &mut [T]))
}
