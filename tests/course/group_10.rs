//! Theory in small: XOR, backpropagation by hand, saturation, the softmax.

use backstitch::prelude::*;

use crate::support::{Real, all_close, close, error_rate, one_hot};

fn xor() -> (Real, Real) {
    let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    (x, Tensor::from([[0.0], [1.0], [1.0], [0.0]]))
}

/// The share of outputs on the wrong side of one half.
fn wrong(y: &Real, target: &Real) -> f64 {
    let pairs = y.to_vec().into_iter().zip(target.to_vec());
    pairs.filter(|(y, t)| (*y > 0.5) != (*t > 0.5)).count() as f64 / 4.0
}

#[test]
fn row_10_8_xor() {
    let (x, target) = xor();
    let rng = &mut Rng::seed(91);
    let mut linear: Linear<f64> = Linear::new(2, 1, rng);
    let mut adam = Adam::new(AdamConfig::default());
    for _ in 0..2000 {
        let grads = linear.forward(&x).mse(&target).backward();
        adam.step(&mut linear, &grads, 0.01);
    }
    let y = linear.forward(&x);
    close(y.mse(&target).item(), 0.25, 1e-9);
    // Whatever the weights, one of four stays wrong.
    for _ in 0..1000 {
        let (w, b): (Real, Real) = (Tensor::randn([2, 1], rng), Tensor::randn([1], rng));
        assert!(wrong(&(x.matmul(&w) + b + 0.5), &target) >= 0.25);
    }

    let mut net = (Linear::<f64>::new(2, 2, rng), Tanh, Linear::<f64>::new(2, 1, rng));
    let mut adam = Adam::new(AdamConfig::default());
    for _ in 0..2000 {
        let grads = net.forward(&x, &Pass::eval()).mse(&target).backward();
        adam.step(&mut net, &grads, 0.02);
    }
    let y = net.forward(&x, &Pass::eval());
    println!("row 10.8: {:?}", y.to_vec());
    assert_eq!(wrong(&y, &target), 0.0);
    assert!(y.mse(&target).item() < 1e-3);
}

/// Columns are samples: `z = W a + b`, `delta = dL/dz`, for `L = ½ |a - y|²`.
#[test]
fn row_10_9_the_four_equations_of_backpropagation() {
    let rng = &mut Rng::seed(92);
    let sizes = [3, 4, 5, 2];
    let weights: Vec<Real> =
        sizes.windows(2).map(|pair| Tensor::randn([pair[1], pair[0]], rng).leaf()).collect();
    let biases: Vec<Real> = sizes[1..].iter().map(|&n| Tensor::randn([n, 1], rng).leaf()).collect();
    let (x, y): (Real, Real) = (Tensor::randn([3, 1], rng), Tensor::randn([2, 1], rng));
    let (mut a, mut z) = (vec![x], Vec::new());
    for (w, b) in weights.iter().zip(&biases) {
        z.push(w.matmul(&a[a.len() - 1]) + b);
        a.push(z[z.len() - 1].sigmoid());
    }
    let loss = (&a[3] - &y).square().sum() * 0.5;
    let deltas = loss.derivatives(&z);
    let grads = loss.backward();

    let slope = |z: &Real| z.detach().sigmoid() * (1.0 - z.detach().sigmoid());
    // BP1
    let mut delta = (a[3].detach() - &y) * slope(&z[2]);
    for l in (0..3).rev() {
        all_close(&deltas[l], &delta, 1e-14);
        // BP3 and BP4
        let outer = delta.matmul(&a[l].detach().transpose(0, 1));
        all_close(grads.get(&weights[l]).unwrap(), &outer, 1e-14);
        all_close(grads.get(&biases[l]).unwrap(), &delta, 1e-14);
        // BP2
        if l > 0 {
            delta = weights[l].detach().transpose(0, 1).matmul(&delta) * slope(&z[l - 1]);
        }
    }
}

#[test]
fn row_10_10_gradients_vanish_in_saturation() {
    let rng = &mut Rng::seed(93);
    let layers: Vec<Linear<f64>> = (0..20).map(|_| Linear::new(30, 30, rng)).collect();
    let x: Real = Tensor::randn([10, 30], rng);
    let y = layers.iter().fold(x, |x, layer| layer.forward(&x).sigmoid());
    let grads = (y * Tensor::randn([10, 30], rng)).sum().backward();
    let norm = |layer: &Linear<f64>| grads.get(&layer.weight).unwrap().square().sum().item().sqrt();
    let ratio = norm(&layers[0]) / norm(&layers[19]);
    println!("row 10.10: first gradient over last {ratio:e}");
    assert!(ratio < 1e-6);
}

#[test]
fn row_10_11_one_iteration_of_the_flow_chart() {
    let rng = &mut Rng::seed(94);
    let mut net = (Linear::<f64>::new(4, 6, rng), Relu, Linear::<f64>::new(6, 3, rng));
    let x: Real = Tensor::randn([8, 4], rng);
    let labels = Tensor::from([0, 1, 2, 2, 1, 0, 0, 1]);
    // By hand, on row vectors.
    let (w1, w2) = (net.0.weight.detach(), net.2.weight.detach());
    let (b1, b2) = (net.0.bias.as_ref().unwrap().detach(), net.2.bias.as_ref().unwrap().detach());
    let z = x.matmul(&w1.transpose(0, 1)) + &b1;
    let h = z.relu();
    let p = (h.matmul(&w2.transpose(0, 1)) + &b2).softmax(-1);
    let picked = (&p * one_hot(&labels, 3)).sum_dim(1, false);
    let loss = -picked.log().mean();
    let dlogits = (p - one_hot(&labels, 3)) / 8.0;
    let dz = dlogits.matmul(&w2) * z.gt(0.0).to();

    let found = net.forward(&x, &Pass::eval()).cross_entropy(&labels);
    close(found.item(), loss.item(), 1e-14);
    Sgd::new(SgdConfig::default()).step(&mut net, &found.backward(), 0.5);
    let stepped = |before: &Real, gradient: Real| before - gradient * 0.5;
    all_close(&net.0.weight.detach(), &stepped(&w1, dz.transpose(0, 1).matmul(&x)), 1e-14);
    all_close(&net.2.weight.detach(), &stepped(&w2, dlogits.transpose(0, 1).matmul(&h)), 1e-14);
    let bias = |layer: &Linear<f64>| layer.bias.as_ref().unwrap().detach();
    all_close(&bias(&net.0), &stepped(&b1, dz.sum_dim(0, false)), 1e-14);
    all_close(&bias(&net.2), &stepped(&b2, dlogits.sum_dim(0, false)), 1e-14);
    assert!(error_rate(&net.forward(&x, &Pass::eval()), &labels) <= 1.0);
}

#[test]
fn row_10_12_softmax_properties() {
    let rng = &mut Rng::seed(95);
    for scale in [1.0, 1e3, 1e10, 1e30] {
        let logits: Tensor = Tensor::randn([50, 10], rng) * scale;
        let p = logits.softmax(-1);
        assert!(p.to_vec().iter().all(|p| (0.0..=1.0).contains(p)));
        all_close(&p.sum_dim(1, false), &Tensor::ones([50]), 1e-6);
        // Only differences of logits count.
        if scale <= 1.0 {
            all_close(&(logits + 100.0).softmax(-1), &p, 1e-5);
        }
    }
}
