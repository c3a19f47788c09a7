//! What the arithmetic operators share: their Rust operators, broadcasting, and example shapes.

use backstitch_kernels::{Float, View};

use crate::op::Site;
use crate::shape::broadcast;
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
    };
}
pub(super) use operators;

/// Applies a kernel to two tensors that broadcast.
pub(super) fn map<T: Float>(
    [a, b]: [&Tensor<T>; 2],
    kernel: impl FnOnce(View<'_, T>, View<'_, T>, &mut [T]),
) -> Tensor<T> {
    if a.shape() == b.shape() {
        return Tensor::build(a.shape(), |y| kernel(a.view(), b.view(), y));
    }
    let shape = broadcast("op", a.shape(), b.shape()).expect("the op's shape rule was checked");
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
