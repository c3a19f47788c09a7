//! Batch norm with given statistics, an optional ReLU behind it, and its gradient.
//!
//! Training is [`super::batch_statistics`], then [`batch_norm`] with what it found; inference is
//! [`batch_norm`] with running statistics. Backward recomputes what it needs from the input.

use pulp::{Simd, WithSimd};

use super::sums::Inputs;
use crate::element::{Float, per_float};
use crate::reduce::Split;
use crate::registers::map;
use crate::simd::Vector;
use crate::{arch, par, scratch};

/// Elements of a task.
const TASK: usize = 16 * 1024;

/// What every channel is normalised with; each slice has one value per channel.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a, T> {
    /// Means.
    pub mean: &'a [T],
    /// Biased variances.
    pub var: &'a [T],
    /// Scales; `None` is 1.
    pub gamma: Option<&'a [T]>,
    /// Offsets; `None` is 0.
    pub beta: Option<&'a [T]>,
    /// Added to the variance.
    pub eps: f64,
    /// Whether a ReLU follows.
    pub relu: bool,
}

/// `y = (x - mean) gamma / sqrt(var + eps) + beta`, then `max(y, 0)` with `relu`; channels along
/// `axis` of `[outer, axis, inner]`.
///
/// # Numerics
/// NaN stays NaN, also behind the ReLU.
///
/// # Panics
/// If lengths do not fit.
///
/// # Reference
/// Ioffe and Szegedy 2015, algorithm 1.
pub fn batch_norm<T: Float>(x: &[T], split: Split, norm: &BatchNorm<'_, T>, y: &mut [T]) {
    check("batch_norm", split, norm, &[x.len(), y.len()]);
    per_float!(T: forward(x: &[T], split: Split, norm: &BatchNorm<T>, y: &mut [T]))
}

/// The gradients of [`batch_norm`].
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// Of the input, as long as it.
    pub dx: &'a mut [T],
    /// Of the scales, one per channel.
    pub dgamma: &'a mut [T],
    /// Of the offsets, one per channel.
    pub dbeta: &'a mut [T],
}

/// Gradient of [`batch_norm`] from its input and `dy`.
///
/// With `xhat = (x - mean) rstd` and sums over a channel's n elements: `dbeta = sum dy`,
/// `dgamma = sum dy xhat`, `dx = gamma rstd (dy - dbeta / n - xhat dgamma / n)`; where the
/// statistics are constants (`training` false), `dx = gamma rstd dy`. Behind a ReLU, `dy` counts
/// where `y > 0`.
///
/// # Panics
/// If lengths do not fit.
pub fn batch_norm_backward<T: Float>(
    x: &[T],
    dy: &[T],
    split: Split,
    norm: &BatchNorm<'_, T>,
    training: bool,
    gradients: Gradients<'_, T>,
) {
    check("batch_norm_backward", split, norm, &[x.len(), dy.len(), gradients.dx.len()]);
    assert!(
        gradients.dgamma.len() == split.axis && gradients.dbeta.len() == split.axis,
        "batch_norm_backward: needs {} gradients of gamma and beta",
        split.axis
    );
    per_float!(T: backward(
        x: &[T], dy: &[T], split: Split, norm: &BatchNorm<T>, training: bool, gradients: Gradients<T>
    ))
}

#[track_caller]
fn check<T>(kernel: &str, split: Split, norm: &BatchNorm<'_, T>, lens: &[usize]) {
    let options = [norm.gamma, norm.beta];
    let fits = lens.iter().all(|&len| len == split.elements())
        && norm.mean.len() == split.axis
        && norm.var.len() == split.axis
        && options.iter().flatten().all(|p| p.len() == split.axis);
    assert!(
        fits,
        "{kernel}: needs {} elements and {} values per channel for {split:?}; got {lens:?}, {} means and {} variances",
        split.elements(),
        split.axis,
        norm.mean.len(),
        norm.var.len()
    );
}

fn forward<T: Float>(x: &[T], split: Split, norm: &BatchNorm<'_, T>, y: &mut [T]) {
    scratch::with(2 * split.axis, |scratch: &mut [T]| {
        let (mean, scale, beta) = coefficients(norm, scratch);
        let coefficients = [mean, scale, beta, mean, mean];
        match norm.relu {
            true => map_channels(split, [x, x], coefficients, y, Normalise::<true>),
            false => map_channels(split, [x, x], coefficients, y, Normalise::<false>),
        }
    });
}

/// Mean, `gamma rstd` and beta per channel.
fn coefficients<'a, T: Float>(
    norm: &BatchNorm<'a, T>,
    scratch: &'a mut [T],
) -> (&'a [T], &'a [T], &'a [T]) {
    let (scale, beta) = scratch.split_at_mut(norm.mean.len());
    for (c, (scale, beta)) in scale.iter_mut().zip(&mut *beta).enumerate() {
        let gamma = norm.gamma.map_or(1.0, |gamma| gamma[c].to_f64());
        *scale = T::from_f64(gamma * rstd(norm, c));
        *beta = norm.beta.map_or(T::ZERO, |beta| beta[c]);
    }
    (norm.mean, scale, beta)
}

fn rstd<T: Float>(norm: &BatchNorm<'_, T>, channel: usize) -> f64 {
    1.0 / (norm.var[channel].to_f64() + norm.eps).sqrt()
}

