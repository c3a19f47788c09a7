//! Classification losses.

use backstitch::nn::NllLoss;
use backstitch::{CrossEntropy, Float, Reduction, Tensor};

use crate::case::{Args, Entry, Outputs, Value, one, ops};

pub const OPS: &[Entry] = ops![
    "NegativeLogLikelihoodLoss" => negative_log_likelihood,
    "SoftmaxCrossEntropyLoss" => cross_entropy,
];

/// No label is ignored unless the case says so.
fn ignore_index<T: Float>(args: &Args<T>) -> i64 {
    args.long("ignore_index", i64::MIN)
}

fn reduction<T: Float>(args: &Args<T>) -> Reduction {
    match args.text("reduction", "mean").as_str() {
        "none" => Reduction::None,
        "sum" => Reduction::Sum,
        _ => Reduction::Mean,
    }
}

fn negative_log_likelihood<T: Float>(args: &Args<T>) -> Outputs<T> {
    one(weighted(args, args.x(0)?)?)
}

fn weighted<T: Float>(args: &Args<T>, x: &Tensor<T>) -> Result<Tensor<T>, String> {
    let loss = NllLoss {
        weights: args.maybe_x(2)?.cloned(),
        ignore_index: ignore_index(args),
        reduction: reduction(args),
    };
    Ok(loss.forward(x, &args.idx(1)?))
}

fn cross_entropy<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, labels, weight) = (args.x(0)?, args.idx(1)?, args.maybe_x(2)?);
    let options = CrossEntropy {
        weights: weight.map(Tensor::detach),
        ignore_index: ignore_index(args),
        reduction: reduction(args),
        ..CrossEntropy::default()
    };
    let mut loss = x.cross_entropy_with(&labels, &options);
    if weight.is_some_and(Tensor::is_tracked) {
        // As in PyTorch the op has no gradient for the weights: that comes from the composition.
        let by_weight = weighted(args, &x.detach().log_softmax(1))?;
        loss = loss + (&by_weight - by_weight.detach());
    }
    Ok(vec![Some(Value::Float(loss)), Some(Value::Float(x.log_softmax(1)))])
}
