//! Library design: residual nets of modules.

use backstitch::prelude::*;

use crate::support::{digits, emoji, error_rate};

#[test]
fn row_9_8_residual_adds_its_input() {
    let rng = &mut Rng::seed(90);
    let x: Tensor = Tensor::randn([4, 6], rng);
    let inner = Sequential::new().then(Linear::new(6, 6, rng)).then(Tanh);
    let pass = Pass::eval();
    let by_hand = inner.forward(&x, &pass) + &x;
    assert_eq!(Residual { inner }.forward(&x, &pass).to_vec(), by_hand.to_vec());
    // Its gradient has the identity's part.
    let zero = Residual { inner: Sequential::new().then(Dropout::new(1.0)) };
    let slope = grad(|x: &Tensor| zero.forward(x, &Pass::train(&mut Rng::seed(0))).sum(), &x);
    assert_eq!(slope.to_vec(), [1.0; 24]);
}

/// The course's block: two linear layers with norms, dropout between them, a way around them.
fn mlp_block(dim: usize, hidden: usize, drop: f64, rng: &mut Rng) -> Sequential {
    let inner = Sequential::new()
        .then(Linear::new(dim, hidden, rng))
        .then(BatchNorm1d::new(hidden))
        .then(Relu)
        .then(Dropout::new(drop))
        .then(Linear::new(hidden, dim, rng))
        .then(BatchNorm1d::new(dim));
    Sequential::new().then(Residual { inner }).then(Relu)
}

#[test]
fn row_9_8_mlp_resnet() {
    let rng = &mut Rng::seed(91);
    let mut net = Sequential::new().then(Linear::new(64, 100, rng)).then(Relu);
    for _ in 0..3 {
        net = net.then(mlp_block(100, 50, 0.1, rng));
    }
    net = net.then(Linear::new(100, 10, rng));
    let block = 100 * 50 + 50 + 2 * 50 + 50 * 100 + 100 + 2 * 100;
    assert_eq!(net.param_count(), 64 * 100 + 100 + 3 * block + 100 * 10 + 10);

    let (x, labels) = digits();
    let (test_x, test_labels) = (x.narrow(0, 1500, 297), labels.narrow(0, 1500, 297));
    let data = TensorDataset::new(x.narrow(0, 0, 1500), labels.narrow(0, 0, 1500)).unwrap();
    let loader = Loader::new(data, 50).unwrap();
    let mut adam = Adam::new(AdamConfig::default());
    for _ in 0..5 {
        for batch in loader.epoch(rng) {
            let (x, labels) = batch.unwrap();
            let loss = net.forward(&x, &Pass::train(rng)).cross_entropy(&labels);
            adam.step(&mut net, &loss.backward(), 1e-3);
        }
    }
    let error = error_rate(&no_grad(|| net.forward(&test_x, &Pass::eval())), &test_labels);
    println!("row 9.8: MLP-ResNet: test error {error:.3}");
    assert!(error < 0.1, "{error}");
}

/// A convolution that keeps the size but for its stride, a norm, a ReLU.
fn conv_bn(from: usize, to: usize, kernel: usize, stride: usize, rng: &mut Rng) -> Sequential {
    let options = Conv2dOptions {
        stride: [stride; 2],
        padding: (kernel / 2).into(),
        ..Conv2dOptions::default()
    };
    Sequential::new()
        .then(Conv2d::with_options(from, to, [kernel; 2], options, rng))
        .then(BatchNorm2d::new(to))
        .then(Relu)
}

/// The course's ResNet-9.
fn resnet9(classes: usize, rng: &mut Rng) -> Sequential {
    let twice = |channels, rng: &mut Rng| Residual {
        inner: Sequential::new()
            .then(conv_bn(channels, channels, 3, 1, rng))
            .then(conv_bn(channels, channels, 3, 1, rng)),
    };
    Sequential::new()
        .then(conv_bn(3, 16, 7, 4, rng))
        .then(conv_bn(16, 32, 3, 2, rng))
        .then(twice(32, rng))
        .then(conv_bn(32, 64, 3, 2, rng))
        .then(conv_bn(64, 128, 3, 2, rng))
        .then(twice(128, rng))
        .then(Flatten)
        .then(Linear::new(128, 128, rng))
        .then(Relu)
        .then(Linear::new(128, classes, rng))
}

#[test]
fn row_9_8_resnet_9() {
    let rng = &mut Rng::seed(92);
    assert_eq!(resnet9(10, rng).param_count(), 431_946);

    let loader = Loader::new(emoji().train, 64).unwrap();
    let mut net = resnet9(9, rng);
    let mut adam = Adam::new(AdamConfig::default());
    let mut losses = Vec::new();
    for _ in 0..3 {
        for batch in loader.epoch(rng) {
            let (x, labels) = batch.unwrap();
            let loss = net.forward(&x, &Pass::train(rng)).cross_entropy(&labels);
            let grads = loss.backward();
            assert!(grads.missing(&net).is_empty());
            adam.step(&mut net, &grads, 2e-3);
            losses.push(loss.item());
        }
    }
    let (first, last) = (losses[0], losses[50..].iter().sum::<f32>() / 25.0);
    println!("row 9.8: ResNet-9 on emoji: loss {first:.2} at first, {last:.2} in the third epoch");
    assert!(last < 0.7 * first, "{losses:?}");
}
