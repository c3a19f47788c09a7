//! Shapes, parts, joins, and elements by index.

use backstitch::{Element, Float, PadMode, Patches, Tensor};

use crate::case::{Args, Entry, Outputs, Value, bools, ints, one, ops};

pub const OPS: &[Entry] = ops![
    "Identity" => |args: &Args<T>| each(args, |x| x.clone()),
    "Col2Im" => col2im,
    "CenterCropPad" => center_crop_pad,
    "Compress" => compress,
    "Concat" => concat,
    "ConstantOfShape" => constant_of_shape,
    "DepthToSpace" => depth_to_space,
    "Expand" => expand,
    "EyeLike" => eye_like,
    "Flatten" => flatten,
    "Gather" => gather,
    "GatherElements" => gather_elements,
    "GatherND" => gather_nd,
    "NonZero" => non_zero,
    "OneHot" => one_hot,
    "Pad" => pad,
    "Range" => range,
    "Reshape" => reshape,
    "ReverseSequence" => reverse_sequence,
    "Shape" => shape,
    "Size" => |args: &Args<T>| ints(Tensor::scalar(args.number(0)?.numel() as i64)),
    "Slice" => slice,
    "SpaceToDepth" => space_to_depth,
    "Split" => split,
    "Squeeze" => squeeze,
    "Tile" => tile,
    "Transpose" => transpose,
    "Trilu" => trilu,
    "Unsqueeze" => unsqueeze,
];

/// A function that moves elements, applied to input 0 whatever its type.
macro_rules! moved {
    ($args:expr, |$x:ident| $body:expr) => {
        match $args.value(0) {
            Some(Value::Float($x)) => one($body),
            Some(Value::Int($x)) => Ok(vec![Some(Value::Int($body))]),
            Some(Value::Bool($x)) => Ok(vec![Some(Value::Bool($body))]),
            Some(Value::Byte($x)) => Ok(vec![Some(Value::Byte($body))]),
            None => Err("input 0 is omitted".into()),
        }
    };
}

fn each<T: Float>(args: &Args<T>, f: impl Fn(&Tensor<T>) -> Tensor<T>) -> Outputs<T> {
    match args.value(0) {
        Some(Value::Float(x)) => one(f(x)),
        Some(other) => Ok(vec![Some(other.clone())]),
        None => Err("input 0 is omitted".into()),
    }
}

/// An axis that may count from the last.
fn axis(args: &impl HasRank, axis: i64) -> usize {
    axis.rem_euclid(args.rank().max(1) as i64) as usize
}

/// What has axes, so that [`axis`] can count them.
trait HasRank {
    fn rank(&self) -> usize;
}

impl<T: Element> HasRank for Tensor<T> {
    fn rank(&self) -> usize {
        self.shape().len()
    }
}

fn lengths(list: &[i64]) -> Vec<usize> {
    list.iter().map(|&n| n as usize).collect()
}

/// The whole parts of one axis at some places, in that order.
pub fn select<T: Element>(x: &Tensor<T>, axis: usize, places: &[i64]) -> Tensor<T> {
    let size = x.shape()[axis] as i64;
    let part = |&at: &i64| x.narrow(axis as isize, at.rem_euclid(size) as usize, 1);
    let parts: Vec<Tensor<T>> = places.iter().map(part).collect();
    match parts.is_empty() {
        true => x.narrow(axis as isize, 0, 0),
        false => Tensor::concat(&parts, axis as isize),
    }
}

fn compress<T: Float>(args: &Args<T>) -> Outputs<T> {
    let places: Vec<i64> = args
        .mask(1)?
        .to_vec()
        .iter()
        .enumerate()
        .filter_map(|(i, &keeps)| keeps.then_some(i as i64))
        .collect();
    moved!(args, |x| match args.attr("axis") {
        Some(_) => select(x, axis(x, args.long("axis", 0)), &places),
        None => select(&x.reshape([x.numel()]), 0, &places),
    })
}

fn concat<T: Float>(args: &Args<T>) -> Outputs<T> {
    let parts: Vec<Tensor<T>> =
        (0..args.inputs.len()).map(|i| args.number(i)).collect::<Result<_, _>>()?;
    let dim = args.long("axis", 1) as isize;
    one(args.like_first(Tensor::concat(&parts, dim)))
}

