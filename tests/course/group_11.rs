//! Named applications.

use backstitch::prelude::*;

use crate::support::{error_rate, images_and_limit};

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
