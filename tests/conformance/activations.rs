//! Activation functions.

use backstitch::{Float, Tensor};

use crate::case::{Args, Entry, Outputs, one, ops};

pub const OPS: &[Entry] = ops![
    "Celu" => |args: &Args<T>| one(args.x(0)?.celu(args.float("alpha", 1.0))),
    "Clip" => clip,
    "Elu" => |args: &Args<T>| one(args.x(0)?.elu(args.float("alpha", 1.0))),
    "Gelu" => gelu,
    "Hardmax" => hardmax,
    "HardSigmoid" => hard_sigmoid,
    "HardSwish" => |args: &Args<T>| one(args.x(0)?.hardswish()),
    "LeakyRelu" => |args: &Args<T>| one(args.x(0)?.leaky_relu(args.float("alpha", 0.01))),
    "LogSoftmax" => |args: &Args<T>| one(args.x(0)?.log_softmax(args.long("axis", -1) as isize)),
    "Mish" => |args: &Args<T>| one(args.x(0)?.mish()),
    "PRelu" => prelu,
    "Relu" => |args: &Args<T>| one(args.x(0)?.relu()),
    "Selu" => selu,
    "Shrink" => shrink,
    "Sigmoid" => |args: &Args<T>| one(args.x(0)?.sigmoid()),
    "Silu" => |args: &Args<T>| one(args.x(0)?.silu()),
    "Softmax" => |args: &Args<T>| one(args.x(0)?.softmax(args.long("axis", -1) as isize)),
    "Softplus" => |args: &Args<T>| one(args.x(0)?.softplus()),
    "Softsign" => |args: &Args<T>| one(args.x(0)?.softsign()),
    "SwiGLU" => |args: &Args<T>| one(swish(args)? * args.x(1)?),
    "Swish" => |args: &Args<T>| one(swish(args)?),
    "Tanh" => |args: &Args<T>| one(args.x(0)?.tanh()),
    "ThresholdedRelu" => |args: &Args<T>| {
        one(args.x(0)?.threshold(args.float("alpha", 1.0), T::ZERO))
    },
];

/// Bounds are inputs 1 and 2, attributes in versions before 11; each may be left out.
fn clip<T: Float>(args: &Args<T>) -> Outputs<T> {
    let mut y = args.number(0)?;
    let bound = |i: usize, attr: &str| match args.value(i) {
        Some(_) => args.number(i).map(Some),
        None => Ok(args.attr(attr).map(|_| Tensor::scalar(args.float(attr, 0.0)))),
    };
    if let Some(low) = bound(1, "min")? {
        y = y.maximum(low);
    }
    if let Some(high) = bound(2, "max")? {
        y = y.minimum(high);
    }
    one(args.like_first(y))
}

fn gelu<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    one(if args.text("approximate", "none") == "tanh" { x.gelu_tanh() } else { x.gelu() })
}

/// 1 at the first largest element along an axis, 0 elsewhere.
fn hardmax<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let axis = args.long("axis", -1) as isize;
    let best = x.argmax(axis, true);
    one(Tensor::zeros(x.shape()).scatter(axis, &best, T::ONE))
}

/// `clamp(alpha x + beta, 0, 1)`; the op of that name has PyTorch's fixed coefficients.
fn hard_sigmoid<T: Float>(args: &Args<T>) -> Outputs<T> {
    let line = args.x(0)? * args.float("alpha", 0.2) + args.float("beta", 0.5);
    one(line.clamp(T::ZERO, T::ONE))
}

/// The slope broadcasts from the last axis on, unlike PyTorch's, which is one per channel.
fn prelu<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, slope) = (args.x(0)?, args.x(1)?);
    one(Tensor::where_(&x.lt(T::ZERO), x * slope, x))
}

fn selu<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, alpha) = (args.x(0)?, args.f64("alpha", 1.673_263_2));
    if args.attr("alpha").is_none() && args.attr("gamma").is_none() {
        return one(x.selu());
    }
    one(x.elu(T::from_f64(alpha)) * args.float("gamma", 1.050_701))
}

/// `x - bias` above lambd, `x + bias` below -lambd, else 0.
fn shrink<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, bias) = (args.number(0)?, args.float("bias", 0.0));
    let lambda = args.float("lambd", 0.5);
    let outer = x.hardshrink(lambda);
    one(args.like_first(outer - x.hardshrink(lambda).sign().detach() * bias))
}

fn swish<T: Float>(args: &Args<T>) -> Result<Tensor<T>, String> {
    let x = args.x(0)?;
    Ok(x * (x * args.float("alpha", 1.0)).sigmoid())
}
