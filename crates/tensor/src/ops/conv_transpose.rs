//! `conv_transpose`: the transposed convolution, which is the gradient of a convolution by its
//! image.

use backstitch_kernels::{Float, conv as kernel};

use super::conv::{
    Padding, Product, Role, batched, hinted, laid_out, per_channel, product, refusal,
};
use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

/// The options of transposed convolutions over `D` axes. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvTransposeOptions<const D: usize> {
    /// Places from one input's stamp to the next one's. 1 by default.
    pub stride: [usize; D],
    /// What is cut off the result. Nothing by default.
    pub padding: Padding<D>,
    /// Places that the result has behind what the stamps reach; below stride or dilation. 0 by
    /// default.
    pub output_padding: [usize; D],
    /// Places from one tap of the kernel to the next. 1 by default.
    pub dilation: [usize; D],
    /// Parts of the channels that do not see each other. 1 by default.
    pub groups: usize,
}

impl<const D: usize> Default for ConvTransposeOptions<D> {
    fn default() -> Self {
        ConvTransposeOptions {
            stride: [1; D],
            padding: Padding::Number([0; D]),
            output_padding: [0; D],
            dilation: [1; D],
            groups: 1,
        }
    }
}

macro_rules! methods {
    ($($name:ident $axes:literal $kernel:literal)*) => {
        impl<T: Float> Tensor<T> {
            $(
                #[doc = concat!("Transposed convolution over ", stringify!($axes), " axes.")]
                ///
                /// `y[n, j, o] = bias[j] + Σ x[n, c, i] weight[c, j, k]` over all places `i` and taps `k`
                /// with `o = i * stride + k * dilation - padding`.
                ///
                /// # Shape
                #[doc = concat!(
                    "`x (N, C, ...)` or without `N`, `weight (C, O / groups, ", $kernel,
                    ")`, `bias (O)` to `y (N, O, ...)`, each axis `(in - 1) stride - padding + ",
                    "dilation (k - 1) + output_padding + 1` long."
                )]
                /// Channels lie last in the memory of `y`.
                ///
                /// # Gradient
                /// By `x` the convolution of `dy`, by `weight` the correlation of `dy` with `x`;
                /// `dbias = Σ dy` over all axes but the channels.
                ///
                /// # Panics
                /// When the shapes do not fit, a step is 0, or more is cut off than there is.
                #[track_caller]
                pub fn $name(
                    &self,
                    weight: &Tensor<T>,
                    bias: Option<&Tensor<T>>,
                    options: &ConvTransposeOptions<$axes>,
                ) -> Tensor<T> {
                    conv_transpose(stringify!($name), self, weight, bias, options)
                }
            )*
        }
    };
}

methods! {
    conv_transpose1d 1 "k"
    conv_transpose2d 2 "kH, kW"
    conv_transpose3d 3 "kD, kH, kW"
}

#[track_caller]
fn conv_transpose<T: Float, const D: usize>(
    name: &str,
    x: &Tensor<T>,
    weight: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    options: &ConvTransposeOptions<D>,
) -> Tensor<T> {
    let bias_shape = bias.map(Tensor::shape);
    let sizes = or_panic(shape_rule(name, x.shape(), weight.shape(), bias_shape, options));
    batched::<T, D>(x, |x| {
        let y = product(Product { sizes, role: Role::Image, axes: D }, &laid_out(x), weight);
        match bias {
            Some(bias) => y + per_channel(bias, D + 2),
            None => y,
        }
    })
}

/// How far a kernel reaches beyond its first place, and the length of a result before it is cut;
/// `None` where that is more than can be counted.
fn reached(input: usize, [kernel, stride, dilation, more]: [usize; 4]) -> Option<(usize, usize)> {
    let reach = dilation.checked_mul(kernel - 1)?;
    let whole = match input {
        0 => 0,
        _ => (input - 1).checked_mul(stride)?.checked_add(reach)?.checked_add(1 + more)?,
    };
    Some((reach, whole))
}

