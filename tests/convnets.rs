//! Convolutional networks as a whole: conversions of layout, threads, learning.

use backstitch::layout_conversions;
use backstitch::prelude::*;

/// Convolutions, batch norm, a residual connection, pooling: all that keeps channels last.
#[derive(Clone, Module)]
struct Net {
    conv1: Conv2d,
    norm1: BatchNorm2d,
    conv2: Conv2d,
    norm2: BatchNorm2d,
    fc: Linear,
}

impl Net {
    fn new(rng: &mut Rng) -> Self {
        let padded = Conv2dOptions { padding: 1.into(), ..Conv2dOptions::default() };
        Net {
            conv1: Conv2d::with_options(3, 8, [3, 3], padded, rng),
            norm1: BatchNorm2d::new(8),
            conv2: Conv2d::with_options(8, 8, [3, 3], padded, rng),
            norm2: BatchNorm2d::new(8),
            fc: Linear::new(8, 2, rng),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Tensor {
        let h = self.norm1.forward(&self.conv1.forward(x), pass).relu();
        let h = (self.norm2.forward(&self.conv2.forward(&h), pass) + &h).relu();
        let h = MaxPool2d::new(2).forward(&h);
        self.fc.forward(&Flatten.forward(&AdaptiveAvgPool2d::new(1).forward(&h)))
    }
}

/// Images whose class is the channel that is brightest on average, and the classes.
fn batch(rng: &mut Rng) -> (Tensor, Tensor<i64>) {
    let labels = Tensor::from_fn([16], |idx| (idx[0] % 2) as i64);
    let bright = Tensor::from_fn([16, 3, 1, 1], |idx| f32::from(idx[1] == idx[0] % 2) * 0.3);
    (Tensor::randn([16, 3, 8, 8], rng) + bright, labels)
}

#[test]
fn a_network_converts_its_layout_once() {
    let rng = &mut Rng::seed(0);
    let net = Net::new(rng);
    let (x, labels) = batch(rng);
    let before = layout_conversions();
    let loss = net.forward(&x, &Pass::train(rng)).cross_entropy(&labels);
    assert_eq!(layout_conversions() - before, 1, "forward");
    let grads = loss.backward();
    assert_eq!(layout_conversions() - before, 1, "backward");
    assert!(grads.missing(&net).is_empty());
}

#[test]
fn a_network_learns_the_same_on_any_number_of_threads() {
    let train = || {
        let rng = &mut Rng::seed(1);
        let mut net = Net::new(rng);
        let mut optimizer = Adam::new(AdamConfig::default());
        let mut losses = Vec::new();
        for _ in 0..40 {
            let (x, labels) = batch(rng);
            let loss = net.forward(&x, &Pass::train(rng)).cross_entropy(&labels);
            optimizer.step(&mut net, &loss.backward(), 1e-2);
            losses.push(loss.item());
        }
        losses
    };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads start").install(train)
    };
    let one = on(1);
    let last = one[30..].iter().sum::<f32>() / 10.0;
    assert!(last < 0.5 * one[0], "{one:?}");
    for threads in [2, 3, 8] {
        assert_eq!(on(threads), one, "{threads} threads");
    }
}
