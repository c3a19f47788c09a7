//! `glu`: gated linear unit.

use backstitch_kernels::Float;

use crate::shape::{ShapeError, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Gated linear unit: the first half of an axis, gated by the sigmoid of the second.
    ///
    /// `y = a * sigmoid(b)` with `[a, b] = x` along `dim`; PyTorch's default dim is -1
    ///
    /// # Shape
    /// `x (..., 2 n, ...)` to `y (..., n, ...)`.
    ///
    /// # Gradient
    /// `da = dy * sigmoid(b)`, `db = dy * a sigmoid(b) (1 - sigmoid(b))`
    ///
    /// # Panics
    /// When the axis does not exist or has an odd length.
    ///
    /// # Reference
    /// Dauphin et al. 2017, equation 1.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([3.0, 0.0]).glu(0).to_vec(), [1.5]);
    /// ```
    #[track_caller]
    pub fn glu(&self, dim: isize) -> Tensor<T> {
        let axis = or_panic(axis_of("glu", dim, self.rank()));
        let half = or_panic(half_of(self.shape(), axis));
        let (value, gate) = (self.narrow(dim, 0, half), self.narrow(dim, half, half));
        value * gate.sigmoid()
    }
}

fn half_of(shape: &[usize], axis: usize) -> Result<usize, ShapeError> {
    match shape[axis] % 2 {
        0 => Ok(shape[axis] / 2),
        _ => {
            let rule = format!("an even length in dim {axis}");
            Err(ShapeError::new("glu", rule, format!("{shape:?}")))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "glu",
    formula: "y = a sigmoid(b), [a, b] = x along the last axis",
    shapes: &[&[&[2]], &[&[0]], &[&[14]], &[&[3, 34]], &[&[2, 3, 66]], &[&[256, 1024]]],
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].glu(-1)),
    oracle: Oracle::Whole(|x| {
        let mut shape = x[0].shape().to_vec();
        let last = shape.len() - 1;
        shape[last] /= 2;
        let half = shape[last];
        Tensor::from_fn(shape, |idx| {
            let mut gate = idx.to_vec();
            gate[last] += half;
            x[0].at(idx) / (1.0 + (-x[0].at(&gate)).exp())
        })
    }),
    refused: &[&[&[]], &[&[3]], &[&[2, 5]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(6.0, "sigmoid's bound, a product, and the oracle's roundings"),
}];
