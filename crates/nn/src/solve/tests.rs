//! Tests of all methods: a quadratic, Rosenbrock's valley, logistic regression, PyTorch's L-BFGS.

use backstitch_tensor::{Param, Rng, Tensor, grad, hessian, hvp};

use super::*;
use crate::{Embedding, Layer, Linear, ModuleExt, Pass, Tanh, l2_penalty};

type Real = Tensor<f64>;

/// A quadratic with minimum at `(1, -2, 3)`.
fn quadratic(x: &Real) -> Real {
    let a = Tensor::from([[3.0, 1.0, 0.5], [1.0, 4.0, -1.0], [0.5, -1.0, 9.0]]);
    let off = (x - Tensor::from([1.0, -2.0, 3.0])).reshape([3, 1]);
    (off.transpose(0, 1).matmul(&a).matmul(&off) * 0.5).sum()
}

fn rosenbrock(x: &Real) -> Real {
    let (a, b) = (x.narrow(0, 0, 1), x.narrow(0, 1, 1));
    ((1.0 - &a).square() + (b - a.square()).square() * 100.0).sum()
}

#[track_caller]
fn close(a: &Real, b: &Real, tol: f64) {
    assert_eq!(a.shape(), b.shape());
    let off = (a.detach() - b.detach()).abs().max().item();
    assert!(off <= tol, "{a:?} is not within {tol:e} of {b:?}");
}

/// Samples of two overlapping classes, and a classifier of them.
fn logistic() -> (impl Fn(&Linear<f64>) -> Real, Linear<f64>) {
    let rng = &mut Rng::seed(1);
    let labels = Tensor::from_fn([60], |idx| (idx[0] % 2) as i64);
    let side = Tensor::from_fn([60, 1], |idx| (idx[0] % 2) as f64 * 1.5);
    let x = Tensor::randn([60, 4], rng) + side;
    let loss = move |model: &Linear<f64>| {
        model.forward(&x).cross_entropy(&labels) + l2_penalty(model, |_| true) * 0.1
    };
    (loss, Linear::new(4, 2, rng))
}

/// The largest magnitude in the gradient of a function of a model.
fn slope(loss: impl Fn(&Linear<f64>) -> Real, model: &Linear<f64>) -> f64 {
    vector::largest(&vector::variables(&grad(loss, model)))
}

#[test]
fn one_newton_step_solves_a_quadratic_and_half_a_step_halves_the_error() {
    let (start, minimum) = (Tensor::from([7.0, 7.0, -7.0]), Tensor::from([1.0, -2.0, 3.0]));
    close(&newton_step(quadratic, &start, 1.0), &minimum, 1e-13);
    close(&newton_step(quadratic, &start, 0.5), &((start + &minimum) * 0.5), 1e-13);
    // In single precision too.
    let f = |x: &Tensor| (x.square() * Tensor::from([1.0, 50.0])).sum();
    let found = newton_step(f, &Tensor::from([3.0, -4.0]), 1.0);
    assert!(found.abs().max().item() < 1e-5);
}

#[test]
fn newton_steps_converge_quadratically_and_leave_frozen_parameters_alone() {
    let (loss, mut model) = logistic();
    let mut slopes = Vec::new();
    for _ in 0..7 {
        model = newton_step(&loss, &model, 1.0);
        slopes.push(slope(&loss, &model));
    }
    assert!(slopes[6] < 1e-12 && slopes[5] < slopes[4].powf(1.5), "{slopes:?}");

    model.set_trainable(false, |name| name == "bias");
    let before = model.bias.as_ref().unwrap().detach();
    let model = newton_step(&loss, &model, 0.5);
    close(model.bias.as_ref().unwrap(), &before, 0.0);
}

#[test]
fn a_singular_hessian_gives_nan() {
    let found = newton_step(|x: &Real| x.sum().square(), &Tensor::from([1.0, 2.0]), 1.0);
    assert!(found.to_vec().iter().all(|x| x.is_nan()));
}

#[test]
fn newton_cg_finds_minima_and_says_how() {
    let found = NewtonCg::default().minimize(quadratic, &Tensor::from([7.0, 7.0, -7.0]));
    assert!(found.converged && found.iterations < 12, "{found:?}");
    close(&found.x, &Tensor::from([1.0, -2.0, 3.0]), 1e-8);
    let found = NewtonCg::default().minimize(rosenbrock, &Tensor::from([-1.2, 1.0]));
    assert!(found.converged && found.value < 1e-16, "{found:?}");
    close(&found.x, &Tensor::from([1.0, 1.0]), 1e-7);
    let (loss, model) = logistic();
    let found = NewtonCg::default().minimize(&loss, &model);
    assert!(found.converged && slope(&loss, &found.x) < 1e-8);

    let short = NewtonCg { max_iter: 2, ..NewtonCg::default() };
    let found = short.minimize(rosenbrock, &Tensor::from([-1.2, 1.0]));
    assert!(!found.converged && found.iterations == 2);
    // Without a minimum it follows negative curvature as long as it may.
    let found = short.minimize(|x: &Real| -x.square(), &Tensor::scalar(1.0));
    assert!(!found.converged && found.value < -1.0);
}

