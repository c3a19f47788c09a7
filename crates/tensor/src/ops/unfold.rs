//! `unfold`: windows that slide along an axis, as a view.

use backstitch_kernels::fold::Windows;
use backstitch_kernels::{Element, Float};

use super::{fold, moves};
use crate::op::{AnyOp, Site, apply_to_any};
use crate::shape::{Shape, ShapeError, Strides, axis_of, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Windows of `size` elements that slide along axis `dim` by `step`. A view, which repeats the
    /// elements that windows share.
    ///
    /// `y[.., w, .., i] = x[.., w step + i, ..]`
    ///
    /// # Shape
    /// `x (..., n, ...)` to `y (..., (n - size) / step + 1, ..., size)`, rounded down.
    ///
    /// # Gradient
    /// `dx` is the sum of `dy` over the windows that the element is in: [`Tensor::fold`].
    ///
    /// # Panics
    /// When the axis does not exist or is shorter than a window, or size or step is 0.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(x.unfold(0, 2, 1).to_vec(), [1.0, 2.0, 2.0, 3.0, 3.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn unfold(&self, dim: isize, size: usize, step: usize) -> Tensor<T> {
        let axis = or_panic(axis_of("unfold", dim, self.rank()));
        unfold(self, axis, or_panic(windows("unfold", self.shape(), axis, size, step)))
    }
}

#[track_caller]
pub(super) fn unfold<T: Element>(x: &Tensor<T>, axis: usize, windows: Windows) -> Tensor<T> {
    let (mut shape, mut strides) = (Shape::new(x.shape()), Strides::new(x.strides()));
    shape[axis] = windows.count;
    shape.push(windows.size);
    strides.push(strides[axis] * windows.dilation as isize);
    strides[axis] *= windows.step as isize;
    let y = x.relaid(shape, strides, x.offset());
    apply_to_any("unfold", y, &[x], || Unfold { axis, windows })
}

/// The windows along an axis of a tensor of `shape`.
pub(super) fn windows(
    op: &str,
    shape: &[usize],
    axis: usize,
    size: usize,
    step: usize,
) -> Result<Windows, ShapeError> {
    let len = shape[axis];
    if size == 0 || step == 0 || size > len {
        let rule = "a size from 1 to the length of the axis and a step above 0";
        let got = format!("{size} and {step} for dim {axis} of {shape:?}");
        return Err(ShapeError::new(op, rule, got));
    }
    Ok(Windows { len, count: (len - size) / step + 1, size, step, dilation: 1 })
}

struct Unfold {
    axis: usize,
    windows: Windows,
}

impl<T: Float> AnyOp<T> for Unfold {
    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Vec<Option<Tensor<T>>> {
        vec![Some(fold::fold(dy, self.axis, self.windows))]
    }

    fn jvp(&self, _: &Site<T>, tangents: &[Option<&Tensor<T>>]) -> Tensor<T> {
        unfold(tangents[0].expect("the only input moves"), self.axis, self.windows)
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "unfold",
    "y[w, ..., i] = x[2 w + i], windows of three along the first axis",
    &[&[&[3]], &[&[4]], &[&[9]], &[&[5, 0]], &[&[6, 7]], &[&[4, 3, 2]], &[&[256, 1024]]],
    &[&[&[2]], &[&[]]],
    build!(|x| x[0].unfold(0, 3, 2)),
    |x| {
        let count = (x[0].shape()[0] - 3) / 2 + 1;
        let shape = [&[count], &x[0].shape()[1..], &[3]].concat();
        let last = shape.len() - 1;
        Tensor::from_fn(shape, |idx| moves::at(&x[0], &idx[..last], 0, 2 * idx[0] + idx[last]))
    },
)];
