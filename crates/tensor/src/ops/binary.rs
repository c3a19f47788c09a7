//! What the arithmetic operators share: their Rust operators, broadcasting, and example shapes.

use backstitch_kernels::{Element, Float, View};

use super::operand::Operand;
use crate::op::Site;
use crate::rng::Rng;
use crate::shape::{broadcast, or_panic};
use crate::tensor::Tensor;

/// Implements an operator trait for tensors and references to them.
///
/// `Trait method symbol = function`, where the function takes two references.
macro_rules! operators {
    ($(#[$doc:meta])* $trait:ident $method:ident $symbol:tt = $function:ident) => {
        $(#[$doc])*
        impl<T: backstitch_kernels::Float> std::ops::$trait<&Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, b: &Tensor<T>) -> Tensor<T> {
                $function(self, b)
            }
        }
        impl<T: backstitch_kernels::Float> std::ops::$trait<Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, b: Tensor<T>) -> Tensor<T> {
                $function(self, &b)
            }
        }
        impl<T: backstitch_kernels::Float> std::ops::$trait<&Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, b: &Tensor<T>) -> Tensor<T> {
                $function(&self, b)
            }
        }
        impl<T: backstitch_kernels::Float> std::ops::$trait<Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, b: Tensor<T>) -> Tensor<T> {
                $function(&self, &b)
            }
        }
        $crate::ops::binary::operators_with_parameters!($trait $method: &Tensor<T>, Tensor<T>);
        impl<T: backstitch_kernels::Float> std::ops::$trait<&$crate::Param<T>> for &$crate::Param<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, b: &$crate::Param<T>) -> Tensor<T> {
                std::ops::$trait::$method(&**self, &**b)
            }
        }
        impl<T: backstitch_kernels::Float> std::ops::$trait<T> for &$crate::Param<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, b: T) -> Tensor<T> {
                std::ops::$trait::$method(&**self, b)
            }
        }
    };
}
pub(super) use operators;

/// The part of [`operators`] between a parameter and tensors, on either side.
macro_rules! operators_with_parameters {
    ($trait:ident $method:ident: $($kind:ty),+) => {$(
        impl<T: backstitch_kernels::Float> std::ops::$trait<&$crate::Param<T>> for $kind {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, b: &$crate::Param<T>) -> Tensor<T> {
                std::ops::$trait::$method(self, &**b)
            }
        }
        impl<T: backstitch_kernels::Float> std::ops::$trait<$kind> for &$crate::Param<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, b: $kind) -> Tensor<T> {
                std::ops::$trait::$method(&**self, b)
            }
        }
    )+};
}
pub(super) use operators_with_parameters;

/// Applies a kernel to two tensors that broadcast.
pub(super) fn map<T: Float>(
    [a, b]: [&Tensor<T>; 2],
    kernel: impl FnOnce(View<'_, T>, View<'_, T>, &mut [T]),
) -> Tensor<T> {
    if a.shape() == b.shape() {
        return Tensor::build_like([a, b], |[a, b], y| kernel(a, b, y));
    }
    let shape = broadcast("op", a.shape(), b.shape()).expect("the op's shape rule was checked");
    let (a, b) = (a.broadcast_view(&shape), b.broadcast_view(&shape));
    Tensor::build_like([&a, &b], |[a, b], y| kernel(a, b, y))
}

/// Applies a kernel that makes a mask to two tensors that broadcast.
#[track_caller]
pub(super) fn mask<T: Element>(
    name: &str,
    a: &Tensor<T>,
    b: impl Operand<T>,
    kernel: impl FnOnce(View<'_, T>, View<'_, T>, &mut [bool]),
) -> Tensor<bool> {
    let b = b.into_tensor();
    let shape = or_panic(broadcast(name, a.shape(), b.shape()));
    let (a, b) = (a.broadcast_view(&shape), b.broadcast_view(&shape));
    Tensor::build(&shape, |y| kernel(a.view(), b.view(), y))
}

/// The sum of the tangents that are there, of the op's output shape.
pub(super) fn sum_tangents<T: Float>(
    at: &Site<T>,
    da: Option<Tensor<T>>,
    db: Option<Tensor<T>>,
) -> Tensor<T> {
    let shape = broadcast("op", at.shape(0), at.shape(1)).expect("the op's shape rule was checked");
    match (da, db) {
        (Some(da), Some(db)) => da + db,
        (Some(one), None) | (None, Some(one)) => one.expand(shape),
        (None, None) => unreachable!("an op's jvp is called when an input moves"),
    }
}

/// Draws for ops that jump or bend where their two inputs meet: those never come near each other.
pub(super) fn draw_apart(input: usize, shape: &[usize], rng: &mut Rng) -> Tensor<f64> {
    (Tensor::rand(shape, -15.0, 15.0, rng).round() + 0.5 * input as f64) * 0.1
}

pub(super) const SHAPES: &[&[&[usize]]] = &[
    &[&[], &[]],
    &[&[0], &[1]],
    &[&[7], &[7]],
    &[&[7], &[]],
    &[&[3, 17], &[17]],
    &[&[3, 1], &[3, 17]],
    &[&[2, 1, 5], &[4, 1]],
    &[&[256, 1024], &[256, 1024]],
];

pub(super) const REFUSED: &[&[&[usize]]] = &[&[&[2, 3], &[4]], &[&[2], &[3]], &[&[0], &[2]]];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    /// All six comparisons with 2: eq, ne, lt, le, gt, ge.
    fn check<T: crate::Element>(x: T, two: T, want: [bool; 6]) {
        let x = Tensor::scalar(x);
        let got = [x.eq(two), x.ne(two), x.lt(two), x.le(two), x.gt(two), x.ge(two)];
        assert_eq!(got.map(|mask| mask.item()), want, "{x:?}");
    }

    #[test]
    fn comparisons_hold_for_all_element_types() {
        check(1i64, 2, [false, true, true, true, false, false]);
        check(2i64, 2, [true, false, false, true, false, true]);
        check(3i64, 2, [false, true, false, false, true, true]);
        check(1u8, 2, [false, true, true, true, false, false]);
        check(3.0f32, 2.0, [false, true, false, false, true, true]);
        check(true, true, [true, false, false, true, false, true]);
        check(f64::NAN, 2.0, [false, true, false, false, false, false]);
    }
}