#[test]
fn backtracking_stops_at_the_first_low_trial_or_says_no() {
    let mut trials = Vec::new();
    let options = Armijo { first: 4.0, ..Armijo::default() };
    let found = armijo(1.0, -2.0, &options, |t| {
        trials.push(t);
        (t - 1.0).powi(2)
    });
    assert_eq!((found, trials), (Some((1.0, 0.0)), vec![4.0, 2.0, 1.0]));
    assert_eq!(armijo(1.0, -2.0, &options, |_| f64::NAN), None);
    // 1.999 goes down, but by less than a half of what the slope says.
    let strict = Armijo { first: 1.999, c1: 0.5, ..Armijo::default() };
    assert_eq!(armijo(1.0, -2.0, &strict, |t| (t - 1.0).powi(2)).unwrap().0, 1.999 / 2.0);
}

/// Functions of a distance with their slopes, that go down from 0.
const RAYS: [fn(&Real) -> Real; 4] = [
    |t| (t - 3.0).square(),
    |t| -(t / (t.square() + 2.0)),
    |t| (t - 0.01).square() * 1e4,
    |t| t.exp() - t * 20.0 + (t * 3.0).sin(),
];

#[test]
fn strong_wolfe_conditions_hold_where_it_ends() {
    for (i, f) in RAYS.into_iter().enumerate() {
        let mut count = 0;
        let mut at = |t: f64| {
            count += 1;
            let x = Tensor::scalar(t);
            Trial { t, value: f(&x).item(), slope: grad(f, &x).item(), extra: t * 10.0 }
        };
        let start = at(0.0);
        for (first, c2) in [(1.0, 0.9), (1e-3, 0.1), (100.0, 0.1)] {
            let options = StrongWolfe { c2, ..StrongWolfe::default() };
            let end = strong_wolfe(&start, first, &options, &mut at);
            assert!(end.value <= start.value + 1e-4 * end.t * start.slope, "{i}: {end:?}");
            assert!(end.slope.abs() <= c2 * start.slope.abs(), "{i} from {first}: {end:?}");
            assert_eq!(end.extra, end.t * 10.0);
        }
        assert!(count < 60, "{i}: {count} trials");
    }
}

#[test]
fn strong_wolfe_ends_without_a_minimum_and_at_a_wall() {
    let at = |t: f64| Trial { t, value: -t, slope: -1.0, extra: () };
    let options = StrongWolfe { max_iter: 5, ..StrongWolfe::default() };
    assert_eq!(strong_wolfe(&at(0.0), 1.0, &options, at).t, 1e5);
    // Beyond 0.5 there is nothing.
    let at = |t: f64| Trial { value: if t > 0.5 { f64::NAN } else { -t }, ..at(t) };
    let end = strong_wolfe(&at(0.0), 1.0, &StrongWolfe::default(), at);
    assert!(end.t > 0.4 && end.t <= 0.5, "{end:?}");
}

#[test]
fn gauss_newton_products_equal_the_matrix() {
    let rng = &mut Rng::seed(2);
    let (x, v): (Real, Real) = (Tensor::randn([3], rng), Tensor::randn([3], rng));
    let w: Real = Tensor::randn([4, 3], rng);
    let model = |x: &Real| w.matmul(&x.reshape([3, 1])).reshape([4]).tanh();
    let loss = |y: &Real| (y.exp() + y.square()).sum();
    let j = backstitch_tensor::jacobian(model, &x);
    let matrix = j.transpose(0, 1).matmul(&hessian(loss, &model(&x))).matmul(&j);
    let expected = matrix.matmul(&v.reshape([3, 1])).reshape([3]);
    close(&gauss_newton_product(model, loss, &x, &v), &expected, 1e-13);
    // Equal to the Hessian's where the model is linear, another where it is not.
    let linear = |x: &Real| w.matmul(&x.reshape([3, 1])).reshape([4]);
    let product = gauss_newton_product(linear, loss, &x, &v);
    close(&product, &hvp(|x: &Real| loss(&linear(x)), &x, &v), 1e-13);
    let curved = hvp(|x: &Real| loss(&model(x)), &x, &v);
    assert!((gauss_newton_product(model, loss, &x, &v) - curved).abs().max().item() > 0.1);
    // Through a model with parameters.
    let net = (Linear::<f64>::new(3, 4, rng), Tanh);
    let forward = |net: &(Linear<f64>, Tanh)| net.forward(&x.reshape([1, 3]), &Pass::eval());
    let product = gauss_newton_product(forward, loss, &net, &net);
    assert!(vector::dot(&vector::variables(&product), &vector::variables(&net)) > 0.0);
}

