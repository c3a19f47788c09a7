//! The check of refused shapes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::registry::report::{Case, CheckError};
use crate::registry::trial::Trial;
use crate::spec::OpSpec;
use crate::tensor::Tensor;

/// Gives the op inputs of shapes that its spec says it refuses: it must panic, and the message
/// must start with the op's name and contain the shapes of all inputs, or the range of axes that
/// there are.
///
/// The trial's own shapes are not used; the panic goes through the panic hook.
///
/// # Errors
/// When the op accepts the shapes or its message says too little.
pub fn refused(spec: &OpSpec, trial: &Trial) -> Result<(), CheckError> {
    for shapes in spec.refused {
        let trial = Trial { seed: trial.seed, ..Trial::new(shapes, 0) };
        let case = Case { check: "refused", spec, trial: &trial };
        let x: Vec<Tensor<f32>> = shapes.iter().map(|shape| Tensor::full(shape, 0.5)).collect();
        let message = match catch_unwind(AssertUnwindSafe(|| (spec.build.f32)(&x))) {
            Ok(y) => {
                let message = format!("needs a panic; got an output of shape {:?}", y.shape());
                return Err(case.fail(message));
            }
            Err(payload) => match payload.downcast::<String>() {
                Ok(message) => *message,
                Err(payload) => payload.downcast_ref::<&str>().unwrap_or(&"").to_string(),
            },
        };
        let mut names = spec.name.split(' ');
        let named = names.any(|name| message.starts_with(&format!("{name}: needs")));
        let shown = |shape: &&[usize]| message.contains(&format!("{shape:?}"));
        // Where an axis is missing, the rule gives the range of axes instead of the shape.
        let shown = message.contains("needs a dim from") || shapes.iter().all(shown);
        case.ensure(named && shown, || {
            format!(
                "needs a message '{}: needs <rule>; got <all shapes>'; got '{message}'",
                spec.file()
            )
        })?;
    }
    Ok(())
}
