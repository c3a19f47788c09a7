//! `SimdFloat`: the operations of one float type on the registers of every instruction set.

use pulp::{Simd, bytemuck};

use crate::element::Element;

/// A float type with vectors: what [`Vector`](super::Vector) needs to know about f32 and f64.
///
/// Kernels use [`Vector`](super::Vector), which wraps these functions with operators and methods.
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
    /// `ROUND_MAGIC` plus the bias of the exponent.
    const EXPONENT_MAGIC: Self;
    /// `ROUND_MAGIC` plus twice the bias of the exponent.
    const EXPONENT_MAGIC_TWICE: Self;
    /// Adding it rounds to a multiple of 1/32.
    const ROUND_MAGIC_32NDS: Self;
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
    fn simd_exp2_of_sum<S: Simd>(s: S, sum: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_exp2_of_32nds<S: Simd>(s: S, sum: Self::Lanes<S>) -> Option<Self::Lanes<S>>;
    fn simd_abs_at_most<S: Simd>(s: S, a: Self::Lanes<S>, bound: Self) -> Option<Self::Lanes<S>>;
    fn simd_exponent<S: Simd>(s: S, a: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_scale<S: Simd>(s: S, a: Self::Lanes<S>, n: Self::Lanes<S>) -> Option<Self::Lanes<S>>;
    fn simd_scale_twice<S: Simd>(s: S, a: Self::Lanes<S>, sum: Self::Lanes<S>) -> Self::Lanes<S>;
    fn simd_split<S: Simd>(s: S, a: Self::Lanes<S>) -> (Self::Lanes<S>, Self::Lanes<S>);
    fn simd_any<S: Simd>(s: S, a: Self::Mask<S>) -> bool;
}

/// The bits of `2^(j/32)` as f32, minus j in the place of 32nds.
#[cfg(target_arch = "x86_64")]
static EXP2_OF_32NDS: [u32; 32] = [
    0x3F80_0000,
    0x3F7E_CD87,
    0x3F7D_AAC3,
    0x3F7C_980F,
    0x3F7B_95C2,
    0x3F7A_A43A,
    0x3F79_C3D3,
    0x3F78_F4F0,
    0x3F78_37F0,
    0x3F77_8D3A,
    0x3F76_F532,
    0x3F76_7043,
    0x3F75_FED7,
    0x3F75_A15B,
    0x3F75_583F,
    0x3F75_23F6,
    0x3F75_04F3,
    0x3F74_FBAF,
    0x3F75_08A4,
    0x3F75_2C4D,
    0x3F75_672A,
    0x3F75_B9BE,
    0x3F76_248C,
    0x3F76_A81E,
    0x3F77_44FD,
    0x3F77_FBB8,
    0x3F78_CCDF,
    0x3F79_B907,
    0x3F7A_C0C7,
    0x3F7B_E4BA,
    0x3F7D_257D,
    0x3F7E_83B3,
];

macro_rules! simd_float {
    (
        $t:ident $lanes:ident $mask:ident $count:ident $mantissa_bits:literal $bias:literal
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
            const EXPONENT_MAGIC: Self = Self::ROUND_MAGIC + $bias;
            const EXPONENT_MAGIC_TWICE: Self = Self::ROUND_MAGIC + 2.0 * $bias;
            const ROUND_MAGIC_32NDS: Self = Self::ROUND_MAGIC / 32.0;
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
    f32 f32s m32s F32_LANES 23 127.0
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
        Self::simd_exp2_of_sum(s, s.add_f32s(n, s.splat_f32s(Self::EXPONENT_MAGIC)))
    }

    #[inline(always)]
    fn simd_exp2_of_sum<S: Simd>(s: S, sum: S::f32s) -> S::f32s {
        // 1.5 * 2^23 puts the integer (two's complement) in the low bits; shifted up by 23 it is
        // the exponent, bias included.
        pulp::cast(s.wrapping_dyn_shl_u32s(pulp::cast(sum), s.splat_u32s(23)))
    }

    #[inline(always)]
    fn simd_exp2_of_32nds<S: Simd>(s: S, sum: S::f32s) -> Option<S::f32s> {
        #[cfg(target_arch = "x86_64")]
        if let Some(v4) = as_v4(s) {
            // Shifted up, the integer comes to the exponent's place, and the 32nds to the first bits
            // of the mantissa, for which the table has others, and the exponent's bias.
            let high = s.wrapping_dyn_shl_u32s(pulp::cast(sum), s.splat_u32s(18));
            let [low_half, high_half] = bytemuck::cast(EXP2_OF_32NDS);
            let f = v4.avx512f;
            let off = f._mm512_permutex2var_ps(low_half, bytemuck::cast(sum), high_half);
            return Some(pulp::cast(s.add_u32s(high, bytemuck::cast(off))));
        }
        let _ = (s, sum);
        None
    }

    #[inline(always)]
    fn simd_abs_at_most<S: Simd>(s: S, a: S::f32s, bound: f32) -> Option<S::f32s> {
        #[cfg(target_arch = "x86_64")]
        if let Some(v4) = as_v4(s) {
            // The lesser magnitude, without a sign.
            const LESS: i32 = 0b1010;
            let bound = bytemuck::cast(s.splat_f32s(bound));
            let cut = v4.avx512dq._mm512_range_ps::<LESS>(bytemuck::cast(a), bound);
            return Some(bytemuck::cast(cut));
        }
        let _ = (s, a, bound);
        None
    }

    #[inline(always)]
    fn simd_exponent<S: Simd>(s: S, a: S::f32s) -> S::f32s {
        let biased = s.wrapping_dyn_shr_u32s(pulp::cast(a), s.splat_u32s(23));
        // 2^23 + biased, by its bits.
        let shifted = s.or_u32s(biased, s.splat_u32s(0x4B00_0000));
        s.sub_f32s(pulp::cast(shifted), s.splat_f32s(8_388_608.0 + 127.0))
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

    #[inline(always)]
    fn simd_scale_twice<S: Simd>(s: S, a: S::f32s, sum: S::f32s) -> S::f32s {
        // The integer and both biases, halved: two exponents.
        let sum = pulp::cast(sum);
        let half = s.wrapping_dyn_shr_u32s(sum, s.splat_u32s(1));
        let power = |half| pulp::cast(s.wrapping_dyn_shl_u32s(half, s.splat_u32s(23)));
        s.mul_f32s(s.mul_f32s(a, power(half)), power(s.sub_u32s(sum, half)))
    }

    #[inline(always)]
    fn simd_split<S: Simd>(s: S, a: S::f32s) -> (S::f32s, S::f32s) {
        // From sqrt(1/2) on, mantissas count as the next exponent's.
        let least = std::f32::consts::FRAC_1_SQRT_2.to_bits();
        let moved = s.add_u32s(pulp::cast(a), s.splat_u32s(1_f32.to_bits() - least));
        let mantissa = s.and_u32s(moved, s.splat_u32s(0x007F_FFFF));
        let mantissa = s.add_u32s(mantissa, s.splat_u32s(least));
        (Self::simd_exponent(s, pulp::cast(moved)), pulp::cast(mantissa))
    }

    #[inline(always)]
    fn simd_any<S: Simd>(_: S, a: S::m32s) -> bool {
        any_bit(a)
    }
}

simd_float! {
    f64 f64s m64s F64_LANES 52 1023.0
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
    fn simd_exp2_of_sum<S: Simd>(s: S, sum: S::f64s) -> S::f64s {
        Self::simd_exp2_int(s, s.sub_f64s(sum, s.splat_f64s(Self::EXPONENT_MAGIC)))
    }

    #[inline(always)]
    fn simd_exp2_of_32nds<S: Simd>(_: S, _: S::f64s) -> Option<S::f64s> {
        None
    }

    #[inline(always)]
    fn simd_abs_at_most<S: Simd>(_: S, _: S::f64s, _: f64) -> Option<S::f64s> {
        None
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
    fn simd_scale<S: Simd>(s: S, a: S::f64s, n: S::f64s) -> Option<S::f64s> {
        #[cfg(target_arch = "x86_64")]
        if let Some(v4) = as_v4(s) {
            let scaled = v4.avx512f._mm512_scalef_pd(bytemuck::cast(a), bytemuck::cast(n));
            return Some(bytemuck::cast(scaled));
        }
        let _ = (s, a, n);
        None
    }

    #[inline(always)]
    fn simd_scale_twice<S: Simd>(s: S, a: S::f64s, sum: S::f64s) -> S::f64s {
        let n = s.sub_f64s(sum, s.splat_f64s(Self::EXPONENT_MAGIC_TWICE));
        let magic = s.splat_f64s(Self::ROUND_MAGIC);
        let half = s.sub_f64s(s.mul_add_e_f64s(n, s.splat_f64s(0.5), magic), magic);
        let rest = Self::simd_exp2_int(s, s.sub_f64s(n, half));
        s.mul_f64s(s.mul_f64s(a, Self::simd_exp2_int(s, half)), rest)
    }

    #[inline(always)]
    fn simd_split<S: Simd>(s: S, a: S::f64s) -> (S::f64s, S::f64s) {
        let least = std::f64::consts::FRAC_1_SQRT_2.to_bits();
        let moved = s.add_u64s(pulp::cast(a), s.splat_u64s(1_f64.to_bits() - least));
        let mantissa = s.and_u64s(moved, s.splat_u64s((1 << 52) - 1));
        let mantissa = s.add_u64s(mantissa, s.splat_u64s(least));
        (Self::simd_exponent(s, pulp::cast(moved)), pulp::cast(mantissa))
    }

    #[inline(always)]
    fn simd_any<S: Simd>(_: S, a: S::m64s) -> bool {
        any_bit(a)
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

/// Whether any bit of a mask is set, in words that the compiler makes one test of.
#[inline(always)]
fn any_bit<M: bytemuck::NoUninit>(mask: M) -> bool {
    match const { size_of::<M>() } {
        1 => bytemuck::cast::<M, u8>(mask) != 0,
        2 => bytemuck::cast::<M, u16>(mask) != 0,
        16 => bytemuck::cast::<M, [u64; 2]>(mask) != [0; 2],
        32 => bytemuck::cast::<M, [u64; 4]>(mask) != [0; 4],
        _ => bytemuck::bytes_of(&mask).iter().any(|&byte| byte != 0),
    }
}

/// The AVX-512 token, if that is what `S` is (known when the code is compiled).
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn as_v4<S: Simd>(_simd: S) -> Option<pulp::x86::V4> {
    // The first condition is known before the code is made, which is then made for one set alone.
    if const { S::F32_LANES == 16 }
        && std::any::TypeId::of::<S>() == std::any::TypeId::of::<pulp::x86::V4>()
    {
        // SAFETY: a value of type `S`, which is V4, proves that the CPU has its features.
        return Some(unsafe { pulp::x86::V4::new_unchecked() });
    }
    None
}
