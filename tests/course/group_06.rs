//! Initialisation.

use backstitch::prelude::*;

use crate::support::{Real, close, moments};

#[test]
fn row_6_1_variance_identities() {
    let rng = &mut Rng::seed(25);
    let n = 1_000_000;
    let (mx, my, sx, sy) = (0.5, -1.5, 2.0, 0.7);
    let x: Real = Tensor::randn([n], rng) * sx + mx;
    let y: Real = Tensor::randn([n], rng) * sy + my;
    // Five standard errors of a mean, with the variance of what is averaged.
    let check = |terms: &Real, expected: f64| {
        let (mean, var) = moments(terms);
        let se = (var / n as f64).sqrt();
        assert!((mean - expected).abs() < 5.0 * se, "{mean} is not within 5 x {se} of {expected}");
    };
    let (vx, vy) = (sx * sx, sy * sy);
    check(&((&x - mx).square()), vx);
    check(&x.square(), vx + mx * mx);
    let (mean, var) = moments(&x);
    close(var, moments(&x.square()).0 - mean * mean, 1e-12);
    let sum = &x + &y;
    check(&((&sum - (mx + my)).square()), vx + vy);
    let product = &x * &y;
    check(&((&product - mx * my).square()), vx * vy + vx * my * my + vy * mx * mx);
}

/// The variance of `x W` over that of `x`, both standard normal.
fn variance_gain(inputs: usize, outputs: usize, rng: &mut Rng) -> f64 {
    let x: Tensor = Tensor::randn([256, inputs], rng);
    let w = Tensor::randn([inputs, outputs], rng);
    moments(&x.matmul(&w)).1 / moments(&x).1
}

#[test]
fn row_6_2_standard_normal_weights_explode() {
    let rng = &mut Rng::seed(26);
    for (n, outputs) in [(100, 100), (4096, 256)] {
        close(variance_gain(n, outputs, rng) / n as f64, 1.0, 0.1);
    }
    // Ten layers of width 100: 100^10.
    let mut x: Real = Tensor::randn([256, 100], rng);
    for _ in 0..10 {
        x = x.matmul(&Tensor::randn([100, 100], rng));
    }
    close(moments(&x).1.log10(), 20.0, 0.05);
}

/// A ReLU net of two hidden layers whose weights start like `init`, and whose biases are zero.
fn relu_net(init: Init, rng: &mut Rng) -> Sequential<f64> {
    let options =
        LinearOptions { weight_init: init, bias_init: Init::Zeros, ..LinearOptions::default() };
    let mut layer = |from, to| Linear::with_options(from, to, options, rng);
    Sequential::new().then(layer(4, 6)).then(Relu).then(layer(6, 5)).then(Relu).then(layer(5, 3))
}

fn samples() -> (Real, Tensor<i64>) {
    let labels = Tensor::from_fn([12], |idx| (idx[0] % 3) as i64);
    (Tensor::randn([12, 4], &mut Rng::seed(27)), labels)
}

#[test]
fn row_6_3_zero_weights_are_a_saddle() {
    let (x, labels) = samples();
    let net = relu_net(Init::Zeros, &mut Rng::seed(28));
    let mut z = x;
    for layer in &net.layers {
        z = layer.forward(&z, &Pass::eval());
        assert_eq!(z.abs().max().item(), 0.0);
    }
    let grads = z.cross_entropy(&labels).backward();
    for (name, param) in net.params().into_iter().filter(|(name, _)| name.ends_with("weight")) {
        assert_eq!(grads.get(param).unwrap().abs().max().item(), 0.0, "{name}");
    }
}

