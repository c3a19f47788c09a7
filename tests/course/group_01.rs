//! Supervised learning and softmax regression.

use backstitch::nn::InstanceNormOptions;
use backstitch::prelude::*;
use backstitch::{Slot, for_each};

use crate::support::{Real, all_close, close, error_rate, images_and_limit, one_hot, real_mnist};

/// 12 samples of 5 features and 4 classes, and parameters.
fn small() -> (Real, Tensor<i64>, Param<f64>) {
    let mut rng = Rng::seed(1);
    let x = Tensor::randn([12, 5], &mut rng);
    let labels = Tensor::from_fn([12], |idx| (idx[0] * 5 % 4) as i64);
    (x, labels, Param::new(Tensor::randn([5, 4], &mut rng)))
}

#[test]
fn row_1_1_model_loss_optimiser() {
    let (x, labels, _) = small();
    let mut model: Linear<f64> = Linear::new(5, 4, &mut Rng::seed(2));
    let per_sample = CrossEntropy { reduction: Reduction::None, ..CrossEntropy::default() };
    let risk = |model: &Linear<f64>| model.forward(&x).cross_entropy(&labels);
    let losses = model.forward(&x).cross_entropy_with(&labels, &per_sample);
    assert_eq!(losses.shape(), [12]);
    assert!(losses.to_vec().iter().all(|&l| l >= 0.0));
    let before = risk(&model);
    close(before.item(), losses.to_vec().iter().sum::<f64>() / 12.0, 1e-14);
    Sgd::new(SgdConfig::default()).step(&mut model, &before.backward(), 0.1);
    assert!(risk(&model).item() < before.item());
}

