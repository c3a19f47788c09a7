//! Every step against the printed algorithm, in `f64`, one element at a time.

use super::*;
use crate::testing::*;

const STEPS: u64 = 12;
/// Lengths of the parameters: none, one, odd, and more than a piece.
const LENS: [usize; 5] = [0, 1, 37, PIECE, PIECE + 5];

/// Gradients of step `t`.
fn gradients(t: u64) -> Vec<Vec<f64>> {
    LENS.iter().map(|&len| values(len, 100 * t + len as u64)).collect()
}

fn parameters() -> Vec<Vec<f64>> {
    LENS.iter().map(|&len| values(len, len as u64)).collect()
}

fn zeros() -> Vec<Vec<f64>> {
    LENS.iter().map(|&len| vec![0.0; len]).collect()
}

/// Decay and clipping, as the algorithms print them: the decayed parameter, and the gradient.
fn decayed(decay: Decay, lr: f64, p: f64, g: f64) -> (f64, f64) {
    match decay {
        Decay::None => (p, g),
        Decay::L2(weight) => (p, g + weight * p),
        Decay::Decoupled(weight) => (p - lr * weight * p, g),
    }
}

/// Runs `step` and `naive` side by side and compares all parameters after each step.
fn check(
    context: impl std::fmt::Debug,
    mut step: impl FnMut(&mut [Vec<f64>], &[Vec<f64>], u64),
    mut naive: impl FnMut((usize, usize), f64, f64, u64) -> f64,
) {
    let (mut got, mut want) = (parameters(), parameters());
    for t in 1..=STEPS {
        let g = gradients(t);
        step(&mut got, &g, t);
        for (i, (p, g)) in want.iter_mut().zip(&g).enumerate() {
            for (j, (p, &g)) in p.iter_mut().zip(g).enumerate() {
                *p = naive((i, j), *p, g, t);
            }
        }
        for (got, want) in got.iter().zip(&want) {
            assert_within((&context, t), got, want, |i| 1e-13 * (1.0 + want[i].abs()));
        }
    }
}

const DECAYS: [Decay; 3] = [Decay::None, Decay::L2(0.1), Decay::Decoupled(0.1)];

#[test]
fn sgd_equals_the_algorithm() {
    let heavy =
        |dampening, nesterov| Momentum::HeavyBall { beta: 0.9, dampening, nesterov, first: false };
    let ema = Momentum::Ema { beta: 0.9, correction: 1.0 };
    let kinds = [Momentum::None, heavy(0.0, false), heavy(0.5, false), heavy(0.0, true), ema];
    for kind in kinds {
        for decay in DECAYS {
            check_sgd(kind, decay);
        }
    }
}

fn check_sgd(kind: Momentum, decay: Decay) {
    let lr = 0.1;
    let at = |t: u64| match kind {
        Momentum::HeavyBall { beta, dampening, nesterov, .. } => {
            Momentum::HeavyBall { beta, dampening, nesterov, first: t == 1 }
        }
        Momentum::Ema { beta, .. } => Momentum::Ema { beta, correction: 1.0 - beta.powi(t as i32) },
        Momentum::None => kind,
    };
    let (mut velocity, mut u) = (zeros(), zeros());
    check(
        (kind, decay),
        |p, g, t| {
            let slices = p.iter_mut().zip(g).zip(&mut velocity);
            let mut slices: Vec<_> = slices
                .map(|((p, g), u)| SgdSlices {
                    p,
                    g,
                    velocity: (kind != Momentum::None).then_some(u),
                })
                .collect();
            let step = SgdStep { lr, momentum: at(t), decay, grad_scale: 0.5 };
            sgd(&mut slices, &step);
        },
        |(i, j), p, g, t| {
            let (p, g) = decayed(decay, lr, p, 0.5 * g);
            let u = &mut u[i][j];
            p - lr
                * match at(t) {
                    Momentum::None => g,
                    Momentum::Ema { beta, correction } => {
                        *u = beta * *u + (1.0 - beta) * g;
                        *u / correction
                    }
                    Momentum::HeavyBall { beta, dampening, nesterov, first } => {
                        *u = if first { g } else { beta * *u + (1.0 - dampening) * g };
                        if nesterov { g + beta * *u } else { *u }
                    }
                }
        },
    );
}