/// The sizes of the convolution whose gradient this is: its output is our input.
fn shape_rule<const D: usize>(
    name: &str,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    options: &ConvTransposeOptions<D>,
) -> Result<kernel::Conv, ShapeError> {
    let refuse = |rule: &str| Err(refusal(name, rule, [x, weight], bias, options));
    let groups = options.groups;
    let fits = (x.len() == D + 2 || x.len() == D + 1) && weight.len() == D + 2 && groups > 0;
    let channels = if fits { x[x.len() - D - 1] } else { 0 };
    let Some(out_channels) = (if fits { weight[1].checked_mul(groups) } else { Some(0) }) else {
        return refuse("output channels that can be counted");
    };
    if !fits
        || weight[0] != channels
        || !channels.is_multiple_of(groups)
        || bias.is_some_and(|bias| bias != [out_channels])
    {
        let rule = "x (N, C, ...), weight (C, O / groups, ...), bias (O), groups that divide C";
        let wanted = weight.first().copied().unwrap_or(0);
        return refuse(rule).map_err(|error| hinted::<D>(error, x, wanted));
    }
    if options.stride.contains(&0) || options.dilation.contains(&0) || weight[2..].contains(&0) {
        return refuse("strides, dilations and kernels above 0");
    }
    let mut axes = [kernel::Window::ONE; 3];
    for at in 0..D {
        let output = x[x.len() - D + at];
        let (kernel, stride, dilation) = (weight[2 + at], options.stride[at], options.dilation[at]);
        let more = options.output_padding[at];
        if more >= stride.max(dilation) {
            return refuse("an output padding below stride or dilation");
        }
        let Some((reach, whole)) = reached(output, [kernel, stride, dilation, more]) else {
            return refuse("a result whose places can be counted");
        };
        let (before, after) = options.padding.sides(at, reach);
        let Some(input) = whole.checked_sub(before + after) else {
            return refuse("a padding that leaves something of the result");
        };
        axes[3 - D + at] =
            kernel::Window { input, output, kernel, stride, dilation, pad: before as isize };
    }
    let batch = if x.len() == D + 2 { x[0] } else { 1 };
    let (in_channels, out_channels) = (out_channels, channels);
    Ok(kernel::Conv {
        batch,
        in_channels,
        out_channels,
        groups,
        axes,
        winograd: kernel::Winograd::default(),
    })
}

