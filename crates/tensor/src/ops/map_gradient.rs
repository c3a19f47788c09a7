//! `map_gradient`: the same value, with a function applied to the gradient that passes.

use std::sync::Arc;

use backstitch_kernels::Float;

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The same value; on the way back, the gradient becomes what `change` makes of it: to clip
    /// it, reverse it, count it or look at it. PyTorch's `register_hook`, as a value.
    ///
    /// `y = x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = change(dy)`, which has the shape of `dy`. It runs once per backward, after all of `dy`
    /// has been added up; in derivatives of derivatives, for the gradient of each order that
    /// passes. Forward mode passes tangents on unchanged: they are not gradients.
    ///
    /// # Panics
    /// In backward, when `change` returns another shape.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([1.0, 2.0]).leaf();
    /// let y = x.map_gradient(|dy| dy.clamp(-1.0, 1.0));
    /// let grads = (y * 5.0).sum().backward();
    /// assert_eq!(grads.get(&x).unwrap().to_vec(), [1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn map_gradient(
        &self,
        change: impl Fn(&Tensor<T>) -> Tensor<T> + Send + Sync + 'static,
    ) -> Tensor<T> {
        apply(MapGradient { change: Arc::new(change) }, [self])
    }
}

/// A function on gradients.
type Change<T> = dyn Fn(&Tensor<T>) -> Tensor<T> + Send + Sync;

struct MapGradient<T: Float> {
    change: Arc<Change<T>>,
}

impl<T: Float> Op<T, 1> for MapGradient<T> {
    const NAME: &'static str = "map_gradient";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        x.detach()
    }

    fn backward(&self, _: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let dx = (self.change)(dy);
        assert!(
            dx.shape() == dy.shape(),
            "map_gradient: needs a gradient of shape {:?}; got {:?}",
            dy.shape(),
            dx.shape()
        );
        [Some(dx)]
    }

    fn jvp(&self, _: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        dx.expect("the only input moves").clone()
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "map_gradient",
    formula: "y = x, here with dx = dy",
    shapes: &[&[&[]], &[&[0]], &[&[7]], &[&[3, 17]], &[&[256, 1024]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].map_gradient(|dy| dy.clone())),
    oracle: Oracle::Unary(|x| x),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 0.0),
    tolerance: Tolerance::Exact,
}];

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::transforms::grad;

    #[test]
    fn sees_the_whole_gradient_once_and_changes_it() {
        let calls = Arc::new(AtomicUsize::new(0));
        let x = Tensor::scalar(3.0f64).leaf();
        let counter = calls.clone();
        let y = x.map_gradient(move |dy| {
            counter.fetch_add(1, Ordering::Relaxed);
            -dy
        });
        let grads = (&y * &y + &y).backward();
        assert_eq!((grads.get(&x).unwrap().item(), calls.load(Ordering::Relaxed)), (-7.0, 1));
    }

    #[test]
    fn takes_part_in_second_derivatives() {
        let f = |x: &Tensor<f64>| x.map_gradient(|dy| dy * 3.0).square().sum();
        // 3 * 2 x, and the gradient of that passes once more.
        assert_eq!(grad(f, &Tensor::scalar(5.0)).item(), 30.0);
        assert_eq!(grad(|x: &Tensor<f64>| grad(f, x), &Tensor::scalar(5.0)).item(), 18.0);
    }

    #[test]
    #[should_panic(expected = "map_gradient: needs a gradient of shape [2]; got []")]
    fn another_shape_is_refused() {
        let x = Tensor::from([1.0f32, 2.0]).leaf();
        x.map_gradient(|dy| dy.sum()).sum().backward();
    }
}
