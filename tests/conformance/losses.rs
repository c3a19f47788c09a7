//! Classification losses.

use backstitch::{CrossEntropy, Float, Reduction, Tensor};

use crate::case::{Args, Entry, Outputs, Value, one, ops};

pub const OPS: &[Entry] = ops![
    "NegativeLogLikelihoodLoss" => negative_log_likelihood,
    "SoftmaxCrossEntropyLoss" => cross_entropy,
];

/// `-w[label] x[label]` for log-probabilities `x (N, C, ...)`; the mean divides by the weights.
fn negative_log_likelihood<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, labels) = (args.x(0)?, args.idx(1)?);
    let ignored = args.attr("ignore_index").map(|_| args.long("ignore_index", 0));
    let counts = |label: i64| Some(label) != ignored;
    let place = labels.shape();
    let mut with_class = place.to_vec();
    with_class.insert(1, 1);
    let class = |label: i64| if counts(label) { label } else { 0 };
    let idx = Tensor::from_fn(place, |at| class(labels.at(at))).reshape(&with_class[..]);
    let weight = args.maybe_x(2)?;
    let weight_of = |label: i64| match (counts(label), weight) {
        (false, _) => T::ZERO,
        (true, None) => T::ONE,
        (true, Some(weight)) => weight.at(&[label as usize]),
    };
    let weights = Tensor::from_fn(place, |at| weight_of(labels.at(at)));
    let losses = -(x.gather(1, &idx).reshape(place) * &weights);
    one(match args.text("reduction", "mean").as_str() {
        "none" => losses,
        "sum" => losses.sum(),
        _ => losses.sum() / weights.sum(),
    })
}

fn cross_entropy<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, labels) = (args.x(0)?, args.idx(1)?);
    let options = CrossEntropy {
        weights: args.maybe_x(2)?.cloned(),
        ignore_index: args.long("ignore_index", i64::MIN),
        reduction: match args.text("reduction", "mean").as_str() {
            "none" => Reduction::None,
            "sum" => Reduction::Sum,
            _ => Reduction::Mean,
        },
        ..CrossEntropy::default()
    };
    let loss = x.cross_entropy_with(&labels, &options);
    Ok(vec![Some(Value::Float(loss)), Some(Value::Float(x.log_softmax(1)))])
}
