//! Kernels at the sizes that decide: matrix products, elementary functions, softmax, norms.

mod roofline;

use std::hint::black_box;

use backstitch::kernels::cross_entropy::{Options, cross_entropy, cross_entropy_backward};
use backstitch::kernels::gemm::{Accumulate, Epilogue, Matrix, MatrixMut, gemm};
use backstitch::kernels::norm::{self, Affine, BatchNorm, Gradients, LayerNorm};
use backstitch::kernels::optim::{self, AdamSlices, AdamStep, Decay};
use backstitch::kernels::reduce::Split;
use backstitch::kernels::{Buffer, View, copy, dropout, elementwise, softmax};
use backstitch::{Rng, Tensor};
use criterion::{Throughput, criterion_group, criterion_main};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use roofline::{Roofline, criterion};

type Criterion = criterion::Criterion<Roofline>;

/// In buffers, as tensors have it: on huge pages, and starting at different places of a page.
fn draw(len: usize) -> Buffer<f32> {
    Buffer::from_slice(&Tensor::randn([len], &mut Rng::seed(1)).to_vec())
}

/// Products of (m, k) and (k, n), with each factor as it is (N) or transposed (T); beside each,
/// faer's on one thread.
fn products(criterion: &mut Criterion) {
    let sizes = [
        (64, 64, 64),
        (256, 256, 256),
        (512, 512, 512),
        (1024, 1024, 1024),
        (2048, 2048, 2048),
        (100, 784, 10),
        (32, 4096, 10),
        (128, 784, 512),
        (256, 1024, 1024),
    ];
    for (m, k, n) in sizes {
        let mut group = criterion.benchmark_group(format!("gemm {m}x{k}x{n}"));
        group.throughput(Throughput::Elements((2 * m * k * n) as u64));
        let (a, b) = (draw(m * k), draw(k * n));
        let (mut c, mut theirs) = (Buffer::zeroed(m * n), Buffer::zeroed(m * n));
        for name in ["NN", "NT", "TN", "TT"] {
            let transposed = (name.starts_with('T'), name.ends_with('T'));
            let (left, right) = (part(&a, m, k, transposed.0), part(&b, k, n, transposed.1));
            let mut ours = || {
                let c = MatrixMut::row_major(&mut c, m, n);
                gemm(left, right, c, 1.0, Accumulate::Replace, Epilogue::None);
            };
            ours();
            group.bench_function(name, |bencher| bencher.iter(&mut ours));
            let (left, right) = (faers(&a, m, k, transposed.0), faers(&b, k, n, transposed.1));
            let mut faers = || {
                let c = MatMut::from_row_major_slice_mut(&mut theirs, m, n);
                matmul(c, Accum::Replace, left, right, 1.0, Par::Seq);
            };
            faers();
            group.bench_function(format!("faer {name}"), |bencher| bencher.iter(&mut faers));
            assert!(c.iter().zip(&theirs[..]).all(|(c, d)| (c - d).abs() < 1e-3 * k as f32));
        }
        group.finish();
    }
}

fn part(data: &[f32], rows: usize, cols: usize, transposed: bool) -> Matrix<'_, f32> {
    match transposed {
        false => Matrix::row_major(data, rows, cols),
        true => Matrix::row_major(data, cols, rows).transposed(),
    }
}

fn faers(data: &[f32], rows: usize, cols: usize, transposed: bool) -> MatRef<'_, f32> {
    match transposed {
        false => MatRef::from_row_major_slice(data, rows, cols),
        true => MatRef::from_row_major_slice(data, cols, rows).transpose(),
    }
}

