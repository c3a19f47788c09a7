//! `cumprod`: running products along an axis.

use backstitch_kernels::{Float, reduce};

use super::over::along_first;
use super::recurrence::{before, recurrence};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::rng::Rng;
use crate::shape::{axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// Running products along axis `dim`.
    ///
    /// `y_i = x_0 ... x_i`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx_i = x_0 ... x_(i-1) (dy_i + x_(i+1) (dy_(i+1) + x_(i+2) (...)))`: nothing is divided,
    /// so it is right where elements are zero.
    ///
    /// # Numerics
    /// Multiplied in f64.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([2.0, 3.0, 4.0]).cumprod(0).to_vec(), [2.0, 6.0, 24.0]);
    /// ```
    #[track_caller]
    pub fn cumprod(&self, dim: isize) -> Tensor<T> {
        let axis = or_panic(axis_of("cumprod", dim, self.rank()));
        apply(CumProd { axis, reverse: false }, [self])
    }
}

/// For each place, the product of all elements that a scan met before it.
pub(super) fn product_before<T: Float>(x: &Tensor<T>, axis: usize, reverse: bool) -> Tensor<T> {
    apply(CumProd { axis, reverse }, [&before(x, axis, T::ONE, reverse)])
}

struct CumProd {
    axis: usize,
    reverse: bool,
}

impl<T: Float> Op<T, 1> for CumProd {
    const NAME: &'static str = "cumprod";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let x = x.contiguous();
        let split = reduce::Split::at(x.shape(), self.axis);
        Tensor::build(x.shape(), |y| reduce::cumprod(data(&x), split, self.reverse, y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let next = before(at.input(0), self.axis, T::ZERO, !self.reverse);
        let behind = recurrence(&next, dy, self.axis, !self.reverse);
        [Some(behind * before(at.output(), self.axis, T::ONE, self.reverse))]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        let dx = dx.expect("the only input moves");
        let moved = dx * before(at.output(), self.axis, T::ONE, self.reverse);
        recurrence(at.input(0), &moved, self.axis, self.reverse)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "cumprod",
    formula: "y_i = x_0 ... x_i, along the first axis",
    shapes: super::over::SHAPES,
    domain: Domain::Custom(|_, shape, rng| factors(shape, rng)),
    build: build!(|x| x[0].cumprod(0)),
    oracle: Oracle::Whole(|x| {
        along_first(&x[0], |lane| (0..lane.len()).map(|i| lane[..=i].iter().product()).collect())
    }),
    refused: &[&[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Ulps(64.0, "in f64, as many roundings as factors"),
}];

/// Factors of both signs with some zeros; in large tensors none, and all near 1, so that products
/// neither overflow nor vanish.
pub(super) fn factors(shape: &[usize], rng: &mut Rng) -> Tensor<f64> {
    if shape.iter().product::<usize>() > 10_000 {
        return Tensor::rand(shape, 0.95, 1.05, rng);
    }
    let x = Tensor::<f64>::rand(shape, -1.2, 1.2, rng);
    Tensor::where_(&x.abs().lt(0.05), 0.0, x)
}
