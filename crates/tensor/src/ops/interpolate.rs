//! `interpolate`: images of another size.

use backstitch_kernels::Float;

use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

/// How [`Tensor::interpolate`] finds what lies between pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// The pixel at `floor(o in / out)`, as PyTorch's default.
    #[default]
    Nearest,
    /// The pixel whose centre is nearest: at `floor((o + 1/2) in / out)`.
    NearestExact,
    /// Linear along each axis: bilinear in images, trilinear in volumes.
    Linear,
    /// By cubic polynomials through four pixels along each axis, with `a = -3/4` as in PyTorch.
    Cubic,
    /// The mean of the area that a new pixel covers.
    Area,
}

/// The options of [`Tensor::interpolate`]. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterpolateOptions {
    /// How to find what lies between pixels. [`Interpolation::Nearest`] by default.
    pub mode: Interpolation,
    /// Whether the centres of corner pixels, rather than their corners, stay where they are; for
    /// linear and cubic. No by default.
    pub align_corners: bool,
    /// Whether linear and cubic filters widen when an image shrinks. No by default.
    pub antialias: bool,
}

impl<T: Float> Tensor<T> {
    /// The image in another size.
    ///
    /// # Shape
    /// `x (N, C, ...)` to `(N, C, size...)`.
    ///
    /// # Gradient
    /// The transposed map: each pixel gets what it gave.
    ///
    /// # Panics
    /// When `size` has not one number per spatial axis, a length is 0, or no memory could hold the
    /// result.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{InterpolateOptions, Interpolation, Tensor};
    ///
    /// let x = Tensor::from([[[1.0, 3.0]]]);
    /// let linear = InterpolateOptions { mode: Interpolation::Linear, ..Default::default() };
    /// assert_eq!(x.interpolate([4], &linear).to_vec(), [1.0, 1.5, 2.5, 3.0]);
    /// ```
    #[track_caller]
    pub fn interpolate(
        &self,
        size: impl AsRef<[usize]>,
        options: &InterpolateOptions,
    ) -> Tensor<T> {
        let size = size.as_ref();
        or_panic(shape_rule(self.shape(), size));
        let ratios =
            size.iter().zip(&self.shape()[2..]).map(|(&to, &from)| from as f64 / to as f64);
        resize(self, size, ratios, options)
    }

    /// The image made `scales` times as large along its axes.
    ///
    /// As [`Tensor::interpolate`] to `size = floor(in scale)`, but where a new pixel lies among the
    /// old ones follows from `scale`, not from `size / in`, which differs where `in scale` is no
    /// whole number: `torch.nn.functional.interpolate` with `scale_factor`, except where a length stays
    /// as it is at another scale than 1, which PyTorch's linear and antialiased modes take for a copy.
    ///
    /// # Shape
    /// `x (N, C, in...)` to `(N, C, floor(in scale)...)`.
    ///
    /// # Gradient
    /// The transposed map: each pixel gets what it gave.
    ///
    /// # Panics
    /// When `scales` has not one number per spatial axis, a length is or becomes 0, or no memory
    /// could hold the result.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{InterpolateOptions, Tensor};
    ///
    /// let x = Tensor::from([[[1.0, 2.0, 3.0]]]);
    /// let y = x.interpolate_by([1.5], &InterpolateOptions::default());
    /// assert_eq!(y.to_vec(), [1.0, 1.0, 2.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn interpolate_by(
        &self,
        scales: impl AsRef<[f64]>,
        options: &InterpolateOptions,
    ) -> Tensor<T> {
        let scales = scales.as_ref();
        let size = or_panic(scaled_size(self.shape(), scales));
        resize(self, &size, scales.iter().map(|scale| 1.0 / scale), options)
    }
}

/// `x` in the size `size`; `ratios` are old pixels per new one along each axis.
#[track_caller]
fn resize<T: Float>(
    x: &Tensor<T>,
    size: &[usize],
    ratios: impl Iterator<Item = f64>,
    options: &InterpolateOptions,
) -> Tensor<T> {
    let mut y = x.clone();
    for (at, (&to, ratio)) in size.iter().zip(ratios).enumerate() {
        let from = x.shape()[2 + at];
        if from != to || ratio != 1.0 {
            y = y.resample(2 + at as isize, &rows(from, to, ratio, options));
        }
    }
    y
}