fn constant_of_shape<T: Float>(args: &Args<T>) -> Outputs<T> {
    let shape = lengths(&args.idx(0)?.to_vec());
    let Some(value) = args.attr("value") else { return one(Tensor::zeros(shape)) };
    let number = value["tensor"][0].as_f64().unwrap_or_default();
    match value["dtype"].as_str().unwrap_or("float32") {
        kind if kind.starts_with("int") => ints(Tensor::full(shape, number as i64)),
        kind if kind.starts_with("float") => one(Tensor::full(shape, T::from_f64(number))),
        "uint8" => Ok(vec![Some(Value::Byte(Tensor::full(shape, number as u8)))]),
        "bool" => bools(Tensor::full(shape, number != 0.0)),
        kind => Err(format!("a constant of type {kind}")),
    }
}

/// Blocks of channels become blocks of pixels.
fn depth_to_space<T: Float>(args: &Args<T>) -> Outputs<T> {
    let b = args.long("blocksize", 1) as usize;
    let crd = args.text("mode", "DCR") == "CRD";
    moved!(args, |x| {
        let [n, c, h, w] = *x.shape() else { return Err("other than four axes".into()) };
        let depth = c / (b * b);
        match crd {
            true => x.reshape([n, depth, b, b, h, w]).permute([0, 1, 4, 2, 5, 3]),
            false => x.reshape([n, b, b, depth, h, w]).permute([0, 3, 4, 1, 5, 2]),
        }
        .reshape([n, depth, h * b, w * b])
    })
}

fn space_to_depth<T: Float>(args: &Args<T>) -> Outputs<T> {
    let b = args.long("blocksize", 1) as usize;
    let crd = args.text("mode", "DCR") == "CRD";
    moved!(args, |x| {
        let [n, c, h, w] = *x.shape() else { return Err("other than four axes".into()) };
        let blocks = x.reshape([n, c, h / b, b, w / b, b]);
        match crd {
            true => blocks.permute([0, 1, 3, 5, 2, 4]),
            false => blocks.permute([0, 3, 5, 1, 2, 4]),
        }
        .reshape([n, c * b * b, h / b, w / b])
    })
}

/// Both shapes broadcast: a 1 in the new shape keeps the old length.
fn expand<T: Float>(args: &Args<T>) -> Outputs<T> {
    let asked = lengths(&args.idx(1)?.to_vec());
    moved!(args, |x| {
        let rank = asked.len().max(x.shape().len());
        let length = |shape: &[usize], i: usize| {
            (i + shape.len()).checked_sub(rank).map_or(1, |own| shape[own])
        };
        let pick = |i: usize| match (length(x.shape(), i), length(&asked, i)) {
            (1, n) | (n, 1) => n,
            (n, _) => n,
        };
        x.expand((0..rank).map(pick).collect::<Vec<usize>>())
    })
}

fn eye_like<T: Float>(args: &Args<T>) -> Outputs<T> {
    let shape = args.number(0)?.shape().to_vec();
    let k = args.long("k", 0);
    let hit = |idx: &[usize]| idx[1] as i64 - idx[0] as i64 == k;
    let eye = Tensor::from_fn(&shape, |idx| if hit(idx) { T::ONE } else { T::ZERO });
    // ONNX numbers element types: 1 is f32, 11 f64, 6 and 7 whole numbers.
    match args.attr("dtype").map(|_| args.long("dtype", 1)) {
        None => one(args.like_first(eye)),
        Some(1 | 11) => one(eye),
        Some(6 | 7) => ints(eye.to()),
        Some(other) => Err(format!("an identity of type {other}")),
    }
}

fn flatten<T: Float>(args: &Args<T>) -> Outputs<T> {
    moved!(args, |x| {
        let rank = x.shape().len() as i64;
        let at = args.long("axis", 1);
        let at = if at < 0 { at + rank } else { at } as usize;
        let size = |shape: &[usize]| shape.iter().product::<usize>();
        x.reshape([size(&x.shape()[..at]), size(&x.shape()[at..])])
    })
}

/// Parts of an axis at a tensor of indices, whose shape takes the axis's place.
fn gather<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, idx) = (args.number(0)?, args.idx(1)?);
    let axis = axis(&x, args.long("axis", 0));
    let flat = from_front(&idx, x.shape()[axis]).reshape([idx.numel()]);
    let parts = x.index_select(axis as isize, &flat);
    let (before, after) = (&x.shape()[..axis], &x.shape()[axis + 1..]);
    one(args.like_first(parts.reshape([before, idx.shape(), after].concat())))
}

