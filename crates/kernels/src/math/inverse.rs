//! tan's inverse and its relatives, hyperbolic functions and their inverses: vector polynomials in
//! f32, scalar functions in f64.
//!
//! The polynomials are those of the Cephes library (Moshier 1989, single/atanf.c and asinf.c);
//! the hyperbolic functions are made of [`expm1`], [`exp`], [`log`] and [`log1p`].

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, PI};

use pulp::Simd;

use super::exp::{exp, expm1};
use super::log::{log, log1p};
use super::polynomial;
use crate::element::{DType, Element, Float};
use crate::simd::Vector;

/// `a` in `atan(t) = t + t^3 a(t^2)`, `|t| <= tan(pi/8)`.
const ATAN_A: &[f64] =
    &[-3.333_294_915_39e-1, 1.997_771_064_78e-1, -1.387_768_560_32e-1, 8.053_744_495_38e-2];
/// `s` in `asin(t) = t + t^3 s(t^2)`, `|t| <= 1/2`.
const ASIN_S: &[f64] = &[
    1.666_675_242_2e-1,
    7.495_300_268_6e-2,
    4.547_002_599_8e-2,
    2.418_131_104_9e-2,
    4.216_319_904_8e-2,
];
const TAN_PI_8: f64 = 0.414_213_562_373_095_03;
/// Above, squares lose nothing but what is far below their last bit, or overflow.
const HUGE: f64 = 1e9;

/// Whether `T` takes the scalar functions.
const fn is_scalar<T: Element>() -> bool {
    matches!(T::DTYPE, DType::F64)
}

/// `atan(a / b)` for `0 <= a <= b`, b above 0: of a fraction at most 1 as it is, or, above
/// tan(pi/8), turned back by pi/4.
#[inline(always)]
fn atan_fraction<T: Float, S: Simd>(a: Vector<T, S>, b: Vector<T, S>) -> Vector<T, S> {
    let turned = (b * a.same(T::from_f64(TAN_PI_8))).less(a);
    let t = turned.select(a - b, a) / turned.select(a + b, b);
    let z = t * t;
    let y = (t * z).mul_add(polynomial(z, ATAN_A), t);
    y + turned.select_or_zero(a.same(T::from_f64(FRAC_PI_4)))
}

/// Arc tangent.
#[inline(always)]
pub fn atan<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return x.map(T::atan);
    }
    let one = x.same(T::ONE);
    let size = x.abs();
    // atan(1/x) = pi/2 - atan(x). An infinity stays out of the quotient.
    let large = one.less(size);
    let size = size.at_most(T::MAX);
    let y = atan_fraction(large.select(one, size), large.select(size, one));
    let y = large.select(x.same(T::from_f64(FRAC_PI_2)) - y, y);
    y.with_sign_of(x)
}

/// The angle of the point `(x, y)`.
#[inline(always)]
pub fn atan2<T: Float, S: Simd>(y: Vector<T, S>, x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return y.map2(x, T::atan2);
    }
    let (zero, max) = (x.same(T::ZERO), T::MAX);
    // Both moved into a range in which neither their sum nor their quotient overflows.
    let (size_x, size_y) = (x.abs().at_most(max), y.abs().at_most(max));
    let largest = size_x.max_nan(size_y);
    let huge = x.same(T::from_f64(1e30)).less(largest);
    let tiny = largest.less(x.same(T::from_f64(1e-30)));
    let factor = huge.select(x.same(T::from_f64(1e-10)), x.same(T::ONE));
    let factor = tiny.select(x.same(T::from_f64(1e10)), factor);
    let (size_x, size_y) = (size_x * factor, size_y * factor);
    let steep = size_x.less(size_y);
    let (low, high) = (steep.select(size_x, size_y), steep.select(size_y, size_x));
    // Two zeros have the angle 0.
    let high = high.equal(zero).select(x.same(T::ONE), high);
    let angle = atan_fraction(low, high);
    let angle = steep.select(x.same(T::from_f64(FRAC_PI_2)) - angle, angle);
    // The sign bit decides, so that -0 is behind.
    let behind = x.same(T::ONE).with_sign_of(x).less(zero);
    let angle = behind.select(x.same(T::from_f64(PI)) - angle, angle);
    let nan = x.is_nan() | y.is_nan();
    nan.select(x.same(T::NAN), angle.with_sign_of(y))
}

