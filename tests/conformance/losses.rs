//! Classification losses.

use backstitch::{CrossEntropy, Float, Reduction, Tensor};

use crate::case::{Args, Entry, Outputs, Value, one, ops};

pub const OPS: &[Entry] = ops![
    "NegativeLogLikelihoodLoss" => negative_log_likelihood,
    "SoftmaxCrossEntropyLoss" => cross_entropy,
];

fn negative_log_likelihood<T: Float>(args: &Args<T>) -> Outputs<T> {
    one(weighted(args, args.x(0)?)?)
}

/// `-w[label] x[label]` for log-probabilities `x (N, C, ...)`; the mean divides by the weights.
fn weighted<T: Float>(args: &Args<T>, x: &Tensor<T>) -> Result<Tensor<T>, String> {
    let labels = args.idx(1)?;
    let ignored = args.attr("ignore_index").map(|_| args.long("ignore_index", 0));
    let counts = |label: i64| Some(label) != ignored;
    let place = labels.shape();
    let mut with_class = place.to_vec();
    with_class.insert(1, 1);
    // What is ignored may be no class.
    let classes = Tensor::from_fn(place, |at| {
        let label = labels.at(at);
        if counts(label) { label } else { 0 }
    });
    let counted = Tensor::from_fn(place, |at| if counts(labels.at(at)) { T::ONE } else { T::ZERO });
    let weights = match args.maybe_x(2)? {
        None => counted,
        Some(weight) => {
            weight.gather(0, &classes.reshape([classes.numel()])).reshape(place) * counted
        }
    };
    let losses = -(x.gather(1, &classes.reshape(with_class)).reshape(place) * &weights);
    Ok(match args.text("reduction", "mean").as_str() {
        "none" => losses,
        "sum" => losses.sum(),
        _ => losses.sum() / weights.sum(),
    })
}

fn cross_entropy<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, labels, weight) = (args.x(0)?, args.idx(1)?, args.maybe_x(2)?);
    let options = CrossEntropy {
        weights: weight.map(Tensor::detach),
        ignore_index: args.long("ignore_index", i64::MIN),
        reduction: match args.text("reduction", "mean").as_str() {
            "none" => Reduction::None,
            "sum" => Reduction::Sum,
            _ => Reduction::Mean,
        },
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
