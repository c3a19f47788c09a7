//! `diagonal`: a diagonal of two axes, as a view.

use backstitch_kernels::{Element, copy};

use super::moves;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, Strides, axis_of, contiguous_strides, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// A diagonal of axes `dim1` (the rows) and `dim2` (the columns), as the last axis of the
    /// result. A view. `offset` 0 is the main diagonal, 1 the one above it, -1 the one below.
    ///
    /// # Shape
    /// `x (..., m, n)` to `y (..., k)`, for the last two axes; `k` is 0 where the diagonal lies
    /// outside.
    ///
    /// # Gradient
    /// `dx` is `dy` on the diagonal, 0 elsewhere.
    ///
    /// # Panics
    /// When the axes do not exist or are the same.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.diagonal(0, -2, -1).to_vec(), [1.0, 4.0]);
    /// assert_eq!(x.diagonal(1, -2, -1).to_vec(), [2.0]);
    /// ```
    #[track_caller]
    pub fn diagonal(&self, offset: isize, dim1: isize, dim2: isize) -> Tensor<T> {
        let (rows, cols) = or_panic(axes_rule("diagonal", self.shape(), dim1, dim2));
        apply(Diagonal { place: Place { rows, cols, offset } }, [self])
    }
}

pub(super) fn axes_rule(
    op: &str,
    shape: &[usize],
    dim1: isize,
    dim2: isize,
) -> Result<(usize, usize), ShapeError> {
    let (rows, cols) = (axis_of(op, dim1, shape.len())?, axis_of(op, dim2, shape.len())?);
    match rows != cols {
        true => Ok((rows, cols)),
        false => {
            let got = format!("{dim1} and {dim2} for {shape:?}");
            Err(ShapeError::new(op, "two different dims", got))
        }
    }
}

/// Which diagonal, of which axes.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) offset: isize,
}

impl Place {
    /// Shape and strides of the diagonal, and how far it begins behind the first element.
    fn view(&self, shape: &[usize], strides: &[isize]) -> (Shape, Strides, isize) {
        let (down, right) = ((-self.offset).max(0), self.offset.max(0));
        let left = |axis: usize, skipped: isize| (shape[axis] as isize - skipped).max(0);
        let len = left(self.rows, down).min(left(self.cols, right)) as usize;
        let others = || (0..shape.len()).filter(|&axis| axis != self.rows && axis != self.cols);
        let mut kept: Shape = others().map(|axis| shape[axis]).collect();
        let mut steps: Strides = others().map(|axis| strides[axis]).collect();
        kept.push(len);
        steps.push(strides[self.rows] + strides[self.cols]);
        let start = down * strides[self.rows] + right * strides[self.cols];
        (kept, steps, if len == 0 { 0 } else { start })
    }
}

struct Diagonal {
    place: Place,
}

impl<T: Element> Op<T, 1> for Diagonal {
    const NAME: &'static str = "diagonal";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let (shape, strides, start) = self.place.view(x.shape(), x.strides());
        let offset = if shape.contains(&0) { 0 } else { x.offset() as isize + start };
        x.relaid(shape, strides, offset as usize)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(embedded(dy, self.place, Shape::new(at.shape(0))))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        apply(Diagonal { place: self.place }, [dx.expect("the only input moves")])
    }
}

/// Zeros of `shape` with `x` on a diagonal.
#[track_caller]
pub(super) fn embedded<T: Element>(x: &Tensor<T>, place: Place, shape: Shape) -> Tensor<T> {
    apply(Embed { place, shape }, [x])
}

/// The reverse of a diagonal; linear like it.
struct Embed {
    place: Place,
    shape: Shape,
}

impl<T: Element> Op<T, 1> for Embed {
    const NAME: &'static str = "diag_embed";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        Tensor::build(&self.shape, |y| {
            y.fill(T::default());
            let strides = contiguous_strides(&self.shape);
            let (shape, steps, start) = self.place.view(&self.shape, &strides);
            if x.numel() > 0 {
                copy::copy_into(x.view(), y, start as usize, &steps, &shape);
            }
        })
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(apply(Diagonal { place: self.place }, [dy]))]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        embedded(dx.expect("the only input moves"), self.place, self.shape)
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "diagonal",
    "y[..., i] = x[i + 1, ..., i], below the main diagonal of first and last axis",
    &[&[&[1, 1]], &[&[0, 3]], &[&[5, 3]], &[&[3, 5]], &[&[4, 2, 4]], &[&[1024, 1024]]],
    &[&[&[3]], &[&[]]],
    build!(|x| x[0].diagonal(-1, 0, -1)),
    |x| {
        let last = x[0].rank() - 1;
        let len = x[0].shape()[0].saturating_sub(1).min(x[0].shape()[last]);
        Tensor::from_fn([&x[0].shape()[1..last], &[len]].concat(), |idx| {
            let (i, middle) = idx.split_last().expect("the result has an axis");
            x[0].at(&[&[i + 1], middle, &[*i]].concat())
        })
    },
)];
