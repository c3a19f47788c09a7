//! `Vector` and `Mask`: registers with operators and methods.

use std::ops::{
    Add, AddAssign, BitAnd, BitOr, Div, DivAssign, Mul, MulAssign, Neg, Not, Sub, SubAssign,
};

use pulp::Simd;

use super::SimdFloat;

/// A register of floats with operators: what kernels compute with.
#[derive(Clone, Copy, Debug)]
pub struct Vector<T: SimdFloat, S: Simd> {
    /// The instruction set's token (zero-sized).
    pub simd: S,
    /// The register.
    pub lanes: T::Lanes<S>,
}

/// One truth value per lane of a [`Vector`].
#[derive(Clone, Copy, Debug)]
pub struct Mask<T: SimdFloat, S: Simd> {
    simd: S,
    lanes: T::Mask<S>,
}

impl<T: SimdFloat, S: Simd> Vector<T, S> {
    /// Wraps a register.
    #[inline(always)]
    pub fn new(simd: S, lanes: T::Lanes<S>) -> Self {
        Vector { simd, lanes }
    }

    /// The same value in every lane.
    #[inline(always)]
    pub fn splat(simd: S, x: T) -> Self {
        Vector::new(simd, T::simd_splat(simd, x))
    }

    /// The same constant in every lane, rounded from `f64`.
    #[inline(always)]
    pub fn constant(simd: S, x: f64) -> Self {
        Vector::splat(simd, T::from_f64(x))
    }

    /// The same value in every lane, for the same instruction set as `self`.
    #[inline(always)]
    pub fn same(self, x: T) -> Self {
        Vector::splat(self.simd, x)
    }

    /// Loads the first `lanes` elements of a slice, or all of a shorter one and zeros.
    #[inline(always)]
    pub fn load(simd: S, slice: &[T]) -> Self {
        Vector::new(
            simd,
            match T::split::<S>(slice).0.first() {
                Some(&lanes) => lanes,
                None => T::simd_load_partial(simd, slice),
            },
        )
    }

    /// Stores to the first `lanes` elements of a slice, or fills a shorter one.
    #[inline(always)]
    pub fn store(self, slice: &mut [T]) {
        if slice.len() >= T::lanes::<S>() {
            T::split_mut::<S>(slice).0[0] = self.lanes;
        } else {
            T::simd_store_partial(self.simd, slice, self.lanes);
        }
    }

    /// `self * b + c`, fused where that is free, else rounded twice.
    #[inline(always)]
    pub fn mul_add(self, b: Self, c: Self) -> Self {
        Vector::new(self.simd, T::simd_mul_add(self.simd, self.lanes, b.lanes, c.lanes))
    }

    /// `self * b + c`, rounded once. Very slow on hardware without FMA.
    #[inline(always)]
    pub fn mul_add_exact(self, b: Self, c: Self) -> Self {
        Vector::new(self.simd, T::simd_mul_add_exact(self.simd, self.lanes, b.lanes, c.lanes))
    }

    /// `c - self * b`, fused where that is free, else rounded twice.
    #[inline(always)]
    pub fn neg_mul_add(self, b: Self, c: Self) -> Self {
        (-self).mul_add(b, c)
    }

    /// Absolute value.
    #[inline(always)]
    pub fn abs(self) -> Self {
        Vector::new(self.simd, T::simd_abs(self.simd, self.lanes))
    }

