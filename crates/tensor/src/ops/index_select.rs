//! `index_select`: picks whole rows along an axis by index.

use backstitch_kernels::Element;

use super::gather::outside;
use super::places::{Places, picked};
use crate::shape::{ShapeError, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Picks whole rows, or whatever lies along the other axes, along axis `dim`.
    ///
    /// `y[.., i, ..] = x[.., idx[i], ..]`
    ///
    /// # Shape
    /// `x (...)` and a list of indices to `y (...)` with the list's length for axis `dim`.
    ///
    /// # Gradient
    /// `dx` gets each row of `dy` added at the place it was picked from.
    ///
    /// # Panics
    /// When the axis does not exist, `idx` is no list, or an index is negative or outside the axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.index_select(0, &Tensor::from([1i64, 1])).to_vec(), [3.0, 4.0, 3.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn index_select(&self, dim: isize, idx: &Tensor<i64>) -> Tensor<T> {
        let axis = or_panic(shape_rule("index_select", self.shape(), dim, idx.shape()));
        let places = Places::rows(axis, idx);
        let y = places.of(self).map_err(|bad| outside("index_select", bad, self.shape()));
        picked("index_select", self, or_panic(y), places)
    }
}

pub(super) fn shape_rule(
    op: &str,
    x: &[usize],
    dim: isize,
    idx: &[usize],
) -> Result<usize, ShapeError> {
    let axis = axis_of(op, dim, x.len())?;
    match idx.len() {
        1 => Ok(axis),
        _ => {
            let got = format!("{x:?} and indices {idx:?}");
            Err(ShapeError::new(op, "a list of indices", got))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "index_select",
    formula: "y[i, j] = x[idx[i], j], along the first axis",
    shapes: &[&[&[1]], &[&[7]], &[&[3, 0]], &[&[4, 17]], &[&[5, 2, 33]], &[&[256, 1024]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].index_select(0, &example(x[0].shape()))),
    oracle: Oracle::Whole(|x| {
        let idx = example(x[0].shape());
        let shape = [idx.shape(), &x[0].shape()[1..]].concat();
        Tensor::from_fn(shape, |at| x[0].at(&[&[idx.at(&at[..1]) as usize], &at[1..]].concat()))
    }),
    refused: &[&[&[]], &[&[0]], &[&[0, 3]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 0.0),
    tolerance: Tolerance::Exact,
}];

/// One index more than the first axis is long, some of them equal.
pub(super) fn example(shape: &[usize]) -> Tensor<i64> {
    let idx = super::gather::example(&shape[..shape.len().min(1)], false)
        .reshape([shape.first().map_or(1, |n| n + 1)]);
    // A view with gaps, as the column of a table is.
    Tensor::stack(&[&idx, &idx], -1).select(-1, 1)
}
