//! What pooling ops share: their options, the rule of their windows, and the average, which most
//! of them are made of.

use std::sync::Arc;

use backstitch_kernels::Float;
use backstitch_kernels::pooling::{self, Pool, Spans};

use super::conv::Padding;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError};
use crate::tensor::{Tensor, data};

/// Where the windows of a pooling over `D` axes lie. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolOptions<const D: usize> {
    /// Places from one window to the next. The kernel's size by default: side by side.
    pub stride: Option<[usize; D]>,
    /// Places around the image that windows may lie on; at most half of the kernel. None by
    /// default.
    pub padding: Padding<D>,
    /// Places from one tap of a window to the next. 1 by default.
    pub dilation: [usize; D],
    /// Whether a last window may reach beyond the padded image, if it starts inside of the image
    /// or before. No by default.
    pub ceil_mode: bool,
}

impl<const D: usize> Default for PoolOptions<D> {
    fn default() -> Self {
        let padding = Padding::Number([0; D]);
        PoolOptions { stride: None, padding, dilation: [1; D], ceil_mode: false }
    }
}

/// What an average divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Divisor {
    /// The places of the window that lie in the image.
    Inside,
    /// The places of the window that lie in the padded image.
    Padded,
    /// A number.
    Number(usize),
}

/// An image's pooling: its windows, and the spatial axes.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    pub(super) pool: Arc<Pool>,
    pub(super) axes: usize,
}

impl Windows {
    /// Windows of `kernel` places.
    pub(super) fn sliding<const D: usize>(
        name: &str,
        x: &[usize],
        kernel: [usize; D],
        options: &PoolOptions<D>,
        divisor: Divisor,
    ) -> Result<Self, ShapeError> {
        let refuse = |rule: &str| {
            let got = format!("{x:?}, kernel {kernel:?} with {options:?}");
            Err(ShapeError::new(name, rule, got))
        };
        let stride = options.stride.unwrap_or(kernel);
        if x.len() != D + 1 && x.len() != D + 2 {
            return refuse(&format!("x (N, C, ...) or (C, ...) with {D} axes behind the channels"));
        }
        if [kernel, stride, options.dilation].iter().any(|sizes| sizes.contains(&0)) {
            return refuse("a kernel, strides and dilations above 0");
        }
        let mut axes: [Spans; 3] = std::array::from_fn(|_| Spans::one());
        for at in 0..D {
            let reach = options.dilation[at] * (kernel[at] - 1);
            let sides = options.padding.sides(at, reach);
            let is_half = match options.padding {
                Padding::Number(places) => 2 * places[at] <= reach + 1,
                _ => sides.0.max(sides.1) <= reach,
            };
            if !is_half {
                return refuse("a padding of at most half of the kernel");
            }
            let axis = Axis {
                input: x[x.len() - D + at],
                kernel: kernel[at],
                stride: stride[at],
                dilation: options.dilation[at],
                sides,
            };
            let Some(spans) = axis.spans(options.ceil_mode, divisor, at == 0) else {
                return refuse("a kernel that fits into the padded image");
            };
            axes[3 - D + at] = spans;
        }
        Ok(Self::new(x, axes, D))
    }

    /// Windows that cut the image into `output` parts, which overlap where that does not divide:
    /// from `floor(o in / out)` to `ceil((o + 1) in / out)`.
    pub(super) fn adaptive<const D: usize>(
        name: &str,
        x: &[usize],
        output: [usize; D],
    ) -> Result<Self, ShapeError> {
        if x.len() != D + 1 && x.len() != D + 2 || x[x.len() - D..].contains(&0) {
            let rule = format!("x (N, C, ...) or (C, ...) with {D} axes that are not empty");
            return Err(ShapeError::new(name, rule, format!("{x:?}, output {output:?}")));
        }
        let mut axes: [Spans; 3] = std::array::from_fn(|_| Spans::one());
        for at in 0..D {
            let (input, output) = (x[x.len() - D + at], output[at]);
            let window = |o: usize| {
                let (start, end) = (o * input / output, ((o + 1) * input).div_ceil(output));
                (start as isize, end - start)
            };
            let windows: Vec<_> = (0..output).map(window).collect();
            let divisors = windows.iter().map(|window| window.1 as f64).collect();
            axes[3 - D + at] = Spans { input, dilation: 1, windows, divisors };
        }
        Ok(Self::new(x, axes, D))
    }