    /// Square root, correctly rounded.
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        Vector::new(self.simd, T::simd_sqrt(self.simd, self.lanes))
    }

    /// The smaller one. With a NaN the result depends on the instruction set: use
    /// [`Vector::min_nan`] unless neither side can be NaN, or either result will do.
    #[inline(always)]
    pub fn min_fast(self, other: Self) -> Self {
        Vector::new(self.simd, T::simd_min(self.simd, self.lanes, other.lanes))
    }

    /// The larger one; see [`Vector::min_fast`].
    #[inline(always)]
    pub fn max_fast(self, other: Self) -> Self {
        Vector::new(self.simd, T::simd_max(self.simd, self.lanes, other.lanes))
    }

    /// The smaller one; NaN if either is NaN.
    #[inline(always)]
    pub fn min_nan(self, other: Self) -> Self {
        let smaller = other.less(self).select(other, self);
        other.is_nan().select(other, smaller)
    }

    /// The larger one; NaN if either is NaN.
    #[inline(always)]
    pub fn max_nan(self, other: Self) -> Self {
        let larger = self.less(other).select(other, self);
        other.is_nan().select(other, larger)
    }

    /// Bitwise and.
    #[inline(always)]
    pub fn bit_and(self, other: Self) -> Self {
        Vector::new(self.simd, T::simd_and(self.simd, self.lanes, other.lanes))
    }

    /// Bitwise or.
    #[inline(always)]
    pub fn bit_or(self, other: Self) -> Self {
        Vector::new(self.simd, T::simd_or(self.simd, self.lanes, other.lanes))
    }

    /// Bitwise exclusive or.
    #[inline(always)]
    pub fn bit_xor(self, other: Self) -> Self {
        Vector::new(self.simd, T::simd_xor(self.simd, self.lanes, other.lanes))
    }

    /// Only the sign bit.
    #[inline(always)]
    pub fn sign_bit(self) -> Self {
        self.bit_and(self.same(T::NEG_ZERO))
    }

    /// Magnitude of `self` (which is not negative), sign of `sign`.
    #[inline(always)]
    pub fn with_sign_of(self, sign: Self) -> Self {
        self.bit_or(sign.sign_bit())
    }

    /// `self == other` per lane.
    #[inline(always)]
    pub fn equal(self, other: Self) -> Mask<T, S> {
        Mask::new(self.simd, T::simd_equal(self.simd, self.lanes, other.lanes))
    }

    /// `self < other` per lane; false for NaN.
    #[inline(always)]
    pub fn less(self, other: Self) -> Mask<T, S> {
        Mask::new(self.simd, T::simd_less(self.simd, self.lanes, other.lanes))
    }

    /// `self <= other` per lane; false for NaN.
    #[inline(always)]
    pub fn less_equal(self, other: Self) -> Mask<T, S> {
        Mask::new(self.simd, T::simd_less_equal(self.simd, self.lanes, other.lanes))
    }

    /// Whether each lane is NaN.
    #[inline(always)]
    pub fn is_nan(self) -> Mask<T, S> {
        !self.equal(self)
    }

    /// The sum of the lanes, in an order that depends on the instruction set alone.
    #[inline(always)]
    pub fn reduce_sum(self) -> T {
        T::simd_reduce_sum(self.simd, self.lanes)
    }

    /// The largest lane; unspecified if one is NaN.
    #[inline(always)]
    pub fn reduce_max(self) -> T {
        T::simd_reduce_max(self.simd, self.lanes)
    }

    /// The smallest lane; unspecified if one is NaN.
    #[inline(always)]
    pub fn reduce_min(self) -> T {
        T::simd_reduce_min(self.simd, self.lanes)
    }

    /// Applies a scalar function to every lane, by a loop that is not inlined: for rare cases.
    #[inline(always)]
    pub fn map(self, f: impl Fn(T) -> T) -> Self {
        let mut y = self.lanes;
        map_slice(T::as_elements_mut(&mut y), f);
        Vector::new(self.simd, y)
    }

    /// As [`Vector::map`] for a function of two arguments.
    #[inline(always)]
    pub fn map2(self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        let (mut y, mut other) = (self.lanes, other.lanes);
        map2_slice(T::as_elements_mut(&mut y), T::as_elements_mut(&mut other), f);
        Vector::new(self.simd, y)
    }

    /// The larger of `self`, NaN included, and a bound that is not NaN.
    #[inline(always)]
    pub fn at_least(self, bound: T) -> Self {
        let bound = self.same(bound);
        if keeps_second_nan::<S>() {
            return bound.max_fast(self);
        }
        self.less(bound).select(bound, self)
    }

    /// The smaller of `self`, NaN included, and a bound that is not NaN.
    #[inline(always)]
    pub fn at_most(self, bound: T) -> Self {
        let bound = self.same(bound);
        if keeps_second_nan::<S>() {
            return bound.min_fast(self);
        }
        bound.less(self).select(bound, self)
    }

    /// The magnitude, or a positive bound if that is less; either for NaN.
    #[inline(always)]
    pub fn abs_at_most(self, bound: T) -> Self {
        match T::simd_abs_at_most(self.simd, self.lanes, bound) {
            Some(lanes) => Vector::new(self.simd, lanes),
            None => self.abs().at_most(bound),
        }
    }

    /// `self`, NaN included, moved into `low..=high`.
    #[inline(always)]
    pub fn clamp(self, low: T, high: T) -> Self {
        self.at_least(low).at_most(high)
    }

    /// The nearest integer to `self * factor`, for results up to 2^22 (f32) or 2^51 (f64) in
    /// magnitude.
    #[inline(always)]
    pub fn round_product(self, factor: T) -> Self {
        // Adding 1.5 * 2^p pushes the fraction out of the mantissa.
        let magic = self.same(T::ROUND_MAGIC);
        self.mul_add(self.same(factor), magic) - magic
    }

    /// The nearest integer, for values up to 2^22 (f32) or 2^51 (f64) in magnitude.
    #[inline(always)]
    pub fn round_small(self) -> Self {
        let magic = self.same(T::ROUND_MAGIC);
        (self + magic) - magic
    }

    /// Nearest integer, halfway cases to even; any value, keeps the sign of zero.
    #[inline(always)]
    pub fn round_ties_even(self) -> Self {
        let magic = self.same(T::TWO_MANTISSA);
        let size = self.abs();
        let rounded = ((size + magic) - magic).with_sign_of(self);
        // Larger values, infinities and NaN are integers already, or stay as they are.
        size.less(magic).select(rounded, self)
    }

    /// `2^self` for an integral `self` among the exponents of normal numbers: -126 to 127 (f32),
    /// -1022 to 1023 (f64).
    #[inline(always)]
    pub fn exp2_int(self) -> Self {
        Vector::new(self.simd, T::simd_exp2_int(self.simd, self.lanes))
    }

    /// `2^n` of `self = n + EXPONENT_MAGIC`, for the exponents `n` of normal numbers; 0 for the one
    /// below them.
    #[inline(always)]
    pub fn exp2_of_sum(self) -> Self {
        Vector::new(self.simd, T::simd_exp2_of_sum(self.simd, self.lanes))
    }

    /// `2^x` of `self = x + ROUND_MAGIC_32NDS`, for the exponents of normal numbers; near 0 below
    /// them, and 0 at the next integer. Where the instruction set has tables in registers.
    #[inline(always)]
    pub fn exp2_of_32nds(self) -> Option<Self> {
        let lanes = T::simd_exp2_of_32nds(self.simd, self.lanes)?;
        Some(Vector::new(self.simd, lanes))
    }

    /// `self * 2^n` for an integral `n` between twice the least and twice the largest exponent of
    /// normal numbers; the result may be subnormal or infinite.
    #[inline(always)]
    pub fn scale(self, n: Self) -> Self {
        self.scale_by_sum(n + n.same(T::EXPONENT_MAGIC_TWICE), n)
    }

    /// [`scale`](Self::scale) by n, where `sum = n + EXPONENT_MAGIC_TWICE` is known too.
    #[inline(always)]
    pub fn scale_by_sum(self, sum: Self, n: Self) -> Self {
        let scaled = match T::simd_scale(self.simd, self.lanes, n.lanes) {
            Some(scaled) => scaled,
            // In two steps, since 2^n itself may be out of range.
            None => T::simd_scale_twice(self.simd, self.lanes, sum.lanes),
        };
        Vector::new(self.simd, scaled)
    }

    /// e and m of a positive normal number `m * 2^e`, `sqrt(1/2) <= m < sqrt(2)`.
    #[inline(always)]
    pub fn split(self) -> (Self, Self) {
        let (e, m) = T::simd_split(self.simd, self.lanes);
        (Vector::new(self.simd, e), Vector::new(self.simd, m))
    }
}

