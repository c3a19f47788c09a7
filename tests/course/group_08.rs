//! Normalisation.

use backstitch::nn::{BatchNormOptions, LayerNormOptions};
use backstitch::prelude::*;

use crate::support::{Real, all_close, close};

const EPS: f64 = 1e-5;

/// Subtracts the mean over an axis, and divides by the root of the biased variance.
fn normalised(x: &Real, dim: isize) -> Real {
    let n = x.size(dim) as f64;
    let centred = x - x.sum_dim(dim, true) / n;
    let var = centred.square().sum_dim(dim, true) / n;
    centred / (var + EPS).sqrt()
}

#[test]
fn row_8_1_layer_norm() {
    let x: Real = Tensor::randn([5, 7], &mut Rng::seed(51)) * 3.0 + 1.0;
    let plain = LayerNormOptions { elementwise_affine: false, ..LayerNormOptions::default() };
    let norm: LayerNorm<f64> = LayerNorm::with_options([7], plain);
    all_close(&norm.forward(&x), &normalised(&x, 1), 1e-13);
    let dy: Real = Tensor::randn([5, 7], &mut Rng::seed(52));
    let by_hand = grad(|x: &Real| (normalised(x, 1) * &dy).sum(), &x);
    all_close(&grad(|x: &Real| (norm.forward(x) * &dy).sum(), &x), &by_hand, 1e-12);
    check_gradients(|x: &Real| norm.forward(x), &x).unwrap();
}

/// A tree of input, scale and shift, for derivatives by all three.
type Affine = (Real, Real, Real);

#[test]
fn row_8_2_layer_norm_with_scale_and_shift() {
    let rng = &mut Rng::seed(53);
    let x: Real = Tensor::randn([5, 7], rng) * 3.0 + 1.0;
    let (gamma, beta): (Real, Real) = (Tensor::randn([7], rng), Tensor::randn([7], rng));
    let mut norm: LayerNorm<f64> = LayerNorm::new([7]);
    norm.weight.as_mut().unwrap().set(&gamma);
    norm.bias.as_mut().unwrap().set(&beta);
    all_close(&norm.forward(&x).detach(), &(normalised(&x, 1) * &gamma + &beta), 1e-13);

    let dy: Real = Tensor::randn([5, 7], rng);
    let fused = |(x, g, b): &Affine| (x.layer_norm([7], Some(g), Some(b), EPS) * &dy).sum();
    let by_hand = |(x, g, b): &Affine| ((normalised(x, 1) * g + b) * &dy).sum();
    let at = (x.clone(), gamma, beta);
    let (found, expected) = (grad(fused, &at), grad(by_hand, &at));
    all_close(&found.0, &expected.0, 1e-12);
    all_close(&found.1, &expected.1, 1e-12);
    all_close(&found.2, &expected.2, 1e-12);

    // The text's scalars are vectors of equal numbers.
    norm.weight.as_mut().unwrap().set(&Tensor::full([7], 0.3));
    norm.bias.as_mut().unwrap().set(&Tensor::full([7], -2.0));
    all_close(&norm.forward(&x).detach(), &(normalised(&x, 1) * 0.3 - 2.0), 1e-13);
}

#[test]
fn row_8_5_batch_norm() {
    let rng = &mut Rng::seed(54);
    let x: Real = Tensor::randn([6, 4], rng) * 2.0 - 1.0;
    let (gamma, beta): (Real, Real) = (Tensor::randn([4], rng), Tensor::randn([4], rng));
    let mut norm: BatchNorm1d<f64> = BatchNorm1d::new(4);
    norm.weight.as_mut().unwrap().set(&gamma);
    norm.bias.as_mut().unwrap().set(&beta);
    let y = norm.forward(&x, &Pass::train(rng));
    all_close(&y.detach(), &(normalised(&x, 0) * &gamma + &beta), 1e-13);

    let dy: Real = Tensor::randn([6, 4], rng);
    let fused = |(x, g, b): &Affine| (x.batch_norm(Some(g), Some(b), EPS).0 * &dy).sum();
    let by_hand = |(x, g, b): &Affine| ((normalised(x, 0) * g + b) * &dy).sum();
    let at = (x, gamma, beta);
    let (found, expected) = (grad(fused, &at), grad(by_hand, &at));
    all_close(&found.0, &expected.0, 1e-12);
    all_close(&found.1, &expected.1, 1e-12);
    all_close(&found.2, &expected.2, 1e-12);
    check_gradients(fused, &at).unwrap();
}

#[test]
fn row_8_6_samples_depend_on_their_batch() {
    let rng = &mut Rng::seed(55);
    let norm: BatchNorm1d<f64> = BatchNorm1d::new(3);
    let x: Real = Tensor::randn([4, 3], rng);
    let mut other = x.clone();
    other.data_mut()[2 * 3..3 * 3].fill(5.0);
    let first_row = |x: &Real, pass: &Pass| norm.forward(x, pass).narrow(0, 0, 1).to_vec();
    let train = Pass::train(rng);
    assert_ne!(first_row(&x, &train), first_row(&other, &train));
    assert_eq!(first_row(&x, &Pass::eval()), first_row(&other, &Pass::eval()));
    // A batch of one has nothing to be compared with.
    assert_eq!(norm.forward(&x.narrow(0, 0, 1), &train).to_vec(), [0.0; 3]);
}

#[test]
fn row_8_7_running_statistics() {
    let rng = &mut Rng::seed(56);
    for biased_running_var in [false, true] {
        let options = BatchNormOptions { biased_running_var, ..BatchNormOptions::default() };
        let norm: BatchNorm1d<f64> = BatchNorm1d::with_options(2, options);
        let (mut mean, mut var) = (Tensor::zeros([2]), Tensor::ones([2]));
        for _ in 0..10 {
            let x: Real = Tensor::randn([8, 2], rng) * 2.0 + 3.0;
            norm.forward(&x, &Pass::train(rng));
            let batch_mean = x.sum_dim(0, false) / 8.0;
            let count = if biased_running_var { 8.0 } else { 7.0 };
            let batch_var = (&x - &batch_mean).square().sum_dim(0, false) / count;
            mean = mean * 0.9 + batch_mean * 0.1;
            var = var * 0.9 + batch_var * 0.1;
        }
        all_close(&norm.running_mean.as_ref().unwrap().get(), &mean, 1e-13);
        all_close(&norm.running_var.as_ref().unwrap().get(), &var, 1e-13);
        // At test time they stand in for the batch's, and stay as they are.
        let x: Real = Tensor::randn([3, 2], rng);
        let y = norm.forward(&x, &Pass::eval());
        all_close(&y.detach(), &((x - &mean) / (&var + EPS).sqrt()), 1e-13);
        all_close(&norm.running_mean.as_ref().unwrap().get(), &mean, 1e-13);
    }
    // PyTorch's is unbiased.
    assert!(!BatchNormOptions::default().biased_running_var);
    close(BatchNormOptions::default().momentum.unwrap(), 0.1, 0.0);
}
