//! Norms against their formulas in `f64`, gradients against central differences.

use proptest::prelude::*;

use super::*;
use crate::arch;
use crate::element::Float;
use crate::reduce::Split;
use crate::testing::*;

fn narrow<T: Float>(x: &[f64]) -> Vec<T> {
    x.iter().map(|&x| T::from_f64(x)).collect()
}

/// `d(sum dy y)/dx` by central differences.
fn slopes(x: &[f64], dy: &[f64], y: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let total = |x: &[f64]| y(x).iter().zip(dy).map(|(y, dy)| y * dy).sum::<f64>();
    let slope = |i: usize| {
        let mut moved = x.to_vec();
        moved[i] += 1e-5;
        let above = total(&moved);
        moved[i] -= 2e-5;
        (above - total(&moved)) / 2e-5
    };
    (0..x.len()).map(slope).collect()
}

fn naive_statistics(x: &[f64], split: Split) -> (Vec<f64>, Vec<f64>) {
    let Split { outer, axis, inner } = split;
    let channel = |c: usize| {
        let of = move |o: usize| (0..inner).map(move |i| (o * axis + c) * inner + i);
        let values: Vec<f64> = (0..outer).flat_map(of).map(|at| x[at]).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n)
    };
    (0..axis).map(channel).unzip()
}

/// Batch norm with the batch's statistics, or with given ones.
fn naive_batch_norm(
    x: &[f64],
    split: Split,
    gamma: &[f64],
    beta: &[f64],
    relu: bool,
    given: Option<&(Vec<f64>, Vec<f64>)>,
) -> Vec<f64> {
    let own = naive_statistics(x, split);
    let (mean, var) = given.unwrap_or(&own);
    let value = |(at, x): (usize, &f64)| {
        let c = at / split.inner % split.axis;
        let y = (x - mean[c]) / (var[c] + 1e-5).sqrt() * gamma[c] + beta[c];
        if relu { y.max(0.0) } else { y }
    };
    x.iter().enumerate().map(value).collect()
}

