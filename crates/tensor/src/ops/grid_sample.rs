//! `grid_sample`: an image read at any places; `affine_grid` makes the places of an affine map.

use backstitch_kernels::Float;

use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

/// How [`Tensor::grid_sample`] finds what lies between pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GridMode {
    /// Linear along each axis.
    #[default]
    Bilinear,
    /// The nearest pixel; of two equally near ones the one of even index.
    Nearest,
    /// By cubic polynomials through four pixels along each axis, with `a = -3/4`.
    Bicubic,
}

/// What [`Tensor::grid_sample`] finds outside of the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GridPadding {
    /// Zero.
    #[default]
    Zeros,
    /// The nearest pixel at the edge.
    Border,
    /// The image mirrored at its edges.
    Reflection,
}

/// The options of [`Tensor::grid_sample`]. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GridSampleOptions {
    /// How to find what lies between pixels. Bilinear by default.
    pub mode: GridMode,
    /// What lies outside of the image. Zeros by default.
    pub padding: GridPadding,
    /// Whether -1 and 1 are the centres of the corner pixels instead of their corners. No by
    /// default.
    pub align_corners: bool,
}

impl<T: Float> Tensor<T> {
    /// Reads an image at the places of a grid, from -1 to 1 along each axis, the last axis first.
    ///
    /// # Shape
    /// `x (N, C, H, W)` and `grid (N, H', W', 2)` to `y (N, C, H', W')`, or `x (N, C, D, H, W)` and
    /// `grid (N, D', H', W', 3)` to `y (N, C, D', H', W')`.
    ///
    /// # Gradient
    /// By `x` each pixel gets what it gave; by `grid` the slope of the interpolation, where it has
    /// one: 0 for [`GridMode::Nearest`].
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Reference
    /// Jaderberg et al. 2015, section 3.3.
    #[track_caller]
    pub fn grid_sample(&self, grid: &Tensor<T>, options: &GridSampleOptions) -> Tensor<T> {
        or_panic(shape_rule(self.shape(), grid.shape()));
        let axes = self.rank() - 2;
        let (n, c) = (self.shape()[0], self.shape()[1]);
        let count: usize = grid.shape()[1..=axes].iter().product();
        // Along each axis: pixels, weights, whether inside; one for each tap.
        let taps: Vec<Vec<Tap<T>>> = (0..axes)
            .map(|axis| {
                let place = grid.narrow(-1, axes - 1 - axis, 1).reshape([n, count]);
                taps_of(&place, self.shape()[2 + axis], options)
            })
            .collect();
        let pixels = self.reshape([n, c, self.shape()[2..].iter().product()]);
        let mut sum: Option<Tensor<T>> = None;
        let corners: usize = taps.iter().map(Vec::len).product();
        for corner in 0..corners {
            let (mut rest, mut at, mut weight) = (corner, Tensor::<T>::zeros([n, count]), None);
            for (axis, taps) in taps.iter().enumerate() {
                let tap = &taps[rest % taps.len()];
                rest /= taps.len();
                at = at * T::from_usize(self.shape()[2 + axis]) + &tap.pixel;
                weight = Some(match weight {
                    None => tap.weight.clone(),
                    Some(weight) => weight * &tap.weight,
                });
            }
            let idx = at.to::<i64>().reshape([n, 1, count]).expand([n, c, count]);
            let weight = weight.expect("there is an axis").reshape([n, 1, count]);
            let term = pixels.gather(2, &idx) * weight;
            sum = Some(sum.map_or(term.clone(), |sum| sum + term));
        }
        let mut shape = self.shape()[..2].to_vec();
        shape.extend(&grid.shape()[1..=axes]);
        sum.expect("there is a corner").reshape(shape)
    }

