//! The numbers that the functions of `math` are made of, for f32 and f64.
//!
//! Polynomials run from the lowest power up, and are written in f64 for both types. Those without another source are minimax fits
//! (weighted Remez exchange in 60-digit arithmetic, then rounded); the weights make the relative
//! error of the function level.

use crate::simd::SimdFloat;

/// The coefficients of one float type.
#[allow(missing_docs, reason = "each constant is explained by the formula that uses it")]
pub trait MathFloat: SimdFloat {
    const LOG2_E: Self;
    /// ln 2 with so few bits that `n * LN2_HI` is exact for every exponent `n`.
    const LN2_HI: Self;
    /// ln 2 - LN2_HI
    const LN2_LO: Self;
    const LN_2: Self;

    /// exp is 0 (rounded) below.
    const EXP_MIN: Self;
    /// exp is a normal number from minus this to this.
    const EXP_NORMAL: Self;
    /// Its integral power of 2 is the largest below the normal numbers'.
    const EXP_FLUSHED: Self;
    /// Half of the exponents of normal numbers.
    const EXPONENT_HALF: Self;
    /// `2^-EXPONENT_HALF`
    const EXP2_MINUS_HALF: Self;
    /// exp is infinite above.
    const EXP_MAX: Self;
    /// exp2 is 0 (rounded) below.
    const EXP2_MIN: Self;
    /// exp2 is infinite from here on.
    const EXP2_MAX: Self;
    /// expm1 is -1 (rounded) below.
    const EXPM1_MIN: Self;
    /// tanh is 1 (rounded) above.
    const TANH_MAX: Self;
    /// The largest exponent of a finite value.
    const EXPONENT_MAX: Self;
    /// `q` in `expm1(r) = r + r^2 q(r)`, `|r| <= ln(2) / 2`.
    const EXP_Q: &'static [f64];
    /// `q` in `expm1(2 r) / 2 = r + r^2 q(r)`, `|r| <= ln(2) / 4`: `EXP_Q` times powers of two.
    const EXP_TWICE_Q: &'static [f64];

    const SQRT_2: Self;
    /// The smallest normal value.
    const NORMAL_MIN: Self;
    /// The largest finite value.
    const FINITE_MAX: Self;
    /// The exponent of the factor that makes subnormal values normal.
    const SUBNORMAL_SHIFT: Self;
    /// `p` in `ln(1 + f) = f - f^2/2 + f^3 p(f)`; empty where [`LOG_R`](Self::LOG_R) serves.
    const LOG_P: &'static [f64];
    /// `r` in `ln(1 + f) = f - f^2/2 + s (f^2/2 + s^2 r(s^2))`, `s = f / (2 + f)`,
    /// `1 + f` in `[sqrt(1/2), sqrt(2)]`. From FreeBSD's msun, e_log.c.
    const LOG_R: &'static [f64];
    /// `r` in `ln(1 + t) = 2 s + s^3 r(s^2)`, `s = t / (2 + t)`, `0 <= t <= 1`.
    const LOG1P_R: &'static [f64];
}

impl MathFloat for f32 {
    const LOG2_E: Self = std::f32::consts::LOG2_E;
    const LN2_HI: Self = 0.693_359_4;
    const LN2_LO: Self = -2.121_944_4e-4;
    const LN_2: Self = std::f32::consts::LN_2;

