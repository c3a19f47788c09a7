//! `stack`: joins tensors along an axis of their own.

use std::borrow::Borrow;

use backstitch_kernels::Element;

use crate::shape::{ShapeError, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Joins tensors of one shape along a new axis, which is axis `dim` of the result.
    ///
    /// # Shape
    /// `k` tensors `(A, B)` with dim 1 to `y (A, k, B)`.
    ///
    /// # Gradient
    /// Each input gets its part of `dy`.
    ///
    /// # Panics
    /// When the list is empty, the shapes differ, or the result cannot have such an axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (a, b) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0]));
    /// let y = Tensor::stack(&[&a, &b], 1);
    /// assert_eq!((y.shape(), y.to_vec()), (&[2, 2][..], vec![1.0, 3.0, 2.0, 4.0]));
    /// ```
    #[track_caller]
    pub fn stack(tensors: &[impl Borrow<Tensor<T>>], dim: isize) -> Tensor<T> {
        let shapes: Vec<&[usize]> = tensors.iter().map(|x| x.borrow().shape()).collect();
        let axis = or_panic(shape_rule(&shapes, dim)) as isize;
        let mut parts = Vec::with_capacity(tensors.len());
        for x in tensors {
            parts.push(x.borrow().unsqueeze(axis));
        }
        Tensor::concat(&parts, axis)
    }
}

fn shape_rule(shapes: &[&[usize]], dim: isize) -> Result<usize, ShapeError> {
    let rule = "one or more tensors of one shape";
    let refuse = || ShapeError::new("stack", rule, format!("{shapes:?}"));
    let first = shapes.first().ok_or_else(refuse)?;
    if shapes.iter().any(|shape| shape != first) {
        return Err(refuse());
    }
    axis_of("stack", dim, first.len() + 1)
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "stack",
    formula: "y[i, 0] = a[i], y[i, 1] = b[i], along a new last axis",
    shapes: &[
        &[&[], &[]],
        &[&[1], &[1]],
        &[&[0, 3], &[0, 3]],
        &[&[3, 17], &[3, 17]],
        &[&[2, 3, 5], &[2, 3, 5]],
        &[&[256, 512], &[256, 512]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| Tensor::stack(x, -1)),
    oracle: Oracle::Whole(|x| {
        let mut shape = x[0].shape().to_vec();
        shape.push(2);
        Tensor::from_fn(shape, |idx| {
            let (which, own) = idx.split_last().expect("the result has an axis");
            x[*which].at(own)
        })
    }),
    refused: &[&[&[2, 3], &[3, 2]], &[&[2], &[2, 1]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 0.0),
    tolerance: Tolerance::Exact,
}];

#[cfg(test)]
mod tests {
    use super::shape_rule;

    #[test]
    fn refusals_name_all_shapes() {
        let error = shape_rule(&[&[2, 3], &[3]], 0).unwrap_err().to_string();
        assert_eq!(error, "stack: needs one or more tensors of one shape; got [[2, 3], [3]]");
        assert!(shape_rule(&[], 0).is_err());
    }
}
