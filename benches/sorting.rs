//! Sorting, indexing and running sums of a million elements, as a list and as a square.

mod roofline;

use std::hint::black_box;

use backstitch::{Rng, Tensor};
use criterion::{Throughput, criterion_group, criterion_main};
use roofline::{Roofline, criterion};

const N: usize = 1_000_000;

/// `len` whole numbers below `end`.
fn indices(len: usize, end: u64, rng: &mut Rng) -> Tensor<i64> {
    (0..len).map(|_| (rng.next_u64() % end) as i64).collect()
}

fn sorting(criterion: &mut criterion::Criterion<Roofline>) {
    let mut rng = Rng::seed(1);
    let x: Tensor = Tensor::randn([N], &mut rng);
    let square: Tensor = Tensor::randn([1000, 1000], &mut rng);
    let idx = indices(N, N as u64, &mut rng);
    let square_idx = indices(N, 1000, &mut rng).reshape([1000, 1000]);
    let mut group = criterion.benchmark_group("1M");
    group.throughput(Throughput::Bytes(8 * N as u64));
    let mut bench = |name: &str, run: &dyn Fn() -> Tensor| {
        assert!(run().numel() > 0);
        group.bench_function(name, |b| b.iter(|| black_box(run())));
    };
    bench("sort", &|| x.sort(0, false).0);
    bench("sort rows", &|| square.sort(1, false).0);
    bench("topk 100", &|| x.topk(100, 0, true).0);
    bench("topk 10 rows", &|| square.topk(10, 1, true).0);
    bench("gather", &|| x.gather(0, &idx));
    bench("gather rows", &|| square.gather(1, &square_idx));
    bench("scatter_add", &|| x.scatter_add(0, &idx, &x));
    bench("scatter_add rows", &|| square.scatter_add(1, &square_idx, &square));
    bench("cumsum", &|| x.cumsum(0));
    bench("cumsum rows", &|| square.cumsum(1));
    bench("cumsum columns", &|| square.cumsum(0));
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = sorting }
criterion_main!(benches);
