//! What can be done with any model: list, count, freeze, save, load, print.

mod state_dict;
mod summary;

pub use state_dict::{StateDict, StateDictError};
pub use summary::{Summary, SummaryRow};

use backstitch_kernels::Float;
use backstitch_tensor::{Module, Param, Slot, SlotMut, for_each, for_each_mut};

/// What can be done with any model.
///
/// # Examples
/// ```
/// use backstitch_nn::{Linear, ModuleExt};
/// use backstitch_tensor::Rng;
///
/// let mut rng = Rng::seed(0);
/// let mut model = (Linear::<f32>::new(3, 4, &mut rng), Linear::<f32>::new(4, 2, &mut rng));
/// assert_eq!(model.param_count(), 3 * 4 + 4 + 4 * 2 + 2);
/// assert_eq!(model.param_names(), ["0.weight", "0.bias", "1.weight", "1.bias"]);
///
/// model.set_trainable(false, |name| name.starts_with("0."));
/// assert_eq!(model.trainable_count(), 4 * 2 + 2);
/// ```
pub trait ModuleExt<T: Float = f32>: Module<T> {
    /// All parameters with their names, in order.
    fn params(&self) -> Vec<(String, &Param<T>)> {
        let mut found = Vec::new();
        for_each(self, |name, slot| {
            if let Slot::Param(param) = slot {
                found.push((name.to_string(), param));
            }
        });
        found
    }

    /// All parameters with their names, in order, to change them.
    fn params_mut(&mut self) -> Vec<(String, &mut Param<T>)> {
        let mut found = Vec::new();
        for_each_mut(self, |name, slot| {
            if let SlotMut::Param(param) = slot {
                found.push((name.to_string(), param));
            }
        });
        found
    }

    /// The names of all parameters, in order.
    fn param_names(&self) -> Vec<String> {
        self.params().into_iter().map(|(name, _)| name).collect()
    }

    /// The number of elements in all parameters.
    fn param_count(&self) -> usize {
        self.params().iter().map(|(_, param)| param.numel()).sum()
    }

    /// The number of elements in the parameters that are not frozen.
    fn trainable_count(&self) -> usize {
        let params = self.params();
        params.iter().filter(|(_, param)| param.is_trainable()).map(|(_, p)| p.numel()).sum()
    }

    /// Freezes the parameters that `picks` picks by name, or makes them trainable again; returns
    /// how many it picked.
    fn set_trainable(&mut self, trainable: bool, picks: impl Fn(&str) -> bool) -> usize {
        let mut count = 0;
        for (name, param) in self.params_mut() {
            if picks(&name) {
                param.set_trainable(trainable);
                count += 1;
            }
        }
        count
    }

    /// All parameters, running statistics and plain tensors by name: what a model is saved as.
    /// They share their buffers with the model until one of them changes.
    fn state_dict(&self) -> StateDict<T> {
        state_dict::state_dict(self)
    }

    /// Gives the model the values of a state dict. Counts of followed batches
    /// (`num_batches_tracked`) may be missing, as in PyTorch's oldest checkpoints.
    ///
    /// # Errors
    /// When names are missing or unexpected, or shapes differ; names all of them. The model is
    /// unchanged then.
    fn load_state_dict(&mut self, state: &StateDict<T>) -> Result<(), StateDictError> {
        state_dict::load(self, state)
    }

    /// Gives the model those values of a state dict that it has a name for: to start from a part
    /// of another model. The result says which names were missing and unexpected.
    ///
    /// # Errors
    /// When shapes differ; names all of them. The model is unchanged then.
    fn load_matching(&mut self, state: &StateDict<T>) -> Result<StateDictError, StateDictError> {
        state_dict::load_matching(self, state)
    }

    /// A table of everything in the model, to print.
    fn summary(&self) -> Summary {
        summary::summary(self)
    }
}

impl<T: Float, M: Module<T> + ?Sized> ModuleExt<T> for M {}
