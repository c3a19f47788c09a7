//! Initialisation: the experiments with deep nets.

use backstitch::prelude::*;

use crate::support::{Real, close, digits, moments};

/// Layers of width 100 from standard deviation `√(c / 100)`, without biases.
fn deep_weights(layers: usize, c: f64, rng: &mut Rng) -> Vec<Param> {
    let init = Init::Normal { mean: 0.0, std: (c / 100.0).sqrt() };
    (0..layers).map(|_| Param::new(init.tensor([100, 100], rng))).collect()
}

fn rms(x: &Tensor) -> f64 {
    f64::from(x.square().mean().item()).sqrt()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn row_6_19_fifty_relu_layers() {
    for (c, expected, within) in [(1.0, -7.5, 1.0), (2.0, 0.0, 0.6), (3.0, 4.4, 1.0)] {
        let (mut growth, mut gradient_growth) = (Vec::new(), Vec::new());
        for seed in 0..9 {
            let rng = &mut Rng::seed(60 + seed);
            let weights = deep_weights(50, c, rng);
            let x: Tensor = Tensor::randn([50, 100], rng);
            let dy: Tensor = Tensor::randn([50, 100], rng);
            let net = |x: &Tensor| weights.iter().fold(x.clone(), |z, w| z.linear(w, None).relu());
            let (y, pull) = vjp(net, &x);
            growth.push((rms(&y) / rms(&x)).log10());
            gradient_growth.push((rms(&pull(&dy)) / rms(&dy)).log10());
        }
        let (growth, gradient_growth) = (median(growth), median(gradient_growth));
        println!("row 6.19: c = {c}: 10^{growth:.2}, gradients 10^{gradient_growth:.2}");
        assert!((growth - expected).abs() < within, "c = {c}: {growth}");
        assert!((gradient_growth - expected).abs() < within, "c = {c}: {gradient_growth}");
    }
}

/// A classifier of digits: 50 layers of width 100 with `√(c / n)` and ReLU, then the logits.
#[derive(Clone, Module)]
struct Deep {
    first: Linear,
    middle: Vec<Linear>,
    last: Linear,
}

impl Deep {
    fn new(c: f64, rng: &mut Rng) -> Self {
        let mut layer = |from: usize, to| {
            let weight_init = Init::Normal { mean: 0.0, std: (c / from as f64).sqrt() };
            let options =
                LinearOptions { weight_init, bias_init: Init::Zeros, ..LinearOptions::default() };
            Linear::with_options(from, to, options, rng)
        };
        Deep {
            first: layer(64, 100),
            middle: (0..48).map(|_| layer(100, 100)).collect(),
            last: layer(100, 10),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let z = self.first.forward(x).relu();
        self.last.forward(&self.middle.iter().fold(z, |z, layer| layer.forward(&z).relu()))
    }
}

/// 200 of the digits, centred, and 60 steps with momentum on all of them at once: the losses, the
/// size of the first layer's first gradient, and the nets before and after.
fn train(c: f64) -> (Vec<f64>, f64, Deep, Deep) {
    let (x, labels) = digits();
    let (x, labels) = ((x - 0.5).narrow(0, 0, 200) * 2.5, labels.narrow(0, 0, 200));
    let mut net = Deep::new(c, &mut Rng::seed(70));
    let start = net.clone();
    let mut sgd = Sgd::new(SgdConfig { momentum: 0.9, ..SgdConfig::default() });
    let (mut losses, mut slope) = (Vec::new(), f64::NAN);
    for step in 0..60 {
        let loss = net.forward(&x).cross_entropy(&labels);
        losses.push(f64::from(loss.item()));
        let grads = loss.backward();
        if step == 0 {
            slope = rms(grads.get(&net.first.weight).unwrap());
        }
        sgd.step(&mut net, &grads, 0.001);
    }
    (losses, slope, start, net)
}

/// The table of 9.2 gives gradients of about 1e-8 for 3/n. They explode, as 6.3 says: at the first
/// layer they measure 1e2, those of 2/n 3e-3, those of 1/n 1e-10.
#[test]
fn row_6_20_only_one_scale_trains() {
    let [one, two, three] = [1.0, 2.0, 3.0].map(train);
    for (c, (losses, slope, ..)) in [1, 2, 3].into_iter().zip([&one, &two, &three]) {
        println!("row 6.20: {c}/n: gradient {slope:.1e}, loss {} to {}", losses[0], losses[59]);
    }
    let ln_k = 10f64.ln();
    assert!(one.0.iter().all(|loss| (loss - ln_k).abs() < 0.01) && one.1 < 1e-7);
    assert!(two.0[59] < 0.8 * two.0[0] && two.0[59] < 2.0);
    let diverged = |loss: f64| loss.is_nan() || loss >= ln_k - 0.01;
    assert!(three.0[0] > 100.0 && diverged(three.0[59]) && three.1 > 1.0);
}

#[test]
fn row_6_21_the_first_scale_persists() {
    let mut variances = Vec::new();
    for c in [1.7, 2.0, 2.3] {
        let (losses, _, start, end) = train(c);
        let size = |net: &Deep, minus: Option<&Deep>| {
            let square = |(i, layer): (usize, &Linear)| match minus {
                Some(other) => (&*layer.weight - &*other.middle[i].weight).square().sum().item(),
                None => layer.weight.square().sum().item(),
            };
            f64::from(net.middle.iter().enumerate().map(square).sum::<f32>()).sqrt()
        };
        let moved = size(&end, Some(&start)) / size(&start, None);
        println!("row 6.21: c = {c}: |W_T - W_0| / |W_0| = {moved:.4}, loss to {}", losses[59]);
        assert!(moved < 0.2, "c = {c}: {moved}");
        variances.push(size(&end, None));
    }
    assert!(variances[0] < variances[1] && variances[1] < variances[2], "{variances:?}");
}

/// What is left of a standard normal input after ten layers of width 500.
fn ten_layers(init: Init, activation: fn(&Tensor) -> Tensor) -> Tensor {
    let rng = &mut Rng::seed(71);
    let mut z: Tensor = Tensor::randn([200, 500], rng);
    for _ in 0..10 {
        z = activation(&z.linear(&init.tensor([500, 500], rng), None));
    }
    z
}

#[test]
fn row_6_22_ten_tanh_layers() {
    let saturated =
        |z: &Tensor| z.to_vec().iter().filter(|z| z.abs() > 0.99).count() as f64 / z.numel() as f64;
    let normal = |std| Init::Normal { mean: 0.0, std };
    let tanh = |x: &Tensor| x.tanh();
    let collapsed = ten_layers(normal(0.01), tanh);
    assert!(moments(&collapsed).1.sqrt() < 1e-4);
    assert!(saturated(&ten_layers(normal(1.0), tanh)) > 0.8);
    let xavier = ten_layers(Init::XavierNormal { gain: 1.0 }, tanh);
    let std = moments(&xavier).1.sqrt();
    println!("row 6.22: Xavier {std}, saturated {}", saturated(&xavier));
    assert!((0.1..0.8).contains(&std) && saturated(&xavier) < 0.01);
    let he = Init::KaimingNormal { fan: Fan::In, nonlinearity: Nonlinearity::Relu };
    close(rms(&ten_layers(he, |x| x.relu())), 1.0, 0.5);
}

#[test]
fn row_6_23_telephone_game() {
    let chain = |w: f64, layers: usize| (0..layers).fold(Tensor::scalar(1.0), |x: Real, _| x * w);
    close(chain(0.01, 10).item().log10(), -20.0, 1e-12);
    close(chain(1.5, 100).item() / 1.5f64.powi(100), 1.0, 1e-13);
    // The message back fares no better.
    let slope = |w: f64, layers: usize| {
        grad(|x: &Real| (0..layers).fold(x.clone(), |x, _| x * w), &Tensor::scalar(1.0)).item()
    };
    assert!(slope(0.01, 10) < 1e-19 && slope(1.5, 100) > 1e17);
}
