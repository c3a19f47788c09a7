//! [`gauss_newton_product`]: curvature without the model's second derivatives.

use backstitch_kernels::Float;
use backstitch_tensor::{Module, Tensor, hvp, jvp, vjp};

/// The product of the generalised Gauss-Newton matrix of `loss(model(x))` at `x` with `v`:
/// `Jᵀ H J v`, with the Jacobian `J` of `model` and the Hessian `H` of `loss`.
///
/// Where the loss is convex in the outputs it is a positive semidefinite stand-in for the
/// Hessian, and equal to it where the model is linear. No matrix is formed: forward mode through
/// the model, a Hessian product of the loss, reverse mode back.
///
/// # Panics
/// When `loss` returns anything but one element, or the shapes of `x` and `v` differ.
///
/// # Examples
/// ```
/// use backstitch_nn::gauss_newton_product;
/// use backstitch_tensor::Tensor;
///
/// // exp(x)², whose Gauss-Newton matrix is 2 exp(x)².
/// let (x, v) = (Tensor::scalar(0.0f64), Tensor::scalar(3.0));
/// let product = gauss_newton_product(|x: &Tensor<f64>| x.exp(), |y| y * y, &x, &v);
/// assert_eq!(product.item(), 6.0);
/// ```
///
/// # Reference
/// Schraudolph 2002, "Fast curvature matrix-vector products", section 3.
#[track_caller]
pub fn gauss_newton_product<T: Float, X: Module<T> + Clone, Y: Module<T> + Clone>(
    model: impl Fn(&X) -> Y,
    loss: impl Fn(&Y) -> Tensor<T>,
    x: &X,
    v: &X,
) -> X {
    let (y, moved) = jvp(&model, x, v);
    let curved = hvp(loss, &y, &moved);
    vjp(model, x).1(&curved)
}
