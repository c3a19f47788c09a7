//! erf, erfc, the normal distribution, and GELU in both forms, with slopes.
//!
//! In f32 all of them rest on the upper tail of the normal distribution,
//! `Q(z) = e^(-z^2/2) P(z) / R(z)` with polynomials P and R, which is accurate to a few ulps
//! *relative* to Q however small. In f64, where nobody trains but gradients are checked,
//! they call the scalar functions of the `libm` crate (FreeBSD's msun, below 1 ulp).

use pulp::Simd;

use super::exp::exp_to_normal;
use super::polynomial;
use super::sigmoid::{sigmoid, sigmoid_pair};
use crate::element::{DType, Element, Float};
use crate::simd::Vector;

/// `e` in `erf(x) = x + x e(x^2)`, `|x| <= 0.93`.
const ERF_NEAR: &[f64] =
    &[1.2837915e-1, -3.7612495e-1, 1.12818025e-1, -2.6765568e-2, 4.9909805e-3, -5.976895e-4];
const ERF_NEAR_MAX: f64 = 0.93;
/// `g` in `erf(x) = 1 - e^(x g(x))`, `0.92 <= x <= 3.93`.
const ERF_FAR: &[f64] = &[
    -1.1286522,
    -6.351359e-1,
    -1.0626315e-1,
    2.3785356e-2,
    -3.6537685e-3,
    3.2565382e-4,
    -1.1522407e-5,
];
const ERF_FAR_MAX: f64 = 3.93;
/// `P` and `R` in `Q(z) = e^(-z^2/2) P(z) / R(z)`, `0 <= z <= 14.5`.
const TAIL_P: &[f64] =
    &[0.499_999_924, 0.342_857_801, 0.109_188_297, 0.014_712_385_2, 1.958_882_83e-7];
const TAIL_R: &[f64] = &[1.0, 1.483_592_02, 0.902_181_497, 0.273_190_302, 0.036_902_753_1];
/// Q is below the least subnormal f32 from here on.
const TAIL_MAX: f64 = 14.5;
/// `e^(-z^2/2)` is 2^-127, the first power below the normal f32.
const FLUSHED: f64 = 13.269;
/// `e^(-u/2)`, `|u| <= ln(2)`: as [`MathFloat::EXP_Q`](super::coefficients::MathFloat::EXP_Q).
const EXP_MINUS_HALF: &[f64] = &[
    1.0,
    -0.5,
    0.499_999_934_32 / 4.0,
    -0.166_665_203_99 / 8.0,
    0.041_668_390_804 / 16.0,
    -0.008_368_745_126_2 / 32.0,
    0.001_381_453_928_4 / 64.0,
];
/// The same for `|u| <= ln(2) / 32`.
const EXP_MINUS_HALF_NEAR: &[f64] = &[1.0, -0.500_007_33, 0.125_001_2];

const SQRT_HALF: f64 = std::f64::consts::FRAC_1_SQRT_2;
/// `1 / sqrt(2 pi)`
const NORMAL_DENSITY_0: f64 = 0.398_942_280_401_432_7;
/// `sqrt(2 / pi)`
const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
const GELU_CUBIC: f64 = 0.044715;

/// Whether `T` takes the scalar functions.
const fn is_scalar<T: Element>() -> bool {
    matches!(T::DTYPE, DType::F64)
}

/// Applies an f64 function to each lane.
#[inline(always)]
fn map_f64<T: Float, S: Simd>(x: Vector<T, S>, f: impl Fn(f64) -> f64) -> Vector<T, S> {
    x.map(|x| T::from_f64(f(x.to_f64())))
}

/// Error function.
///
/// In f32 within 1.4 ulps on every argument.
#[inline(always)]
pub fn erf<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return map_f64(x, libm::erf);
    }
    let size = x.abs();
    let near = x.mul_add(polynomial(x * x, ERF_NEAR), x);
    let t = size.at_most(T::from_f64(ERF_FAR_MAX));
    let far = x.same(T::ONE) - exp_to_normal(t * polynomial(t, ERF_FAR));
    let is_near = size.less(x.same(T::from_f64(ERF_NEAR_MAX)));
    is_near.select(near, far.with_sign_of(x))
}

/// `1 - erf(x)`, accurate however small.
///
/// In f32 within 9.4 ulps on every argument, 8.4 with FMA.
#[inline(always)]
pub fn erfc<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return map_f64(x, libm::erfc);
    }
    let two = x.same(T::ONE + T::ONE);
    let size = x.abs().at_most(T::from_f64(TAIL_MAX * SQRT_HALF));
    let mills = mills(size * x.same(T::from_f64(std::f64::consts::SQRT_2)));
    let (sum, e) = exp_minus_square(size, T::ONE);
    let n = sum - x.same(T::EXPONENT_MAGIC);
    let tail = two * (e * mills).scale(n);
    x.less(x.same(T::ZERO)).select(two - tail, tail)
}