/// `asin(x)` for `0 <= x <= 1/2`; above, `asin(sqrt((1 - x) / 2))`, of which twice is missing to
/// pi/2. NaN above 1.
#[inline(always)]
fn asin_part<T: Float, S: Simd>(size: Vector<T, S>) -> Vector<T, S> {
    let half = size.same(T::HALF);
    let far = half.less(size);
    let z = far.select((size.same(T::ONE) - size) * half, size * size);
    let t = far.select(z.sqrt(), size);
    (t * z).mul_add(polynomial(z, ASIN_S), t)
}

/// Arc sine. NaN outside of -1 to 1.
#[inline(always)]
pub fn asin<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return x.map(T::asin);
    }
    let size = x.abs();
    let part = asin_part(size);
    let far = x.same(T::HALF).less(size);
    let y = far.select(x.same(T::from_f64(FRAC_PI_2)) - (part + part), part);
    y.with_sign_of(x)
}

/// Arc cosine. NaN outside of -1 to 1.
#[inline(always)]
pub fn acos<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return x.map(T::acos);
    }
    let size = x.abs();
    let part = asin_part(size);
    let twice = part + part;
    let far = x.same(T::HALF).less(size);
    let negative = x.less(x.same(T::ZERO));
    let of_far = negative.select(x.same(T::from_f64(PI)) - twice, twice);
    // pi/2 in two parts: its rounding error is as large as the result's last bit.
    let low = x.same(T::from_f64(FRAC_PI_2 - f64::from(FRAC_PI_2 as f32)));
    let of_near = x.same(T::from_f64(FRAC_PI_2)) - (part.with_sign_of(x) - low);
    let y = far.select(of_far, of_near);
    x.is_nan().select(x, y)
}

/// Hyperbolic sine.
#[inline(always)]
pub fn sinh<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return x.map(T::sinh);
    }
    let (one, half) = (x.same(T::ONE), x.same(T::HALF));
    let size = x.abs();
    let e = expm1(size.at_most(T::from_f64(80.0)));
    let near = half * (e + e / (e + one));
    // e^x / 2 where e^x itself overflows.
    let root = exp(size * half);
    let far = x.same(T::from_f64(80.0)).less(size);
    far.select(half * root * root, near).with_sign_of(x)
}

/// Hyperbolic cosine.
#[inline(always)]
pub fn cosh<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return x.map(T::cosh);
    }
    let half = x.same(T::HALF);
    let size = x.abs();
    let e = exp(size.at_most(T::from_f64(80.0)));
    let near = half * (e + x.same(T::ONE) / e);
    let root = exp(size * half);
    x.same(T::from_f64(80.0)).less(size).select(half * root * root, near)
}

/// Inverse hyperbolic sine.
#[inline(always)]
pub fn asinh<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return x.map(|x| T::from_f64(libm::asinh(x.to_f64())));
    }
    let one = x.same(T::ONE);
    let size = x.abs();
    let far = x.same(T::from_f64(HUGE)).less(size);
    let near = size.at_most(T::from_f64(HUGE));
    let square = near * near;
    let near = log1p(near + square / (one + (one + square).sqrt()));
    let y = far.select(log(size) + x.same(T::from_f64(LN_2)), near);
    y.with_sign_of(x)
}

/// Inverse hyperbolic cosine. NaN below 1.
#[inline(always)]
pub fn acosh<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        // The scalar function mistakes large negative arguments for positive ones.
        let y = x.map(|x| T::from_f64(libm::acosh(x.to_f64())));
        return x.less(x.same(T::ONE)).select(x.same(T::NAN), y);
    }
    let far = x.same(T::from_f64(HUGE)).less(x);
    let t = x.at_most(T::from_f64(HUGE)) - x.same(T::ONE);
    let near = log1p(t + (t * (t + x.same(T::ONE + T::ONE))).sqrt());
    let y = far.select(log(x) + x.same(T::from_f64(LN_2)), near);
    x.less(x.same(T::ONE)).select(x.same(T::NAN), y)
}

/// Inverse hyperbolic tangent. Infinite at -1 and 1, NaN outside.
#[inline(always)]
pub fn atanh<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return x.map(|x| T::from_f64(libm::atanh(x.to_f64())));
    }
    let size = x.abs();
    let y = x.same(T::HALF) * log1p((size + size) / (x.same(T::ONE) - size));
    let nan = x.same(T::ONE).less(size);
    nan.select(x.same(T::NAN), y).with_sign_of(x)
}
