//! Shared tests of all losses: values, reductions, gradients, sums of objectives.

use backstitch_tensor::{CrossEntropy, Param, Tensor, check_gradients};

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
    ]
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