/// Whether all neurons of the first layer have the same weights after 20 steps.
fn neurons_are_clones(init: Init) -> bool {
    let (x, labels) = samples();
    let mut net = relu_net(init, &mut Rng::seed(29));
    let mut sgd = Sgd::new(SgdConfig::default());
    let start = net.params()[0].1.to_vec();
    for _ in 0..20 {
        let grads = net.forward(&x, &Pass::eval()).cross_entropy(&labels).backward();
        sgd.step(&mut net, &grads, 0.1);
    }
    let w = net.params()[0].1.detach();
    assert_ne!(w.to_vec(), start, "the weights move");
    let first = w.narrow(0, 0, 1);
    (w - first).abs().max().item() == 0.0
}

#[test]
fn row_6_4_constant_weights_stay_clones() {
    assert!(neurons_are_clones(Init::Constant(0.1)));
    assert!(!neurons_are_clones(Init::TORCH));
}

#[test]
fn row_6_5_forward_and_backward_condition() {
    let rng = &mut Rng::seed(30);
    let keep = |fan| Init::KaimingNormal { fan, nonlinearity: Nonlinearity::Identity };
    let (n_in, n_out) = (400, 100);
    let x: Real = Tensor::randn([500, n_in], rng);
    let dy: Real = Tensor::randn([500, n_out], rng);
    for (fan, forward, backward) in [(Fan::In, 1.0, 0.25), (Fan::Out, 4.0, 1.0)] {
        let w: Real = keep(fan).tensor([n_out, n_in], rng);
        let (y, pull) = vjp(|x: &Real| x.linear(&w, None), &x);
        close(moments(&y).1, forward, 0.05);
        close(moments(&pull(&dy)).1, backward, 0.05);
    }
}

/// The standard deviation of many draws.
fn std(init: Init, outputs: usize, inputs: usize) -> f64 {
    let w: Tensor = init.tensor([outputs, inputs], &mut Rng::seed(31));
    moments(&w).1.sqrt()
}

/// Shapes `(out, in)` of 40,000 weights or more: 5 standard errors of their standard deviation
/// are below 2%.
const SHAPES: [(usize, usize); 3] = [(200, 200), (100, 400), (1000, 50)];

#[test]
fn row_6_6_xavier_variance() {
    for (n_out, n_in) in SHAPES {
        // One over the arithmetic mean of the fans; the harmonic mean of both conditions.
        let (forward, backward) = (1.0 / n_in as f64, 1.0 / n_out as f64);
        let harmonic = 2.0 / (1.0 / forward + 1.0 / backward);
        let variance = 2.0 / (n_in + n_out) as f64;
        close(harmonic, variance, 1e-15);
        let found = std(Init::XavierNormal { gain: 1.0 }, n_out, n_in);
        close(found / variance.sqrt(), 1.0, 0.02);
    }
}

/// The largest weight is the bound, as nearly as the draws come; the variance a third of its
/// square.
#[track_caller]
fn check_uniform(init: Init, (n_out, n_in): (usize, usize), bound: f64) {
    let w: Tensor = init.tensor([n_out, n_in], &mut Rng::seed(32));
    let largest = f64::from(w.abs().max().item());
    assert!(largest <= bound * (1.0 + 1e-6) && largest > 0.999 * bound, "{largest} and {bound}");
    close(moments(&w).1 / (bound * bound / 3.0), 1.0, 0.02);
}

#[test]
fn row_6_7_xavier_uniform() {
    for shape in SHAPES {
        let bound = (6.0 / (shape.0 + shape.1) as f64).sqrt();
        check_uniform(Init::XavierUniform { gain: 1.0 }, shape, bound);
        check_uniform(Init::XavierUniform { gain: 5.0 / 3.0 }, shape, bound * 5.0 / 3.0);
    }
}

#[test]
fn row_6_8_xavier_normal() {
    for (n_out, n_in) in SHAPES {
        let expected = (2.0 / (n_in + n_out) as f64).sqrt();
        close(std(Init::XavierNormal { gain: 1.0 }, n_out, n_in) / expected, 1.0, 0.02);
        close(std(Init::XavierNormal { gain: 3.0 }, n_out, n_in) / expected, 3.0, 0.02);
    }
}

