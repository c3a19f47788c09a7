//! `Element` and `Float`: the sealed sets of types that buffers hold and numeric kernels run on.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Rem, Sub, SubAssign};

use crate::math::coefficients::MathFloat;

mod sealed {
    pub trait Sealed {}
}

/// The run-time name of an [`Element`] type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `i64`
    I64,
    /// `bool`
    Bool,
    /// `u8`
    U8,
}

impl DType {
    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::Bool | DType::U8 => 1,
        }
    }

    /// The Rust name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
            DType::Bool => "bool",
            DType::U8 => "u8",
        }
    }
}

impl Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a buffer can hold: `f32`, `f64`, `i64`, `bool` and `u8`.
///
/// Sealed. The conversions are Rust's `as` (saturating, truncating towards zero); to `bool` it is
/// `x != 0`, from `bool` it is 0 or 1.
pub trait Element:
    sealed::Sealed + Copy + Default + Debug + Display + PartialEq + PartialOrd + Send + Sync + 'static
{
    /// The type's run-time name.
    const DTYPE: DType;

    /// Converts to another element type.
    fn cast<B: Element>(self) -> B;

    /// From `f32`.
    fn from_f32(x: f32) -> Self;

    /// From `f64`, rounded to nearest if the type is narrower.
    fn from_f64(x: f64) -> Self;

    /// From `i64`.
    fn from_i64(x: i64) -> Self;

    /// From `bool`: 0 or 1.
    fn from_bool(x: bool) -> Self;

    /// From `u8`.
    fn from_u8(x: u8) -> Self;
}

macro_rules! number_elements {
    ($($t:ident $dtype:ident $from:ident;)*) => {$(
        impl sealed::Sealed for $t {}

        impl Element for $t {
            const DTYPE: DType = DType::$dtype;

            #[inline(always)]
            fn cast<B: Element>(self) -> B {
                B::$from(self)
            }

            #[inline(always)]
            fn from_f32(x: f32) -> Self {
                x as $t
            }

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }

            #[inline(always)]
            fn from_i64(x: i64) -> Self {
                x as $t
            }

            #[inline(always)]
            fn from_bool(x: bool) -> Self {
                u8::from(x) as $t
            }

            #[inline(always)]
            fn from_u8(x: u8) -> Self {
                x as $t
            }
        }
    )*};
}

number_elements! {
    f32 F32 from_f32;
    f64 F64 from_f64;
    i64 I64 from_i64;
    u8 U8 from_u8;
}

impl sealed::Sealed for bool {}

impl Element for bool {
    const DTYPE: DType = DType::Bool;

    #[inline(always)]
    fn cast<B: Element>(self) -> B {
        B::from_bool(self)
    }

    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        x != 0.0
    }

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x != 0.0
    }

    #[inline(always)]
    fn from_i64(x: i64) -> Self {
        x != 0
    }

    #[inline(always)]
    fn from_bool(x: bool) -> Self {
        x
    }

    #[inline(always)]
    fn from_u8(x: u8) -> Self {
        x != 0
    }
}

