//! The check of every instruction set that the machine has.

use backstitch_kernels::{Float, arch};

use super::forward::against_oracle;
use super::{gradients, has_gradient, near_relative, slack};
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::{Trial, cast};
use crate::spec::OpSpec;
use crate::tensor::Tensor;

/// Forces each instruction set in turn and compares the output with the oracle, the gradient with
/// that of the machine's best set.
///
/// # Errors
/// When a value is further off than the spec allows, or a gradient than [`slack`] does.
pub fn instruction_sets(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    let case = Case { check: "instruction sets", spec, trial };
    on_all_sets(&case, spec.build.f32)?;
    on_all_sets(&case, spec.build.f64)
}

fn on_all_sets<T: Float>(
    case: &Case,
    build: fn(&[Tensor<T>]) -> Tensor<T>,
) -> Result<(), CheckError> {
    let x: Vec<Tensor<T>> = case.trial.inputs(case.spec);
    let run = || match has_gradient(case.spec) {
        true => gradients(build, &x, case.trial).1,
        false => Vec::new(),
    };
    let want = run();
    for &isa in arch::available() {
        let on = |mut error: CheckError| {
            error.message = format!("on {isa}: {}", error.message);
            error
        };
        arch::with(isa, || against_oracle(case, build)).map_err(on)?;
        for (i, (dx, want)) in arch::with(isa, run).iter().zip(&want).enumerate() {
            let what = format!("the gradient of input {i}");
            near_relative(case, &what, dx, &cast(want), slack(case.spec)).map_err(on)?;
        }
    }
    Ok(())
}
