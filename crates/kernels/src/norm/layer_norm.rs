//! Layer norm and RMS norm over rows, forward and backward.
//!
//! Forward reads a row three times, from the L1 cache after the first: mean; distances from it
//! (RMS norm has no mean to take off); result. Backward reads it three times as well: two sums;
//! `dx`; and the parameters' gradients, four rows at a time.

use pulp::{Simd, WithSimd};

use super::Gradients;
use crate::disjoint::Disjoint;
use crate::element::{Float, per_float};
use crate::prefetch::NextRows;
use crate::registers::{BLOCK, fold, map, sum};
use crate::simd::Vector;
use crate::{arch, array, par, scratch};

/// Elements of a task of the forward.
const TASK: usize = 16 * 1024;

/// At most so many rows of a task of the backward, whose parameter gradients are summed in `T`.
const PART: usize = 128;

/// The parameters of a layer norm.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm<'a, T> {
    /// Scales, one per column; `None` is 1.
    pub gamma: Option<&'a [T]>,
    /// Offsets, one per column; `None` is 0.
    pub beta: Option<&'a [T]>,
    /// Added to the variance.
    pub eps: f64,
}

/// `y = (x - mean) rstd gamma + beta` for each row of `x [rows, cols]`, with the row's mean and
/// `rstd = 1 / sqrt(var + eps)`, var biased. `mean` and `rstd [rows]` are saved for backward.
///
/// # Panics
/// If lengths do not fit.
///
/// # Reference
/// Ba, Kiros and Hinton 2016, equation 4.
pub fn layer_norm<T: Float>(
    x: &[T],
    cols: usize,
    norm: &LayerNorm<'_, T>,
    y: &mut [T],
    mean: &mut [T],
    rstd: &mut [T],
) {
    let rows = mean.len();
    check("layer_norm", rows, cols, &[x.len(), y.len()], &[norm.gamma, norm.beta]);
    assert!(rstd.len() == rows, "layer_norm: needs {rows} rstd; got {}", rstd.len());
    per_float!(T: forward_centered(
        x: &[T], cols: usize, norm: &LayerNorm<T>, y: &mut [T], mean: &mut [T], rstd: &mut [T]
    ))
}

/// `y = x rstd gamma` for each row of `x [rows, cols]`, `rstd = 1 / sqrt(mean x^2 + eps)`.
///
/// # Panics
/// If lengths do not fit.
///
/// # Reference
/// Zhang and Sennrich 2019, equation 4, with eps inside the root as in PyTorch.
pub fn rms_norm<T: Float>(
    x: &[T],
    cols: usize,
    gamma: Option<&[T]>,
    eps: f64,
    y: &mut [T],
    rstd: &mut [T],
) {
    check("rms_norm", rstd.len(), cols, &[x.len(), y.len()], &[gamma]);
    let norm = &LayerNorm { gamma, beta: None, eps };
    per_float!(T: forward_plain(
        x: &[T], cols: usize, norm: &LayerNorm<T>, y: &mut [T], rstd: &mut [T]
    ))
}

/// Gradient of [`layer_norm`]: with `xhat = (x - mean) rstd` and `g = dy gamma`,
/// `dx = rstd (g - mean(g) - xhat mean(g xhat))` per row, `dgamma = sum dy xhat` and
/// `dbeta = sum dy` over rows.
///
/// # Panics
/// If lengths do not fit.
pub fn layer_norm_backward<T: Float>(
    x: &[T],
    dy: &[T],
    gamma: Option<&[T]>,
    mean: &[T],
    rstd: &[T],
    gradients: Gradients<'_, T>,
) {
    let (rows, cols) = (rstd.len(), gradients.dgamma.len());
    check("layer_norm_backward", rows, cols, &[x.len(), dy.len(), gradients.dx.len()], &[gamma]);
    assert!(
        mean.len() == rows && gradients.dbeta.len() == cols,
        "layer_norm_backward: needs {rows} means and {cols} gradients of beta"
    );
    per_float!(T: backward_centered(
        x: &[T], dy: &[T], gamma: Option<&[T]>, mean: &[T], rstd: &[T], gradients: Gradients<T>
    ))
}

