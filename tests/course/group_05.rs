//! Optimisers.

use std::path::Path;

use backstitch::prelude::*;
use backstitch::train::Checkpoint;
use backstitch::train::plots::{self, Curve};

use crate::support::{Real, all_close, close, digits, error_rate};

/// Where the trajectories start, and how strongly `½ Σ a w²` curves along each axis.
const START: [f64; 3] = [1.0, -2.0, 0.5];
const CURVATURE: [f64; 3] = [1.0, 4.0, 10.0];

fn quadratic(w: &Real) -> Real {
    (w.square() * Tensor::from(CURVATURE)).sum() * 0.5
}

/// Compares 12 steps on the quadratic with the direction that a formula gives each coordinate,
/// from the number of the step, the gradient, and two numbers that the coordinate remembers.
#[track_caller]
fn check_trajectory(
    mut optimizer: impl Optimizer<f64>,
    lr: f64,
    direction: impl Fn(i32, f64, &mut [f64; 2]) -> f64,
) {
    let (mut w, mut expected) = (Param::new(Tensor::from(START)), START);
    let mut memory = [[0.0; 2]; 3];
    for t in 1..=12 {
        let grads = quadratic(&w).backward();
        optimizer.step(&mut w, &grads, lr);
        for (i, expected) in expected.iter_mut().enumerate() {
            *expected -= lr * direction(t, CURVATURE[i] * *expected, &mut memory[i]);
        }
        all_close(&w.detach(), &Tensor::from(expected), 1e-13);
    }
}

fn momentum(beta: f64, momentum_form: MomentumForm) -> Sgd<f64> {
    Sgd::new(SgdConfig { momentum: beta, momentum_form, ..SgdConfig::default() })
}

#[test]
fn row_5_1_gradient_descent() {
    check_trajectory(Sgd::new(SgdConfig::default()), 0.05, |_, g, _| g);
}

#[test]
fn row_5_2_newton() {
    let start: Real = Tensor::from(START);
    // The minimum is at zero.
    all_close(&newton_step(quadratic, &start, 1.0), &Tensor::zeros([3]), 1e-13);
    all_close(&newton_step(quadratic, &start, 0.5), &(&start * 0.5), 1e-13);
    // The Hessian, by differentiating twice, and the same step by its inverse.
    let h = hessian(quadratic, &start);
    all_close(&h, &(Tensor::eye(3) * Tensor::from(CURVATURE)), 1e-14);
    let inverse: Real = Tensor::eye(3) / Tensor::from(CURVATURE);
    let g = grad(quadratic, &start).reshape([3, 1]);
    all_close(&inverse.matmul(&g).reshape([3]), &start, 1e-14);
}

#[test]
fn row_5_3_momentum_as_a_moving_average() {
    check_trajectory(momentum(0.9, MomentumForm::Ema), 0.1, |_, g, [u, _]| {
        *u = 0.9 * *u + 0.1 * g;
        *u
    });
    // PyTorch's form, the default, is another.
    assert_eq!(SgdConfig::default().momentum_form, MomentumForm::HeavyBall);
    check_trajectory(momentum(0.9, MomentumForm::HeavyBall), 0.01, |_, g, [u, _]| {
        *u = 0.9 * *u + g;
        *u
    });
}

/// How far each step goes after a gradient of 1 followed by none.
fn impulse_response(mut optimizer: Sgd<f64>, steps: usize) -> Vec<f64> {
    let mut w = Param::new(Tensor::scalar(0.0));
    let step = |k: usize| {
        let before = w.item();
        let gradient = if k == 0 { 1.0 } else { 0.0 };
        let grads = (&*w * gradient).backward();
        optimizer.step(&mut w, &grads, 1.0);
        before - w.item()
    };
    (0..steps).map(step).collect()
}

/// The printed expansion mixes `u` and older gradients; the weight of `g` from k steps ago is
/// `(1 - b) b^k`.
#[test]
fn row_5_4_expansion_of_momentum() {
    let response = impulse_response(momentum(0.8, MomentumForm::Ema), 20);
    for (k, weight) in response.into_iter().enumerate() {
        close(weight, 0.2 * 0.8f64.powi(k as i32), 1e-15);
    }
}

