//! `select_scatter`: a tensor with one element of an axis replaced.

use backstitch_kernels::Element;

use super::select::place;
use super::slice_scatter::shape_rule;
use crate::shape::{Shape, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The tensor with `src` in place of what is at `index` of axis `dim`: `x[index] = src` as a
    /// value. A negative index counts from the end.
    ///
    /// # Shape
    /// `x (A, B, C)` and, with dim 1, `src (A, C)` to `y (A, B, C)`.
    ///
    /// # Gradient
    /// `dsrc` is the part of `dy`; `dx` is `dy` with zeros there.
    ///
    /// # Panics
    /// When the axis does not exist, the index lies outside, or `src` has another shape.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = x.select_scatter(&Tensor::from([7.0, 8.0]), 0, -1);
    /// assert_eq!(y.to_vec(), [1.0, 2.0, 7.0, 8.0]);
    /// ```
    #[track_caller]
    pub fn select_scatter(&self, src: &Tensor<T>, dim: isize, index: isize) -> Tensor<T> {
        let (axis, place) = or_panic(place("select_scatter", self.shape(), dim, index));
        let mut part = Shape::new(self.shape());
        part.remove(axis);
        or_panic(shape_rule("select_scatter", self.shape(), &part, src.shape()));
        part.insert(axis, 1);
        let (dim, place) = (axis as isize, place as isize);
        self.slice_scatter(&src.reshape(part), dim, place..=place, 1)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "select_scatter",
    formula: "y = x, but y[n - 1] = src, along the first axis",
    shapes: &[
        &[&[1], &[]],
        &[&[7], &[]],
        &[&[5, 0], &[0]],
        &[&[4, 17], &[17]],
        &[&[5, 3, 2], &[3, 2]],
        &[&[256, 1024], &[1024]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].select_scatter(&x[1], 0, -1)),
    oracle: Oracle::Whole(|x| {
        let last = x[0].shape()[0] - 1;
        let value = |idx: &[usize]| if idx[0] == last { x[1].at(&idx[1..]) } else { x[0].at(idx) };
        Tensor::from_fn(x[0].shape(), value)
    }),
    refused: &[&[&[4, 2], &[3]], &[&[], &[]], &[&[4, 2], &[1, 2]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 0.0),
    tolerance: Tolerance::Exact,
}];
