//! `max_pool`: the largest element of sliding windows, or of equal parts of the image.

use backstitch_kernels::Float;
use backstitch_kernels::pooling;

use super::conv::batched;
use super::pool::{Divisor, PoolOptions, Windows, fold_windows};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::rng::Rng;
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

macro_rules! methods {
    ($($name:ident $with_indices:ident $adaptive:ident $adaptive_with_indices:ident $axes:literal)*) => {
        impl<T: Float> Tensor<T> {
            $(
                #[doc = concat!("The largest element of each window over ", stringify!($axes), " axes.")]
                ///
                /// `y[n, c, o] = max_k x[n, c, o * stride + k * dilation - padding]`
                ///
                /// # Shape
                /// `x (N, C, ...)` or `(C, ...)` to `y` alike. Channels lie last in the memory of `y`.
                ///
                /// # Gradient
                /// `dx` gets each `dy` at the element it came from; of equal ones at the first.
                ///
                /// # Numerics
                /// NaN counts as the largest. Padding never wins.
                ///
                /// # Panics
                /// When `x` has other axes, a size is 0, no window fits, or the padding exceeds
                /// half of the kernel.
                #[track_caller]
                pub fn $name(
                    &self,
                    kernel: [usize; $axes],
                    options: &PoolOptions<$axes>,
                ) -> Tensor<T> {
                    let name = stringify!($name);
                    let windows =
                        Windows::sliding(name, self.shape(), kernel, options, Divisor::Inside);
                    max_pool::<T, $axes>(self, or_panic(windows))
                }

                #[doc = concat!("As [`", stringify!($name), "`](Tensor::", stringify!($name), "), with")]
                /// the place of each element found, counted in row-major order over the axes
                /// behind the channels.
                ///
                /// # Panics
                #[doc = concat!("As [`", stringify!($name), "`](Tensor::", stringify!($name), ").")]
                #[track_caller]
                pub fn $with_indices(
                    &self,
                    kernel: [usize; $axes],
                    options: &PoolOptions<$axes>,
                ) -> (Tensor<T>, Tensor<i64>) {
                    let name = stringify!($name);
                    let windows =
                        Windows::sliding(name, self.shape(), kernel, options, Divisor::Inside);
                    let windows = or_panic(windows);
                    let indices = indices_of(self, &windows, $axes);
                    (max_pool::<T, $axes>(self, windows), indices)
                }

                #[doc = concat!("The largest element of each of `output` parts over ", stringify!($axes), " axes.")]
                ///
                /// Part `o` of an axis goes from `floor(o in / out)` to `ceil((o + 1) in / out)`.
                ///
                /// # Shape
                /// `x (N, C, ...)` or `(C, ...)` to `y` alike.
                ///
                /// # Gradient
                /// `dx` gets each `dy` at the element it came from; of equal ones at the first.
                ///
                /// # Panics
                /// When `x` has other axes, or one of length 0.
                #[track_caller]
                pub fn $adaptive(&self, output: [usize; $axes]) -> Tensor<T> {
                    let windows = Windows::adaptive(stringify!($adaptive), self.shape(), output);
                    max_pool::<T, $axes>(self, or_panic(windows))
                }

                #[doc = concat!("As [`", stringify!($adaptive), "`](Tensor::", stringify!($adaptive), "), with")]
                /// the place of each element found, counted in row-major order over the axes
                /// behind the channels.
                ///
                /// # Panics
                #[doc = concat!("As [`", stringify!($adaptive), "`](Tensor::", stringify!($adaptive), ").")]
                #[track_caller]
                pub fn $adaptive_with_indices(
                    &self,
                    output: [usize; $axes],
                ) -> (Tensor<T>, Tensor<i64>) {
                    let windows = Windows::adaptive(stringify!($adaptive), self.shape(), output);
                    let windows = or_panic(windows);
                    let indices = indices_of(self, &windows, $axes);
                    (max_pool::<T, $axes>(self, windows), indices)
                }
            )*
        }
    };
}

methods! {
    max_pool1d max_pool1d_with_indices adaptive_max_pool1d adaptive_max_pool1d_with_indices 1
    max_pool2d max_pool2d_with_indices adaptive_max_pool2d adaptive_max_pool2d_with_indices 2
    max_pool3d max_pool3d_with_indices adaptive_max_pool3d adaptive_max_pool3d_with_indices 3
}

#[track_caller]
fn max_pool<T: Float, const D: usize>(x: &Tensor<T>, windows: Windows) -> Tensor<T> {
    batched::<T, D>(x, |x| apply(MaxPool { windows, taps: Tensor::default() }, [x]))
}

