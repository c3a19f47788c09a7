//! The check of who gets a gradient: every subset of the inputs.

use super::{gradients, has_gradient};
use crate::registry::report::{Case, CheckError};
use crate::registry::trial::Trial;
use crate::spec::OpSpec;
use crate::tensor::Tensor;

/// Asks for the gradients of every subset of the inputs, by `backward_from` on leaves.
///
/// Those in the subset must have the same bits as when all are asked for, and be what `vjp`
/// finds; the others must have none.
///
/// # Errors
/// When a gradient is missing, superfluous or different.
pub fn subsets(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    if !has_gradient(spec) {
        return Ok(());
    }
    let case = Case { check: "subsets", spec, trial };
    let x: Vec<Tensor<f64>> = trial.inputs(spec);
    let (_, all) = gradients(spec.build.f64, &x, trial);
    for subset in subsets_of(x.len()) {
        let track = |(i, x): (usize, &Tensor<f64>)| if subset[i] { x.leaf() } else { x.detach() };
        let inputs: Vec<Tensor<f64>> = x.iter().enumerate().map(track).collect();
        let y = (spec.build.f64)(&inputs);
        let grads = y.backward_from(&trial.dy(y.shape()));
        for (i, input) in inputs.iter().enumerate() {
            let what = || format!("the gradient of input {i} with wanted inputs {subset:?}");
            match (grads.get(input), subset[i]) {
                (Some(dx), true) => case.same_bits(&what(), dx, &all[i])?,
                (None, false) => {}
                (None, true) => return Err(case.fail(format!("{} is missing", what()))),
                (Some(_), false) => return Err(case.fail(format!("{} is there", what()))),
            }
        }
        let wanted = subset.iter().filter(|&&wanted| wanted).count();
        case.ensure(grads.len() == wanted, || {
            format!("{wanted} gradients are wanted; got {}", grads.len())
        })?;
    }
    Ok(())
}

/// All subsets but the empty one; of more than four inputs only the whole, each input alone, and
/// all but each.
fn subsets_of(count: usize) -> Vec<Vec<bool>> {
    if count <= 4 {
        let bits = |set: usize| (0..count).map(|i| set >> i & 1 == 1).collect();
        return (1..1 << count).map(bits).collect();
    }
    let only = |wanted: bool| move |i: usize| (0..count).map(|k| (k == i) == wanted).collect();
    let whole = vec![vec![true; count]];
    (0..count).map(only(true)).chain((0..count).map(only(false))).chain(whole).collect()
}