    fn new(x: &[usize], axes: [Spans; 3], count: usize) -> Self {
        let (batch, channels) = match x.len() == count + 2 {
            true => (x[0], x[1]),
            false => (1, x[0]),
        };
        Windows { pool: Arc::new(Pool { batch, channels, axes }), axes: count }
    }

    fn shape(&self, at: fn(&Spans) -> usize) -> Shape {
        let axes = self.pool.axes[3 - self.axes..].iter().map(at);
        [self.pool.batch, self.pool.channels].into_iter().chain(axes).collect()
    }

    /// The shape of the result, with its batch axis.
    pub(super) fn output_shape(&self) -> Shape {
        self.shape(|axis| axis.windows.len())
    }

    /// The shape of the image, with its batch axis.
    pub(super) fn input_shape(&self) -> Shape {
        self.shape(|axis| axis.input)
    }
}

/// One axis of sliding windows.
struct Axis {
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    sides: (usize, usize),
}

impl Axis {
    /// The windows; `None` if not even one fits. The first axis carries a divisor that is a number.
    fn spans(&self, ceil_mode: bool, divisor: Divisor, is_first: bool) -> Option<Spans> {
        let (before, after) = self.sides;
        let padded = self.input + before + after;
        let free = padded.checked_sub(self.dilation * (self.kernel - 1) + 1)?;
        let mut count = match ceil_mode {
            true => free.div_ceil(self.stride) + 1,
            false => free / self.stride + 1,
        };
        if ceil_mode && (count - 1) * self.stride >= self.input + before {
            count -= 1;
        }
        let start = |o: usize| (o * self.stride) as isize - before as isize;
        let windows: Vec<_> = (0..count).map(|o| (start(o), self.kernel)).collect();
        let inside = |o: usize, low: isize, high: usize| {
            let place = |tap: usize| start(o) + (tap * self.dilation) as isize;
            let counts = |&tap: &usize| (low..high as isize).contains(&place(tap));
            (0..self.kernel).filter(counts).count().max(1) as f64
        };
        let divide = |o: usize| match divisor {
            Divisor::Inside => inside(o, 0, self.input),
            Divisor::Padded => inside(o, isize::MIN, self.input + after),
            Divisor::Number(number) if is_first => number as f64,
            Divisor::Number(_) => 1.0,
        };
        let divisors = (0..count).map(divide).collect();
        Some(Spans { input: self.input, dilation: self.dilation, windows, divisors })
    }
}

/// The average of each window, or its transpose: linear.
#[derive(Clone)]
pub(super) struct Average {
    pub(super) windows: Windows,
    pub(super) is_transposed: bool,
}

#[track_caller]
pub(super) fn average<T: Float>(windows: Windows, x: &Tensor<T>) -> Tensor<T> {
    apply(Average { windows, is_transposed: false }, [x])
}

/// How the average is named, for messages.
const AVERAGE: &str = "avg_pool";

impl<T: Float> Op<T, 1> for Average {
    const NAME: &'static str = AVERAGE;
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let (x, pool) = (x.channels_last(), &self.windows.pool);
        match self.is_transposed {
            false => Tensor::build_channels_last(&self.windows.output_shape(), |y| {
                pooling::average_pool(data(&x), pool, y);
            }),
            true => Tensor::build_channels_last(&self.windows.input_shape(), |dx| {
                pooling::average_pool_backward(data(&x), pool, dx);
            }),
        }
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let transposed = Average { is_transposed: !self.is_transposed, ..self.clone() };
        [Some(apply(transposed, [dy]))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        apply(self.clone(), [dx.expect("the only input moves")])
    }
}

