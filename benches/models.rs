//! Training steps of whole models: the workloads that `benches/workloads.rs` measures against
//! other libraries, here with criterion's statistics and baselines.

mod roofline;
#[path = "workloads/models.rs"]
mod workloads;

use criterion::{Throughput, criterion_group, criterion_main};
use roofline::{Roofline, criterion};

fn models(criterion: &mut criterion::Criterion<Roofline>) {
    for name in ["W1", "W2", "W3", "W9", "W10"] {
        let mut workload = workloads::workload(name).expect("the workload exists");
        let first = workload.step();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(workload.flops()));
        group.bench_function("step", |b| b.iter(|| workload.step()));
        group.finish();
        assert!(workload.step() < 4.0 * first, "{name} does not diverge");
        assert!(workload.parameters() > 0);
    }
}

criterion_group! { name = benches; config = criterion(); targets = models }
criterion_main!(benches);
