//! `affine`: arithmetic of a tensor and two numbers, the op behind `-x`, `x + 1.0` and `2.0 * x`.

use std::ops::{Add, Div, Mul, Neg, Sub};

use backstitch_kernels::{Float, elementwise};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

/// `scale * x + shift`, rounded once where the machine has fused multiply-add. A shift of -0
/// leaves every product as it is, also a zero of either sign.
struct Affine<T> {
    scale: T,
    shift: T,
}

impl<T: Float> Op<T, 1> for Affine<T> {
    const NAME: &'static str = "affine";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        Tensor::build(x.shape(), |y| elementwise::affine(x.view(), self.scale, self.shift, y))
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(self.slope(dy))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        self.slope(dx.expect("the only input moves"))
    }
}

impl<T: Float> Affine<T> {
    fn slope(&self, dy: &Tensor<T>) -> Tensor<T> {
        match self.scale == T::ONE {
            true => dy.clone(),
            false => dy * self.scale,
        }
    }
}

#[track_caller]
fn affine<T: Float>(x: &Tensor<T>, scale: T, shift: T) -> Tensor<T> {
    apply(Affine { scale, shift }, [x])
}

/// A shift that changes nothing, not even the sign of zero.
fn none<T: Float>() -> T {
    -T::ZERO
}

/// `y = -x`.
impl<T: Float> Neg for &Tensor<T> {
    type Output = Tensor<T>;
    #[track_caller]
    fn neg(self) -> Tensor<T> {
        affine(self, -T::ONE, none())
    }
}

impl<T: Float> Neg for Tensor<T> {
    type Output = Tensor<T>;
    #[track_caller]
    fn neg(self) -> Tensor<T> {
        -&self
    }
}

/// Operators between a tensor and a number. Division divides, so it rounds as PyTorch's does.
macro_rules! with_numbers {
    ($($kind:ty),+) => {$(
        impl<T: Float> Add<T> for $kind {
            type Output = Tensor<T>;
            #[track_caller]
            fn add(self, b: T) -> Tensor<T> {
                affine(&self, T::ONE, b)
            }
        }
        impl<T: Float> Sub<T> for $kind {
            type Output = Tensor<T>;
            #[track_caller]
            fn sub(self, b: T) -> Tensor<T> {
                affine(&self, T::ONE, -b)
            }
        }
        impl<T: Float> Mul<T> for $kind {
            type Output = Tensor<T>;
            #[track_caller]
            fn mul(self, b: T) -> Tensor<T> {
                affine(&self, b, none())
            }
        }
        impl<T: Float> Div<T> for $kind {
            type Output = Tensor<T>;
            #[track_caller]
            fn div(self, b: T) -> Tensor<T> {
                self / Tensor::scalar(b)
            }
        }
    )+};
}

with_numbers!(Tensor<T>, &Tensor<T>);

macro_rules! numbers_with {
    ($($number:ty => $kind:ty),+) => {$(
        impl Add<$kind> for $number {
            type Output = Tensor<$number>;
            #[track_caller]
            fn add(self, b: $kind) -> Tensor<$number> {
                affine(&b, 1.0, self)
            }
        }
        impl Sub<$kind> for $number {
            type Output = Tensor<$number>;
            #[track_caller]
            fn sub(self, b: $kind) -> Tensor<$number> {
                affine(&b, -1.0, self)
            }
        }
        impl Mul<$kind> for $number {
            type Output = Tensor<$number>;
            #[track_caller]
            fn mul(self, b: $kind) -> Tensor<$number> {
                affine(&b, self, none())
            }
        }
        impl Div<$kind> for $number {
            type Output = Tensor<$number>;
            #[track_caller]
            fn div(self, b: $kind) -> Tensor<$number> {
                Tensor::scalar(self) / b
            }
        }
    )+};
}

numbers_with!(f32 => Tensor<f32>, f32 => &Tensor<f32>, f64 => Tensor<f64>, f64 => &Tensor<f64>);

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "affine",
    formula: "y = scale * x + shift",
    shapes: &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[2, 3, 33]], &[&[256, 1024]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| affine(&x[0], T::from_f64(-1.5), T::from_f64(0.25))),
    oracle: Oracle::Unary(|x| -1.5 * x + 0.25),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 2.0),
    tolerance: Tolerance::Terms(
        1.0,
        |x| Tensor::from_fn(x[0].shape(), |idx| 1.5 * x[0].at(idx).abs() + 0.25),
        "a product and a sum, each rounded at most once; they may cancel",
    ),
}];
