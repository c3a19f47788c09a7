//! One over the square root, for the norms.

use backstitch_kernels::Float;
use backstitch_tensor::Tensor;
use backstitch_tensor::op::{Gradient, Op, Saves, Site, Tangents, apply};

/// `y = 1 / √x`
#[track_caller]
pub(super) fn rsqrt<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    apply(Rsqrt, [x])
}

struct Rsqrt;

impl<T: Float> Op<T, 1> for Rsqrt {
    const NAME: &'static str = "rsqrt";
    const SAVES: Saves = Saves::OUTPUT;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        Tensor::from_vec(x.to_vec().iter().map(|x| T::ONE / x.sqrt()).collect(), x.shape())
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(slope(at, dy))]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        slope(at, dx.expect("the only input moves"))
    }
}

fn slope<T: Float>(at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
    let y = at.output();
    d * (y * y * y) * T::from_f64(-0.5)
}
