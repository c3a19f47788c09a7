//! `group_norm`: normalises each sample over groups of channels; `instance_norm` over each channel.
//!
//! Composed of layer norm over rows, one per group, whose kernels keep a row in cache.

use backstitch_kernels::Float;

use super::conv::per_channel;
use crate::shape::{ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Normalises each sample over groups of neighbouring channels and all places, then scales and
    /// shifts each channel.
    ///
    /// `y = (x - mean) / √(var + eps) weight + bias`, `var` biased.
    ///
    /// # Shape
    /// `x (N, C, ...)`, `weight (C)` and `bias (C)` (none is 1 and 0) to `y` like `x`.
    ///
    /// # Gradient
    /// Also through mean and variance, as for [`Tensor::layer_norm`].
    ///
    /// # Panics
    /// When the shapes do not fit, or the groups do not divide the channels.
    ///
    /// # Reference
    /// Wu and He 2018, equation 7.
    #[track_caller]
    pub fn group_norm(
        &self,
        groups: usize,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
        eps: f64,
    ) -> Tensor<T> {
        or_panic(shape_rule("group_norm", self.shape(), groups, &[weight, bias]));
        normalised(self, groups, weight, bias, eps)
    }

    /// Normalises each channel of each sample over its places, then scales and shifts it.
    ///
    /// # Shape
    /// As [`Tensor::group_norm`].
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Reference
    /// Ulyanov et al. 2016.
    #[track_caller]
    pub fn instance_norm(
        &self,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
        eps: f64,
    ) -> Tensor<T> {
        let channels = self.shape().get(1).copied().unwrap_or(1);
        or_panic(shape_rule("instance_norm", self.shape(), channels, &[weight, bias]));
        normalised(self, channels, weight, bias, eps)
    }
}

fn shape_rule<T: Float>(
    name: &str,
    x: &[usize],
    groups: usize,
    params: &[Option<&Tensor<T>>],
) -> Result<(), ShapeError> {
    let fits = |param: &Option<&Tensor<T>>| param.is_none_or(|param| param.shape() == &x[1..2]);
    let divides = x.len() >= 2 && groups > 0 && x[1].is_multiple_of(groups);
    if !divides || !params.iter().all(fits) {
        let shapes: Vec<_> = params.iter().flatten().map(|param| param.shape()).collect();
        let rule = "x (N, C, ...), weight and bias (C), groups that divide C";
        let got = format!("{x:?}, {shapes:?} and {groups} groups");
        return Err(ShapeError::new(name, rule, got));
    }
    Ok(())
}

#[track_caller]
fn normalised<T: Float>(
    x: &Tensor<T>,
    groups: usize,
    weight: Option<&Tensor<T>>,
    bias: Option<&Tensor<T>>,
    eps: f64,
) -> Tensor<T> {
    if x.numel() == 0 {
        return x.clone();
    }
    let rows = x.shape()[0] * groups;
    let cols = x.numel() / rows;
    let mut y = x.reshape([rows, cols]).layer_norm([cols], None, None, eps).reshape(x.shape());
    if let Some(weight) = weight {
        y = y * per_channel(weight, x.rank());
    }
    if let Some(bias) = bias {
        y = y + per_channel(bias, x.rank());
    }
    y
}

/// The example's epsilon: large, so that a group of one has a tame derivative.
const EPS: f64 = 0.1;

/// A spec of one method: its name, shapes and number of groups for so many channels.
macro_rules! spec {
    ($name:literal, $formula:literal, $shapes:expr, $refused:expr, |$x:ident| $call:expr, $groups:expr) => {
        OpSpec {
            name: $name,
            formula: $formula,
            shapes: $shapes,
            domain: Domain::Range(-2.0, 2.0),
            build: build!(|$x| $call),
            oracle: Oracle::Whole(|x| by_loops(x, $groups(x[0].shape()[1]))),
            refused: $refused,
            slope: Slope::Smooth,
            cost: |shapes| Cost::elementwise(&shapes[..1], 8.0),
            tolerance: Tolerance::Terms(
                64.0,
                |x| by_loops(x, $groups(x[0].shape()[1])).abs() * 0.0 + 4.0 / EPS.sqrt(),
                "inputs below 2 over a deviation above √eps",
            ),
        }
    };
}

pub(super) const SPECS: &[OpSpec] = &[
    spec!(
        "group_norm",
        "y = (x - mean) / √(var + eps) weight + bias, statistics over a sample's two groups",
        &[
            &[&[1, 2], &[2], &[2]],
            &[&[3, 4, 5], &[4], &[4]],
            &[&[2, 6, 3, 2], &[6], &[6]],
            &[&[16, 64, 16, 16], &[64], &[64]],
        ],
        &[&[&[2, 3, 4], &[3], &[3]], &[&[2, 4, 4], &[3], &[4]], &[&[4], &[4], &[4]]],
        |x| x[0].group_norm(2, Some(&x[1]), Some(&x[2]), EPS),
        |_: usize| 2
    ),
    spec!(
        "group_norm instance_norm",
        "y = (x - mean) / √(var + eps) weight + bias, statistics over a sample's channel",
        &[
            &[&[1, 1, 1], &[1], &[1]],
            &[&[1, 1, 2], &[1], &[1]],
            &[&[3, 4, 5], &[4], &[4]],
            &[&[2, 3, 3, 2], &[3], &[3]],
            &[&[16, 64, 16, 16], &[64], &[64]],
        ],
        &[&[&[2, 4, 4], &[3], &[4]], &[&[4], &[4], &[4]]],
        |x| x[0].instance_norm(Some(&x[1]), Some(&x[2]), EPS),
        |channels: usize| channels
    ),
];

fn by_loops(x: &[Tensor<f64>], groups: usize) -> Tensor<f64> {
    let [x, weight, bias] = x else { unreachable!("three inputs") };
    let (channels, values) = (x.shape()[1], x.to_vec());
    let group = values.len() / (x.shape()[0] * groups);
    let places = values.len() / (x.shape()[0] * channels);
    let mut y = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        let own = &values[at / group * group..][..group];
        let mean = own.iter().sum::<f64>() / group as f64;
        let var = own.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / group as f64;
        let c = at / places % channels;
        y.push((value - mean) / (var + EPS).sqrt() * weight.at(&[c]) + bias.at(&[c]));
    }
    Tensor::from_vec(y, x.shape())
}