/// The place of each window's largest element, in the shape of the result.
fn indices_of<T: Float>(x: &Tensor<T>, windows: &Windows, axes: usize) -> Tensor<i64> {
    let is_batched = x.rank() == axes + 2;
    let mut batch = x.shape().to_vec();
    if !is_batched {
        batch.insert(0, 1);
    }
    let (_, taps) = pool(&x.detach().reshape(&batch), windows);
    let shape = windows.output_shape();
    let indices = Tensor::build_channels_last(&shape, |indices| {
        pooling::max_pool_indices(data(&taps), &windows.pool, indices);
    });
    if is_batched { indices } else { indices.reshape(&shape[1..]) }
}

/// Largest elements, and the bytes of the taps they come from, with the channels last.
fn pool<T: Float>(x: &Tensor<T>, windows: &Windows) -> (Tensor<T>, Tensor<u8>) {
    let x = x.channels_last();
    let mut y = Tensor::default();
    let taps = Tensor::build(&[windows.pool.taps_len()], |taps| {
        y = Tensor::build_channels_last(&windows.output_shape(), |y| {
            pooling::max_pool(data(&x), &windows.pool, y, taps);
        });
    });
    (y, taps)
}

struct MaxPool {
    windows: Windows,
    /// The tap of each window that its largest element comes from.
    taps: Tensor<u8>,
}

impl MaxPool {
    /// The derivative, or its transpose: what each window finds at its tap, or what goes there.
    fn along<T: Float>(&self, d: &Tensor<T>, is_transposed: bool) -> Tensor<T> {
        apply(Pick { windows: self.windows.clone(), taps: self.taps.clone(), is_transposed }, [d])
    }
}

impl<T: Float> Op<T, 1> for MaxPool {
    const NAME: &'static str = "max_pool";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let (y, taps) = pool(x, &self.windows);
        self.taps = taps;
        y
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(self.along(dy, true))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        self.along(dx.expect("the only input moves"), false)
    }
}

/// Takes the element at a given tap of each window, or puts it there: linear.
#[derive(Clone)]
struct Pick {
    windows: Windows,
    taps: Tensor<u8>,
    is_transposed: bool,
}

impl<T: Float> Op<T, 1> for Pick {
    const NAME: &'static str = "max_pool_pick";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let (x, taps, pool) = (x.channels_last(), data(&self.taps), &self.windows.pool);
        match self.is_transposed {
            false => Tensor::build_channels_last(&self.windows.output_shape(), |y| {
                pooling::max_pool_gather(data(&x), taps, pool, y);
            }),
            true => Tensor::build_channels_last(&self.windows.input_shape(), |dx| {
                pooling::max_pool_scatter(data(&x), taps, pool, dx);
            }),
        }
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(apply(Pick { is_transposed: !self.is_transposed, ..self.clone() }, [dy]))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        apply(self.clone(), [dx.expect("the only input moves")])
    }
}

