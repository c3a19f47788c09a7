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
    let eps = args.float("epsilon", 1e-5);
    let channels = |i: usize| Ok::<_, String>(per_channel(args.x(i)?, x.rank()));
    let (scale, bias, old_mean, old_var) = (channels(1)?, channels(2)?, channels(3)?, channels(4)?);
    if !args.flag("training_mode", false) {
        return one((x - old_mean) * (old_var + eps).rsqrt() * scale + bias);
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

/// Groups of neighbouring channels are normalised together, then scaled per channel.
fn group_norm<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, groups) = (args.x(0)?, args.long("num_groups", 1) as usize);
    let scale = args.x(1)?;
    if scale.numel() != x.shape()[1] {
        return Err("a scale per group, of versions before 21".into());
    }
    one(normalized(x, groups, args.float("epsilon", 1e-5)) * per_channel(scale, x.rank())
        + per_channel(args.x(2)?, x.rank()))
}

fn instance_norm<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let y = normalized(x, x.shape()[1], args.float("epsilon", 1e-5));
    one(y * per_channel(args.x(1)?, x.rank()) + per_channel(args.x(2)?, x.rank()))
}

fn normalized<T: Float>(x: &Tensor<T>, groups: usize, eps: T) -> Tensor<T> {
    let rows = x.reshape([x.shape()[0] * groups, x.numel() / (x.shape()[0] * groups)]);
    let (mean, var) = moments(&rows, &vec![1]);
    ((rows - mean) * (var + eps).rsqrt()).reshape(x.shape())
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
    let first = args.long("axis", -1).rem_euclid(x.rank() as i64) as isize;
    let dims: Vec<isize> = (first..x.rank() as isize).collect();
    let mean_square = x.square().mean_dim(&dims, true);
    one(x * (mean_square + args.float("epsilon", 1e-5)).rsqrt() * args.x(1)?)
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

/// `x / (bias + alpha / size Σ x²)^beta`, the sum over neighbouring channels.
fn local_response<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let size = args.long("size", 1) as usize;
    let (channels, squares) = (x.shape()[1], x.square());
    let (before, after) = ((size - 1) / 2, size / 2);
    let window = |c: usize| {
        let (first, end) = (c.saturating_sub(before), (c + after + 1).min(channels));
        squares.narrow(1, first, end - first).sum_dim(1, true)
    };
    let sums: Vec<Tensor<T>> = (0..channels).map(window).collect();
    let sums = Tensor::concat(&sums.iter().collect::<Vec<_>>(), 1);
    let alpha = args.float("alpha", 1e-4) / T::from_usize(size);
    one(x / (sums * alpha + args.float("bias", 1.0)).pow(args.float("beta", 0.75)))
}

fn mean_variance<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let axes = args.longs("axes").unwrap_or_else(|| vec![0, 2, 3]);
    let dims: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
    let (mean, var) = moments(x, &dims);
    one((x - mean) / (var.sqrt() + T::from_f64(1e-9)))
}
