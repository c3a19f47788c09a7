//! Fully connected nets and broadcasting.

use backstitch::kernels::pool;
use backstitch::prelude::*;

use crate::support::{Real, all_close, alone, spiral};

#[test]
fn row_4_1_linear_with_bias() {
    let mut rng = Rng::seed(17);
    let layer: Linear<f64> = Linear::new(4, 3, &mut rng);
    let bias = layer.bias.as_ref().unwrap();
    for lead in [&[][..], &[5], &[2, 5], &[2, 1, 5]] {
        let shape = |last: usize| [lead, &[last]].concat();
        let x = Tensor::randn(shape(4), &mut rng).leaf();
        let dy: Real = Tensor::randn(shape(3), &mut rng);
        let y = layer.forward(&x);
        let rows = x.numel() / 4;
        let (x2, dy2) = (x.detach().reshape([rows, 4]), dy.reshape([rows, 3]));
        let w = layer.weight.detach();
        let want = x2.matmul(&w.transpose(0, 1)) + bias.detach();
        all_close(&y.detach(), &want.reshape(shape(3)), 1e-14);
        let grads = (&y * &dy).sum().backward();
        all_close(grads.get(&x).unwrap(), &dy2.matmul(&w).reshape(shape(4)), 1e-14);
        all_close(grads.get(&layer.weight).unwrap(), &dy2.transpose(0, 1).matmul(&x2), 1e-13);
        all_close(grads.get(bias).unwrap(), &dy2.sum_dim(0, false), 1e-14);
    }
}

#[test]
fn row_4_2_broadcasting_copies_nothing() {
    let b: Real = Tensor::from([1.0, -2.0, 3.0]);
    let wide = b.expand([1000, 3]);
    assert!(wide.shares_buffer(&b));
    assert_eq!(wide.strides(), [0, 1]);

    let mut rng = Rng::seed(18);
    let (zw, dy): (Real, Real) =
        (Tensor::randn([50, 3], &mut rng), Tensor::randn([50, 3], &mut rng));
    let b = b.leaf();
    let y = &zw + &b;
    all_close(&y.detach(), &(&zw + b.detach().expand([50, 3])), 0.0);
    let grads = (&y * &dy).sum().backward();
    all_close(grads.get(&b).unwrap(), &dy.sum_dim(0, false), 1e-14);
}

#[test]
fn row_4_2_a_bias_takes_no_memory_of_its_own() {
    alone("group_04::row_4_2_a_bias_takes_no_memory_of_its_own", || {
        let rng = &mut Rng::seed(19);
        let [z, w]: [Tensor; 2] = [(); 2].map(|()| Tensor::randn([500, 500], rng));
        let b: Tensor = Tensor::randn([500], rng);
        let peak = |f: &dyn Fn() -> Tensor| {
            pool::reset_peak();
            let before = pool::stats().bytes_in_use;
            drop(f());
            pool::stats().bytes_in_use_peak - before
        };
        // One result, and nothing else of its size.
        let result = peak(&|| &z + 1.0);
        assert!((1_000_000..1_300_000).contains(&result), "{result}");
        assert_eq!(peak(&|| &z + &b), result);
        assert_eq!(peak(&|| z.linear(&w, Some(&b))), peak(&|| z.linear(&w, None)));
    });
}

/// Makes a fresh optimizer.
type MakeOptimizer = fn() -> Box<dyn Optimizer>;

#[test]
fn row_4_3_init_times_optimiser() {
    let (x, labels) = spiral(2, 50, &mut Rng::seed(19));
    let inits = [
        Init::Normal { mean: 0.0, std: 0.01 },
        Init::XavierNormal { gain: 1.0 },
        Init::KaimingNormal { fan: Fan::In, nonlinearity: Nonlinearity::Relu },
    ];
    let optimizers: [(f64, MakeOptimizer); 3] = [
        (0.1, || Box::new(Sgd::new(SgdConfig::default()))),
        (0.1, || Box::new(Sgd::new(SgdConfig { momentum: 0.9, ..SgdConfig::default() }))),
        (0.01, || Box::new(Adam::new(AdamConfig::default()))),
    ];
    for weight_init in inits {
        let options =
            LinearOptions { weight_init, bias_init: Init::Zeros, ..LinearOptions::default() };
        for (lr, optimizer) in optimizers {
            let rng = &mut Rng::seed(20);
            let layer = |from, to, rng: &mut Rng| Linear::with_options(from, to, options, rng);
            let mut net = (layer(2, 30, rng), Relu, layer(30, 2, rng));
            let mut optimizer = optimizer();
            let mut losses = Vec::new();
            for _ in 0..150 {
                let loss = net.forward(&x, &Pass::eval()).cross_entropy(&labels);
                optimizer.step(&mut net, &loss.backward(), lr);
                losses.push(loss.item());
            }
            println!("{weight_init:?}, lr {lr}: loss {} to {}", losses[0], losses[149]);
            assert!(losses[149] < losses[0], "{weight_init:?}, lr {lr}: {losses:?}");
        }
    }
}
