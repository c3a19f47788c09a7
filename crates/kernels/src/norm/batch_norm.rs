//! Batch norm, with the batch's statistics or given ones, an optional ReLU behind it, and its
//! gradient.
//!
//! Training is [`batch_norm_training`]; inference is [`batch_norm`] with running statistics.
//! Backward recomputes what it needs from the input. Where the elements of some channels fit the
//! cache ([`Blocks::of_channels`]), both passes over them follow on each other; else each pass
//! goes over all channels.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocks::{Block, Blocks, STRIP, map_columns};
use super::statistics::{batch_statistics, moments};
use super::sums::Inputs;
use crate::disjoint::Disjoint;
use crate::element::{Float, per_float};
use crate::reduce::Split;
use crate::registers::map;
use crate::simd::Vector;
use crate::{arch, array, par, scratch};

/// Elements of a task that only maps.
const TASK: usize = 16 * 1024;

/// Rows of a part whose sums are found together.
const PART: usize = 1024;

/// What follows the normalisation; each slice has one value per channel.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a, T> {
    /// Scales; `None` is 1.
    pub gamma: Option<&'a [T]>,
    /// Offsets; `None` is 0.
    pub beta: Option<&'a [T]>,
    /// Added to the variance.
    pub eps: f64,
    /// Added to the output, before the ReLU: as long as the input. The gradient of what it is added
    /// to is that of the sum.
    pub residual: Option<&'a [T]>,
    /// Whether a ReLU follows.
    pub relu: bool,
}

/// What every channel is normalised with; each slice has one value per channel.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a, T> {
    /// Means.
    pub mean: &'a [T],
    /// Biased variances.
    pub var: &'a [T],
    /// As [`Affine::gamma`].
    pub gamma: Option<&'a [T]>,
    /// As [`Affine::beta`].
    pub beta: Option<&'a [T]>,
    /// As [`Affine::eps`].
    pub eps: f64,
    /// As [`Affine::residual`].
    pub residual: Option<&'a [T]>,
    /// As [`Affine::relu`].
    pub relu: bool,
}

impl<'a, T> BatchNorm<'a, T> {
    pub(super) fn new(mean: &'a [T], var: &'a [T], affine: &Affine<'a, T>) -> Self {
        let Affine { gamma, beta, eps, residual, relu } = *affine;
        BatchNorm { mean, var, gamma, beta, eps, residual, relu }
    }

    fn affine(&self) -> Affine<'a, T> {
        let BatchNorm { gamma, beta, eps, residual, relu, .. } = *self;
        Affine { gamma, beta, eps, residual, relu }
    }
}

impl<T: Float> Affine<'_, T> {
    /// Fills `rstd` with `1 / sqrt(var + eps)`, `scale` with `gamma rstd`, and `beta`, for the
    /// channels from the `first`-th on.
    fn coefficients(
        &self,
        first: usize,
        var: &[T],
        rstd: &mut [f64],
        [scale, beta]: [&mut [T]; 2],
    ) {
        // Loops without choices, of which the compiler makes vectors.
        for (rstd, &var) in rstd.iter_mut().zip(var) {
            *rstd = 1.0 / (var.to_f64() + self.eps).sqrt();
        }
        match self.gamma {
            Some(gamma) => {
                for ((scale, &rstd), &gamma) in scale.iter_mut().zip(&*rstd).zip(&gamma[first..]) {
                    *scale = T::from_f64(gamma.to_f64() * rstd);
                }
            }
            None => scale.iter_mut().zip(&*rstd).for_each(|(scale, &r)| *scale = T::from_f64(r)),
        }
        match self.beta {
            Some(given) => beta.copy_from_slice(&given[first..][..beta.len()]),
            None => beta.fill(T::ZERO),
        }
    }

    /// Outputs up to here become this; NaN, which nothing is below, without a ReLU.
    fn floor(&self) -> T {
        if self.relu { T::ZERO } else { T::NAN }
    }
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

