//! Regularisation.

use backstitch::nn::Rescale;
use backstitch::prelude::*;

use crate::support::{Real, all_close, close, moments};

/// `J(w) = loss + lambda Omega`, with a weight per sample of features.
#[test]
fn row_7_1_penalised_objective() {
    let rng = &mut Rng::seed(41);
    let (x, y): (Real, Real) = (Tensor::randn([9, 4], rng), Tensor::randn([9, 1], rng));
    let model: Linear<f64> = Linear::new(4, 1, rng);
    let lambda = 0.7;
    type Omega = fn(&Linear<f64>) -> Real;
    let weights = |name: &str| name == "weight";
    let omegas: [Omega; 2] = [
        |model| l2_penalty(model, |name| name == "weight"),
        |model| l1_penalty(model, |name| name == "weight"),
    ];
    for omega in omegas {
        let loss = || model.forward(&x).mse(&y);
        let objective = loss() + omega(&model) * lambda;
        close(objective.item(), loss().item() + lambda * omega(&model).item(), 1e-14);
        let parts = [objective.backward(), loss().backward(), omega(&model).backward()];
        for (name, param) in model.params() {
            let [whole, of_loss, of_omega] = parts.each_ref().map(|grads| grads.get(param));
            let penalty = match weights(&name) {
                true => of_omega.unwrap() * lambda,
                false => Tensor::zeros(param.shape()),
            };
            all_close(whole.unwrap(), &(of_loss.unwrap() + penalty), 1e-14);
        }
    }
}

/// A regression whose targets depend on two of eight features.
fn regression() -> (Real, Real) {
    let rng = &mut Rng::seed(42);
    let x: Real = Tensor::randn([40, 8], rng);
    let w = Tensor::from([1.5, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0]).reshape([8, 1]);
    let y = x.matmul(&w) + Tensor::randn([40, 1], rng) * 0.1;
    (x, y)
}

/// The minimum of `½ mean (x w - y)² + penalty`, by gradient descent.
fn minimum(penalty: impl Fn(&Param<f64>) -> Real) -> Param<f64> {
    let (x, y) = regression();
    let mut w = Param::new(Tensor::zeros([8, 1]));
    let mut sgd = Sgd::new(SgdConfig::default());
    for _ in 0..600 {
        let loss = x.matmul(&w).mse(&y) * 0.5 + penalty(&w);
        let grads = loss.backward();
        sgd.step(&mut w, &grads, 0.3);
    }
    w
}

#[test]
fn row_7_2_l2() {
    let w = Param::new(Tensor::from([3.0, -4.0, 0.0]));
    let omega = l2_penalty(&w, |_| true);
    assert_eq!(omega.item(), 12.5);
    assert_eq!((omega * 0.5).backward().get(&w).unwrap().to_vec(), [1.5, -2.0, 0.0]);

    // Ridge regression: (XᵀX / N + lambda I) w = Xᵀy / N.
    let lambda = 0.2;
    let w = minimum(|w| l2_penalty(w, |_| true) * lambda);
    let (x, y) = regression();
    let xt = x.transpose(0, 1);
    let normal = xt.matmul(&x) / 40.0 + Tensor::eye(8) * lambda;
    all_close(&normal.matmul(&w).detach(), &(xt.matmul(&y) / 40.0), 1e-12);
}

#[test]
fn row_7_3_l1_is_sparse() {
    let w = Param::new(Tensor::from([3.0, -4.0, 0.0]));
    let omega = l1_penalty(&w, |_| true);
    assert_eq!(omega.item(), 7.0);
    assert_eq!((omega * 0.5).backward().get(&w).unwrap().to_vec(), [0.5, -0.5, 0.0]);

    // Proximal gradient descent: a step, then soft thresholding.
    let (lambda, lr) = (0.2, 0.3);
    let (x, y) = regression();
    let mut w = Param::new(Tensor::<f64>::zeros([8, 1]));
    for _ in 0..600 {
        let grads = (x.matmul(&w).mse(&y) * 0.5).backward();
        let moved = w.detach() - grads.get(&w).unwrap() * lr;
        w.set(&(moved.sign() * (moved.abs() - lr * lambda).relu()));
    }
    let zeros = |w: &Param<f64>| w.to_vec().iter().filter(|w| **w == 0.0).count();
    let ridge = minimum(|w| l2_penalty(w, |_| true) * lambda);
    println!("row 7.3: lasso {:?}, ridge {:?}", w.to_vec(), ridge.to_vec());
    assert_eq!((zeros(&w), zeros(&ridge)), (6, 0));
    // At the solution the gradient of the loss is lambda where w is not zero, and less elsewhere.
    let grads = (x.matmul(&w).mse(&y) * 0.5).backward();
    for (w, g) in w.to_vec().into_iter().zip(grads.get(&w).unwrap().to_vec()) {
        match w == 0.0 {
            true => assert!(g.abs() < lambda),
            false => close(g, -lambda * w.signum(), 1e-9),
        }
    }
}

