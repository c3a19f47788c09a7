//! Elements put at indices, by replacing or by combining.

use backstitch::{Float, Tensor};

use crate::case::{Args, Entry, Outputs, one, ops};

pub const OPS: &[Entry] = ops![
    "Scatter" => scatter_elements,
    "ScatterElements" => scatter_elements,
    "ScatterND" => scatter_nd,
];

fn scatter_elements<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, idx, updates) = (args.number(0)?, args.idx(1)?, args.number(2)?);
    let axis = args.long("axis", 0).rem_euclid(x.rank() as i64) as usize;
    let mut targets = Vec::new();
    let _ = Tensor::from_fn(idx.shape(), |at| {
        let mut own = at.to_vec();
        own[axis] = idx.at(at).rem_euclid(x.shape()[axis] as i64) as usize;
        targets.push(own.iter().zip(x.shape()).fold(0, |flat, (&i, &n)| flat * n + i));
        false
    });
    one(args.like_first(put(&x, &updates, &targets, &args.text("reduction", "none"))?))
}

fn scatter_nd<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, idx, updates) = (args.number(0)?, args.idx(1)?, args.number(2)?);
    let depth = *idx.shape().last().ok_or("indices without axes")?;
    let part: usize = x.shape()[depth..].iter().product();
    let rows = idx.reshape([idx.numel() / depth.max(1), depth]);
    let mut targets = Vec::new();
    for row in 0..rows.shape()[0] {
        let at = (0..depth).fold(0, |at, d| {
            let size = x.shape()[d];
            at * size + rows.at(&[row, d]).rem_euclid(size as i64) as usize
        });
        targets.extend((0..part).map(|i| at * part + i));
    }
    one(args.like_first(put(&x, &updates, &targets, &args.text("reduction", "none"))?))
}

/// Combines update `k` with the element at `targets[k]` of the flat data, in order.
///
/// In rounds: each round takes at most one update per element, and what does not count for
/// elements without one.
fn put<T: Float>(
    x: &Tensor<T>,
    updates: &Tensor<T>,
    targets: &[usize],
    how: &str,
) -> Result<Tensor<T>, String> {
    let mut flat = x.reshape([x.numel()]);
    let updates = updates.reshape([updates.numel()]);
    let mut waiting: Vec<(usize, usize)> = targets.iter().copied().enumerate().collect();
    while !waiting.is_empty() {
        let mut chosen = vec![None; x.numel()];
        waiting.retain(|&(update, target)| {
            let takes = chosen[target].is_none();
            if takes {
                chosen[target] = Some(update);
            }
            !takes
        });
        flat = round(&flat, &updates, &chosen, how)?;
    }
    Ok(flat.reshape(x.shape()))
}

fn round<T: Float>(
    flat: &Tensor<T>,
    updates: &Tensor<T>,
    chosen: &[Option<usize>],
    how: &str,
) -> Result<Tensor<T>, String> {
    let n = chosen.len();
    if how == "none" {
        // An element is itself, or an update.
        let source = |(i, update): (usize, &Option<usize>)| update.map_or(i, |k| n + k) as i64;
        let sources: Tensor<i64> = chosen.iter().enumerate().map(source).collect();
        return Ok(Tensor::concat(&[flat, updates], 0).gather(0, &sources));
    }
    let neutral = match how {
        "add" => T::ZERO,
        "mul" => T::ONE,
        "max" => T::NEG_INFINITY,
        "min" => T::INFINITY,
        other => return Err(format!("reduction {other}")),
    };
    let choices = Tensor::concat(&[&Tensor::full([1], neutral), updates], 0);
    let sources: Tensor<i64> = chosen.iter().map(|k| k.map_or(0, |k| k + 1) as i64).collect();
    let values = choices.gather(0, &sources);
    Ok(match how {
        "add" => flat + values,
        "mul" => flat * values,
        "max" => flat.maximum(values),
        _ => flat.minimum(values),
    })
}
