//! A tree's variables as one vector, in the order of a walk, and back.

use backstitch_kernels::Float;
use backstitch_tensor::{
    Gradients, Module, Slot, SlotMut, Tensor, for_each, for_each_mut, for_each_param,
    for_each_param_mut,
};

/// The variables of a tree, as [`backstitch_tensor::grad`] sees them: all but running statistics
/// and frozen parameters.
pub(super) fn variables<T: Float, X: Module<T>>(tree: &X) -> Tensor<T> {
    let mut found = Vec::new();
    for_each(tree, |_, slot| match slot {
        Slot::Param(param) if param.is_trainable() => found.extend(param.to_vec()),
        Slot::Tensor(x) => found.extend(x.to_vec()),
        _ => {}
    });
    joined(found)
}

/// A tree like `tree` with other variables.
pub(super) fn with_variables<T: Float, X: Module<T> + Clone>(tree: &X, values: &Tensor<T>) -> X {
    let mut tree = tree.clone();
    let mut parts = Parts { values, taken: 0 };
    for_each_mut(&mut tree, |_, slot| match slot {
        SlotMut::Param(param) if param.is_trainable() => param.set(&parts.next(param.shape())),
        SlotMut::Tensor(x) => *x = parts.next(x.shape()),
        _ => {}
    });
    tree
}

/// The trainable parameters of a model.
pub(super) fn parameters<T: Float>(model: &dyn Module<T>) -> Tensor<T> {
    let mut found = Vec::new();
    for_each_param(model, |param| {
        if param.is_trainable() {
            found.extend(param.to_vec());
        }
    });
    joined(found)
}

/// The gradients of the trainable parameters; zero where the loss did not reach one.
pub(super) fn gradient<T: Float>(model: &dyn Module<T>, grads: &Gradients<T>) -> Tensor<T> {
    let mut found = Vec::new();
    for_each_param(model, |param| {
        if param.is_trainable() {
            let dense = || grads.rows(param).map(|rows| rows.dense(param.shape()));
            match grads.get(param).cloned().or_else(dense) {
                Some(grad) => found.extend(grad.to_vec()),
                None => found.resize(found.len() + param.numel(), T::ZERO),
            }
        }
    });
    joined(found)
}

/// Gives the trainable parameters other values.
pub(super) fn set_parameters<T: Float>(model: &mut dyn Module<T>, values: &Tensor<T>) {
    let mut parts = Parts { values, taken: 0 };
    for_each_param_mut(model, |param| {
        if param.is_trainable() {
            param.set(&parts.next(param.shape()));
        }
    });
}

/// The inner product, as the methods compute with it.
pub(super) fn dot<T: Float>(a: &Tensor<T>, b: &Tensor<T>) -> f64 {
    (a * b).sum().item().to_f64()
}

/// The largest magnitude; 0 of nothing.
pub(super) fn largest<T: Float>(x: &Tensor<T>) -> f64 {
    if x.numel() == 0 { 0.0 } else { x.abs().max().item().to_f64() }
}

/// `x + t d`
pub(super) fn moved<T: Float>(x: &Tensor<T>, t: f64, d: &Tensor<T>) -> Tensor<T> {
    x + d * T::from_f64(t)
}

fn joined<T: Float>(values: Vec<T>) -> Tensor<T> {
    let len = values.len();
    Tensor::from_vec(values, [len])
}

/// A vector that is taken apart again.
struct Parts<'a, T: Float> {
    values: &'a Tensor<T>,
    taken: usize,
}

impl<T: Float> Parts<'_, T> {
    fn next(&mut self, shape: &[usize]) -> Tensor<T> {
        let len = shape.iter().product();
        let part = self.values.narrow(0, self.taken, len);
        self.taken += len;
        Tensor::from_vec(part.to_vec(), shape)
    }
}