/// [`batch_norm`] with the batch's own statistics ([`batch_statistics`]), which go to `mean` and
/// `var`, one per channel.
///
/// # Panics
/// If lengths do not fit.
pub fn batch_norm_training<T: Float>(
    x: &[T],
    split: Split,
    affine: &Affine<'_, T>,
    y: &mut [T],
    mean: &mut [T],
    var: &mut [T],
) {
    let norm = BatchNorm::new(mean, var, affine);
    check("batch_norm_training", split, &norm, &[x.len(), y.len()]);
    per_float!(T: forward_training(
        x: &[T], split: Split, affine: &Affine<T>, y: &mut [T], mean: &mut [T], var: &mut [T]
    ))
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
/// where `y > 0` (or NaN); with a residual, the caller has set it to 0 elsewhere.
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
        && options.iter().flatten().all(|p| p.len() == split.axis)
        && norm.residual.is_none_or(|residual| residual.len() == split.elements());
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
    if x.is_empty() {
        return;
    }
    let channels = split.axis;
    let affine = norm.affine();
    scratch::with(2 * channels, |scratch: &mut [T]| {
        let (scale, beta) = scratch.split_at_mut(channels);
        scratch::with(channels, |rstd: &mut [f64]| {
            affine.coefficients(0, norm.var, rstd, [&mut *scale, &mut *beta]);
        });
        let coefficients = [norm.mean, scale, beta];
        let blocks = Blocks::of_elements(split, TASK);
        let work = x.len();
        let y = Disjoint::new(y);
        par::for_each(blocks.count(), work, |index| {
            let block = blocks.get(index);
            let coefficients = coefficients.map(|c| &c[block.channels()]);
            // SAFETY: each element belongs to one block.
            arch::dispatch_for::<T, _>(unsafe {
                Normalise::new(x, block, coefficients, &affine, &y)
            });
        });
    });
}

fn forward_training<T: Float>(
    x: &[T],
    split: Split,
    affine: &Affine<'_, T>,
    y: &mut [T],
    mean: &mut [T],
    var: &mut [T],
) {
    let Some(blocks) = Blocks::of_channels::<T>(split).filter(|_| !x.is_empty()) else {
        batch_statistics(x, split, mean, var);
        return forward(x, split, &BatchNorm::new(mean, var, affine), y);
    };
    let (y, mean, var) = (Disjoint::new(y), Disjoint::new(mean), Disjoint::new(var));
    par::for_each(blocks.count(), x.len(), |index| {
        let block = blocks.get(index);
        let channels = block.channels();
        let count = channels.len();
        // SAFETY: each channel belongs to one block.
        let (mean, var) = unsafe { (mean.range(channels.clone()), var.range(channels.clone())) };
        let (mut means, mut m2) = ([0.0; STRIP], [0.0; STRIP]);
        moments(x, block, &mut means[..count], &mut m2[..count]);
        for i in 0..count {
            mean[i] = T::from_f64(means[i]);
            var[i] = T::from_f64(m2[i] / block.per_channel() as f64);
        }
        let (mut scale, mut beta) = ([T::ZERO; STRIP], [T::ZERO; STRIP]);
        let (scale, beta) = (&mut scale[..count], &mut beta[..count]);
        // The variances have been used.
        affine.coefficients(channels.start, var, &mut m2[..count], [&mut *scale, &mut *beta]);
        let coefficients: [&[T]; 3] = [mean, scale, beta];
        // SAFETY: each element belongs to one block.
        arch::dispatch_for::<T, _>(unsafe { Normalise::new(x, block, coefficients, affine, &y) });
    });
}

/// The forward formula. Not fused into a multiply-add, so that backward finds the same sign.
#[inline(always)]
fn normalised<T: Float, S: Simd>(
    x: Vector<T, S>,
    [mean, scale, beta]: [Vector<T, S>; 3],
) -> Vector<T, S> {
    (x - mean) * scale + beta
}

