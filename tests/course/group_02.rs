//! Two-layer nets, MLPs and their gradients by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use backstitch::kernels::pool;
use backstitch::op::{Gradient, Op, Saves, Site, Tangents, apply};
use backstitch::prelude::*;

use crate::support::{
    Real, all_close, alone, close, error_rate, images_and_limit, one_hot, spiral,
};

#[test]
fn row_2_1_spirals_need_a_hidden_layer() {
    let mut rng = Rng::seed(4);
    for arms in [2, 3] {
        let (x, labels) = spiral(arms, 150, &mut rng);
        let mut linear = Linear::new(2, arms, &mut rng);
        let mut adam = Adam::new(AdamConfig::default());
        for _ in 0..300 {
            let grads = linear.forward(&x).cross_entropy(&labels).backward();
            adam.step(&mut linear, &grads, 0.05);
        }
        assert!(error_rate(&linear.forward(&x), &labels) > 0.3);

        let mut net = (Linear::new(2, 100, &mut rng), Relu, Linear::new(100, arms, &mut rng));
        let mut adam = Adam::new(AdamConfig::default());
        for _ in 0..1000 {
            let grads = net.forward(&x, &Pass::eval()).cross_entropy(&labels).backward();
            adam.step(&mut net, &grads, 0.02);
        }
        let error = error_rate(&net.forward(&x, &Pass::eval()), &labels);
        assert!(error < 0.05, "{arms} arms: train error {error}");
    }
}

#[test]
fn row_2_2_linear_features_gain_nothing() {
    let mut rng = Rng::seed(5);
    let (x, w1, w2): (Real, Real, Real) = (
        Tensor::randn([9, 6], &mut rng),
        Tensor::randn([6, 8], &mut rng),
        Tensor::randn([8, 3], &mut rng),
    );
    all_close(&x.matmul(&w1).matmul(&w2), &x.matmul(&w1.matmul(&w2)), 1e-13);
}

#[test]
fn row_2_3_random_fourier_features() {
    let mut rng = Rng::seed(6);
    // A disc within a ring.
    let angles: Tensor = Tensor::rand([400], 0.0, std::f32::consts::TAU, &mut rng);
    let radius = Tensor::from_fn([400], |idx| if idx[0] < 200 { 0.7 } else { 1.6 });
    let (a, b) = (angles.cos() * &radius, angles.sin() * &radius);
    let x = Tensor::concat(&[&a.reshape([400, 1]), &b.reshape([400, 1])], 1);
    let labels = Tensor::from_fn([400], |idx| (idx[0] / 200) as i64);

    let w: Tensor = Tensor::randn([2, 200], &mut rng);
    let phi = x.matmul(&w).cos();
    assert!(!phi.is_tracked(), "no gradient reaches the random weights");
    let errors = [&x, &phi].map(|features| {
        let mut theta = Param::new(Tensor::zeros([features.shape()[1], 2]));
        let mut sgd = Sgd::new(SgdConfig::default());
        for _ in 0..200 {
            let grads = features.matmul(&theta).cross_entropy(&labels).backward();
            assert_eq!(grads.len(), 1);
            sgd.step(&mut theta, &grads, 0.1);
        }
        error_rate(&features.matmul(&theta), &labels)
    });
    assert!(errors[0] > 0.3 && errors[1] < 0.1, "{errors:?}");
}

#[test]
fn row_2_4_learned_features() {
    let mut rng = Rng::seed(7);
    let (x, labels) = spiral(2, 50, &mut rng);
    let mut params = (
        Param::new(Tensor::randn([2, 30], &mut rng)),
        Param::new(Tensor::randn([30, 2], &mut rng) * 0.1),
    );
    let loss =
        |(w, theta): &(Param, Param)| x.matmul(w).relu().matmul(theta).cross_entropy(&labels);
    let first = loss(&params);
    let mut sgd = Sgd::new(SgdConfig::default());
    let grads = first.backward();
    assert!(grads.get(&params.0).unwrap().abs().max().item() > 0.0);
    sgd.step(&mut params, &grads, 0.05);
    for _ in 0..100 {
        let grads = loss(&params).backward();
        sgd.step(&mut params, &grads, 0.05);
    }
    assert!(loss(&params).item() < first.item());
}

/// Inputs, labels and weights of a two-layer net.
fn two_layers() -> (Real, Tensor<i64>, (Real, Real)) {
    let mut rng = Rng::seed(8);
    let x = Tensor::randn([7, 4], &mut rng);
    let labels = Tensor::from([0, 2, 1, 1, 0, 2, 2]);
    (x, labels, (Tensor::randn([4, 5], &mut rng), Tensor::randn([5, 3], &mut rng)))
}