/// `n + EXPONENT_MAGIC` and `e` of `e^(-z^2 factor) = 2^n e`, for `factor` 1 or 1/2 and
/// `0 <= z <= TAIL_MAX`. The square is not rounded: at the far end that would cost 50 ulps.
#[inline(always)]
fn exp_minus_square<T: Float, S: Simd>(z: Vector<T, S>, factor: T) -> (Vector<T, S>, Vector<T, S>) {
    let twice = z.same(factor + factor);
    let magic = z.same(T::EXPONENT_MAGIC);
    let sum = (z * z).mul_add(z.same(-factor * T::LOG2_E), magic);
    let n = sum - magic;
    // u = 2 factor z^2 + n 2 ln(2)
    let head = n * z.same(T::LN2_HI + T::LN2_HI);
    let u = if S::IS_SCALAR {
        // Without FMA.
        z.map2(head, |z, head| {
            T::from_f64(z.to_f64() * z.to_f64() * (factor + factor).to_f64() + head.to_f64())
        })
    } else {
        (z * twice).mul_add_exact(z, head)
    };
    let u = n.mul_add(z.same(T::LN2_LO + T::LN2_LO), u);
    (sum, polynomial(u, EXP_MINUS_HALF))
}

/// A power of 2 and `e` of `e^(-z^2/2)`, their product; `0 <= z <= FLUSHED`.
#[inline(always)]
fn exp_minus_half_square<T: Float, S: Simd>(z: Vector<T, S>) -> (Vector<T, S>, Vector<T, S>) {
    let magic = T::ROUND_MAGIC_32NDS;
    let sum = (z * z).mul_add(z.same(-T::HALF * T::LOG2_E), z.same(magic));
    if let Some(power) = sum.exp2_of_32nds() {
        // u = z^2 + x 2 ln(2), sum = x + magic. The head has few bits: nothing is rounded.
        let ln_4 = T::LN2_HI + T::LN2_HI;
        let head = sum.mul_add(z.same(ln_4), z.same(-magic * ln_4));
        let u = head.mul_add(z.same(T::LN2_LO / T::LN2_HI), z.mul_add(z, head));
        return (power, polynomial(u, EXP_MINUS_HALF_NEAR));
    }
    let (sum, e) = exp_minus_square(z, T::HALF);
    (sum.exp2_of_sum(), e)
}

/// `Q(z) e^(z^2/2)` for `0 <= z <= TAIL_MAX`.
#[inline(always)]
fn mills<T: Float, S: Simd>(z: Vector<T, S>) -> Vector<T, S> {
    polynomial(z, TAIL_P) / polynomial(z, TAIL_R)
}

/// GELU: `x Phi(x)`, Phi the normal distribution function.
///
/// In f32 within 9 ulps on every argument.
#[inline(always)]
pub fn gelu<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        return map_f64(x.at_least(T::MIN), |x| x * normal_cdf_f64(x));
    }
    // x Phi(x) = max(x, 0) - |x| Q(|x|)
    let z = x.abs_at_most(T::from_f64(FLUSHED));
    let (power, e) = exp_minus_half_square(z);
    // All else is there before e is, the end of the longest chain.
    let rest = mills(z) * power * z;
    (-rest).mul_add(e, x.at_least(T::ZERO))
}

/// The derivative of [`gelu`]: `Phi(x) + x phi(x)`.
///
/// In f32 within 3 epsilons of `max(1, |y|)` on every argument.
#[inline(always)]
pub fn gelu_slope<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if const { is_scalar::<T>() } {
        let x = x.clamp(T::from_f64(-100.0), T::from_f64(100.0));
        return map_f64(x, |x| normal_cdf_f64(x) + x * NORMAL_DENSITY_0 * (-0.5 * x * x).exp());
    }
    let one = x.same(T::ONE);
    let z = x.abs().at_most(T::from_f64(FLUSHED));
    let (power, e) = exp_minus_half_square(z);
    let e = e * power;
    let tail = e * mills(z);
    let cdf = x.less(x.same(T::ZERO)).select(tail, one - tail);
    let x_clamped = z.with_sign_of(x);
    (x_clamped * x.same(T::from_f64(NORMAL_DENSITY_0))).mul_add(e, cdf)
}

fn normal_cdf_f64(x: f64) -> f64 {
    0.5 * libm::erfc(-x * SQRT_HALF)
}

/// GELU by `0.5 x (1 + tanh(u)) = x sigmoid(2u)`, `u = sqrt(2/pi) (x + 0.044715 x^3)`.
///
/// In f32 within 3 epsilons of `max(1, |y|)` on every argument.
#[inline(always)]
pub fn gelu_tanh<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    x.at_least(T::MIN) * sigmoid(gelu_tanh_argument(x))
}

/// `2u` of [`gelu_tanh`].
#[inline(always)]
fn gelu_tanh_argument<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let linear = x.same(T::from_f64(2.0 * SQRT_2_OVER_PI));
    let cubic = x.same(T::from_f64(2.0 * SQRT_2_OVER_PI * GELU_CUBIC));
    x * (x * x).mul_add(cubic, linear)
}

/// The derivative of [`gelu_tanh`]: `p + x p (1 - p) (2u)'`, `p = sigmoid(2u)`.
///
/// In f32 within 8 epsilons of `max(1, |y|)` on every argument.
#[inline(always)]
pub fn gelu_tanh_slope<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    // Beyond 100 the slope is 0 or 1, but its terms would be infinite.
    let x = x.clamp(T::from_f64(-100.0), T::from_f64(100.0));
    let (p, q) = sigmoid_pair(gelu_tanh_argument(x));
    let linear = x.same(T::from_f64(2.0 * SQRT_2_OVER_PI));
    let cubic = x.same(T::from_f64(6.0 * SQRT_2_OVER_PI * GELU_CUBIC));
    let argument_slope = (x * x).mul_add(cubic, linear);
    (x * p * q).mul_add(argument_slope, p)
}
