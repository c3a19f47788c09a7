//! Optimizer steps over many parameters, and what an op costs beside its arithmetic.

mod roofline;

use std::time::{Duration, Instant};

use backstitch::prelude::*;
use criterion::{Throughput, criterion_group, criterion_main};
use roofline::{Roofline, criterion};

fn optimizers(criterion: &mut criterion::Criterion<Roofline>) {
    for count in [1_000_000, 10_000_000] {
        // Parameter, gradient and two moments read; all but the gradient written.
        bench(criterion, "adamw", count, 28, AdamW::new(AdamWConfig::default()));
        bench(criterion, "adam", count, 28, Adam::new(AdamConfig::default()));
        let momentum = SgdConfig { momentum: 0.9, ..SgdConfig::default() };
        bench(criterion, "sgd with momentum", count, 20, Sgd::new(momentum));
        bench(criterion, "sgd", count, 12, Sgd::new(SgdConfig::default()));
    }
}

fn bench(
    criterion: &mut criterion::Criterion<Roofline>,
    name: &str,
    count: usize,
    bytes: usize,
    mut optimizer: impl Optimizer,
) {
    let mut rng = Rng::seed(1);
    let mut model: Vec<Param> =
        (0..10).map(|_| Param::new(Tensor::randn([count / 10], &mut rng))).collect();
    let loss = model.iter().map(|param| (&**param * 0.5).sum()).reduce(|a, b| a + b);
    let grads = loss.expect("there are parameters").backward();
    let mut group = criterion.benchmark_group(format!("{name} {count}"));
    group.throughput(Throughput::Bytes((bytes * count) as u64));
    group.bench_function("step", |b| b.iter(|| optimizer.step(&mut model, &grads, 1e-6)));
    group.finish();
    assert!(model.iter().all(|param| param.to_vec().iter().all(|p| p.is_finite())));
}

/// The time of one op on one number, where arithmetic costs next to nothing: the shape rule, the
/// buffer, the graph's node, and its share of the backward walk.
fn overhead(criterion: &mut criterion::Criterion<Roofline>) {
    const OPS: u32 = 100;
    let chain = |x: &Tensor| (0..OPS).fold(x.clone(), |y, _| y.tanh());
    let data = Tensor::from([0.5_f32]);
    let leaf = data.leaf();
    let mut group = criterion.benchmark_group("overhead of one tanh");
    group.bench_function("unrecorded", |b| b.iter_custom(per_op(OPS, || drop(chain(&data)))));
    group.bench_function("recorded", |b| b.iter_custom(per_op(OPS, || drop(chain(&leaf)))));
    group.bench_function("recorded, and its gradient", |b| {
        b.iter_custom(per_op(OPS, || drop(chain(&leaf).backward_from(&data))));
    });
    group.finish();
    let dx = chain(&leaf).backward_from(&data).get(&leaf).expect("reached").to_vec()[0];
    assert!(dx > 0.0 && dx < 0.5, "{dx}");
}

/// Times rounds of `ops` ops each, as criterion wants it: so that it reports one op.
fn per_op(ops: u32, run: impl Fn()) -> impl Fn(u64) -> Duration {
    move |rounds| {
        let start = Instant::now();
        (0..rounds).for_each(|_| run());
        start.elapsed() / ops
    }
}

criterion_group! { name = benches; config = criterion(); targets = overhead, optimizers }
criterion_main!(benches);
