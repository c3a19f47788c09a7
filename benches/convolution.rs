//! Single layers of convolutional networks, channels last: convolutions and their two gradients,
//! and pools. Batch norm is in `kernels.rs`.

mod roofline;

use std::hint::black_box;

use backstitch::kernels::Buffer;
use backstitch::kernels::conv::{
    Conv, Window, Winograd, conv, conv_backward_input, conv_backward_weight,
};
use backstitch::kernels::pooling::{
    Pool, Spans, average_pool, average_pool_backward, max_pool, max_pool_scatter,
};
use backstitch::{Rng, Tensor};
use criterion::{Throughput, criterion_group, criterion_main};
use roofline::{Roofline, criterion};

type Criterion = criterion::Criterion<Roofline>;

/// Name, batch, input and output channels, places of a side, taps of a side, stride, groups.
type Layer = (&'static str, usize, [usize; 2], usize, usize, usize, usize);

const LAYERS: [Layer; 11] = [
    ("3x3 64 at 32", 32, [64, 64], 32, 3, 1, 1),
    ("3x3 128 at 16", 32, [128, 128], 16, 3, 1, 1),
    ("3x3 256 at 8", 32, [256, 256], 8, 3, 1, 1),
    ("3x3 512 at 4", 16, [512, 512], 4, 3, 1, 1),
    ("3x3 stride 2, 64 to 128 at 32", 16, [64, 128], 32, 3, 2, 1),
    ("3x3 3 to 64 at 32", 32, [3, 64], 32, 3, 1, 1),
    ("1x1 256 to 64 at 56", 16, [256, 64], 56, 1, 1, 1),
    ("7x7 stem at 224", 8, [3, 64], 224, 7, 2, 1),
    ("depthwise 3x3 64 at 112", 16, [64, 64], 112, 3, 1, 64),
    ("5x5 1 to 32 at 28", 64, [1, 32], 28, 5, 1, 1),
    ("5x5 32 to 64 at 14", 64, [32, 64], 14, 5, 1, 1),
];

/// In memory as tensors have it: the pages of a `Vec` are small, which costs a depthwise convolution
/// a third of its time.
fn draw(len: usize) -> Buffer<f32> {
    Buffer::from_slice(&Tensor::randn([len], &mut Rng::seed(1)).to_vec())
}

fn convolutions(criterion: &mut Criterion) {
    for (name, batch, [in_channels, out_channels], input, kernel, stride, groups) in LAYERS {
        let pad = kernel / 2;
        let output = (input + 2 * pad - kernel) / stride + 1;
        let window = Window { input, output, kernel, stride, dilation: 1, pad: pad as isize };
        let axes = [Window::ONE, window, window];
        let winograd = Winograd::default();
        let layer = Conv { batch, in_channels, out_channels, groups, axes, winograd };
        let (x, w) = (draw(layer.input_len()), draw(layer.weight_len()));
        let dy = draw(layer.output_len());
        let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
        // Of the direct sum, so that Winograd's algorithms may exceed the roofline.
        let flops = 2 * dy.len() * in_channels / groups * kernel * kernel;
        let mut group = criterion.benchmark_group(format!("conv {name}"));
        group.throughput(Throughput::Elements(flops as u64));
        group.bench_function("forward", |b| {
            b.iter(|| conv(black_box(&x), &w, None, &layer, &mut y))
        });
        group.bench_function("backward by image", |b| {
            b.iter(|| conv_backward_input(black_box(&dy), &w, &layer, &mut dx));
        });
        group.bench_function("backward by weight", |b| {
            b.iter(|| conv_backward_weight(black_box(&x), &dy, &layer, &mut dw));
        });
        group.finish();
        assert!(
            [&y, &dx, &dw].into_iter().flat_map(|all| all.iter()).all(|x| x.is_finite()),
            "{name}"
        );
    }
}

fn pools(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pool 2x2 of 32x64x32x32");
    let windows = (0..16).map(|output| (2 * output, 2)).collect();
    let spans = Spans { input: 32, dilation: 1, windows, divisors: vec![2.0; 16] };
    let pool = Pool { batch: 32, channels: 64, axes: [Spans::one(), spans.clone(), spans] };
    let (x, dy) = (draw(pool.input_len()), draw(pool.output_len()));
    let (mut y, mut taps, mut dx) = (dy.clone(), vec![0; pool.taps_len()], x.clone());
    group.throughput(Throughput::Bytes(4 * (2 * x.len() + 2 * y.len()) as u64));
    group.bench_function("maximum, forward and gradient", |b| {
        b.iter(|| {
            max_pool(black_box(&x), &pool, &mut y, &mut taps);
            max_pool_scatter(&dy, &taps, &pool, &mut dx);
        });
    });
    group.bench_function("average, forward and gradient", |b| {
        b.iter(|| {
            average_pool(black_box(&x), &pool, &mut y);
            average_pool_backward(&dy, &pool, &mut dx);
        });
    });
    group.finish();
    assert!(dx.iter().all(|dx| dx.is_finite()));
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = convolutions, pools
}
criterion_main!(benches);
