//! Kernels at the sizes that decide: matrix products, elementary functions, softmax, norms.

mod roofline;

use std::hint::black_box;

use backstitch::kernels::gemm::{Accumulate, Epilogue, Matrix, MatrixMut, gemm};
use backstitch::kernels::{Buffer, View, elementwise, softmax};
use backstitch::{Rng, Tensor};
use criterion::{Throughput, criterion_group, criterion_main};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use roofline::{Roofline, criterion};

type Criterion = criterion::Criterion<Roofline>;

fn draw(len: usize) -> Vec<f32> {
    Tensor::randn([len], &mut Rng::seed(1)).to_vec()
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
        let (a, b) = (buffer(&draw(m * k)), buffer(&draw(k * n)));
        let (mut c, mut theirs) = (Buffer::zeroed(m * n), Buffer::zeroed(m * n));
        for name in ["NN", "NT", "TN", "TT"] {
            let transposed = (name.starts_with('T'), name.ends_with('T'));
            let (left, right) = (part(&a, m, k, transposed.0), part(&b, k, n, transposed.1));
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let c = MatrixMut::row_major(&mut c, m, n);
                    gemm(left, right, c, 1.0, Accumulate::Replace, Epilogue::None);
                });
            });
            let (left, right) = (faers(&a, m, k, transposed.0), faers(&b, k, n, transposed.1));
            group.bench_function(format!("faer {name}"), |bencher| {
                bencher.iter(|| {
                    let c = MatMut::from_row_major_slice_mut(&mut theirs, m, n);
                    matmul(c, Accum::Replace, left, right, 1.0, Par::Seq);
                });
            });
            assert!(c.iter().zip(&theirs[..]).all(|(c, d)| (c - d).abs() < 1e-3 * k as f32));
        }
        group.finish();
    }
}

fn buffer(data: &[f32]) -> Buffer<f32> {
    let mut buffer = Buffer::unspecified(data.len());
    buffer.copy_from_slice(data);
    buffer
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

/// Functions of a million numbers.
fn functions(criterion: &mut Criterion) {
    type Kernel = fn(View<'_, f32>, &mut [f32]);
    let kernels: [(&str, Kernel); 8] = [
        ("exp", elementwise::exp),
        ("log", elementwise::log),
        ("tanh", elementwise::tanh),
        ("sigmoid", elementwise::sigmoid),
        ("gelu", elementwise::gelu),
        ("gelu_tanh", elementwise::gelu_tanh),
        ("silu", elementwise::silu),
        ("relu", elementwise::relu),
    ];
    let x: Vec<f32> = draw(1_000_000).iter().map(|x| x.abs() + 0.1).collect();
    let mut y = vec![0.0; x.len()];
    let mut group = criterion.benchmark_group("1M");
    group.throughput(Throughput::Bytes(8 * x.len() as u64));
    for (name, kernel) in kernels {
        group.bench_function(name, |b| b.iter(|| kernel(View::flat(black_box(&x)), &mut y)));
        assert!(y.iter().all(|y| y.is_finite()), "{name}");
    }
    group.finish();
}

fn rows(criterion: &mut Criterion) {
    let x = draw(512 * 1000);
    let mut y = vec![0.0; x.len()];
    let mut group = criterion.benchmark_group("512x1000");
    group.throughput(Throughput::Bytes(8 * x.len() as u64));
    group.bench_function("softmax", |b| b.iter(|| softmax::softmax(black_box(&x), 1000, &mut y)));
    assert!((y[..1000].iter().sum::<f32>() - 1.0).abs() < 1e-5);
    group.bench_function("log_softmax", |b| {
        b.iter(|| softmax::log_softmax(black_box(&x), 1000, &mut y));
    });
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = products, functions, rows }
criterion_main!(benches);