#[test]
fn row_2_5_two_layer_net() {
    let mut rng = Rng::seed(9);
    let plain = LinearOptions { bias: false, ..LinearOptions::default() };
    let net: (Linear<f64>, Relu, Linear<f64>) = (
        Linear::with_options(4, 5, plain, &mut rng),
        Relu,
        Linear::with_options(5, 3, plain, &mut rng),
    );
    let (x, ..) = two_layers();
    let (w1, w2) = (net.0.weight.transpose(0, 1), net.2.weight.transpose(0, 1));
    let by_hand = Tensor::from_fn([7, 3], |idx| {
        (0..5)
            .map(|j| {
                let z: f64 = (0..4).map(|i| x.at(&[idx[0], i]) * w1.at(&[i, j])).sum();
                z.max(0.0) * w2.at(&[j, idx[1]])
            })
            .sum()
    });
    all_close(&net.forward(&x, &Pass::eval()).detach(), &by_hand, 1e-14);
}

/// An activation and its derivative.
type Activation = (fn(&Real) -> Real, fn(&Real) -> Real);

/// The course's activations, with the formulas of their derivatives.
const ACTIVATIONS: [Activation; 3] = [
    (|x| x.relu(), |x| x.gt(0.0).to()),
    (|x| x.tanh(), |x| 1.0 - x.tanh().square()),
    (|x| x.sigmoid(), |x| x.sigmoid() * (1.0 - x.sigmoid())),
];

#[test]
fn row_2_6_gradient_of_the_two_layer_net() {
    let (x, labels, params) = two_layers();
    for (sigma, slope) in ACTIVATIONS {
        let sum = CrossEntropy { reduction: Reduction::Sum, ..CrossEntropy::default() };
        let loss = |(w1, w2): &(Real, Real)| {
            sigma(&x.matmul(w1)).matmul(w2).cross_entropy_with(&labels, &sum)
        };
        let (dw1, dw2) = grad(loss, &params);
        let (w1, w2) = &params;
        let z = x.matmul(w1);
        let residual = sigma(&z).matmul(w2).softmax(-1) - one_hot(&labels, 3);
        all_close(&dw2, &sigma(&z).transpose(0, 1).matmul(&residual), 1e-13);
        let inner = residual.matmul(&w2.transpose(0, 1)) * slope(&z);
        all_close(&dw1, &x.transpose(0, 1).matmul(&inner), 1e-13);
        // One step against the numeric gradient.
        for i in 0..w1.numel() {
            let moved = |by: f64| {
                let mut w1 = w1.clone();
                w1.data_mut()[i] += by;
                loss(&(w1, w2.clone())).item()
            };
            close(dw1.to_vec()[i], (moved(1e-5) - moved(-1e-5)) / 2e-5, 1e-4);
        }
    }
}

#[test]
fn row_2_6_two_layers_on_images() {
    let (data, limit) = images_and_limit("2.6", 0.07, 0.30);
    let mut rng = Rng::seed(10);
    // As in the course: no biases, standard deviations 1/√(outputs).
    let mut params = (
        Param::new(Tensor::randn([784, 100], &mut rng) * 0.1),
        Param::new(Tensor::randn([100, 10], &mut rng) * 10f32.sqrt().recip()),
    );
    let logits = |(w1, w2): &(Param, Param), x: &Tensor| x.matmul(w1).relu().matmul(w2);
    let mut sgd = Sgd::new(SgdConfig::default());
    for batch in Loader::new(data.train.flat(), 100).unwrap().epoch(&mut rng) {
        let (x, labels) = batch.unwrap();
        let loss = logits(&params, &x).cross_entropy(&labels);
        sgd.step(&mut params, &loss.backward(), 0.2);
    }
    let (x, labels) = data.train.flat().all().unwrap();
    let error = no_grad(|| error_rate(&logits(&params, &x), &labels));
    println!("row 2.6: train error {error}");
    assert!(error < limit, "train error {error}, limit {limit}");
}

/// A four-layer net's weights, from 4 features to 3 classes.
fn four_layers() -> Vec<Param<f64>> {
    let mut rng = Rng::seed(11);
    [4, 6, 5, 7]
        .into_iter()
        .zip([6, 5, 7, 3])
        .map(|(from, to)| Param::new(Tensor::randn([from, to], &mut rng)))
        .collect()
}

