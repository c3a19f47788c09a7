//! Shared tests of all optimizers, on functions whose minima are known; and PyTorch's numbers.

use backstitch_tensor::{Param, Tensor};

use super::*;

type Make = fn() -> Box<dyn Optimizer<f64>>;

/// What the shared tests need to know about an optimizer.
struct Entry {
    /// Its name in `tests/golden/optimizers.csv`, where it is there.
    name: &'static str,
    make: Make,
    /// The learning rate of the golden trajectory.
    golden_lr: f64,
    /// Learning rates and numbers of steps that reach the minima of the parabola and of
    /// Rosenbrock's function.
    parabola: (f64, usize),
    rosenbrock: (f64, usize),
}

macro_rules! entry {
    ($name:literal, $kind:ident($($config:tt)+), $lr:expr, $parabola:expr, $rosenbrock:expr) => {
        Entry {
            name: $name,
            make: || Box::new($kind::new($($config)+)),
            golden_lr: $lr,
            parabola: $parabola,
            rosenbrock: $rosenbrock,
        }
    };
}

const SGD: SgdConfig = SgdConfig {
    momentum: 0.9,
    momentum_form: MomentumForm::HeavyBall,
    dampening: 0.0,
    nesterov: false,
    weight_decay: 0.0,
    decoupled: false,
};

/// The registry of optimizers.
#[rustfmt::skip]
fn registry() -> Vec<Entry> {
    vec![
        entry!("sgd", Sgd(SgdConfig::default()), 0.05, (0.1, 200), (1e-3, 20_000)),
        entry!("sgd momentum", Sgd(SGD), 0.01, (0.05, 300), (5e-4, 4_000)),
        entry!("sgd dampening", Sgd(SgdConfig { dampening: 0.4, ..SGD }), 0.05, (0.05, 400), (5e-4, 7_000)),
        entry!("sgd nesterov", Sgd(SgdConfig { nesterov: true, ..SGD }), 0.01, (0.05, 300), (5e-4, 4_000)),
        entry!("sgd decay", Sgd(SgdConfig { weight_decay: 0.1, ..SGD }), 0.01, (0.0, 0), (0.0, 0)),
        entry!("adam", Adam(AdamConfig::default()), 0.1, (0.1, 600), (0.02, 5_000)),
        entry!("adam decay", Adam(AdamConfig { betas: (0.8, 0.9), eps: 1e-3, weight_decay: 0.1, ..AdamConfig::default() }), 0.1, (0.0, 0), (0.0, 0)),
        entry!("adam amsgrad", Adam(AdamConfig { amsgrad: true, ..AdamConfig::default() }), 0.1, (0.1, 600), (0.02, 8_000)),
        entry!("adamw", AdamW(AdamWConfig::default()), 0.1, (0.0, 0), (0.0, 0)),
        entry!("adamw amsgrad", AdamW(AdamWConfig { amsgrad: true, weight_decay: 0.3, ..AdamWConfig::default() }), 0.1, (0.0, 0), (0.0, 0)),
        entry!("rmsprop", RmsProp(RmsPropConfig::default()), 0.05, (1e-3, 4_000), (1e-3, 8_000)),
        entry!("rmsprop momentum", RmsProp(RmsPropConfig { alpha: 0.9, momentum: 0.9, weight_decay: 0.1, ..RmsPropConfig::default() }), 0.01, (0.0, 0), (0.0, 0)),
        entry!("rmsprop centered", RmsProp(RmsPropConfig { centered: true, eps: 1e-3, ..RmsPropConfig::default() }), 0.01, (1e-3, 4_000), (1e-3, 8_000)),
        entry!("rmsprop both", RmsProp(RmsPropConfig { centered: true, momentum: 0.5, eps: 1e-3, ..RmsPropConfig::default() }), 0.01, (1e-3, 4_000), (1e-3, 8_000)),
        entry!("adagrad", Adagrad(AdagradConfig::default()), 0.1, (0.5, 500), (0.5, 10_000)),
        entry!("adagrad decay", Adagrad(AdagradConfig { lr_decay: 0.05, weight_decay: 0.1, initial_accumulator_value: 0.2, ..AdagradConfig::default() }), 0.1, (0.0, 0), (0.0, 0)),
    ]
}

