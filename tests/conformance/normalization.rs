//! Normalisations.

use backstitch::{Float, Tensor};

use crate::case::{Args, Entry, Outputs, Value, one, ops};

pub const OPS: &[Entry] = ops![
    "BatchNormalization" => batch_norm,
    "GroupNormalization" => group_norm,
    "InstanceNormalization" => instance_norm,
    "LayerNormalization" => layer_norm,
    "LpNormalization" => lp_normalization,
    "LRN" => local_response,
    "MeanVarianceNormalization" => mean_variance,
    "RMSNormalization" => rms_norm,
];

/// A vector of one number per channel, in the shape that broadcasts over `(N, C, ...)`.
fn per_channel<T: Float>(x: &Tensor<T>, rank: usize) -> Tensor<T> {
    let mut shape = vec![1; rank];
    shape[1] = x.numel();
    x.reshape(shape)
}

fn dims_but(rank: usize, kept: &[usize]) -> Vec<isize> {
    (0..rank).filter(|axis| !kept.contains(axis)).map(|axis| axis as isize).collect()
}

/// Mean and biased variance over some axes, which stay with length 1.
fn moments<T: Float>(x: &Tensor<T>, dims: &Vec<isize>) -> (Tensor<T>, Tensor<T>) {
    let mean = x.mean_dim(dims, true);
    let var = (x - &mean).square().mean_dim(dims, true);
    (mean, var)
}

fn batch_norm<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let channels = |i: usize| Ok::<_, String>(per_channel(args.x(i)?, x.rank()));
    let (old_mean, old_var) = (channels(3)?, channels(4)?);
    if !args.flag("training_mode", false) {
        let eps = args.float("epsilon", 1e-5);
        return one((x - old_mean) * (old_var + eps).rsqrt() * channels(1)? + channels(2)?);
    }
    let (mean, var) = moments(x, &dims_but(x.rank(), &[1]));
    let (y, _) = x.batch_norm(Some(args.x(1)?), Some(args.x(2)?), args.f64("epsilon", 1e-5));
    let keep = args.float("momentum", 0.9);
    let count = [mean.numel()];
    let running = |old: Tensor<T>, new: Tensor<T>| {
        Some(Value::Float((old * keep + new * (T::ONE - keep)).reshape(count)))
    };
    Ok(vec![Some(Value::Float(y)), running(old_mean, mean), running(old_var, var)])
}

/// Groups of neighbouring channels are normalised together, then scaled per channel; before
/// version 21 per group.
fn group_norm<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, groups) = (args.x(0)?, args.long("num_groups", 1) as usize);
    let (scale, bias, eps) = (args.x(1)?, args.x(2)?, args.f64("epsilon", 1e-5));
    if scale.numel() == x.shape()[1] {
        return one(x.group_norm(groups, Some(scale), Some(bias), eps));
    }
    let spread = |param: &Tensor<T>| {
        let of_group = x.shape()[1] / groups;
        param.reshape([groups, 1]).expand([groups, of_group]).reshape([x.shape()[1]])
    };
    one(x.group_norm(groups, Some(&spread(scale)), Some(&spread(bias)), eps))
}

fn instance_norm<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (scale, bias) = (args.x(1)?, args.x(2)?);
    one(args.x(0)?.instance_norm(Some(scale), Some(bias), args.f64("epsilon", 1e-5)))
}

/// Over the axes from `axis` on. Mean and reciprocal deviation are further outputs.
fn layer_norm<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let first = args.long("axis", -1).rem_euclid(x.rank() as i64) as isize;
    let (mean, var) = moments(x, &(first..x.rank() as isize).collect());
    let eps = args.f64("epsilon", 1e-5);
    let rstd = (var + T::from_f64(eps)).rsqrt();
    let (weight, bias) = (args.x(1)?, args.maybe_x(2)?);
    let y = x.layer_norm(&x.shape()[first as usize..], Some(weight), bias, eps);
    Ok([y, mean, rstd].map(|y| Some(Value::Float(y))).into())
}

fn rms_norm<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let first = args.long("axis", -1).rem_euclid(x.rank() as i64) as usize;
    one(x.rms_norm(&x.shape()[first..], Some(args.x(1)?), args.f64("epsilon", 1e-5)))
}

/// Divides by a norm along an axis; a row of zeros stays.
fn lp_normalization<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, axis) = (args.x(0)?, args.long("axis", -1) as isize);
    let norm = match args.long("p", 2) {
        1 => x.abs().sum_dim(axis, true),
        2 => x.square().sum_dim(axis, true).sqrt(),
        p => return Err(format!("p = {p}")),
    };
    let safe = Tensor::where_(&norm.eq(T::ZERO), T::ONE, &norm);
    one(x / safe)
}

/// ONNX has the odd neighbour of an even size behind, PyTorch before: the channels are reversed.
fn local_response<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (size, alpha) = (args.long("size", 1) as usize, args.f64("alpha", 1e-4));
    let (beta, k) = (args.f64("beta", 0.75), args.f64("bias", 1.0));
    let flip = |x: &Tensor<T>| x.slice_step(1, .., -1);
    one(flip(&flip(args.x(0)?).local_response_norm(size, alpha, beta, k)))
}

fn mean_variance<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let axes = args.longs("axes").unwrap_or_else(|| vec![0, 2, 3]);
    let dims: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
    let (mean, var) = moments(x, &dims);
    one((x - mean) / (var.sqrt() + T::from_f64(1e-9)))
}