/// Gradient of [`rms_norm`]: with `xhat = x rstd` and `g = dy gamma`,
/// `dx = rstd (g - xhat mean(g xhat))` per row and `dgamma = sum dy xhat` over rows.
///
/// # Panics
/// If lengths do not fit.
pub fn rms_norm_backward<T: Float>(
    x: &[T],
    dy: &[T],
    gamma: Option<&[T]>,
    rstd: &[T],
    dx: &mut [T],
    dgamma: &mut [T],
) {
    check("rms_norm_backward", rstd.len(), dgamma.len(), &[x.len(), dy.len(), dx.len()], &[gamma]);
    per_float!(T: backward_plain(
        x: &[T], dy: &[T], gamma: Option<&[T]>, rstd: &[T], dx: &mut [T], dgamma: &mut [T]
    ))
}

#[track_caller]
fn check<T>(kernel: &str, rows: usize, cols: usize, lens: &[usize], params: &[Option<&[T]>]) {
    let fits = lens.iter().all(|&len| len == rows * cols)
        && params.iter().flatten().all(|p| p.len() == cols);
    assert!(
        fits,
        "{kernel}: needs {rows} rows of {cols} and {cols} of each parameter; got {lens:?} elements and parameters of {:?}",
        params.iter().map(|p| p.map(<[T]>::len)).collect::<Vec<_>>()
    );
}

fn forward_centered<T: Float>(
    x: &[T],
    cols: usize,
    norm: &LayerNorm<'_, T>,
    y: &mut [T],
    mean: &mut [T],
    rstd: &mut [T],
) {
    forward(x, cols, norm, y, Some(mean), rstd);
}

fn forward_plain<T: Float>(
    x: &[T],
    cols: usize,
    norm: &LayerNorm<'_, T>,
    y: &mut [T],
    rstd: &mut [T],
) {
    forward(x, cols, norm, y, None, rstd);
}

/// Rows are centered if means are asked for.
fn forward<T: Float>(
    x: &[T],
    cols: usize,
    norm: &LayerNorm<'_, T>,
    y: &mut [T],
    mean: Option<&mut [T]>,
    rstd: &mut [T],
) {
    let rows = rstd.len();
    let centered = mean.is_some();
    let mean = mean.unwrap_or_default();
    if cols == 0 {
        mean.fill(T::NAN);
        return rstd.fill(T::NAN);
    }
    let group = TASK.div_ceil(cols);
    let (y, mean, rstd) = (Disjoint::new(y), Disjoint::new(mean), Disjoint::new(rstd));
    with_parameters(norm.gamma, norm.beta, cols, |gamma, beta| {
        par::for_each(rows.div_ceil(group), x.len(), |task| {
            let (first, end) = (task * group, rows.min((task + 1) * group));
            // SAFETY: each row belongs to one task.
            let (y, mean, rstd) = unsafe {
                (
                    y.range(first * cols..end * cols),
                    if centered { mean.range(first..end) } else { &mut [] },
                    rstd.range(first..end),
                )
            };
            let x = &x[first * cols..end * cols];
            let eps = norm.eps;
            arch::dispatch_for::<T, _>(Forward { x, cols, gamma, beta, eps, y, mean, rstd });
        });
    });
}

/// Ones and zeros in place of parameters that are not there.
fn with_parameters<T: Float, R>(
    gamma: Option<&[T]>,
    beta: Option<&[T]>,
    cols: usize,
    use_them: impl FnOnce(&[T], &[T]) -> R,
) -> R {
    let missing = |param: Option<&[T]>| if param.is_none() { cols } else { 0 };
    scratch::with(missing(gamma) + missing(beta), |filled: &mut [T]| {
        let (ones, zeros) = filled.split_at_mut(missing(gamma));
        ones.fill(T::ONE);
        zeros.fill(T::ZERO);
        use_them(gamma.unwrap_or(ones), beta.unwrap_or(zeros))
    })
}

struct Forward<'a, T> {
    x: &'a [T],
    cols: usize,
    gamma: &'a [T],
    beta: &'a [T],
    eps: f64,
    y: &'a mut [T],
    /// Empty where rows are not centered.
    mean: &'a mut [T],
    rstd: &'a mut [T],
}

