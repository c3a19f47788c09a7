//! Pooling of regions of images.

use backstitch::{Float, Tensor};

use crate::case::{Args, Entry, Outputs, one, ops};

pub const OPS: &[Entry] = ops![
    "MaxRoiPool" => max_roi_pool,
    "RoiAlign" => roi_align,
];

/// One axis of a region: what its parts see, as pairs of pixels with the weight of the second.
struct Samples {
    /// For each part, for each sample.
    parts: Vec<Vec<Option<(usize, usize, f64)>>>,
}

impl Samples {
    /// Samples between `start` and `end` on an axis of `length` pixels.
    fn new(start: f64, end: f64, length: usize, parts: usize, ratio: usize, shifted: bool) -> Self {
        let size = if shifted { end - start } else { (end - start).max(1.0) };
        let part = size / parts as f64;
        let count = if ratio > 0 { ratio } else { part.ceil().max(0.0) as usize };
        let last = length - 1;
        let sample = |o: usize, i: usize| {
            let place = start + (o as f64 + (i as f64 + 0.5) / count as f64) * part;
            if place < -1.0 || place > length as f64 {
                return None;
            }
            let low = (place.max(0.0) as usize).min(last);
            let far = if low == last { 0.0 } else { place.max(0.0) - low as f64 };
            Some((low, (low + 1).min(last), far))
        };
        Samples { parts: (0..parts).map(|o| (0..count).map(|i| sample(o, i)).collect()).collect() }
    }
}

/// Averages of samples between pixels, or the largest of the pixels' weighted values.
fn roi_align<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, rois, images) = (args.x(0)?, args.x(1)?.to_vec(), args.idx(2)?.to_vec());
    let &[_, channels, height, width] = x.shape() else { return Err("not an image".into()) };
    let size = [args.long("output_height", 1) as usize, args.long("output_width", 1) as usize];
    let (ratio, scale) = (args.long("sampling_ratio", 0) as usize, args.f64("spatial_scale", 1.0));
    // Before version 16 there was no shift, and no attribute.
    let default = if args.long("_opset", 16) < 16 { "output_half_pixel" } else { "half_pixel" };
    let shifted = args.text("coordinate_transformation_mode", default) == "half_pixel";
    let is_max = args.text("mode", "avg") == "max";
    let mut regions = Vec::new();
    for (roi, image) in rois.chunks(4).zip(images) {
        let at = |i: usize| roi[i].to_f64() * scale - if shifted { 0.5 } else { 0.0 };
        let rows = Samples::new(at(1), at(3), height, size[0], ratio, shifted);
        let cols = Samples::new(at(0), at(2), width, size[1], ratio, shifted);
        let (mut pixels, mut weights) = (Vec::new(), Vec::new());
        for (rows, cols) in
            rows.parts.iter().flat_map(|rows| cols.parts.iter().map(move |c| (rows, c)))
        {
            for (row, col) in rows.iter().flat_map(|row| cols.iter().map(move |c| (row, c))) {
                let terms = match (row, col) {
                    (Some((top, bottom, down)), Some((left, right, along))) => [
                        (top * width + left, (1.0 - down) * (1.0 - along)),
                        (top * width + right, (1.0 - down) * along),
                        (bottom * width + left, down * (1.0 - along)),
                        (bottom * width + right, down * along),
                    ],
                    _ => [(0, 0.0); 4],
                };
                for (pixel, weight) in terms {
                    pixels.push(pixel as i64);
                    weights.push(T::from_f64(weight));
                }
            }
        }
        let places = size[0] * size[1];
        let terms = pixels.len() / places;
        let image = x.select(0, image as isize).reshape([channels, height * width]);
        let seen = image.index_select(1, &pixels.into_iter().collect::<Tensor<i64>>());
        let weighted = seen * weights.into_iter().collect::<Tensor<T>>();
        let weighted = weighted.reshape([channels, places, terms]);
        regions.push(match is_max {
            true => weighted.max_dim(2, false),
            false => weighted.sum_dim(2, false) / T::from_usize((terms / 4).max(1)),
        });
    }
    let regions: Vec<&Tensor<T>> = regions.iter().collect();
    one(Tensor::stack(&regions, 0).reshape([regions.len(), channels, size[0], size[1]]))
}

/// The largest elements of the parts of regions whose corners are rounded to pixels.
fn max_roi_pool<T: Float>(args: &Args<T>) -> Outputs<T> {
    let (x, rois) = (args.x(0)?, args.x(1)?.to_vec());
    let size = args.longs("pooled_shape").ok_or("no pooled shape")?;
    let scale = args.f64("spatial_scale", 1.0);
    let mut parts = Vec::new();
    for roi in rois.chunks(5) {
        let image = x.select(0, roi[0].to_f64() as isize);
        let at = |i: usize| (roi[i].to_f64() * scale).round();
        // The pixels of part `o` along an axis of the image.
        let span = |axis: usize, o: i64| {
            let (start, end) = (at(2 - axis), at(4 - axis));
            let part = (end - start + 1.0).max(1.0) / size[axis] as f64;
            let inside = |place: f64| (place + start).clamp(0.0, x.shape()[2 + axis] as f64);
            let low = inside((o as f64 * part).floor()) as usize;
            (low, (inside(((o + 1) as f64 * part).ceil()) as usize).saturating_sub(low))
        };
        for (row, col) in (0..size[0]).flat_map(|row| (0..size[1]).map(move |col| (row, col))) {
            let ((top, rows), (left, cols)) = (span(0, row), span(1, col));
            parts.push(match rows * cols {
                0 => Tensor::zeros([x.shape()[1]]),
                _ => {
                    let part = image.narrow(1, top, rows).narrow(2, left, cols);
                    part.reshape([x.shape()[1], rows * cols]).max_dim(1, false)
                }
            });
        }
    }
    let (regions, places) = (rois.len() / 5, (size[0] * size[1]) as usize);
    let parts: Vec<&Tensor<T>> = parts.iter().collect();
    let y = Tensor::stack(&parts, 0).reshape([regions, places, x.shape()[1]]);
    one(y.transpose(1, 2).reshape([regions, x.shape()[1], size[0] as usize, size[1] as usize]))
}
