//! `avg_pool`: the average of sliding windows.

use backstitch_kernels::Float;

use super::conv::{Padding, batched};
use super::pool::{Divisor, PoolOptions, Windows, average, average_by_loops};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

/// The options of average pooling over `D` axes. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AvgPoolOptions<const D: usize> {
    /// Where the windows lie.
    pub windows: PoolOptions<D>,
    /// Whether places of the padding count in the number that is divided by. Yes by default.
    pub count_include_pad: bool,
    /// What to divide by instead of the number of places. Nothing by default.
    pub divisor_override: Option<usize>,
}

impl<const D: usize> Default for AvgPoolOptions<D> {
    fn default() -> Self {
        let windows = PoolOptions::default();
        AvgPoolOptions { windows, count_include_pad: true, divisor_override: None }
    }
}

impl<const D: usize> AvgPoolOptions<D> {
    fn divisor(&self) -> Divisor {
        match (self.divisor_override, self.count_include_pad) {
            (Some(number), _) => Divisor::Number(number),
            (None, true) => Divisor::Padded,
            (None, false) => Divisor::Inside,
        }
    }
}

macro_rules! methods {
    ($($name:ident $axes:literal)*) => {
        impl<T: Float> Tensor<T> {
            $(
                #[doc = concat!("The average of each window over ", stringify!($axes), " axes.")]
                ///
                /// `y[n, c, o] = Σ x[n, c, o * stride + k * dilation - padding] / divisor`
                ///
                /// # Shape
                /// `x (N, C, ...)` or `(C, ...)` to `y` alike. Channels lie last in the memory of `y`.
                ///
                /// # Gradient
                /// `dx = Σ dy / divisor` over the windows that see the place.
                ///
                /// # Panics
                /// When `x` has other axes, a size is 0, no window fits, or the padding exceeds
                /// half of the kernel.
                #[track_caller]
                pub fn $name(
                    &self,
                    kernel: [usize; $axes],
                    options: &AvgPoolOptions<$axes>,
                ) -> Tensor<T> {
                    avg_pool(stringify!($name), self, kernel, options)
                }
            )*
        }
    };
}

methods! {
    avg_pool1d 1
    avg_pool2d 2
    avg_pool3d 3
}

#[track_caller]
fn avg_pool<T: Float, const D: usize>(
    name: &str,
    x: &Tensor<T>,
    kernel: [usize; D],
    options: &AvgPoolOptions<D>,
) -> Tensor<T> {
    let rule = Windows::sliding(name, x.shape(), kernel, &options.windows, options.divisor());
    let windows = or_panic(rule);
    batched::<T, D>(x, |x| average(windows, x))
}

/// A spec of one method: its name, formula, shapes, kernel and options.
macro_rules! spec {
    (
        $name:literal, $method:ident, $formula:literal,
        $shapes:expr, $refused:expr, $kernel:expr, $options:expr
    ) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: $shapes,
            domain: Domain::Range(-2.0, 2.0),
            build: build!(|x| x[0].$method($kernel, &$options)),
            oracle: Oracle::Whole(|x| by_loops(&x[0], $kernel, &$options, |term| term)),
            refused: $refused,
            slope: Slope::Smooth,
            cost: |shapes| Cost::elementwise(shapes, 1.0),
            tolerance: Tolerance::Terms(
                8.0,
                |x| by_loops(&x[0], $kernel, &$options, f64::abs),
                "a sum in order and a division",
            ),
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!(
        "avg_pool avg_pool2d",
        avg_pool2d,
        "y[n, c, o] = Σ x[n, c, 2 o + k] / 4 over 2 x 2 places",
        &[
            &[&[1, 1, 2, 2]],
            &[&[0, 2, 4, 4]],
            &[&[2, 3, 5, 4]],
            &[&[17, 3, 2]],
            &[&[16, 32, 28, 28]],
        ],
        &[&[&[2, 2]], &[&[1, 1, 1, 4]]],
        [2, 2],
        AvgPoolOptions::<2>::default()
    ),
    spec!(
        "avg_pool avg_pool2d ceil",
        avg_pool2d,
        "y[n, c, o] = Σ x[n, c, (2, 3) o + k - 1] / places in the padded image, last windows cut",
        &[&[&[1, 1, 2, 1]], &[&[2, 3, 5, 4]], &[&[1, 17, 6, 7]], &[&[16, 32, 28, 28]]],
        &[&[&[2, 2]]],
        [3, 2],
        AvgPoolOptions::<2> {
            windows: PoolOptions {
                stride: Some([2, 3]),
                padding: Padding::Number([1, 1]),
                ceil_mode: true,
                ..Default::default()
            },
            ..Default::default()
        }
    ),
    spec!(
        "avg_pool avg_pool1d",
        avg_pool1d,
        "y[n, c, o] = Σ x[n, c, o + k - 1] / places in the image",
        &[&[&[1, 1, 1]], &[&[2, 3, 5]], &[&[17, 4]], &[&[16, 32, 100]]],
        &[&[&[2]]],
        [3],
        AvgPoolOptions::<1> {
            windows: PoolOptions { stride: Some([1]), padding: 1.into(), ..Default::default() },
            count_include_pad: false,
            divisor_override: None,
        }
    ),
    spec!(
        "avg_pool avg_pool3d",
        avg_pool3d,
        "y[n, c, o] = Σ x[n, c, o + 2 k] / 5",
        &[&[&[1, 1, 3, 1, 3]], &[&[2, 3, 4, 2, 3]], &[&[2, 3, 2, 5]], &[&[4, 16, 10, 10, 10]]],
        &[&[&[2, 2, 2]]],
        [2, 1, 2],
        AvgPoolOptions::<3> {
            windows: PoolOptions { stride: Some([1; 3]), dilation: [2; 3], ..Default::default() },
            divisor_override: Some(5),
            ..Default::default()
        }
    ),
];

fn by_loops<const D: usize>(
    x: &Tensor<f64>,
    kernel: [usize; D],
    options: &AvgPoolOptions<D>,
    term: impl Fn(f64) -> f64,
) -> Tensor<f64> {
    let rule = Windows::sliding("", x.shape(), kernel, &options.windows, options.divisor());
    average_by_loops(x, &rule.expect("the op accepted these shapes"), term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_counts_by_default() {
        let windows = PoolOptions { padding: 1.into(), ..Default::default() };
        let options = AvgPoolOptions { windows, ..Default::default() };
        let y = Tensor::from([[4.0, 6.0, 8.0, 2.0]]).avg_pool1d([2], &options);
        assert_eq!(y.to_vec(), [2.0, 7.0, 1.0]);
    }
}
