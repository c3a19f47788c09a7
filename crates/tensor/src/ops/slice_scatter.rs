//! `slice_scatter`: a tensor with one part replaced.

use std::ops::RangeBounds;

use backstitch_kernels::{Element, copy};

use super::slice::{Part, slice};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{ShapeError, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The tensor with the elements of `src` in place of every `step`-th one of the part of axis
    /// `dim` inside `range`: `x[range] = src` as a value. Bounds are those of
    /// [`Tensor::slice_step`].
    ///
    /// # Shape
    /// `x (...)` and `src` of the shape of the part to `y (...)`.
    ///
    /// # Gradient
    /// `dsrc` is the part of `dy`; `dx` is `dy` with zeros there.
    ///
    /// # Panics
    /// When the axis does not exist, the step is 0, or `src` has another shape than the part.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([0.0, 1.0, 2.0, 3.0]);
    /// let y = x.slice_scatter(&Tensor::from([7.0, 8.0]), 0, 1..3, 1);
    /// assert_eq!(y.to_vec(), [0.0, 7.0, 8.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn slice_scatter(
        &self,
        src: &Tensor<T>,
        dim: isize,
        range: impl RangeBounds<isize>,
        step: isize,
    ) -> Tensor<T> {
        let axis = or_panic(axis_of("slice_scatter", dim, self.rank()));
        let part = or_panic(Part::new("slice_scatter", self.shape(), axis, range, step));
        or_panic(shape_rule("slice_scatter", self.shape(), &part.shape(self.shape()), src.shape()));
        apply(SliceScatter { part }, [self, src])
    }
}

pub(super) fn shape_rule(
    op: &str,
    x: &[usize],
    part: &[usize],
    src: &[usize],
) -> Result<(), ShapeError> {
    match part == src {
        true => Ok(()),
        false => {
            let rule = format!("a source of the part's shape {part:?}");
            Err(ShapeError::new(op, rule, format!("{src:?} for a tensor of shape {x:?}")))
        }
    }
}

/// Linear in both inputs together.
struct SliceScatter {
    part: Part,
}

impl SliceScatter {
    fn again<T: Element>(&self, x: &Tensor<T>, src: &Tensor<T>) -> Tensor<T> {
        apply(SliceScatter { part: self.part }, [x, src])
    }
}

fn zeros<T: Element>(shape: &[usize]) -> Tensor<T> {
    Tensor::scalar(T::default()).broadcast_view(shape)
}

impl<T: Element> Op<T, 2> for SliceScatter {
    const NAME: &'static str = "slice_scatter";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x, src]: [&Tensor<T>; 2]) -> Tensor<T> {
        Tensor::build(x.shape(), |y| {
            copy::copy(x.view(), y);
            self.part.write(src, x.shape(), y);
        })
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        [at.want(0, || self.again(dy, &zeros(at.shape(1)))), at.want(1, || slice(dy, self.part))]
    }

    fn jvp(&self, at: &Site<T>, [dx, dsrc]: Tangents<T, 2>) -> Tensor<T> {
        let or_zeros = |d: Option<&Tensor<T>>, i: usize| match d {
            Some(d) => d.clone(),
            None => zeros(at.shape(i)),
        };
        self.again(&or_zeros(dx, 0), &or_zeros(dsrc, 1))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "slice_scatter",
    formula: "y = x, but y[1], y[3], ... = src[0], src[1], ... along the first axis",
    shapes: &[
        &[&[1], &[0]],
        &[&[2], &[1]],
        &[&[7], &[3]],
        &[&[5, 0], &[2, 0]],
        &[&[4, 17], &[2, 17]],
        &[&[5, 3, 2], &[2, 3, 2]],
        &[&[256, 1024], &[128, 1024]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].slice_scatter(&x[1], 0, 1.., 2)),
    oracle: Oracle::Whole(|x| {
        Tensor::from_fn(x[0].shape(), |idx| match idx[0] % 2 {
            1 => x[1].at(&[&[idx[0] / 2], &idx[1..]].concat()),
            _ => x[0].at(idx),
        })
    }),
    refused: &[&[&[4], &[3]], &[&[], &[]], &[&[4, 2], &[2, 3]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 0.0),
    tolerance: Tolerance::Exact,
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn steps_backwards_and_other_element_types() {
        let x = Tensor::from([0i64, 1, 2, 3, 4]);
        let y = x.slice_scatter(&Tensor::from([7, 8]), 0, 1..4, -2);
        assert_eq!(y.to_vec(), [0, 8, 2, 7, 4]);
        assert_eq!(x.to_vec(), [0, 1, 2, 3, 4]);
    }
}