/// For the registry's oracles: folds the elements of each window, with the element's indices.
pub(super) fn fold_windows<A>(
    x: &Tensor<f64>,
    windows: &Windows,
    start: impl Fn() -> A,
    fold: impl Fn(A, f64, &[usize]) -> A,
    finish: impl Fn(A, &[usize]) -> f64,
) -> Tensor<f64> {
    let axes = &windows.pool.axes[3 - windows.axes..];
    let lead = x.rank() - windows.axes;
    let mut shape = x.shape()[..lead].to_vec();
    shape.extend(axes.iter().map(|axis| axis.windows.len()));
    Tensor::from_fn(shape, |idx| {
        let mut sum = start();
        let taps: usize = (0..axes.len()).map(|at| axes[at].windows[idx[lead + at]].1).product();
        for tap in 0..taps {
            let (mut rest, mut from) = (tap, idx.to_vec());
            let mut is_inside = true;
            for at in (0..axes.len()).rev() {
                let (first, count) = axes[at].windows[idx[lead + at]];
                let place = first + (rest % count * axes[at].dilation) as isize;
                rest /= count;
                is_inside &= (0..axes[at].input as isize).contains(&place);
                from[lead + at] = place.max(0) as usize;
            }
            if is_inside {
                sum = fold(sum, x.at(&from), &from);
            }
        }
        finish(sum, idx)
    })
}

/// For the registry's oracles: the average of each window.
pub(super) fn average_by_loops(
    x: &Tensor<f64>,
    windows: &Windows,
    term: impl Fn(f64) -> f64,
) -> Tensor<f64> {
    let axes = &windows.pool.axes[3 - windows.axes..];
    let lead = x.rank() - windows.axes;
    let divisor = |idx: &[usize]| {
        (0..axes.len()).map(|at| axes[at].divisors[idx[lead + at]]).product::<f64>()
    };
    fold_windows(x, windows, || 0.0, |sum, x, _| sum + term(x), |sum, idx| sum / divisor(idx))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The registry's oracles take the windows from here, so they are held against their
    /// definition: every `stride`-th place of the padded axis starts one, as long as it fits; with
    /// `ceil_mode` one more that does not, unless it starts behind the axis.
    #[test]
    fn windows_are_those_of_the_definition() {
        for case in 0..7 * 3 * 3 * 2 * 2 * 2 * 2 {
            let mut rest: usize = case;
            let mut draw = |count: usize| {
                let drawn = rest % count;
                rest /= count;
                drawn
            };
            let (input, kernel, stride) = (1 + draw(7), 1 + draw(3), 1 + draw(3));
            let (dilation, ceil_mode) = (1 + draw(2), draw(2) == 1);
            let sides = (draw(2).min(kernel / 2), draw(2).min(kernel / 2));
            let (before, after) = (sides.0 as isize, sides.1 as isize);
            let axis = Axis { input, kernel, stride, dilation, sides };
            let last_tap = (dilation * (kernel - 1)) as isize;
            let end = input as isize + after;
            let mut want = Vec::new();
            for start in (-before..end).step_by(stride) {
                let fits = start + last_tap < end;
                let overlaps = ceil_mode
                    && start < input as isize
                    && start - (stride as isize) + last_tap < end - 1
                    && !want.is_empty();
                if fits || overlaps {
                    want.push((start, kernel));
                }
            }
            let places = |start: isize, inside: std::ops::Range<isize>| {
                let taps = (0..kernel).map(|tap| start + (tap * dilation) as isize);
                taps.filter(|place| inside.contains(place)).count().max(1) as f64
            };
            let spans = |divisor| axis.spans(ceil_mode, divisor, true);
            let Some(found) = spans(Divisor::Inside) else {
                assert!(want.is_empty(), "{case}");
                continue;
            };
            assert_eq!(found.windows, want, "{case}");
            let starts = || want.iter().map(|window| window.0);
            let inside: Vec<f64> = starts().map(|s| places(s, 0..input as isize)).collect();
            assert_eq!(found.divisors, inside, "{case}");
            let padded: Vec<f64> = starts().map(|s| places(s, -before..end)).collect();
            assert_eq!(spans(Divisor::Padded).expect("as before").divisors, padded, "{case}");
            let number = spans(Divisor::Number(5)).expect("as before").divisors;
            assert_eq!(number, vec![5.0; want.len()], "{case}");
            let other = axis.spans(ceil_mode, Divisor::Number(5), false).expect("as before");
            assert_eq!(other.divisors, vec![1.0; want.len()], "{case}");
        }
    }
}