/// Indices that may count from the end of an axis of this size, counted from its front.
pub fn from_front(idx: &Tensor<i64>, size: usize) -> Tensor<i64> {
    Tensor::from_fn(idx.shape(), |at| match idx.at(at) {
        i if i < 0 => i + size as i64,
        i => i,
    })
}

/// The row-major places that the last axis of `idx` names in a tensor of this shape.
pub fn rows(shape: &[usize], idx: &Tensor<i64>) -> Tensor<i64> {
    let outer = &idx.shape()[..idx.rank() - 1];
    Tensor::from_fn(outer, |at| {
        let place = |flat: i64, d: usize| {
            let i = idx.at(&[at, &[d]].concat());
            flat * shape[d] as i64 + if i < 0 { i + shape[d] as i64 } else { i }
        };
        (0..shape.len()).fold(0, place)
    })
}

fn gather_elements<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, idx) = (args.number(0)?, args.idx(1)?);
    let axis = axis(&x, args.long("axis", 0));
    one(args.like_first(x.gather(axis as isize, &from_front(&idx, x.shape()[axis]))))
}

/// The last axis of the indices names elements, or parts, of the data after the batch axes.
fn gather_nd<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, idx) = (args.number(0)?, args.idx(1)?);
    let batch = args.long("batch_dims", 0) as usize;
    let depth = *idx.shape().last().ok_or("indices without axes")?;
    let product = |shape: &[usize]| shape.iter().product::<usize>();
    let (named, part) = (&x.shape()[batch..batch + depth], &x.shape()[batch + depth..]);
    let outer = &idx.shape()[..idx.rank() - 1];
    // Each batch has its own run of rows.
    let batches = product(&x.shape()[..batch]);
    let per_batch = product(outer) / batches.max(1);
    let own = rows(named, &idx).to_vec().into_iter().enumerate();
    let row = |(i, row): (usize, i64)| (i / per_batch.max(1) * product(named)) as i64 + row;
    let flat = x.reshape([batches * product(named), product(part)]);
    let y = flat.index_select(0, &own.map(row).collect());
    one(args.like_first(y.reshape([outer, part].concat())))
}

/// One row per axis, where the op has one per element.
fn non_zero<T: Float>(args: &Args<T>) -> Outputs<T> {
    ints(args.number(0)?.nonzero().transpose(0, 1))
}

/// A label outside the classes, which may count from their end, has a row without a one.
fn one_hot<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (labels, depth, values) = (args.idx(0)?, args.idx(1)?, args.number(2)?);
    let depth = depth.to_vec()[0];
    let at = args.long("axis", -1);
    let at = if at < 0 { at + labels.rank() as i64 + 1 } else { at } as isize;
    let valid = |label: i64| (-depth..depth).contains(&label);
    // Labels that are none get a class of their own, which is cut off.
    let class = |label: i64| if valid(label) { label.rem_euclid(depth) } else { depth };
    let labels = Tensor::from_fn(labels.shape(), |i| class(labels.at(i)));
    let hot = labels.one_hot::<T>(depth as usize + 1).narrow(-1, 0, depth as usize);
    let mut order: Vec<isize> = (0..labels.rank() as isize).collect();
    order.insert(at as usize, labels.rank() as isize);
    let (off, on) = (values.at(&[0]), values.at(&[1]));
    let y = hot.permute(&order) * (on - off) + off;
    match args.value(2) {
        Some(Value::Int(_)) => ints(y.to()),
        Some(Value::Float(_)) => one(y),
        _ => Err("values of this element type".into()),
    }
}

/// Axes grow by places before and after; negative numbers cut.
fn pad<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.number(0)?;
    let pads = args.list(1, "pads").ok_or("no pads")?;
    let value = match args.value(2) {
        Some(_) => args.number(2)?.to_vec()[0],
        None => args.float("value", 0.0),
    };
    let axes = match args.value(3) {
        Some(_) => args.idx(3)?.to_vec(),
        None => (0..x.rank() as i64).collect(),
    };
    let mode = match args.text("mode", "constant").as_str() {
        "constant" => PadMode::Constant(value),
        "edge" => PadMode::Replicate,
        "reflect" => PadMode::Reflect,
        "wrap" => PadMode::Circular,
        other => return Err(format!("mode {other}")),
    };
    let mut pairs = vec![(0, 0); x.rank()];
    for (i, &at) in axes.iter().enumerate() {
        pairs[axis(&x, at)] = (pads[i] as isize, pads[i + axes.len()] as isize);
    }
    one(args.like_first(x.pad(pairs, mode)))
}

