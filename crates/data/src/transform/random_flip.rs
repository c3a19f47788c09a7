//! `RandomHorizontalFlip`: left and right swapped, or not.

use backstitch_tensor::Tensor;
use rand::RngExt as _;

use super::{Transform, image_shape};
use crate::{Error, Rng};

/// Mirrors an image (C, H, W) left to right with probability `p`; torchvision's
/// `RandomHorizontalFlip`.
#[derive(Clone, Debug)]
pub struct RandomHorizontalFlip {
    p: f64,
}

impl RandomHorizontalFlip {
    /// Flips with probability `p`; torchvision's default is 0.5.
    ///
    /// # Panics
    /// If `p` is not between 0 and 1.
    #[track_caller]
    pub fn new(p: f64) -> RandomHorizontalFlip {
        assert!((0.0..=1.0).contains(&p), "RandomHorizontalFlip: needs p from 0 to 1; got {p}");
        RandomHorizontalFlip { p }
    }
}

impl Transform for RandomHorizontalFlip {
    type Input = Tensor;
    type Output = Tensor;

    fn apply(&self, mut image: Tensor, rng: &mut Rng) -> Result<Tensor, Error> {
        let [_, _, width] = image_shape(&image, "RandomHorizontalFlip")?;
        if rng.random_bool(self.p) {
            image.data_mut().chunks_exact_mut(width.max(1)).for_each(<[f32]>::reverse);
        }
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_mirrored_half_of_the_time() {
        let image = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 2, 3]);
        let mirrored = [3.0, 2.0, 1.0, 6.0, 5.0, 4.0];
        let with = |p, seed| {
            let flip = RandomHorizontalFlip::new(p);
            flip.apply(image.clone(), &mut Rng::seed(seed)).unwrap().to_vec()
        };
        assert_eq!(with(1.0, 0), mirrored);
        assert_eq!(with(0.0, 0), image.to_vec());
        // 400 draws: 200 with a standard error of 10.
        let flips = (0..400).filter(|&seed| with(0.5, seed) == mirrored).count();
        assert!((150..=250).contains(&flips), "{flips}");
    }

    #[test]
    #[should_panic(expected = "needs p from 0 to 1; got 1.5")]
    fn probabilities_end_at_1() {
        RandomHorizontalFlip::new(1.5);
    }
}