    /// The places that an affine map of each sample takes the pixels of an image of `size` to, for
    /// [`Tensor::grid_sample`].
    ///
    /// # Shape
    /// `theta (N, 2, 3)` and `size` two numbers to `(N, H, W, 2)`, or `theta (N, 3, 4)` and three
    /// numbers to `(N, D, H, W, 3)`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn affine_grid(&self, size: impl AsRef<[usize]>, align_corners: bool) -> Tensor<T> {
        let size = size.as_ref();
        let axes = size.len();
        let fits = self.rank() == 3 && self.shape()[1..] == [axes, axes + 1];
        if !fits || !(2..=3).contains(&axes) {
            let rule = "theta (N, 2, 3) and two sizes, or (N, 3, 4) and three";
            let got = format!("{:?} and {size:?}", self.shape());
            or_panic(Err(ShapeError::new("affine_grid", rule, got)))
        }
        let count = size.iter().product();
        let places = Tensor::from_fn([count, axes + 1], |idx| {
            let Some(axis) = (axes - 1).checked_sub(idx[1]) else { return T::ONE };
            let behind: usize = size[axis + 1..].iter().product();
            let (at, n) = ((idx[0] / behind % size[axis]) as f64, size[axis] as f64);
            T::from_f64(match (align_corners, size[axis]) {
                (true, 1) => 0.0,
                (true, _) => 2.0 * at / (n - 1.0) - 1.0,
                (false, _) => (2.0 * at + 1.0) / n - 1.0,
            })
        });
        let n = self.shape()[0];
        let mut shape = vec![n];
        shape.extend(size);
        shape.push(axes);
        let rows = self.reshape([n * axes, axes + 1]);
        let by_axis = rows.matmul(&places.transpose(0, 1)).reshape([n, axes, count]);
        by_axis.transpose(1, 2).reshape(shape)
    }
}

fn shape_rule(x: &[usize], grid: &[usize]) -> Result<(), ShapeError> {
    let axes = x.len().saturating_sub(2);
    let fits = (2..=3).contains(&axes)
        && grid.len() == x.len()
        && grid[0] == x[0]
        && grid[axes + 1] == axes
        && !x[2..].contains(&0);
    match fits {
        true => Ok(()),
        false => {
            let rule = "x (N, C, H, W) and grid (N, H', W', 2), or one axis more of each and 3";
            Err(ShapeError::new("grid_sample", rule, format!("{x:?} and {grid:?}")))
        }
    }
}

/// A pixel for each place, as whole numbers, and its weight.
struct Tap<T: Float> {
    pixel: Tensor<T>,
    weight: Tensor<T>,
}

/// What each place between -1 and 1 reads along an axis of `size` pixels.
fn taps_of<T: Float>(place: &Tensor<T>, size: usize, options: &GridSampleOptions) -> Vec<Tap<T>> {
    let n = T::from_usize(size);
    let half = T::HALF;
    let unpadded = match options.align_corners {
        true => (place + T::ONE) * ((n - T::ONE) * half),
        false => (place + T::ONE) * (n * half) - half,
    };
    // Pixels of a cubic are moved inside one by one, other places before they are read.
    let place = match options.mode {
        GridMode::Bicubic => unpadded,
        _ => moved_inside(&unpadded, size, options),
    };
    let tap = |pixel: Tensor<T>, weight: Tensor<T>| {
        let pixel = match options.mode {
            GridMode::Bicubic => moved_inside(&pixel, size, options),
            _ => pixel,
        }
        .detach();
        let last = n - T::ONE;
        let is_inside = pixel.ge(T::ZERO).to::<T>() * pixel.le(last).to::<T>();
        let pixel = pixel.clamp(T::ZERO, last);
        // NaN reads the first pixel, with a weight that stays NaN.
        let pixel = pixel.masked_fill(&pixel.is_nan(), T::ZERO);
        Tap { pixel, weight: weight * is_inside }
    };
    match options.mode {
        GridMode::Nearest => {
            let pixel = place.round();
            let ones = constant(&pixel, T::ONE);
            vec![tap(pixel, ones)]
        }
        GridMode::Bilinear => {
            let low = place.floor();
            let part = &place - &low;
            vec![tap(low.clone(), -&part + T::ONE), tap(low + T::ONE, part)]
        }
        GridMode::Bicubic => {
            let low = place.floor();
            let part = &place - &low;
            [-1.0, 0.0, 1.0, 2.0]
                .map(|step| {
                    let distance = (&part - T::from_f64(step))
                        * T::from_f64(if step > 0.0 { -1.0 } else { 1.0 });
                    let is_near = (0.0..=1.0).contains(&step);
                    tap(&low + T::from_f64(step), cubic(&distance, is_near))
                })
                .into()
        }
    }
}

