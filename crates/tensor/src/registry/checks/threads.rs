//! The check that results have the same bits on any number of threads.

use std::sync::LazyLock;

use backstitch_kernels::Float;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{gradients, has_gradient};
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::Trial;
use crate::spec::OpSpec;
use crate::tensor::Tensor;

static POOLS: LazyLock<Vec<ThreadPool>> = LazyLock::new(|| {
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build();
    [1, 2, 3, 8].map(|n| pool(n).expect("a machine that runs tests has 8 threads")).into()
});

/// Compares values and gradients on 1, 2, 3 and 8 threads bit by bit. Meant for trials that are
/// large enough to be split: the last example shape of a spec.
///
/// # Errors
/// When a bit differs.
pub fn threads(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    let case = Case { check: "threads", spec, trial };
    on_all_pools(&case, spec.build.f32)?;
    on_all_pools(&case, spec.build.f64)
}

fn on_all_pools<T: Float>(
    case: &Case,
    build: fn(&[Tensor<T>]) -> Tensor<T>,
) -> Result<(), CheckError> {
    let x: Vec<Tensor<T>> = case.trial.inputs(case.spec);
    let run = || match has_gradient(case.spec) {
        true => gradients(build, &x, case.trial),
        false => (build(&x), Vec::new()),
    };
    let mut results = POOLS.iter().map(|pool| (pool.current_num_threads(), pool.install(run)));
    let (_, (want, want_dx)) = results.next().expect("there is a pool of one thread");
    for (threads, (y, dx)) in results {
        case.same_bits(&format!("the output on {threads} threads"), &y, &want)?;
        for (i, (dx, want)) in dx.iter().zip(&want_dx).enumerate() {
            case.same_bits(&format!("the gradient of input {i} on {threads} threads"), dx, want)?;
        }
    }
    Ok(())
}
