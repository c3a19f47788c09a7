//! Shared tests of all losses: values, reductions, gradients, sums of objectives.

use backstitch_tensor::{CrossEntropy, Param, Tensor, check_gradients, check_second_order};

use super::*;
use crate::{l1_penalty, l2_penalty};

type Function = fn(&Tensor<f64>, &Tensor<f64>, Reduction) -> Tensor<f64>;

/// A loss, with the formula for its terms.
struct Entry {
    name: &'static str,
    loss: Function,
    term: fn(f64, f64) -> f64,
}

/// The registry of losses that compare element by element.
fn registry() -> Vec<Entry> {
    vec![
        Entry {
            name: "MseLoss",
            loss: |x, t, reduction| MseLoss { reduction }.forward(x, t),
            term: |x, t| (x - t) * (x - t),
        },
        Entry {
            name: "L1Loss",
            loss: |x, t, reduction| L1Loss { reduction }.forward(x, t),
            term: |x, t| (x - t).abs(),
        },
        Entry {
            name: "BceWithLogitsLoss",
            loss: |x, t, reduction| BceWithLogitsLoss { reduction }.forward(x, t),
            term: |x, t| t * (1.0 + (-x).exp()).ln() + (1.0 - t) * (1.0 + x.exp()).ln(),
        },
        Entry {
            name: "HuberLoss",
            loss: |x, t, reduction| HuberLoss { reduction, delta: 0.7 }.forward(x, t),
            term: |x, t| match (x - t).abs() {
                d if d < 0.7 => d * d / 2.0,
                d => 0.7 * (d - 0.35),
            },
        },
        Entry {
            name: "SmoothL1Loss",
            loss: |x, t, reduction| SmoothL1Loss { reduction, beta: 0.7 }.forward(x, t),
            term: |x, t| match (x - t).abs() {
                d if d < 0.7 => d * d / 1.4,
                d => d - 0.35,
            },
        },
        Entry {
            name: "BceLoss",
            loss: |x, t, reduction| {
                BceLoss { reduction }.forward(&(x * 0.1).sigmoid(), &probability(t))
            },
            term: |x, t| {
                let (p, t) = (1.0 / (1.0 + (-0.1 * x).exp()), t * 0.8 + 0.1);
                -t * p.ln() - (1.0 - t) * (1.0 - p).ln()
            },
        },
        Entry {
            name: "KlDivLoss",
            loss: |x, t, reduction| {
                let reduction = kl(reduction);
                KlDivLoss { reduction, log_target: false }.forward(x, &probability(t))
            },
            term: |x, t| (t * 0.8 + 0.1) * ((t * 0.8 + 0.1).ln() - x),
        },
        Entry {
            name: "KlDivLoss",
            loss: |x, t, reduction| {
                KlDivLoss { reduction: kl(reduction), log_target: true }.forward(x, t)
            },
            term: |x, t| t.exp() * (t - x),
        },
    ]
}

/// The examples' targets, with room below and above: where the differences are taken they must be
/// probabilities still.
fn probability(t: &Tensor<f64>) -> Tensor<f64> {
    t * 0.8 + 0.1
}

pub(super) fn kl(reduction: Reduction) -> KlDivReduction {
    match reduction {
        Reduction::Mean => KlDivReduction::Mean,
        Reduction::Sum => KlDivReduction::Sum,
        Reduction::None => KlDivReduction::None,
    }
}

fn examples() -> (Tensor<f64>, Tensor<f64>) {
    let x = Tensor::from([[0.3, -1.2, 2.5], [0.0, 30.0, -30.0]]);
    (x, Tensor::from([[0.1, 0.9, 1.0], [0.5, 0.75, 0.0]]))
}

