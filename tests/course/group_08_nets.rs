//! Normalisation: the experiments with nets.

use backstitch::nn::Statistics;
use backstitch::prelude::*;

use crate::support::{digits, error_rate};

/// Fifty layers of width 100 with weights of variance `c / 100`, each normalised before its ReLU
/// or not: the sizes of what enters the ReLUs, and of the gradients by the weights.
fn sizes(c: f64, normalised: bool) -> (Vec<f64>, Vec<f64>) {
    let rng = &mut Rng::seed(57);
    let init = Init::Normal { mean: 0.0, std: (c / 100.0).sqrt() };
    let weights: Vec<Param> = (0..50).map(|_| Param::new(init.tensor([100, 100], rng))).collect();
    let x: Tensor = Tensor::randn([128, 100], rng);
    let dy: Tensor = Tensor::randn([128, 100], rng);
    let rms = |x: &Tensor| f64::from(x.square().mean().item()).sqrt();
    let (mut z, mut activations) = (x, Vec::new());
    for weight in &weights {
        let h = z.linear(weight, None);
        let h = if normalised { h.layer_norm([100], None, None, 1e-5) } else { h };
        activations.push(rms(&h));
        z = h.relu();
    }
    let grads = z.backward_from(&dy);
    let gradient = |weight: &Param| rms(grads.get(weight).unwrap());
    (activations, weights.iter().map(gradient).collect())
}

#[test]
fn row_8_3_layer_norm_repairs_the_scale() {
    let scales = [1.7, 2.0, 2.3];
    let plain = scales.map(|c| sizes(c, false));
    let normed = scales.map(|c| sizes(c, true));
    for (c, ((before, _), (after, gradients))) in scales.iter().zip(plain.iter().zip(&normed)) {
        println!(
            "row 8.3: c = {c}: rms of layer 50 {:.3} without, {:.3} with layer norm; gradients of \
             layers 1 and 50 {:.3e} and {:.3e} with it",
            before[49], after[49], gradients[0], gradients[49]
        );
        assert!(after.iter().all(|rms| (rms - 1.0).abs() < 1e-2), "c = {c}: {after:?}");
    }
    // Without it, sizes go as (c / 2) to the 25, and so do gradients.
    assert!(plain[2].0[49] > 100.0 * plain[0].0[49]);
    for layer in 0..50 {
        assert!(plain[2].1[layer] > 100.0 * plain[0].1[layer], "layer {layer}");
        let own: Vec<f64> = normed.iter().map(|(_, gradients)| gradients[layer]).collect();
        let largest = own.iter().copied().fold(0.0, f64::max);
        assert!(own.iter().all(|&one| one > largest / 3.0), "layer {layer}: {own:?}");
    }
}

/// The digits from -1 to 1: 1,500 to train on and 297 to test on.
struct Digits {
    x: Tensor,
    labels: Tensor<i64>,
    test_x: Tensor,
    test_labels: Tensor<i64>,
}

impl Digits {
    fn read() -> Self {
        let (x, labels) = digits();
        let x = x * 2.0 - 1.0;
        Digits {
            test_x: x.narrow(0, 1500, 297),
            test_labels: labels.narrow(0, 1500, 297),
            x: x.narrow(0, 0, 1500),
            labels: labels.narrow(0, 0, 1500),
        }
    }

    /// Trains for some epochs by SGD with momentum; returns the mean loss of the last one.
    fn train(&self, net: &mut impl Layer, epochs: usize, lr: impl Fn(usize) -> f64) -> f64 {
        let rng = &mut Rng::seed(58);
        let data = TensorDataset::new(self.x.clone(), self.labels.clone()).unwrap();
        let loader = Loader::new(data, 50).unwrap();
        let mut sgd = Sgd::new(SgdConfig { momentum: 0.9, ..SgdConfig::default() });
        let (mut step, mut last) = (0, 0.0);
        for _ in 0..epochs {
            last = 0.0;
            for batch in loader.epoch(rng) {
                let (x, labels) = batch.unwrap();
                let loss = net.forward(&x, &Pass::train(rng)).cross_entropy(&labels);
                sgd.step(net, &loss.backward(), lr(step));
                last += f64::from(loss.item()) / loader.batches() as f64;
                step += 1;
            }
        }
        last
    }

    fn test_error(&self, net: &impl Layer) -> f64 {
        let logits = no_grad(|| net.forward(&self.test_x, &Pass::eval()));
        error_rate(&logits, &self.test_labels)
    }
}

/// A linear layer by He's rule.
fn he(from: usize, to: usize, rng: &mut Rng) -> Linear {
    let weight_init = Init::KaimingNormal { fan: Fan::In, nonlinearity: Nonlinearity::Relu };
    let options = LinearOptions { weight_init, bias_init: Init::Zeros, ..Default::default() };
    Linear::with_options(from, to, options, rng)
}

