//! Images of another size, and images read at given places.

use backstitch::{Float, GridMode, GridPadding, GridSampleOptions, Tensor};

use crate::case::{Args, Entry, Outputs, one, ops};

pub const OPS: &[Entry] = ops![
    "AffineGrid" => affine_grid,
    "GridSample" => grid_sample,
    "Resize" => resize,
    "Upsample" => upsample,
];

fn affine_grid<T: Float>(args: &Args<T>) -> Outputs<T> {
    let size = args.list(1, "size").ok_or("no size")?;
    let size: Vec<usize> = size[2..].iter().map(|&n| n as usize).collect();
    one(args.x(0)?.affine_grid(size, args.flag("align_corners", false)))
}

fn grid_sample<T: Float>(args: &Args<T>) -> Outputs<T> {
    let mode = match args.text("mode", "linear").as_str() {
        "linear" | "bilinear" => GridMode::Bilinear,
        "nearest" => GridMode::Nearest,
        "cubic" | "bicubic" => GridMode::Bicubic,
        other => return Err(format!("mode {other}")),
    };
    let padding = match args.text("padding_mode", "zeros").as_str() {
        "zeros" => GridPadding::Zeros,
        "border" => GridPadding::Border,
        "reflection" => GridPadding::Reflection,
        other => return Err(format!("padding {other}")),
    };
    let align_corners = args.flag("align_corners", false);
    let options = GridSampleOptions { mode, padding, align_corners };
    one(args.x(0)?.grid_sample(args.x(1)?, &options))
}

fn upsample<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.number(0)?;
    let scales: Vec<f64> = match args.maybe_x(1)? {
        Some(scales) => scales.to_vec().iter().map(|scale| scale.to_f64()).collect(),
        None => {
            let list = args.attr("scales").and_then(|scales| scales.as_array().cloned());
            let list = list.ok_or("no scales")?;
            list.iter().filter_map(|scale| scale.as_f64()).collect()
        }
    };
    let mut y = x.clone();
    for (dim, &scale) in scales.iter().enumerate().filter(|(_, scale)| **scale != 1.0) {
        let axis = Axis {
            from: x.shape()[dim],
            to: (x.shape()[dim] as f64 * scale).floor() as usize,
            scale,
            roi: (0.0, 1.0),
        };
        let how = Filter {
            mode: args.text("mode", "nearest"),
            nearest: "floor".into(),
            coordinates: "asymmetric".into(),
            cubic: -0.75,
            exclude_outside: false,
            antialias: false,
            outside: None,
        };
        y = y.resample(dim as isize, &how.rows(&axis)?.0);
    }
    Ok(vec![Some(args.like_first(y))])
}

/// One axis of a resize.
struct Axis {
    from: usize,
    to: usize,
    scale: f64,
    roi: (f64, f64),
}

/// How a resize finds what lies between pixels.
struct Filter {
    mode: String,
    nearest: String,
    coordinates: String,
    cubic: f64,
    exclude_outside: bool,
    antialias: bool,
    /// The value of places outside of the image, where they are not moved inside.
    outside: Option<f64>,
}

/// The terms of each new pixel, and the weight of the value outside.
type Rows = (Vec<Vec<(usize, f64)>>, Vec<f64>);

impl Filter {
    /// Where a new pixel lies among the old ones.
    fn place(&self, axis: &Axis, o: usize) -> Result<f64, String> {
        let (x, from) = (o as f64, axis.from as f64);
        // The size that the scale asks for, which need not be whole.
        let (to, whole) = (from * axis.scale, axis.to as f64);
        Ok(match self.coordinates.as_str() {
            "half_pixel" => (x + 0.5) / axis.scale - 0.5,
            "half_pixel_symmetric" => {
                let centre = from / 2.0 * (1.0 - whole / to);
                centre + (x + 0.5) / axis.scale - 0.5
            }
            "pytorch_half_pixel" if axis.to > 1 => (x + 0.5) / axis.scale - 0.5,
            "pytorch_half_pixel" => -0.5,
            "align_corners" if to > 1.0 => x * (from - 1.0) / (to - 1.0),
            "align_corners" => 0.0,
            "asymmetric" => x / axis.scale,
            "tf_half_pixel_for_nn" => (x + 0.5) / axis.scale,
            "tf_crop_and_resize" if axis.to > 1 => {
                let (start, end) = axis.roi;
                start * (from - 1.0) + x * (end - start) * (from - 1.0) / (whole - 1.0)
            }
            "tf_crop_and_resize" => 0.5 * (axis.roi.0 + axis.roi.1) * (from - 1.0),
            other => return Err(format!("coordinates {other}")),
        })
    }

    /// The filter at a distance, and how far it reaches.
    fn weight(&self, x: f64) -> Result<f64, String> {
        let (x, a) = (x.abs(), self.cubic);
        Ok(match self.mode.as_str() {
            "linear" => (1.0 - x).max(0.0),
            "cubic" if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            "cubic" if x < 2.0 => a * (((x - 5.0) * x + 8.0) * x - 4.0),
            "cubic" => 0.0,
            other => return Err(format!("mode {other}")),
        })
    }

    fn nearest(&self, place: f64) -> Result<f64, String> {
        Ok(match self.nearest.as_str() {
            "round_prefer_floor" => (place - 0.5).ceil(),
            "round_prefer_ceil" => (place + 0.5).floor(),
            "floor" => place.floor(),
            "ceil" => place.ceil(),
            other => return Err(format!("nearest {other}")),
        })
    }

