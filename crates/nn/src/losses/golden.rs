//! Values and gradients of losses against those of PyTorch, at corners too.

use backstitch_tensor::{Reduction, Tensor, hessian};

use super::tests::kl;
use super::*;

/// The incoming gradient of `tests/golden/losses.py`.
const DY: [f64; 8] = [0.5, -1.25, 2.0, 0.75, -3.0, 1.5, 0.25, -0.5];

/// The loss of that name in `tests/golden/losses.csv`, of numbers `x` and `t`.
fn loss(name: &str, reduction: &str, x: &Tensor<f64>, t: &Tensor<f64>) -> Tensor<f64> {
    let own = match reduction {
        "none" => Reduction::None,
        "sum" => Reduction::Sum,
        _ => Reduction::Mean,
    };
    let divergence = if reduction == "batchmean" { KlDivReduction::BatchMean } else { kl(own) };
    match name {
        "HuberLoss" => HuberLoss { reduction: own, ..HuberLoss::default() }.forward(x, t),
        "HuberLoss 0.5" => HuberLoss { reduction: own, delta: 0.5 }.forward(x, t),
        "SmoothL1Loss" => SmoothL1Loss { reduction: own, ..SmoothL1Loss::default() }.forward(x, t),
        "SmoothL1Loss 0.5" => SmoothL1Loss { reduction: own, beta: 0.5 }.forward(x, t),
        "SmoothL1Loss 0" => SmoothL1Loss { reduction: own, beta: 0.0 }.forward(x, t),
        "BceLoss" => BceLoss { reduction: own }.forward(x, t),
        "KlDivLoss" => KlDivLoss { reduction: divergence, ..KlDivLoss::default() }.forward(x, t),
        "KlDivLoss log_target" => {
            KlDivLoss { reduction: divergence, log_target: true }.forward(x, t)
        }
        _ => likelihood(name, own).forward(x, &t.to()),
    }
}

fn likelihood(name: &str, reduction: Reduction) -> NllLoss<f64> {
    let plain = NllLoss { reduction, ..NllLoss::default() };
    let weights = Some(Tensor::from([0.5, 2.0, 3.0]));
    match name {
        "NllLoss" => plain,
        "NllLoss weights" => NllLoss { weights, ..plain },
        "NllLoss ignore_index" => NllLoss { weights, ignore_index: 1, ..plain },
        other => panic!("{other} is no loss"),
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let golden = include_str!("../../tests/golden/losses.csv");
    assert_eq!(golden.lines().count(), 38);
    for line in golden.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |cell: &str| cell.parse::<f64>().unwrap();
        let part = |i: usize| cells[i].split_whitespace().map(number).collect::<Vec<_>>();
        let (name, reduction, x, t) = (cells[0], cells[1], part(2), part(3));
        let labels = name.starts_with("NllLoss");
        let shape = if labels { vec![2, 3, 2] } else { vec![2, x.len() / 2] };
        let x = Tensor::from_vec(x, shape).leaf();
        let half = t.len() / 2;
        let t = Tensor::from_vec(t, [2, half]).leaf();
        let y = loss(name, reduction, &x, &t);
        let dy = Tensor::from_vec(DY[..y.numel()].to_vec(), y.shape());
        let grads = (&y * dy).sum().backward();
        let what = |part| format!("{name}, {reduction}: {part}");
        close(&what("value"), &y, &part(4));
        close(&what("dx"), grads.get(&x).unwrap(), &part(5));
        match labels {
            true => assert!(grads.get(&t).is_none()),
            false => close(&what("dt"), grads.get(&t).unwrap(), &part(6)),
        }
    }
}

/// Where PyTorch's number is not finite, ours is.
#[track_caller]
fn close(what: &str, found: &Tensor<f64>, golden: &[f64]) {
    let found = found.to_vec();
    assert_eq!(found.len(), golden.len(), "{what}");
    for (i, (found, golden)) in found.iter().zip(golden).enumerate() {
        // Some ten rounded terms that are no larger than the result or 1.
        let near = (found - golden).abs() <= 32.0 * f64::EPSILON * golden.abs().max(1.0);
        let fits = if golden.is_finite() { near } else { found.is_finite() };
        assert!(fits, "{what}: element {i} is {found}, not {golden}");
    }
}

