//! `slice`: a part of one axis, forward or backward, in steps, without copying.

use std::ops::{Bound, RangeBounds};

use backstitch_kernels::{Element, copy};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The part of axis `dim` inside `range`. A view.
    ///
    /// Negative bounds count from the axis's end, as in Python; bounds beyond the ends are cut off.
    ///
    /// # Gradient
    /// `dx` is `dy` inside the range, 0 elsewhere.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([0.0, 1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(x.slice(0, 1..3).to_vec(), [1.0, 2.0]);
    /// assert_eq!(x.slice(0, -2..).to_vec(), [3.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn slice(&self, dim: isize, range: impl RangeBounds<isize>) -> Tensor<T> {
        self.slice_step(dim, range, 1)
    }

    /// Every `step`-th element of the part of axis `dim` inside `range`. A view.
    ///
    /// A negative step walks from the last element of the range down to its first.
    ///
    /// # Gradient
    /// `dx` is `dy` at the elements taken, 0 elsewhere.
    ///
    /// # Panics
    /// When the axis does not exist or the step is 0.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([0.0, 1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(x.slice_step(0, .., 2).to_vec(), [0.0, 2.0, 4.0]);
    /// assert_eq!(x.slice_step(0, .., -2).to_vec(), [4.0, 2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn slice_step(&self, dim: isize, range: impl RangeBounds<isize>, step: isize) -> Tensor<T> {
        let axis = or_panic(axis_of("slice", dim, self.rank()));
        let part = or_panic(Part::new(self.shape(), axis, range, step));
        apply(Slice { part }, [self])
    }

    /// `len` elements of axis `dim`, from `start` on. A view.
    ///
    /// # Panics
    /// When the axis does not exist or is too short.
    #[track_caller]
    pub fn narrow(&self, dim: isize, start: usize, len: usize) -> Tensor<T> {
        let axis = or_panic(axis_of("narrow", dim, self.rank()));
        let size = self.shape()[axis];
        assert!(
            start.checked_add(len).is_some_and(|end| end <= size),
            "narrow: needs start + len <= {size} in dim {dim} of {:?}; got {start} + {len}",
            self.shape()
        );
        apply(Slice { part: Part { axis, start, step: 1, len } }, [self])
    }
}

/// Which elements of an axis: `start + i * step` for `i` below `len`.
#[derive(Clone, Copy)]
pub(super) struct Part {
    axis: usize,
    start: usize,
    step: isize,
    len: usize,
}

