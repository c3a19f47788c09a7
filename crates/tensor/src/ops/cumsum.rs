//! `cumsum`: running sums along an axis.

use backstitch_kernels::{Float, reduce};

use super::over::along_first;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// Running sums along axis `dim`.
    ///
    /// `y_i = x_0 + ... + x_i`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx_i = dy_i + ... + dy_(n-1)`
    ///
    /// # Numerics
    /// Summed up in f64.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).cumsum(0).to_vec(), [1.0, 3.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn cumsum(&self, dim: isize) -> Tensor<T> {
        let axis = or_panic(axis_of("cumsum", dim, self.rank()));
        apply(CumSum { axis, reverse: false }, [self])
    }
}

struct CumSum {
    axis: usize,
    reverse: bool,
}

impl<T: Float> Op<T, 1> for CumSum {
    const NAME: &'static str = "cumsum";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let x = x.contiguous();
        let split = reduce::Split::at(x.shape(), self.axis);
        Tensor::build(x.shape(), |y| reduce::cumsum(data(&x), split, self.reverse, y))
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(apply(CumSum { axis: self.axis, reverse: !self.reverse }, [dy]))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        let dx = dx.expect("the only input moves");
        apply(CumSum { axis: self.axis, reverse: self.reverse }, [dx])
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "cumsum",
    formula: "y_i = x_0 + ... + x_i, along the first axis",
    shapes: super::over::SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].cumsum(0)),
    oracle: Oracle::Whole(|x| running(&x[0], |x| x)),
    refused: &[&[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Terms(
        32.0,
        |x| running(&x[0], f64::abs),
        "in f64, as many roundings as terms",
    ),
}];

fn running(x: &Tensor<f64>, term: fn(f64) -> f64) -> Tensor<f64> {
    along_first(x, |lane| {
        let add = |sum: &mut f64, &x: &f64| {
            *sum += term(x);
            Some(*sum)
        };
        lane.iter().scan(0.0, add).collect()
    })
}