/// Axes cut or filled with zeros on both sides, to given lengths; the first side gets less.
fn center_crop_pad<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, want) = (args.number(0)?, args.idx(1)?.to_vec());
    let axes = args.longs("axes").unwrap_or_else(|| (0..x.rank() as i64).collect());
    let mut pairs = vec![(0, 0); x.rank()];
    for (&at, &want) in axes.iter().zip(&want) {
        let at = axis(&x, at);
        let more = want as isize - x.shape()[at] as isize;
        // Half of it, rounded towards zero, stands in front.
        pairs[at] = (more / 2, more - more / 2);
    }
    one(args.like_first(x.pad(pairs, PadMode::Constant(T::ZERO))))
}

/// Images of any number of axes from their patches.
fn col2im<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, image, size) = (args.x(0)?, args.idx(1)?.to_vec(), args.idx(2)?.to_vec());
    match image.len() {
        1 => images::<T, 1>(args, x, &image, &size),
        2 => images::<T, 2>(args, x, &image, &size),
        3 => images::<T, 3>(args, x, &image, &size),
        other => Err(format!("images of {other} axes")),
    }
}

fn images<T: Float, const D: usize>(
    args: &Args<T>,
    x: &Tensor<T>,
    image: &[i64],
    size: &[i64],
) -> Outputs<T> {
    let list = |name: &str, default: i64, len: usize| {
        lengths(&args.longs(name).unwrap_or_else(|| vec![default; len]))
    };
    let (strides, dilations) = (list("strides", 1, D), list("dilations", 1, D));
    let pads = list("pads", 0, 2 * D);
    let patches = Patches {
        size: std::array::from_fn(|d| size[d] as usize),
        stride: std::array::from_fn(|d| strides[d]),
        dilation: std::array::from_fn(|d| dilations[d]),
        padding: std::array::from_fn(|d| (pads[d], pads[d + D])),
    };
    one(x.col2im::<D>(std::array::from_fn(|d| image[d] as usize), &patches))
}

/// The upper or the lower triangle, from a diagonal on.
fn trilu<T: Float>(args: &Args<T>) -> Outputs<T> {
    let k = match args.value(1) {
        Some(_) => args.idx(1)?.to_vec()[0] as isize,
        None => 0,
    };
    let upper = args.flag("upper", true);
    moved!(args, |x| if upper { x.triu(k) } else { x.tril(k) })
}

fn range<T: Float>(args: &Args<T>) -> Outputs<T> {
    let number = |i: usize| args.number(i).map(|x| x.to_vec()[0]);
    let (start, limit, delta) = (number(0)?, number(1)?, number(2)?);
    // A limit that the step leads away from gives no numbers.
    let limit = if (limit - start) / delta > T::ZERO { limit } else { start };
    one(args.like_first(Tensor::arange(start, limit, delta)))
}

/// 0 keeps a length unless `allowzero`, -1 is found from the others.
fn reshape<T: Float>(args: &Args<T>) -> Outputs<T> {
    let asked = args.list(1, "shape").ok_or("no shape")?;
    let allow_zero = args.flag("allowzero", false);
    moved!(args, |x| {
        let known = |(i, &n): (usize, &i64)| match n {
            0 if !allow_zero => x.shape()[i] as i64,
            n => n,
        };
        let mut shape: Vec<i64> = asked.iter().enumerate().map(known).collect();
        let rest: i64 = shape.iter().filter(|&&n| n != -1).product();
        for n in shape.iter_mut().filter(|n| **n == -1) {
            *n = x.numel() as i64 / rest.max(1);
        }
        x.reshape(lengths(&shape))
    })
}

/// The first so many steps of each sequence in a batch, backwards.
fn reverse_sequence<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.number(0)?;
    let lens = args.idx(1)?.to_vec();
    let (batch, time) = (axis(&x, args.long("batch_axis", 1)), axis(&x, args.long("time_axis", 0)));
    let sequence = |(i, &len): (usize, &i64)| {
        let one = x.narrow(batch as isize, i, 1);
        let steps = one.shape()[time] as i64;
        let places: Vec<i64> = (0..len).rev().chain(len..steps).collect();
        select(&one, time, &places)
    };
    let parts: Vec<Tensor<T>> = lens.iter().enumerate().map(sequence).collect();
    one(args.like_first(Tensor::concat(&parts, batch as isize)))
}