#[inline(always)]
fn cut_off<T: Float, S: Simd>(y: Vector<T, S>, floor: Vector<T, S>) -> Vector<T, S> {
    y.less(floor).select(floor, y)
}

/// [`normalised`] for a block.
struct Normalise<'a, T> {
    x: &'a [T],
    block: Block,
    /// Mean, scale and beta of the block's channels.
    coefficients: [&'a [T]; 3],
    residual: Option<&'a [T]>,
    floor: T,
    y: &'a Disjoint<'a, T>,
}

impl<'a, T: Float> Normalise<'a, T> {
    /// # Safety
    /// Until it has run, nobody else uses the block's elements of `y`.
    unsafe fn new(
        x: &'a [T],
        block: Block,
        coefficients: [&'a [T]; 3],
        affine: &Affine<'a, T>,
        y: &'a Disjoint<'_, T>,
    ) -> Self {
        let (residual, floor) = (affine.residual, affine.floor());
        Normalise { x, block, coefficients, residual, floor, y }
    }
}

impl<T: Float> WithSimd for Normalise<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let floor = Vector::splat(simd, self.floor);
        if !self.block.is_run {
            // SAFETY: by the contract of `new`.
            return unsafe { self.columns(simd, floor) };
        }
        let coefficients = splats(simd, self.coefficients);
        for row in 0..self.block.rows {
            let range = self.block.row(row);
            let x = &self.x[range.clone()];
            // SAFETY: by the contract of `new`.
            let y = unsafe { self.y.range(range.clone()) };
            match self.residual {
                None => map(
                    simd,
                    [x],
                    y,
                    #[inline(always)]
                    |[x]| cut_off(normalised(x, coefficients), floor),
                ),
                Some(residual) => map(
                    simd,
                    [x, &residual[range]],
                    y,
                    #[inline(always)]
                    |[x, residual]| cut_off(normalised(x, coefficients) + residual, floor),
                ),
            }
        }
    }
}

impl<T: Float> Normalise<'_, T> {
    /// A block with a channel per element.
    ///
    /// # Safety
    /// As for [`Normalise::new`].
    #[inline(always)]
    unsafe fn columns<S: Simd>(self, simd: S, floor: Vector<T, S>) {
        let Normalise { x, block, coefficients, residual, y, .. } = self;
        // SAFETY: by this function's contract.
        unsafe {
            match residual {
                None => map_columns(
                    simd,
                    block,
                    [x],
                    y,
                    coefficients,
                    #[inline(always)]
                    |[x], coefficients| cut_off(normalised(x, coefficients), floor),
                ),
                Some(residual) => map_columns(
                    simd,
                    block,
                    [x, residual],
                    y,
                    coefficients,
                    #[inline(always)]
                    |[x, residual], coefficients| {
                        cut_off(normalised(x, coefficients) + residual, floor)
                    },
                ),
            }
        }
    }
}

/// The coefficients of a single channel.
#[inline(always)]
fn splats<T: Float, S: Simd, const C: usize>(
    simd: S,
    coefficients: [&[T]; C],
) -> [Vector<T, S>; C] {
    array::map(
        coefficients,
        #[inline(always)]
        |c| Vector::splat(simd, c[0]),
    )
}

/// What the backward of all blocks has in common.
struct Backward<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    norm: &'a BatchNorm<'a, T>,
    /// The share of the mean of a channel that an element has; 0 for given statistics.
    share: f64,
    dx: Disjoint<'a, T>,
    dgamma: Disjoint<'a, T>,
    dbeta: Disjoint<'a, T>,
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
    if x.is_empty() {
        // No elements, no gradient, although the statistics are NaN.
        dgamma.fill(T::ZERO);
        return dbeta.fill(T::ZERO);
    }
    let count = (split.outer * split.inner) as f64;
    let backward = Backward {
        x,
        dy,
        norm,
        share: if training { 1.0 / count } else { 0.0 },
        dx: Disjoint::new(dx),
        dgamma: Disjoint::new(dgamma),
        dbeta: Disjoint::new(dbeta),
    };
    match Blocks::of_channels::<T>(split) {
        Some(blocks) => {
            par::for_each(blocks.count(), 2 * x.len(), |index| {
                backward.whole_channels(blocks.get(index));
            });
        }
        None => backward.in_two_passes(split),
    }
}

