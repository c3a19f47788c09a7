//! State dicts: a model as named tensors.

use std::collections::BTreeMap;

use backstitch_kernels::Float;
use backstitch_tensor::{Module, Slot, SlotMut, Tensor, for_each, for_each_mut};

/// A model's parameters, running statistics and plain tensors by name.
pub type StateDict<T = f32> = BTreeMap<String, Tensor<T>>;

/// How a state dict differs from the model it should fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("the state dict does not fit the model: {}", describe(self))]
pub struct StateDictError {
    /// Names that the model has and the state dict lacks.
    pub missing: Vec<String>,
    /// Names that the state dict has and the model lacks.
    pub unexpected: Vec<String>,
    /// Names whose shapes differ: the model's, then the state dict's.
    pub mismatched: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl StateDictError {
    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mismatched.is_empty()
    }
}

fn describe(error: &StateDictError) -> String {
    let mut parts = Vec::new();
    if !error.missing.is_empty() {
        parts.push(format!("missing {}", error.missing.join(", ")));
    }
    if !error.unexpected.is_empty() {
        parts.push(format!("unexpected {}", error.unexpected.join(", ")));
    }
    for (name, expected, found) in &error.mismatched {
        parts.push(format!("{name} needs shape {expected:?}; got {found:?}"));
    }
    parts.join("; ")
}

pub(super) fn state_dict<T: Float, M: Module<T> + ?Sized>(model: &M) -> StateDict<T> {
    let mut found = StateDict::new();
    for_each(model, |name, slot| {
        found.insert(name.to_string(), value(&slot));
    });
    found
}

pub(super) fn load<T: Float, M: Module<T> + ?Sized>(
    model: &mut M,
    state: &StateDict<T>,
) -> Result<(), StateDictError> {
    let differences = compare(model, state);
    if !differences.is_empty() {
        return Err(differences);
    }
    assign(model, state);
    Ok(())
}

pub(super) fn load_matching<T: Float, M: Module<T> + ?Sized>(
    model: &mut M,
    state: &StateDict<T>,
) -> Result<StateDictError, StateDictError> {
    let differences = compare(model, state);
    if !differences.mismatched.is_empty() {
        return Err(differences);
    }
    assign(model, state);
    Ok(differences)
}

fn value<T: Float>(slot: &Slot<'_, T>) -> Tensor<T> {
    match slot {
        Slot::Param(param) => param.detach(),
        Slot::Running(running) => running.get(),
        Slot::Tensor(x) => x.detach(),
    }
}

fn compare<T: Float, M: Module<T> + ?Sized>(model: &M, state: &StateDict<T>) -> StateDictError {
    let mut differences = StateDictError::default();
    let own = state_dict(model);
    for (name, x) in &own {
        match state.get(name) {
            None if is_counter(name) => {}
            None => differences.missing.push(name.clone()),
            Some(y) if y.shape() != x.shape() => {
                let shapes = (x.shape().to_vec(), y.shape().to_vec());
                differences.mismatched.push((name.clone(), shapes.0, shapes.1));
            }
            Some(_) => {}
        }
    }
    let unexpected = state.keys().filter(|name| !own.contains_key(*name));
    differences.unexpected.extend(unexpected.cloned());
    differences
}

/// Whether it counts the batches that a norm has followed: checkpoints from before PyTorch 0.4.1
/// have no such numbers, and the model keeps its own.
fn is_counter(name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
}

/// Takes over the tensors that have the name of one of the model's.
fn assign<T: Float, M: Module<T> + ?Sized>(model: &mut M, state: &StateDict<T>) {
    for_each_mut(model, |name, slot| {
        let Some(value) = state.get(name) else { return };
        match slot {
            SlotMut::Param(param) => param.set(value),
            SlotMut::Running(running) => running.set(value.detach()),
            SlotMut::Tensor(x) => *x = value.detach(),
        }
    });
}
