//! [`OptimizerState`]: what an optimizer remembers, as named tensors and numbers.

use std::collections::BTreeMap;

use backstitch_kernels::Float;
use backstitch_tensor::Tensor;

/// What an optimizer remembers between steps.
#[derive(Clone, Debug, Default)]
pub struct OptimizerState<T: Float = f32> {
    /// The state tensors, each named after its parameter and PyTorch's name for it:
    /// `fc1.weight.exp_avg`.
    pub tensors: BTreeMap<String, Tensor<T>>,
    /// How many steps each parameter has taken.
    pub steps: BTreeMap<String, u64>,
}

/// Why a state cannot be loaded: everything that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{optimizer}: the state does not fit: {}", problems.join("; "))]
pub struct OptimizerStateError {
    /// The optimizer's name.
    pub optimizer: &'static str,
    /// One sentence for each name that is missing, unexpected or of the wrong shape.
    pub problems: Vec<String>,
}
