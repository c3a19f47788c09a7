//! Named applications.

use backstitch::nn::models::*;
use backstitch::prelude::*;
use backstitch::train::Accuracy;

use crate::support::{Real, all_close, digits, emoji, error_rate, images_and_limit};

/// Softmax regression, then a two-layer net, on MNIST itself where its files are.
#[test]
fn row_11_1_mnist_recogniser() {
    let (data, softmax_limit) = images_and_limit("11.1, softmax", 0.09, 0.25);
    let (_, net_limit) = images_and_limit("11.1, two layers", 0.03, 0.18);
    let (test_x, test_labels) = data.test.flat().all().unwrap();
    let loader = Loader::new(data.train.flat(), 100).unwrap();
    let rng = &mut Rng::seed(96);
    let softmax = Sequential::new().then(Linear::new(784, 10, rng));
    let two_layers = Sequential::new()
        .then(Linear::new(784, 128, rng))
        .then(Relu)
        .then(Linear::new(128, 10, rng));
    for (name, mut net, lr, limit) in
        [("softmax", softmax, 0.0005, softmax_limit), ("two layers", two_layers, 0.002, net_limit)]
    {
        let mut adam = Adam::new(AdamConfig::default());
        // Three epochs of MNIST; as many steps on fewer images.
        for _ in 0..180_000 / loader.samples() {
            for batch in loader.epoch(rng) {
                let (x, labels) = batch.unwrap();
                let loss = net.forward(&x, &Pass::train(rng)).cross_entropy(&labels);
                let grads = loss.backward();
                adam.step(&mut net, &grads, lr);
            }
        }
        let error = no_grad(|| error_rate(&net.forward(&test_x, &Pass::eval()), &test_labels));
        println!("row 11.1: {name}: test error {error}");
        assert!(error < limit, "{name}: test error {error}, limit {limit}");
    }
}

/// A small CNN, on MNIST itself where its files are.
#[test]
fn row_11_1_mnist_by_a_small_cnn() {
    let (data, limit) = images_and_limit("11.1, CNN", 0.015, 0.17);
    let (mean, std) = data.train.channel_stats();
    let train = data.train.normalize(&mean, &std).unwrap();
    let test = Loader::new(data.test.normalize(&mean, &std).unwrap(), 500).unwrap();
    let rng = &mut Rng::seed(100);
    let mut net = (
        Conv2d::new(1, 8, 5, rng),
        MaxPool2d::new(2),
        Relu,
        Conv2d::new(8, 16, 3, rng),
        MaxPool2d::new(2),
        Relu,
        Flatten,
        Linear::new(400, 10, rng),
    );
    let loader = Loader::new(train, 50).unwrap();
    // One epoch of MNIST; as many steps on fewer images.
    let epochs = 60_000 / loader.samples();
    let schedule = OneCycleLr::new(6e-3, epochs * loader.batches());
    let mut adam = Adam::new(AdamConfig::default());
    let mut step = 0;
    for _ in 0..epochs {
        for batch in loader.epoch(rng) {
            let (x, labels) = batch.unwrap();
            let loss = Layer::forward(&net, &x, &Pass::train(rng)).cross_entropy(&labels);
            adam.step(&mut net, &loss.backward(), schedule.at(step));
            step += 1;
        }
    }
    let mut accuracy = Accuracy::default();
    for batch in test.iter() {
        let (x, labels) = batch.unwrap();
        accuracy.add(&no_grad(|| Layer::forward(&net, &x, &Pass::eval())), &labels);
    }
    let error = 1.0 - accuracy.value();
    println!("row 11.1: CNN: test error {error:.4}");
    assert!(error < limit, "test error {error}, limit {limit}");
}

/// The number of layers with weights, which the networks are named after.
fn layers(table: &[VggItem]) -> usize {
    table.iter().filter(|item| **item != VggItem::Pool).count() + 3
}

#[test]
fn row_11_3_vgg_by_a_table() {
    let tables = [VGG_A, VGG_B, VGG_C, VGG_D, VGG_E];
    assert_eq!(tables.map(layers), [11, 13, 16, 16, 19]);
    // For ImageNet; weights of 0 are counted sooner than drawn.
    let options = VggOptions { init_weights: false, ..VggOptions::default() };
    let vgg16: Vgg = Vgg::new(VGG_D, options, &mut Rng::seed(0));
    assert_eq!(vgg16.param_count(), 138_357_544);
}

/// A narrow VGG, of a list of its own, learns emoji.
#[test]
fn row_11_3_a_narrow_vgg_trains() {
    use VggItem::{Conv3, Pool};
    let rng = &mut Rng::seed(97);
    let data = emoji();
    let (mean, std) = data.train.channel_stats();
    let train = data.train.normalize(&mean, &std).unwrap();
    let (test_x, test_labels) = data.test.normalize(&mean, &std).unwrap().all().unwrap();
    let table = [Conv3(8), Pool, Conv3(16), Pool, Conv3(32), Pool, Conv3(32), Pool];
    let options = VggOptions { pool: 2, hidden: 64, ..VggOptions::small_images(9) };
    let mut net = Vgg::new(&table, options, rng);
    let mut adam = Adam::new(AdamConfig::default());
    let loader = Loader::new(train, 64).unwrap();
    let schedule = OneCycleLr::new(4e-3, 4 * loader.batches());
    let mut step = 0;
    for _ in 0..4 {
        for batch in loader.epoch(rng) {
            let (x, labels) = batch.unwrap();
            let loss = net.forward(&x, &Pass::train(rng)).cross_entropy(&labels);
            adam.step(&mut net, &loss.backward(), schedule.at(step));
            step += 1;
        }
    }
    let error = error_rate(&no_grad(|| net.forward(&test_x, &Pass::eval())), &test_labels);
    println!("row 11.3: narrow VGG on emoji: test error {error:.3}");
    // The largest class is a fifth.
    assert!(error < 0.7, "{error}");
}

