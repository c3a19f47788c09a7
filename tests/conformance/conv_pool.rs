//! Convolutions and pooling, over one to three axes.

use backstitch::{
    AvgPoolOptions, ConvOptions, ConvTransposeOptions, Float, PadMode, Padding, PoolOptions,
    Tensor, UnpoolOptions,
};

use crate::case::{Args, Entry, Outputs, Value, one, ops};

pub const OPS: &[Entry] = ops![
    "AveragePool" => average_pool,
    "CausalConvWithState" => causal_conv,
    "Col2Im" => col2im,
    "Conv" => conv,
    "ConvTranspose" => conv_transpose,
    "DeformConv" => deform_conv,
    "GlobalAveragePool" => global_average,
    "GlobalLpPool" => global_lp,
    "GlobalMaxPool" => global_max,
    "LpPool" => lp_pool,
    "MaxPool" => max_pool,
    "MaxUnpool" => max_unpool,
];

/// One whole number per spatial axis, from an attribute.
fn sizes<T: Float, const D: usize>(args: &Args<T>, name: &str, default: usize) -> [usize; D] {
    let list = args.longs(name).unwrap_or_else(|| vec![default as i64; D]);
    std::array::from_fn(|at| list[at] as usize)
}

/// Where windows lie: the attributes that convolutions and pooling share.
struct Windows<const D: usize> {
    kernel: [usize; D],
    stride: [usize; D],
    dilation: [usize; D],
    sides: [(usize, usize); D],
    ceil_mode: bool,
}

impl<const D: usize> Windows<D> {
    /// The windows over `x`; the kernel's size is an attribute, or that of the weight.
    fn new<T: Float>(args: &Args<T>, x: &[usize], weight: Option<&[usize]>) -> Self {
        let kernel = match weight {
            Some(weight) => std::array::from_fn(|at| weight[2 + at]),
            None => sizes(args, "kernel_shape", 1),
        };
        let (stride, dilation) = (sizes(args, "strides", 1), sizes(args, "dilations", 1));
        let pads = args.longs("pads").unwrap_or_else(|| vec![0; 2 * D]);
        let auto = args.text("auto_pad", "NOTSET");
        let sides = std::array::from_fn(|at| match auto.as_str() {
            "SAME_UPPER" | "SAME_LOWER" => {
                let outputs = x[2 + at].div_ceil(stride[at]);
                let reach = (outputs - 1) * stride[at] + dilation[at] * (kernel[at] - 1) + 1;
                halves(reach.saturating_sub(x[2 + at]), auto == "SAME_LOWER")
            }
            "VALID" => (0, 0),
            _ => (pads[at] as usize, pads[D + at] as usize),
        });
        Windows { kernel, stride, dilation, sides, ceil_mode: args.flag("ceil_mode", false) }
    }

    fn options(&self) -> PoolOptions<D> {
        PoolOptions {
            stride: Some(self.stride),
            padding: Padding::Sides(self.sides),
            dilation: self.dilation,
            ceil_mode: self.ceil_mode,
        }
    }
}

/// A total cut in two, the larger part behind or, on demand, before.
fn halves(total: usize, larger_first: bool) -> (usize, usize) {
    let (small, large) = (total / 2, total - total / 2);
    if larger_first { (large, small) } else { (small, large) }
}

/// Calls the method for the number of spatial axes of `x`.
macro_rules! by_axes {
    ($x:expr, $D:ident => [$one:expr, $two:expr, $three:expr $(,)?]) => {
        match $x.rank() {
            3 => {
                const $D: usize = 1;
                $one
            }
            4 => {
                const $D: usize = 2;
                $two
            }
            5 => {
                const $D: usize = 3;
                $three
            }
            rank => return Err(format!("{} spatial axes", rank - 2)),
        }
    };
}

fn conv<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, w, bias) = (args.x(0)?, args.x(1)?, args.maybe_x(2)?);
    fn options<T: Float, const D: usize>(
        args: &Args<T>,
        x: &Tensor<T>,
        w: &Tensor<T>,
    ) -> ConvOptions<D> {
        let windows = Windows::<D>::new(args, x.shape(), Some(w.shape()));
        ConvOptions {
            stride: windows.stride,
            padding: Padding::Sides(windows.sides),
            dilation: windows.dilation,
            groups: args.long("group", 1) as usize,
            ..ConvOptions::default()
        }
    }
    one(by_axes!(x, D => [
        x.conv1d(w, bias, &options::<T, D>(args, x, w)),
        x.conv2d(w, bias, &options::<T, D>(args, x, w)),
        x.conv3d(w, bias, &options::<T, D>(args, x, w)),
    ]))
}