/// Element-wise functions where the data is in the L2 cache, and where it streams; beside them a
/// bare copy, which none can be faster than, and what is gained in place.
fn functions(criterion: &mut Criterion) {
    type Kernel = fn(View<'_, f32>, &mut [f32]);
    let kernels: [(&str, Kernel); 12] = [
        ("copy", copy::copy),
        ("multiply", |x, y| elementwise::affine(x, 1.5, 0.0, y)),
        ("relu", elementwise::relu),
        ("exp", elementwise::exp),
        ("log", elementwise::log),
        ("tanh", elementwise::tanh),
        ("sigmoid", elementwise::sigmoid),
        ("gelu", elementwise::gelu),
        ("gelu_tanh", elementwise::gelu_tanh),
        ("silu", elementwise::silu),
        ("atan", elementwise::atan),
        ("tan", elementwise::tan),
    ];
    for (size, len) in [("64K", 64 << 10), ("1M", 1_000_000)] {
        let mut x = draw(len);
        x.iter_mut().for_each(|x| *x = x.abs() + 0.1);
        let mut y = Buffer::zeroed(x.len());
        let mut group = criterion.benchmark_group(size);
        group.throughput(Throughput::Bytes(8 * len as u64));
        for (name, kernel) in kernels {
            group.bench_function(name, |b| b.iter(|| kernel(View::flat(black_box(&x)), &mut y)));
            assert!(y.iter().all(|y| y.is_finite()), "{name}");
        }
        group.bench_function("multiply in place", |b| {
            b.iter(|| elementwise::affine_assign(black_box(&mut y), -1.0, 0.0));
        });
        group.finish();
    }
}

/// Softmax and cross-entropy of 512 rows of 1000, forward and backward.
fn rows(criterion: &mut Criterion) {
    let (rows, cols) = (512, 1000);
    let (x, dy) = (draw(rows * cols), draw(rows * cols));
    let (mut y, mut dx) = (Buffer::zeroed(x.len()), Buffer::zeroed(x.len()));
    let mut group = criterion.benchmark_group("512x1000");
    group.throughput(Throughput::Bytes(20 * x.len() as u64));
    let mut softmax = || {
        softmax::softmax(black_box(&x), cols, &mut y);
        softmax::softmax_backward(&y, &dy, cols, &mut dx);
    };
    softmax();
    group.bench_function("softmax", |b| b.iter(&mut softmax));
    assert!((y[..cols].iter().sum::<f32>() - 1.0).abs() < 1e-5);
    group.bench_function("log_softmax", |b| {
        b.iter(|| {
            softmax::log_softmax(black_box(&x), cols, &mut y);
            softmax::log_softmax_backward(&y, &dy, cols, &mut dx);
        });
    });
    group.throughput(Throughput::Bytes(12 * x.len() as u64));
    let labels: Vec<i64> = (0..rows as i64).map(|row| row * 7 % cols as i64).collect();
    let (mut loss, mut saved) = (vec![0.0; rows], vec![0.0; 2 * rows]);
    let (options, dloss) = (Options::default(), vec![1.0 / rows as f32; rows]);
    group.bench_function("cross_entropy", |b| {
        b.iter(|| {
            cross_entropy(black_box(&x), cols, &labels, &options, &mut loss, &mut saved)
                .expect("labels are classes");
            cross_entropy_backward(&x, cols, &labels, &options, &saved, &dloss, &mut dx);
        });
    });
    group.finish();
}

/// Layer norm and batch norm (with ReLU, too), forward and backward.
fn norms(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("norm");
    let (rows, cols) = (4096, 512);
    let (x, dy, gamma, beta) = (draw(rows * cols), draw(rows * cols), draw(cols), draw(cols));
    let (mut y, mut dx) = (Buffer::zeroed(x.len()), Buffer::zeroed(x.len()));
    let (mut mean, mut rstd) = (vec![0.0; rows], vec![0.0; rows]);
    let (mut dgamma, mut dbeta) = (vec![0.0; cols], vec![0.0; cols]);
    let layer = LayerNorm { gamma: Some(&gamma), beta: Some(&beta), eps: 1e-5 };
    group.throughput(Throughput::Bytes(20 * x.len() as u64));
    group.bench_function("layer_norm 4096x512", |b| {
        b.iter(|| {
            norm::layer_norm(black_box(&x), cols, &layer, &mut y, &mut mean, &mut rstd);
            let gradients = Gradients { dx: &mut dx, dgamma: &mut dgamma, dbeta: &mut dbeta };
            norm::layer_norm_backward(&x, &dy, Some(&gamma), &mean, &rstd, gradients);
        });
    });
    assert!(dx.iter().all(|dx| dx.is_finite()));
    for (name, outer, axis, inner, relu) in [
        ("batch_norm 256x1024", 256, 1024, 1, false),
        ("batch_norm relu 32x64x32x32 channels last", 32 * 1024, 64, 1, true),
        ("batch_norm relu 32x64x32x32", 32, 64, 1024, true),
    ] {
        let split = Split { outer, axis, inner };
        let (x, dy) = (draw(split.elements()), draw(split.elements()));
        let (mut y, mut dx) = (Buffer::zeroed(x.len()), Buffer::zeroed(x.len()));
        let (mut mean, mut var) = (vec![0.0; axis], vec![0.0; axis]);
        let (mut dgamma, mut dbeta) = (vec![0.0; axis], vec![0.0; axis]);
        let (gamma, beta, eps) = (None, None, 1e-5);
        let affine = Affine { gamma, beta, eps, residual: None, relu };
        group.throughput(Throughput::Bytes(20 * x.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                norm::batch_norm_training(
                    black_box(&x),
                    split,
                    &affine,
                    &mut y,
                    &mut mean,
                    &mut var,
                );
                let gradients = Gradients { dx: &mut dx, dgamma: &mut dgamma, dbeta: &mut dbeta };
                let norm =
                    BatchNorm { mean: &mean, var: &var, gamma, beta, eps, residual: None, relu };
                norm::batch_norm_backward(&x, &dy, split, &norm, true, gradients);
            });
        });
        assert!(dx.iter().all(|dx| dx.is_finite()));
    }
    group.finish();
}