fn scaled_size(x: &[usize], scales: &[f64]) -> Result<Vec<usize>, ShapeError> {
    let sizes: Vec<usize> =
        x.iter().skip(2).zip(scales).map(|(&n, scale)| (n as f64 * scale) as usize).collect();
    if x.len() != scales.len() + 2 || shape_rule(x, &sizes).is_err() {
        let rule = "x (N, C, ...) and as many scales as axes behind the channels, which leave at \
                    least one pixel and no more than memory can hold";
        return Err(ShapeError::new("interpolate_by", rule, format!("{x:?} and {scales:?}")));
    }
    Ok(sizes)
}

fn shape_rule(x: &[usize], size: &[usize]) -> Result<(), ShapeError> {
    if x.len() < 3 || x.len() != size.len() + 2 || x[2..].contains(&0) || size.contains(&0) {
        let rule = "x (N, C, ...) and as many sizes as axes behind the channels, none of them 0";
        return Err(ShapeError::new("interpolate", rule, format!("{x:?} and {size:?}")));
    }
    // A row of the map, which each new pixel of an axis has, takes more bytes than a pixel.
    let row = size_of::<Vec<(usize, f64)>>() + size_of::<(usize, f64)>();
    let mut lengths = x[..2].iter().chain(size).map(|&n| n.max(1));
    let bytes = lengths.try_fold(row, |bytes, n| bytes.checked_mul(n));
    if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
        let rule = "sizes that memory can hold";
        return Err(ShapeError::new("interpolate", rule, format!("{x:?} and {size:?}")));
    }
    Ok(())
}

/// For each new pixel the old ones that it is made of, and their weights. `scale` is old pixels per
/// new one; areas, and corners that stay, go by the two sizes.
fn rows(
    from: usize,
    to: usize,
    scale: f64,
    options: &InterpolateOptions,
) -> Vec<Vec<(usize, f64)>> {
    let last = from - 1;
    let nearest = |place: f64| vec![((place.floor().max(0.0) as usize).min(last), 1.0)];
    // Where the centre of a new pixel lies among the old ones.
    let centre = |o: usize| match (options.align_corners, to) {
        (true, 1) => 0.0,
        (true, _) => o as f64 * last as f64 / (to - 1) as f64,
        (false, _) => (o as f64 + 0.5) * scale - 0.5,
    };
    let row = |o: usize| match options.mode {
        Interpolation::Nearest => nearest(o as f64 * scale),
        Interpolation::NearestExact => nearest((o as f64 + 0.5) * scale),
        Interpolation::Area => {
            let (start, end) = (o * from / to, ((o + 1) * from).div_ceil(to));
            (start..end).map(|i| (i, 1.0 / (end - start) as f64)).collect()
        }
        Interpolation::Linear if options.antialias => {
            smoothed(centre(o), scale, 1.0, last, |x| 1.0 - x)
        }
        Interpolation::Cubic if options.antialias => {
            smoothed(centre(o), scale, 2.0, last, |x| cubic(x, -0.5))
        }
        Interpolation::Linear => around(centre(o).max(0.0), 1, last, |x| 1.0 - x),
        Interpolation::Cubic => around(centre(o), 2, last, |x| cubic(x, -0.75)),
    };
    (0..to).map(row).collect()
}

/// The `reach` pixels on either side of a place, weighted by distance; places outside of the image
/// are the pixels at its edge.
fn around(place: f64, reach: isize, last: usize, weight: impl Fn(f64) -> f64) -> Vec<(usize, f64)> {
    let low = place.floor();
    (1 - reach..=reach)
        .map(|step| {
            let pixel = low + step as f64;
            (pixel.clamp(0.0, last as f64) as usize, weight((place - pixel).abs()))
        })
        .collect()
}

/// All pixels within `reach` times the scale of a place, weighted by distance over the scale.
fn smoothed(
    place: f64,
    scale: f64,
    reach: f64,
    last: usize,
    weight: impl Fn(f64) -> f64,
) -> Vec<(usize, f64)> {
    let scale = scale.max(1.0);
    let weights: Vec<(usize, f64)> = (0..=last)
        .map(|pixel| (pixel, (pixel as f64 - place).abs() / scale))
        .filter(|&(_, distance)| distance < reach)
        .map(|(pixel, distance)| (pixel, weight(distance)))
        .collect();
    let total: f64 = weights.iter().map(|&(_, weight)| weight).sum();
    weights.into_iter().map(|(pixel, weight)| (pixel, weight / total)).collect()
}