#[test]
fn row_8_4_layer_norm_in_a_plain_net() {
    let data = Digits::read();
    let mut losses = Vec::new();
    for normalised in [false, true] {
        let rng = &mut Rng::seed(59);
        let mut net = Sequential::new();
        for (from, to) in [(64, 100), (100, 100), (100, 100)] {
            net = net.then(he(from, to, rng));
            net = if normalised { net.then(LayerNorm::new([to])) } else { net };
            net = net.then(Relu);
        }
        net = net.then(he(100, 10, rng));
        let loss = data.train(&mut net, 5, |_| 0.01);
        let error = data.test_error(&net);
        let with = if normalised { "with" } else { "without" };
        println!("row 8.4: {with} layer norm: training loss {loss:.4}, test error {error:.3}");
        assert!(loss < 0.2 && error < 0.15, "{with}: {loss}, {error}");
        losses.push(loss);
    }
    assert_ne!(losses[0], losses[1]);
}

#[test]
fn row_8_8_batch_statistics_at_test_time() {
    let data = Digits::read();
    let rng = &mut Rng::seed(60);
    let mut net = (
        he(64, 100, rng),
        BatchNorm1d::new(100),
        Relu,
        he(100, 100, rng),
        BatchNorm1d::new(100),
        Relu,
        he(100, 10, rng),
    );
    data.train(&mut net, 5, |_| 0.05);

    // Paler digits on a darker ground, with noise.
    let noise: Tensor = Tensor::randn(data.test_x.shape(), rng);
    let corrupted = &data.test_x * 0.4 + 0.8 + noise * 0.2;
    let running = |net: &(Linear, BatchNorm1d, Relu, Linear, BatchNorm1d, Relu, Linear)| {
        [&net.1, &net.4].map(|norm| {
            let state = norm.state_dict();
            state.values().flat_map(|x| x.to_vec()).collect::<Vec<f32>>()
        })
    };
    let before = running(&net);
    let accuracy = |x: &Tensor, statistics: Statistics| {
        let pass = Pass::eval().with_statistics(statistics);
        1.0 - error_rate(&no_grad(|| net.forward(x, &pass)), &data.test_labels)
    };
    let clean = accuracy(&data.test_x, Statistics::Running);
    let by_running = accuracy(&corrupted, Statistics::Running);
    let by_batch = accuracy(&corrupted, Statistics::Batch);
    println!(
        "row 8.8: accuracy {clean:.3} on clean digits; on corrupted ones {by_running:.3} by \
         running statistics, {by_batch:.3} by the batch's"
    );
    assert_eq!(running(&net), before, "running statistics stay as they are");
    assert!(clean > 0.9 && by_batch > by_running + 0.1, "{clean} {by_running} {by_batch}");
}

/// Sixteen narrow layers, with a way around each or not, normalised or not.
fn deep(residual: bool, normalised: bool, rng: &mut Rng) -> Sequential {
    let mut net = Sequential::new().then(he(64, 32, rng)).then(Relu);
    for _ in 0..16 {
        let mut inner = Sequential::new();
        inner = if normalised { inner.then(BatchNorm1d::new(32)) } else { inner };
        inner = inner.then(Relu).then(Linear::new(32, 32, rng));
        net = if residual { net.then(Residual { inner }) } else { net.then(inner) };
    }
    net.then(Linear::new(32, 10, rng))
}

#[test]
fn row_8_9_norms_residuals_and_schedules_interact() {
    let data = Digits::read();
    let mut losses = std::collections::BTreeMap::new();
    for residual in [false, true] {
        for normalised in [false, true] {
            let cycle = OneCycleLr::new(0.05, 3 * 30);
            for name in ["constant", "one cycle"] {
                let lr = |step| if name == "constant" { 0.05 } else { cycle.at(step) };
                let mut net = deep(residual, normalised, &mut Rng::seed(61));
                let loss = data.train(&mut net, 3, lr);
                println!(
                    "row 8.9: residual {residual}, normalised {normalised}, {name}: loss {loss:.3}"
                );
                losses.insert((residual, normalised, name), loss);
            }
        }
    }
    // PyTorch's default weights let a plain net of 18 layers fade. A norm is a remedy, with or
    // without ways around; these alone let it grow instead, which needs a lower rate.
    for name in ["constant", "one cycle"] {
        let faded = losses[&(false, false, name)];
        assert!(faded > 2.2, "{name}: {faded}");
        assert!(losses[&(false, true, name)] < 1.5 && losses[&(true, true, name)] < 1.5);
    }
}