/// A spec of one method: its name, formula, shapes, the call and the windows.
macro_rules! spec {
    (
        $name:literal, $formula:literal, $shapes:expr, $refused:expr,
        |$x:ident| $call:expr, |$shape:ident| $windows:expr
    ) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: $shapes,
            domain: Domain::Custom(|_, shape, rng: &mut Rng| super::extreme::distinct(shape, rng)),
            build: build!(|x| {
                let $x = &x[0];
                $call
            }),
            oracle: Oracle::Whole(|x| {
                let $shape = x[0].shape();
                let windows = $windows.expect("the op accepted these shapes");
                let start = || f64::NEG_INFINITY;
                fold_windows(&x[0], &windows, start, |max, x, _| max.max(x), |max, _| max)
            }),
            refused: $refused,
            slope: Slope::Smooth,
            cost: |shapes| Cost::elementwise(shapes, 1.0),
            tolerance: Tolerance::Exact,
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!(
        "max_pool max_pool2d",
        "y[n, c, o] = max x[n, c, 2 o + k] over 2 x 2 places",
        &[
            &[&[1, 1, 2, 2]],
            &[&[0, 2, 4, 4]],
            &[&[2, 3, 5, 4]],
            &[&[17, 3, 2]],
            &[&[16, 32, 28, 28]],
        ],
        &[&[&[2, 2]], &[&[1, 1, 1, 4]]],
        |x| x.max_pool2d([2, 2], &PoolOptions::default()),
        |x| Windows::sliding("", x, [2, 2], &PoolOptions::default(), Divisor::Inside)
    ),
    spec!(
        "max_pool max_pool2d ceil",
        "y[n, c, o] = max x[n, c, (2, 1) o + k - 1], last windows cut",
        &[&[&[1, 1, 2, 1]], &[&[2, 3, 5, 4]], &[&[1, 17, 6, 7]], &[&[16, 32, 28, 28]]],
        &[&[&[2, 2]]],
        |x| x.max_pool2d([3, 2], &OVERLAPPING),
        |x| Windows::sliding("", x, [3, 2], &OVERLAPPING, Divisor::Inside)
    ),
    spec!(
        "max_pool max_pool1d",
        "y[n, c, o] = max x[n, c, 3 o + 2 k]",
        &[&[&[1, 1, 5]], &[&[2, 3, 9]], &[&[17, 6]], &[&[16, 32, 100]]],
        &[&[&[2]]],
        |x| x.max_pool1d([3], &DILATED),
        |x| Windows::sliding("", x, [3], &DILATED, Divisor::Inside)
    ),
    spec!(
        "max_pool max_pool3d",
        "y[n, c, o] = max x[n, c, (2, 1, 2) o + k]",
        &[&[&[1, 1, 2, 1, 2]], &[&[2, 3, 4, 2, 3]], &[&[2, 3, 2, 5]], &[&[4, 16, 10, 10, 10]]],
        &[&[&[2, 2, 2]]],
        |x| x.max_pool3d_with_indices([2, 1, 2], &PoolOptions::default()).0,
        |x| Windows::sliding("", x, [2, 1, 2], &PoolOptions::default(), Divisor::Inside)
    ),
    spec!(
        "max_pool adaptive_max_pool2d",
        "y[n, c, o] = max x over 3 x 2 parts of the image",
        &[&[&[1, 1, 1, 1]], &[&[2, 3, 5, 4]], &[&[17, 3, 7]], &[&[16, 32, 28, 28]]],
        &[&[&[2, 2]], &[&[1, 1, 0, 4]]],
        |x| x.adaptive_max_pool2d([3, 2]),
        |x| Windows::adaptive("", x, [3, 2])
    ),
];

/// Windows with gaps.
const DILATED: PoolOptions<1> = PoolOptions {
    stride: None,
    padding: super::conv::Padding::Valid,
    dilation: [2],
    ceil_mode: false,
};

/// Windows that overlap, reach into the padding and beyond it.
const OVERLAPPING: PoolOptions<2> = PoolOptions {
    stride: Some([2, 1]),
    padding: super::conv::Padding::Number([1, 1]),
    dilation: [1, 1],
    ceil_mode: true,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_count_over_the_image() {
        let x = Tensor::from_vec((0..16).map(|i| (i * 7 % 16) as f32).collect(), [1, 1, 4, 4]);
        let (y, indices) = x.max_pool2d_with_indices([2, 2], &PoolOptions::default());
        let picked: Vec<f32> = indices.to_vec().iter().map(|&i| x.to_vec()[i as usize]).collect();
        assert_eq!(y.to_vec(), picked);
        let (_, unbatched) =
            x.reshape([1, 4, 4]).max_pool2d_with_indices([2, 2], &PoolOptions::default());
        assert_eq!((unbatched.shape(), unbatched.to_vec()), (&[1, 2, 2][..], indices.to_vec()));
        // Parts that overlap: rows 0..2 and 1..3, columns 0..2 and 2..4 of a 3 x 4 image.
        let x = x.narrow(2, 0, 3);
        let (y, indices) = x.adaptive_max_pool2d_with_indices([2, 2]);
        assert_eq!(y.to_vec(), x.adaptive_max_pool2d([2, 2]).to_vec());
        // 0 7 14 5 | 12 3 10 1 | 8 15 6 13
        assert_eq!(
            (y.to_vec(), indices.to_vec()),
            (vec![12.0, 14.0, 15.0, 13.0], vec![4, 2, 9, 11])
        );
    }

    #[test]
    fn indices_of_an_image_alone_are_those_of_a_batch_of_one() {
        let x = Tensor::from_vec((0..32).map(|i| (i * 7 % 32) as f32).collect(), [2, 4, 4]);
        let batch = x.reshape([1, 2, 4, 4]);
        let options = PoolOptions::default();
        let (alone, batch) = (
            x.max_pool2d_with_indices([2, 2], &options).1,
            batch.max_pool2d_with_indices([2, 2], &options).1,
        );
        assert_eq!((alone.shape(), alone.to_vec()), (&[2, 2, 2][..], batch.to_vec()));
        // Windows that reach beyond the image are left out by default.
        assert_eq!(
            Tensor::from([[1.0, 2.0, 3.0]]).max_pool1d([2], &Default::default()).to_vec(),
            [2.0]
        );
    }
}