/// The padding is given, or follows from the output's shape.
fn transposed_options<T: Float, const D: usize>(
    args: &Args<T>,
    x: &[usize],
    w: &[usize],
) -> ConvTransposeOptions<D> {
    let windows = Windows::<D>::new(args, x, Some(w));
    let mut output_padding = sizes(args, "output_padding", 0);
    let auto = args.text("auto_pad", "NOTSET");
    let wanted = args.longs("output_shape");
    let mut sides = windows.sides;
    for at in 0..D {
        let (stride, reach) = (windows.stride[at], windows.dilation[at] * (windows.kernel[at] - 1));
        let whole = (x[2 + at] - 1) * stride + output_padding[at] + reach + 1;
        let target = match (&wanted, auto.as_str()) {
            (Some(wanted), _) => wanted[wanted.len() - D + at] as usize,
            (None, "SAME_UPPER" | "SAME_LOWER") => x[2 + at] * stride,
            _ => continue,
        };
        if target > whole {
            output_padding[at] += target - whole;
        }
        // ONNX: the larger half before, unless SAME_UPPER.
        sides[at] = halves(whole.saturating_sub(target), auto != "SAME_UPPER");
    }
    ConvTransposeOptions {
        stride: windows.stride,
        padding: Padding::Sides(sides),
        output_padding,
        dilation: windows.dilation,
        groups: args.long("group", 1) as usize,
    }
}

fn conv_transpose<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, w, bias) = (args.x(0)?, args.x(1)?, args.maybe_x(2)?);
    let (shape, kernel) = (x.shape(), w.shape());
    one(by_axes!(x, D => [
        x.conv_transpose1d(w, bias, &transposed_options::<T, D>(args, shape, kernel)),
        x.conv_transpose2d(w, bias, &transposed_options::<T, D>(args, shape, kernel)),
        x.conv_transpose3d(w, bias, &transposed_options::<T, D>(args, shape, kernel)),
    ]))
}

/// A depthwise convolution over time of what was before and the input; what to keep for next time
/// is the second output.
fn causal_conv<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, w, bias) = (args.x(0)?, args.x(1)?, args.maybe_x(2)?);
    let activation = args.text("activation", "none");
    let (kept, time) = (w.shape()[2] - 1, x.shape()[2]);
    let state = match args.maybe_x(3)? {
        Some(state) => state.clone(),
        None => Tensor::zeros([x.shape()[0], x.shape()[1], kept]),
    };
    let whole = Tensor::concat(&[&state, x], 2);
    let options = ConvOptions { groups: x.shape()[1], ..ConvOptions::default() };
    let y = whole.conv1d(w, bias, &options);
    let y = match activation.as_str() {
        "none" => y,
        "silu" | "swish" => y.silu(),
        other => return Err(format!("activation {other}")),
    };
    Ok(vec![Some(Value::Float(y)), Some(Value::Float(whole.narrow(2, time, kept)))])
}

/// Blocks stamped into an image: a transposed convolution whose kernels have one 1 each.
fn col2im<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, image) = (args.x(0)?, args.list(1, "image_shape").ok_or("no image shape")?);
    let block = args.list(2, "block_shape").ok_or("no block shape")?;
    fn stamp<T: Float, const D: usize>(
        args: &Args<T>,
        x: &Tensor<T>,
        image: &[i64],
        block: &[i64],
        transposed: impl Fn(&Tensor<T>, &Tensor<T>, &ConvTransposeOptions<D>) -> Tensor<T>,
    ) -> Tensor<T> {
        let (stride, dilation) = (sizes::<T, D>(args, "strides", 1), sizes(args, "dilations", 1));
        let pads = args.longs("pads").unwrap_or_else(|| vec![0; 2 * D]);
        let taps: usize = block.iter().product::<i64>() as usize;
        let channels = x.shape()[1] / taps;
        let (mut grid, mut output_padding) = (vec![x.shape()[0], x.shape()[1]], [0; D]);
        for at in 0..D {
            let reach = dilation[at] * (block[at] as usize - 1) + 1;
            let padded = (image[at] + pads[at] + pads[D + at]) as usize;
            grid.push((padded - reach) / stride[at] + 1);
            output_padding[at] = (padded - reach) % stride[at];
        }
        let mut kernel = vec![channels * taps, 1];
        kernel.extend(block.iter().map(|&n| n as usize));
        let flat =
            Tensor::from_fn([channels * taps, taps], |idx| T::from_bool(idx[0] % taps == idx[1]));
        let sides = std::array::from_fn(|at| (pads[at] as usize, pads[D + at] as usize));
        let padding = Padding::Sides(sides);
        let options =
            ConvTransposeOptions { stride, padding, output_padding, dilation, groups: channels };
        transposed(&x.reshape(&grid), &flat.reshape(&kernel), &options)
    }
    one(match image.len() {
        1 => stamp::<T, 1>(args, x, &image, &block, |x, w, o| x.conv_transpose1d(w, None, o)),
        2 => stamp::<T, 2>(args, x, &image, &block, |x, w, o| x.conv_transpose2d(w, None, o)),
        3 => stamp::<T, 3>(args, x, &image, &block, |x, w, o| x.conv_transpose3d(w, None, o)),
        axes => return Err(format!("{axes} spatial axes")),
    })
}

