//! `Normalize`: mean and standard deviation by channel.

use backstitch_tensor::Tensor;

use super::{Transform, image_shape};
use crate::{Error, Rng, images};

/// `y = (x - mean) / std`, by channel, of an image (C, H, W); torchvision's `Normalize`.
///
/// [`Images::normalize`](crate::Images::normalize) does the same at no cost per sample; this one
/// is for the end of a chain of transforms.
#[derive(Clone, Debug)]
pub struct Normalize {
    /// What to subtract from each channel.
    pub mean: Vec<f32>,
    /// What to divide each channel by.
    pub std: Vec<f32>,
}

impl Transform for Normalize {
    type Input = Tensor;
    type Output = Tensor;

    fn apply(&self, mut image: Tensor, _: &mut Rng) -> Result<Tensor, Error> {
        let [channels, height, width] = image_shape(&image, "Normalize")?;
        images::check_normalize(channels, &self.mean, &self.std)?;
        let planes = image.data_mut().chunks_exact_mut((height * width).max(1));
        for ((plane, mean), std) in planes.zip(&self.mean).zip(&self.std) {
            plane.iter_mut().for_each(|x| *x = (*x - mean) / std);
        }
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_normalized_on_their_own() {
        let image = Tensor::from_vec(vec![1.0, 3.0, 10.0, 20.0], [2, 1, 2]);
        let normalize = Normalize { mean: vec![2.0, 0.0], std: vec![1.0, 10.0] };
        let y = normalize.apply(image.clone(), &mut Rng::seed(0)).unwrap();
        assert_eq!(y.to_vec(), [-1.0, 1.0, 1.0, 2.0]);
        let short = Normalize { mean: vec![2.0], std: vec![1.0] };
        assert!(short.apply(image, &mut Rng::seed(0)).is_err());
    }
}