fn check_batch_norm<T: Float>(split: Split, relu: bool, training: bool, seed: u64) {
    let context = (split, relu, training, arch::current());
    let eps = T::EPSILON.to_f64();
    let x: Vec<f64> = wide(&values::<f32>(split.elements(), seed));
    let dy: Vec<f64> = wide(&values::<f32>(split.elements(), seed + 1));
    let (gamma, beta): (Vec<f64>, Vec<f64>) = (values(split.axis, 3), values(split.axis, 4));
    let given = (values(split.axis, 5), vec![0.7; split.axis]);
    let (wide_mean, wide_var) = if training { naive_statistics(&x, split) } else { given.clone() };

    let (mut mean, mut var) = (narrow::<T>(&given.0), narrow::<T>(&given.1));
    if training {
        batch_statistics(&narrow::<T>(&x), split, &mut mean, &mut var);
        assert_within(("mean", context), &mean, &wide_mean, |_| 40.0 * eps);
        assert_within(("var", context), &var, &wide_var, |i| 100.0 * eps * wide_var[i] + eps);
    }
    let (gamma_t, beta_t) = (narrow::<T>(&gamma), narrow::<T>(&beta));
    let norm = BatchNorm {
        mean: &mean,
        var: &var,
        gamma: Some(&gamma_t),
        beta: Some(&beta_t),
        eps: 1e-5,
        residual: None,
        relu,
    };
    // With few elements a channel's variance may be tiny and amplifies errors.
    let rstd = wide_var.iter().map(|v| 1.0 / (v + 1e-5).sqrt()).fold(1.0, f64::max);
    let mut y = vec![T::ONE; x.len()];
    if training {
        let affine =
            Affine { gamma: Some(&gamma_t), beta: Some(&beta_t), eps: 1e-5, residual: None, relu };
        let (mut own_mean, mut own_var) = (mean.clone(), var.clone());
        let x = narrow::<T>(&x);
        batch_norm_training(&x, split, &affine, &mut y, &mut own_mean, &mut own_var);
        assert_within(("mean", context), &own_mean, &wide_mean, |_| 40.0 * eps);
        assert_within(("var", context), &own_var, &wide_var, |i| 100.0 * eps * wide_var[i] + eps);
    } else {
        batch_norm(&narrow::<T>(&x), split, &norm, &mut y);
    }
    let given = (!training).then_some(&given);
    let want = naive_batch_norm(&x, split, &gamma, &beta, relu, given);
    assert_within(("y", context), &y, &want, |_| 400.0 * eps * rstd);

    let (mut dx, mut dgamma, mut dbeta) =
        (vec![T::ONE; x.len()], vec![T::ONE; split.axis], vec![T::ONE; split.axis]);
    let gradients = Gradients { dx: &mut dx, dgamma: &mut dgamma, dbeta: &mut dbeta };
    batch_norm_backward(&narrow::<T>(&x), &narrow::<T>(&dy), split, &norm, training, gradients);
    // Near the kink of the ReLU a difference quotient sees both sides.
    let far_from_kink = !relu || {
        let plain = naive_batch_norm(&x, split, &gamma, &beta, false, given);
        plain.iter().all(|y| y.abs() > 1e-3 * rstd)
    };
    if far_from_kink && x.len() < 400 {
        let of = |x: &[f64], gamma: &[f64], beta: &[f64]| {
            naive_batch_norm(x, split, gamma, beta, relu, given)
        };
        let n = (split.outer * split.inner) as f64;
        let bound = (1e-8 * rstd + 200.0 * eps) * rstd * rstd * rstd * (1.0 + n.sqrt());
        let want = slopes(&x, &dy, |x| of(x, &gamma, &beta));
        assert_within(("dx", context), &dx, &want, |_| bound);
        let want = slopes(&gamma, &dy, |gamma| of(&x, gamma, &beta));
        assert_within(("dgamma", context), &dgamma, &want, |_| bound * n);
        let want = slopes(&beta, &dy, |beta| of(&x, &gamma, beta));
        assert_within(("dbeta", context), &dbeta, &want, |_| bound * n);
    }
}

fn naive_layer_norm(
    x: &[f64],
    cols: usize,
    gamma: &[f64],
    beta: &[f64],
    centered: bool,
) -> Vec<f64> {
    let row = |x: &[f64]| {
        let n = cols as f64;
        let mean = if centered { x.iter().sum::<f64>() / n } else { 0.0 };
        let var = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        let value = |(c, x): (usize, &f64)| (x - mean) / (var + 1e-5).sqrt() * gamma[c] + beta[c];
        x.iter().enumerate().map(value).collect::<Vec<_>>()
    };
    x.chunks(cols.max(1)).flat_map(row).collect()
}

