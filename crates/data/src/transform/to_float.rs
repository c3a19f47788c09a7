//! `ToFloat`: bytes to numbers in [0, 1].

use backstitch_tensor::Tensor;

use super::Transform;
use crate::{Error, Rng};

/// Turns bytes into f32: `y = x / 255`, as torchvision's `ToTensor` does. Any shape.
#[derive(Clone, Debug, Default)]
pub struct ToFloat;

impl Transform for ToFloat {
    type Input = Tensor<u8>;
    type Output = Tensor;

    fn apply(&self, input: Tensor<u8>, _: &mut Rng) -> Result<Tensor, Error> {
        let bytes = input.to_vec();
        Ok(Tensor::build(input.shape(), |out| {
            for (out, byte) in out.iter_mut().zip(bytes) {
                *out = f32::from(byte) / 255.0;
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_0_and_1() {
        let bytes = Tensor::from_vec(vec![0u8, 255, 51], [3]);
        assert_eq!(ToFloat.apply(bytes, &mut Rng::seed(0)).unwrap().to_vec(), [0.0, 1.0, 0.2]);
    }
}