#[test]
fn row_1_2_mnist_setting() {
    let Some(data) = real_mnist() else {
        println!("ROW 1.2: MNIST IS NOT THERE. Its size and first labels were not checked.");
        let (x, _) = crate::support::fashion().train.flat().all().unwrap();
        assert_eq!(x.shape(), [6000, 784]);
        assert_eq!((x.min().item(), x.max().item()), (0.0, 1.0));
        return;
    };
    let labels: &[u8] = data.train.labels();
    assert_eq!(labels[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    let (x, y) = data.train.flat().all().unwrap();
    assert_eq!((x.shape(), y.shape()), (&[60_000, 784][..], &[60_000][..]));
    assert_eq!((x.min().item(), x.max().item()), (0.0, 1.0));
}

#[test]
fn row_1_3_batch_form_equals_rows() {
    let (x, _, theta) = small();
    let h = x.matmul(&theta);
    for i in 0..12 {
        let row = x.narrow(0, i, 1).reshape([5]);
        // theta^T x, a number per class.
        let by_hand = theta.transpose(0, 1).matmul(&row.reshape([5, 1])).reshape([4]);
        all_close(&h.narrow(0, i, 1).reshape([4]), &by_hand, 1e-14);
    }
}

#[test]
fn row_1_4_error_loss() {
    let logits = Tensor::from([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0], [5.0, 4.0]]).leaf();
    let labels = Tensor::from([1, 0, 0, 1]);
    close(error_rate(&logits, &labels), 0.5, 0.0);
    // The guess is made of integers, which have no gradient.
    let guess: Tensor<i64> = logits.argmax(1, false);
    assert_eq!(guess.to_vec(), [1, 0, 1, 0]);
    assert!(!guess.is_tracked());
}

#[test]
fn row_1_5_cross_entropy() {
    let zeros: Tensor = Tensor::zeros([1, 10]);
    close(zeros.cross_entropy(&Tensor::from([3])).item().into(), 10f64.ln(), 1e-6);
    let h = [[0.5f64, -1.0, 2.0]];
    let log_sum = h[0].iter().map(|h| h.exp()).sum::<f64>().ln();
    close(Tensor::from(h).cross_entropy(&Tensor::from([1])).item(), 1.0 + log_sum, 1e-15);
    close(
        Tensor::from(h.map(|h| h.map(|h| h as f32)))
            .cross_entropy(&Tensor::from([1]))
            .item()
            .into(),
        1.0 + log_sum,
        1e-5,
    );
    for scale in [1e4f32, 1e10] {
        let logits = Tensor::from([[scale, 0.0, -scale]]);
        assert_eq!(logits.cross_entropy(&Tensor::from([0])).item(), 0.0);
        assert_eq!(logits.cross_entropy(&Tensor::from([2])).item(), 2.0 * scale);
    }
}

#[test]
fn row_1_6_gradient_by_logits() {
    let h = Tensor::from([[0.5f64, -1.0, 2.0, 0.1]]);
    let label = Tensor::from([2]);
    let loss = |h: &Real| h.cross_entropy(&label);
    all_close(&grad(loss, &h), &(h.softmax(-1) - one_hot(&label, 4)), 1e-15);
    check_gradients(loss, &h).unwrap();
}

#[test]
fn row_1_7_closed_form_gradient() {
    let (x, labels, theta) = small();
    let sum = CrossEntropy { reduction: Reduction::Sum, ..CrossEntropy::default() };
    let logits = x.matmul(&theta);
    let grads = logits.cross_entropy_with(&labels, &sum).backward();
    let closed = x.transpose(0, 1).matmul(&(logits.detach().softmax(-1) - one_hot(&labels, 4)));
    all_close(grads.get(&theta).unwrap(), &closed, 1e-13);
    // One sample: x (z - e_y)^T.
    let (one, label) = (x.narrow(0, 0, 1), Tensor::from([labels.at(&[0])]));
    let logits = one.matmul(&theta);
    let grads = logits.cross_entropy(&label).backward();
    let outer = one.transpose(0, 1) * (logits.detach().softmax(-1) - one_hot(&label, 4));
    all_close(grads.get(&theta).unwrap(), &outer, 1e-13);
}

#[test]
fn row_1_8_gradient_descent_rate() {
    // 1/2 (x² + 4 y²): the largest curvature is L = 4.
    let descend = |lr: f64| {
        let mut x = Param::new(Tensor::from([1.0f64, 1.0]));
        let mut sgd = Sgd::new(SgdConfig::default());
        for _ in 0..200 {
            let loss = (&*x * &*x * Tensor::from([0.5, 2.0])).sum();
            sgd.step(&mut x, &loss.backward(), lr);
        }
        (&*x * &*x).sum().item().sqrt()
    };
    assert!(descend(0.9 * 2.0 / 4.0) < 1e-6);
    assert!(descend(1.1 * 2.0 / 4.0) > 1e6);
}

#[test]
fn row_1_9_minibatch_sgd() {
    let (x, labels, mut theta) = small();
    let gradient = |from: usize, len: usize| {
        let (x, labels) = (x.narrow(0, from, len), labels.narrow(0, from, len));
        x.matmul(&theta).cross_entropy(&labels).backward()
    };
    let parts = [0, 4, 8].map(|from| gradient(from, 4).get(&theta).unwrap().clone());
    let mean = (&parts[0] + &parts[1] + &parts[2]) / 3.0;
    all_close(gradient(0, 12).get(&theta).unwrap(), &mean, 1e-13);

    // theta -= alpha / B X^T (Z - I_y)
    let (alpha, batch) = (0.3, x.narrow(0, 0, 4));
    let z = batch.matmul(&theta).detach().softmax(-1);
    let residual = z - one_hot(&labels.narrow(0, 0, 4), 4);
    let want = theta.detach() - batch.transpose(0, 1).matmul(&residual) * (alpha / 4.0);
    let grads = gradient(0, 4);
    Sgd::new(SgdConfig::default()).step(&mut theta, &grads, alpha);
    all_close(&theta, &want, 1e-13);
}

/// The course gives below 9 % test error after one epoch of MNIST in file order; that is not so:
/// from zeros one epoch leaves 9.96 %. The 9 % are reached by going on, "to convergence".
#[test]
fn row_1_10_softmax_regression() {
    let (data, limit) = images_and_limit("1.10", 0.09, 0.25);
    let (test_x, test_labels) = data.test.flat().all().unwrap();
    let loader = Loader::new(data.train.flat(), 100).unwrap();
    let mut theta = Param::new(Tensor::zeros([784, 10]));
    let mut sgd = Sgd::new(SgdConfig::default());
    let mut errors = Vec::new();
    for _ in 0..6 {
        for batch in loader.iter() {
            let (x, labels) = batch.unwrap();
            let loss = x.matmul(&theta).cross_entropy(&labels);
            sgd.step(&mut theta, &loss.backward(), 0.1);
        }
        errors.push(error_rate(&test_x.matmul(&theta), &test_labels));
    }
    println!("row 1.10: test error after each epoch {errors:?}");
    if limit == 0.09 {
        close(errors[0], 0.0996, 5e-4);
    }
    assert!(errors[5] < errors[0] && errors[5] < limit, "{errors:?}, limit {limit}");
}

/// Every module with parameters, each on inputs of its own shape.
#[test]
fn row_1_11_gradients_have_the_shapes_of_parameters() {
    let rng = &mut Rng::seed(3);
    let pass = Pass::train(rng);
    let mut checked = 0;
    let mut check = |module: &dyn Module, y: Tensor| {
        let grads = (&y * Tensor::randn(y.shape(), &mut Rng::seed(4))).sum().backward();
        assert!(grads.missing(module).is_empty());
        let mut params = 0;
        for_each(module, |name, slot| {
            if let Slot::Param(param) = slot {
                assert_eq!(grads.get(param).unwrap().shape(), param.shape(), "{name}");
                params += 1;
            }
        });
        assert!(params > 0);
        checked += 1;
    };
    macro_rules! check {
        ($($shape:expr => $($module:expr),+;)+) => {
            $({
                let x: Tensor = Tensor::randn($shape, rng);
                $({
                    let module = $module;
                    check(&module, Layer::forward(&module, &x, &pass));
                })+
            })+
        };
    }
    check! {
        [6, 4] => Linear::new(4, 3, rng), BatchNorm1d::new(4), LayerNorm::new([4]), RmsNorm::new([4]),
            Prelu::new(4), Residual { inner: Linear::new(4, 4, rng) },
            Sequential::new().then(Linear::new(4, 7, rng)).then(Relu).then(Linear::new(7, 2, rng));
        [6, 4, 5] => Conv1d::new(4, 6, 3, rng), ConvTranspose1d::new(4, 6, 3, rng),
            BatchNorm1d::new(4), GroupNorm::new(2, 4), affine(InstanceNorm1d::with_options);
        [2, 4, 5, 6] => Conv2d::new(4, 6, 3, rng), ConvTranspose2d::new(4, 6, 3, rng),
            BatchNorm2d::new(4), GroupNorm::new(2, 4), affine(InstanceNorm2d::with_options),
            Prelu::new(4);
        [2, 4, 3, 4, 5] => Conv3d::new(4, 6, 3, rng), ConvTranspose3d::new(4, 6, 3, rng),
            BatchNorm3d::new(4), affine(InstanceNorm3d::with_options);
    }
    let embedding = Embedding::new(9, 5, rng);
    check(&embedding, embedding.forward(&Tensor::from([1, 2, 8, 2, 0, 1])));
    assert_eq!(checked, 23);
}

/// An instance norm of four channels with parameters, which it has not by default.
fn affine<M>(make: fn(usize, InstanceNormOptions) -> M) -> M {
    make(4, InstanceNormOptions { affine: true, ..InstanceNormOptions::default() })
}