#[test]
fn where_pytorch_has_no_gradient_ours_is_the_stated_one() {
    let t = Tensor::from([0.5, 0.25, 0.0]).leaf();
    let loss = BceLoss { reduction: Reduction::Sum };
    let grads = loss.forward(&Tensor::from([0.0, 1.0, 1.0]), &t).backward();
    assert_eq!(grads.get(&t).unwrap().to_vec(), [100.0, -100.0, -100.0]);
    let loss = KlDivLoss { reduction: KlDivReduction::Sum, ..KlDivLoss::default() };
    let x = Tensor::from([-0.5, -1.0, -2.0]);
    let grads = loss.forward(&x, &t).backward();
    let dt = [0.5f64.ln() + 1.5, 0.25f64.ln() + 2.0, 2.0];
    close("KlDivLoss", grads.get(&t).unwrap(), &dt);
}

#[test]
fn a_divergence_without_axes_is_a_batch_of_one() {
    let loss = KlDivLoss { reduction: KlDivReduction::BatchMean, log_target: true };
    assert_eq!(loss.forward(&Tensor::scalar(-1.0), &Tensor::scalar(0.0)).item(), 1.0);
}

#[test]
fn single_precision_reaches_the_corners_too() {
    let p = Tensor::from([0.0f32, 0.0, 1.0, 1.0]).leaf();
    let loss = BceLoss { reduction: Reduction::Sum };
    let y = loss.forward(&p, &Tensor::from([0.0, 1.0, 0.0, 1.0]));
    assert_eq!(y.item(), 200.0);
    let dp = y.backward().get(&p).unwrap().to_vec();
    assert_eq!(dp, [0.0, -1.0 / 1e-12, 1.0 / 1e-12, 0.0]);
}

#[test]
fn squares_bend_inside_only() {
    let curvature =
        |loss: fn(&Tensor<f64>) -> Tensor<f64>, x: f64| hessian(loss, &Tensor::scalar(x)).item();
    for (x, bend) in [(0.0, 1.0), (1.5, 1.0), (2.0, 0.0), (-2.0, 0.0), (3.0, 0.0)] {
        let huber = |x: &Tensor<f64>| {
            HuberLoss { delta: 2.0, ..HuberLoss::default() }.forward(x, &Tensor::scalar(0.0))
        };
        assert_eq!(curvature(huber, x), bend, "HuberLoss at {x}");
        let smooth = |x: &Tensor<f64>| {
            SmoothL1Loss { beta: 2.0, ..SmoothL1Loss::default() }.forward(x, &Tensor::scalar(0.0))
        };
        assert_eq!(curvature(smooth, x), bend / 2.0, "SmoothL1Loss at {x}");
    }
}

#[test]
fn corners_of_probabilities_have_derivatives_of_their_slope() {
    // The slope is (p - t) / EPS there: its derivatives are 1 / EPS and -1 / EPS.
    let eps = f64::from(1e-12f32);
    let at = Tensor::from([0.0, 0.5]);
    let second = hessian(
        |pt: &Tensor<f64>| BceLoss::default().forward(&pt.select(0, 0), &pt.select(0, 1)),
        &at,
    );
    assert_eq!(second.to_vec(), [1.0 / eps, -1.0 / eps, -1.0 / eps, 0.0]);
}

#[test]
fn nan_travels_and_does_not_spread() {
    let p = Tensor::from([f64::NAN, 0.5, 0.0]).leaf();
    let y = BceLoss { reduction: Reduction::None }.forward(&p, &Tensor::from([1.0, 1.0, 0.0]));
    let dp = y.sum().backward().get(&p).unwrap().to_vec();
    assert!(y.at(&[0]).is_nan() && dp[0].is_nan());
    assert_eq!(
        (y.to_vec()[1..].to_vec(), dp[1..].to_vec()),
        (vec![2.0f64.ln(), 0.0], vec![-2.0, 0.0])
    );
}