/// Gradients that are given, not computed: those of `Σ p g`.
fn gradients(
    params: &[Param<f64>],
    gradient: impl Fn(usize, &Param<f64>) -> Tensor<f64>,
) -> Gradients<f64> {
    let terms = params.iter().enumerate().map(|(i, p)| (&**p * gradient(i, p)).sum());
    terms.reduce(|a, b| a + b).expect("there is a parameter").backward()
}

fn params(values: &[f64]) -> Vec<Param<f64>> {
    values.iter().map(|&value| Param::new(Tensor::scalar(value))).collect()
}

fn values(params: &[Param<f64>]) -> Vec<f64> {
    params.iter().map(|p| p.item()).collect()
}

/// The gradient of `tests/golden/optimizers.py`.
fn golden_gradient(t: usize, i: usize, p: f64) -> f64 {
    let (a, c) = ([1.0, 10.0, 0.1, 3.0][i], [0.0, 1.0, -2.0, 0.5][i]);
    a * (p - c) + 0.3 * ((t + i) as f64).cos()
}

#[expect(clippy::ptr_arg, reason = "a slice is no sized module")]
fn golden_step(optimizer: &mut dyn Optimizer<f64>, p: &mut Vec<Param<f64>>, t: usize, lr: f64) {
    let grads = gradients(p, |i, p| Tensor::scalar(golden_gradient(t, i, p.item())));
    optimizer.step(p, &grads, lr);
}

const START: [f64; 4] = [1.0, -1.0, 0.5, 2.0];

#[test]
fn trajectories_equal_pytorchs() {
    let golden = include_str!("../../tests/golden/optimizers.csv");
    let registry = registry();
    assert_eq!(golden.lines().count(), registry.len());
    for (line, entry) in golden.lines().zip(registry) {
        let mut cells = line.split(',');
        assert_eq!(cells.next(), Some(entry.name));
        let expected: Vec<f64> = cells.map(|cell| cell.parse().unwrap()).collect();
        let (mut p, mut optimizer) = (params(&START), (entry.make)());
        let mut found = Vec::new();
        for t in 0..20 {
            golden_step(&mut *optimizer, &mut p, t, entry.golden_lr);
            if [1, 5, 20].contains(&(t + 1)) {
                found.extend(values(&p));
            }
        }
        for (found, expected) in found.iter().zip(&expected) {
            // The order of a few operations differs; 20 steps of gain below 2 amplify that.
            assert!((found - expected).abs() < 1e-12, "{}: {found} is not {expected}", entry.name);
        }
        assert_eq!(found.len(), expected.len());
    }
}

#[test]
fn minima_are_found() {
    let parabola = |x: &Tensor<f64>, y: &Tensor<f64>| {
        let (x, y) = (x - 1.0, y + 2.0);
        &x * &x + &y * &y * 3.0
    };
    let rosenbrock = |x: &Tensor<f64>, y: &Tensor<f64>| {
        let (slope, valley) = (1.0 - x, y - x * x);
        &slope * &slope + &valley * &valley * 100.0
    };
    type Function<'a> = &'a dyn Fn(&Tensor<f64>, &Tensor<f64>) -> Tensor<f64>;
    let check =
        |entry: &Entry, (lr, steps): (f64, usize), f: Function, at: [f64; 2], within: f64| {
            let (mut p, mut optimizer) = (params(&[-1.0, 1.0]), (entry.make)());
            for _ in 0..steps {
                let grads = f(&p[0], &p[1]).backward();
                optimizer.step(&mut p, &grads, lr);
            }
            let off = |i: usize| (p[i].item() - at[i]).abs();
            assert!(
                steps == 0 || (off(0) < within && off(1) < within),
                "{}: {:?} is not {at:?}",
                entry.name,
                values(&p)
            );
        };
    for entry in registry() {
        check(&entry, entry.parabola, &parabola, [1.0, -2.0], 5e-3);
        check(&entry, entry.rosenbrock, &rosenbrock, [1.0, 1.0], 2e-2);
    }
}

#[test]
fn a_zero_gradient_changes_nothing_but_by_weight_decay() {
    for entry in registry() {
        let (mut p, mut optimizer) = (params(&START), (entry.make)());
        let grads = gradients(&p, |_, _| Tensor::scalar(0.0));
        optimizer.step(&mut p, &grads, 0.1);
        let decays = entry.name.contains("decay")
            || entry.name.contains("adamw")
            || entry.name == "rmsprop momentum";
        assert_eq!(values(&p) == START, !decays, "{}", entry.name);
    }
}