/// `y[n, j, o] = bias[j] + Σ x[n, c, o stride + k dilation - padding] weight[j, c, k]`, by loops.
fn conv_by_loops(x: &Real, weight: &Real, bias: &Real, options: &Conv2dOptions) -> Real {
    let (size, kernel) = ([x.shape()[2], x.shape()[3]], [weight.shape()[2], weight.shape()[3]]);
    let sides = |axis: usize| options.padding.sides(axis, 0).0;
    let out: [usize; 2] = std::array::from_fn(|axis| {
        let reach = options.dilation[axis] * (kernel[axis] - 1) + 1;
        (size[axis] + 2 * sides(axis) - reach) / options.stride[axis] + 1
    });
    let (outs, ins) = (weight.shape()[0], weight.shape()[1]);
    Tensor::from_fn([x.shape()[0], outs, out[0], out[1]], |at| {
        let group = at[1] / (outs / options.groups);
        let mut sum = bias.at(&[at[1]]);
        for c in 0..ins {
            for k in 0..kernel[0] * kernel[1] {
                let tap = [k / kernel[1], k % kernel[1]];
                let place: [Option<usize>; 2] = std::array::from_fn(|axis| {
                    let place =
                        at[2 + axis] * options.stride[axis] + tap[axis] * options.dilation[axis];
                    place.checked_sub(sides(axis)).filter(|&place| place < size[axis])
                });
                if let [Some(row), Some(col)] = place {
                    let x = x.at(&[at[0], group * ins + c, row, col]);
                    sum += x * weight.at(&[at[1], c, tap[0], tap[1]]);
                }
            }
        }
        sum
    })
}

#[test]
fn row_11_4_convolutions_and_pools() {
    let rng = &mut Rng::seed(98);
    let options = [
        Conv2dOptions::default(),
        Conv2dOptions { stride: [2, 1], padding: [1, 2].into(), ..Default::default() },
        Conv2dOptions { dilation: [1, 2], groups: 2, ..Default::default() },
        Conv2dOptions {
            stride: [2, 2],
            padding: 1.into(),
            dilation: [2, 1],
            groups: 4,
            ..Default::default()
        },
    ];
    let x: Real = Tensor::randn([2, 4, 7, 6], rng);
    for options in options {
        let conv: Conv2d<f64> = Conv2d::with_options(4, 8, [3, 2], options, rng);
        let bias = conv.bias.as_deref().unwrap();
        let by_loops = conv_by_loops(&x, &conv.weight, bias, &options);
        all_close(&conv.forward(&x).detach(), &by_loops, 1e-13);
        let at = (x.clone(), conv.weight.detach(), bias.detach());
        let forward = |(x, w, b): &(Real, Real, Real)| x.conv2d(w, Some(b), &conv.options).square();
        check_gradients(forward, &at).unwrap();
    }
    // Windows of 2 x 2: the largest and the average.
    let blocks = x.slice(2, 0..6).reshape([2, 4, 3, 2, 3, 2]).permute([0, 1, 2, 4, 3, 5]);
    let blocks = blocks.reshape([2, 4, 3, 3, 4]);
    all_close(&MaxPool2d::new(2).forward(&x), &blocks.max_dim(-1, false), 0.0);
    all_close(&AvgPool2d::new(2).forward(&x), &blocks.mean_dim(-1, false), 1e-15);
    check_gradients(|x: &Real| MaxPool2d::new(2).forward(x), &x).unwrap();
    check_gradients(|x: &Real| AvgPool2d::new(2).forward(x), &x).unwrap();
}

/// A small CNN on digits of 8 x 8 pixels.
#[test]
fn row_11_4_a_cnn_for_spatial_data() {
    let rng = &mut Rng::seed(99);
    let (x, labels) = digits();
    let x = (x * 2.0 - 1.0).reshape([1797, 1, 8, 8]);
    let (test_x, test_labels) = (x.narrow(0, 1500, 297), labels.narrow(0, 1500, 297));
    let data = TensorDataset::new(x.narrow(0, 0, 1500), labels.narrow(0, 0, 1500)).unwrap();
    let padded = Conv2dOptions { padding: 1.into(), ..Default::default() };
    let mut net = (
        Conv2d::with_options(1, 16, [3, 3], padded, rng),
        Relu,
        MaxPool2d::new(2),
        Conv2d::with_options(16, 32, [3, 3], padded, rng),
        Relu,
        MaxPool2d::new(2),
        Flatten,
        Linear::new(128, 10, rng),
    );
    let mut adam = Adam::new(AdamConfig::default());
    let loader = Loader::new(data, 50).unwrap();
    for _ in 0..8 {
        for batch in loader.epoch(rng) {
            let (x, labels) = batch.unwrap();
            let loss = Layer::forward(&net, &x, &Pass::train(rng)).cross_entropy(&labels);
            adam.step(&mut net, &loss.backward(), 3e-3);
        }
    }
    let logits = no_grad(|| Layer::forward(&net, &test_x, &Pass::eval()));
    let error = error_rate(&logits, &test_labels);
    println!("row 11.4: CNN on digits: test error {error:.3}");
    assert!(error < 0.1, "{error}");
}