fn average_pool<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    fn options<T: Float, const D: usize>(
        args: &Args<T>,
        x: &Tensor<T>,
    ) -> ([usize; D], AvgPoolOptions<D>) {
        let windows = Windows::<D>::new(args, x.shape(), None);
        let options = AvgPoolOptions {
            windows: windows.options(),
            count_include_pad: args.flag("count_include_pad", false),
            divisor_override: None,
        };
        (windows.kernel, options)
    }
    one(by_axes!(x, D => [
        { let (kernel, options) = options::<T, D>(args, x); x.avg_pool1d(kernel, &options) },
        { let (kernel, options) = options::<T, D>(args, x); x.avg_pool2d(kernel, &options) },
        { let (kernel, options) = options::<T, D>(args, x); x.avg_pool3d(kernel, &options) },
    ]))
}

fn lp_pool<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, p) = (args.x(0)?, args.f64("p", 2.0));
    let size = x.abs();
    one(by_axes!(x, D => [
        {
            let windows = Windows::<D>::new(args, x.shape(), None);
            size.lp_pool1d(p, windows.kernel, &windows.options())
        },
        {
            let windows = Windows::<D>::new(args, x.shape(), None);
            size.lp_pool2d(p, windows.kernel, &windows.options())
        },
        {
            let windows = Windows::<D>::new(args, x.shape(), None);
            size.lp_pool3d(p, windows.kernel, &windows.options())
        },
    ]))
}

/// Values, and where they come from in the whole input; the places of each image in row-major or
/// column-major order.
fn max_pool<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = &args.number(0)?;
    let (y, places) = by_axes!(x, D => [
        {
            let windows = Windows::<D>::new(args, x.shape(), None);
            x.max_pool1d_with_indices(windows.kernel, &windows.options())
        },
        {
            let windows = Windows::<D>::new(args, x.shape(), None);
            x.max_pool2d_with_indices(windows.kernel, &windows.options())
        },
        {
            let windows = Windows::<D>::new(args, x.shape(), None);
            x.max_pool3d_with_indices(windows.kernel, &windows.options())
        },
    ]);
    let (axes, by_column) = (&x.shape()[2..], args.long("storage_order", 0) == 1);
    let size: usize = axes.iter().product();
    let place = |place: usize| {
        if !by_column {
            return place;
        }
        let (mut rest, mut stride, mut indices) = (place, size, Vec::new());
        for &n in axes.iter().rev() {
            indices.push(rest % n);
            rest /= n;
        }
        // The first axis varies fastest.
        indices.iter().zip(axes.iter().rev()).fold(0, |sum, (i, n)| {
            stride /= n;
            sum + i * stride
        })
    };
    let indices = Tensor::from_fn(places.shape(), |idx| {
        let image = idx[0] * x.shape()[1] + idx[1];
        (image * size + place(places.at(idx) as usize)) as i64
    });
    Ok(vec![Some(args.like_first(y)), Some(Value::Int(indices))])
}

/// Each value goes to its place in a larger image of zeros. Indices count over the whole tensor of
/// the natural shape; in a larger one it lies at the front.
fn max_unpool<T: Float>(args: &Args<T>) -> Outputs<T> {
    fn options<T: Float, const D: usize>(
        args: &Args<T>,
        x: &Tensor<T>,
    ) -> ([usize; D], UnpoolOptions<D>) {
        let (kernel, stride) = (sizes(args, "kernel_shape", 1), sizes(args, "strides", 1));
        let pads = args.longs("pads").unwrap_or_else(|| vec![0; 2 * D]);
        let natural = |at: usize| {
            let reach = (x.shape()[2 + at] - 1) * stride[at] + kernel[at];
            reach - (pads[at] + pads[D + at]) as usize
        };
        let padding = std::array::from_fn(|at| pads[at] as usize);
        let output = Some(std::array::from_fn(natural));
        (kernel, UnpoolOptions { stride: Some(stride), padding, output })
    }
    fn planes<const D: usize>(indices: &Tensor<i64>, output: Option<[usize; D]>) -> Tensor<i64> {
        let plane = output.expect("all sizes are given").iter().product::<usize>() as i64;
        Tensor::from_fn(indices.shape(), |at| indices.at(at) % plane)
    }
    let (x, indices) = (args.x(0)?, args.idx(1)?);
    let y = by_axes!(x, D => [
        { let (kernel, options) = options::<T, D>(args, x); x.max_unpool1d(&planes(&indices, options.output), kernel, &options) },
        { let (kernel, options) = options::<T, D>(args, x); x.max_unpool2d(&planes(&indices, options.output), kernel, &options) },
        { let (kernel, options) = options::<T, D>(args, x); x.max_unpool3d(&planes(&indices, options.output), kernel, &options) },
    ]);
    let more = |wanted: Vec<i64>| {
        let more = wanted[2..]
            .iter()
            .zip(&y.shape()[2..])
            .map(|(&n, &own)| (0, n as isize - own as isize));
        y.pad(more.collect::<Vec<_>>(), PadMode::Constant(T::ZERO))
    };
    one(args.list(2, "output_shape").map_or_else(|| y.clone(), more))
}