const RELU: Nonlinearity = Nonlinearity::Relu;

#[test]
fn row_6_9_kaiming_normal() {
    for (n_out, n_in) in SHAPES {
        let init = Init::KaimingNormal { fan: Fan::In, nonlinearity: RELU };
        close(std(init, n_out, n_in) / (2.0 / n_in as f64).sqrt(), 1.0, 0.02);
    }
}

/// `E[relu(z)²] = Var z / 2`: the second moment, for the output of a ReLU has a mean.
#[test]
fn row_6_10_kaiming_derivation() {
    let rng = &mut Rng::seed(33);
    let z: Real = Tensor::randn([1_000_000], rng) * 3.0;
    let squares = z.relu().square();
    let (mean, var) = moments(&squares);
    assert!((mean - 4.5).abs() < 5.0 * (var / 1e6).sqrt(), "{mean}");

    // Pre-activations keep their size over 20 layers.
    let init = Init::KaimingNormal { fan: Fan::In, nonlinearity: RELU };
    let mut x: Tensor = Tensor::randn([200, 1000], rng);
    let mut sizes = Vec::new();
    for _ in 0..20 {
        let z = x.linear(&init.tensor([1000, 1000], rng), None);
        sizes.push(moments(&z).1.sqrt());
        x = z.relu();
    }
    println!("row 6.10: standard deviations of pre-activations {sizes:?}");
    assert!(sizes.iter().all(|size| (size / sizes[0] - 1.0).abs() < 0.25), "{sizes:?}");
}

#[test]
fn row_6_11_leaky_relu_gain() {
    for a in [0.0, 0.2, 1.0] {
        let nonlinearity = Nonlinearity::LeakyRelu(a);
        close(nonlinearity.gain(), (2.0 / (1.0 + a * a)).sqrt(), 1e-15);
        for (n_out, n_in) in SHAPES {
            let init = Init::KaimingNormal { fan: Fan::In, nonlinearity };
            let expected = (2.0 / (n_in as f64 * (1.0 + a * a))).sqrt();
            close(std(init, n_out, n_in) / expected, 1.0, 0.02);
        }
    }
    assert_eq!(Nonlinearity::LeakyRelu(0.0).gain(), RELU.gain());
}

#[test]
fn row_6_12_kaiming_uniform_and_fan_out() {
    for (n_out, n_in) in SHAPES {
        for (fan, count) in [(Fan::In, n_in), (Fan::Out, n_out)] {
            let uniform = Init::KaimingUniform { fan, nonlinearity: RELU };
            check_uniform(uniform, (n_out, n_in), (6.0 / count as f64).sqrt());
            let normal = Init::KaimingNormal { fan, nonlinearity: RELU };
            close(std(normal, n_out, n_in) / (2.0 / count as f64).sqrt(), 1.0, 0.02);
        }
    }
    // A kernel's positions are connections too.
    assert_eq!(fans(&[16, 3, 5, 5]), (75, 400));
}

/// The "simplified" form has half of Kaiming's variance: right for linear nets, not for ReLU.
#[test]
fn row_6_13_divide_by_the_root_of_the_inputs() {
    let rng = &mut Rng::seed(34);
    let simplified = Init::KaimingNormal { fan: Fan::In, nonlinearity: Nonlinearity::Identity };
    let mut x: Tensor = Tensor::randn([500, 400], rng);
    for _ in 0..5 {
        let by_hand: Tensor = Tensor::randn([400, 400], rng) / 400f32.sqrt();
        let w: Tensor = simplified.tensor([400, 400], rng);
        close(moments(&w).1 / moments(&by_hand).1, 1.0, 0.03);
        x = x.linear(&w, None);
        close(moments(&x).1, 1.0, 0.1);
    }
    let kaiming = Init::KaimingNormal { fan: Fan::In, nonlinearity: RELU };
    close(std(kaiming, 400, 400) / std(simplified, 400, 400), 2f64.sqrt(), 0.01);
}

