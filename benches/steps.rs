//! Optimizer steps over many parameters.

mod roofline;

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

criterion_group! { name = benches; config = criterion(); targets = optimizers }
criterion_main!(benches);
