//! `slice`: a part of one axis, forward or backward, in steps, without copying.

use std::ops::{Bound, RangeBounds, Sub};

use backstitch_kernels::{Element, copy};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, Strides, axis_of, contiguous_strides, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The part of axis `dim` inside `range`. A view.
    ///
    /// Negative bounds count from the axis's end, as in Python, and are spelled [`END`]` - 1`, ...;
    /// bounds beyond the ends are cut off.
    ///
    /// # Gradient
    /// `dx` is `dy` inside the range, 0 elsewhere.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{END, Tensor};
    ///
    /// let x = Tensor::from([0.0, 1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(x.slice(0, 1..3).to_vec(), [1.0, 2.0]);
    /// assert_eq!(x.slice(0, END - 2..).to_vec(), [3.0, 4.0]);
    /// assert_eq!(x.slice(0, 1..END - 1).to_vec(), [1.0, 2.0, 3.0]);
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
        let part = or_panic(Part::new("slice", self.shape(), axis, range, step));
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

/// The end of an axis, from which bounds of [`Tensor::slice`] count back: `END - 1` is the last
/// element.
///
/// It stands for the negative number; a bound that is computed may be one. Spelled as a number,
/// `1..-1` looks like an empty range to Rust's lints.
///
/// # Panics
/// `END - 0` does; a range that goes to the end has no end: `1..`.
pub const END: End = End;

/// The type of [`END`].
#[derive(Clone, Copy, Debug)]
pub struct End;

impl Sub<isize> for End {
    type Output = isize;
    #[track_caller]
    fn sub(self, back: isize) -> isize {
        assert!(back > 0, "END: needs a distance of 1 or more; got {back}");
        -back
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
    pub(super) fn new(
        op: &str,
        shape: &[usize],
        axis: usize,
        range: impl RangeBounds<isize>,
        step: isize,
    ) -> Result<Self, ShapeError> {
        if step == 0 {
            return Err(ShapeError::new(op, "a step other than 0", step));
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

    /// The shape of the part of a tensor of shape `x`.
    pub(super) fn shape(&self, x: &[usize]) -> Shape {
        let mut shape = Shape::new(x);
        shape[self.axis] = self.len;
        shape
    }

    /// Writes the elements of `x` to the part of `y`, which holds a tensor of `shape` in row-major
    /// order.
    pub(super) fn write<T: Element>(&self, x: &Tensor<T>, shape: &[usize], y: &mut [T]) {
        let mut steps = contiguous_strides(shape);
        let start = self.start * steps[self.axis] as usize;
        steps[self.axis] *= self.step;
        copy::copy_into(x.view(), y, start, &steps, x.shape());
    }

    /// The part of `x` as a view.
    fn of<T: Element>(&self, x: &Tensor<T>) -> Tensor<T> {
        let shape = self.shape(x.shape());
        let mut strides = Strides::new(x.strides());
        let skipped = self.start as isize * strides[self.axis];
        strides[self.axis] *= self.step;
        let offset = if shape.contains(&0) { 0 } else { x.offset() as isize + skipped };
        x.relaid(shape, strides, offset as usize)
    }
}

/// The part of a tensor.
#[track_caller]
pub(super) fn slice<T: Element>(x: &Tensor<T>, part: Part) -> Tensor<T> {
    apply(Slice { part }, [x])
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
            self.part.write(x, &self.shape, y);
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
    use super::END;
    use crate::tensor::Tensor;

    #[test]
    fn bounds_follow_python() {
        let x = Tensor::from([0i64, 1, 2, 3, 4]);
        let check = |part: Tensor<i64>, want: &[i64]| assert_eq!(part.to_vec(), want);
        check(x.slice(0, ..), &[0, 1, 2, 3, 4]);
        check(x.slice(0, 3..100), &[3, 4]);
        check(x.slice(0, -100..2), &[0, 1]);
        check(x.slice(0, 3..3), &[]);
        check(x.slice(0, 4..END - 3), &[]);
        check(x.slice(0, 1..=END - 2), &[1, 2, 3]);
        check(x.slice(0, ..=END - 1), &[0, 1, 2, 3, 4]);
        check(x.slice(0, 1..END - 1), &[1, 2, 3]);
        check(x.slice(0, END - 3..END - 1), &[2, 3]);
        check(x.slice_step(0, 1..END - 1, 2), &[1, 3]);
        let computed = -(x.rank() as isize);
        check(x.slice(0, computed..), &[4]);
        check(x.slice_step(0, 1..4, -1), &[3, 2, 1]);
        check(x.slice_step(0, .., 3), &[0, 3]);
    }

    #[test]
    #[should_panic(expected = "END: needs a distance of 1 or more; got 0")]
    fn the_end_itself_is_no_bound() {
        Tensor::from([0i64, 1]).slice(0, 1..END - 0);
    }

    #[test]
    fn views_of_views_stay_inside() {
        let x = Tensor::from([[0i64, 1, 2], [3, 4, 5]]);
        let y = x.slice_step(1, .., -1).transpose(0, 1).slice(0, 1..);
        assert_eq!(y.to_vec(), [1, 4, 0, 3]);
    }
}