#[test]
fn values_follow_the_formulas_in_each_reduction() {
    let (x, t) = examples();
    for Entry { name, loss, term } in registry() {
        let (values, targets) = (x.to_vec(), t.to_vec());
        let terms: Vec<f64> = values.iter().zip(&targets).map(|(&x, &t)| term(x, t)).collect();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{name}: {a} is not {b}");
        for (found, expected) in loss(&x, &t, Reduction::None).to_vec().iter().zip(&terms) {
            close(*found, *expected);
        }
        let sum: f64 = terms.iter().sum();
        close(loss(&x, &t, Reduction::Sum).item(), sum);
        close(loss(&x, &t, Reduction::Mean).item(), sum / 6.0);
    }
}

#[test]
fn gradients_are_right_for_output_and_target() {
    let (x, t) = examples();
    for Entry { name, loss, .. } in registry() {
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let check = |result: Result<(), backstitch_tensor::GradientError>| {
                result.unwrap_or_else(|error| panic!("{name}: {error}"));
            };
            check(check_gradients(|x: &Tensor<f64>| loss(x, &t, reduction), &x));
            check(check_gradients(|t: &Tensor<f64>| loss(&x, t, reduction), &t));
            let both = (x.clone(), t.clone());
            type Pair = (Tensor<f64>, Tensor<f64>);
            check(check_second_order(|(x, t): &Pair| loss(x, t, reduction), &both));
        }
    }
}

#[test]
fn targets_that_would_broadcast_are_refused() {
    for Entry { name, loss, .. } in registry() {
        let refused = std::panic::catch_unwind(|| {
            loss(&Tensor::ones([4, 1]), &Tensor::ones([4]), Reduction::Mean)
        });
        let message = *refused.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(
            message,
            format!("{name}: needs output and target of one shape; got [4, 1] and [4]")
        );
    }
}

#[test]
fn likelihoods_have_gradients_for_class_weights_too() {
    let logits = Tensor::from([[0.3, -1.2, 2.5], [0.0, 3.0, -3.0], [1.0, 0.5, -0.25]]);
    let labels = Tensor::from([2, 0, -1]);
    let both = (logits, Tensor::from([0.5, 2.0, 3.0]));
    type Pair = (Tensor<f64>, Tensor<f64>);
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        let fused = |(x, weights): &Pair| {
            let weights = Some(weights.clone());
            let options =
                CrossEntropy { weights, ignore_index: -1, reduction, label_smoothing: 0.0 };
            CrossEntropyLoss { options }.forward(x, &labels)
        };
        let composed = |(x, weights): &Pair| {
            let weights = Some(weights.clone());
            NllLoss { weights, ignore_index: -1, reduction }.forward(&x.log_softmax(1), &labels)
        };
        check_gradients(composed, &both).unwrap();
        check_second_order(composed, &both).unwrap();
        let (fused, composed) = (fused(&both).to_vec(), composed(&both).to_vec());
        for (fused, composed) in fused.iter().zip(&composed) {
            assert!((fused - composed).abs() < 1e-14, "{fused} is not {composed}");
        }
    }
}

#[test]
fn likelihoods_take_a_sample_without_a_batch_and_batches_of_none() {
    let loss = NllLoss::default();
    assert_eq!(loss.forward(&Tensor::from([-1.0, -2.0]), &Tensor::scalar(1)).item(), 2.0);
    assert!(
        loss.forward(&Tensor::<f64>::zeros([0, 3]), &Tensor::from_vec(vec![], [0])).item().is_nan()
    );
    // No infinity of a sample that is ignored comes through.
    let x = Tensor::from([[f64::NEG_INFINITY, -1.0], [-2.0, f64::NAN]]).leaf();
    let y = loss.forward(&x, &Tensor::from([-100, 0]));
    assert_eq!(y.item(), 2.0);
    assert_eq!(y.backward().get(&x).unwrap().to_vec(), [0.0, 0.0, -1.0, 0.0]);
    assert!(loss.forward(&x, &Tensor::from([-100, -100])).item().is_nan());
}

#[track_caller]
fn refused(call: impl FnOnce() -> Tensor<f64> + std::panic::UnwindSafe, expected: &str) {
    let message = *std::panic::catch_unwind(call).unwrap_err().downcast::<String>().unwrap();
    assert_eq!(message, expected);
}