macro_rules! float_methods {
    ($(#[$doc:meta] $name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        /// The types that numeric kernels run on: `f32` and `f64`.
        ///
        /// Sealed. The scalar methods are those of the standard library; the vector operations
        /// come from [`SimdFloat`](crate::simd::SimdFloat).
        pub trait Float:
            MathFloat
            + Add<Output = Self>
            + Sub<Output = Self>
            + Mul<Output = Self>
            + Div<Output = Self>
            + Rem<Output = Self>
            + Neg<Output = Self>
            + AddAssign
            + SubAssign
            + MulAssign
            + DivAssign
            + std::iter::Sum
        {
            /// 0
            const ZERO: Self;
            /// 1
            const ONE: Self;
            /// Positive infinity.
            const INFINITY: Self;
            /// Negative infinity.
            const NEG_INFINITY: Self;
            /// A quiet NaN.
            const NAN: Self;
            /// The distance from 1 to the next larger value.
            const EPSILON: Self;
            /// The smallest positive normal value.
            const MIN_POSITIVE: Self;
            /// The largest finite value.
            const MAX: Self;
            /// The smallest (most negative) finite value.
            const MIN: Self;

            /// From `usize`, rounded to nearest.
            fn from_usize(n: usize) -> Self;

            /// To `f64`, exactly.
            fn to_f64(self) -> f64;

            /// The bits, zero-extended.
            fn to_bits_u64(self) -> u64;

            $(#[$doc] fn $name(self $(, $arg: $ty)*) -> $out;)*
        }

        float_methods!(@impl f32 $($name($($arg: $ty),*) -> $out;)*);
        float_methods!(@impl f64 $($name($($arg: $ty),*) -> $out;)*);
    };
    (@impl $t:ident $($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        impl Float for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const INFINITY: Self = $t::INFINITY;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            const NAN: Self = $t::NAN;
            const EPSILON: Self = $t::EPSILON;
            const MIN_POSITIVE: Self = $t::MIN_POSITIVE;
            const MAX: Self = $t::MAX;
            const MIN: Self = $t::MIN;

            #[inline(always)]
            fn from_usize(n: usize) -> Self {
                n as $t
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn to_bits_u64(self) -> u64 {
                u64::from(self.to_bits())
            }

            $(
                #[inline(always)]
                fn $name(self $(, $arg: $ty)*) -> $out {
                    $t::$name(self $(, $arg)*)
                }
            )*
        }
    };
}

float_methods! {
    /// Absolute value.
    abs() -> Self;
    /// Square root.
    sqrt() -> Self;
    /// `e^self`
    exp() -> Self;
    /// `2^self`
    exp2() -> Self;
    /// `e^self - 1`, accurate near 0.
    exp_m1() -> Self;
    /// Natural logarithm.
    ln() -> Self;
    /// Logarithm to base 2.
    log2() -> Self;
    /// Logarithm to base 10.
    log10() -> Self;
    /// `ln(1 + self)`, accurate near 0.
    ln_1p() -> Self;
    /// `self^exponent`
    powf(exponent: Self) -> Self;
    /// `self^exponent` for an integer.
    powi(exponent: i32) -> Self;
    /// Sine.
    sin() -> Self;
    /// Cosine.
    cos() -> Self;
    /// Tangent.
    tan() -> Self;
    /// Arc sine.
    asin() -> Self;
    /// Arc cosine.
    acos() -> Self;
    /// Arc tangent.
    atan() -> Self;
    /// Angle of the point `(x, self)`.
    atan2(x: Self) -> Self;
    /// Hyperbolic sine.
    sinh() -> Self;
    /// Hyperbolic cosine.
    cosh() -> Self;
    /// Hyperbolic tangent.
    tanh() -> Self;
    /// Inverse hyperbolic sine.
    asinh() -> Self;
    /// Inverse hyperbolic cosine.
    acosh() -> Self;
    /// Inverse hyperbolic tangent.
    atanh() -> Self;
    /// Largest integer not above `self`.
    floor() -> Self;
    /// Smallest integer not below `self`.
    ceil() -> Self;
    /// Nearest integer, halfway cases to even.
    round_ties_even() -> Self;
    /// Integer part.
    trunc() -> Self;
    /// `1 / self`
    recip() -> Self;
    /// 1 with the sign of `self` (also of a zero), NaN for NaN.
    signum() -> Self;
    /// Magnitude of `self`, sign of `sign`.
    copysign(sign: Self) -> Self;
    /// `self * a + b`, rounded once.
    mul_add(a: Self, b: Self) -> Self;
    /// The larger one; a NaN loses (unlike in the kernels).
    max(other: Self) -> Self;
    /// The smaller one; a NaN loses (unlike in the kernels).
    min(other: Self) -> Self;
    /// Whether it is NaN.
    is_nan() -> bool;
    /// Whether it is neither infinite nor NaN.
    is_finite() -> bool;
    /// Whether it is an infinity.
    is_infinite() -> bool;
    /// Whether the sign bit is set (also that of -0 and NaN).
    is_sign_negative() -> bool;
}

/// Calls a kernel that is generic over [`Float`] so that it is compiled here, once per type, and
/// not again in every crate, test and example that calls it (and with the kernel crate's
/// optimisation level, also in debug builds).
///
/// Inside `fn name<T: Float>(...)`: `per_float!(T: kernel(x: &[T], rows: usize, y: &mut [T]) -> R)`
/// calls `kernel::<T>(x, rows, y)`. Every argument is a local variable; its type is spelled with
/// `T` and elided lifetimes. `-> R` may be left out.
macro_rules! per_float {
    ($T:ident: $kernel:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)?) => {
        $crate::element::per_type!(
            [F32 f32, F64 f64] $T: $kernel [$($arg: $ty),*] ($($out)?)
        )
    };
}

/// The same as [`per_float!`] for kernels that are generic over [`Element`].
macro_rules! per_element {
    ($T:ident: $kernel:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)?) => {
        $crate::element::per_type!(
            [F32 f32, F64 f64, I64 i64, Bool bool, U8 u8]
            $T: $kernel [$($arg: $ty),*] ($($out)?)
        )
    };
}

macro_rules! per_type {
    ([$($dtype:ident $concrete:ident),*] $T:ident: $kernel:ident $args:tt $out:tt) => {
        match <$T as $crate::element::Element>::DTYPE {
            $(
                $crate::element::DType::$dtype => {
                    $crate::element::per_type!(@call $concrete $T $kernel $args $out)
                }
            )*
            #[allow(unreachable_patterns, reason = "all types may be listed")]
            other => unreachable!("no kernel for {other}"),
        }
    };
    (@call $concrete:ident $T:ident $kernel:ident $args:tt ()) => {
        $crate::element::per_type!(@call $concrete $T $kernel $args (()))
    };
    (@call $concrete:ident $T:ident $kernel:ident [$($arg:ident: $ty:ty),*] ($out:ty)) => {{
        // The alias shadows the type parameter, so that `$ty` means the concrete type.
        type $T = $concrete;
        #[inline(never)]
        #[track_caller]
        fn compiled_here($($arg: $ty),*) -> $out {
            $kernel::<$T>($($arg),*)
        }
        // SAFETY: DTYPE has just been compared: T is the concrete type, so each argument, and the
        // result, is converted to the very type it has.
        unsafe {
            $crate::element::same_type(compiled_here(
                $($crate::element::same_type($arg)),*
            ))
        }
    }};
}

pub(crate) use {per_element, per_float, per_type};

/// Gives a value of type `A` the name `B` of the same type; see [`per_float!`].
///
/// # Safety
/// `A` and `B` are the same type, lifetimes aside; the caller's signature upholds the lifetimes.
#[inline(always)]
pub(crate) unsafe fn same_type<A, B>(value: A) -> B {
    assert!(size_of::<A>() == size_of::<B>());
    let value = std::mem::ManuallyDrop::new(value);
    // SAFETY: same type by the contract; the original is never dropped.
    unsafe { std::mem::transmute_copy(&value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_follow_as() {
        assert_eq!(3.9f32.cast::<i64>(), 3);
        assert_eq!((-1.0f64).cast::<u8>(), 0);
        assert_eq!(f64::NAN.cast::<i64>(), 0);
        assert!(f32::NAN.cast::<bool>());
        assert_eq!(true.cast::<f64>(), 1.0);
        assert_eq!(i64::MAX.cast::<f32>(), i64::MAX as f32);
        assert_eq!(0.1f64.cast::<f32>(), 0.1f32);
    }

    #[test]
    fn dtypes_are_named() {
        let names: Vec<String> = [DType::F32, DType::F64, DType::I64, DType::Bool, DType::U8]
            .map(|d| d.to_string())
            .to_vec();
        assert_eq!(names, ["f32", "f64", "i64", "bool", "u8"]);
    }

    fn first_or<T: Float>(x: &[T], y: &mut [T], or: T) -> T {
        y.fill(or);
        x.first().copied().unwrap_or(or)
    }

    fn first_or_dispatched<T: Float>(x: &[T], y: &mut [T], or: T) -> T {
        per_float!(T: first_or(x: &[T], y: &mut [T], or: T) -> T)
    }

    #[test]
    fn per_float_reaches_both_types() {
        let mut y32 = [0.0f32; 2];
        assert_eq!(first_or_dispatched(&[2.0f32], &mut y32, 3.0), 2.0);
        assert_eq!(y32, [3.0; 2]);
        let mut y64 = [0.0f64; 2];
        assert_eq!(first_or_dispatched(&[], &mut y64, 5.0), 5.0);
        assert_eq!(y64, [5.0; 2]);
    }
}