/// What is computed from `x`, `dy` and the coefficients of their channel.
trait ChannelMap<T: Float>: Copy + Sync {
    fn apply<S: Simd>(self, x: [Vector<T, S>; 2], coefficients: [Vector<T, S>; 5]) -> Vector<T, S>;
}

/// The forward formula. Not fused into a multiply-add, so that the sums of the backward find the same sign.
#[derive(Clone, Copy)]
struct Normalise<const RELU: bool>;

impl<T: Float, const RELU: bool> ChannelMap<T> for Normalise<RELU> {
    #[inline(always)]
    fn apply<S: Simd>(self, [x, _]: [Vector<T, S>; 2], c: [Vector<T, S>; 5]) -> Vector<T, S> {
        let [mean, scale, beta, _, _] = c;
        let y = (x - mean) * scale + beta;
        let zero = y.same(T::ZERO);
        if RELU { y.less(zero).select(zero, y) } else { y }
    }
}

/// `dx = scale (dy + (x - mean) along_x + constant)`
#[derive(Clone, Copy)]
struct Differentiate<const RELU: bool>;

impl<T: Float, const RELU: bool> ChannelMap<T> for Differentiate<RELU> {
    #[inline(always)]
    fn apply<S: Simd>(self, [x, dy]: [Vector<T, S>; 2], c: [Vector<T, S>; 5]) -> Vector<T, S> {
        let [mean, scale, beta, along_x, constant] = c;
        let x = x - mean;
        let dy = match RELU {
            true => dy.same(T::ZERO).less(x * scale + beta).select_or_zero(dy),
            false => dy,
        };
        scale * (dy + x.mul_add(along_x, constant))
    }
}

/// `out = f(x, coefficients of the channel)` for two inputs of one shape.
fn map_channels<T: Float>(
    split: Split,
    x: [&[T]; 2],
    coefficients: [&[T]; 5],
    out: &mut [T],
    f: impl ChannelMap<T>,
) {
    let Split { axis: channels, inner, .. } = split;
    if out.is_empty() {
        return;
    }
    // A row holds all channels, or a run of one.
    let row = if inner == 1 { channels } else { inner };
    let group = TASK.div_ceil(row);
    let work = out.len();
    par::chunks_mut(out, group * row, work, |task, out| {
        let x = x.map(|x| &x[task * group * row..]);
        arch::dispatch(MapRows { x, coefficients, row, inner, first: task * group, out, f });
    });
}

struct MapRows<'a, T, F> {
    x: [&'a [T]; 2],
    coefficients: [&'a [T]; 5],
    row: usize,
    inner: usize,
    first: usize,
    out: &'a mut [T],
    f: F,
}

impl<T: Float, F: ChannelMap<T>> WithSimd for MapRows<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [a, b] = self.x.map(|x| x.chunks_exact(self.row));
        let rows = a.zip(b).zip(self.out.chunks_exact_mut(self.row));
        let [c0, c1, c2, c3, c4] = self.coefficients;
        for (i, ((x, dy), out)) in rows.enumerate() {
            if self.inner == 1 {
                map(
                    simd,
                    [x, dy, c0, c1, c2, c3, c4],
                    out,
                    #[inline(always)]
                    |[x, dy, c0, c1, c2, c3, c4]| self.f.apply([x, dy], [c0, c1, c2, c3, c4]),
                );
            } else {
                let channel = (self.first + i) % c0.len();
                let lanes = self.coefficients.map(|c| Vector::splat(simd, c[channel]));
                map(
                    simd,
                    [x, dy],
                    out,
                    #[inline(always)]
                    |x| self.f.apply(x, lanes),
                );
            }
        }
    }
}

fn backward<T: Float>(
    x: &[T],
    dy: &[T],
    split: Split,
    norm: &BatchNorm<'_, T>,
    training: bool,
    gradients: Gradients<'_, T>,
) {
    let Gradients { dx, dgamma, dbeta } = gradients;
    let channels = split.axis;
    if x.is_empty() {
        // No elements, no gradient, although the statistics are NaN.
        dgamma.fill(T::ZERO);
        return dbeta.fill(T::ZERO);
    }
    let count = (split.outer * split.inner) as f64;
    scratch::with(4 * channels, |scratch: &mut [T]| {
        let (scratch, corrections) = scratch.split_at_mut(2 * channels);
        let (mean, scale, beta) = coefficients(norm, scratch);
        let (along_x, constant) = corrections.split_at_mut(channels);
        // sums (2, channels): of dy, and of dy (x - mean)
        scratch::with(2 * channels, |sums: &mut [f64]| {
            let inputs = Inputs { x, dy, split, coefficients: [mean, scale, beta] };
            match norm.relu {
                true => inputs.sums::<true>(sums),
                false => inputs.sums::<false>(sums),
            }
            for c in 0..channels {
                let (sum, sum_x, rstd) = (sums[c], sums[channels + c], rstd(norm, c));
                let share = if training { 1.0 / count } else { 0.0 };
                dbeta[c] = T::from_f64(sum);
                dgamma[c] = T::from_f64(sum_x * rstd);
                along_x[c] = T::from_f64(-sum_x * rstd * rstd * share);
                constant[c] = T::from_f64(-sum * share);
            }
        });
        let coefficients = [mean, scale, beta, &*along_x, &*constant];
        match norm.relu {
            true => map_channels(split, [x, dy], coefficients, dx, Differentiate::<true>),
            false => map_channels(split, [x, dy], coefficients, dx, Differentiate::<false>),
        }
    });
}