impl<T: Float> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let cols = self.cols;
        let rows = self.x.chunks_exact(cols).zip(self.y.chunks_exact_mut(cols));
        for (row, ((x, y), rstd)) in rows.zip(self.rstd).enumerate() {
            let mut center = T::ZERO;
            if let Some(mean) = self.mean.get_mut(row) {
                center = T::from_f64(
                    sum(
                        simd,
                        [x],
                        [T::ZERO],
                        #[inline(always)]
                        |[x]| x,
                    ) / cols as f64,
                );
                *mean = center;
            }
            let mean = Vector::splat(simd, center);
            let squares = sum(
                simd,
                [x],
                [center],
                #[inline(always)]
                |[x]| {
                    let d = x - mean;
                    d * d
                },
            );
            *rstd = T::from_f64(1.0 / (squares / cols as f64 + self.eps).sqrt());
            let scale = Vector::splat(simd, *rstd);
            let next = NextRows::new([x], [&*y], cols);
            map(
                simd,
                [x, self.gamma, self.beta],
                y,
                #[inline(always)]
                |[x, gamma, beta]| {
                    next.ask(T::lanes::<S>());
                    ((x - mean) * scale).mul_add(gamma, beta)
                },
            );
        }
    }
}

fn backward_centered<T: Float>(
    x: &[T],
    dy: &[T],
    gamma: Option<&[T]>,
    mean: &[T],
    rstd: &[T],
    gradients: Gradients<'_, T>,
) {
    let Gradients { dx, dgamma, dbeta } = gradients;
    backward(x, dy, gamma, Some(mean), rstd, dx, [dgamma, dbeta]);
}

fn backward_plain<T: Float>(
    x: &[T],
    dy: &[T],
    gamma: Option<&[T]>,
    rstd: &[T],
    dx: &mut [T],
    dgamma: &mut [T],
) {
    backward(x, dy, gamma, None, rstd, dx, [dgamma, &mut []]);
}

fn backward<T: Float>(
    x: &[T],
    dy: &[T],
    gamma: Option<&[T]>,
    mean: Option<&[T]>,
    rstd: &[T],
    dx: &mut [T],
    dparams: [&mut [T]; 2],
) {
    let (rows, cols) = (rstd.len(), dparams[0].len());
    if rows * cols == 0 {
        return dparams.into_iter().for_each(|dparam| dparam.fill(T::ZERO));
    }
    let group = (4 * TASK).div_ceil(cols).min(PART);
    let parts = rows.div_ceil(group);
    let dx = Disjoint::new(dx);
    with_parameters(gamma, Some(&[]), cols, |gamma, _| {
        // partial (part, dgamma and dbeta, cols)
        scratch::with(parts * 2 * cols, |partial: &mut [T]| {
            par::chunks_mut(partial, 2 * cols, 2 * x.len(), |part, partial| {
                let (first, end) = (part * group, rows.min((part + 1) * group));
                // SAFETY: each row belongs to one part.
                let dx = unsafe { dx.range(first * cols..end * cols) };
                let block = first * cols..end * cols;
                arch::dispatch_for::<T, _>(Backward {
                    x: &x[block.clone()],
                    dy: &dy[block],
                    gamma,
                    mean: mean.map(|mean| &mean[first..end]),
                    rstd: &rstd[first..end],
                    dx,
                    partial,
                });
            });
            for (param, dparam) in dparams.into_iter().enumerate() {
                add_parts(&partial[param * cols..], 2 * cols, dparam);
            }
        });
    });
}

/// `total[c]` = sum of `partial[part * stride + c]` over parts, in `f64`, in order.
fn add_parts<T: Float>(partial: &[T], stride: usize, total: &mut [T]) {
    scratch::with(total.len(), |sum: &mut [f64]| {
        sum.fill(0.0);
        for part in partial.chunks(stride) {
            for (sum, &part) in sum.iter_mut().zip(part) {
                *sum += part.to_f64();
            }
        }
        for (total, &sum) in total.iter_mut().zip(&*sum) {
            *total = T::from_f64(sum);
        }
    });
}

struct Backward<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    gamma: &'a [T],
    mean: Option<&'a [T]>,
    rstd: &'a [T],
    dx: &'a mut [T],
    partial: &'a mut [T],
}