fn check_layer_norm<T: Float>(rows: usize, cols: usize, affine: bool, centered: bool, seed: u64) {
    let context = (rows, cols, affine, centered, arch::current());
    let eps = T::EPSILON.to_f64();
    let x: Vec<f64> = wide(&values::<f32>(rows * cols, seed));
    let dy: Vec<f64> = wide(&values::<f32>(rows * cols, seed + 1));
    let zeros = vec![0.0; cols];
    let (mut gamma, mut beta): (Vec<f64>, Vec<f64>) = (values(cols, 3), values(cols, 4));
    if !affine {
        gamma.fill(1.0);
    }
    if !affine || !centered {
        beta.fill(0.0);
    }
    let (gamma_t, beta_t) = (narrow::<T>(&gamma), narrow::<T>(&beta));
    let (x_t, dy_t) = (narrow::<T>(&x), narrow::<T>(&dy));
    let (mut mean, mut rstd) = (vec![T::ONE; rows], vec![T::ONE; rows]);
    let mut y = vec![T::ONE; x.len()];
    let (mut dx, mut dgamma, mut dbeta) =
        (vec![T::ONE; x.len()], vec![T::ONE; cols], vec![T::ZERO; cols]);
    let scales = affine.then_some(&gamma_t[..]);
    if centered {
        let norm = LayerNorm { gamma: scales, beta: affine.then_some(&beta_t), eps: 1e-5 };
        layer_norm(&x_t, cols, &norm, &mut y, &mut mean, &mut rstd);
        let gradients = Gradients { dx: &mut dx, dgamma: &mut dgamma, dbeta: &mut dbeta };
        layer_norm_backward(&x_t, &dy_t, scales, &mean, &rstd, gradients);
    } else {
        rms_norm(&x_t, cols, scales, 1e-5, &mut y, &mut rstd);
        rms_norm_backward(&x_t, &dy_t, scales, &rstd, &mut dx, &mut dgamma);
    }
    let amplified = rstd.iter().fold(1.0, |a: f64, r| a.max(r.to_f64()));
    let want = naive_layer_norm(&x, cols, &gamma, &beta, centered);
    assert_within(("y", context), &y, &want, |_| 200.0 * eps * amplified);
    if x.len() > 600 {
        return;
    }
    let bound = (1e-8 * amplified + 100.0 * eps) * amplified.powi(3) * (1.0 + cols as f64).sqrt();
    let of =
        |x: &[f64], gamma: &[f64], beta: &[f64]| naive_layer_norm(x, cols, gamma, beta, centered);
    let want = slopes(&x, &dy, |x| of(x, &gamma, &beta));
    assert_within(("dx", context), &dx, &want, |_| bound);
    let want = slopes(&gamma, &dy, |gamma| of(&x, gamma, &beta));
    assert_within(("dgamma", context), &dgamma, &want, |_| bound * (1.0 + rows as f64));
    let want =
        if centered { slopes(&zeros, &dy, |beta| of(&x, &gamma, beta)) } else { zeros.clone() };
    assert_within(("dbeta", context), &dbeta, &want, |_| bound * (1.0 + rows as f64));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn batch_norm_equals_its_twin(
        outer in 0..7usize,
        axis in 0..20usize,
        inner in prop_oneof![Just(1), 0..8usize],
        relu: bool,
        training: bool,
        seed in 0..u64::MAX / 2,
    ) {
        let split = Split { outer, axis, inner };
        on_each_isa(|_| {
            check_batch_norm::<f64>(split, relu, training, seed);
            check_batch_norm::<f32>(split, relu, training, seed);
        });
    }

    #[test]
    fn layer_norm_equals_its_twin(
        rows in 0..12usize,
        cols in 0..45usize,
        affine: bool,
        centered: bool,
        seed in 0..u64::MAX / 2,
    ) {
        on_each_isa(|_| {
            check_layer_norm::<f64>(rows, cols, affine, centered, seed);
            check_layer_norm::<f32>(rows, cols, affine, centered, seed);
        });
    }
}

#[test]
fn large_inputs_equal_their_twins() {
    on_each_isa(|_| {
        // Whole channels in the cache, and in parts; the first with a strip that ends early.
        let splits = [(300, 300, 1), (2100, 300, 1), (3000, 5, 1), (3, 4, 5000), (30, 2, 5000)];
        for (outer, axis, inner) in splits {
            for training in [true, false] {
                check_batch_norm::<f32>(Split { outer, axis, inner }, true, training, 1);
            }
        }
        check_layer_norm::<f32>(3, 5000, true, true, 1);
        check_layer_norm::<f32>(300, 70, true, false, 2);
    });
}