#[test]
fn adam_equals_the_algorithm() {
    for decay in DECAYS {
        for (amsgrad, corrected, inside) in
            [(false, true, false), (true, true, false), (false, false, false), (false, true, true)]
        {
            check_adam(decay, amsgrad, corrected, inside);
        }
    }
}

fn check_adam(decay: Decay, amsgrad: bool, corrected: bool, eps_inside_root: bool) {
    let at = |t: u64| {
        let step = AdamStep { decay, eps: 1e-3, eps_inside_root, ..AdamStep::new(0.01, t) };
        if corrected { step } else { AdamStep { correction1: 1.0, correction2: 1.0, ..step } }
    };
    let (mut m, mut v, mut v_max) = (zeros(), zeros(), zeros());
    let (mut nm, mut nv, mut nv_max) = (zeros(), zeros(), zeros());
    check(
        (decay, amsgrad, corrected, eps_inside_root),
        |p, g, t| {
            let slices = p.iter_mut().zip(g).zip(&mut m).zip(&mut v).zip(&mut v_max);
            let mut slices: Vec<_> = slices
                .map(|((((p, g), m), v), v_max)| AdamSlices {
                    p,
                    g,
                    m,
                    v,
                    v_max: amsgrad.then_some(v_max),
                })
                .collect();
            adam(&mut slices, &at(t));
        },
        |(i, j), p, g, t| {
            let step = at(t);
            let (p, g) = decayed(decay, step.lr, p, g);
            let (m, v, v_max) = (&mut nm[i][j], &mut nv[i][j], &mut nv_max[i][j]);
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.999 * *v + 0.001 * g * g;
            *v_max = v_max.max(*v);
            let (c1, c2) = if corrected {
                (1.0 - 0.9f64.powi(t as i32), 1.0 - 0.999f64.powi(t as i32))
            } else {
                (1.0, 1.0)
            };
            let v = if amsgrad { *v_max } else { *v } / c2;
            let root = if eps_inside_root { (v + 1e-3).sqrt() } else { v.sqrt() + 1e-3 };
            p - 0.01 * (*m / c1) / root
        },
    );
}

#[test]
fn rmsprop_equals_the_algorithm() {
    for decay in DECAYS {
        for (centered, momentum, inside) in [
            (false, 0.0, false),
            (false, 0.0, true),
            (true, 0.0, false),
            (false, 0.9, false),
            (true, 0.9, true),
        ] {
            check_rmsprop(decay, centered, momentum, inside);
        }
    }
}

fn check_rmsprop(decay: Decay, centered: bool, momentum: f64, eps_inside_root: bool) {
    let step = RmsPropStep {
        lr: 0.01,
        alpha: 0.99,
        eps: 1e-2,
        eps_inside_root,
        momentum,
        decay,
        grad_scale: 1.0,
    };
    let (mut v, mut mean, mut u) = (zeros(), zeros(), zeros());
    let (mut nv, mut nmean, mut nu) = (zeros(), zeros(), zeros());
    check(
        (decay, centered, momentum, eps_inside_root),
        |p, g, _| {
            let slices = p.iter_mut().zip(g).zip(&mut v).zip(&mut mean).zip(&mut u);
            let mut slices: Vec<_> = slices
                .map(|((((p, g), v), mean), u)| RmsPropSlices {
                    p,
                    g,
                    v,
                    mean: centered.then_some(mean),
                    velocity: (momentum > 0.0).then_some(u),
                })
                .collect();
            rmsprop(&mut slices, &step);
        },
        |(i, j), p, g, _| {
            let (p, g) = decayed(decay, step.lr, p, g);
            let (v, mean, u) = (&mut nv[i][j], &mut nmean[i][j], &mut nu[i][j]);
            *v = 0.99 * *v + 0.01 * g * g;
            *mean = 0.99 * *mean + 0.01 * g;
            let v = if centered { *v - *mean * *mean } else { *v };
            let root = if eps_inside_root { (v + 1e-2).sqrt() } else { v.sqrt() + 1e-2 };
            *u = momentum * *u + g / root;
            p - 0.01 * *u
        },
    );
}