/// A number in the shape of `x`, with a gradient of zeros.
fn constant<T: Float>(x: &Tensor<T>, value: T) -> Tensor<T> {
    x.masked_fill(&Tensor::full(x.shape(), true), value)
}

/// The cubic convolution filter with `a = -3/4` at a distance up to 1, or from 1 to 2.
fn cubic<T: Float>(x: &Tensor<T>, is_near: bool) -> Tensor<T> {
    let number = T::from_f64;
    match is_near {
        true => (x * number(1.25) - number(2.25)) * x * x + T::ONE,
        false => (((x - number(5.0)) * x + number(8.0)) * x - number(4.0)) * number(-0.75),
    }
}

/// Places outside of the image as the padding has them.
fn moved_inside<T: Float>(
    place: &Tensor<T>,
    size: usize,
    options: &GridSampleOptions,
) -> Tensor<T> {
    let last = T::from_usize(size - 1);
    match options.padding {
        GridPadding::Zeros => place.clone(),
        GridPadding::Border => place.clamp(T::ZERO, last),
        GridPadding::Reflection => {
            let (low, span) = match options.align_corners {
                true => (T::ZERO, last),
                false => (-T::HALF, T::from_usize(size)),
            };
            if span == T::ZERO {
                return constant(place, T::ZERO);
            }
            // A triangle wave of period 2 span.
            let from_low = (place - low).abs();
            let flips = (&from_low / span).floor().detach();
            let extra = &from_low - &flips * span;
            let is_odd = (&flips * T::HALF).floor().ne(&(&flips * T::HALF));
            let inside = Tensor::where_(&is_odd, -&extra + span, &extra) + low;
            inside.clamp(T::ZERO, last)
        }
    }
}

/// A spec of one set of options.
macro_rules! spec {
    ($name:literal, $formula:literal, $mode:ident, $padding:ident, $align_corners:literal) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: &[
                &[&[1, 1, 1, 1], &[1, 1, 1, 2]],
                &[&[2, 3, 4, 5], &[2, 3, 2, 2]],
                &[&[1, 2, 3, 3], &[1, 0, 2, 2]],
                &[&[1, 2, 2, 3, 4], &[1, 2, 2, 1, 3]],
                &[&[4, 8, 8, 8], &[4, 8, 8, 2]],
            ],
            domain: Domain::Custom(|input, shape, rng| match input {
                0 => Tensor::rand(shape, -2.0, 2.0, rng),
                // Away from the kinks, which are at pixels and between them, for sizes up to 8.
                _ => (Tensor::rand(shape, -52.0, 52.0, rng).floor() + 0.37) * (1.0 / 32.0),
            }),
            build: build!(|x| x[0].grid_sample(
                &x[1],
                &options(GridMode::$mode, GridPadding::$padding, $align_corners)
            )),
            oracle: Oracle::Whole(|x| {
                by_loops(x, &options(GridMode::$mode, GridPadding::$padding, $align_corners))
            }),
            refused: &[&[&[2, 3, 4, 5], &[2, 3, 2, 3]], &[&[2, 3, 4, 5], &[1, 3, 2, 2]]],
            slope: Slope::Smooth,
            cost: |shapes| Cost::elementwise(shapes, 20.0),
            tolerance: Tolerance::Terms(
                64.0,
                |x| {
                    let places = &x[1].shape()[1..x[1].rank() - 1];
                    Tensor::full([&x[0].shape()[..2], places].concat(), 32.0)
                },
                "places of up to 16 pixels lose four bits",
            ),
        }
    };
}

