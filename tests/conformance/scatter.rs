//! Elements put at indices, by replacing or by combining.

use backstitch::{Float, ScatterReduce, Tensor};

use crate::case::{Args, Entry, Outputs, one, ops};

pub const OPS: &[Entry] = ops![
    "Scatter" => scatter_elements,
    "ScatterElements" => scatter_elements,
    "ScatterND" => scatter_nd,
];

fn scatter_elements<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, idx, updates) = (args.number(0)?, args.idx(1)?, args.number(2)?);
    let axis = args.long("axis", 0).rem_euclid(x.rank() as i64) as usize;
    let idx = crate::indexing::from_front(&idx, x.shape()[axis]);
    one(args.like_first(put(args, &x, axis, &idx, &updates)?))
}

/// The last axis of the indices names elements, or parts, of the data: rows, once its leading axes
/// are one.
fn scatter_nd<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, idx, updates) = (args.number(0)?, args.idx(1)?, args.number(2)?);
    let depth = *idx.shape().last().ok_or("indices without axes")?;
    let part: usize = x.shape()[depth..].iter().product();
    let rows = crate::indexing::rows(&x.shape()[..depth], &idx);
    let (count, flat) = (rows.numel(), x.reshape([x.numel() / part.max(1), part]));
    let rows = rows.reshape([count, 1]).expand([count, part]);
    let y = put(args, &flat, 0, &rows, &updates.reshape([count, part]))?;
    one(args.like_first(y.reshape(x.shape())))
}

fn put<T: Float>(
    args: &Args<T>,
    x: &Tensor<T>,
    axis: usize,
    idx: &Tensor<i64>,
    updates: &Tensor<T>,
) -> Result<Tensor<T>, String> {
    let how = match &args.text("reduction", "none")[..] {
        "none" => return Ok(x.scatter(axis as isize, idx, updates)),
        "add" => return Ok(x.scatter_add(axis as isize, idx, updates)),
        "mul" => ScatterReduce::Prod,
        "max" => ScatterReduce::Amax,
        "min" => ScatterReduce::Amin,
        other => return Err(format!("reduction {other}")),
    };
    Ok(x.scatter_reduce(axis as isize, idx, updates, how, true))
}