#[test]
fn row_5_5_unbiased_momentum() {
    check_trajectory(momentum(0.9, MomentumForm::UnbiasedEma), 0.05, |t, g, [u, _]| {
        *u = 0.9 * *u + 0.1 * g;
        *u / (1.0 - 0.9f64.powi(t))
    });
    // The first step is plain gradient descent's.
    let first = |mut optimizer: Sgd<f64>| {
        let mut w = Param::new(Tensor::from(START));
        let grads = quadratic(&w).backward();
        optimizer.step(&mut w, &grads, 0.05);
        w.detach()
    };
    let plain = first(Sgd::new(SgdConfig::default()));
    all_close(&first(momentum(0.9, MomentumForm::UnbiasedEma)), &plain, 1e-15);
}

/// The gradient is taken at `t - a u`, so the optimizer asks for it there.
#[test]
fn row_5_6_nesterov_looks_ahead() {
    let (mut w, mut expected, mut u) = (Param::new(Tensor::from(START)), START, [0.0; 3]);
    let mut optimizer = momentum(0.9, MomentumForm::Ema);
    for _ in 0..12 {
        optimizer.step_ahead(&mut w, 0.1, |w| quadratic(w).backward());
        for i in 0..3 {
            let ahead = expected[i] - 0.1 * u[i];
            u[i] = 0.9 * u[i] + 0.1 * CURVATURE[i] * ahead;
            expected[i] -= 0.1 * u[i];
        }
        all_close(&w.detach(), &Tensor::from(expected), 1e-13);
    }
}

#[test]
fn row_5_7_rmsprop_with_eps_inside_or_outside_the_root() {
    let rmsprop = |eps_inside_root| {
        RmsProp::new(RmsPropConfig {
            alpha: 0.9,
            eps: 1e-3,
            eps_inside_root,
            ..RmsPropConfig::default()
        })
    };
    let average = |g: f64, s: &mut f64| {
        *s = 0.9 * *s + 0.1 * g * g;
        *s
    };
    check_trajectory(rmsprop(true), 0.01, |_, g, [s, _]| g / (average(g, s) + 1e-3).sqrt());
    check_trajectory(rmsprop(false), 0.01, |_, g, [s, _]| g / (average(g, s).sqrt() + 1e-3));
    // PyTorch has it outside.
    assert!(!RmsPropConfig::default().eps_inside_root);
}

/// Adam's two averages.
fn averages(g: f64, [u, v]: &mut [f64; 2]) -> (f64, f64) {
    *u = 0.9 * *u + 0.1 * g;
    *v = 0.999 * *v + 0.001 * g * g;
    (*u, *v)
}

