//! `SimdFloat` and `Vector`: one vocabulary of vector operations for f32, f64 and every
//! instruction set, so that each kernel is written once.
//!
//! Everything here is `#[inline(always)]`: a helper that is not inlined is compiled without the
//! instruction set's features, and every operation in it becomes a call. The same holds for any
//! function generic over `S: Simd`.

use std::ops::{
    Add, AddAssign, BitAnd, BitOr, Div, DivAssign, Mul, MulAssign, Neg, Not, Sub, SubAssign,
};

use pulp::{Simd, bytemuck};

use crate::element::Element;

/// A float type with vectors: what [`Vector`] needs to know about f32 and f64.
///
/// Kernels use [`Vector`], which wraps these functions with operators and methods.
#[allow(missing_docs, reason = "each function is documented at the Vector method that calls it")]
pub trait SimdFloat: Element {
    /// A register of `lanes::<S>()` elements.
    type Lanes<S: Simd>: bytemuck::Pod + Send + Sync + std::fmt::Debug;
    /// The result of a comparison.
    type Mask<S: Simd>: Copy + Send + Sync + std::fmt::Debug + 'static;

    /// 2^p, p the number of stored mantissa bits.
    const TWO_MANTISSA: Self;
    /// 1.5 * 2^p: adding it rounds to an integer.
    const ROUND_MAGIC: Self;
    /// 1/2
    const HALF: Self;
    /// The bit of the sign.
    const NEG_ZERO: Self;

    /// Elements per register.
    fn lanes<S: Simd>() -> usize;
    /// Cuts a slice into registers and a rest shorter than a register.
    fn split<S: Simd>(slice: &[Self]) -> (&[Self::Lanes<S>], &[Self]);
    /// Cuts a slice into registers and a rest shorter than a register.
    fn split_mut<S: Simd>(slice: &mut [Self]) -> (&mut [Self::Lanes<S>], &mut [Self]);

