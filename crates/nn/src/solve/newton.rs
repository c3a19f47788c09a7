//! [`newton_step`]: a step of Newton's method with the exact Hessian.

use backstitch_kernels::Float;
use backstitch_tensor::{Module, Tensor, grad, linearize};

use super::vector::{moved, variables, with_variables};

/// One step of Newton's method: `x - lr H⁻¹ g`, with gradient `g` and Hessian `H` of `f` at `x`.
///
/// With `lr` 1, one step reaches the minimum of a quadratic. For `n` variables it takes `n`
/// forward-mode passes over the gradient, `n²` numbers and `n³ / 3` operations: for small `n`
/// only. [`NewtonCg`](super::NewtonCg) needs no matrix.
///
/// Needs the feature `linalg`.
///
/// # Numerics
/// The step goes to any point without slope, maxima and saddles included. NaN where the Hessian
/// is singular.
///
/// # Panics
/// When `f` returns anything but one element.
///
/// # Examples
/// ```
/// use backstitch_nn::newton_step;
/// use backstitch_tensor::Tensor;
///
/// // x² + x y + 2 y² - 7 y has its minimum at (-1, 2).
/// let f = |x: &(Tensor<f64>, Tensor<f64>)| {
///     let (x, y) = x;
///     x * x + x * y + y * y * 2.0 - y * 7.0
/// };
/// let (x, y) = newton_step(f, &(Tensor::scalar(3.0), Tensor::scalar(9.0)), 1.0);
/// assert!((x.item() + 1.0).abs() < 1e-12 && (y.item() - 2.0).abs() < 1e-12);
/// ```
///
/// # Reference
/// Nocedal and Wright 2006, "Numerical optimization", equation 2.15.
#[track_caller]
pub fn newton_step<T: Float, X: Module<T> + Clone>(
    f: impl Fn(&X) -> Tensor<T>,
    x: &X,
    lr: f64,
) -> X {
    let (gradient, push) = linearize(|x: &X| grad(&f, x), x);
    let at = variables(x);
    let n = at.numel();
    let mut hessian = Vec::with_capacity(n * n);
    for i in 0..n {
        let unit = Tensor::from_fn([n], |idx| if idx[0] == i { T::ONE } else { T::ZERO });
        hessian.extend(variables(&push(&with_variables(x, &unit))).to_vec());
    }
    let step = Tensor::from_vec(hessian, [n, n]).solve(&variables(&gradient));
    with_variables(x, &moved(&at, -lr, &step))
}