    fn rows(&self, axis: &Axis) -> Result<Rows, String> {
        let (mut rows, mut outside) = (Vec::new(), Vec::new());
        let last = (axis.from - 1) as f64;
        for o in 0..axis.to {
            let place = self.place(axis, o)?;
            if self.outside.is_some() && !(0.0..=last).contains(&place) {
                rows.push(Vec::new());
                outside.push(1.0);
                continue;
            }
            outside.push(0.0);
            if self.mode == "nearest" {
                rows.push(vec![(self.nearest(place)?.clamp(0.0, last) as usize, 1.0)]);
                continue;
            }
            let stretch = if self.antialias { (1.0 / axis.scale).max(1.0) } else { 1.0 };
            let reach = if self.mode == "cubic" { 2.0 } else { 1.0 } * stretch;
            let (first, end) = ((place - reach).floor() as i64, (place + reach).ceil() as i64);
            let mut row = Vec::new();
            for pixel in first..=end {
                let weight = self.weight((place - pixel as f64) / stretch)?;
                let is_inside = (0..axis.from as i64).contains(&pixel);
                if weight != 0.0 && (is_inside || !self.exclude_outside) {
                    row.push((pixel.clamp(0, last as i64) as usize, weight));
                }
            }
            if self.exclude_outside || self.antialias {
                let total: f64 = row.iter().map(|term| term.1).sum();
                row.iter_mut().for_each(|term| term.1 /= total);
            }
            rows.push(row);
        }
        Ok((rows, outside))
    }
}

/// The axes of a resize: sizes or scales are given, for all axes or for some.
fn axes<T: Float>(args: &Args<T>, shape: &[usize]) -> Result<Vec<(usize, Axis)>, String> {
    let rank = shape.len() as i64;
    let dims = args.longs("axes").unwrap_or_else(|| (0..rank).collect());
    let dims: Vec<usize> = dims.iter().map(|dim| dim.rem_euclid(rank) as usize).collect();
    let given = |i: usize| args.value(i).map(|_| args.number(i)).transpose();
    let filled = |x: Option<Tensor<T>>| x.filter(|x| x.numel() > 0);
    let scales = filled(given(2)?).map(|scales| scales.to_vec());
    let sizes = filled(given(3)?).map(|sizes| sizes.to_vec());
    let roi = filled(given(1)?).map(|roi| roi.to_vec());
    let mut scale_of: Vec<f64> = Vec::new();
    for (at, &dim) in dims.iter().enumerate() {
        scale_of.push(match (&scales, &sizes) {
            (Some(scales), _) => scales[at].to_f64(),
            (None, Some(sizes)) => sizes[at].to_f64() / shape[dim] as f64,
            (None, None) => return Err("neither sizes nor scales".into()),
        });
    }
    // One scale for all axes, where proportions are kept.
    let policy = args.text("keep_aspect_ratio_policy", "stretch");
    let one_scale = match policy.as_str() {
        "not_larger" => Some(scale_of.iter().copied().fold(f64::INFINITY, f64::min)),
        "not_smaller" => Some(scale_of.iter().copied().fold(0.0, f64::max)),
        _ => None,
    };
    let axis = |(at, &dim): (usize, &usize)| {
        let from = shape[dim];
        let (scale, to) = match (one_scale, &sizes) {
            (Some(scale), Some(_)) => (scale, (scale * from as f64 + 0.5).floor() as usize),
            (_, Some(sizes)) => (scale_of[at], sizes[at].to_f64() as usize),
            (_, None) => (scale_of[at], (scale_of[at] * from as f64).floor() as usize),
        };
        let region = |i: usize| roi.as_ref().map(|roi| roi[i].to_f64());
        let roi = region(at).zip(region(at + dims.len())).unwrap_or((0.0, 1.0));
        (dim, Axis { from, to, scale, roi })
    };
    Ok(dims.iter().enumerate().map(axis).collect())
}

fn resize<T: Float>(args: &Args<T>) -> Outputs<T> {
    let x = args.number(0)?;
    let coordinates = args.text("coordinate_transformation_mode", "half_pixel");
    let filter = Filter {
        mode: args.text("mode", "nearest"),
        nearest: args.text("nearest_mode", "round_prefer_floor"),
        cubic: args.f64("cubic_coeff_a", -0.75),
        exclude_outside: args.flag("exclude_outside", false),
        antialias: args.flag("antialias", false),
        outside: (coordinates == "tf_crop_and_resize")
            .then(|| args.f64("extrapolation_value", 0.0)),
        coordinates,
    };
    let crops = filter.outside.is_some();
    let mut y = x.clone();
    for (dim, axis) in axes(args, x.shape())? {
        if axis.from == axis.to && axis.scale == 1.0 && !crops {
            continue;
        }
        let (rows, outside) = filter.rows(&axis)?;
        y = y.resample(dim as isize, &rows);
        if outside.contains(&1.0) {
            let mut shape = vec![1; x.rank()];
            shape[dim] = axis.to;
            let value = filter.outside.unwrap_or(0.0);
            let outside: Tensor<T> = outside.iter().map(|part| T::from_f64(part * value)).collect();
            y = y + outside.reshape(shape);
        }
    }
    Ok(vec![Some(args.like_first(y))])
}