#[test]
fn a_parameter_without_gradient_is_left_alone() {
    for entry in registry() {
        let (mut p, mut optimizer) = (params(&START), (entry.make)());
        golden_step(&mut *optimizer, &mut p, 0, 0.1);
        let before = values(&p);
        let grads = (&*p[1] * 2.0).backward();
        optimizer.step(&mut p, &grads, 0.1);
        let after = values(&p);
        assert_eq!(
            [after[0], after[2], after[3]],
            [before[0], before[2], before[3]],
            "{}",
            entry.name
        );
        assert_ne!(after[1], before[1], "{}", entry.name);
        assert_eq!(grads.get(&p[1]).unwrap().item(), 2.0, "{}: gradients stay", entry.name);
    }
}

#[test]
fn resumed_equals_uninterrupted() {
    for entry in registry() {
        let (mut p, mut optimizer) = (params(&START), (entry.make)());
        // The last parameter misses a step, so that steps differ between parameters.
        let grads = gradients(&p[..3], |_, _| Tensor::scalar(0.5));
        optimizer.step(&mut p, &grads, 0.1);
        for t in 0..5 {
            golden_step(&mut *optimizer, &mut p, t, 0.1);
        }
        let mut resumed_p = params(&values(&p));
        let mut resumed = (entry.make)();
        let state = optimizer.state();
        resumed.load_state(&resumed_p, &state).unwrap();
        assert_eq!(resumed.state().steps, state.steps);
        for t in 5..10 {
            golden_step(&mut *optimizer, &mut p, t, 0.1);
            golden_step(&mut *resumed, &mut resumed_p, t, 0.1);
            assert_eq!(values(&p), values(&resumed_p), "{}", entry.name);
        }
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused_with_all_problems() {
    let (mut p, mut optimizer) = (params(&[1.0, 2.0]), Adam::new(AdamConfig::default()));
    golden_step(&mut optimizer, &mut p, 0, 0.1);
    let mut state = optimizer.state();
    state.tensors.remove("0.exp_avg");
    state.tensors.insert("1.exp_avg_sq".into(), Tensor::zeros([2]));
    state.tensors.insert("1.sum".into(), Tensor::zeros([]));
    state.steps.insert("2".into(), 7);
    let error = optimizer.load_state(&p, &state).unwrap_err();
    assert_eq!(
        error.to_string(),
        "adam: the state does not fit: 0.exp_avg: missing; 1.exp_avg_sq: needs shape []; got [2]; \
         2: the model has no such parameter; 1.sum: unexpected"
    );
    assert_eq!(optimizer.state().steps["0"], 1, "the optimizer is unchanged");
    assert_eq!(optimizer.state().tensors.len(), 4);
}

#[test]
fn state_follows_the_names_through_clones_and_freezing() {
    let config = SgdConfig { momentum: 0.5, ..SgdConfig::default() };
    let (mut p, mut optimizer) = (params(&[1.0, 1.0]), Sgd::new(config));
    let step = |optimizer: &mut Sgd<f64>, p: &mut Vec<Param<f64>>| {
        let trainable = p.iter().filter(|p| p.is_trainable()).map(|p| p.sum());
        let grads = trainable.reduce(|a, b| a + b).unwrap().backward();
        optimizer.step(p, &grads, 1.0);
    };
    step(&mut optimizer, &mut p); // both: u = 1
    assert_eq!(values(&p), [0.0, 0.0]);
    let mut p = p.clone();
    step(&mut optimizer, &mut p); // both: u = 1.5
    assert_eq!(values(&p), [-1.5, -1.5]);
    p[0].set_trainable(false);
    step(&mut optimizer, &mut p); // the second: u = 1.75
    assert_eq!(values(&p), [-1.5, -3.25]);
    assert_eq!(optimizer.state().tensors["0.momentum_buffer"].item(), 1.5);
    p[0].set_trainable(true);
    step(&mut optimizer, &mut p); // u = 1.75 and 1.875
    assert_eq!(values(&p), [-3.25, -5.125]);
}

#[test]
fn groups_have_rates_and_decay_of_their_own() {
    let config = SgdConfig { weight_decay: 0.5, ..SgdConfig::default() };
    let groups = [
        Group { weight_decay: Some(0.0), ..Group::new(|_, shape| shape.is_empty()) },
        Group { lr_factor: 0.5, ..Group::new(|name, _| name.starts_with('1')) },
        Group { lr_factor: 100.0, ..Group::new(|name, _| name == "0") },
    ];
    let mut p = [[1.0; 2], [1.0; 2]].map(|p| Param::new(Tensor::from(p))).to_vec();
    p.push(Param::new(Tensor::scalar(1.0)));
    let mut optimizer = Sgd::with_groups(config, groups);
    let grads = gradients(&p, |_, p| Tensor::ones(p.shape()));
    optimizer.step(&mut p, &grads, 0.1);
    // 1 - lr (1 + decay)
    let expected = [1.0 - 0.1 * 100.0 * 1.5, 1.0 - 0.1 * 0.5 * 1.5, 1.0 - 0.1];
    for (p, expected) in p.iter().zip(expected) {
        assert!(p.to_vec().iter().all(|p| (p - expected).abs() < 1e-12), "{p:?}");
    }
}

#[test]
fn gradients_of_any_layout_are_read_in_order() {
    let w = Param::new(Tensor::<f64>::zeros([2, 3]));
    let slopes = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let mut grads = w.sum().backward();
    grads.set(&w, slopes.transpose(0, 1));
    let (mut w, mut optimizer) = (w, Sgd::new(SgdConfig::default()));
    optimizer.step(&mut w, &grads, 1.0);
    assert_eq!(w.to_vec(), [-1.0, -3.0, -5.0, -2.0, -4.0, -6.0]);

    assert_eq!(grad_norm(&grads), 91f64.sqrt());
    assert_eq!(clip_grad_norm(&mut grads, 91f64.sqrt() / 2.0), 91f64.sqrt());
    assert!((grads.get(&w).unwrap().at(&[1, 0]) - 1.0).abs() < 1e-6);
    clip_grad_value(&mut grads, 0.75);
    assert_eq!(grads.get(&w).unwrap().at(&[1, 0]), 0.75);
    assert_eq!(clip_grad_norm(&mut grads, 100.0), grad_norm(&grads), "small ones stay");
}

/// One parameter, gradients 1, -0.5, 0.25 and so on, against a formula for each step.
#[track_caller]
fn check_steps(mut optimizer: impl Optimizer<f64>, mut formula: impl FnMut(i32, f64, f64) -> f64) {
    let (mut p, mut expected) = (params(&[1.0]), 1.0);
    for t in 1..=12 {
        let g = (-0.5f64).powi(t - 1);
        let grads = gradients(&p, |_, _| Tensor::scalar(g));
        optimizer.step(&mut p, &grads, 0.1);
        expected = formula(t, expected, g);
        assert!(
            (p[0].item() - expected).abs() < 1e-14,
            "step {t}: {} is not {expected}",
            p[0].item()
        );
    }
}

#[test]
fn averaged_momentum_follows_the_course() {
    let config = |momentum_form| SgdConfig { momentum: 0.9, momentum_form, ..SgdConfig::default() };
    let mut u = 0.0;
    check_steps(Sgd::new(config(MomentumForm::Ema)), |_, p, g| {
        u = 0.9 * u + 0.1 * g;
        p - 0.1 * u
    });
    let mut u = 0.0;
    check_steps(Sgd::new(config(MomentumForm::UnbiasedEma)), |t, p, g| {
        u = 0.9 * u + 0.1 * g;
        p - 0.1 * u / (1.0 - 0.9f64.powi(t))
    });
}

#[test]
fn decoupled_decay_bypasses_momentum() {
    let config =
        SgdConfig { momentum: 0.5, weight_decay: 0.3, decoupled: true, ..SgdConfig::default() };
    let mut u = 0.0;
    check_steps(Sgd::new(config), |t, p, g| {
        u = if t == 1 { g } else { 0.5 * u + g };
        p - 0.1 * 0.3 * p - 0.1 * u
    });
}

#[test]
fn adam_without_correction_and_with_epsilon_inside() {
    let config = AdamConfig {
        bias_correction: false,
        eps: 1e-2,
        eps_inside_root: true,
        ..AdamConfig::default()
    };
    let (mut m, mut v) = (0.0, 0.0);
    check_steps(Adam::new(config), |_, p, g| {
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        p - 0.1 * m / f64::sqrt(v + 1e-2)
    });
}

#[test]
fn rmsprop_with_epsilon_inside() {
    let config =
        RmsPropConfig { alpha: 0.9, eps: 1e-3, eps_inside_root: true, ..RmsPropConfig::default() };
    let mut v = 0.0;
    check_steps(RmsProp::new(config), |_, p, g| {
        v = 0.9 * v + 0.1 * g * g;
        p - 0.1 * g / f64::sqrt(v + 1e-3)
    });
}

#[test]
fn nesterov_looks_ahead() {
    let config =
        SgdConfig { momentum: 0.9, momentum_form: MomentumForm::Ema, ..SgdConfig::default() };
    let mut optimizer = Sgd::new(config);
    let (mut p, mut expected, mut u) = (params(&[1.0]), 1.0, 0.0);
    for _ in 0..12 {
        optimizer.step_ahead(&mut p, 0.1, |p| (&*p[0] * &*p[0] * &*p[0]).backward());
        let ahead: f64 = expected - 0.1 * u;
        u = 0.9 * u + 0.1 * 3.0 * ahead * ahead;
        expected -= 0.1 * u;
        assert!((p[0].item() - expected).abs() < 1e-14, "{} is not {expected}", p[0].item());
    }
}

/// A table's gradient as rows: after steps that use symbols 1 and 3, then 3 and 0, the same
/// weights as with dense gradients; but the averages of rows that are not used do not move them.
#[test]
fn gradients_of_rows_move_those_rows_alone() {
    use crate::Embedding;
    use backstitch_tensor::Rng;

    let run = |mut optimizer: Box<dyn Optimizer<f64>>, sparse: bool| {
        let mut words = Embedding::<f64>::new(5, 2, &mut Rng::seed(3));
        words.sparse = sparse;
        let mut trace = vec![words.weight.to_vec()];
        for used in [[1i64, 3], [3, 0]] {
            let grads = words.forward(&Tensor::from(used)).square().sum().backward();
            assert_eq!(grads.rows(&words.weight).is_some(), sparse);
            assert!(grads.missing(&words).is_empty());
            optimizer.step(&mut words, &grads, 0.1);
            trace.push(words.weight.to_vec());
        }
        trace
    };
    let sgd = |sparse| run(Box::new(Sgd::new(SgdConfig::default())), sparse);
    assert_eq!(sgd(true), sgd(false));
    let adagrad = |sparse| run(Box::new(Adagrad::new(AdagradConfig::default())), sparse);
    assert_eq!(adagrad(true), adagrad(false));
    let adam = |sparse| run(Box::new(Adam::new(AdamConfig::default())), sparse);
    let (dense, sparse) = (adam(false), adam(true));
    assert_eq!(sparse[1], dense[1]);
    for row in 0..5 {
        let at = |step: &Vec<f64>| step[2 * row..][..2].to_vec();
        match row {
            3 => assert_eq!(at(&sparse[2]), at(&dense[2])),
            0 => assert_ne!(at(&sparse[2]), at(&sparse[1])),
            _ => assert_eq!(at(&sparse[2]), at(&sparse[1])),
        }
    }
}

/// The message of a step of these gradients at this learning rate.
fn refusal(model: &mut Param<f64>, grads: &Gradients<f64>, lr: f64) -> String {
    let step = || Sgd::new(SGD).step(model, grads, lr);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)).unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[test]
fn steps_that_would_spoil_or_change_nothing_are_refused() {
    let mut model = Param::new(Tensor::from([1.0, 2.0]));
    let grads = model.square().sum().backward();
    for (lr, shown) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-0.1, "-0.1")] {
        let message = refusal(&mut model, &grads, lr);
        assert_eq!(
            message,
            format!("sgd: needs a finite learning rate that is not negative; got {shown}")
        );
    }
    let message = refusal(&mut model.clone(), &grads, 0.1);
    assert!(message.starts_with("sgd: needs gradients of this model; got those of 1 other leaves"));
    // Nothing to change, or nothing to change it by.
    let mut frozen = model.clone();
    frozen.set_trainable(false);
    Sgd::new(SGD).step(&mut frozen, &grads, 0.1);
    assert_eq!(frozen.to_vec(), [1.0, 2.0]);
    // A refused step forgets nothing.
    let mut optimizer = Adam::new(AdamConfig::default());
    optimizer.step(&mut model, &grads, 0.1);
    let remembered = |optimizer: &Adam<f64>| format!("{:?}", optimizer.state());
    let before = remembered(&optimizer);
    let other = Param::new(Tensor::from([1.0, 2.0])).sum().backward();
    let step = || optimizer.step(&mut model, &other, 0.1);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)).is_err());
    assert_eq!(remembered(&optimizer), before);
}