#[test]
fn what_does_not_fit_is_named() {
    let (x, t) = (|| Tensor::from([0.25, 1.5]), || Tensor::from([0.0, 1.0]));
    let hint = "logits go to BceWithLogitsLoss";
    refused(
        || BceLoss::default().forward(&x(), &t()),
        &format!("BceLoss: needs an output from 0 to 1; got 1.5 at position 1; {hint}"),
    );
    refused(
        || BceLoss::default().forward(&t(), &(-x())),
        &format!("BceLoss: needs a target from 0 to 1; got -0.25 at position 0; {hint}"),
    );
    for delta in [0.0, -1.0, f64::NAN] {
        let loss = HuberLoss { delta, ..HuberLoss::default() };
        let expected = format!("HuberLoss: needs delta above 0; got {delta}");
        refused(|| loss.forward(&x(), &t()), &expected);
    }
    for beta in [-1.0, f64::NAN] {
        let loss = SmoothL1Loss { beta, ..SmoothL1Loss::default() };
        let expected = format!("SmoothL1Loss: needs beta of 0 or more; got {beta}");
        refused(|| loss.forward(&x(), &t()), &expected);
    }
    let nll = |labels: Tensor<i64>| {
        move || NllLoss::default().forward(&Tensor::from([[-1.0, -2.0], [-3.0, -4.0]]), &labels)
    };
    let rule = "NllLoss: needs labels from 0 to below 2; got";
    refused(nll(Tensor::from([0, 2])), &format!("{rule} 2 at position 1"));
    refused(nll(Tensor::from([-1, 0])), &format!("{rule} -1 at position 0"));
    let rule =
        "NllLoss: needs log-probabilities (N, C) and labels (N), or (N, C, ...) and (N, ...)";
    refused(nll(Tensor::from([0, 1, 1])), &format!("{rule}; got [2, 2] and [3]"));
    refused(
        || NllLoss::default().forward(&Tensor::scalar(-1.0), &Tensor::scalar(0)),
        &format!("{rule}; got [] and []"),
    );
    let loss = NllLoss { weights: Some(Tensor::from([1.0])), ..NllLoss::default() };
    refused(
        || loss.forward(&Tensor::from([[-1.0, -2.0]]), &Tensor::from([0])),
        "NllLoss: needs weights (2); got [1] for [1, 2]",
    );
}

#[test]
fn a_weighted_sum_of_losses_gives_the_sum_of_gradients() {
    let (x, t) = examples();
    let x = x.leaf();
    let labels = Tensor::from([2, 0]);
    let cross_entropy = CrossEntropyLoss { options: CrossEntropy::default() };
    let first = || cross_entropy.forward(&x, &labels);
    let second = || MseLoss::default().forward(&x, &t);
    let slope = |loss: Tensor<f64>| loss.backward().get(&x).unwrap().to_vec();
    let both = slope(first() * 2.0 + second() * 0.5);
    for ((both, a), b) in both.iter().zip(slope(first())).zip(slope(second())) {
        assert!((both - (2.0 * a + 0.5 * b)).abs() < 1e-14);
    }
}

#[test]
fn penalties_pick_parameters_and_have_the_gradients_of_decay() {
    let w = Param::new(Tensor::from([2.0, -3.0, 0.0]));
    let model = (w, Param::new(Tensor::scalar(5.0)));
    let weights = |name: &str| name == "0";
    let (l1, l2) = (l1_penalty(&model, weights), l2_penalty(&model, weights));
    assert_eq!((l1.item(), l2.item()), (5.0, 6.5));
    assert_eq!(l1_penalty(&model, |_| true).item(), 10.0);
    let (l1, l2) = (l1.backward(), l2.backward());
    assert_eq!(l1.get(&model.0).unwrap().to_vec(), [1.0, -1.0, 0.0]);
    assert_eq!(l2.get(&model.0).unwrap().to_vec(), [2.0, -3.0, 0.0]);
    assert!(l1.get(&model.1).is_none());
}
