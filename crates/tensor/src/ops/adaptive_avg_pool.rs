//! `adaptive_avg_pool`: the averages of equal parts of an image, whatever its size.

use backstitch_kernels::Float;

use super::conv::batched;
use super::pool::{Windows, average, average_by_loops};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

macro_rules! methods {
    ($($name:ident $axes:literal)*) => {
        impl<T: Float> Tensor<T> {
            $(
                #[doc = concat!("The average of each of `output` parts over ", stringify!($axes), " axes.")]
                ///
                /// Part `o` of an axis goes from `floor(o in / out)` to `ceil((o + 1) in / out)`;
                /// one part is the global average.
                ///
                /// # Shape
                /// `x (N, C, ...)` or `(C, ...)` to `y` alike.
                ///
                /// # Gradient
                /// `dx = Σ dy / places` over the parts that the place belongs to.
                ///
                /// # Panics
                /// When `x` has other axes, or one of length 0.
                #[track_caller]
                pub fn $name(&self, output: [usize; $axes]) -> Tensor<T> {
                    let windows = or_panic(Windows::adaptive(stringify!($name), self.shape(), output));
                    batched::<T, $axes>(self, |x| average(windows, x))
                }
            )*
        }
    };
}

methods! {
    adaptive_avg_pool1d 1
    adaptive_avg_pool2d 2
    adaptive_avg_pool3d 3
}

/// A spec of one method: its name, shapes and output.
macro_rules! spec {
    ($name:literal, $method:ident, $formula:literal, $shapes:expr, $refused:expr, $output:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: $shapes,
            domain: Domain::Range(-2.0, 2.0),
            build: build!(|x| x[0].$method($output)),
            oracle: Oracle::Whole(|x| by_loops(&x[0], $output, |term| term)),
            refused: $refused,
            slope: Slope::Smooth,
            cost: |shapes| Cost::elementwise(shapes, 1.0),
            tolerance: Tolerance::Terms(
                8.0,
                |x| by_loops(&x[0], $output, f64::abs),
                "a sum in order and a division",
            ),
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!(
        "adaptive_avg_pool adaptive_avg_pool2d",
        adaptive_avg_pool2d,
        "y[n, c, o] = mean of x over 3 x 2 parts of the image",
        &[&[&[1, 1, 1, 1]], &[&[2, 3, 5, 4]], &[&[17, 3, 7]], &[&[16, 32, 28, 28]]],
        &[&[&[2, 2]], &[&[1, 1, 0, 4]]],
        [3, 2]
    ),
    spec!(
        "adaptive_avg_pool adaptive_avg_pool2d global",
        adaptive_avg_pool2d,
        "y[n, c] = mean of x over the image",
        &[&[&[1, 1, 1, 1]], &[&[2, 3, 5, 4]], &[&[17, 3, 7]], &[&[16, 512, 4, 4]]],
        &[&[&[2, 2]]],
        [1, 1]
    ),
    spec!(
        "adaptive_avg_pool adaptive_avg_pool1d",
        adaptive_avg_pool1d,
        "y[n, c, o] = mean of x over 3 parts",
        &[&[&[1, 1, 1]], &[&[2, 3, 5]], &[&[17, 7]], &[&[16, 32, 100]]],
        &[&[&[2]]],
        [3]
    ),
    spec!(
        "adaptive_avg_pool adaptive_avg_pool3d",
        adaptive_avg_pool3d,
        "y[n, c, o] = mean of x over 2 x 1 x 3 parts",
        &[&[&[1, 1, 1, 1, 1]], &[&[2, 3, 2, 5, 4]], &[&[2, 3, 2, 7]], &[&[4, 16, 9, 9, 9]]],
        &[&[&[2, 2]]],
        [2, 1, 3]
    ),
];

fn by_loops<const D: usize>(
    x: &Tensor<f64>,
    output: [usize; D],
    term: impl Fn(f64) -> f64,
) -> Tensor<f64> {
    let windows = Windows::adaptive("", x.shape(), output);
    average_by_loops(x, &windows.expect("the op accepted these shapes"), term)
}
