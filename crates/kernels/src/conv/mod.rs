//! Convolution of channels-last images, and its gradients by image and by weight.
//!
//! ```text
//! for each tile of output places (cut by shape; threads take tiles):       tile.rs
//!     copy the tile's part of the image, with its padding, into scratch
//!     for each panel of output channels, for each chunk of taps and channels:
//!         for each few places: multiply in registers                      micro.rs
//! ```
//!
//! There is no im2col: an output place is a position in the padded image, a tap is an offset from
//! it, and the micro-kernel reads runs of channels through both. The weights are brought into
//! panels once a call. 1x1 convolutions of stride 1 are matrix products as they stand. Those of 3x3
//! kernels and strides up to 2, or of 5x5 kernels, with many channels may go through Winograd's
//! algorithms instead (`winograd`). The gradient by the image is the same loop over the incoming
//! gradient, once for each of the `stride` phases of the image's places, with the weights' roles
//! exchanged; so every number is gathered by one task, in an order that depends on the shape alone.

mod columns;
mod depthwise;
mod direct;
mod micro;
mod plan;
mod scatter;
mod tile;
mod weight;
mod winograd;

use crate::element::{per_float, same_type};
use crate::gemm::{Accumulate, Epilogue, Matrix, MatrixMut, gemm};
use crate::{DType, Float};
use plan::Plan;

/// A window that slides along one axis: output place `o` sees the input places
/// `o * stride + k * dilation - pad` for `k` below `kernel`; places outside count as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Places of the input.
    pub input: usize,
    /// Places of the output.
    pub output: usize,
    /// Taps.
    pub kernel: usize,
    /// Input places from one output place to the next.
    pub stride: usize,
    /// Input places from one tap to the next.
    pub dilation: usize,
    /// Places before the input; those behind it follow from `output`. Negative leaves some out.
    pub pad: isize,
}

impl Window {
    /// An axis of length 1, for images of fewer axes.
    pub const ONE: Window =
        Window { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, pad: 0 };
}

/// Which of Winograd's algorithms a convolution of stride 1 or 2 may use where they are faster. They
/// need fewer products than the direct sum, and round more. A NaN or an infinity in the image makes
/// NaN of all that the same tile yields, up to three places away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Winograd {
    /// None: direct sums.
    Off,
    /// F(2x2, 3x3) for 3x3 kernels: errors up to about 4 times those of the direct sum.
    Small,
    /// Also F(4x4, 3x3), of stride 2 too, and F(2x2, 5x5) for 5x5 kernels: up to about 10 times.
    #[default]
    Large,
}

/// A convolution: its sizes.
///
/// Images are `(batch, axes.., channels)`; weights `(out_channels, in_channels / groups, kernels..)`
/// as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Parts of the channels that do not see each other.
    pub groups: usize,
    /// The spatial axes, outermost first; [`Window::ONE`] where there are fewer.
    pub axes: [Window; 3],
    /// Which of Winograd's algorithms may be used where they are faster. Only f32 uses any.
    pub winograd: Winograd,
}

impl Conv {
    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.in_channels * self.axes.iter().map(|axis| axis.input).product::<usize>()
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_channels * self.places()
    }

    /// Elements of the weight.
    pub fn weight_len(&self) -> usize {
        self.out_channels * (self.in_channels / self.groups) * self.taps()
    }

    /// Output places of an image.
    fn places(&self) -> usize {
        self.axes.iter().map(|axis| axis.output).product()
    }

    fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.kernel).product()
    }

    /// Whether each channel is convolved by itself.
    fn is_depthwise(&self) -> bool {
        self.groups == self.in_channels && self.groups == self.out_channels && self.groups > 1
    }

    #[track_caller]
    fn check(&self, name: &str, x: usize, w: usize, y: usize) {
        let divides = self.groups > 0
            && self.in_channels.is_multiple_of(self.groups)
            && self.out_channels.is_multiple_of(self.groups);
        assert!(divides, "{name}: needs groups that divide the channels; got {self:?}");
        let steps = |axis: &Window| axis.stride > 0 && axis.dilation > 0;
        assert!(self.axes.iter().all(steps), "{name}: needs steps above 0; got {self:?}");
        let lens = [self.input_len(), self.weight_len(), self.output_len()];
        assert!(
            lens == [x, w, y],
            "{name}: needs {lens:?} elements of image, weight and output; got {:?}",
            [x, w, y]
        );
    }
}

/// A cautious estimate of one thread's speed.
const MULTIPLY_ADDS_PER_NS: usize = 40;

/// `y[n, o, j] = bias[j] + Σ x[n, o * stride + k * dilation - pad, c] w[j, c, k]`, channels last.
///
/// # Shape
/// `x (batch, inputs.., in_channels)`, `w (out_channels, in_channels / groups, kernels..)`, `bias
/// (out_channels)` to `y (batch, outputs.., out_channels)`.
///
/// # Numerics
/// Taps and channels are summed in order, in chunks that depend on the shape alone.
///
/// # Panics
/// When lengths do not fit.
#[track_caller]
pub fn conv<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, conv: &Conv, y: &mut [T]) {
    conv.check("conv", x.len(), w.len(), y.len());
    let channels = conv.out_channels;
    assert!(
        bias.is_none_or(|bias| bias.len() == channels),
        "conv: needs {channels} biases; got {:?}",
        bias.map(<[T]>::len)
    );
    per_float!(T: forward(x: &[T], w: &[T], bias: Option<&[T]>, conv: &Conv, y: &mut [T]))
}