    const EXP_MIN: Self = -104.0;
    const EXP_NORMAL: Self = 87.0;
    const EXP_FLUSHED: Self = -88.03;
    const EXPONENT_HALF: Self = 64.0;
    const EXP2_MINUS_HALF: Self = f32::from_bits((127 - 64) << 23);
    const EXP_MAX: Self = 89.0;
    const EXP2_MIN: Self = -151.0;
    const EXP2_MAX: Self = 128.0;
    const EXPM1_MIN: Self = -18.0;
    const TANH_MAX: Self = 10.0;
    const EXPONENT_MAX: Self = 127.0;
    const EXP_Q: &'static [f64] = &[
        0.499_999_934_32,
        0.166_665_203_99,
        0.041_668_390_804,
        0.008_368_745_126_2,
        0.001_381_453_928_4,
    ];
    const EXP_TWICE_Q: &'static [f64] = &of_twice::<5>(Self::EXP_Q);

    const SQRT_2: Self = std::f32::consts::SQRT_2;
    const NORMAL_MIN: Self = f32::MIN_POSITIVE;
    const FINITE_MAX: Self = f32::MAX;
    const SUBNORMAL_SHIFT: Self = 23.0;
    const LOG_P: &'static [f64] = &[
        0.333_333_167_3,
        -0.250_008_104_0,
        0.200_022_862_9,
        -0.166_245_541_4,
        0.141_811_915_6,
        -0.131_287_535_4,
        0.128_816_497_6,
        -0.078_596_177_0,
    ];
    const LOG_R: &'static [f64] = &[];
    const LOG1P_R: &'static [f64] =
        &[0.666_664_131_3, 0.400_216_990_5, 0.279_991_397_1, 0.280_244_586_2];
}

impl MathFloat for f64 {
    const LOG2_E: Self = std::f64::consts::LOG2_E;
    const LN2_HI: Self = 6.931_471_803_691_238e-1;
    const LN2_LO: Self = 1.908_214_929_270_587_7e-10;
    const LN_2: Self = std::f64::consts::LN_2;

    const EXP_MIN: Self = -746.0;
    const EXP_NORMAL: Self = 708.0;
    const EXP_FLUSHED: Self = -709.09;
    const EXPONENT_HALF: Self = 512.0;
    const EXP2_MINUS_HALF: Self = f64::from_bits((1023 - 512) << 52);
    const EXP_MAX: Self = 710.0;
    const EXP2_MIN: Self = -1076.0;
    const EXP2_MAX: Self = 1024.0;
    const EXPM1_MIN: Self = -38.0;
    const TANH_MAX: Self = 20.0;
    const EXPONENT_MAX: Self = 1023.0;
    const EXP_Q: &'static [f64] = &[
        0.5,
        0.166_666_666_666_666_82,
        0.041_666_666_666_666_095,
        0.008_333_333_333_317_035,
        0.001_388_888_888_911_561_8,
        0.000_198_412_698_963_828_9,
        2.480_158_692_666_917_4e-5,
        2.755_723_486_274_496_3e-6,
        2.755_758_183_779_248e-7,
        2.511_203_657_787_964e-8,
        2.082_662_962_719_209_3e-9,
    ];
    const EXP_TWICE_Q: &'static [f64] = &of_twice::<11>(Self::EXP_Q);

    const SQRT_2: Self = std::f64::consts::SQRT_2;
    const NORMAL_MIN: Self = f64::MIN_POSITIVE;
    const FINITE_MAX: Self = f64::MAX;
    const SUBNORMAL_SHIFT: Self = 52.0;
    const LOG_P: &'static [f64] = &[];
    const LOG_R: &'static [f64] = &[
        6.666_666_666_666_735e-1,
        3.999_999_999_940_942e-1,
        2.857_142_874_366_239e-1,
        2.222_219_843_214_978_4e-1,
        1.818_357_216_161_805e-1,
        1.531_383_769_920_937_3e-1,
        1.479_819_860_511_658_6e-1,
    ];
    const LOG1P_R: &'static [f64] = &[
        0.666_666_666_666_666_7,
        0.399_999_999_999_939_8,
        0.285_714_285_725_100_16,
        0.222_222_221_254_709_06,
        0.181_818_232_029_143_82,
        0.153_844_519_321_884_2,
        0.133_368_058_208_020_17,
        0.117_159_506_226_369_56,
        0.109_725_672_821_001_68,
        0.069_942_447_414_444_83,
        0.164_676_390_531_521_78,
    ];
}

/// `2 q(2 r)`
const fn of_twice<const N: usize>(q: &[f64]) -> [f64; N] {
    let (mut twice, mut i, mut factor) = ([0.0; N], 0, 2.0);
    while i < N {
        twice[i] = q[i] * factor;
        (i, factor) = (i + 1, factor * 2.0);
    }
    twice
}
