//! Every op of the registry at the size that users train, forward and with its gradient.

mod roofline;

use std::hint::black_box;
use std::time::Duration;

use backstitch::registry::{OpSpec, Slope, specs};
use backstitch::{Rng, Tensor};
use criterion::{Throughput, criterion_group, criterion_main};
use roofline::{Roofline, criterion};

fn ops(criterion: &mut criterion::Criterion<Roofline>) {
    for spec in specs() {
        bench(criterion, spec);
    }
}

fn bench(criterion: &mut criterion::Criterion<Roofline>, spec: &OpSpec) {
    let shapes = spec.shapes.last().expect("a spec has shapes");
    let draws = spec.draw(shapes, &mut Rng::seed(1));
    let single = |x: &Tensor<f64>| {
        Tensor::from_vec(x.to_vec().iter().map(|&x| x as f32).collect(), x.shape())
    };
    let x: Vec<Tensor> = draws.iter().map(single).collect();
    let cost = (spec.cost)(shapes);
    // Ops that compute more than they move are compared with the multiply-adds.
    let throughput = match cost.flops > 30.0 * cost.elements {
        true => Throughput::Elements(cost.flops as u64),
        false => Throughput::Bytes((4.0 * cost.elements) as u64),
    };
    let mut group = criterion.benchmark_group(spec.name);
    // Short, because there are hundreds of them.
    group.warm_up_time(Duration::from_millis(80)).measurement_time(Duration::from_millis(240));
    group.sample_size(10);
    group.throughput(throughput);
    group.bench_function("forward", |b| b.iter(|| black_box((spec.build.f32)(&x))));
    if matches!(spec.slope, Slope::Smooth | Slope::Kinks(_)) {
        let leaves: Vec<Tensor> = x.iter().map(Tensor::leaf).collect();
        let dy = Tensor::randn((spec.build.f32)(&x).shape(), &mut Rng::seed(2));
        group.bench_function("forward and gradient", |b| {
            b.iter(|| black_box((spec.build.f32)(&leaves).backward_from(&dy)));
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = ops }
criterion_main!(benches);
