//! `ColorJitter`: random brightness, contrast and saturation.

use backstitch_tensor::Tensor;
use rand::RngExt as _;

use super::{Transform, image_shape};
use crate::{Error, Rng};

/// Changes brightness, contrast and saturation of an image (C, H, W) with values in [0, 1].
///
/// Each strength `s` gives a factor that is uniform in `[max(0, 1 - s), 1 + s]`; results are
/// clamped to [0, 1]. Strengths are applied in the order of the fields; three numbers are drawn
/// even where a strength is 0. An image of other than three channels counts as its own grey.
///
/// # Reference
/// torchvision's `ColorJitter`, which applies the changes in random order and can shift the hue.
#[derive(Clone, Debug, Default)]
pub struct ColorJitter {
    /// `y = f x`.
    pub brightness: f64,
    /// `y = f x + (1 - f) m`, with `m` the mean of the grey image.
    pub contrast: f64,
    /// `y = f x + (1 - f) g`, with `g` the grey of each pixel.
    pub saturation: f64,
}

impl Transform for ColorJitter {
    type Input = Tensor;
    type Output = Tensor;

    fn apply(&self, mut image: Tensor, rng: &mut Rng) -> Result<Tensor, Error> {
        let [channels, height, width] = image_shape(&image, "ColorJitter")?;
        let mut factor = |strength: f64| -> Result<f32, Error> {
            if !(strength >= 0.0 && strength.is_finite()) {
                let expected = "strengths of at least 0";
                return Err(Error::mismatch("ColorJitter", expected, strength.to_string()));
            }
            Ok(rng.random_range((1.0 - strength).max(0.0)..=1.0 + strength) as f32)
        };
        let brightness = factor(self.brightness)?;
        let contrast = factor(self.contrast)?;
        let saturation = factor(self.saturation)?;
        let plane = height * width;
        let data = image.data_mut();
        data.iter_mut().for_each(|x| *x = (*x * brightness).clamp(0.0, 1.0));
        if plane > 0 {
            blend_contrast(data, plane, contrast);
        }
        if channels == 3 {
            blend_saturation(data, plane, saturation);
        }
        Ok(image)
    }
}

/// The grey of one pixel of a colour image, by ITU-R BT.601 as in torchvision.
fn grey(red: f32, green: f32, blue: f32) -> f32 {
    0.2989 * red + 0.587 * green + 0.114 * blue
}

fn blend(x: f32, other: f32, factor: f32) -> f32 {
    (factor * x + (1.0 - factor) * other).clamp(0.0, 1.0)
}

fn blend_contrast(data: &mut [f32], plane: usize, factor: f32) {
    let sum: f64 = if data.len() == 3 * plane {
        (0..plane).map(|at| f64::from(grey(data[at], data[plane + at], data[2 * plane + at]))).sum()
    } else {
        data.iter().map(|&x| f64::from(x)).sum::<f64>() * plane as f64 / data.len() as f64
    };
    let mean = (sum / plane as f64) as f32;
    data.iter_mut().for_each(|x| *x = blend(*x, mean, factor));
}

fn blend_saturation(data: &mut [f32], plane: usize, factor: f32) {
    for at in 0..plane {
        let grey = grey(data[at], data[plane + at], data[2 * plane + at]);
        for channel in 0..3 {
            let x = &mut data[channel * plane + at];
            *x = blend(*x, grey, factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Tensor {
        Tensor::from_vec((0..3 * 2 * 2).map(|v| v as f32 / 12.0).collect(), [3, 2, 2])
    }

    #[test]
    fn no_strength_changes_nothing() {
        let same = ColorJitter::default().apply(image(), &mut Rng::seed(3)).unwrap();
        for (got, want) in same.to_vec().into_iter().zip(image().to_vec()) {
            assert!((got - want).abs() < 1e-6);
        }
    }

    #[test]
    fn grey_images_keep_their_grey() {
        let jitter = ColorJitter { saturation: 0.9, ..Default::default() };
        let flat = Tensor::from_vec([0.25f32, 0.5].repeat(3), [3, 1, 2]);
        let got = jitter.apply(flat.clone(), &mut Rng::seed(3)).unwrap();
        for (got, want) in got.to_vec().into_iter().zip(flat.to_vec()) {
            assert!((got - want).abs() < 1e-4, "{got} {want}");
        }
    }

    #[test]
    fn contrast_0_is_the_mean_and_results_stay_in_range() {
        let mut data = image().to_vec();
        blend_contrast(&mut data, 4, 0.0);
        assert!(data.iter().all(|&x| (x - data[0]).abs() < 1e-6));
        let strong = ColorJitter { brightness: 3.0, contrast: 3.0, saturation: 3.0 };
        for seed in 0..50 {
            let y = strong.apply(image(), &mut Rng::seed(seed)).unwrap().to_vec();
            assert!(y.iter().all(|x| (0.0..=1.0).contains(x)), "{y:?}");
        }
        let wrong = ColorJitter { contrast: f64::NAN, ..strong };
        assert!(wrong.apply(image(), &mut Rng::seed(0)).is_err());
    }
}