/// Dropout, AdamW over one large parameter, and copies that transpose.
fn sweeps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dropout");
    let (x, mut y) = (draw(1_000_000), Buffer::zeroed(1_000_000));
    group.throughput(Throughput::Bytes(8 * x.len() as u64));
    group.bench_function("1M", |b| b.iter(|| dropout::dropout(black_box(&x), 0.5, 1, &mut y)));
    group.finish();
    let mut group = criterion.benchmark_group("adamw");
    for (name, len) in [("1M", 1_000_000), ("10M", 10_000_000)] {
        let (mut p, g) = (draw(len), draw(len));
        let (mut m, mut v) = (Buffer::zeroed(len), Buffer::zeroed(len));
        let step = AdamStep { decay: Decay::Decoupled(0.01), ..AdamStep::new(1e-3, 10) };
        group.throughput(Throughput::Bytes(28 * len as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let slices = AdamSlices { p: &mut p, g: &g, m: &mut m, v: &mut v, v_max: None };
                optim::adam(&mut [slices], &step);
            });
        });
        assert!(p.iter().all(|p| p.is_finite()));
    }
    group.finish();
    let mut group = criterion.benchmark_group("transposing copy");
    for size in [512, 2048] {
        let x = draw(size * size);
        let mut y = Buffer::zeroed(size * size);
        group.throughput(Throughput::Bytes(8 * x.len() as u64));
        let (shape, strides) = ([size, size], [1, size as isize]);
        let columns = View::new(&x, 0, &shape, &strides);
        let mut copy = || copy::copy(black_box(columns), &mut y);
        copy();
        group.bench_function(format!("{size}x{size}"), |b| b.iter(&mut copy));
        assert_eq!(y[1], x[size]);
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = products, functions, rows, norms, sweeps
}
criterion_main!(benches);