impl<T: SimdFloat, S: Simd> Mask<T, S> {
    /// Wraps the result of a comparison.
    #[inline(always)]
    fn new(simd: S, lanes: T::Mask<S>) -> Self {
        Mask { simd, lanes }
    }

    /// Takes each lane from `if_true` where the mask is set, else from `if_false`.
    #[inline(always)]
    pub fn select(self, if_true: Vector<T, S>, if_false: Vector<T, S>) -> Vector<T, S> {
        Vector::new(self.simd, T::simd_select(self.simd, self.lanes, if_true.lanes, if_false.lanes))
    }

    /// Takes each lane from `value` where the mask is set, else 0.
    #[inline(always)]
    pub fn select_or_zero(self, value: Vector<T, S>) -> Vector<T, S> {
        self.select(value, Vector::splat(self.simd, T::default()))
    }

    /// Whether any lane is set.
    #[inline(always)]
    pub fn any(self) -> bool {
        T::simd_any(self.simd, self.lanes)
    }
}

macro_rules! vector_operators {
    ($($trait:ident $method:ident $assign_trait:ident $assign:ident $simd:ident;)*) => {$(
        impl<T: SimdFloat, S: Simd> $trait for Vector<T, S> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Vector::new(self.simd, T::$simd(self.simd, self.lanes, other.lanes))
            }
        }

        impl<T: SimdFloat, S: Simd> $assign_trait for Vector<T, S> {
            #[inline(always)]
            fn $assign(&mut self, other: Self) {
                *self = $trait::$method(*self, other);
            }
        }
    )*};
}

