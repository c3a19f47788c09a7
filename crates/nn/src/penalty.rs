//! Penalties on the size of weights, to be added to a loss.

use backstitch_kernels::Float;
use backstitch_tensor::{Module, Slot, Tensor, for_each};

/// Half the sum of the squares of those parameters that `picks` picks by name: `½ Σ w²`.
///
/// # Gradient
/// `w`. With plain gradient descent, `λ` times this penalty is weight decay of `λ`.
///
/// # Examples
/// ```
/// use backstitch_nn::l2_penalty;
/// use backstitch_tensor::{Param, Tensor};
///
/// let w = Param::new(Tensor::from([3.0, 4.0]));
/// let penalty = l2_penalty(&w, |_| true);
/// assert_eq!(penalty.item(), 12.5);
/// assert_eq!(penalty.backward().get(&w).unwrap().to_vec(), [3.0, 4.0]);
/// ```
pub fn l2_penalty<T: Float, M: Module<T> + ?Sized>(
    model: &M,
    picks: impl Fn(&str) -> bool,
) -> Tensor<T> {
    let half = T::from_f64(0.5);
    total(model, picks, |w| (w * w).sum() * half)
}

/// The sum of the magnitudes of those parameters that `picks` picks by name: `Σ |w|`.
///
/// # Gradient
/// `sign(w)`, and 0 where `w = 0`.
pub fn l1_penalty<T: Float, M: Module<T> + ?Sized>(
    model: &M,
    picks: impl Fn(&str) -> bool,
) -> Tensor<T> {
    total(model, picks, |w| w.abs().sum())
}

fn total<T: Float, M: Module<T> + ?Sized>(
    model: &M,
    picks: impl Fn(&str) -> bool,
    of: impl Fn(&Tensor<T>) -> Tensor<T>,
) -> Tensor<T> {
    let mut total = Tensor::scalar(T::ZERO);
    for_each(model, |name, slot| {
        if let Slot::Param(param) = slot
            && picks(name)
        {
            total = &total + of(param);
        }
    });
    total
}
