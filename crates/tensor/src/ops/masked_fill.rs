//! `masked_fill`: puts a number wherever a mask is set.

use backstitch_kernels::Element;

use super::operand::Operand;
use crate::shape::{ShapeError, broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The tensor with `value` wherever the mask is set.
    ///
    /// `y = value` where `mask`, else `x`
    ///
    /// # Shape
    /// `x (...)`, and a `mask` and `value` that broadcast to it, to the shape of `x`.
    ///
    /// # Gradient
    /// `dx = dy` where the mask is not set, else 0; `dvalue` is the sum of the rest.
    ///
    /// # Panics
    /// When the mask or the value does not broadcast to the shape of `x`.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let scores = Tensor::from([1.0, 2.0]);
    /// let hidden = Tensor::from([false, true]);
    /// assert_eq!(scores.masked_fill(&hidden, f32::NEG_INFINITY).softmax(0).to_vec(), [1.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor<bool>, value: impl Operand<T>) -> Tensor<T> {
        let value = value.into_tensor();
        or_panic(shape_rule(self.shape(), mask.shape(), value.shape()));
        Tensor::where_(mask, value, self)
    }
}

fn shape_rule(x: &[usize], mask: &[usize], value: &[usize]) -> Result<(), ShapeError> {
    let fits = |shape: &[usize]| broadcast("", x, shape).is_ok_and(|shape| shape[..] == *x);
    match fits(mask) && fits(value) {
        true => Ok(()),
        false => {
            let rule = "a mask and a value that broadcast to the tensor's shape";
            Err(ShapeError::new("masked_fill", rule, format!("{x:?}, {mask:?} and {value:?}")))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "masked_fill",
    formula: "y[i, j] = value where j is even, else x[i, j]",
    shapes: &[
        &[&[], &[]],
        &[&[0], &[1]],
        &[&[7], &[]],
        &[&[3, 17], &[17]],
        &[&[2, 4, 5], &[4, 1]],
        &[&[256, 1024], &[]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].masked_fill(&last_mask(x[0].shape()), &x[1])),
    oracle: Oracle::Whole(|x| {
        let value = x[1].broadcast_view(x[0].shape());
        Tensor::from_fn(x[0].shape(), |idx| match idx.last().is_none_or(|j| j % 2 == 0) {
            true => value.at(idx),
            false => x[0].at(idx),
        })
    }),
    refused: &[&[&[2], &[3]], &[&[2], &[2, 2]], &[&[1], &[2]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];

/// A mask of the last axis alone, which broadcasts over the others.
fn last_mask(shape: &[usize]) -> Tensor<bool> {
    super::where_::example_mask(&shape[shape.len().saturating_sub(1)..])
}