/// The gradient of [`conv`] by its image: `dx[n, i, c] = Σ dy[n, o, j] w[j, c, k]` over all places
/// `o` and taps `k` that see `i`. It is the transposed convolution.
///
/// # Panics
/// When lengths do not fit.
#[track_caller]
pub fn conv_backward_input<T: Float>(dy: &[T], w: &[T], conv: &Conv, dx: &mut [T]) {
    conv.check("conv_backward_input", dx.len(), w.len(), dy.len());
    per_float!(T: backward_input(dy: &[T], w: &[T], conv: &Conv, dx: &mut [T]))
}

/// The gradient of [`conv`] by its weight: `dw[j, c, k] = Σ x[n, o * stride + k * dilation - pad, c]
/// dy[n, o, j]`.
///
/// # Numerics
/// Sums over blocks of images, which depend on the shape alone, are added in order.
///
/// # Panics
/// When lengths do not fit.
#[track_caller]
pub fn conv_backward_weight<T: Float>(x: &[T], dy: &[T], conv: &Conv, dw: &mut [T]) {
    conv.check("conv_backward_weight", x.len(), dw.len(), dy.len());
    per_float!(T: backward_weight(x: &[T], dy: &[T], conv: &Conv, dw: &mut [T]))
}

fn forward<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, conv: &Conv, y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let plan = Plan::forward(conv);
    if plan.is_empty() {
        return fill_rows(y, bias, conv.out_channels);
    }
    run(x, w, bias, conv, &plan, y);
}

/// The plan's sums, by the way that suits it.
fn run<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, conv: &Conv, plan: &Plan, y: &mut [T]) {
    if conv.is_depthwise() {
        depthwise::run(x, w, bias, plan, y);
    } else if plan.is_product() {
        let (c, o) = (plan.in_channels, plan.out_channels);
        let y = MatrixMut::row_major(y, plan.places(), o);
        let epilogue = bias.map_or(Epilogue::None, Epilogue::Bias);
        let x = Matrix::row_major(x, plan.places(), c);
        let w = match plan.in_step {
            1 => Matrix::row_major(w, o, c).transposed(),
            _ => Matrix::row_major(w, c, o),
        };
        gemm(x, w, y, T::ONE, Accumulate::Replace, epilogue);
    } else if let Some(form) = winograd_form::<T>(conv, plan) {
        // SAFETY: there is a form for f32 only, so the slices get the types that they have.
        let (x, w, bias, y) =
            unsafe { (same_type(x), same_type(w), same_type(bias), same_type(y)) };
        winograd::run(x, w, bias, plan, form, y);
    } else {
        direct::run(x, w, bias, plan, y);
    }
}

fn winograd_form<T: Float>(conv: &Conv, plan: &Plan) -> Option<winograd::Form> {
    if T::DTYPE == DType::F32 { winograd::form(plan, conv.winograd) } else { None }
}

fn fill_rows<T: Float>(y: &mut [T], bias: Option<&[T]>, channels: usize) {
    match bias {
        Some(bias) => y.chunks_exact_mut(channels).for_each(|row| row.copy_from_slice(bias)),
        None => y.fill(T::ZERO),
    }
}

fn backward_input<T: Float>(dy: &[T], w: &[T], conv: &Conv, dx: &mut [T]) {
    if dx.is_empty() {
        return;
    }
    if scatter::suits(conv) {
        return scatter::run(dy, w, conv, dx);
    }
    let plan = Plan::forward(conv);
    let form = winograd_form::<T>(conv, &plan);
    if let Some(plan) = form.and_then(|form| winograd::transposed(&plan, form)) {
        // SAFETY: as in `run`.
        let (dy, w, dx) = unsafe { (same_type(dy), same_type(w), same_type(dx)) };
        return winograd::run(dy, w, None, &plan, winograd::Form::Transposed, dx);
    }
    let phases = Plan::backward(conv);
    // Places that no tap reaches, because steps are longer than the kernel.
    if phases.iter().any(Plan::is_empty) {
        dx.fill(T::ZERO);
    }
    for plan in phases.iter().filter(|plan| !plan.is_empty()) {
        run(dy, w, None, conv, plan, dx);
    }
}

fn backward_weight<T: Float>(x: &[T], dy: &[T], conv: &Conv, dw: &mut [T]) {
    let plan = Plan::forward(conv);
    if dw.is_empty() || plan.is_empty() || plan.places() == 0 {
        return dw.fill(T::ZERO);
    }
    if conv.is_depthwise() {
        depthwise::weight(x, dy, &plan, dw);
    } else if plan.is_product() {
        weight::product(x, dy, &plan, dw);
    } else if let Some(form) = winograd_form::<T>(conv, &plan) {
        // SAFETY: there is a form for f32 only, so the slices get the types that they have.
        let (x, dy, dw) = unsafe { (same_type(x), same_type(dy), same_type(dw)) };
        winograd::gradient(x, dy, &plan, form, dw);
    } else {
        weight::run(x, dy, &plan, dw);
    }
}

#[cfg(test)]
mod tests;
