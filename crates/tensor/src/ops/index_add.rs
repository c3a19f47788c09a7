//! `index_add`: adds whole rows along an axis to places named by index.

use backstitch_kernels::Float;

use super::gather::outside;
use super::index_select::{example, shape_rule};
use super::places::Places;
use crate::shape::{Shape, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The tensor with the rows of `src`, or whatever lies along the other axes, added at places
    /// along axis `dim`.
    ///
    /// `y[.., idx[i], ..] += src[.., i, ..]`, in rising order of `i`
    ///
    /// # Shape
    /// `x (...)`, a list of indices, and `src (...)` with the list's length for axis `dim`, to
    /// `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy`; `dsrc` is `dy` at the places.
    ///
    /// # Panics
    /// When the shapes do not fit, or an index is negative or outside the axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let src = Tensor::from([1.0, 2.0, 4.0]);
    /// let y = Tensor::zeros([2]).index_add(0, &Tensor::from([1i64, 0, 1]), &src);
    /// assert_eq!(y.to_vec(), [2.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn index_add(&self, dim: isize, idx: &Tensor<i64>, src: &Tensor<T>) -> Tensor<T> {
        let axis = or_panic(add_rule(self.shape(), dim, idx.shape(), src.shape()));
        let y = self.add_at("index_add", Places::rows(axis, idx), src);
        or_panic(y.map_err(|bad| outside("index_add", bad, self.shape())))
    }
}

fn add_rule(x: &[usize], dim: isize, idx: &[usize], src: &[usize]) -> Result<usize, ShapeError> {
    let axis = shape_rule("index_add", x, dim, idx)?;
    let mut rows = Shape::new(x);
    rows[axis] = idx[0];
    match rows[..] == *src {
        true => Ok(axis),
        false => {
            let got = format!("{x:?}, {idx:?} indices and {src:?}");
            Err(ShapeError::new("index_add", format!("rows to add of shape {rows:?}"), got))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "index_add",
    formula: "y[idx[i], j] = x[idx[i], j] + Σ src[i, j], along the first axis",
    shapes: &[
        &[&[1], &[2]],
        &[&[7], &[8]],
        &[&[3, 0], &[4, 0]],
        &[&[4, 17], &[5, 17]],
        &[&[5, 2, 33], &[6, 2, 33]],
        &[&[256, 1024], &[257, 1024]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].index_add(0, &example(x[0].shape()), &x[1])),
    oracle: Oracle::Whole(|x| added(x, |x| x)),
    refused: &[&[&[3], &[3]], &[&[4, 2], &[5, 3]], &[&[4], &[5, 1]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Terms(4.0, |x| added(x, f64::abs), "one addition per index"),
}];

fn added(x: &[Tensor<f64>], term: fn(f64) -> f64) -> Tensor<f64> {
    let idx = example(x[0].shape()).to_vec();
    Tensor::from_fn(x[0].shape(), |at| {
        let hits = (0..idx.len()).filter(|&i| idx[i] as usize == at[0]);
        term(x[0].at(at)) + hits.map(|i| term(x[1].at(&[&[i], &at[1..]].concat()))).sum::<f64>()
    })
}
