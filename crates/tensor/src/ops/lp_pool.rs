//! `lp_pool`: the power average of sliding windows, without the division.

use backstitch_kernels::Float;

use super::conv::batched;
use super::extreme::distinct;
use super::pool::{Divisor, PoolOptions, Windows, average, fold_windows};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

macro_rules! methods {
    ($($name:ident $axes:literal)*) => {
        impl<T: Float> Tensor<T> {
            $(
                #[doc = concat!("The `p`-norm of each window over ", stringify!($axes), " axes.")]
                ///
                /// `y = (Σ x^p)^(1/p)`; `x` should not be negative, or `p` even.
                ///
                /// # Shape
                /// `x (N, C, ...)` or `(C, ...)` to `y` alike.
                ///
                /// # Gradient
                /// `dx = dy (x / y)^(p - 1)` over the windows that see the place; 0 where the sum
                /// is 0.
                ///
                /// # Numerics
                /// A window that reaches beyond the image in `ceil_mode` sums what there is;
                /// PyTorch scales its sum up to the full window's size.
                ///
                /// # Panics
                /// When `x` has other axes, a size is 0, no window fits, or the padding exceeds
                /// half of the kernel.
                #[track_caller]
                pub fn $name(&self, p: f64, kernel: [usize; $axes], options: &PoolOptions<$axes>) -> Tensor<T> {
                    let (name, sum) = (stringify!($name), Divisor::Number(1));
                    let windows = Windows::sliding(name, self.shape(), kernel, options, sum);
                    let windows = or_panic(windows);
                    let powers = self.pow(T::from_f64(p));
                    let sums = batched::<T, $axes>(&powers, |powers| average(windows, powers));
                    // A root's slope at 0 is infinite; there it is taken of 1 and thrown away.
                    let is_zero = sums.eq(T::ZERO);
                    let roots = sums.masked_fill(&is_zero, T::ONE).pow(T::from_f64(1.0 / p));
                    roots.masked_fill(&is_zero, T::ZERO)
                }
            )*
        }
    };
}

methods! {
    lp_pool1d 1
    lp_pool2d 2
    lp_pool3d 3
}

/// A spec of one method: its name, shapes, power, kernel and options.
macro_rules! spec {
    ($name:literal, $method:ident, $formula:literal, $shapes:expr, $p:literal, $kernel:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: $shapes,
            domain: Domain::Custom(|_, shape, rng| distinct(shape, rng) * 0.1 + 1.0),
            build: build!(|x| x[0].$method($p, $kernel, &PoolOptions::default())),
            oracle: Oracle::Whole(|x| {
                let options = PoolOptions::default();
                let windows =
                    Windows::sliding("", x[0].shape(), $kernel, &options, Divisor::Inside);
                let windows = windows.expect("the op accepted these shapes");
                let add = |sum: f64, x: f64, _: &[usize]| sum + x.powf($p);
                fold_windows(&x[0], &windows, || 0.0, add, |sum, _| sum.powf(1.0 / $p))
            }),
            refused: &[&[&[2]]],
            slope: Slope::Smooth,
            cost: |shapes| Cost::elementwise(shapes, 20.0),
            tolerance: Tolerance::Ulps(24.0, "two powers and a sum"),
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!(
        "lp_pool lp_pool2d",
        lp_pool2d,
        "y[n, c, o] = √Σ x[n, c, 2 o + k]² over 2 x 2 places",
        &[&[&[1, 1, 2, 2]], &[&[2, 3, 5, 4]], &[&[17, 3, 2]], &[&[16, 32, 28, 28]]],
        2.0,
        [2, 2]
    ),
    spec!(
        "lp_pool lp_pool1d",
        lp_pool1d,
        "y[n, c, o] = ∛Σ x[n, c, 3 o + k]³",
        &[&[&[1, 1, 3]], &[&[2, 3, 7]], &[&[17, 4]], &[&[16, 32, 100]]],
        3.0,
        [3]
    ),
    spec!(
        "lp_pool lp_pool3d",
        lp_pool3d,
        "y[n, c, o] = √Σ x[n, c, 2 o + k]² over 2 x 1 x 2 places",
        &[&[&[1, 1, 2, 1, 2]], &[&[2, 3, 4, 2, 3]], &[&[2, 3, 2, 5]], &[&[4, 16, 10, 10, 10]]],
        2.0,
        [2, 1, 2]
    ),
];
