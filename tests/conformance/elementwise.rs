//! Element-wise functions of one, two and more inputs.

use backstitch::{Float, Tensor};

use crate::case::{Args, Entry, Outputs, Value, bools, one, ops};

pub const OPS: &[Entry] = ops![
    "Abs" => |args: &Args<T>| unary(args, Tensor::abs),
    "Acos" => |args: &Args<T>| unary(args, Tensor::acos),
    "Acosh" => |args: &Args<T>| unary(args, Tensor::acosh),
    "Asin" => |args: &Args<T>| unary(args, Tensor::asin),
    "Asinh" => |args: &Args<T>| unary(args, Tensor::asinh),
    "Atan" => |args: &Args<T>| unary(args, Tensor::atan),
    "Atanh" => |args: &Args<T>| unary(args, Tensor::atanh),
    "Ceil" => |args: &Args<T>| unary(args, Tensor::ceil),
    "Cos" => |args: &Args<T>| unary(args, Tensor::cos),
    "Cosh" => |args: &Args<T>| unary(args, Tensor::cosh),
    "Erf" => |args: &Args<T>| unary(args, Tensor::erf),
    "Exp" => |args: &Args<T>| unary(args, Tensor::exp),
    "Floor" => |args: &Args<T>| unary(args, Tensor::floor),
    "Log" => |args: &Args<T>| unary(args, Tensor::log),
    "Neg" => |args: &Args<T>| unary(args, |x| -x),
    "Reciprocal" => |args: &Args<T>| unary(args, Tensor::recip),
    "Round" => |args: &Args<T>| unary(args, Tensor::round),
    "Sign" => |args: &Args<T>| unary(args, Tensor::sign),
    "Sin" => |args: &Args<T>| unary(args, Tensor::sin),
    "Sinh" => |args: &Args<T>| unary(args, Tensor::sinh),
    "Sqrt" => |args: &Args<T>| unary(args, Tensor::sqrt),
    "Tan" => |args: &Args<T>| unary(args, Tensor::tan),
    "Add" => |args: &Args<T>| binary(args, |a, b| a + b),
    "Sub" => |args: &Args<T>| binary(args, |a, b| a - b),
    "Mul" => |args: &Args<T>| binary(args, |a, b| a * b),
    "Div" => div,
    "Mod" => modulo,
    "Pow" => pow,
    "Max" => |args: &Args<T>| fold(args, |a, b| a.maximum(b)),
    "Min" => |args: &Args<T>| fold(args, |a, b| a.minimum(b)),
    "Sum" => |args: &Args<T>| fold(args, |a, b| a + b),
    "Mean" => mean,
    "And" => |args: &Args<T>| bools(args.mask(0)?.logical_and(args.mask(1)?)),
    "Or" => |args: &Args<T>| bools(args.mask(0)?.logical_or(args.mask(1)?)),
    "Xor" => |args: &Args<T>| bools(args.mask(0)?.logical_xor(args.mask(1)?)),
    "Not" => |args: &Args<T>| bools(args.mask(0)?.logical_not()),
    "Equal" => |args: &Args<T>| bools(args.number(0)?.eq(args.number(1)?)),
    "Greater" => |args: &Args<T>| bools(args.number(0)?.gt(args.number(1)?)),
    "GreaterOrEqual" => |args: &Args<T>| bools(args.number(0)?.ge(args.number(1)?)),
    "Less" => |args: &Args<T>| bools(args.number(0)?.lt(args.number(1)?)),
    "LessOrEqual" => |args: &Args<T>| bools(args.number(0)?.le(args.number(1)?)),
    "IsNaN" => |args: &Args<T>| bools(args.x(0)?.is_nan()),
    "IsInf" => is_inf,
    "Where" => choose,
];

fn unary<T: Float>(args: &Args<T>, f: impl Fn(&Tensor<T>) -> Tensor<T>) -> Outputs<T> {
    one(args.like_first(f(&args.number(0)?)))
}

fn binary<T: Float>(args: &Args<T>, f: impl Fn(&Tensor<T>, &Tensor<T>) -> Tensor<T>) -> Outputs<T> {
    one(args.like_first(f(&args.number(0)?, &args.number(1)?)))
}

/// Any number of inputs, from the first to the last.
fn fold<T: Float>(args: &Args<T>, f: impl Fn(&Tensor<T>, &Tensor<T>) -> Tensor<T>) -> Outputs<T> {
    let mut y = args.number(0)?;
    for i in 1..args.inputs.len() {
        y = f(&y, &args.number(i)?);
    }
    one(args.like_first(y))
}

/// Whole numbers are divided towards zero.
fn div<T: Float>(args: &Args<T>) -> Outputs<T> {
    let y = args.number(0)? / args.number(1)?;
    match args.value(0) {
        Some(Value::Float(_)) => one(y),
        _ => one(args.like_first(y.trunc())),
    }
}

/// Python's remainder, or C's where `fmod` is set.
fn modulo<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (a, b) = (args.number(0)?, args.number(1)?);
    one(args.like_first(if args.flag("fmod", false) { a.fmod(b) } else { a.remainder(b) }))
}

/// An exponent of whole numbers has no gradient.
fn pow<T: Float>(args: &Args<T>) -> Outputs<T> {
    one(args.like_first(args.number(0)?.pow(args.number(1)?)))
}

fn mean<T: Float>(args: &Args<T>) -> Outputs<T> {
    let count = T::from_usize(args.inputs.len());
    let sum = fold(args, |a, b| a + b)?;
    match sum.into_iter().next().flatten() {
        Some(Value::Float(sum)) => one(sum / count),
        _ => Err("the mean of whole numbers".into()),
    }
}

fn is_inf<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let mut wanted = x.is_inf();
    if !args.flag("detect_positive", true) {
        wanted = wanted.logical_and(x.lt(T::ZERO));
    }
    if !args.flag("detect_negative", true) {
        wanted = wanted.logical_and(x.gt(T::ZERO));
    }
    bools(wanted)
}

fn choose<T: Float>(args: &Args<T>) -> Outputs<T> {
    let mask = args.mask(0)?;
    match (args.value(1), args.value(2)) {
        (Some(Value::Float(a)), Some(Value::Float(b))) => one(Tensor::where_(mask, a, b)),
        (Some(Value::Int(a)), Some(Value::Int(b))) => {
            Ok(vec![Some(Value::Int(Tensor::where_(mask, a, b)))])
        }
        _ => Err("a choice between these element types".into()),
    }
}
