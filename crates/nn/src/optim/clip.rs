//! Clipping: keeps gradients from being too large, by their norm or one by one.

use backstitch_kernels::{Float, optim};
use backstitch_tensor::{Gradients, Tensor};

/// The Euclidean norm of all gradients together, as if they were one vector.
pub fn grad_norm<T: Float>(grads: &Gradients<T>) -> f64 {
    let packed: Vec<Tensor<T>> = grads
        .iter()
        .map(|grad| match grad.is_contiguous() {
            true => grad.detach(),
            false => Tensor::from_vec(grad.to_vec(), grad.shape()),
        })
        .collect();
    let slices: Vec<&[T]> = packed.iter().filter_map(Tensor::as_slice).collect();
    optim::norm_squared(&slices).sqrt()
}

/// Scales all gradients down together, so that their norm is `max_norm` at most; returns the
/// norm that they had.
///
/// The factor is `max_norm / (norm + 1e-6)` where that is below 1, as in PyTorch. The norm is over
/// all that `grads` holds: leaves that are no parameters, such as an input, count as well.
///
/// # Numerics
/// The same bits for any number of threads. An infinite gradient makes the others 0 and itself
/// NaN; with a NaN among them all stay as they are.
///
/// # Examples
/// ```
/// use backstitch_nn::clip_grad_norm;
/// use backstitch_tensor::{Param, Tensor};
///
/// let w = Param::new(Tensor::from([3.0f32, 4.0]));
/// let mut grads = (&*w * &*w).sum().backward();
/// assert_eq!(clip_grad_norm(&mut grads, 1.0), 10.0);
/// assert!((grads.get(&w).unwrap().at(&[0]) - 0.6).abs() < 1e-6);
/// ```
///
/// # Reference
/// Pascanu, Mikolov and Bengio 2013, algorithm 1.
pub fn clip_grad_norm<T: Float>(grads: &mut Gradients<T>, max_norm: f64) -> f64 {
    let norm = grad_norm(grads);
    let factor = max_norm / (norm + 1e-6);
    if factor < 1.0 {
        let mut slices: Vec<&mut [T]> = grads.iter_mut().map(Tensor::data_mut).collect();
        optim::scale(&mut slices, factor);
    }
    norm
}

/// Moves every element of every gradient into `[-max, max]`; returns the norm that they had, as
/// [`clip_grad_norm`] does. NaN stays NaN.
pub fn clip_grad_value<T: Float>(grads: &mut Gradients<T>, max: f64) -> f64 {
    let norm = grad_norm(grads);
    let mut slices: Vec<&mut [T]> = grads.iter_mut().map(Tensor::data_mut).collect();
    optim::clamp(&mut slices, -max, max);
    norm
}