impl<T: Float> Backward<'_, T> {
    /// Where outputs up to here have no gradient.
    fn floor(&self) -> T {
        // What a residual was added to cannot be seen from the input alone.
        if self.norm.residual.is_some() { T::NAN } else { self.norm.affine().floor() }
    }

    /// All of the backward, for channels whose elements are all in the block.
    fn whole_channels(&self, block: Block) {
        let channels = block.channels();
        let count = channels.len();
        let mut coefficients = [[T::ZERO; STRIP]; 4];
        let [scale, beta, along_x, constant] = coefficients.each_mut().map(|c| &mut c[..count]);
        let mean = &self.norm.mean[channels.clone()];
        let mut rstd = [0.0; STRIP];
        let rstd = &mut rstd[..count];
        let var = &self.norm.var[channels.clone()];
        self.norm.affine().coefficients(channels.start, var, rstd, [&mut *scale, &mut *beta]);
        let (mut sum, mut sum_x) = ([0.0; STRIP], [0.0; STRIP]);
        let (sum, sum_x) = (&mut sum[..count], &mut sum_x[..count]);
        let floor = self.floor();
        let inputs =
            Inputs { x: self.x, dy: self.dy, block, coefficients: [mean, scale, beta], floor };
        inputs.sums(sum, sum_x);
        // SAFETY: each channel belongs to one block.
        unsafe { self.finish(channels, rstd, [sum, sum_x], [along_x, constant]) };
        let coefficients = [mean, scale, beta, along_x, constant];
        // SAFETY: each element belongs to one block.
        arch::dispatch_for::<T, _>(unsafe { Differentiate::new(self, block, coefficients) });
    }

    /// The gradients of gamma and beta from the sums of some channels, and the two coefficients of
    /// `dx` that depend on them.
    ///
    /// # Safety
    /// Nobody else uses these channels of `dgamma` and `dbeta`.
    unsafe fn finish(
        &self,
        channels: Range<usize>,
        rstd: &[f64],
        [sum, sum_x]: [&[f64]; 2],
        [along_x, constant]: [&mut [T]; 2],
    ) {
        // SAFETY: by this function's contract.
        let (dgamma, dbeta) =
            unsafe { (self.dgamma.range(channels.clone()), self.dbeta.range(channels)) };
        let sums = rstd.iter().zip(sum.iter().zip(sum_x));
        let out = dgamma.iter_mut().zip(dbeta).zip(along_x.iter_mut().zip(constant));
        for ((&rstd, (&sum, &sum_x)), ((dgamma, dbeta), (along_x, constant))) in sums.zip(out) {
            *dbeta = T::from_f64(sum);
            *dgamma = T::from_f64(sum_x * rstd);
            *along_x = T::from_f64(-sum_x * rstd * rstd * self.share);
            *constant = T::from_f64(-sum * self.share);
        }
    }

    /// The sums of all channels, then `dx`.
    fn in_two_passes(&self, split: Split) {
        let channels = split.axis;
        scratch::with(4 * channels, |scratch: &mut [T]| {
            let (coefficients, corrections) = scratch.split_at_mut(2 * channels);
            let (scale, beta) = coefficients.split_at_mut(channels);
            let (along_x, constant) = corrections.split_at_mut(channels);
            scratch::with(channels, |rstd: &mut [f64]| {
                let var = self.norm.var;
                self.norm.affine().coefficients(0, var, rstd, [&mut *scale, &mut *beta]);
                self.sums(split, [self.norm.mean, scale, beta], |sums| {
                    // SAFETY: no task runs now.
                    unsafe { self.finish(0..channels, rstd, sums, [along_x, constant]) };
                });
            });
            let coefficients = [self.norm.mean, scale, beta, along_x, constant];
            let blocks = Blocks::of_elements(split, TASK);
            par::for_each(blocks.count(), self.x.len(), |index| {
                let block = blocks.get(index);
                let coefficients = coefficients.map(|c| &c[block.channels()]);
                // SAFETY: each element belongs to one block.
                arch::dispatch_for::<T, _>(unsafe {
                    Differentiate::new(self, block, coefficients)
                });
            });
        });
    }

    /// Gives `use_them` the sums of all channels.
    fn sums(&self, split: Split, coefficients: [&[T]; 3], use_them: impl FnOnce([&[f64]; 2])) {
        let channels = split.axis;
        let blocks = Blocks::of_parts(split, PART);
        let floor = self.floor();
        // partial (part, 2, channels)
        scratch::with(blocks.parts() * 2 * channels, |partial: &mut [f64]| {
            let shared = Disjoint::new(partial);
            par::for_each(blocks.count(), self.x.len(), |index| {
                let block = blocks.get(index);
                let of = block.channels();
                let start = index / blocks.strips() * 2 * channels;
                // SAFETY: each strip of each part belongs to one block.
                let (sum, sum_x) = unsafe {
                    (
                        shared.range(start + of.start..start + of.end),
                        shared.range(start + channels + of.start..start + channels + of.end),
                    )
                };
                let coefficients = coefficients.map(|c| &c[of.clone()]);
                Inputs { x: self.x, dy: self.dy, block, coefficients, floor }.sums(sum, sum_x);
            });
            let (total, parts) = partial.split_at_mut(2 * channels);
            for part in parts.chunks_exact(2 * channels) {
                for (total, &part) in total.iter_mut().zip(part) {
                    *total += part;
                }
            }
            let (sum, sum_x) = total.split_at(channels);
            use_them([sum, sum_x]);
        });
    }
}

