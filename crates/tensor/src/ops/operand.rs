//! [`Operand`]: the second argument of binary ops, a tensor or a number.

use backstitch_kernels::{Element, Float};

use crate::module::Param;
use crate::tensor::Tensor;

/// A tensor, or a number in place of one: `x.gt(&y)` and `x.gt(0.0)`.
///
/// # Examples
/// ```
/// use backstitch_tensor::Tensor;
///
/// let x = Tensor::from([1.0, 5.0]);
/// assert_eq!(x.maximum(2.0).to_vec(), [2.0, 5.0]);
/// assert_eq!(x.maximum(&Tensor::from([3.0, 4.0])).to_vec(), [3.0, 5.0]);
/// ```
pub trait Operand<T: Element> {
    /// The tensor; without axes for a number.
    fn into_tensor(self) -> Tensor<T>;

    /// The number, if it is one.
    fn number(&self) -> Option<T> {
        None
    }
}

impl<T: Element> Operand<T> for T {
    fn into_tensor(self) -> Tensor<T> {
        Tensor::scalar(self)
    }

    fn number(&self) -> Option<T> {
        Some(*self)
    }
}

impl<T: Element> Operand<T> for Tensor<T> {
    fn into_tensor(self) -> Tensor<T> {
        self
    }
}

impl<T: Float> Operand<T> for &Param<T> {
    fn into_tensor(self) -> Tensor<T> {
        (**self).clone()
    }
}

impl<T: Element> Operand<T> for &Tensor<T> {
    fn into_tensor(self) -> Tensor<T> {
        self.clone()
    }
}