#[test]
fn row_5_8_adam() {
    let adam = || Adam::new(AdamConfig::default());
    check_trajectory(adam(), 0.1, |t, g, memory| {
        let (u, v) = averages(g, memory);
        let (u_hat, v_hat) = (u / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
        u_hat / (v_hat.sqrt() + 1e-8)
    });
    // The first step goes as far along every axis: a sign(g).
    let mut w = Param::new(Tensor::from(START));
    let grads = quadratic(&w).backward();
    adam().step(&mut w, &grads, 0.1);
    all_close(&w.detach(), &Tensor::from([0.9, -1.9, 0.4]), 1e-7);
}

#[test]
fn row_5_9_adam_without_bias_correction() {
    let printed = AdamConfig { bias_correction: false, ..AdamConfig::default() };
    check_trajectory(Adam::new(printed), 0.01, |_, g, memory| {
        let (u, v) = averages(g, memory);
        u / (v.sqrt() + 1e-8)
    });
    assert!(AdamConfig::default().bias_correction);
}

#[test]
fn row_5_10_l2_is_weight_decay() {
    let (lr, lambda) = (0.05, 0.3);
    let run = |config: SgdConfig, gradient: fn(&Param<f64>, f64) -> Gradients<f64>| {
        let mut w = Param::new(Tensor::from(START));
        let mut sgd = Sgd::new(config);
        for _ in 0..12 {
            let grads = gradient(&w, lambda);
            sgd.step(&mut w, &grads, lr);
        }
        w.detach()
    };
    let plain = SgdConfig::default();
    let in_the_loss = run(plain, |w, lambda| {
        let loss = quadratic(w) + l2_penalty(w, |_| true) * lambda;
        loss.backward()
    });
    let in_the_gradient = run(plain, |w, lambda| {
        let mut grads = quadratic(w).backward();
        let g = grads.get(w).unwrap() + w.detach() * lambda;
        grads.set(w, g);
        grads
    });
    let decay = |decoupled| SgdConfig { weight_decay: lambda, decoupled, ..plain };
    let in_the_optimizer = run(decay(false), |w, _| quadratic(w).backward());
    let beside_the_gradient = run(decay(true), |w, _| quadratic(w).backward());
    for other in [in_the_gradient, in_the_optimizer, beside_the_gradient] {
        all_close(&other, &in_the_loss, 1e-15);
    }
    // (1 - eta lam) w - eta g, which shrinks each coordinate by the same factor in every step.
    let shrunk = |i: usize| START[i] * (1.0 - lr * lambda - lr * CURVATURE[i]).powi(12);
    all_close(&in_the_loss, &Tensor::from([0, 1, 2].map(shrunk)), 1e-14);
}

#[test]
fn row_5_11_state_survives_and_gradients_stay() {
    let adam = || Adam::new(AdamConfig::default());
    let (mut model, mut optimizer) = (Linear::<f64>::new(3, 2, &mut Rng::seed(21)), adam());
    let x = Tensor::randn([8, 3], &mut Rng::seed(22));
    let labels = Tensor::from_fn([8], |idx| (idx[0] % 2) as i64);
    let step = |model: &mut Linear<f64>, optimizer: &mut Adam<f64>| {
        let grads = model.forward(&x).cross_entropy(&labels).backward();
        let values = || grads.iter().map(Tensor::to_vec).collect::<Vec<_>>();
        let before = values();
        optimizer.step(model, &grads, 0.1);
        assert_eq!(before, values());
    };
    (0..3).for_each(|_| step(&mut model, &mut optimizer));
    // Two averages for each parameter, of its shape.
    let state = optimizer.state();
    for (name, param) in model.params() {
        for average in ["exp_avg", "exp_avg_sq"] {
            assert_eq!(state.tensors[&format!("{name}.{average}")].shape(), param.shape());
        }
    }
    assert_eq!(state.tensors.len(), 4);

    let mut saved = Checkpoint::new("row 5.11");
    saved.put_module("model", &model);
    saved.put_optimizer("optimizer", &optimizer);
    let loaded = Checkpoint::parse(&saved.to_bytes(), "row 5.11").unwrap();
    let (mut model_2, mut optimizer_2) = (Linear::<f64>::new(3, 2, &mut Rng::seed(0)), adam());
    loaded.load_module("model", &mut model_2).unwrap();
    loaded.load_optimizer("optimizer", &mut optimizer_2, &model_2).unwrap();
    for _ in 0..3 {
        step(&mut model, &mut optimizer);
        step(&mut model_2, &mut optimizer_2);
        assert_eq!(model.weight.to_vec(), model_2.weight.to_vec());
    }
}

/// The positions of a descent from `(-4, 1)` down `½ (x² + c y²)`.
fn descent(optimizer: &mut dyn Optimizer<f64>, c: f64, lr: f64, steps: usize) -> Vec<[f64; 2]> {
    let mut w = Param::new(Tensor::from([-4.0, 1.0]));
    let step = |_| {
        let loss = (w.square() * Tensor::from([0.5, 0.5 * c])).sum();
        optimizer.step(&mut w, &loss.backward(), lr);
        [w.at(&[0]), w.at(&[1])]
    };
    (0..steps).map(step).collect()
}

#[test]
fn row_5_12_zig_zag_in_a_ravine() {
    let (lr, steps) = (1.9 / 100.0, 1000);
    let sgd = descent(&mut Sgd::<f64>::new(SgdConfig::default()), 100.0, lr, steps);
    let mut heavy_ball = momentum(0.9, MomentumForm::HeavyBall);
    let with_momentum = descent(&mut heavy_ball, 100.0, lr, steps);
    // Both settle: compared until then.
    let turns = |path: &[[f64; 2]]| {
        let turn = |pair: &&[[f64; 2]]| pair[0][1] * pair[1][1] < 0.0;
        path[..50].windows(2).filter(turn).count() as f64 / 49.0
    };
    let settled = |path: &[[f64; 2]]| {
        let far = |[x, y]: &[f64; 2]| x.abs().max(y.abs()) > 1e-3;
        path.iter().rposition(far).unwrap() + 1
    };
    println!(
        "row 5.12: sign changes per step {} and {}, steps to 1e-3 {} and {}",
        turns(&sgd),
        turns(&with_momentum),
        settled(&sgd),
        settled(&with_momentum)
    );
    assert!(turns(&sgd) > 0.99 && turns(&with_momentum) < 0.6);
    assert!(settled(&with_momentum) < settled(&sgd) / 2);
}

#[test]
fn row_5_13_grand_comparison() {
    let (c, steps) = (300.0, 150);
    let mut sgd = Sgd::new(SgdConfig::default());
    let mut heavy_ball = momentum(0.9, MomentumForm::HeavyBall);
    let mut rmsprop = RmsProp::new(RmsPropConfig { alpha: 0.9, ..RmsPropConfig::default() });
    let mut adam = Adam::new(AdamConfig::default());
    let optimizers: [(&str, &mut dyn Optimizer<f64>, f64); 4] = [
        ("SGD", &mut sgd, 1.8 / c),
        ("momentum", &mut heavy_ball, 1.8 / c),
        ("RMSProp", &mut rmsprop, 0.05),
        ("Adam", &mut adam, 0.1),
    ];
    let mut curves = Vec::new();
    let mut last = Vec::new();
    for (name, optimizer, lr) in optimizers {
        let path = descent(optimizer, c, lr, steps);
        let loss = |[x, y]: [f64; 2]| 0.5 * (x * x + c * y * y);
        last.push(loss(path[steps - 1]));
        // How far it still moves, on average, at the end.
        let moves = path[steps - 20..].windows(2).map(|w| (w[1][1] - w[0][1]).abs());
        last.push(moves.sum::<f64>() / 19.0);
        let points = std::iter::once([-4.0, 1.0]).chain(path).map(|[x, y]| (x, y)).collect();
        curves.push(Curve { name: name.to_string(), points });
    }
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("row_5_13_optimizers.svg");
    plots::curves(&picture, "descent in a ravine, x and y", "x", &curves).unwrap();
    println!("row 5.13: final loss, last moves: {last:?}; see {}", picture.display());
    let [sgd, _, heavy_ball, _, rmsprop, rmsprop_moves, adam, adam_moves] = last[..] else {
        panic!("four optimizers")
    };
    assert!(sgd > rmsprop && sgd > heavy_ball && sgd > adam);
    assert!(rmsprop_moves > 10.0 * adam_moves);
}

/// How far the vectors of a word seen in every batch and of one seen once move.
fn moves(mut optimizer: impl Optimizer) -> (f32, f32) {
    let mut words: Embedding = Embedding::new(10, 4, &mut Rng::seed(23));
    let before = words.weight.detach();
    for step in 0..20 {
        let rare = if step == 10 { 9 } else { 0 };
        let batch = Tensor::from([0, 1, 2, 3, 4, 5, 6, rare]);
        let loss = (words.forward(&batch) - 0.5).square().mean();
        optimizer.step(&mut words, &loss.backward(), 0.01);
    }
    let moved = |row| (words.weight.detach() - &before).narrow(0, row, 1).square().sum();
    (moved(0).item().sqrt(), moved(9).item().sqrt())
}

#[test]
fn row_5_14_rare_features_move_further_under_adaptive_rates() {
    let (frequent, rare) = moves(Sgd::new(SgdConfig::default()));
    let adaptive = [
        ("RMSProp", moves(RmsProp::new(RmsPropConfig::default()))),
        ("Adam", moves(Adam::new(AdamConfig::default()))),
        ("Adagrad", moves(Adagrad::new(AdagradConfig::default()))),
    ];
    println!("row 5.14: SGD {frequent} and {rare}, {adaptive:?}");
    for (name, (its_frequent, its_rare)) in adaptive {
        assert!(its_rare > 2.0 * rare, "{name}: {its_rare} against {rare}");
        assert!(its_rare / its_frequent > rare / frequent, "{name}");
    }
}

#[test]
fn row_5_15_minibatches_train_with_every_optimiser() {
    let optimizers: [(&str, f64, Box<dyn Optimizer>); 6] = [
        ("SGD", 0.2, Box::new(Sgd::new(SgdConfig::default()))),
        ("momentum", 0.02, Box::new(Sgd::new(SgdConfig { momentum: 0.9, ..Default::default() }))),
        ("RMSProp", 0.002, Box::new(RmsProp::new(RmsPropConfig::default()))),
        ("Adagrad", 0.02, Box::new(Adagrad::new(AdagradConfig::default()))),
        ("Adam", 0.005, Box::new(Adam::new(AdamConfig::default()))),
        ("AdamW", 0.005, Box::new(AdamW::new(AdamWConfig::default()))),
    ];
    let (x, labels) = digits();
    for (name, lr, mut optimizer) in optimizers {
        let mut rng = Rng::seed(24);
        let data = TensorDataset::new(x.clone(), labels.clone()).unwrap();
        let loader = Loader::new(data, 64).unwrap();
        let mut net = (Linear::new(64, 32, &mut rng), Relu, Linear::new(32, 10, &mut rng));
        for _ in 0..8 {
            for batch in loader.epoch(&mut rng) {
                let (x, labels) = batch.unwrap();
                let loss = net.forward(&x, &Pass::train(&mut rng)).cross_entropy(&labels);
                optimizer.step(&mut net, &loss.backward(), lr);
            }
        }
        let error = error_rate(&net.forward(&x, &Pass::eval()), &labels);
        println!("row 5.15: {name}: train error {error}");
        assert!(error < 0.1, "{name}: train error {error}");
    }
}

#[test]
fn row_5_16_gradient_clipping() {
    let (a, b) = (Param::new(Tensor::from([0.0f64, 0.0])), Param::new(Tensor::scalar(0.0)));
    let gradients = || ((&*a * Tensor::from([3.0, -4.0])).sum() + &*b * 12.0).backward();
    let mut grads = gradients();
    close(clip_grad_norm(&mut grads, 1.0), 13.0, 1e-15);
    close(grad_norm(&grads), 1.0, 1e-6);
    all_close(grads.get(&a).unwrap(), &Tensor::from([3.0 / 13.0, -4.0 / 13.0]), 1e-6);
    // Below the limit nothing happens.
    let mut grads = gradients();
    close(clip_grad_norm(&mut grads, 14.0), 13.0, 1e-15);
    all_close(grads.get(&b).unwrap(), &Tensor::scalar(12.0), 0.0);

    close(clip_grad_value(&mut grads, 3.5), 13.0, 1e-15);
    all_close(grads.get(&a).unwrap(), &Tensor::from([3.0, -3.5]), 0.0);
    all_close(grads.get(&b).unwrap(), &Tensor::scalar(3.5), 0.0);
}

/// Compares 50 steps of a schedule with its formula.
#[track_caller]
fn check_schedule(schedule: impl Schedule, formula: impl Fn(f64) -> f64) {
    for step in 0..50 {
        close(schedule.at(step), formula(step as f64), 1e-15);
    }
}

#[test]
fn row_5_17_learning_rate_schedules() {
    let lr = 0.1;
    check_schedule(StepLr { lr, step_size: 15, gamma: 0.5 }, |t| {
        lr * 0.5f64.powf((t / 15.0).floor())
    });
    check_schedule(ExponentialLr { lr, gamma: 0.9 }, |t| lr * 0.9f64.powf(t));
    let cosine = |t: f64| 0.05 * (1.0 + (std::f64::consts::PI * t).cos());
    let annealing = |t_max| CosineAnnealingLr { lr, t_max, eta_min: 0.0 };
    check_schedule(annealing(49), |t| cosine(t / 49.0));
    let warm_up = LinearLr { lr, start_factor: 0.1, end_factor: 1.0, total_iters: 10 };
    check_schedule(SequentialLr::new(warm_up).then(10, annealing(39)), |t| match t < 10.0 {
        true => 0.01 + 0.009 * t,
        false => cosine((t - 10.0) / 39.0),
    });
}