const fn options(mode: GridMode, padding: GridPadding, align_corners: bool) -> GridSampleOptions {
    GridSampleOptions { mode, padding, align_corners }
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!(
        "grid_sample",
        "y[n, c, i] = x[n, c] between the pixels around grid[n, i], 0 outside",
        Bilinear,
        Zeros,
        false
    ),
    spec!(
        "grid_sample border",
        "y[n, c, i] = x[n, c] between the pixels around grid[n, i], moved to the border; corners at 1",
        Bilinear,
        Border,
        true
    ),
    spec!(
        "grid_sample reflection",
        "y[n, c, i] = x[n, c] between the pixels around grid[n, i], mirrored at the outer pixels",
        Bilinear,
        Reflection,
        true
    ),
    spec!(
        "grid_sample nearest",
        "y[n, c, i] = x[n, c, the pixel nearest to grid[n, i], mirrored at the edges]",
        Nearest,
        Reflection,
        false
    ),
    spec!(
        "grid_sample bicubic",
        "y[n, c, i] = cubic through the pixels of x[n, c] around grid[n, i], 0 outside; corners at 1",
        Bicubic,
        Zeros,
        true
    ),
    spec!(
        "grid_sample bicubic reflection",
        "y[n, c, i] = cubic through the pixels of x[n, c] around grid[n, i], mirrored at the edges",
        Bicubic,
        Reflection,
        false
    ),
    OpSpec {
        name: "grid_sample affine_grid",
        formula: "y[n, h, w] = theta[n] (place of pixel w, place of pixel h, 1)",
        shapes: &[&[&[1, 2, 3]], &[&[0, 2, 3]], &[&[3, 2, 3]], &[&[32, 2, 3]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].affine_grid([4, 5], false)),
        oracle: Oracle::Whole(|x| affine_by_loops(&x[0], |term| term)),
        refused: &[&[&[1, 3, 3]], &[&[2, 3]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 40.0),
        tolerance: Tolerance::Terms(8.0, |x| affine_by_loops(&x[0], f64::abs), "three products"),
    },
    OpSpec {
        name: "grid_sample affine_grid corners",
        formula: "y[n, d, h, w] = theta[n] (places of pixels w, h, d, 1), outer pixels at -1 and 1",
        shapes: &[&[&[1, 3, 4]], &[&[0, 3, 4]], &[&[3, 3, 4]], &[&[32, 3, 4]]],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].affine_grid([3, 1, 2], true)),
        oracle: Oracle::Whole(|x| corners_by_loops(&x[0], |term| term)),
        refused: &[&[&[1, 2, 3]], &[&[3, 4]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 40.0),
        tolerance: Tolerance::Terms(8.0, |x| corners_by_loops(&x[0], f64::abs), "four products"),
    },
];

/// The grid of 4 by 5 pixels, with `term` applied to each product.
fn affine_by_loops(theta: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    Tensor::from_fn([theta.shape()[0], 4, 5, 2], |idx| {
        let centre = |at: usize, n: f64| (2.0 * at as f64 + 1.0) / n - 1.0;
        let place = [centre(idx[2], 5.0), centre(idx[1], 4.0), 1.0];
        (0..3).map(|k| term(place[k] * theta.at(&[idx[0], idx[3], k]))).sum()
    })
}

/// The grid of 3 by 1 by 2 pixels, with `term` applied to each product.
fn corners_by_loops(theta: &Tensor<f64>, term: impl Fn(f64) -> f64) -> Tensor<f64> {
    Tensor::from_fn([theta.shape()[0], 3, 1, 2, 3], |idx| {
        let place = [[-1.0, 1.0][idx[3]], 0.0, [-1.0, 0.0, 1.0][idx[1]], 1.0];
        (0..4).map(|k| term(place[k] * theta.at(&[idx[0], idx[4], k]))).sum()
    })
}