fn shape<T: Float>(args: &Args<T>) -> Outputs<T> {
    let shape: Vec<i64> = args.number(0)?.shape().iter().map(|&n| n as i64).collect();
    let rank = shape.len() as i64;
    let place = |n: i64| if n < 0 { n + rank } else { n }.clamp(0, rank) as usize;
    let (start, end) = (place(args.long("start", 0)), place(args.long("end", rank)));
    ints(Tensor::from(&shape[start..end.max(start)]))
}

/// Starts, ends, axes and steps as in Python, bounds of backward steps included.
fn slice<T: Float>(args: &Args<T>) -> Outputs<T> {
    let starts = args.list(1, "starts").ok_or("no starts")?;
    let ends = args.list(2, "ends").ok_or("no ends")?;
    let axes = args.list(3, "axes").unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = args.list(4, "steps").unwrap_or_else(|| vec![1; starts.len()]);
    moved!(args, |x| {
        let mut y = x.clone();
        for (i, &at) in axes.iter().enumerate() {
            let at = axis(x, at);
            y = part(&y, at, starts[i], ends[i], steps[i]);
        }
        y
    })
}

fn part<T: Element>(x: &Tensor<T>, axis: usize, start: i64, end: i64, step: i64) -> Tensor<T> {
    let size = x.shape()[axis] as i64;
    let from_front = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    let dim = axis as isize;
    if step > 0 {
        let (first, end) = (from_front(start).clamp(0, size), from_front(end).clamp(0, size));
        return x.slice_step(dim, first as isize..end.max(first) as isize, step as isize);
    }
    // Down from `last` to above `stop`; a backward slice starts at the last element of its range.
    let (last, stop) = (from_front(start).clamp(-1, size - 1), from_front(end).clamp(-1, size - 1));
    let range = (stop + 1) as isize..(last + 1).max(stop + 1) as isize;
    x.slice_step(dim, range, step as isize)
}

/// Equal parts where the case names a number of them, else parts of given lengths.
fn split<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.number(0)?;
    let axis = axis(&x, args.long("axis", 0));
    let size = x.shape()[axis];
    let parts = match args.list(1, "split") {
        Some(parts) => lengths(&parts),
        None => {
            let count = args.long("num_outputs", args.wants.len() as i64) as usize;
            let len = size.div_ceil(count);
            (0..count).map(|i| len.min(size - (i * len).min(size))).collect()
        }
    };
    let mut start = 0;
    let mut outputs = Vec::new();
    for len in parts {
        outputs.push(Some(args.like_first(x.narrow(axis as isize, start, len))));
        start += len;
    }
    Ok(outputs)
}

fn squeeze<T: Float>(args: &Args<T>) -> Outputs<T> {
    let named = args.list(1, "axes");
    moved!(args, |x| {
        let drops = |i: usize| match &named {
            Some(named) => named.iter().any(|&at| axis(x, at) == i),
            None => x.shape()[i] == 1,
        };
        let kept = |&i: &usize| !drops(i);
        let kept = (0..x.shape().len()).filter(kept).map(|i| x.shape()[i]);
        x.reshape(kept.collect::<Vec<usize>>())
    })
}

fn tile<T: Float>(args: &Args<T>) -> Outputs<T> {
    let repeats = args.idx(1)?.to_vec();
    let mut y = args.number(0)?;
    for (axis, &count) in repeats.iter().enumerate() {
        y = match count {
            0 => y.narrow(axis as isize, 0, 0),
            count => Tensor::concat(&vec![&y; count as usize], axis as isize),
        };
    }
    one(args.like_first(y))
}

fn transpose<T: Float>(args: &Args<T>) -> Outputs<T> {
    moved!(args, |x| {
        let rank = x.shape().len() as i64;
        let order = args.longs("perm").unwrap_or_else(|| (0..rank).rev().collect());
        let order: Vec<isize> = order.iter().map(|&axis| axis as isize).collect();
        x.permute(&order)
    })
}

fn unsqueeze<T: Float>(args: &Args<T>) -> Outputs<T> {
    let axes = args.list(1, "axes").ok_or("no axes")?;
    moved!(args, |x| {
        let rank = (x.shape().len() + axes.len()) as i64;
        let mut places: Vec<usize> = axes.iter().map(|at| at.rem_euclid(rank) as usize).collect();
        places.sort_unstable();
        let mut shape = x.shape().to_vec();
        places.iter().for_each(|&at| shape.insert(at, 1));
        x.reshape(shape)
    })
}
