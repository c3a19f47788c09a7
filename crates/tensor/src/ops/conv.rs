//! `conv`: convolution of images of one, two or three axes, and the products it is made of.
//!
//! A convolution is linear in its image and in its weight; so are its gradients, and the three
//! are each other's derivatives. One op with three roles is thus closed under differentiation.

mod options;
#[cfg(feature = "registry")]
mod specs;

use backstitch_kernels::{Float, conv as kernel};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, or_panic};
use crate::tensor::{Tensor, data};
pub use options::{ConvOptions, Padding, Winograd};
#[cfg(feature = "registry")]
pub(super) use specs::SPECS;

macro_rules! methods {
    ($($name:ident $axes:literal $shape:literal $kernel:literal $doc:literal)*) => {
        impl<T: Float> Tensor<T> {
            $(
                #[doc = $doc]
                ///
                /// `y[n, j, o] = bias[j] + Σ x[n, c, o * stride + k * dilation - padding] weight[j, c, k]`
                ///
                /// # Shape
                #[doc = concat!(
                    "`x (N, C, ", $shape, ")` or without `N`, `weight (O, C / groups, ", $kernel,
                    ")`, `bias (O)` to `y (N, O, ...)`, ",
                    "each axis `(in + padding - dilation (k - 1) - 1) / stride + 1` long."
                )]
                /// Channels lie last in the memory of `y`.
                ///
                /// # Gradient
                /// By `x` the transposed convolution of `dy`, by `weight` the correlation of `x`
                /// with `dy`; `dbias = Σ dy` over all axes but the channels.
                ///
                /// # Panics
                /// When the shapes do not fit, a step is 0, or the padded image is smaller than
                /// the kernel.
                #[track_caller]
                pub fn $name(
                    &self,
                    weight: &Tensor<T>,
                    bias: Option<&Tensor<T>>,
                    options: &ConvOptions<$axes>,
                ) -> Tensor<T> {
                    conv(stringify!($name), self, weight, bias, options)
                }
            )*
        }
    };
}

methods! {
    conv1d 1 "T" "k" "Convolution over one axis, such as time."
    conv2d 2 "H, W" "kH, kW" "Convolution over two axes."
    conv3d 3 "D, H, W" "kD, kH, kW" "Convolution over three axes."
}

#[track_caller]
fn conv<T: Float, const D: usize>(
    name: &str,
    x: &Tensor<T>,
    weight: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    options: &ConvOptions<D>,
) -> Tensor<T> {
    let bias_shape = bias.map(Tensor::shape);
    let sizes = or_panic(shape_rule(name, x.shape(), weight.shape(), bias_shape, options));
    batched::<T, D>(x, |x| {
        let x = &laid_out(x);
        match bias {
            None => product(Product { sizes, role: Role::Output, axes: D }, x, weight),
            Some(bias) => apply(Biased { sizes, axes: D }, [x, weight, bias]),
        }
    })
}

/// The image with its channels last in memory, so that it is converted for the convolution and for
/// its gradient together.
#[track_caller]
pub(super) fn laid_out<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    match !x.is_channels_last() {
        true => apply(LaidOut, [x]),
        false => x.clone(),
    }
}

/// The same values in another order of memory.
struct LaidOut;

impl<T: Float> Op<T, 1> for LaidOut {
    const NAME: &'static str = "conv_layout";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        x.channels_last().channels_first()
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy.clone())]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        dx.expect("the only input moves").clone()
    }
}

/// Runs `body` on an image with a batch axis, which is added and dropped where there is none.
#[track_caller]
pub(super) fn batched<T: Float, const D: usize>(
    x: &Tensor<T>,
    body: impl FnOnce(&Tensor<T>) -> Tensor<T>,
) -> Tensor<T> {
    if x.rank() == D + 2 {
        return body(x);
    }
    let mut shape = Shape::new(x.shape());
    shape.insert(0, 1);
    let y = body(&x.reshape(shape));
    y.reshape(&y.shape()[1..])
}