/// `scale (dy + (x - mean) along_x + constant)`, with `dy` where `y` is above the floor.
#[inline(always)]
fn differentiated<T: Float, S: Simd>(
    [x, dy]: [Vector<T, S>; 2],
    [mean, scale, beta, along_x, constant]: [Vector<T, S>; 5],
    floor: Vector<T, S>,
) -> Vector<T, S> {
    let d = x - mean;
    let y = d * scale + beta;
    let dy = y.less_equal(floor).select(dy.same(T::ZERO), dy);
    scale * (dy + d.mul_add(along_x, constant))
}

/// [`differentiated`] for a block: `dx`.
struct Differentiate<'a, T> {
    of: &'a Backward<'a, T>,
    block: Block,
    /// Mean, scale, beta, `along_x` and `constant` of the block's channels.
    coefficients: [&'a [T]; 5],
}

impl<'a, T> Differentiate<'a, T> {
    /// # Safety
    /// Until it has run, nobody else uses the block's elements of `dx`.
    unsafe fn new(of: &'a Backward<'_, T>, block: Block, coefficients: [&'a [T]; 5]) -> Self {
        Differentiate { of, block, coefficients }
    }
}

impl<T: Float> WithSimd for Differentiate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let floor = Vector::splat(simd, self.of.floor());
        let Backward { x, dy, dx, .. } = self.of;
        if !self.block.is_run {
            // SAFETY: by the contract of `new`.
            return unsafe {
                map_columns(
                    simd,
                    self.block,
                    [x, dy],
                    dx,
                    self.coefficients,
                    #[inline(always)]
                    |x, coefficients| differentiated(x, coefficients, floor),
                );
            };
        }
        let coefficients = splats(simd, self.coefficients);
        for row in 0..self.block.rows {
            let range = self.block.row(row);
            // SAFETY: by the contract of `new`.
            let dx = unsafe { dx.range(range.clone()) };
            map(
                simd,
                [&x[range.clone()], &dy[range]],
                dx,
                #[inline(always)]
                |x| differentiated(x, coefficients, floor),
            );
        }
    }
}
