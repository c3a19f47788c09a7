//! `concat`: joins tensors along an axis they have.

use std::borrow::Borrow;

use backstitch_kernels::{Element, copy};

use crate::op::{AnyOp, Saves, Site, apply_variadic};
use crate::shape::{Shape, ShapeError, axis_of, contiguous_strides, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Joins tensors, one after the other, along axis `dim`.
    ///
    /// # Shape
    /// Tensors of equal shapes but for axis `dim`, whose lengths add up.
    ///
    /// # Gradient
    /// Each input gets its part of `dy`.
    ///
    /// # Panics
    /// When the list is empty, the axis does not exist or another axis differs.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let (a, b) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0]));
    /// assert_eq!(Tensor::concat(&[&a, &b], 0).to_vec(), [1.0, 2.0, 3.0]);
    /// assert_eq!(Tensor::concat(&vec![a, b], 0).to_vec(), [1.0, 2.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn concat(tensors: &[impl Borrow<Tensor<T>>], dim: isize) -> Tensor<T> {
        let tensors: &[&Tensor<T>] = &tensors.iter().map(Borrow::borrow).collect::<Vec<_>>();
        let shapes: Vec<&[usize]> = tensors.iter().map(|x| x.shape()).collect();
        let (axis, shape) = or_panic(shape_rule(&shapes, dim));
        let y = join(tensors, axis, &shape);
        apply_variadic("concat", y, tensors, Saves::NOTHING, || Box::new(Concat { axis }))
    }
}

fn shape_rule(shapes: &[&[usize]], dim: isize) -> Result<(usize, Shape), ShapeError> {
    let rule = "one or more tensors of equal shapes but for the axis that is joined";
    let refuse = || ShapeError::new("concat", rule, format!("{shapes:?} along dim {dim}"));
    let first = shapes.first().ok_or_else(refuse)?;
    let axis = axis_of("concat", dim, first.len())?;
    let mut joined = Shape::new(first);
    for shape in &shapes[1..] {
        let fits = |a: usize| a == axis || shape[a] == first[a];
        if shape.len() != first.len() || !(0..first.len()).all(fits) {
            return Err(refuse());
        }
        joined[axis] += shape[axis];
    }
    Ok((axis, joined))
}

fn join<T: Element>(tensors: &[&Tensor<T>], axis: usize, shape: &Shape) -> Tensor<T> {
    let strides = contiguous_strides(shape);
    Tensor::build(shape, |y| {
        let mut start = 0;
        for x in tensors.iter().filter(|x| x.numel() > 0) {
            copy::copy_into(x.view(), y, start * strides[axis] as usize, &strides, x.shape());
            start += x.shape()[axis];
        }
    })
}

struct Concat {
    axis: usize,
}

impl<T: Element> AnyOp<T> for Concat {
    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Vec<Option<Tensor<T>>> {
        let mut start = 0;
        let part = |i| {
            let (first, len) = (start, at.shape(i)[self.axis]);
            start += len;
            at.want(i, || dy.narrow(self.axis as isize, first, len))
        };
        (0..at.arity()).map(part).collect()
    }

    fn jvp(&self, at: &Site<T>, tangents: &[Option<&Tensor<T>>]) -> Tensor<T> {
        let zeros = |i: usize| Tensor::full(at.shape(i), T::default());
        let parts: Vec<Tensor<T>> = tangents
            .iter()
            .enumerate()
            .map(|(i, dx)| dx.cloned().unwrap_or_else(|| zeros(i)))
            .collect();
        Tensor::concat(&parts, self.axis as isize)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "concat",
    formula: "y = a, then b, then c, along the last axis",
    shapes: &[
        &[&[1], &[0], &[2]],
        &[&[0, 3], &[0, 1], &[0, 0]],
        &[&[3, 17], &[3, 1], &[3, 4]],
        &[&[2, 3, 5], &[2, 3, 33], &[2, 3, 1]],
        &[&[256, 512], &[256, 256], &[256, 256]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| Tensor::concat(x, -1)),
    oracle: Oracle::Whole(|x| {
        let last = x[0].rank() - 1;
        let mut shape = x[0].shape().to_vec();
        shape[last] = x.iter().map(|x| x.shape()[last]).sum();
        Tensor::from_fn(shape, |idx| {
            let mut own = idx.to_vec();
            let mut part = 0;
            while own[last] >= x[part].shape()[last] {
                own[last] -= x[part].shape()[last];
                part += 1;
            }
            x[part].at(&own)
        })
    }),
    refused: &[&[&[2, 3], &[3, 3], &[2, 3]], &[&[2], &[2, 1], &[2]], &[&[], &[], &[]]],
    slope: Slope::Smooth,
    cost: |shapes| {
        let n: usize = shapes.iter().map(|shape| shape.iter().product::<usize>()).sum();
        Cost { flops: 0.0, elements: 2.0 * n as f64 }
    },
    tolerance: Tolerance::Exact,
}];