fn shape_rule<const D: usize>(
    name: &str,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    options: &ConvOptions<D>,
) -> Result<kernel::Conv, ShapeError> {
    let refuse = |rule: &str| Err(refusal(name, rule, [x, weight], bias, options));
    let groups = options.groups;
    let fits = (x.len() == D + 2 || x.len() == D + 1) && weight.len() == D + 2 && groups > 0;
    let channels = if fits { x[x.len() - D - 1] } else { 0 };
    if !fits
        || weight[1].checked_mul(groups) != Some(channels)
        || !weight[0].is_multiple_of(groups)
        || bias.is_some_and(|bias| bias != &weight[..1])
    {
        let rule = "x (N, C, ...), weight (O, C / groups, ...), bias (O), groups that divide O";
        let wanted = weight.get(1).map_or(0, |c| c.saturating_mul(groups));
        return refuse(rule).map_err(|error| hinted::<D>(error, x, wanted));
    }
    if options.stride.contains(&0) || options.dilation.contains(&0) || weight[2..].contains(&0) {
        return refuse("strides, dilations and kernels above 0");
    }
    if options.padding == Padding::Same && options.stride != [1; D] {
        return refuse("stride 1 for padding that keeps the size");
    }
    let mut axes = [kernel::Window::ONE; 3];
    for at in 0..D {
        let input = x[x.len() - D + at];
        let (kernel, stride, dilation) = (weight[2 + at], options.stride[at], options.dilation[at]);
        let reach = dilation * (kernel - 1);
        let (before, after) = options.padding.sides(at, reach);
        let Some(free) = (input + before + after).checked_sub(reach + 1) else {
            return refuse("a kernel that fits into the padded image");
        };
        let (output, pad) = (free / stride + 1, before as isize);
        axes[3 - D + at] = kernel::Window { input, output, kernel, stride, dilation, pad };
    }
    let batch = if x.len() == D + 2 { x[0] } else { 1 };
    let winograd = options.winograd;
    Ok(kernel::Conv {
        batch,
        in_channels: channels,
        out_channels: weight[0],
        groups,
        axes,
        winograd,
    })
}

/// The error with the commonest cause of an image that does not fit a weight for `channels` channels.
pub(super) fn hinted<const D: usize>(
    error: ShapeError,
    x: &[usize],
    channels: usize,
) -> ShapeError {
    if x.len() <= D {
        return error.hint("unsqueeze adds the axes of batch and channels");
    }
    let (found, last) = (x[x.len() - D - 1], x[x.len() - 1]);
    if x.len() > D + 2 || found == channels {
        error
    } else if last == channels {
        error.hint("are channels last? movedim moves them")
    } else {
        error.hint(format!("{found} channels for a weight of {channels}"))
    }
}

/// Why the shapes of an image, a weight and a bias do not fit.
pub(super) fn refusal(
    name: &str,
    rule: &str,
    [x, weight]: [&[usize]; 2],
    bias: Option<&[usize]>,
    options: &impl std::fmt::Debug,
) -> ShapeError {
    let bias = bias.map_or(String::new(), |bias| format!(" and bias {bias:?}"));
    ShapeError::new(name, rule, format!("{x:?}, weight {weight:?}{bias} with {options:?}"))
}

/// Which of the three tensors of a convolution is computed from the two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The output, from image and weight.
    Output,
    /// The image's gradient, from the output's and the weight; or a transposed convolution.
    Image,
    /// The weight's gradient, from the image and the output's.
    Weight,
}

/// A convolution in one of its roles: bilinear.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) sizes: kernel::Conv,
    pub(super) role: Role,
    /// Spatial axes.
    pub(super) axes: usize,
}

#[track_caller]
pub(super) fn product<T: Float>(op: Product, a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    apply(op, [a, b])
}

impl Product {
    fn shape(&self, batch: usize, channels: usize, at: fn(&kernel::Window) -> usize) -> Shape {
        let axes = &self.sizes.axes[3 - self.axes..];
        [batch, channels].into_iter().chain(axes.iter().map(at)).collect()
    }

    /// The product in another role.
    #[track_caller]
    fn of<T: Float>(&self, role: Role, a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
        product(Product { role, ..*self }, a, b)
    }

    fn output<T: Float>(&self, x: &Tensor<T>, w: &Tensor<T>, bias: Option<&[T]>) -> Tensor<T> {
        let sizes = &self.sizes;
        let (x, w) = (x.channels_last(), w.contiguous());
        let shape = self.shape(sizes.batch, sizes.out_channels, |axis| axis.output);
        Tensor::build_channels_last(&shape, |y| kernel::conv(data(&x), data(&w), bias, sizes, y))
    }
}

