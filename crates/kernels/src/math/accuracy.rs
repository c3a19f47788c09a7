//! The error bounds of [`crate::math`], and the tests that hold the functions to them.

/// The largest error of one function, in units in the last place of the exact result.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The function.
    pub name: &'static str,
    /// For f32, on every argument.
    pub f32_ulps: f64,
    /// For f64, on sampled arguments.
    pub f64_ulps: f64,
    /// An error below `absolute * max(1, |y|)` epsilons is fine even if it is more in ulps: where
    /// the function crosses zero, or multiplies a rounding error of an exponent.
    pub absolute: f64,
}

const fn bound(name: &'static str, f32_ulps: f64, f64_ulps: f64, absolute: f64) -> Bound {
    Bound { name, f32_ulps, f64_ulps, absolute }
}

/// The bounds of all functions, on every instruction set.
///
/// Sweeps over all f32 (the ignored tests below) found these largest errors, in ulps:
///
/// | function | baseline | AVX2 and AVX-512 |
/// |---|---|---|
/// | exp | 1.000 | 1.000 |
/// | expm1 | 1.553 | 1.455 |
/// | log | 0.954 | 0.893 |
/// | log1p | 1.014 | 0.896 |
/// | tanh | 2.668 | 2.606 |
/// | sigmoid | 2.402 | 2.402 |
/// | erf | 1.387 | 1.185 |
/// | erfc | 9.283 | 8.337 |
/// | gelu | 8.662 | 8.103, with AVX-512 8.856 |
/// | silu | 3.284 | 3.223 |
/// | softplus, and so logsigmoid, its mirror image | 2.862 | 2.892 |
/// | gelu_slope, gelu_tanh, gelu_tanh_slope, silu_slope | none beyond the absolute bound | as before |
///
/// The other bounds rest on the sample of 126,000 arguments that the tests always take.
pub const BOUNDS: &[Bound] = &[
    bound("exp", 1.02, 1.5, 0.0),
    bound("exp2", 1.1, 1.5, 0.0),
    bound("expm1", 1.6, 2.0, 0.0),
    bound("log", 0.96, 1.5, 0.0),
    bound("log2", 2.2, 2.5, 0.0),
    bound("log1p", 1.02, 2.0, 0.0),
    bound("tanh", 2.7, 3.0, 0.0),
    bound("sigmoid", 2.41, 3.0, 0.0),
    bound("silu", 3.3, 3.5, 1e-30),
    bound("silu_slope", 4.0, 4.0, 2.0),
    bound("softplus", 2.9, 2.5, 0.0),
    bound("logsigmoid", 2.9, 2.5, 0.0),
    bound("mish", 5.0, 5.0, 1e-30),
    bound("mish_slope", 4.0, 4.0, 4.0),
    bound("erf", 1.4, 1.0, 0.0),
    bound("erfc", 9.4, 1.5, 0.0),
    bound("gelu", 9.0, 2.0, 1e-30),
    bound("gelu_slope", 6.0, 2.0, 3.0),
    bound("gelu_tanh", 20.0, 20.0, 3.0),
    bound("gelu_tanh_slope", 20.0, 20.0, 8.0),
    bound("sin", 2.4, 1.0, 0.0),
    bound("cos", 2.5, 1.0, 0.0),
    bound("tan", 4.0, 1.0, 0.0),
    bound("asin", 3.0, 1.0, 0.0),
    bound("acos", 3.0, 1.0, 0.0),
    bound("atan", 3.0, 1.0, 0.0),
    bound("sinh", 4.0, 1.0, 0.0),
    bound("cosh", 4.0, 1.0, 0.0),
    bound("asinh", 4.0, 1.0, 0.0),
    bound("acosh", 4.0, 1.0, 0.0),
    bound("atanh", 4.0, 1.0, 0.0),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Float;
    use crate::view::View;
    use crate::{arch, elementwise};

    /// A kernel under test, and its twin by the standard library or `libm` in f64.
    struct Case {
        name: &'static str,
        f32: fn(View<'_, f32>, &mut [f32]),
        f64: fn(View<'_, f64>, &mut [f64]),
        reference: fn(f64) -> f64,
    }

    macro_rules! cases {
        ($($name:ident $reference:expr;)*) => {
            &[$(Case {
                name: stringify!($name),
                f32: elementwise::$name::<f32>,
                f64: elementwise::$name::<f64>,
                reference: $reference,
            }),*]
        };
    }

    macro_rules! slopes {
        ($($name:ident $backward:ident $reference:expr;)*) => {
            &[$(Case {
                name: stringify!($name),
                f32: |x, y| elementwise::$backward(View::scalar(&1.0), x, y),
                f64: |x, y| elementwise::$backward(View::scalar(&1.0), x, y),
                reference: $reference,
            }),*]
        };
    }

    const FUNCTIONS: &[Case] = cases! {
        exp f64::exp;
        exp2 f64::exp2;
        expm1 f64::exp_m1;
        log f64::ln;
        log2 f64::log2;
        log1p f64::ln_1p;
        tanh f64::tanh;
        sigmoid sigmoid;
        silu |x| x.max(f64::MIN) * sigmoid(x);
        softplus softplus;
        logsigmoid |x| -softplus(-x);
        mish |x| x.max(f64::MIN) * tanh_softplus(x);
        erf libm::erf;
        erfc libm::erfc;
        gelu |x| x.max(f64::MIN) * normal_cdf(x);
        gelu_tanh |x| x.max(f64::MIN) * sigmoid(gelu_tanh_argument(x));
        sin f64::sin;
        cos f64::cos;
        tan f64::tan;
        asin f64::asin;
        acos f64::acos;
        atan f64::atan;
        sinh f64::sinh;
        cosh f64::cosh;
        asinh libm::asinh;
        acosh |x| if x < 1.0 { f64::NAN } else { libm::acosh(x) };
        atanh libm::atanh;
    };

    const SLOPES: &[Case] = slopes! {
        silu_slope silu_backward silu_slope;
        mish_slope mish_backward mish_slope;
        gelu_slope gelu_backward gelu_slope;
        gelu_tanh_slope gelu_tanh_backward gelu_tanh_slope;
    };

    fn sigmoid(x: f64) -> f64 {
        if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
    }

    fn softplus(x: f64) -> f64 {
        x.max(0.0) + (-x.abs()).exp().ln_1p()
    }

    fn tanh_softplus(x: f64) -> f64 {
        softplus(x).tanh()
    }

    fn normal_cdf(x: f64) -> f64 {
        0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
    }

    fn normal_density(x: f64) -> f64 {
        (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    fn gelu_tanh_argument(x: f64) -> f64 {
        2.0 * (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)
    }

    fn silu_slope(x: f64) -> f64 {
        if x.is_infinite() {
            return f64::from(x > 0.0);
        }
        sigmoid(x) * (1.0 + x * sigmoid(-x))
    }

    fn mish_slope(x: f64) -> f64 {
        if x.is_infinite() {
            return f64::from(x > 0.0);
        }
        let t = tanh_softplus(x);
        // 1 - tanh^2 = 1 / cosh^2, without cancellation.
        t + x * sigmoid(x) / softplus(x).min(700.0).cosh().powi(2)
    }

    fn gelu_slope(x: f64) -> f64 {
        let x = x.clamp(-100.0, 100.0);
        normal_cdf(x) + x * normal_density(x)
    }

    fn gelu_tanh_slope(x: f64) -> f64 {
        let x = x.clamp(-100.0, 100.0);
        let u = gelu_tanh_argument(x);
        let slope = 2.0 * (2.0 / std::f64::consts::PI).sqrt() * (1.0 + 3.0 * 0.044715 * x * x);
        sigmoid(u) + x * sigmoid(u) * sigmoid(-u) * slope
    }

    fn cases() -> impl Iterator<Item = (&'static Case, &'static Bound)> {
        FUNCTIONS.iter().chain(SLOPES).map(|case| {
            let bound = BOUNDS.iter().find(|bound| bound.name == case.name);
            (case, bound.expect("every case has a bound"))
        })
    }

    /// The spacing of the floats with `mantissa_bits` at `exact`, subnormal ones included.
    fn ulp(exact: f64, mantissa_bits: i32, exponent_min: i32) -> f64 {
        let exponent = if exact == 0.0 { exponent_min } else { libm::ilogb(exact) };
        f64::powi(2.0, exponent.max(exponent_min) - mantissa_bits)
    }

    /// The error of `got` in ulps; infinite where one is NaN or infinite and the other is not.
    fn error_ulps<T: Float>(got: T, exact: f64) -> f64 {
        let (bits, exponent_min) = if size_of::<T>() == 4 { (23, -126) } else { (52, -1022) };
        let (got, rounded) = (got.to_f64(), T::from_f64(exact).to_f64());
        if got == rounded || (got.is_nan() && rounded.is_nan()) {
            return 0.0;
        }
        // The largest finite value for an overflow that is due, and the other way round, is an
        // error of about one ulp.
        let finite = |x: f64| {
            if x.is_infinite() { f64::powi(2.0, 128).copysign(x) } else { x }
        };
        if size_of::<T>() == 4 && got.abs() >= 3.4e38 && rounded.abs() >= 3.4e38 {
            return (finite(got) - finite(rounded)).abs() / f64::powi(2.0, 104);
        }
        if !got.is_finite() || !rounded.is_finite() {
            return f64::INFINITY;
        }
        (got - exact).abs() / ulp(exact, bits, exponent_min)
    }

    /// The largest error in ulps of a block of results, and its argument.
    fn worst<T: Float>(x: &[T], y: &[T], exact: &[f64], bound: &Bound) -> (f64, T) {
        let mut worst = (0.0, T::ZERO);
        for ((&x, &y), &exact) in x.iter().zip(y).zip(exact) {
            let allowed = bound.absolute * T::EPSILON.to_f64() * exact.abs().max(1.0);
            if (y.to_f64() - exact).abs() <= allowed {
                continue;
            }
            let error = error_ulps(y, exact);
            if error > worst.0 {
                worst = (error, x);
            }
        }
        worst
    }

    /// A message for every instruction set on which `f` breaks the bound.
    fn failures<T: Float>(
        case: &Case,
        f: fn(View<'_, T>, &mut [T]),
        bound: &Bound,
        ulps: f64,
        x: &[T],
    ) -> Vec<String> {
        let exact: Vec<f64> = x.iter().map(|x| (case.reference)(x.to_f64())).collect();
        let mut y = vec![T::ZERO; x.len()];
        let mut failures = Vec::new();
        for &isa in arch::available() {
            arch::with(isa, || f(View::flat(x), &mut y));
            let (error, at) = worst(x, &y, &exact, bound);
            if error > ulps {
                failures.push(format!(
                    "{} of {at:?} on {isa}: {error:.2} ulps, bound {ulps}",
                    case.name
                ));
            }
        }
        failures
    }

    /// Every sign and exponent, mantissas by a stride; and a dense range around 0.
    fn sample_f32() -> Vec<f32> {
        let spread = (0..=u32::MAX).step_by(49_999).map(f32::from_bits);
        let dense = (-20_000..20_000).map(|i| i as f32 * 0.002_3);
        let special = [0.0, -0.0, 1.0, -1.0, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY];
        spread.chain(dense).chain(special).collect()
    }

    fn sample_f64() -> Vec<f64> {
        let spread = (0..1 << 16).map(|i: u64| f64::from_bits(i * 0x0000_FFFF_1234_5671));
        let dense = (-20_000..20_000).map(|i| f64::from(i) * 0.002_3);
        let special = [0.0, -0.0, 1.0, -1.0, f64::MAX, f64::MIN, f64::INFINITY, f64::NEG_INFINITY];
        spread.chain(dense).chain(special).collect()
    }

    #[test]
    fn f32_is_within_bounds() {
        let x = sample_f32();
        let failures: Vec<String> = cases()
            .flat_map(|(case, bound)| failures(case, case.f32, bound, bound.f32_ulps, &x))
            .collect();
        assert!(failures.is_empty(), "{failures:#?}");
    }

    /// The twin is itself off by up to 2 ulps, hence the slack.
    #[test]
    fn f64_is_within_bounds() {
        let x = sample_f64();
        let failures: Vec<String> = cases()
            .flat_map(|(case, bound)| failures(case, case.f64, bound, bound.f64_ulps + 2.0, &x))
            .collect();
        assert!(failures.is_empty(), "{failures:#?}");
    }

    #[test]
    fn zeros_keep_their_sign() {
        let odd = [
            "expm1",
            "log1p",
            "tanh",
            "silu",
            "mish",
            "erf",
            "gelu",
            "gelu_tanh",
            "sin",
            "tan",
            "asin",
            "atan",
            "sinh",
            "asinh",
            "atanh",
        ];
        for (case, _) in cases().filter(|(case, _)| odd.contains(&case.name)) {
            for &isa in arch::available() {
                let (mut y32, mut y64) = ([1.0f32; 2], [1.0f64; 2]);
                arch::with(isa, || {
                    (case.f32)(View::flat(&[0.0, -0.0]), &mut y32);
                    (case.f64)(View::flat(&[0.0, -0.0]), &mut y64);
                });
                assert_eq!(y32.map(f32::to_bits), [0, 1 << 31], "{} on {isa}", case.name);
                assert_eq!(y64.map(f64::to_bits), [0, 1 << 63], "{} on {isa}", case.name);
            }
        }
    }

    /// Holds one function to its bound on every f32.
    fn sweep(name: &str) {
        const BLOCK: u32 = 1 << 16;
        let (case, bound) = cases().find(|(case, _)| case.name == name).expect("a case");
        let mut worst_of_all = vec![(0.0, 0.0); arch::available().len()];
        let mut exact = vec![0.0; BLOCK as usize];
        let mut y = vec![0.0; BLOCK as usize];
        for block in 0..=u32::MAX / BLOCK {
            let x: Vec<f32> = (0..BLOCK).map(|i| f32::from_bits(block * BLOCK + i)).collect();
            for (exact, &x) in exact.iter_mut().zip(&x) {
                *exact = (case.reference)(f64::from(x));
            }
            for (&isa, worst_of_all) in arch::available().iter().zip(&mut worst_of_all) {
                arch::with(isa, || (case.f32)(View::flat(&x), &mut y));
                let here = worst(&x, &y, &exact, bound);
                if here.0 > worst_of_all.0 {
                    *worst_of_all = here;
                }
            }
        }
        for (&isa, &(error, at)) in arch::available().iter().zip(&worst_of_all) {
            println!("{name} on {isa}: {error:.3} ulps at {at:e}");
        }
        for (error, at) in worst_of_all {
            assert!(error <= bound.f32_ulps, "{name} of {at:e}: bound {}", bound.f32_ulps);
        }
    }

    macro_rules! sweeps {
        ($($name:ident)*) => {
            mod sweep {
                $(
                    #[test]
                    #[ignore = "exhaustive: every f32, two to four minutes on a core of its own"]
                    fn $name() {
                        super::sweep(stringify!($name));
                    }
                )*
            }
        };
    }

    sweeps! {
        exp exp2 expm1 log log2 log1p tanh sigmoid silu silu_slope softplus logsigmoid mish
        mish_slope erf erfc gelu gelu_slope gelu_tanh gelu_tanh_slope sin cos tan asin acos atan
        sinh cosh asinh acosh atanh
    }
}
