//! `min`: the smallest element, of all or along an axis; `argmin`: where it is.

use backstitch_kernels::{Float, reduce};

use super::extreme::{SHAPES, axis_rule, distinct, dropped, first_axis, kept};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::or_panic;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The smallest of all elements.
    ///
    /// # Shape
    /// `x (...)` to a scalar `()`.
    ///
    /// # Gradient
    /// All of `dy` goes to the smallest element, to the first one if there are several.
    ///
    /// # Numerics
    /// NaN if any element is NaN.
    ///
    /// # Panics
    /// When there is no element.
    #[track_caller]
    pub fn min(&self) -> Tensor<T> {
        self.reshape([self.numel()]).min_dim(0, false)
    }

    /// The smallest elements along an axis; `keepdim` leaves that axis with length 1.
    ///
    /// # Shape
    /// `x (...)` to the shape without axis `dim`, or with 1 in its place.
    ///
    /// # Gradient
    /// All of `dy` goes to the smallest element, to the first one if there are several, as in
    /// PyTorch.
    ///
    /// # Numerics
    /// NaN where any element is NaN.
    ///
    /// # Panics
    /// When the axis does not exist or is empty.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 5.0], [7.0, 3.0]]);
    /// assert_eq!(x.min_dim(1, false).to_vec(), [1.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn min_dim(&self, dim: isize, keepdim: bool) -> Tensor<T> {
        let axis = or_panic(axis_rule("min", self.shape(), dim));
        let y = apply(Min { axis, idx: Tensor::default() }, [self]);
        if keepdim { y } else { y.reshape(dropped(self.shape(), axis)) }
    }

    /// The positions of the smallest elements along an axis; `keepdim` leaves it with length 1.
    /// The first one if there are several, the first NaN if there is one.
    ///
    /// # Gradient
    /// None: positions are integers.
    ///
    /// # Panics
    /// When the axis does not exist or is empty.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 5.0], [7.0, 3.0]]);
    /// assert_eq!(x.argmin(1, false).to_vec(), [0, 1]);
    /// ```
    #[track_caller]
    pub fn argmin(&self, dim: isize, keepdim: bool) -> Tensor<i64> {
        let axis = or_panic(axis_rule("argmin", self.shape(), dim));
        let x = self.contiguous();
        let data = x.as_slice().expect("made contiguous");
        let split = reduce::Split::at(x.shape(), axis);
        let shape = if keepdim { kept(x.shape(), axis) } else { dropped(x.shape(), axis) };
        Tensor::build(&shape, |idx| reduce::argmin(data, split, idx))
    }
}

/// The smallest elements along `axis`, which keeps length 1.
struct Min {
    axis: usize,
    /// Where they are.
    idx: Tensor<i64>,
}

impl<T: Float> Op<T, 1> for Min {
    const NAME: &'static str = "min";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let x = x.contiguous();
        let data = x.as_slice().expect("made contiguous");
        let (split, shape) = (reduce::Split::at(x.shape(), self.axis), kept(x.shape(), self.axis));
        let mut y = Tensor::zeros(shape);
        self.idx = Tensor::build(&shape, |idx| {
            reduce::min_with_index(data, split, y.data_mut(), idx);
        });
        y
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy.scatter_zeros(self.axis, &self.idx, at.shape(0)))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        dx.expect("the only input moves").gather(self.axis as isize, &self.idx)
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "min",
        formula: "y[j] = min_i x[i, j], over the first axis",
        shapes: SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| x[0].min_dim(0, false)),
        oracle: Oracle::Whole(|x| first_axis(&x[0], f64::lt, |x, _| x)),
        refused: &[&[&[]], &[&[0]], &[&[0, 3]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "min argmin",
        formula: "y[j] = argmin_i x[i, j], over the first axis",
        shapes: SHAPES,
        domain: Domain::Custom(|_, shape, rng| distinct(shape, rng)),
        build: build!(|x| super::extreme::as_numbers(&x[0].argmin(0, false))),
        oracle: Oracle::Whole(|x| first_axis(&x[0], f64::lt, |_, i| i as f64)),
        refused: &[&[&[]], &[&[0]]],
        slope: Slope::None("a position is an integer"),
        cost: |shapes| Cost::elementwise(shapes, 1.0),
        tolerance: Tolerance::Exact,
    },
];
