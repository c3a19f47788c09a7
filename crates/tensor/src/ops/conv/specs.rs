//! What the registry knows of convolutions: examples, refusals, and the sums as plain loops.

use super::{ConvOptions, Padding, shape_rule};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

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

pub(in crate::ops) const SPECS: &[OpSpec] = &[
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

    #[test]
    fn no_output_channels() {
        let x = Tensor::<f64>::ones([2, 3, 4]).leaf();
        let (weight, bias) = (Tensor::zeros([0, 3, 2]).leaf(), Tensor::zeros([0]).leaf());
        let y = x.conv1d(&weight, Some(&bias), &ConvOptions::default());
        assert_eq!(y.shape(), [2, 0, 3]);
        let grads = y.sum().backward();
        assert_eq!(grads.get(&x).unwrap().to_vec(), [0.0; 24]);
        assert_eq!(grads.get(&bias).unwrap().shape(), [0]);
    }
}