impl<T: Float> Op<T, 2> for Product {
    const NAME: &'static str = "conv";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        let sizes = &self.sizes;
        match self.role {
            Role::Output => self.output(a, b, None),
            Role::Image => {
                let (dy, w) = (a.channels_last(), b.contiguous());
                let shape = self.shape(sizes.batch, sizes.in_channels, |axis| axis.input);
                Tensor::build_channels_last(&shape, |dx| {
                    kernel::conv_backward_input(data(&dy), data(&w), sizes, dx);
                })
            }
            Role::Weight => {
                let (x, dy) = (a.channels_last(), b.channels_last());
                let of_group = sizes.in_channels / sizes.groups;
                let shape = self.shape(sizes.out_channels, of_group, |axis| axis.kernel);
                Tensor::build(&shape, |dw| {
                    kernel::conv_backward_weight(data(&x), data(&dy), sizes, dw);
                })
            }
        }
    }

    fn backward(&self, at: &Site<T>, d: &Tensor<T>) -> Gradient<T, 2> {
        let (a, b) = (at.input(0), at.input(1));
        match self.role {
            Role::Output => [
                at.want(0, || self.of(Role::Image, d, b)),
                at.want(1, || self.of(Role::Weight, a, d)),
            ],
            Role::Image => [
                at.want(0, || self.of(Role::Output, d, b)),
                at.want(1, || self.of(Role::Weight, d, a)),
            ],
            Role::Weight => [
                at.want(0, || self.of(Role::Image, b, d)),
                at.want(1, || self.of(Role::Output, a, d)),
            ],
        }
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        let terms = [
            da.map(|da| product(*self, da, at.input(1))),
            db.map(|db| product(*self, at.input(0), db)),
        ];
        terms.into_iter().flatten().reduce(|sum, term| sum + term).expect("an input moves")
    }
}

/// A convolution with a bias, which is added while sums are in registers.
struct Biased {
    sizes: kernel::Conv,
    axes: usize,
}

impl Biased {
    fn product(&self) -> Product {
        Product { sizes: self.sizes, role: Role::Output, axes: self.axes }
    }
}

impl<T: Float> Op<T, 3> for Biased {
    const NAME: &'static str = "conv";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [x, weight, bias]: [&Tensor<T>; 3]) -> Tensor<T> {
        let bias = bias.contiguous();
        self.product().output(x, weight, Some(data(&bias)))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 3> {
        let product = self.product();
        [
            at.want(0, || product.of(Role::Image, dy, at.input(1))),
            at.want(1, || product.of(Role::Weight, at.input(0), dy)),
            at.want(2, || sum_places(dy)),
        ]
    }

    fn jvp(&self, at: &Site<T>, [dx, dweight, dbias]: Tangents<T, 3>) -> Tensor<T> {
        let op = self.product();
        let terms = [
            dx.map(|dx| product(op, dx, at.input(1))),
            dweight.map(|dweight| product(op, at.input(0), dweight)),
            dbias.map(|dbias| {
                let shape = op.shape(op.sizes.batch, op.sizes.out_channels, |axis| axis.output);
                per_channel(dbias, shape.len()).expand(shape)
            }),
        ];
        terms.into_iter().flatten().reduce(|sum, term| sum + term).expect("an input moves")
    }
}

/// `(C)` as `(C, 1, ...)`, to broadcast over an image of `rank` axes.
#[track_caller]
pub(super) fn per_channel<T: Float>(x: &Tensor<T>, rank: usize) -> Tensor<T> {
    let mut shape = vec![1; rank - 1];
    shape[0] = x.numel();
    x.reshape(shape)
}

/// The sum of an image over all axes but the channels.
#[track_caller]
pub(super) fn sum_places<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    let channels = x.shape()[1];
    let places = x.numel() / channels.max(1);
    let last: Vec<isize> = [0].into_iter().chain(2..x.rank() as isize).chain([1]).collect();
    x.permute(&last).reshape([places, channels]).sum_dim(0, false)
}
