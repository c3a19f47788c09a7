//! What derivatives cost, in forwards and gradients: `grad` against a plain backward, forward mode
//! against the forward, Hessian-vector products against the gradient; contractions by einsum;
//! chains of a million ops.

mod roofline;

use std::hint::black_box;

use backstitch::prelude::*;
use criterion::{Throughput, criterion_group, criterion_main};
use roofline::{Roofline, criterion};

/// A function of parameters, and what it is called.
type Loss = fn(&[Tensor], &Tensor, &Tensor<i64>) -> Tensor;

fn mlp(w: &[Tensor], x: &Tensor, labels: &Tensor<i64>) -> Tensor {
    let h = x.linear(&w[0], Some(&w[1])).tanh();
    let h = h.linear(&w[2], Some(&w[3])).tanh();
    h.linear(&w[4], Some(&w[5])).cross_entropy(labels)
}

fn softmax_classifier(w: &[Tensor], x: &Tensor, labels: &Tensor<i64>) -> Tensor {
    x.linear(&w[0], Some(&w[1])).cross_entropy(labels)
}

fn derivatives(criterion: &mut criterion::Criterion<Roofline>) {
    bench(criterion, "mlp 784-256-256-10", &[784, 256, 256, 10], mlp);
    bench(criterion, "softmax classifier 784-10", &[784, 10], softmax_classifier);
}

fn bench(criterion: &mut criterion::Criterion<Roofline>, name: &str, widths: &[usize], loss: Loss) {
    let mut rng = Rng::seed(1);
    let (mut w, mut v) = (Vec::new(), Vec::new());
    for pair in widths.windows(2) {
        for shape in [&[pair[1], pair[0]][..], &[pair[1]]] {
            w.push(Tensor::randn(shape, &mut rng) * 0.05);
            v.push(Tensor::randn(shape, &mut rng));
        }
    }
    let x = Tensor::randn([128, 784], &mut rng);
    let labels = Tensor::randint(0, 10, [128], &mut rng);
    let f = |w: &Vec<Tensor>| loss(w, &x, &labels);
    let mut group = criterion.benchmark_group(name);
    let products: usize = widths.windows(2).map(|pair| pair[0] * pair[1]).sum();
    group.throughput(Throughput::Elements(2 * 128 * products as u64));
    group.bench_function("forward", |b| b.iter(|| black_box(no_grad(|| f(&w)))));
    let leaves: Vec<Tensor> = w.iter().map(Tensor::leaf).collect();
    group.bench_function("backward", |b| b.iter(|| black_box(f(&leaves).backward())));
    group.bench_function("grad", |b| b.iter(|| black_box(grad(f, &w))));
    group.bench_function("jvp", |b| b.iter(|| black_box(jvp(f, &w, &v))));
    group.bench_function("hvp", |b| b.iter(|| black_box(hvp(f, &w, &v))));
    group.finish();
    let slope: f32 = grad(f, &w).iter().zip(&v).map(|(g, v)| (g * v).sum().item()).sum();
    let along = jvp(f, &w, &v).1.item();
    assert!((slope - along).abs() <= 1e-3 * slope.abs().max(1.0), "{slope} and {along}");
}

fn contractions(criterion: &mut criterion::Criterion<Roofline>) {
    let cases: &[(&str, &[&[usize]])] = &[
        ("ij,jk->ik", &[&[512, 512], &[512, 512]]),
        ("bij,bjk->bik", &[&[32, 128, 128], &[32, 128, 128]]),
        ("bqhd,bkhd->bhqk", &[&[8, 128, 8, 64], &[8, 128, 8, 64]]),
        ("bn,anm,bm->ba", &[&[128, 64], &[32, 64, 64], &[128, 64]]),
        ("bi,bj->bij", &[&[256, 128], &[256, 128]]),
    ];
    let mut group = criterion.benchmark_group("einsum");
    for (equation, shapes) in cases {
        let mut rng = Rng::seed(2);
        let x: Vec<Tensor> = shapes.iter().map(|s| Tensor::randn(*s, &mut rng)).collect();
        let x: Vec<&Tensor> = x.iter().collect();
        let elements: usize = x.iter().map(|x| x.numel()).sum();
        group.throughput(Throughput::Bytes(4 * elements as u64));
        group.bench_function(*equation, |b| b.iter(|| black_box(Tensor::einsum(equation, &x))));
        assert!(Tensor::einsum(equation, &x).to_vec().iter().all(|y| y.is_finite()));
    }
    group.finish();
}

/// Graphs of many ops one after the other, with their backward and their drop: the time per op must
/// not depend on their number.
fn chains(criterion: &mut criterion::Criterion<Roofline>) {
    let mut group = criterion.benchmark_group("chain of ops");
    group.sample_size(10);
    for len in [10_000, 100_000, 1_000_000] {
        group.throughput(Throughput::Elements(len));
        let x = Tensor::scalar(0.5f32).leaf();
        group.bench_function(len.to_string(), |b| {
            b.iter(|| {
                let y = (0..len).fold(x.clone(), |y, _| y + 1e-9);
                black_box(y.backward())
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = derivatives, contractions, chains
}
criterion_main!(benches);
