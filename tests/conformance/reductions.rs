//! Reductions, running sums and products, and elements chosen by their order.

use backstitch::{Element, Float, Tensor, Unique};

use crate::case::{Args, Entry, Outputs, Value, ints, one, ops};

pub const OPS: &[Entry] = ops![
    "ArgMax" => |args: &Args<T>| arg(args, |x, axis| x.argmax(axis, true)),
    "ArgMin" => |args: &Args<T>| arg(args, |x, axis| x.argmin(axis, true)),
    "CumProd" => |args: &Args<T>| running(args, Tensor::cumprod, T::ONE),
    "CumSum" => |args: &Args<T>| running(args, Tensor::cumsum, T::ZERO),
    "ReduceL1" => |args: &Args<T>| reduce(args, |x, dims, keep| x.norm(1.0, dims, keep)),
    "ReduceL2" => |args: &Args<T>| reduce(args, |x, dims, keep| x.norm(2.0, dims, keep)),
    "ReduceLogSum" => |args: &Args<T>| reduce(args, |x, dims, keep| x.sum_dim(dims, keep).log()),
    "ReduceLogSumExp" => |args: &Args<T>| reduce(args, |x, dims, keep| x.logsumexp(dims, keep)),
    "ReduceMax" => |args: &Args<T>| {
        extreme(args, T::NEG_INFINITY, |x, dims, keep| x.max_dim(dims, keep))
    },
    "ReduceMean" => |args: &Args<T>| reduce(args, |x, dims, keep| x.mean_dim(dims, keep)),
    "ReduceMin" => |args: &Args<T>| {
        extreme(args, T::INFINITY, |x, dims, keep| x.min_dim(dims, keep))
    },
    "ReduceProd" => |args: &Args<T>| reduce(args, |x, dims, keep| x.prod_dim(dims, keep)),
    "ReduceSum" => |args: &Args<T>| reduce(args, |x, dims, keep| x.sum_dim(dims, keep)),
    "ReduceSumSquare" => |args: &Args<T>| {
        reduce(args, |x, dims, keep| x.square().sum_dim(dims, keep))
    },
    "TopK" => topk,
    "Unique" => unique,
];

/// Reduces over the axes of input 1, or of the attribute in older versions. No axes means all, or
/// none where the case says so.
fn reduce<T: Float>(
    args: &Args<T>,
    f: impl Fn(&Tensor<T>, &[isize], bool) -> Tensor<T>,
) -> Outputs<T> {
    let x = args.number(0)?;
    let named = args.list(1, "axes").unwrap_or_default();
    let keepdims = args.flag("keepdims", true);
    if named.is_empty() && args.flag("noop_with_empty_axes", false) {
        // Each element is reduced by itself: a square or a magnitude is still taken.
        let alone = x.reshape([x.shape(), &[1]].concat());
        return one(args.like_first(f(&alone, &[-1], false)));
    }
    let dims: Vec<isize> = named.iter().map(|&axis| axis as isize).collect();
    one(args.like_first(f(&x, &dims, keepdims)))
}

/// The extreme of no elements is the one that loses against all others: of truth values, 0 or 1.
fn extreme<T: Float>(
    args: &Args<T>,
    of_none: T,
    f: impl Fn(&Tensor<T>, &[isize], bool) -> Tensor<T>,
) -> Outputs<T> {
    let of_none = match args.value(0) {
        Some(Value::Bool(_)) => T::from_bool(of_none > T::ZERO),
        _ => of_none,
    };
    reduce(args, |x, dims, keep| match x.numel() {
        0 => x.sum_dim(dims, keep) + of_none,
        _ => f(x, dims, keep),
    })
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
    f: impl Fn(&Tensor<T>, isize) -> Tensor<T>,
    start: T,
) -> Outputs<T> {
    let x = args.number(0)?;
    let axis = args.idx(1)?.item() as isize;
    let turn = |x: Tensor<T>| match args.flag("reverse", false) {
        true => x.slice_step(axis, .., -1),
        false => x,
    };
    let y = f(&turn(x), axis);
    let y = match args.flag("exclusive", false) && y.size(axis) > 0 {
        false => y,
        true => {
            let first = y.narrow(axis, 0, 1).detach() * T::ZERO + start;
            Tensor::concat(&[&first, &y.narrow(axis, 0, y.size(axis) - 1)], axis)
        }
    };
    one(args.like_first(turn(y)))
}

/// `k` is input 1, an attribute in the first version. Elements that need not be sorted may be.
fn topk<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.number(0)?;
    let k = args.list(1, "k").map_or(args.long("k", 1), |k| k[0]) as usize;
    let (y, idx) = x.topk(k, args.long("axis", -1) as isize, args.flag("largest", true));
    Ok(vec![Some(args.like_first(y)), Some(Value::Int(idx))])
}

fn unique<T: Float>(args: &Args<T>) -> Outputs<T> {
    match args.value(0) {
        Some(Value::Float(x)) => found(args, x, Value::Float),
        Some(Value::Int(x)) => found(args, x, Value::Int),
        Some(Value::Bool(x)) => found(args, x, Value::Bool),
        Some(Value::Byte(x)) => found(args, x, Value::Byte),
        None => Err("input 0 is omitted".into()),
    }
}

/// The different slices along an axis, or elements; sorted, or in the order in which they appear.
fn found<T: Float, E: Element>(
    args: &Args<T>,
    x: &Tensor<E>,
    value: fn(Tensor<E>) -> Value<T>,
) -> Outputs<T> {
    let axis = args.attr("axis").map(|_| args.long("axis", 0) as isize);
    let Unique { mut values, mut first, inverse, mut counts } = match axis {
        Some(axis) => x.unique_dim(axis),
        None => x.unique(),
    };
    let mut inverse = inverse.reshape([inverse.numel()]);
    if !args.flag("sorted", true) {
        let places = first.to_vec();
        let mut order: Vec<i64> = (0..places.len() as i64).collect();
        order.sort_by_key(|&i| places[i as usize]);
        let ordered = |x: &Tensor<i64>| crate::indexing::select(x, 0, &order);
        (first, counts) = (ordered(&first), ordered(&counts));
        let dim = axis.map_or(0, |axis| axis.rem_euclid(values.rank() as isize)) as usize;
        values = crate::indexing::select(&values, dim, &order);
        let rank = |i: i64| order.iter().position(|&o| o == i).expect("all are there") as i64;
        inverse = inverse.to_vec().into_iter().map(rank).collect();
    }
    let list = |x: Tensor<i64>| Some(Value::Int(x));
    Ok(vec![Some(value(values)), list(first), list(inverse), list(counts)])
}