#[test]
fn adagrad_equals_the_algorithm() {
    for decay in DECAYS {
        let step = AdagradStep { lr: 0.1, eps: 1e-10, decay, grad_scale: 1.0 };
        let (mut sum, mut nsum) = (zeros(), zeros());
        check(
            decay,
            |p, g, _| {
                let slices = p.iter_mut().zip(g).zip(&mut sum);
                let mut slices: Vec<_> =
                    slices.map(|((p, g), sum)| AdagradSlices { p, g, sum }).collect();
                adagrad(&mut slices, &step);
            },
            |(i, j), p, g, _| {
                let (p, g) = decayed(decay, step.lr, p, g);
                nsum[i][j] += g * g;
                p - 0.1 * g / (nsum[i][j].sqrt() + 1e-10)
            },
        );
    }
}

/// Adam on f32, forced through every instruction set, against the f64 step.
#[test]
fn instruction_sets_agree_within_rounding() {
    let (p, g): (Vec<f64>, Vec<f64>) = (values(1003, 1), values(1003, 2));
    let run = |p: &mut [f64], g: &[f64]| {
        let (mut m, mut v) = (vec![0.1; 1003], vec![0.2; 1003]);
        let (m, v, v_max) = (&mut m[..], &mut v[..], None);
        adam(&mut [AdamSlices { p, g, m, v, v_max }], &AdamStep::new(0.1, 3));
    };
    let mut want = p.clone();
    run(&mut want, &g);
    on_each_isa(|isa| {
        let mut p: Vec<f32> = p.iter().map(|&p| p as f32).collect();
        let g: Vec<f32> = g.iter().map(|&g| g as f32).collect();
        let (mut m, mut v) = (vec![0.1; 1003], vec![0.2; 1003]);
        let slices = AdamSlices { p: &mut p, g: &g, m: &mut m, v: &mut v, v_max: None };
        adam(&mut [slices], &AdamStep::new(0.1, 3));
        assert_within(isa, &p, &want, |i| 4e-7 * (1.0 + want[i].abs()));
    });
}

#[test]
fn norm_scale_and_clamp() {
    let mut x: Vec<Vec<f64>> = parameters();
    let slices: Vec<&[f64]> = x.iter().map(|x| &x[..]).collect();
    let want: f64 = x.iter().flatten().map(|x| x * x).sum();
    let got = norm_squared(&slices);
    assert!((got - want).abs() < 1e-12 * want, "{got} {want}");
    assert_same_on_threads(|| norm_squared(&slices).to_bits());
    assert_eq!(norm_squared::<f32>(&[]), 0.0);

    let before = x.clone();
    let mut slices: Vec<&mut [f64]> = x.iter_mut().map(|x| &mut x[..]).collect();
    scale(&mut slices, 0.25);
    clamp(&mut slices, -0.1, 0.2);
    for (x, before) in x.iter().flatten().zip(before.iter().flatten()) {
        assert_eq!(*x, (before * 0.25).clamp(-0.1, 0.2));
    }
    let mut nan = [f32::NAN, f32::INFINITY];
    clamp(&mut [&mut nan[..]], -1.0, 1.0);
    assert!(nan[0].is_nan());
    assert_eq!(nan[1], 1.0);
}

#[test]
fn threads_do_not_change_bits() {
    let g: Vec<f32> = values(200_000, 1);
    assert_same_on_threads(|| {
        let mut p: Vec<f32> = values(200_000, 2);
        let (mut m, mut v) = (vec![0.0; 200_000], vec![0.0; 200_000]);
        let slices = AdamSlices { p: &mut p, g: &g, m: &mut m, v: &mut v, v_max: None };
        adam(&mut [slices], &AdamStep::new(0.1, 1));
        bits(&p)
    });
}

#[test]
#[should_panic(expected = "needs gradient and state of the parameter's 2 elements")]
fn a_short_gradient_is_refused() {
    let (mut m, mut v) = ([0.0; 2], [0.0; 2]);
    let slices =
        AdamSlices { p: &mut [0.0f32; 2], g: &[0.0; 1], m: &mut m, v: &mut v, v_max: None };
    adam(&mut [slices], &AdamStep::new(0.1, 1));
}