/// The cubic convolution filter (Keys 1981, equation 4, with its free parameter `a`).
fn cubic(x: f64, a: f64) -> f64 {
    match x {
        x if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        x if x < 2.0 => a * (((x - 5.0) * x + 8.0) * x - 4.0),
        _ => 0.0,
    }
}

/// A spec of one mode: its name, options and how many epsilons it may be off.
macro_rules! spec {
    ($name:literal, $formula:literal, $options:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: &[
                &[&[1, 1, 1, 1]],
                &[&[2, 3, 4, 5]],
                &[&[1, 17, 3, 2]],
                &[&[0, 2, 3, 3]],
                &[&[8, 16, 16, 16]],
            ],
            domain: Domain::Range(-2.0, 2.0),
            build: build!(|x| x[0].interpolate(example(x[0].shape()), &$options)),
            oracle: Oracle::Whole(|x| by_loops(&x[0], &$options, |term| term)),
            refused: &[&[&[2, 3]], &[&[2, 3, 0, 4]]],
            slope: Slope::Smooth,
            cost: |shapes| Cost::elementwise(shapes, 8.0),
            tolerance: match $options.mode {
                Interpolation::Cubic => Tolerance::Terms(
                    32.0,
                    |x| by_loops(&x[0], &$options, f64::abs) + 0.5,
                    "a few products and sums along each axis; the terms of the weights cancel",
                ),
                _ => Tolerance::Terms(
                    8.0,
                    |x| by_loops(&x[0], &$options, f64::abs),
                    "a few products and sums along each axis",
                ),
            },
        }
    };
}

/// `align_corners` and `antialias` of a mode.
const fn options(mode: Interpolation, align_corners: bool, antialias: bool) -> InterpolateOptions {
    InterpolateOptions { mode, align_corners, antialias }
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!(
        "interpolate nearest",
        "y[n, c, o] = x[n, c, floor(o in / out)]",
        options(Interpolation::Nearest, false, false)
    ),
    spec!(
        "interpolate linear",
        "y[n, c, o] = x between the pixels around (o + 1/2) in / out - 1/2",
        options(Interpolation::Linear, false, false)
    ),
    spec!(
        "interpolate linear aligned",
        "y[n, c, o] = x between the pixels around o (in - 1) / (out - 1)",
        options(Interpolation::Linear, true, false)
    ),
    spec!(
        "interpolate cubic",
        "y[n, c, o] = cubic through the pixels around (o + 1/2) in / out - 1/2",
        options(Interpolation::Cubic, false, false)
    ),
    spec!(
        "interpolate cubic antialias",
        "y[n, c, o] = x smoothed by a cubic filter as wide as the new pixels",
        options(Interpolation::Cubic, false, true)
    ),
    spec!(
        "interpolate linear antialias",
        "y[n, c, o] = x smoothed by a linear filter as wide as the new pixels",
        options(Interpolation::Linear, false, true)
    ),
    spec!(
        "interpolate cubic aligned",
        "y[n, c, o] = cubic through the pixels around o (in - 1) / (out - 1)",
        options(Interpolation::Cubic, true, false)
    ),
    spec!(
        "interpolate nearest exact",
        "y[n, c, o] = x[n, c, floor((o + 1/2) in / out)]",
        options(Interpolation::NearestExact, false, false)
    ),
    spec!(
        "interpolate area",
        "y[n, c, o] = mean of x over the area of the new pixel",
        options(Interpolation::Area, false, false)
    ),
];

/// The example's size: larger along one axis, smaller along the other.
fn example(shape: &[usize]) -> Vec<usize> {
    let sizes = shape.iter().skip(2).enumerate();
    sizes.map(|(at, &n)| if at == 0 { 2 * n + n.min(1) } else { n.div_ceil(2) }).collect()
}

/// The sum over all pairs of pixels along both axes.
fn by_loops(
    x: &Tensor<f64>,
    options: &InterpolateOptions,
    term: impl Fn(f64) -> f64,
) -> Tensor<f64> {
    let size = example(x.shape());
    let mut shape = x.shape().to_vec();
    shape[2..].copy_from_slice(&size);
    let [down, across] = [0, 1].map(|at| by_definition(x.shape()[2 + at], size[at], options));
    Tensor::from_fn(shape, |idx| {
        let mut sum = 0.0;
        for &(i, wi) in &down[idx[2]] {
            for &(j, wj) in &across[idx[3]] {
                sum += term(wi * wj * x.at(&[idx[0], idx[1], i, j]));
            }
        }
        sum
    })
}