#[test]
fn variance_survives_outliers_and_offsets() {
    // A first row far off, which a shift by the first row alone would not survive; then an offset
    // under which squares would cancel.
    for (first, offset) in [(1e4, 0.0), (0.0, 1e4)] {
        let mut x: Vec<f64> = values(1000, 1);
        x.iter_mut().for_each(|x| *x += offset);
        x[0] += first;
        let x: Vec<f32> = narrow(&x);
        for split in
            [Split { outer: 1000, axis: 1, inner: 1 }, Split { outer: 1, axis: 1, inner: 1000 }]
        {
            let (mut mean, mut var) = ([0.0f32], [0.0]);
            batch_statistics(&x, split, &mut mean, &mut var);
            let (want_mean, want_var) = naive_statistics(&wide(&x), split);
            assert_within(split, &mean, &want_mean, |_| 1e-6 * want_mean[0].abs());
            assert_within(split, &var, &want_var, |_| 1e-5 * want_var[0]);
        }
    }
}

#[test]
fn threads_do_not_change_bits() {
    let x: Vec<f32> = values(3000 * 100, 1);
    let dy: Vec<f32> = values(3000 * 100, 2);
    for (outer, axis, inner) in [(3000, 100, 1), (1000, 300, 1), (3, 10, 10_000), (30, 2, 5000)] {
        let split = Split { outer, axis, inner };
        let channels = split.axis;
        assert_same_on_threads(|| {
            let (mut mean, mut var) = (vec![0.0; channels], vec![0.0; channels]);
            let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            let (mut dgamma, mut dbeta) = (vec![0.0; channels], vec![0.0; channels]);
            batch_statistics(&x, split, &mut mean, &mut var);
            let (gamma, beta) = (None, None);
            let norm = BatchNorm {
                mean: &mean,
                var: &var,
                gamma,
                beta,
                eps: 1e-5,
                residual: None,
                relu: true,
            };
            batch_norm(&x, split, &norm, &mut y);
            let gradients = Gradients { dx: &mut dx, dgamma: &mut dgamma, dbeta: &mut dbeta };
            batch_norm_backward(&x, &dy, split, &norm, true, gradients);
            let mut trained = vec![0.0; x.len()];
            let affine = Affine { gamma, beta, eps: 1e-5, residual: None, relu: true };
            batch_norm_training(&x, split, &affine, &mut trained, &mut mean, &mut var);
            assert_eq!(bits(&trained), bits(&y));
            (bits(&y), bits(&dx), bits(&dgamma), bits(&dbeta))
        });
    }
    assert_same_on_threads(|| {
        let (mut mean, mut rstd) = (vec![0.0; 3000], vec![0.0; 3000]);
        let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let (mut dgamma, mut dbeta) = (vec![0.0; 100], vec![0.0; 100]);
        let norm = LayerNorm { gamma: None, beta: None, eps: 1e-5 };
        layer_norm(&x, 100, &norm, &mut y, &mut mean, &mut rstd);
        let gradients = Gradients { dx: &mut dx, dgamma: &mut dgamma, dbeta: &mut dbeta };
        layer_norm_backward(&x, &dy, None, &mean, &rstd, gradients);
        (bits(&y), bits(&dx), bits(&dgamma), bits(&dbeta))
    });
}

#[test]
fn a_residual_is_added_before_the_relu() {
    for split in [Split { outer: 40, axis: 21, inner: 1 }, Split { outer: 3, axis: 5, inner: 19 }] {
        on_each_isa(|_| {
            let x: Vec<f32> = values(split.elements(), 1);
            let residual: Vec<f32> = values(split.elements(), 2);
            let of = |residual, relu| {
                let affine = Affine { gamma: None, beta: None, eps: 1e-5, residual, relu };
                let (mut mean, mut var) = (vec![0.0; split.axis], vec![0.0; split.axis]);
                let (mut y, mut given) = (x.clone(), x.clone());
                batch_norm_training(&x, split, &affine, &mut y, &mut mean, &mut var);
                batch_norm(&x, split, &BatchNorm::new(&mean, &var, &affine), &mut given);
                assert_eq!(y, given);
                y
            };
            let sum = of(None, false).into_iter().zip(&residual).map(|(y, r)| (y + r).max(0.0));
            assert_eq!(of(Some(&residual), true), sum.collect::<Vec<_>>());
        });
    }
}