vector_operators! {
    Add add AddAssign add_assign simd_add;
    Sub sub SubAssign sub_assign simd_sub;
    Mul mul MulAssign mul_assign simd_mul;
    Div div DivAssign div_assign simd_div;
}

impl<T: SimdFloat, S: Simd> Neg for Vector<T, S> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        self.bit_xor(self.same(T::NEG_ZERO))
    }
}

impl<T: SimdFloat, S: Simd> BitAnd for Mask<T, S> {
    type Output = Self;

    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Mask::new(self.simd, T::simd_mask_and(self.simd, self.lanes, other.lanes))
    }
}

impl<T: SimdFloat, S: Simd> BitOr for Mask<T, S> {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Mask::new(self.simd, T::simd_mask_or(self.simd, self.lanes, other.lanes))
    }
}

impl<T: SimdFloat, S: Simd> Not for Mask<T, S> {
    type Output = Self;

    #[inline(always)]
    fn not(self) -> Self {
        Mask::new(self.simd, T::simd_mask_not(self.simd, self.lanes))
    }
}

/// Whether `min` and `max` return their second operand when one is NaN, as x86's do.
#[inline(always)]
fn keeps_second_nan<S: Simd>() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let is = |other| std::any::TypeId::of::<S>() == other;
        match S::F32_LANES {
            16 => is(std::any::TypeId::of::<pulp::x86::V4>()),
            8 => is(std::any::TypeId::of::<pulp::x86::V3>()),
            _ => false,
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[inline(never)]
fn map2_slice<T: Copy>(x: &mut [T], other: &[T], f: impl Fn(T, T) -> T) {
    for (x, &other) in x.iter_mut().zip(other) {
        *x = f(*x, other);
    }
}

#[inline(never)]
fn map_slice<T: Copy>(x: &mut [T], f: impl Fn(T) -> T) {
    for x in x {
        *x = f(*x);
    }
}