    fn simd_splat<S: Simd>(s: S, x: Self) -> Self::Lanes<S>;
    fn simd_load_partial<S: Simd>(s: S, slice: &[Self]) -> Self::Lanes<S>;
    fn simd_store_partial<S: Simd>(s: S, slice: &mut [Self], a: Self::Lanes<S>);
    fn simd_add<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_sub<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_mul<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_div<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_mul_add<S: Simd>(
        s: S,
        a: Self::Lanes<S>,
        b: Self::Lanes<S>,
        c: Self::Lanes<S>,
    ) -> Self::Lanes<S>;
    fn simd_mul_add_exact<S: Simd>(
        s: S,
        a: Self::Lanes<S>,
        b: Self::Lanes<S>,
        c: Self::Lanes<S>,
    ) -> Self::Lanes<S>;
    fn simd_min<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_max<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_sqrt<S: Simd>(s: S, a: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_and<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_or<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_xor<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_abs<S: Simd>(s: S, a: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_equal<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Mask<S>;
    fn simd_less<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Mask<S>;
    fn simd_less_equal<S: Simd>(s: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Mask<S>;
    fn simd_select<S: Simd>(
        s: S,
        mask: Self::Mask<S>,
        if_true: Self::Lanes<S>,
        if_false: Self::Lanes<S>,
    ) -> Self::Lanes<S>;
    fn simd_mask_and<S: Simd>(s: S, a: Self::Mask<S>, b: Self::Mask<S>) -> Self::Mask<S>;
    fn simd_mask_or<S: Simd>(s: S, a: Self::Mask<S>, b: Self::Mask<S>) -> Self::Mask<S>;
    fn simd_mask_not<S: Simd>(s: S, a: Self::Mask<S>) -> Self::Mask<S>;
    fn simd_reduce_sum<S: Simd>(s: S, a: Self::Lanes<S>) -> Self;
    fn simd_reduce_max<S: Simd>(s: S, a: Self::Lanes<S>) -> Self;
    fn simd_reduce_min<S: Simd>(s: S, a: Self::Lanes<S>) -> Self;
    fn as_elements_mut<L: bytemuck::Pod>(lanes: &mut L) -> &mut [Self];
    fn simd_exp2_int<S: Simd>(s: S, n: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_exponent<S: Simd>(s: S, a: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_set_exponent_zero<S: Simd>(s: S, a: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_scale<S: Simd>(s: S, a: Self::Lanes<S>, n: Self::Lanes<S>) -> Option<Self::Lanes<S>>;
}

macro_rules! simd_float {
    (
        $t:ident $lanes:ident $mask:ident $count:ident $mantissa_bits:literal
        $as_simd:ident $as_mut_simd:ident $partial_load:ident $partial_store:ident $splat:ident
        unary($($unary:ident $unary_pulp:ident,)*)
        binary($($binary:ident $binary_pulp:ident,)*)
        ternary($($ternary:ident $ternary_pulp:ident,)*)
        compare($($compare:ident $compare_pulp:ident,)*)
        bitwise($($bitwise:ident $bitwise_pulp:ident,)*)
        mask($and:ident $or:ident $not:ident $select:ident)
        reduce($($reduce:ident $reduce_pulp:ident,)*)
        $($special:item)*
    ) => {
        impl SimdFloat for $t {
            type Lanes<S: Simd> = S::$lanes;
            type Mask<S: Simd> = S::$mask;

            const TWO_MANTISSA: Self = (1u64 << $mantissa_bits) as $t;
            const ROUND_MAGIC: Self = 1.5 * (1u64 << $mantissa_bits) as $t;
            const HALF: Self = 0.5;
            const NEG_ZERO: Self = -0.0;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$count
            }

            #[inline(always)]
            fn split<S: Simd>(slice: &[Self]) -> (&[S::$lanes], &[Self]) {
                S::$as_simd(slice)
            }

            #[inline(always)]
            fn split_mut<S: Simd>(slice: &mut [Self]) -> (&mut [S::$lanes], &mut [Self]) {
                S::$as_mut_simd(slice)
            }

            #[inline(always)]
            fn simd_splat<S: Simd>(s: S, x: Self) -> S::$lanes {
                s.$splat(x)
            }

            #[inline(always)]
            fn simd_load_partial<S: Simd>(s: S, slice: &[Self]) -> S::$lanes {
                s.$partial_load(slice)
            }

            #[inline(always)]
            fn simd_store_partial<S: Simd>(s: S, slice: &mut [Self], a: S::$lanes) {
                s.$partial_store(slice, a);
            }

            $(
                #[inline(always)]
                fn $unary<S: Simd>(s: S, a: S::$lanes) -> S::$lanes {
                    s.$unary_pulp(a)
                }
            )*

            $(
                #[inline(always)]
                fn $binary<S: Simd>(s: S, a: S::$lanes, b: S::$lanes) -> S::$lanes {
                    s.$binary_pulp(a, b)
                }
            )*

            $(
                #[inline(always)]
                fn $bitwise<S: Simd>(s: S, a: S::$lanes, b: S::$lanes) -> S::$lanes {
                    pulp::cast(s.$bitwise_pulp(pulp::cast(a), pulp::cast(b)))
                }
            )*

            $(
                #[inline(always)]
                fn $ternary<S: Simd>(
                    s: S,
                    a: S::$lanes,
                    b: S::$lanes,
                    c: S::$lanes,
                ) -> S::$lanes {
                    s.$ternary_pulp(a, b, c)
                }
            )*

            $(
                #[inline(always)]
                fn $compare<S: Simd>(s: S, a: S::$lanes, b: S::$lanes) -> S::$mask {
                    s.$compare_pulp(a, b)
                }
            )*

            #[inline(always)]
            fn simd_select<S: Simd>(
                s: S,
                mask: S::$mask,
                if_true: S::$lanes,
                if_false: S::$lanes,
            ) -> S::$lanes {
                s.$select(mask, if_true, if_false)
            }

            #[inline(always)]
            fn simd_mask_and<S: Simd>(s: S, a: S::$mask, b: S::$mask) -> S::$mask {
                s.$and(a, b)
            }

            #[inline(always)]
            fn simd_mask_or<S: Simd>(s: S, a: S::$mask, b: S::$mask) -> S::$mask {
                s.$or(a, b)
            }

            #[inline(always)]
            fn simd_mask_not<S: Simd>(s: S, a: S::$mask) -> S::$mask {
                s.$not(a)
            }

            $(
                #[inline(always)]
                fn $reduce<S: Simd>(s: S, a: S::$lanes) -> Self {
                    s.$reduce_pulp(a)
                }
            )*

            #[inline(always)]
            fn as_elements_mut<L: bytemuck::Pod>(lanes: &mut L) -> &mut [Self] {
                bytemuck::cast_slice_mut(std::slice::from_mut(lanes))
            }

            $($special)*
        }
    };
}

simd_float! {
    f32 f32s m32s F32_LANES 23
    as_simd_f32s as_mut_simd_f32s partial_load_f32s partial_store_f32s splat_f32s
    unary(simd_sqrt sqrt_f32s,)
    binary(
        simd_add add_f32s, simd_sub sub_f32s, simd_mul mul_f32s, simd_div div_f32s,
        simd_min min_f32s, simd_max max_f32s,
    )
    ternary(simd_mul_add mul_add_e_f32s, simd_mul_add_exact mul_add_f32s,)
    compare(
        simd_equal equal_f32s, simd_less less_than_f32s,
        simd_less_equal less_than_or_equal_f32s,
    )
    bitwise(simd_and and_u32s, simd_or or_u32s, simd_xor xor_u32s,)
    mask(and_m32s or_m32s not_m32s select_f32s)
    reduce(
        simd_reduce_sum reduce_sum_f32s, simd_reduce_max reduce_max_f32s,
        simd_reduce_min reduce_min_f32s,
    )

    #[inline(always)]
    fn simd_abs<S: Simd>(s: S, a: S::f32s) -> S::f32s {
        pulp::cast(s.and_u32s(pulp::cast(a), s.splat_u32s(0x7FFF_FFFF)))
    }

    #[inline(always)]
    fn simd_exp2_int<S: Simd>(s: S, n: S::f32s) -> S::f32s {
        // 1.5 * 2^23 puts the integer (two's complement) in the low bits; shifted up by 23 it is
        // the exponent, bias included.
        let z = s.add_f32s(n, s.splat_f32s(12_582_912.0 + 127.0));
        pulp::cast(s.wrapping_dyn_shl_u32s(pulp::cast(z), s.splat_u32s(23)))
    }

    #[inline(always)]
    fn simd_exponent<S: Simd>(s: S, a: S::f32s) -> S::f32s {
        let biased = s.wrapping_dyn_shr_u32s(pulp::cast(a), s.splat_u32s(23));
        // 2^23 + biased, by its bits.
        let shifted = s.or_u32s(biased, s.splat_u32s(0x4B00_0000));
        s.sub_f32s(pulp::cast(shifted), s.splat_f32s(8_388_608.0 + 127.0))
    }

    #[inline(always)]
    fn simd_set_exponent_zero<S: Simd>(s: S, a: S::f32s) -> S::f32s {
        let mantissa = s.and_u32s(pulp::cast(a), s.splat_u32s(0x007F_FFFF));
        pulp::cast(s.or_u32s(mantissa, s.splat_u32s(0x3F80_0000)))
    }

    #[inline(always)]
    fn simd_scale<S: Simd>(s: S, a: S::f32s, n: S::f32s) -> Option<S::f32s> {
        #[cfg(target_arch = "x86_64")]
        if let Some(v4) = as_v4(s) {
            let scaled = v4.avx512f._mm512_scalef_ps(bytemuck::cast(a), bytemuck::cast(n));
            return Some(bytemuck::cast(scaled));
        }
        let _ = (s, a, n);
        None
    }
}

simd_float! {
    f64 f64s m64s F64_LANES 52
    as_simd_f64s as_mut_simd_f64s partial_load_f64s partial_store_f64s splat_f64s
    unary(simd_sqrt sqrt_f64s,)
    binary(
        simd_add add_f64s, simd_sub sub_f64s, simd_mul mul_f64s, simd_div div_f64s,
        simd_min min_f64s, simd_max max_f64s,
    )
    ternary(simd_mul_add mul_add_e_f64s, simd_mul_add_exact mul_add_f64s,)
    compare(
        simd_equal equal_f64s, simd_less less_than_f64s,
        simd_less_equal less_than_or_equal_f64s,
    )
    bitwise(simd_and and_u64s, simd_or or_u64s, simd_xor xor_u64s,)
    mask(and_m64s or_m64s not_m64s select_f64s)
    reduce(
        simd_reduce_sum reduce_sum_f64s, simd_reduce_max reduce_max_f64s,
        simd_reduce_min reduce_min_f64s,
    )

    #[inline(always)]
    fn simd_abs<S: Simd>(s: S, a: S::f64s) -> S::f64s {
        pulp::cast(s.and_u64s(pulp::cast(a), s.splat_u64s(i64::MAX as u64)))
    }

    #[inline(always)]
    fn simd_exp2_int<S: Simd>(s: S, n: S::f64s) -> S::f64s {
        // 1.5 * 2^20 puts the integer in the low bits of the high word and leaves the low word
        // zero, so that a shift of both words by 20 will do.
        let z = s.add_f64s(n, s.splat_f64s(1_572_864.0 + 1023.0));
        shift_words(s, z, |s, words| s.wrapping_dyn_shl_u32s(words, s.splat_u32s(20)), |bits| {
            bits << 20
        })
    }

    #[inline(always)]
    fn simd_exponent<S: Simd>(s: S, a: S::f64s) -> S::f64s {
        // The exponent goes to the low bits of the high word; there it reads 2^20 + exponent.
        let biased = shift_words(
            s,
            a,
            |s, words| s.wrapping_dyn_shr_u32s(words, s.splat_u32s(20)),
            |bits| bits >> 20,
        );
        let high = s.and_u64s(pulp::cast(biased), s.splat_u64s(0xFFFF_FFFF_0000_0000));
        let shifted = s.or_u64s(high, s.splat_u64s(0x4130_0000_0000_0000));
        s.sub_f64s(pulp::cast(shifted), s.splat_f64s(1_048_576.0 + 1023.0))
    }

    #[inline(always)]
    fn simd_set_exponent_zero<S: Simd>(s: S, a: S::f64s) -> S::f64s {
        let mantissa = s.and_u64s(pulp::cast(a), s.splat_u64s((1 << 52) - 1));
        pulp::cast(s.or_u64s(mantissa, s.splat_u64s(1023 << 52)))
    }

    #[inline(always)]
    fn simd_scale<S: Simd>(s: S, a: S::f64s, n: S::f64s) -> Option<S::f64s> {
        #[cfg(target_arch = "x86_64")]
        if let Some(v4) = as_v4(s) {
            let scaled = v4.avx512f._mm512_scalef_pd(bytemuck::cast(a), bytemuck::cast(n));
            return Some(bytemuck::cast(scaled));
        }
        let _ = (s, a, n);
        None
    }
}

/// Shifts 64-bit lanes: pulp has shifts for 32-bit lanes only, so the bits are seen as words of
/// half the size, except where a register is a single f64.
#[inline(always)]
fn shift_words<S: Simd>(
    s: S,
    a: S::f64s,
    words: impl Fn(S, S::u32s) -> S::u32s,
    single: impl Fn(u64) -> u64,
) -> S::f64s {
    if S::IS_SCALAR {
        return bytemuck::cast(single(bytemuck::cast(a)));
    }
    bytemuck::cast(words(s, bytemuck::cast(a)))
}

/// The AVX-512 token, if that is what `S` is (known when the code is compiled).
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn as_v4<S: Simd>(_simd: S) -> Option<pulp::x86::V4> {
    if std::any::TypeId::of::<S>() == std::any::TypeId::of::<pulp::x86::V4>() {
        // SAFETY: a value of type `S`, which is V4, proves that the CPU has its features.
        return Some(unsafe { pulp::x86::V4::new_unchecked() });
    }
    None
}

/// Whether `min` and `max` return their second operand when one is NaN, as x86's do.
#[inline(always)]
fn keeps_second_nan<S: Simd>() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let id = std::any::TypeId::of::<S>();
        id == std::any::TypeId::of::<pulp::x86::V4>()
            || id == std::any::TypeId::of::<pulp::x86::V3>()
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[inline(never)]
fn map_slice<T: Copy>(x: &mut [T], f: impl Fn(T) -> T) {
    for x in x {
        *x = f(*x);
    }
}

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

    /// `self * 2^n` for an integral `n` between twice the least and twice the largest exponent of
    /// normal numbers; the result may be subnormal or infinite.
    #[inline(always)]
    pub fn scale(self, n: Self) -> Self {
        match T::simd_scale(self.simd, self.lanes, n.lanes) {
            Some(lanes) => Vector::new(self.simd, lanes),
            None => {
                // In two steps, since 2^n itself may be out of range.
                let half = n.round_product(T::HALF);
                self * half.exp2_int() * (n - half).exp2_int()
            }
        }
    }

    /// The exponent e of a positive normal number `m * 2^e`, `1 <= m < 2`.
    #[inline(always)]
    pub fn exponent(self) -> Self {
        Vector::new(self.simd, T::simd_exponent(self.simd, self.lanes))
    }

    /// The mantissa m of a positive normal number `m * 2^e`, `1 <= m < 2`.
    #[inline(always)]
    pub fn mantissa(self) -> Self {
        Vector::new(self.simd, T::simd_set_exponent_zero(self.simd, self.lanes))
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
        let one = Vector::constant(self.simd, 1.0);
        let zero = Vector::splat(self.simd, T::default());
        self.select(one, zero).reduce_max() > T::default()
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
