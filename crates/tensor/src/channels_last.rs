//! Images in memory with their channels last: views that keep `(N, C, ...)` as their shape.
//!
//! Convolution, pooling and batch norm compute on rows of channels. Their results stay so, as
//! permuted views, and element-wise ops keep the order of their inputs; so a network of them
//! converts its layout once, at its first op, and not at all where an image has one channel.

use std::cell::Cell;

use backstitch_kernels::{Element, View, copy};

use crate::shape::{Axes, Shape, Strides};
use crate::tensor::Tensor;

thread_local! {
    static CONVERSIONS: Cell<usize> = const { Cell::new(0) };
}

/// How many times ops called by this thread have copied images to bring their channels last.
///
/// # Examples
/// ```
/// use backstitch_tensor::{ConvOptions, Tensor, layout_conversions};
///
/// let (x, w) = (Tensor::<f32>::ones([1, 3, 8, 8]), Tensor::ones([3, 3, 3, 3]));
/// let before = layout_conversions();
/// let y = x.conv2d(&w, None, &ConvOptions::default());
/// y.relu().conv2d(&w, None, &ConvOptions::default());
/// assert_eq!(layout_conversions() - before, 1);
/// ```
pub fn layout_conversions() -> usize {
    CONVERSIONS.get()
}

/// `(N, C, ...)` as `(N, ..., C)`.
fn to_last<I: Copy + Default>(axes: &[I]) -> Axes<I> {
    let mut last = Axes::new(axes);
    last[1..].rotate_left(1);
    last
}

/// `(N, ..., C)` as `(N, C, ...)`.
fn to_first<I: Copy + Default>(axes: &[I]) -> Axes<I> {
    let mut first = Axes::new(axes);
    first[1..].rotate_right(1);
    first
}

impl<T: Element> Tensor<T> {
    /// An image `(N, C, ...)` seen as `(N, ..., C)`, outside the graph.
    fn last_view(&self) -> Tensor<T> {
        self.relaid(to_last(self.shape()), to_last(self.strides()), self.offset())
    }

    /// Whether the elements of an image lie without gaps with their channels last, and only so.
    pub(crate) fn is_channels_last(&self) -> bool {
        self.rank() > 2 && !self.is_contiguous() && self.last_view().is_contiguous()
    }

    /// An image `(N, C, ...)` as a row-major `(N, ..., C)`, outside the graph. Copies, and counts
    /// it, where the channels do not lie last.
    pub(crate) fn channels_last(&self) -> Tensor<T> {
        let view = self.last_view();
        if view.is_contiguous() {
            return view;
        }
        CONVERSIONS.set(CONVERSIONS.get() + 1);
        Tensor::build(view.shape(), |out| copy::copy(view.view(), out))
    }

    /// An image of shape `(N, C, ...)` whose elements `fill` writes with the channels last.
    pub(crate) fn build_channels_last(shape: &[usize], fill: impl FnOnce(&mut [T])) -> Tensor<T> {
        Tensor::build(&to_last(shape), fill).channels_first()
    }

    /// A `(N, ..., C)` seen as an image `(N, C, ...)`, outside the graph.
    pub(crate) fn channels_first(&self) -> Tensor<T> {
        let (shape, strides): (Shape, Strides) = (to_first(self.shape()), to_first(self.strides()));
        self.relaid(shape, strides, self.offset())
    }

    /// The result of an element-wise kernel on inputs of one shape: with channels last where an
    /// input is, else row-major.
    pub(crate) fn build_like<B: Element, const N: usize>(
        inputs: [&Tensor<T>; N],
        kernel: impl FnOnce([View<'_, T>; N], &mut [B]),
    ) -> Tensor<B> {
        let shape = inputs[0].shape();
        if !inputs.iter().any(|x| x.is_channels_last()) {
            return Tensor::build(shape, |y| kernel(inputs.map(Tensor::view), y));
        }
        let inputs = inputs.map(Tensor::last_view);
        Tensor::build_channels_last(shape, |y| kernel(inputs.each_ref().map(Tensor::view), y))
    }
}