impl<'a, T: Float> WithSimd for Backward<'a, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let cols = self.gamma.len();
        let (dgamma, dbeta) = self.partial.split_at_mut(cols);
        dgamma.fill(T::ZERO);
        dbeta.fill(T::ZERO);
        let row_of = |row: usize| row * cols..(row + 1) * cols;
        let mean_of = |row: usize| self.mean.map_or(T::ZERO, |mean| mean[row]);
        let centered = self.mean.is_some();
        let rows = self.rstd.len();
        let mut row = 0;
        while row < rows {
            let count = if row + 4 <= rows { 4 } else { 1 };
            for row in row..row + count {
                let (x, dy) = (&self.x[row_of(row)], &self.dy[row_of(row)]);
                let dx = &mut self.dx[row_of(row)];
                let statistics = (mean_of(row), self.rstd[row]);
                row_gradient(simd, x, dy, self.gamma, statistics, centered, dx);
            }
            if count == 4 {
                let of_rows = |all: &'a [T]| array::from_fn(|k| &all[row_of(row + k)]);
                add_rows::<T, 4>(
                    of_rows(self.x),
                    of_rows(self.dy),
                    array::from_fn(|k| mean_of(row + k)),
                    array::from_fn(|k| self.rstd[row + k]),
                    dgamma,
                    dbeta,
                );
            } else {
                let (x, dy) = (&self.x[row_of(row)], &self.dy[row_of(row)]);
                add_rows([x], [dy], [mean_of(row)], [self.rstd[row]], dgamma, dbeta);
            }
            row += count;
        }
    }
}

/// `dx` of a row.
#[inline(always)]
fn row_gradient<T: Float, S: Simd>(
    simd: S,
    x: &[T],
    dy: &[T],
    gamma: &[T],
    (mean, rstd): (T, T),
    centered: bool,
    dx: &mut [T],
) {
    let cols = x.len() as f64;
    let scale = rstd.to_f64();
    let (mean, rstd) = (Vector::splat(simd, mean), Vector::splat(simd, rstd));
    let (mut sum_g, mut sum_gx) = (0.0, 0.0);
    for start in (0..x.len()).step_by(BLOCK) {
        let inputs = array::map(
            [x, dy, gamma],
            #[inline(always)]
            |x| &x[start..x.len().min(start + BLOCK)],
        );
        let [g, gx] = fold(
            simd,
            inputs,
            [T::ZERO; 3],
            [Vector::splat(simd, T::ZERO); 2],
            #[inline(always)]
            |[sum_g, sum_gx], [x, dy, gamma]| {
                let g = dy * gamma;
                [sum_g + g, (x - mean).mul_add(g, sum_gx)]
            },
            #[inline(always)]
            |a, b| a + b,
        );
        sum_g += g.reduce_sum().to_f64();
        sum_gx += gx.reduce_sum().to_f64();
    }
    // dx = rstd g - constant - (x - mean) along_x
    let constant = if centered { scale * sum_g / cols } else { 0.0 };
    let along_x = Vector::constant(simd, -scale * scale * scale * sum_gx / cols);
    let constant = Vector::constant(simd, constant);
    let next = NextRows::new([x, dy], [&*dx], x.len());
    map(
        simd,
        [x, dy, gamma],
        dx,
        #[inline(always)]
        |[x, dy, gamma]| {
            next.ask(T::lanes::<S>());
            (x - mean).mul_add(along_x, (dy * gamma).mul_add(rstd, -constant))
        },
    );
}

/// `dgamma += dy xhat`, `dbeta += dy` for R rows.
#[inline(always)]
fn add_rows<T: Float, const R: usize>(
    x: [&[T]; R],
    dy: [&[T]; R],
    mean: [T; R],
    rstd: [T; R],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    // Equal lengths, stated, spare the loop its bounds checks, without which it is vectorised.
    let n = dgamma.len();
    let (dbeta, x, dy) =
        (&mut dbeta[..n], array::map(x, |x| &x[..n]), array::map(dy, |dy| &dy[..n]));
    for c in 0..n {
        let (mut sum_x, mut sum) = (dgamma[c], dbeta[c]);
        for row in 0..R {
            sum_x += dy[row][c] * ((x[row][c] - mean[row]) * rstd[row]);
            sum += dy[row][c];
        }
        (dgamma[c], dbeta[c]) = (sum_x, sum);
    }
}