#[test]
fn row_6_14_truncated_normal() {
    let w: Real = Init::TruncNormal { mean: 1.0, std: 0.5 }.tensor([500, 1000], &mut Rng::seed(35));
    let z = ((w - 1.0) / 0.5).to_vec();
    assert!(z.iter().all(|z| z.abs() <= 2.0));
    let z = Tensor::from_vec(z, [500_000]);
    close(moments(&z).1.sqrt(), 0.8796, 0.005);
    // Drawn again, so nothing piles up at the cut: the last hundredth holds what the density
    // there, 0.0571, says.
    let near = z.to_vec().iter().filter(|z| z.abs() > 1.99).count() as f64 / 5e5;
    close(near / (2.0 * 0.01 * 0.0571), 1.0, 0.15);
}

#[test]
fn row_6_15_biases_and_accumulators() {
    let norm: BatchNorm1d = BatchNorm1d::new(3);
    assert_eq!(norm.running_var.as_ref().unwrap().get().to_vec(), [1.0; 3]);
    assert_eq!(norm.running_mean.as_ref().unwrap().get().to_vec(), [0.0; 3]);
    assert_eq!(norm.weight.as_ref().unwrap().to_vec(), [1.0; 3]);
    assert_eq!(norm.bias.as_ref().unwrap().to_vec(), [0.0; 3]);
    let options = LinearOptions { bias_init: Init::Zeros, ..LinearOptions::default() };
    let linear: Linear = Linear::with_options(5, 3, options, &mut Rng::seed(36));
    assert_eq!(linear.bias.unwrap().to_vec(), [0.0; 3]);
}

/// Kaiming uniform with slope √5, which is even between ±1/√in; so are the biases.
#[test]
fn row_6_16_default_of_linear() {
    let linear: Linear = Linear::new(64, 5000, &mut Rng::seed(37));
    assert_eq!(linear.weight.shape(), [5000, 64]);
    for param in [&linear.weight, linear.bias.as_ref().unwrap()] {
        let largest = f64::from(param.abs().max().item());
        assert!(largest <= 0.125 && largest > 0.1249, "{largest}");
        close(moments(param).1 / (0.125 * 0.125 / 3.0), 1.0, 0.05);
    }
    let gain = Nonlinearity::LeakyRelu(5f64.sqrt()).gain();
    close(gain * (3.0 / 64f64).sqrt(), 0.125, 1e-15);
}

/// What `kaiming_normal_`, `xavier_uniform_` and `constant_` do.
#[test]
fn row_6_17_in_place() {
    let rng = &mut Rng::seed(38);
    let mut layer: Linear = Linear::new(300, 200, rng);
    let leaf = layer.weight.leaf_id();
    Init::KaimingNormal { fan: Fan::In, nonlinearity: RELU }.fill(&mut layer.weight, rng);
    close(moments(&layer.weight).1 / (2.0 / 300.0), 1.0, 0.03);
    Init::XavierUniform { gain: 1.0 }.fill(&mut layer.weight, rng);
    close(moments(&layer.weight).1 / (2.0 / 500.0), 1.0, 0.03);
    Init::Constant(0.3).fill(&mut layer.weight, rng);
    assert_eq!((layer.weight.min().item(), layer.weight.max().item()), (0.3, 0.3));
    assert_eq!(layer.weight.leaf_id(), leaf, "it stays the same parameter");
}

#[test]
fn row_6_18_constructors_initialise() {
    let weights = |seed| {
        let layer: Linear = Linear::new(10, 10, &mut Rng::seed(seed));
        layer.weight.to_vec()
    };
    assert_eq!(weights(39), weights(39));
    assert_ne!(weights(39), weights(40));
    let distinct: std::collections::BTreeSet<u32> =
        weights(39).into_iter().map(f32::to_bits).collect();
    assert!(distinct.len() > 95);
}
