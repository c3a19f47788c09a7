//! `to`: conversion to another element type.

use std::any::Any;

use backstitch_kernels::{DType, Element, elementwise};

use super::pointwise::SHAPES;
use crate::graph::mode;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The elements as another type: `x.to::<f64>()`.
    ///
    /// Numbers convert as by Rust's `as`: rounded to nearest between floats, truncated and cut off
    /// at the type's ends towards integers. A `bool` is 0 or 1; a number is true unless it is 0.
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// None: the graph has one element type, and integers and masks have no derivatives.
    /// A tracked tensor that is converted to another float type is refused, so that its gradient
    /// is not lost in silence; [`Tensor::detach`] it first, or call this under
    /// [`no_grad`](crate::no_grad). To its own type it converts as it is, gradient and all.
    ///
    /// # Panics
    /// When a tracked tensor is converted to another float type.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.7, -1.7]).to::<i64>().to_vec(), [1, -1]);
    /// assert_eq!(Tensor::from([true, false]).to::<f32>().to_vec(), [1.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn to<U: Element>(&self) -> Tensor<U> {
        let whole: &dyn Any = self;
        if let Some(same) = whole.downcast_ref::<Tensor<U>>() {
            return same.clone();
        }
        let cuts =
            self.is_tracked() && mode().records && matches!(U::DTYPE, DType::F32 | DType::F64);
        assert!(
            !cuts,
            "to: needs a tensor outside the graph; got a tracked one of shape {:?} and type {}, \
             whose gradient would end in {}; call detach() first",
            self.shape(),
            T::DTYPE,
            U::DTYPE
        );
        Tensor::build(self.shape(), |y| elementwise::cast(self.view(), y))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "to",
    formula: "y = x as an integer and back: truncated",
    shapes: SHAPES,
    domain: Domain::Range(-5.0, 5.0),
    build: build!(|x| x[0].to::<i64>().to::<T>()),
    oracle: Oracle::Unary(|x| x as i64 as f64),
    refused: &[],
    slope: Slope::None("an integer"),
    cost: |shapes| Cost::elementwise(shapes, 2.0),
    tolerance: Tolerance::Exact,
}];

#[cfg(test)]
mod tests {
    use crate::graph::no_grad;
    use crate::tensor::Tensor;

    #[test]
    fn conversions_follow_as() {
        let x = Tensor::from([1.9f32, -1.9, f32::NAN, 300.0]);
        assert_eq!(x.to::<i64>().to_vec(), [1, -1, 0, 300]);
        assert_eq!(x.to::<u8>().to_vec(), [1, 0, 0, 255]);
        assert_eq!(Tensor::from([0.1f64]).to::<f32>().to_vec(), [0.1f32]);
        assert_eq!(Tensor::from([0i64, 5]).to::<bool>().to_vec(), [false, true]);
        let turned = Tensor::from([[1i64, 2], [3, 4]]).transpose(0, 1);
        assert_eq!(turned.to::<f64>().to_vec(), [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn a_gradient_is_never_cut_in_silence() {
        let x = Tensor::from([1.0f32]).leaf();
        let panic = std::panic::catch_unwind(|| x.to::<f64>()).err().unwrap();
        let message = panic.downcast::<String>().unwrap();
        assert!(message.starts_with("to: needs a tensor outside the graph"), "{message}");
        assert!(x.to::<f32>().is_tracked());
        assert_eq!(no_grad(|| x.to::<f64>()).item(), 1.0);
        assert_eq!(x.detach().to::<f64>().item(), 1.0);
    }
}