/// What [`rows`] gives, pixel by pixel from the definitions: a weight for each old pixel.
fn by_definition(from: usize, to: usize, options: &InterpolateOptions) -> Vec<Vec<(usize, f64)>> {
    let (n, ratio) = (from as f64, from as f64 / to as f64);
    let corners = if to == 1 { 0.0 } else { (n - 1.0) / (to as f64 - 1.0) };
    let row = |o: usize| {
        let centre = match options.align_corners {
            true => o as f64 * corners,
            false => (o as f64 + 0.5) * ratio - 0.5,
        };
        let reach = if options.antialias { ratio.max(1.0) } else { 1.0 };
        let keys = |d: f64, a: f64| match d {
            d if d < 1.0 => (a + 2.0) * d.powi(3) - (a + 3.0) * d.powi(2) + 1.0,
            d if d < 2.0 => a * (d.powi(3) - 5.0 * d.powi(2) + 8.0 * d - 4.0),
            _ => 0.0,
        };
        let weight = |i: usize| match options.mode {
            Interpolation::Nearest => f64::from(o * from / to == i),
            Interpolation::NearestExact => f64::from((2 * o + 1) * from / (2 * to) == i),
            Interpolation::Area => f64::from(i * to < (o + 1) * from && (i + 1) * to > o * from),
            Interpolation::Linear => {
                let centre = if options.antialias { centre } else { centre.clamp(0.0, n - 1.0) };
                (1.0 - (centre - i as f64).abs() / reach).max(0.0)
            }
            Interpolation::Cubic if options.antialias => {
                keys((centre - i as f64).abs() / reach, -0.5)
            }
            // Pixels outside are those at the edge.
            Interpolation::Cubic => (-3..from as isize + 3)
                .filter(|&place| place.clamp(0, from as isize - 1) == i as isize)
                .map(|place| keys((centre - place as f64).abs(), -0.75))
                .sum(),
        };
        let weights: Vec<f64> = (0..from).map(weight).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / total).enumerate().collect()
    };
    (0..to).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.nn.functional.interpolate(torch.tensor([1., 2., 4., 7.]), ...)` of PyTorch 2.15.
    fn check(to: usize, options: InterpolateOptions, want: &[f64]) {
        let y = Tensor::from([[[1.0f64, 2.0, 4.0, 7.0]]]).interpolate([to], &options).to_vec();
        for (got, want) in y.iter().zip(want) {
            assert!((got - want).abs() < 1e-5, "{options:?}: {y:?}");
        }
    }

    #[test]
    fn numbers_are_pytorchs() {
        check(6, options(Interpolation::Nearest, false, false), &[1., 1., 2., 4., 4., 7.]);
        check(6, options(Interpolation::NearestExact, false, false), &[1., 2., 2., 4., 7., 7.]);
        check(3, options(Interpolation::Linear, true, false), &[1.0, 3.0, 7.0]);
        check(3, options(Interpolation::Area, false, false), &[1.5, 3.0, 5.5]);
    }

    /// `torch.nn.functional.interpolate(torch.tensor([1., 2., 4., 7.]), scale_factor=..., ...)`.
    #[test]
    fn scaled_numbers_are_pytorchs() {
        let x = Tensor::from([[[1.0f64, 2.0, 4.0, 7.0]]]);
        let check = |scale: f64, options: InterpolateOptions, want: &[f64]| {
            let y = x.interpolate_by([scale], &options).to_vec();
            assert_eq!(y.len(), want.len());
            for (got, want) in y.iter().zip(want) {
                assert!((got - want).abs() < 1e-6, "{options:?}: {y:?}");
            }
        };
        use Interpolation::{Area, Cubic, Linear, Nearest, NearestExact};
        let plain = |mode| options(mode, false, false);
        check(1.7, plain(Nearest), &[1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
        check(1.7, plain(NearestExact), &[1.0, 1.0, 2.0, 4.0, 4.0, 7.0]);
        check(1.7, plain(Linear), &[1.0, 1.382353, 1.970588, 3.117647, 4.441176, 6.205882]);
        check(0.6, plain(Linear), &[1.333333, 4.0]);
        check(0.6, plain(Cubic), &[1.203704, 4.0]);
        check(0.8, plain(Area), &[1.5, 3.0, 5.5]);
        // As many pixels as before, but not where they were.
        check(1.1, plain(Cubic), &[0.968938, 1.732485, 3.317947, 6.208161]);
        check(1.7, options(Linear, true, false), &[1.0, 1.6, 2.4, 3.6, 5.2, 7.0]);
        check(0.6, options(Linear, false, true), &[1.428571, 4.222222]);
        check(0.6, options(Cubic, false, true), &[1.261538, 4.345291]);
    }

    /// A weight of 0 would make NaN of an infinite pixel.
    #[test]
    fn pixels_out_of_reach_are_not_read() {
        use Interpolation::{Cubic, Linear};
        let finite = |len: usize, at: usize, to: usize, options: InterpolateOptions| {
            let x = Tensor::from_fn([1, 1, len], |i| if i[2] == at { f64::INFINITY } else { 1.0 });
            let y = x.interpolate([to], &options).to_vec();
            y.iter().map(|y| y.is_finite()).collect::<Vec<_>>()
        };
        for mode in [Linear, Cubic] {
            assert_eq!(finite(3, 1, 3, options(mode, false, false)), [true, false, true]);
        }
        assert_eq!(finite(6, 5, 3, options(Cubic, false, false)), [true, true, false]);
        assert_eq!(finite(9, 7, 3, options(Cubic, false, true)), [true, false, false]);
    }

    #[test]
    fn refuses_scales_that_leave_nothing_or_too_much() {
        let want = "interpolate_by: needs x (N, C, ...) and as many scales as axes behind the \
                    channels, which leave at least one pixel and no more than memory can hold; got \
                    [1, 1, 4] and ";
        for (scales, got) in [
            (&[0.2][..], "[0.2]"),
            (&[f64::NAN], "[NaN]"),
            (&[1.0, 1.0], "[1.0, 1.0]"),
            (&[f64::INFINITY], "[inf]"),
            (&[1e18], "[1e18]"),
        ] {
            let error = scaled_size(&[1, 1, 4], scales).unwrap_err().to_string();
            assert_eq!(error, format!("{want}{got}"));
        }
        assert_eq!(scaled_size(&[0, 1, 4], &[2.0]).unwrap(), [8]);
        let error = shape_rule(&[1, 1, 4, 4], &[1 << 40, 1 << 40]).unwrap_err().to_string();
        assert!(error.starts_with("interpolate: needs sizes that memory can hold"), "{error}");
    }

    /// The registry's oracle defines the weights in other words; here at many sizes.
    #[test]
    fn weights_are_those_of_the_definition() {
        use Interpolation::{Area, Cubic, Linear, Nearest, NearestExact};
        let whole = [Nearest, NearestExact, Area].map(|mode| options(mode, false, false));
        let smooth = [Linear, Cubic].map(|mode| {
            [(false, false), (true, false), (false, true)].map(|(a, b)| options(mode, a, b))
        });
        for options in whole.into_iter().chain(smooth.concat()) {
            for (from, to) in (1..24).flat_map(|from| (1..24).map(move |to| (from, to))) {
                let wants = by_definition(from, to, &options);
                let ratio = from as f64 / to as f64;
                for (got, want) in rows(from, to, ratio, &options).iter().zip(wants) {
                    for (pixel, want) in want {
                        let terms = got.iter().filter(|term| term.0 == pixel);
                        let got: f64 = terms.map(|term| term.1).sum();
                        assert!(
                            (got - want).abs() < 1e-12,
                            "{options:?} {from} {to}: {got} {want}"
                        );
                    }
                }
            }
        }
    }

    /// The centre of a new pixel may lie just before the next old one.
    #[test]
    fn nearest_centres_are_exact() {
        let options = options(Interpolation::NearestExact, false, false);
        for (from, to) in [(199, 200), (201, 200), (399, 400)] {
            let ratio = from as f64 / to as f64;
            for (o, row) in rows(from, to, ratio, &options).into_iter().enumerate() {
                assert_eq!(row, [((2 * o + 1) * from / (2 * to), 1.0)], "{from} {to} {o}");
            }
        }
    }
}