fn golden(name: &str) -> LbfgsConfig {
    let line_search = LbfgsLineSearch::StrongWolfe;
    match name {
        "plain" => LbfgsConfig { max_iter: 4, ..LbfgsConfig::default() },
        "short history" => LbfgsConfig { max_iter: 6, history_size: 2, ..LbfgsConfig::default() },
        "strong wolfe" => LbfgsConfig { max_iter: 3, line_search, ..LbfgsConfig::default() },
        _ => LbfgsConfig { max_iter: 10, max_eval: Some(6), line_search, ..Default::default() },
    }
}

/// The loss of `tests/golden/lbfgs.py`.
fn golden_loss(p: &Param<f64>) -> Real {
    let (x, z) = (p.narrow(0, 0, 1), p.narrow(0, 2, 1));
    rosenbrock(p) + (z - x * 0.5).square().square().sum()
}

#[test]
fn lbfgs_follows_pytorchs() {
    for line in include_str!("../../tests/golden/lbfgs.csv").lines() {
        let mut cells = line.split(',');
        let name = cells.next().unwrap();
        let expected: Vec<f64> = cells.map(|cell| cell.parse().unwrap()).collect();
        let lr = [("plain", 0.1), ("short history", 0.2)].into_iter().find(|(n, _)| *n == name);
        let lr = lr.map_or(1.0, |(_, lr)| lr);
        let mut p = Param::new(Tensor::from([-1.2, 1.0, 2.0]));
        let mut optimizer = Lbfgs::new(golden(name));
        let mut found = Vec::new();
        for t in 1..=5 {
            found.push(optimizer.step(&mut p, lr, golden_loss));
            if [1, 2, 5].contains(&t) {
                found.extend(p.to_vec());
            }
            // A run that goes on from its state is the same.
            let state = optimizer.state();
            optimizer = Lbfgs::new(golden(name));
            optimizer.load_state(&p, &state).unwrap();
        }
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            // Up to 50 iterations in a curved valley amplify what rounding leaves.
            let off = (found - expected).abs() / expected.abs().max(1.0);
            assert!(off < 1e-8, "{name}: {found} is not {expected}");
        }
    }
}

#[test]
fn lbfgs_trains_a_model_and_stops_at_the_minimum() {
    let (loss, mut model) = logistic();
    let line_search = LbfgsLineSearch::StrongWolfe;
    let mut optimizer = Lbfgs::new(LbfgsConfig { line_search, ..LbfgsConfig::default() });
    let mut count = 0;
    for _ in 0..3 {
        optimizer.step(&mut model, 1.0, |model| {
            count += 1;
            loss(model)
        });
    }
    // A step ends when the loss changes by less than 1e-9, where the slope is near its root.
    assert!(slope(&loss, &model) < 1e-4, "{}", slope(&loss, &model));
    let found = NewtonCg::default().minimize(&loss, &model);
    close(&model.weight, &found.x.weight, 1e-3);
    assert!(count < 40, "{count} losses");
    // A step at the minimum of a quadratic does nothing.
    let mut p = Param::new(Tensor::from([1.0, -2.0, 3.0]));
    Lbfgs::new(LbfgsConfig::default()).step(&mut p, 1.0, |p| quadratic(p));
    assert_eq!(p.to_vec(), [1.0, -2.0, 3.0]);
}

#[test]
fn lbfgs_takes_gradients_that_are_rows() {
    let run = |sparse| {
        let mut words: Embedding<f64> = Embedding::new(5, 2, &mut Rng::seed(3));
        words.sparse = sparse;
        Lbfgs::new(LbfgsConfig::default()).step(&mut words, 0.1, |words| {
            (words.forward(&Tensor::from([1, 3, 1])) - 0.5).square().sum()
        });
        words.weight.detach()
    };
    close(&run(true), &run(false), 1e-13);
}

#[test]
fn a_state_of_another_model_is_refused() {
    let mut optimizer = Lbfgs::new(LbfgsConfig::default());
    let mut p = Param::new(Tensor::from([7.0, 7.0, -7.0]));
    optimizer.step(&mut p, 0.1, |p| quadratic(p));
    let mut state = optimizer.state();
    let error = optimizer.load_state(&Param::new(Tensor::scalar(1.0)), &state).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("direction: needs shape [1]; got [3]"), "{message}");
    state.tensors.remove("0.y");
    state.tensors.insert("other".into(), Tensor::scalar(1.0));
    let message = optimizer.load_state(&p, &state).unwrap_err().to_string();
    assert!(message.contains("0.y: missing"), "{message}");
}
