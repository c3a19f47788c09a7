//! Reductions, running sums and products, and the largest elements.

use backstitch::{Float, Tensor};

use crate::case::{Args, Entry, Outputs, ints, one, ops};

pub const OPS: &[Entry] = ops![
    "ArgMax" => |args: &Args<T>| arg(args, |x, axis| x.argmax(axis, true)),
    "ArgMin" => |args: &Args<T>| arg(args, |x, axis| x.argmin(axis, true)),
    "CumProd" => |args: &Args<T>| running(args, |a, b| a * b, T::ONE),
    "CumSum" => |args: &Args<T>| running(args, |a, b| a + b, T::ZERO),
    "ReduceL1" => |args: &Args<T>| reduce(args, |rows| rows.abs().sum_dim(-1, false)),
    "ReduceL2" => |args: &Args<T>| reduce(args, |rows| rows.square().sum_dim(-1, false).sqrt()),
    "ReduceLogSum" => |args: &Args<T>| reduce(args, |rows| rows.sum_dim(-1, false).log()),
    "ReduceLogSumExp" => |args: &Args<T>| reduce(args, log_sum_exp),
    "ReduceMax" => |args: &Args<T>| extreme(args, T::NEG_INFINITY, |rows| rows.max_dim(-1, false)),
    "ReduceMean" => |args: &Args<T>| reduce(args, |rows| rows.mean_dim(-1, false)),
    "ReduceMin" => |args: &Args<T>| extreme(args, T::INFINITY, |rows| rows.min_dim(-1, false)),
    "ReduceProd" => |args: &Args<T>| reduce(args, product),
    "ReduceSum" => |args: &Args<T>| reduce(args, |rows| rows.sum_dim(-1, false)),
    "ReduceSumSquare" => |args: &Args<T>| reduce(args, |rows| rows.square().sum_dim(-1, false)),
];

/// Reduces over the axes of input 1, or of the attribute in older versions: `f` reduces rows
/// `(kept, reduced)` to `(kept)`. No axes means all, or none where the case says so.
fn reduce<T: Float>(args: &Args<T>, f: impl Fn(&Tensor<T>) -> Tensor<T>) -> Outputs<T> {
    let x = args.number(0)?;
    let rank = x.rank();
    let named = args.list(1, "axes").unwrap_or_default();
    if named.is_empty() && args.flag("noop_with_empty_axes", false) {
        // Each element is reduced by itself: a square or a magnitude is still taken.
        let rows = x.reshape([x.numel(), 1]);
        return one(args.like_first(f(&rows).reshape(x.shape())));
    }
    let inside = |axis: usize| {
        named.is_empty() || named.iter().any(|a| a.rem_euclid(rank as i64) as usize == axis)
    };
    let kept: Vec<usize> = (0..rank).filter(|&axis| !inside(axis)).collect();
    let reduced: Vec<usize> = (0..rank).filter(|&axis| inside(axis)).collect();
    let size = |axes: &[usize]| axes.iter().map(|&axis| x.shape()[axis]).product::<usize>();
    let order: Vec<isize> = kept.iter().chain(&reduced).map(|&axis| axis as isize).collect();
    let moved = if rank == 0 { x.clone() } else { x.permute(&order) };
    let y = f(&moved.reshape([size(&kept), size(&reduced)]));
    let keepdims = args.flag("keepdims", true);
    let shape: Vec<usize> = (0..rank)
        .filter(|&axis| keepdims || !inside(axis))
        .map(|axis| if inside(axis) { 1 } else { x.shape()[axis] })
        .collect();
    one(args.like_first(y.reshape(shape)))
}

/// The extreme of no elements is the one that loses against all others.
fn extreme<T: Float>(
    args: &Args<T>,
    of_none: T,
    f: impl Fn(&Tensor<T>) -> Tensor<T>,
) -> Outputs<T> {
    reduce(args, |rows| match rows.size(-1) {
        0 => Tensor::full([rows.size(0)], of_none),
        _ => f(rows),
    })
}

/// The largest element is taken out first, so that nothing overflows.
fn log_sum_exp<T: Float>(rows: &Tensor<T>) -> Tensor<T> {
    if rows.size(-1) == 0 {
        return Tensor::full([rows.size(0)], T::NEG_INFINITY);
    }
    let top = rows.max_dim(-1, true).detach();
    (rows - &top).exp().sum_dim(-1, false).log() + top.reshape([rows.size(0)])
}

fn product<T: Float>(rows: &Tensor<T>) -> Tensor<T> {
    let column = |j: usize| rows.narrow(-1, j, 1).reshape([rows.size(0)]);
    (0..rows.size(-1)).fold(Tensor::ones([rows.size(0)]), |product, j| product * column(j))
}

/// The index of the first, or of the last, extreme element.
fn arg<T: Float>(args: &Args<T>, f: impl Fn(&Tensor<T>, isize) -> Tensor<i64>) -> Outputs<T> {
    let x = args.number(0)?;
    let axis = args.long("axis", 0).rem_euclid(x.rank() as i64) as isize;
    let size = x.size(axis) as i64;
    let idx = match args.flag("select_last_index", false) {
        false => f(&x, axis),
        true => {
            let idx = f(&x.slice_step(axis, .., -1), axis);
            Tensor::from_fn(idx.shape(), |at| size - 1 - idx.at(at))
        }
    };
    match args.flag("keepdims", true) {
        true => ints(idx),
        false => {
            let mut shape = idx.shape().to_vec();
            shape.remove(axis as usize);
            ints(idx.reshape(shape))
        }
    }
}

/// Combines elements along an axis with all before them; or after, or without the element itself.
fn running<T: Float>(
    args: &Args<T>,
    f: impl Fn(&Tensor<T>, &Tensor<T>) -> Tensor<T>,
    start: T,
) -> Outputs<T> {
    let x = args.number(0)?;
    let axis = args.idx(1)?.item().rem_euclid(x.rank() as i64) as isize;
    let (reverse, exclusive) = (args.flag("reverse", false), args.flag("exclusive", false));
    let x = if reverse { x.slice_step(axis, .., -1) } else { x };
    let count = x.size(axis);
    if count == 0 {
        return one(args.like_first(x));
    }
    let part = |i: usize| x.narrow(axis, i, 1);
    let mut parts = Vec::with_capacity(count);
    let mut so_far = part(0) * T::ZERO + start;
    for i in 0..count {
        let before = so_far.clone();
        so_far = f(&so_far, &part(i));
        parts.push(if exclusive { before } else { so_far.clone() });
    }
    let y = Tensor::concat(&parts.iter().collect::<Vec<_>>(), axis);
    one(args.like_first(if reverse { y.slice_step(axis, .., -1) } else { y }))
}