#[test]
fn row_2_7_deep_net() {
    let (x, ..) = two_layers();
    let (mut z, weights) = (x.clone(), four_layers());
    for (i, w) in weights.iter().enumerate() {
        let before = z.clone();
        z = z.matmul(w).tanh();
        assert_eq!(z.shape(), [7, [6, 5, 7, 3][i]]);
        let sum: f64 = (0..w.shape()[0]).map(|k| before.at(&[2, k]) * w.at(&[k, 1])).sum();
        close(z.at(&[2, 1]), sum.tanh(), 1e-14);
    }
}

#[test]
fn row_2_8_activations() {
    // Not through 0, where ReLU has no derivative.
    let x: Real = Tensor::linspace(-3.95, 4.0, 54);
    for (sigma, slope) in ACTIVATIONS {
        all_close(&grad(|x| sigma(x).sum(), &x), &slope(&x), 1e-15);
    }
    for x in x.to_vec() {
        let at = Tensor::scalar(x);
        close(at.relu().item(), x.max(0.0), 0.0);
        close(at.tanh().item(), x.tanh(), 1e-15);
        close(at.sigmoid().item(), 1.0 / (1.0 + (-x).exp()), 1e-15);
    }
    let at_kink = grad(|x: &Real| x.relu(), &Tensor::scalar(0.0));
    assert_eq!(at_kink.item(), 0.0);
}

#[test]
fn row_2_9_backward_recursion() {
    let (x, labels, _) = two_layers();
    let weights = four_layers();
    let mut z = vec![x.leaf()];
    for w in &weights {
        z.push(z[z.len() - 1].matmul(w).tanh());
    }
    let sum = CrossEntropy { reduction: Reduction::Sum, ..CrossEntropy::default() };
    let loss = z[4].cross_entropy_with(&labels, &sum);
    let found = loss.derivatives(&z);
    let dw = loss.derivatives(&weights.iter().map(|w| &**w).collect::<Vec<_>>());

    let z: Vec<Real> = z.iter().map(Tensor::detach).collect();
    let mut g = z[4].softmax(-1) - one_hot(&labels, 3);
    all_close(&found[4], &g, 1e-13);
    for i in (0..4).rev() {
        let w = weights[i].detach();
        let inner = &g * (1.0 - z[i].matmul(&w).tanh().square());
        all_close(&dw[i], &z[i].transpose(0, 1).matmul(&inner), 1e-13);
        g = inner.matmul(&w.transpose(0, 1));
        all_close(&found[i], &g, 1e-13);
    }
}

#[test]
fn row_2_10_last_activation() {
    let (x, _, (w1, w2)) = two_layers();
    let open = x.matmul(&w1).relu().matmul(&w2);
    let general = [&w1, &w2].into_iter().fold(x.clone(), |z, w| z.matmul(w).relu());
    assert!(open.min().item() < 0.0 && general.min().item() == 0.0);
    all_close(&open.relu(), &general, 0.0);
}

/// `x + 1`, counting how often its forward runs.
struct Counted(Arc<AtomicUsize>);

impl Op<f64, 1> for Counted {
    const NAME: &'static str = "counted";
    const SAVES: Saves = Saves::NOTHING;
    fn forward(&mut self, [x]: [&Real; 1]) -> Real {
        self.0.fetch_add(1, Ordering::Relaxed);
        x + 1.0
    }
    fn backward(&self, _: &Site<f64>, dy: &Real) -> Gradient<f64, 1> {
        [Some(dy.clone())]
    }
    fn jvp(&self, _: &Site<f64>, [dx]: Tangents<f64, 1>) -> Real {
        dx.unwrap().clone()
    }
}

#[test]
fn row_2_11_backward_uses_kept_results() {
    let runs = Arc::new(AtomicUsize::new(0));
    let x = Tensor::from([0.5]).leaf();
    let mut y = x.clone();
    for _ in 0..10 {
        y = apply(Counted(runs.clone()), [&y]).tanh();
    }
    y.sum().backward();
    assert_eq!(runs.load(Ordering::Relaxed), 10);
}

#[test]
fn row_2_11_memory_grows_with_depth() {
    alone("group_02::row_2_11_memory_grows_with_depth", || {
        let peak = |depth: usize| {
            let w = Tensor::eye(256).leaf();
            pool::reset_peak();
            let before = pool::stats().bytes_in_use;
            let mut z: Tensor = Tensor::ones([256, 256]);
            for _ in 0..depth {
                z = z.matmul(&w).tanh();
            }
            z.sum().backward();
            (pool::stats().bytes_in_use_peak - before) as f64
        };
        let (few, more, most) = (peak(10), peak(20), peak(40));
        println!("peak bytes at depth 10, 20, 40: {few}, {more}, {most}");
        // Twice the difference of depth, twice the difference of memory: a line.
        close((most - more) / (more - few), 2.0, 0.05);
    });
}