#[test]
fn row_7_4_frobenius_norm_over_layers() {
    let rng = &mut Rng::seed(43);
    let mut net = (Linear::<f64>::new(3, 5, rng), Relu, Linear::<f64>::new(5, 2, rng));
    let x = Tensor::randn([6, 3], rng);
    let labels = Tensor::from([0, 1, 1, 0, 1, 0]);
    let (lambda, alpha) = (0.4, 0.1);
    let weights = |name: &str| name.ends_with("weight");
    let frobenius = |net: &(Linear<f64>, Relu, Linear<f64>)| {
        let squares = |layer: &Linear<f64>| layer.weight.square().sum().item();
        0.5 * (squares(&net.0) + squares(&net.2))
    };
    close(l2_penalty(&net, weights).item(), frobenius(&net), 1e-14);

    let loss = net.forward(&x, &Pass::eval()).cross_entropy(&labels);
    let plain = loss.backward();
    let expected =
        |w: &Param<f64>| w.detach() * (1.0 - alpha * lambda) - plain.get(w).unwrap() * alpha;
    let expected = [expected(&net.0.weight), expected(&net.2.weight)];
    let bias = net.0.bias.as_ref().unwrap();
    let expected_bias = bias.detach() - plain.get(bias).unwrap() * alpha;
    let objective =
        net.forward(&x, &Pass::eval()).cross_entropy(&labels) + l2_penalty(&net, weights) * lambda;
    let grads = objective.backward();
    Sgd::new(SgdConfig::default()).step(&mut net, &grads, alpha);
    all_close(&net.0.weight.detach(), &expected[0], 1e-14);
    all_close(&net.2.weight.detach(), &expected[1], 1e-14);
    all_close(&net.0.bias.as_ref().unwrap().detach(), &expected_bias, 1e-14);
}

/// The texts are silent on biases and norms: a group decides.
#[test]
fn row_7_5_what_decays() {
    let rng = &mut Rng::seed(44);
    let mut net = (Linear::<f64>::new(4, 3, rng), BatchNorm1d::<f64>::new(3));
    let vectors = Group { weight_decay: Some(0.0), ..Group::new(|_, shape| shape.len() < 2) };
    let config = SgdConfig { weight_decay: 0.5, ..SgdConfig::default() };
    let mut sgd = Sgd::with_groups(config, [vectors]);
    let before: Vec<Real> = net.params().iter().map(|(_, param)| param.detach()).collect();
    // A loss without slope: all that moves, decays.
    let zero = net.params().into_iter().map(|(_, param)| (&**param * 0.0).sum());
    let grads = zero.reduce(|a, b| a + b).unwrap().backward();
    sgd.step(&mut net, &grads, 0.1);
    for ((name, param), before) in net.params().into_iter().zip(before) {
        let factor = if name == "0.weight" { 0.95 } else { 1.0 };
        all_close(&param.detach(), &(before * factor), 1e-15);
    }
}

#[test]
fn row_7_6_inverted_dropout() {
    let p = 0.3;
    let drop = Dropout::new(p);
    let ones: Real = Tensor::ones([1_000_000]);
    let pass = Pass::train(&mut Rng::seed(45));
    let mask = drop.forward(&ones, &pass.clone());
    assert!(mask.to_vec().iter().all(|&m| m == 0.0 || (m - 1.0 / 0.7).abs() < 1e-15));
    let n = 1e6f64;
    let zeros = mask.to_vec().iter().filter(|m| **m == 0.0).count() as f64 / n;
    assert!((zeros - p).abs() < 5.0 * (p * (1.0 - p) / n).sqrt(), "{zeros}");
    let (mean, var) = moments(&mask);
    assert!((mean - 1.0).abs() < 5.0 * (var / n).sqrt(), "{mean}");

    // With the mask given everything is exact, and the gradient uses the same one.
    let x: Real = Tensor::randn([1_000_000], &mut Rng::seed(46));
    let (y, pull) = vjp(|x: &Real| drop.forward(x, &pass.clone()), &x);
    all_close(&y, &(&x * &mask), 1e-15);
    all_close(&pull(&ones), &mask, 1e-15);
    assert_eq!(drop.forward(&x, &Pass::eval()).to_vec(), x.to_vec());
}

#[test]
fn row_7_7_dropout_with_weight_scaling() {
    let p = 0.4;
    let h: Real = Tensor::rand([500_000], 0.0, 2.0, &mut Rng::seed(47));
    let mean = |x: &Real| moments(x).0;
    let train = Pass::train(&mut Rng::seed(48));
    assert_eq!(Dropout::new(p).rescale, Rescale::Train);
    for rescale in [Rescale::Train, Rescale::Eval] {
        let drop = Dropout { p, rescale };
        let dropped = drop.forward(&h, &train.clone());
        let kept = match rescale {
            Rescale::Train => 1.0 / (1.0 - p),
            Rescale::Eval => 1.0,
        };
        for (y, h) in dropped.to_vec().into_iter().zip(h.to_vec()) {
            assert!(y == 0.0 || (y - kept * h).abs() < 1e-15);
        }
        let evaluated = drop.forward(&h, &Pass::eval());
        all_close(&evaluated, &(&h * (kept * (1.0 - p))), 1e-15);
        let se = (moments(&dropped).1 / 5e5).sqrt();
        assert!((mean(&dropped) - mean(&evaluated)).abs() < 5.0 * se, "{rescale:?}");
    }
}
