//! `conv`: convolution of images of one, two or three axes, and the products it is made of.
//!
//! A convolution is linear in its image and in its weight; so are its gradients, and the three
//! are each other's derivatives. One op with three roles is thus closed under differentiation.

use backstitch_kernels::{Float, conv as kernel};
pub use kernel::Winograd;

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{Shape, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

/// The options of convolutions over `D` axes. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvOptions<const D: usize> {
    /// Places from one output to the next. 1 by default.
    pub stride: [usize; D],
    /// Zeros around the image. None by default.
    pub padding: Padding<D>,
    /// Places from one tap of the kernel to the next. 1 by default.
    pub dilation: [usize; D],
    /// Parts of the channels that do not see each other. 1 by default.
    pub groups: usize,
    /// Which of Winograd's algorithms may be used where they are faster: all by default, for f32.
    /// They round more than direct sums, and a NaN or an infinity spreads to neighbouring places;
    /// see [`Winograd`].
    pub winograd: Winograd,
}

impl<const D: usize> Default for ConvOptions<D> {
    fn default() -> Self {
        let padding = Padding::Number([0; D]);
        ConvOptions {
            stride: [1; D],
            padding,
            dilation: [1; D],
            groups: 1,
            winograd: Winograd::default(),
        }
    }
}

/// What surrounds an image of `D` axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const D: usize> {
    /// Nothing.
    Valid,
    /// As much as keeps the image's size, for stride 1; an odd place more goes behind.
    Same,
    /// As much before as behind, for each axis.
    Number([usize; D]),
    /// So much before and behind, for each axis.
    Sides([(usize, usize); D]),
}

impl<const D: usize> From<usize> for Padding<D> {
    fn from(places: usize) -> Self {
        Padding::Number([places; D])
    }
}

impl<const D: usize> From<[usize; D]> for Padding<D> {
    fn from(places: [usize; D]) -> Self {
        Padding::Number(places)
    }
}

impl<const D: usize> Padding<D> {
    /// Places before and behind an axis whose taps reach `reach` places beyond the first.
    pub fn sides(&self, axis: usize, reach: usize) -> (usize, usize) {
        match self {
            Padding::Valid => (0, 0),
            Padding::Same => (reach / 2, reach - reach / 2),
            Padding::Number(places) => (places[axis], places[axis]),
            Padding::Sides(sides) => sides[axis],
        }
    }
}

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
        return refuse(
            "x (N, C, ...), weight (O, C / groups, ...), bias (O), groups that divide O",
        );
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