/// Reads a sample for each place, pixel by pixel.
fn by_loops(x: &[Tensor<f64>], options: &GridSampleOptions) -> Tensor<f64> {
    let (image, grid) = (&x[0], &x[1]);
    let axes = image.rank() - 2;
    let shape = [&image.shape()[..2], &grid.shape()[1..=axes]].concat();
    Tensor::from_fn(shape, |idx| {
        let read = |axis: usize| {
            let at = [&idx[..1], &idx[2..], &[axes - 1 - axis]].concat();
            taps_by_definition(grid.at(&at), image.shape()[2 + axis], options)
        };
        let start = vec![(idx[..2].to_vec(), 1.0)];
        let pixels = (0..axes).fold(start, |pixels, axis| {
            let taps = read(axis);
            let longer = |(pixel, weight): (Vec<usize>, f64)| {
                let join =
                    move |&(at, w): &(usize, f64)| ([&pixel[..], &[at]].concat(), weight * w);
                taps.iter().map(join).collect::<Vec<_>>()
            };
            pixels.into_iter().flat_map(longer).collect()
        });
        pixels.into_iter().map(|(pixel, weight)| weight * image.at(&pixel)).sum()
    })
}

/// Pixels along an axis and their weights, as PyTorch's documentation defines them.
fn taps_by_definition(at: f64, size: usize, options: &GridSampleOptions) -> Vec<(usize, f64)> {
    let n = size as f64;
    let (low, high) = if options.align_corners { (0.0, n - 1.0) } else { (-0.5, n - 0.5) };
    let inside = |mut place: f64| match options.padding {
        GridPadding::Zeros => place,
        GridPadding::Border => place.clamp(0.0, n - 1.0),
        GridPadding::Reflection => {
            while high > low && !(low..=high).contains(&place) {
                place = if place < low { 2.0 * low - place } else { 2.0 * high - place };
            }
            place.clamp(0.0, n - 1.0)
        }
    };
    let place = low + (at + 1.0) / 2.0 * (high - low);
    let taps: Vec<(f64, f64)> = match options.mode {
        GridMode::Nearest => vec![(inside(place).round_ties_even(), 1.0)],
        GridMode::Bilinear => {
            let near = |pixel: usize| (1.0 - (inside(place) - pixel as f64).abs()).max(0.0);
            (0..size).map(|pixel| (pixel as f64, near(pixel))).collect()
        }
        GridMode::Bicubic => {
            let keys = |d: f64| match d {
                d if d < 1.0 => 1.25 * d.powi(3) - 2.25 * d.powi(2) + 1.0,
                d => -0.75 * d.powi(3) + 3.75 * d.powi(2) - 6.0 * d + 3.0,
            };
            let pixels = (-1..=2).map(|step| place.floor() + f64::from(step));
            pixels.map(|pixel| (inside(pixel), keys((place - pixel).abs()))).collect()
        }
    };
    let taps = taps.into_iter().filter(|&(pixel, _)| (0.0..n).contains(&pixel));
    taps.map(|(pixel, weight)| (pixel as usize, weight)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_reads_nan_from_a_single_pixel() {
        let image = Tensor::full([1, 1, 1, 1], 3.0f64);
        let grid = Tensor::full([1, 1, 1, 2], f64::NAN);
        assert!(image.grid_sample(&grid, &GridSampleOptions::default()).item().is_nan());
    }

    #[test]
    fn grids_of_four_axes_are_refused() {
        let theta = Tensor::<f64>::zeros([1, 4, 5]);
        let refused = std::panic::catch_unwind(|| theta.affine_grid([1; 4], false));
        let message = *refused.err().unwrap().downcast::<String>().unwrap();
        assert!(message.starts_with("affine_grid: needs "), "{message}");
    }
}