fn spatial(rank: usize) -> Vec<isize> {
    (2..rank as isize).collect()
}

fn global_average<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    one(x.mean_dim(&spatial(x.rank()), true))
}

fn global_max<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.x(0)?;
    let rows = x.reshape([x.shape()[0], x.shape()[1], x.shape()[2..].iter().product()]);
    let mut shape = vec![1; x.rank()];
    shape[..2].copy_from_slice(&x.shape()[..2]);
    one(rows.max_dim(2, true).reshape(shape))
}

fn global_lp<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, p) = (args.x(0)?, args.float("p", 2.0));
    one(x.abs().pow(p).sum_dim(&spatial(x.rank()), true).pow(T::ONE / p))
}

/// A convolution whose taps are moved by offsets, and read between pixels.
fn deform_conv<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, w, offset) = (args.x(0)?, args.x(1)?, args.x(2)?);
    let (bias, mask) = (args.maybe_x(3)?, args.maybe_x(4)?);
    if x.rank() != 4 {
        return Err(format!("{} spatial axes", x.rank() - 2));
    }
    let windows = Windows::<2>::new(args, x.shape(), Some(w.shape()));
    let (groups, parts) = (args.long("group", 1) as usize, args.long("offset_group", 1) as usize);
    let &[n, c, height, width] = x.shape() else { unreachable!("four axes") };
    let (oh, ow) = (offset.shape()[2], offset.shape()[3]);
    let [kh, kw] = windows.kernel;
    let taps = kh * kw;
    // (n, part, tap, 2, place)
    let offset = offset.reshape([n, parts, taps, 2, oh * ow]);
    let places = |axis: usize| {
        let fixed = Tensor::from_fn([1, 1, taps, oh * ow], |idx| {
            let (tap, out) = (idx[2], idx[3]);
            let (k, o) = if axis == 0 { (tap / kw, out / ow) } else { (tap % kw, out % ow) };
            let place = (o * windows.stride[axis] + k * windows.dilation[axis]) as f64;
            T::from_f64(place - windows.sides[axis].0 as f64)
        });
        offset.narrow(3, axis, 1).reshape([n, parts, taps, oh * ow]) + fixed
    };
    let (y, z) = (places(0), places(1));
    // Channels of a part see the same places: (n, part, channel, pixel).
    let pixels = x.reshape([n, parts, c / parts, height * width]);
    let mut columns = Tensor::zeros([n, parts, c / parts, taps * oh * ow]);
    for corner in 0..4 {
        let along = |place: &Tensor<T>, far: bool| {
            let low = place.floor();
            let part = place - &low;
            match far {
                true => (low + T::ONE, part),
                false => (low, -part + T::ONE),
            }
        };
        let ((i, wi), (j, wj)) = (along(&y, corner / 2 == 1), along(&z, corner % 2 == 1));
        let last = |n: usize| T::from_usize(n - 1);
        let inside: Tensor<T> = i.ge(T::ZERO).to::<T>()
            * i.le(last(height)).to::<T>()
            * j.ge(T::ZERO).to::<T>()
            * j.le(last(width)).to::<T>();
        let pixel =
            i.clamp(T::ZERO, last(height)) * T::from_usize(width) + j.clamp(T::ZERO, last(width));
        let shape = [n, parts, 1, taps * oh * ow];
        let idx = pixel.detach().to::<i64>().reshape(shape);
        let idx = idx.expand([n, parts, c / parts, taps * oh * ow]);
        columns = columns + pixels.gather(3, &idx) * (wi * wj * inside).reshape(shape);
    }
    if let Some(mask) = mask {
        columns = columns * mask.reshape([n, parts, 1, taps * oh * ow]);
    }
    let rows = c / groups * taps;
    let columns = columns.reshape([n, groups, rows, oh * ow]);
    let out = w.shape()[0];
    let weight = w.reshape([1, groups, out / groups, rows]);
    let y = weight.matmul(&columns).reshape([n, out, oh, ow]);
    one(match bias {
        Some(bias) => y + bias.reshape([1, out, 1, 1]),
        None => y,
    })
}