/// A spec of one method: its name, formula, shapes, and the options at given shapes.
macro_rules! spec {
    ($name:literal, $method:ident, $formula:literal, $shapes:expr, $refused:expr, $options:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: $shapes,
            domain: Domain::Range(-2.0, 2.0),
            build: build!(|x| x[0].$method(&x[1], x.get(2), &$options)),
            oracle: Oracle::Whole(|x| by_loops(x, &$options, |term| term)),
            refused: $refused,
            slope: Slope::Smooth,
            cost: |shapes| {
                let sizes = shape_rule("", shapes[0], shapes[1], None, &$options);
                let sizes = sizes.expect("an example's shapes");
                let places: usize = sizes.axes.iter().map(|axis| axis.output).product();
                let flops = 2.0 * (sizes.batch * places * sizes.weight_len()) as f64;
                let elements = sizes.input_len() + sizes.weight_len() + sizes.output_len();
                Cost { flops, elements: elements as f64 }
            },
            tolerance: Tolerance::Terms(
                16.0,
                |x| by_loops(x, &$options, f64::abs),
                "sums in order within chunks",
            ),
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!(
        "conv_transpose conv_transpose2d",
        conv_transpose2d,
        "y[n, j, o] = bias[j] + Σ x[n, c, i] weight[c, j, k], o = (2, 1) i + k - (1, 0)",
        &[
            &[&[1, 1, 2, 1], &[1, 1, 1, 1], &[1]],
            &[&[2, 3, 3, 2], &[3, 5, 3, 2], &[5]],
            &[&[2, 4, 2, 3], &[4, 3, 4, 1], &[3]],
            &[&[3, 2, 2], &[3, 2, 2, 2], &[2]],
            &[&[4, 16, 8, 8], &[16, 32, 4, 4], &[32]],
        ],
        &[
            &[&[2, 3, 3, 2], &[2, 5, 3, 2], &[5]],
            &[&[2, 3, 3, 2], &[3, 5, 3, 2], &[3]],
            &[&[3, 2], &[3, 5, 3, 2], &[5]],
        ],
        ConvTransposeOptions::<2> {
            stride: [2, 1],
            padding: Padding::Sides([(1, 0), (0, 0)]),
            output_padding: [1, 0],
            ..Default::default()
        }
    ),
    spec!(
        "conv_transpose conv_transpose1d",
        conv_transpose1d,
        "y[n, j, o] = Σ x[n, c, i] weight[c, j, k], o = 3 i + 2 k - 1, in two groups",
        &[
            &[&[1, 2, 2], &[2, 1, 2]],
            &[&[2, 4, 3], &[4, 3, 3]],
            &[&[2, 3], &[2, 3, 2]],
            &[&[4, 16, 40], &[16, 16, 5]],
        ],
        &[&[&[1, 3, 2], &[3, 1, 2]]],
        ConvTransposeOptions::<1> {
            stride: [3],
            padding: 1.into(),
            dilation: [2],
            groups: 2,
            ..Default::default()
        }
    ),
    spec!(
        "conv_transpose conv_transpose3d",
        conv_transpose3d,
        "y[n, j, o] = bias[j] + Σ x[n, c, i] weight[c, j, k], o = i + k",
        &[
            &[&[1, 1, 1, 1, 1], &[1, 1, 1, 1, 1], &[1]],
            &[&[2, 2, 2, 1, 3], &[2, 3, 2, 2, 1], &[3]],
            &[&[1, 3, 2, 2, 2], &[3, 1, 1, 3, 2], &[1]],
            &[&[2, 8, 5, 5, 5], &[8, 16, 3, 3, 3], &[16]],
        ],
        &[&[&[1, 1, 1], &[1, 1, 1, 1, 1], &[1]]],
        ConvTransposeOptions::<3>::default()
    ),
];

/// Each input place stamps the kernel into the result, with `term` applied to each product.
fn by_loops<const D: usize>(
    x: &[Tensor<f64>],
    options: &ConvTransposeOptions<D>,
    term: impl Fn(f64) -> f64,
) -> Tensor<f64> {
    let (image, weight, bias) = (&x[0], &x[1], x.get(2));
    let sizes = shape_rule("", image.shape(), weight.shape(), bias.map(Tensor::shape), options);
    let sizes = sizes.expect("the op accepted these shapes");
    let axes = &sizes.axes[3 - D..];
    let lead = image.rank() - D - 1;
    let mut shape = image.shape()[..lead].to_vec();
    shape.push(sizes.in_channels);
    shape.extend(axes.iter().map(|axis| axis.input));
    let mut y =
        Tensor::<f64>::from_fn(&shape, |idx| bias.map_or(0.0, |bias| term(bias.at(&[idx[lead]]))));
    let strides = crate::shape::contiguous_strides(&shape);
    let out = y.data_mut();
    let of_group = weight.shape()[1];
    Tensor::<f64>::from_fn(image.shape(), |from| {
        Tensor::<f64>::from_fn(&weight.shape()[1..], |k| {
            let group = from[lead] / (sizes.out_channels / sizes.groups);
            let mut to = from[..lead].to_vec();
            to.push(group * of_group + k[0]);
            let place = |at: usize| {
                let (axis, i) = (&axes[at], from[lead + 1 + at]);
                let o = (i * axis.stride + k[1 + at] * axis.dilation) as isize - axis.pad;
                (0..axis.input as isize).contains(&o).then_some(o as usize)
            };
            if let Some(places) = (0..D).map(place).collect::<Option<Vec<usize>>>() {
                to.extend(places);
                let at: isize = to.iter().zip(&strides[..]).map(|(&i, s)| i as isize * s).sum();
                let w = weight.at(&[&from[lead..=lead], k].concat());
                out[at as usize] += term(image.at(from) * w);
            }
            0.0
        });
        0.0
    });
    y
}

#[cfg(test)]
mod tests {
    use super::ConvTransposeOptions;
    use crate::tensor::Tensor;

    #[test]
    fn options_are_pytorchs_by_default() {
        // `torch.nn.functional.conv_transpose1d` of 1, 2, 3 with the taps 1, 10.
        let x = Tensor::from([[1.0f32, 2.0, 3.0]]);
        let weight = Tensor::from([[[1.0f32, 10.0]]]);
        let y = x.conv_transpose1d(&weight, None, &ConvTransposeOptions::default());
        assert_eq!(y.to_vec(), [1.0, 12.0, 23.0, 30.0]);
    }

    #[test]
    fn sizes_beyond_counting_are_refused() {
        let x = Tensor::<f32>::zeros([1, 0, 2]);
        let refusal = |weight: [usize; 3], options: ConvTransposeOptions<1>| {
            let weight = Tensor::<f32>::zeros(weight);
            let refused = std::panic::catch_unwind(|| x.conv_transpose1d(&weight, None, &options));
            *refused.err().unwrap().downcast::<String>().unwrap()
        };
        let plain = ConvTransposeOptions::<1>::default;
        let groups = refusal([0, 4, 1], ConvTransposeOptions { groups: usize::MAX, ..plain() });
        assert!(groups.contains("channels that can be counted"), "{groups}");
        let far = ConvTransposeOptions { dilation: [usize::MAX], ..plain() };
        let dilation = refusal([0, 4, 3], far);
        assert!(dilation.contains("places can be counted"), "{dilation}");
    }

    #[test]
    fn output_padding_lengthens_the_end() {
        let options =
            ConvTransposeOptions { stride: [2], output_padding: [1], ..Default::default() };
        let weight = Tensor::from([[[1.0f32, 10.0]]]);
        let y = Tensor::from([[[1.0f32, 2.0, 3.0]]]).conv_transpose1d(&weight, None, &options);
        assert_eq!(y.to_vec(), [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 0.0]);
        let none = Tensor::zeros([1, 1, 0]).conv_transpose1d(&weight, None, &options);
        assert_eq!(none.shape(), [1, 1, 0]);
    }
}
