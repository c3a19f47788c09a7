//! `Cutout`: a square of the image is blanked out.

use backstitch_tensor::Tensor;
use rand::RngExt as _;

use super::{Transform, image_shape};
use crate::{Error, Rng};

/// Sets a square at a random place of an image (C, H, W) to 0, in all channels.
///
/// The square's centre is uniform over the image, so that squares at the border are cut off, which
/// the paper found to matter. The generator draws the centre's row, then its column.
///
/// # Reference
/// T. DeVries, G. W. Taylor, "Improved Regularization of Convolutional Neural Networks with
/// Cutout" (2017), section 3.
#[derive(Clone, Debug)]
pub struct Cutout {
    /// The square's side in pixels; the paper takes 16 for CIFAR-10, 8 for CIFAR-100.
    pub size: usize,
}

impl Transform for Cutout {
    type Input = Tensor;
    type Output = Tensor;

    fn apply(&self, mut image: Tensor, rng: &mut Rng) -> Result<Tensor, Error> {
        let [_, height, width] = image_shape(&image, "Cutout")?;
        if image.numel() == 0 {
            return Ok(image);
        }
        let rows = self.cut(rng.random_range(0..height), height);
        let cols = self.cut(rng.random_range(0..width), width);
        for plane in image.data_mut().chunks_exact_mut(height * width) {
            for row in rows.clone() {
                plane[row * width..][cols.clone()].fill(0.0);
            }
        }
        Ok(image)
    }
}

impl Cutout {
    /// The pixels of the square along one axis.
    fn cut(&self, centre: usize, length: usize) -> std::ops::Range<usize> {
        let start = centre.saturating_sub(self.size / 2);
        let end = (centre + self.size.div_ceil(2)).min(length);
        start..end.max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clipped_square_is_cut_from_all_channels() {
        let image = Tensor::from_vec(vec![1.0; 2 * 8 * 8], [2, 8, 8]);
        for seed in 0..100 {
            let cut =
                Cutout { size: 4 }.apply(image.clone(), &mut Rng::seed(seed)).unwrap().to_vec();
            assert_eq!(cut[..64], cut[64..]);
            let holes: Vec<usize> = (0..64).filter(|&at| cut[at] == 0.0).collect();
            let (first, last) = (holes[0], holes[holes.len() - 1]);
            let (rows, cols) = (last / 8 - first / 8 + 1, last % 8 - first % 8 + 1);
            assert_eq!(holes.len(), rows * cols, "a rectangle");
            assert!((2..=4).contains(&rows) && (2..=4).contains(&cols), "{rows} x {cols}");
        }
        let whole = Cutout { size: 0 }.apply(image.clone(), &mut Rng::seed(0)).unwrap();
        assert_eq!(whole.to_vec(), image.to_vec());
    }
}
