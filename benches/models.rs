//! Training steps of whole models: the workloads that `benches/workloads.rs` measures against
//! other libraries, here with criterion's statistics and baselines.

mod roofline;
#[path = "workloads/models.rs"]
mod workloads;

use criterion::{criterion_group, criterion_main};
use roofline::{Roofline, criterion};

fn models(criterion: &mut criterion::Criterion<Roofline>) {
    for name in ["W1", "W2", "W3", "W9", "W10"] {
        let mut workload = workloads::workload(name).expect("the workload exists");
        let first = workload.step();
        criterion.bench_function(name, |b| b.iter(|| workload.step()));
        assert!(workload.step() < 4.0 * first, "{name} does not diverge");
        assert!(workload.parameters() > 0);
    }
}

criterion_group! { name = benches; config = criterion(); targets = models }
criterion_main!(benches);