/// A spec of one method: its name, formula, shapes, and the options at given shapes.
macro_rules! spec {
    ($name:literal, $method:ident, $formula:literal, $shapes:expr, $refused:expr, $options:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: $shapes,
            domain: Domain::Range(-2.0, 2.0),
            build: build!(|x| {
                let options = $options(x[0].shape(), x[1].shape());
                x[0].$method(&x[1], x.get(2), &options)
            }),
            oracle: Oracle::Whole(|x| {
                let options = $options(x[0].shape(), x[1].shape());
                by_loops(x, &options, |term| term)
            }),
            refused: $refused,
            slope: Slope::Smooth,
            cost: |shapes| cost(shapes, &$options(shapes[0], shapes[1])),
            tolerance: Tolerance::Terms(
                16.0,
                |x| {
                    let options = $options(x[0].shape(), x[1].shape());
                    by_loops(x, &options, f64::abs)
                },
                "sums in order within chunks",
            ),
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!(
        "conv conv2d",
        conv2d,
        "y[n, j, o] = bias[j] + Σ x[n, c, o + k - 1] weight[j, c, k]",
        &[
            &[&[1, 1, 1, 1], &[1, 1, 1, 1], &[1]],
            &[&[2, 1, 3, 4], &[3, 1, 3, 3], &[3]],
            &[&[0, 2, 3, 3], &[3, 2, 2, 2], &[3]],
            &[&[2, 3, 5, 4], &[17, 3, 3, 2], &[17]],
            &[&[3, 5, 4], &[2, 3, 1, 1], &[2]],
            &[&[4, 32, 16, 16], &[48, 32, 3, 3], &[48]],
        ],
        &[
            &[&[2, 3, 5, 5], &[4, 2, 3, 3], &[4]],
            &[&[2, 3, 5, 5], &[4, 3, 3, 3], &[3]],
            &[&[2, 3, 5, 5], &[4, 3, 8, 3], &[4]],
            &[&[3, 5], &[4, 3, 3, 3], &[4]],
            &[&[2, 3, 5, 5], &[4, 3, 3], &[4]],
        ],
        |_: &[usize], _: &[usize]| ConvOptions::<2> { padding: 1.into(), ..Default::default() }
    ),
    spec!(
        "conv conv2d strided",
        conv2d,
        "y[n, j, o] = Σ x[n, c, 2 o + (2, 1) k - (1, 2)] weight[j, c, k]",
        &[
            &[&[1, 1, 3, 1], &[1, 1, 2, 1]],
            &[&[2, 2, 6, 5], &[3, 2, 3, 3]],
            &[&[1, 3, 9, 7], &[2, 3, 4, 1]],
            &[&[4, 16, 13, 13], &[32, 16, 3, 3]],
        ],
        &[&[&[1, 1, 2, 2], &[1, 1, 4, 1]]],
        |_: &[usize], _: &[usize]| ConvOptions {
            stride: [2, 2],
            padding: Padding::Number([1, 2]),
            dilation: [2, 1],
            ..Default::default()
        }
    ),
    spec!(
        "conv conv2d groups",
        conv2d,
        "y[n, j, o] = Σ x[n, c, o + k] weight[j, c, k] over the channels of the group",
        &[
            &[&[1, 2, 3, 3], &[2, 1, 2, 2]],
            &[&[2, 6, 4, 3], &[4, 3, 2, 3]],
            &[&[2, 4, 4, 4], &[8, 1, 3, 3]],
            &[&[4, 32, 12, 12], &[32, 1, 3, 3]],
        ],
        &[&[&[1, 4, 3, 3], &[3, 2, 2, 2]]],
        |x: &[usize], w: &[usize]| ConvOptions {
            groups: x[x.len() - 3] / w[1].max(1),
            padding: Padding::Sides([(0, 1), (1, 0)]),
            ..Default::default()
        }
    ),
    spec!(
        "conv conv1d",
        conv1d,
        "y[n, j, o] = bias[j] + Σ x[n, c, o + 2 k - same] weight[j, c, k]",
        &[
            &[&[1, 1, 1], &[1, 1, 1], &[1]],
            &[&[2, 3, 7], &[4, 3, 3], &[4]],
            &[&[2, 3, 5], &[4, 3, 2], &[4]],
            &[&[2, 5], &[3, 2, 4], &[3]],
            &[&[8, 32, 64], &[32, 32, 3], &[32]],
        ],
        &[&[&[2, 3, 5, 5], &[4, 3, 3], &[4]]],
        |_: &[usize], _: &[usize]| ConvOptions {
            padding: Padding::Same,
            dilation: [2],
            ..Default::default()
        }
    ),
    spec!(
        "conv conv3d",
        conv3d,
        "y[n, j, o] = bias[j] + Σ x[n, c, (2, 1, 1) o + k - (0, 1, 0)] weight[j, c, k]",
        &[
            &[&[1, 1, 1, 1, 1], &[1, 1, 1, 1, 1], &[1]],
            &[&[2, 2, 3, 2, 4], &[3, 2, 2, 2, 3], &[3]],
            &[&[1, 3, 4, 3, 3], &[2, 3, 3, 1, 2], &[2]],
            &[&[2, 8, 6, 6, 6], &[16, 8, 3, 3, 3], &[16]],
        ],
        &[&[&[1, 1, 1, 1], &[1, 1, 1, 1], &[1]]],
        |_: &[usize], _: &[usize]| ConvOptions {
            stride: [2, 1, 1],
            padding: Padding::Number([0, 1, 0]),
            ..Default::default()
        }
    ),
];

/// The convolution with `term` applied to each product and to the bias, as plain loops, at the
/// places that `shape_rule` finds; the tests below pin those.
fn by_loops<const D: usize>(
    x: &[Tensor<f64>],
    options: &ConvOptions<D>,
    term: impl Fn(f64) -> f64,
) -> Tensor<f64> {
    let (image, weight, bias) = (&x[0], &x[1], x.get(2));
    let sizes = shape_rule("", image.shape(), weight.shape(), bias.map(Tensor::shape), options);
    let sizes = sizes.expect("the op accepted these shapes");
    let axes = &sizes.axes[3 - D..];
    let is_batched = image.rank() == D + 2;
    let lead = usize::from(is_batched);
    let mut shape = vec![sizes.batch; lead];
    shape.push(sizes.out_channels);
    shape.extend(axes.iter().map(|axis| axis.output));
    let of_group = weight.shape()[1];
    let taps: usize = axes.iter().map(|axis| axis.kernel).product();
    Tensor::from_fn(shape, |idx| {
        let channel = idx[lead];
        let first = channel / (sizes.out_channels / sizes.groups) * of_group;
        let mut sum = bias.map_or(0.0, |bias| term(bias.at(&[channel])));
        for c in 0..of_group {
            for tap in 0..taps {
                let (mut rest, mut from, mut k) = (tap, idx[..lead].to_vec(), vec![channel, c]);
                from.push(first + c);
                let mut own = vec![0; D];
                for at in (0..D).rev() {
                    own[at] = rest % axes[at].kernel;
                    rest /= axes[at].kernel;
                }
                k.extend(&own);
                let place = |at: usize| {
                    let axis = &axes[at];
                    let o = idx[lead + 1 + at];
                    let i = (o * axis.stride + own[at] * axis.dilation) as isize - axis.pad;
                    (0..axis.input as isize).contains(&i).then_some(i as usize)
                };
                let Some(places) = (0..D).map(place).collect::<Option<Vec<usize>>>() else {
                    continue;
                };
                from.extend(places);
                sum += term(image.at(&from) * weight.at(&k));
            }
        }
        sum
    })
}

fn cost<const D: usize>(shapes: &[&[usize]], options: &ConvOptions<D>) -> Cost {
    let sizes = shape_rule("", shapes[0], shapes[1], None, options).expect("an example's shapes");
    let places: usize = sizes.axes.iter().map(|axis| axis.output).product();
    let flops = 2.0 * (sizes.batch * places * sizes.weight_len()) as f64;
    let elements = sizes.input_len() + sizes.weight_len() + sizes.output_len();
    Cost { flops, elements: elements as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.nn.functional.conv1d` of 1, 2, 3, 4 with these taps.
    #[test]
    fn padding_is_pytorchs() {
        let check = |taps: &[f64], dilation: usize, padding: Padding<1>, want: &[f64]| {
            let x = Tensor::from([[1.0, 2.0, 3.0, 4.0]]);
            let weight = Tensor::from(taps).reshape([1, 1, taps.len()]);
            let options = ConvOptions { padding, dilation: [dilation], ..Default::default() };
            assert_eq!(x.conv1d(&weight, None, &options).to_vec(), want, "{options:?}");
        };
        let none = ConvOptions::<1>::default().padding;
        check(&[1.0, 10.0], 1, none, &[21.0, 32.0, 43.0]);
        check(&[1.0, 10.0], 1, Padding::Valid, &[21.0, 32.0, 43.0]);
        check(&[1.0, 10.0], 1, Padding::Same, &[21.0, 32.0, 43.0, 4.0]);
        check(&[1.0, 10.0, 100.0], 1, Padding::Same, &[210.0, 321.0, 432.0, 43.0]);
        check(&[1.0, 10.0, 100.0, 1000.0], 1, Padding::Same, &[3210.0, 4321.0, 432.0, 43.0]);
        check(&[1.0, 10.0], 2, Padding::Same, &[20.0, 31.0, 42.0, 3.0]);
        check(&[1.0, 10.0], 1, Padding::Number([1]), &[10.0, 21.0, 32.0, 43.0, 4.0]);
        check(&[1.0, 10.0], 1, Padding::Sides([(0, 2)]), &[21.0, 32.0, 43.0, 4.0, 0.0]);
        check(&[1.0, 10.0], 3, Padding::Valid, &[41.0]);
    }
}
