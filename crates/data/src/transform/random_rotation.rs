//! `RandomRotation`: an image turned by a random angle.

use backstitch_tensor::Tensor;
use rand::RngExt as _;

use super::{Transform, image_shape};
use crate::{Error, Rng};

/// Turns an image (C, H, W) about its centre by an angle that is uniform within `degrees` to
/// either side; bilinear, with 0 outside the image. torchvision's `RandomRotation` with
/// `InterpolationMode.BILINEAR`.
#[derive(Clone, Debug)]
pub struct RandomRotation {
    degrees: f64,
}

impl RandomRotation {
    /// Turns by up to `degrees` to either side.
    ///
    /// # Panics
    /// If `degrees` is negative or not finite.
    #[track_caller]
    pub fn new(degrees: f64) -> RandomRotation {
        let fits = degrees.is_finite() && degrees >= 0.0;
        assert!(fits, "RandomRotation: needs finite degrees of at least 0; got {degrees}");
        RandomRotation { degrees }
    }
}

impl Transform for RandomRotation {
    type Input = Tensor;
    type Output = Tensor;

    fn apply(&self, image: Tensor, rng: &mut Rng) -> Result<Tensor, Error> {
        let [_, height, width] = image_shape(&image, "RandomRotation")?;
        let angle = rng.random_range(-self.degrees..=self.degrees);
        let data = image.to_vec();
        Ok(Tensor::build(image.shape(), |out| {
            let plane = (height * width).max(1);
            for (source, out) in data.chunks_exact(plane).zip(out.chunks_exact_mut(plane)) {
                rotate(source, width, angle, out);
            }
        }))
    }
}

/// Turns one plane by `angle` degrees, counter-clockwise as the image is seen.
fn rotate(source: &[f32], width: usize, angle: f64, out: &mut [f32]) {
    let height = source.len() / width;
    let (sin, cos) = angle.to_radians().sin_cos();
    let centre = [(height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0];
    let pixel = |row: i64, col: i64| -> f64 {
        let inside = (0..height as i64).contains(&row) && (0..width as i64).contains(&col);
        if inside { f64::from(source[row as usize * width + col as usize]) } else { 0.0 }
    };
    for (at, out) in out.iter_mut().enumerate() {
        let (dy, dx) = ((at / width) as f64 - centre[0], (at % width) as f64 - centre[1]);
        let (row, col) = (centre[0] + cos * dy + sin * dx, centre[1] + cos * dx - sin * dy);
        let (top, left) = (row.floor(), col.floor());
        let (down, right) = (row - top, col - left);
        let (top, left) = (top as i64, left as i64);
        let upper = pixel(top, left) * (1.0 - right) + pixel(top, left + 1) * right;
        let lower = pixel(top + 1, left) * (1.0 - right) + pixel(top + 1, left + 1) * right;
        *out = (upper * (1.0 - down) + lower * down) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_angles_move_pixels() {
        // 1 2      2 4
        // 3 4  ->  1 3  by 90 degrees counter-clockwise.
        let mut out = [0.0; 4];
        rotate(&[1.0, 2.0, 3.0, 4.0], 2, 90.0, &mut out);
        for (got, want) in out.into_iter().zip([2.0, 4.0, 1.0, 3.0]) {
            assert!((got - want).abs() < 1e-6, "{out:?}");
        }
    }

    #[test]
    fn no_angle_changes_nothing_and_seeds_decide() {
        let image = Tensor::from_vec((0..2 * 4 * 5).map(|v| v as f32).collect(), [2, 4, 5]);
        let turned = |degrees, seed| {
            RandomRotation::new(degrees)
                .apply(image.clone(), &mut Rng::seed(seed))
                .unwrap()
                .to_vec()
        };
        assert_eq!(turned(0.0, 1), image.to_vec());
        assert_eq!(turned(30.0, 1), turned(30.0, 1));
        assert_ne!(turned(30.0, 1), turned(30.0, 2));
    }

    /// By half a right angle, about the middle of three pixels: by hand.
    #[test]
    fn places_between_pixels_are_weighted() {
        let mut out = [0.0; 9];
        rotate(&[0.0, 0.0, 0.0, 0.0, 1.0, 4.0, 0.0, 0.0, 0.0], 3, 45.0, &mut out);
        // Places look back by 45 degrees. Above the middle and to its right that is between the
        // pixels 1 and 4 and an empty row; at the corner it is between 4 and the outside.
        let r = f32::sqrt(0.5);
        let beside = (1.0 - r) * ((1.0 - r) + 4.0 * r);
        // Below the middle and to its left it is between 1 and empty pixels.
        let other = (1.0 - r) * (1.0 - r);
        let want = [0.0, beside, 4.0 * (2.0 - 2.0 * r), other, 1.0, beside, 0.0, other, 0.0];
        for (got, want) in out.into_iter().zip(want) {
            assert!((got - want).abs() < 1e-5, "{out:?} is not {want:?}");
        }
    }
}