impl Part {
    fn new(
        shape: &[usize],
        axis: usize,
        range: impl RangeBounds<isize>,
        step: isize,
    ) -> Result<Self, ShapeError> {
        if step == 0 {
            return Err(ShapeError::new("slice", "a step other than 0", step));
        }
        let size = shape[axis] as isize;
        let inside = |bound: isize| if bound < 0 { bound + size } else { bound }.clamp(0, size);
        let first = match range.start_bound() {
            Bound::Included(&at) => inside(at),
            Bound::Excluded(&at) => inside(at + 1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            // The last element, -1, has no successor to name.
            Bound::Included(&-1) | Bound::Unbounded => size,
            Bound::Included(&at) => inside(at + 1),
            Bound::Excluded(&at) => inside(at),
        };
        let count = (end - first).max(0) as usize;
        let start = if step > 0 || count == 0 { first } else { end - 1 } as usize;
        Ok(Part { axis, start, step, len: count.div_ceil(step.unsigned_abs()) })
    }

    /// The part of `x` as a view.
    fn of<T: Element>(&self, x: &Tensor<T>) -> Tensor<T> {
        let mut shape = Shape::new(x.shape());
        let mut strides = crate::shape::Strides::new(x.strides());
        let skipped = self.start as isize * strides[self.axis];
        shape[self.axis] = self.len;
        strides[self.axis] *= self.step;
        let offset = if shape.contains(&0) { 0 } else { x.offset() as isize + skipped };
        x.relaid(shape, strides, offset as usize)
    }
}

struct Slice {
    part: Part,
}

impl<T: Element> Op<T, 1> for Slice {
    const NAME: &'static str = "slice";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        self.part.of(x)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let shape = Shape::new(at.shape(0));
        [Some(apply(Unslice { part: self.part, shape }, [dy]))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        apply(Slice { part: self.part }, [dx.expect("the only input moves")])
    }
}

/// The reverse of a slice: the tensor in its place inside zeros of `shape`.
struct Unslice {
    part: Part,
    shape: Shape,
}

impl<T: Element> Op<T, 1> for Unslice {
    const NAME: &'static str = "unslice";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        Tensor::build(&self.shape, |y| {
            y.fill(T::default());
            let strides = crate::shape::contiguous_strides(&self.shape);
            let start = self.part.start * strides[self.part.axis] as usize;
            let mut steps = strides;
            steps[self.part.axis] *= self.part.step;
            copy::copy_into(x.view(), y, start, &steps, x.shape());
        })
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(apply(Slice { part: self.part }, [dy]))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        let unslice = Unslice { part: self.part, shape: self.shape };
        apply(unslice, [dx.expect("the only input moves")])
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "slice",
        formula: "y[i] = x[i + 1], along the first axis, without its first and last element",
        shapes: &[
            &[&[2]],
            &[&[3]],
            &[&[7]],
            &[&[5, 0]],
            &[&[4, 17]],
            &[&[5, 3, 33]],
            &[&[256, 1024]],
        ],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| {
            let end = x[0].shape().first().map_or(0, |&n| n as isize - 1);
            x[0].slice(0, 1..end)
        }),
        oracle: Oracle::Whole(|x| pick(&x[0], x[0].shape()[0] - 2, |i| i + 1)),
        refused: &[&[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
    OpSpec {
        name: "slice step",
        formula: "y[i] = x[n - 1 - 2 i], along the first axis",
        shapes: &[
            &[&[1]],
            &[&[2]],
            &[&[7]],
            &[&[5, 0]],
            &[&[4, 17]],
            &[&[5, 3, 33]],
            &[&[256, 1024]],
        ],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].slice_step(0, .., -2)),
        oracle: Oracle::Whole(|x| {
            let n = x[0].shape()[0];
            pick(&x[0], n.div_ceil(2), |i| n - 1 - 2 * i)
        }),
        refused: &[&[&[]]],
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    },
];

/// `len` elements of the first axis, as plain loops.
fn pick(x: &Tensor<f64>, len: usize, from: impl Fn(usize) -> usize) -> Tensor<f64> {
    let mut shape = x.shape().to_vec();
    shape[0] = len;
    Tensor::from_fn(shape, |idx| x.at(&[&[from(idx[0])], &idx[1..]].concat()))
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    #[expect(clippy::reversed_empty_ranges, reason = "a negative bound counts from the end")]
    fn bounds_follow_python() {
        let x = Tensor::from([0i64, 1, 2, 3, 4]);
        let check = |part: Tensor<i64>, want: &[i64]| assert_eq!(part.to_vec(), want);
        check(x.slice(0, ..), &[0, 1, 2, 3, 4]);
        check(x.slice(0, 3..100), &[3, 4]);
        check(x.slice(0, -100..2), &[0, 1]);
        check(x.slice(0, 3..1), &[]);
        check(x.slice(0, 1..=-2), &[1, 2, 3]);
        check(x.slice(0, ..=-1), &[0, 1, 2, 3, 4]);
        check(x.slice_step(0, 1..4, -1), &[3, 2, 1]);
        check(x.slice_step(0, .., 3), &[0, 3]);
    }

    #[test]
    fn views_of_views_stay_inside() {
        let x = Tensor::from([[0i64, 1, 2], [3, 4, 5]]);
        let y = x.slice_step(1, .., -1).transpose(0, 1).slice(0, 1..);
        assert_eq!(y.to_vec(), [1, 4, 0, 3]);
    }
}
