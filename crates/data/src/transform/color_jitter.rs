//! `ColorJitter`: random brightness, contrast, saturation and hue.

use backstitch_tensor::Tensor;
use rand::RngExt as _;

use super::{Transform, image_shape};
use crate::{Error, Rng};

/// Changes brightness, contrast, saturation and hue of an image (C, H, W) with values in [0, 1].
///
/// Each of the first three strengths `s` gives a factor that is uniform in `[max(0, 1 - s), 1 + s]`,
/// the hue's a shift that is uniform in `[-s, s]`; results are clamped to [0, 1]. Changes are
/// applied in the order of the fields; four numbers are drawn even where a strength is 0. An image
/// of other than three channels counts as its own grey, and has no hue.
///
/// # Reference
/// torchvision's `ColorJitter`, which applies the changes in random order.
#[derive(Clone, Debug, Default)]
pub struct ColorJitter {
    /// `y = f x`.
    pub brightness: f64,
    /// `y = f x + (1 - f) m`, with `m` the mean of the grey image.
    pub contrast: f64,
    /// `y = f x + (1 - f) g`, with `g` the grey of each pixel.
    pub saturation: f64,
    /// The part of the circle of hues that each pixel's is turned by; 0.5 at most.
    pub hue: f64,
}

impl Transform for ColorJitter {
    type Input = Tensor;
    type Output = Tensor;

    fn apply(&self, mut image: Tensor, rng: &mut Rng) -> Result<Tensor, Error> {
        let [channels, height, width] = image_shape(&image, "ColorJitter")?;
        let mut factor = |strength: f64| -> Result<f32, Error> {
            check(strength >= 0.0 && strength.is_finite(), "strengths of at least 0", strength)?;
            Ok(rng.random_range((1.0 - strength).max(0.0)..=1.0 + strength) as f32)
        };
        let brightness = factor(self.brightness)?;
        let contrast = factor(self.contrast)?;
        let saturation = factor(self.saturation)?;
        check((0.0..=0.5).contains(&self.hue), "a hue from 0 to 0.5", self.hue)?;
        let hue = rng.random_range(-self.hue..=self.hue) as f32;
        let plane = height * width;
        let data = image.data_mut();
        data.iter_mut().for_each(|x| *x = (*x * brightness).clamp(0.0, 1.0));
        if plane > 0 {
            blend_contrast(data, plane, contrast);
        }
        if channels == 3 {
            blend_saturation(data, plane, saturation);
            if hue != 0.0 {
                shift_hue(data, plane, hue);
            }
        }
        Ok(image)
    }
}

fn check(fits: bool, expected: &str, found: f64) -> Result<(), Error> {
    match fits {
        true => Ok(()),
        false => Err(Error::mismatch("ColorJitter", expected, found.to_string())),
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

/// Turns the hue of each pixel by a part of the circle (Smith 1978, the model HSV).
fn shift_hue(data: &mut [f32], plane: usize, shift: f32) {
    for at in 0..plane {
        let [red, green, blue] = [0, 1, 2].map(|channel| data[channel * plane + at]);
        let (largest, smallest) = (red.max(green).max(blue), red.min(green).min(blue));
        let range = largest - smallest;
        if range == 0.0 {
            continue;
        }
        // From 0 to 6, red at 0, green at 2, blue at 4.
        let hue = if largest == red {
            (green - blue) / range
        } else if largest == green {
            2.0 + (blue - red) / range
        } else {
            4.0 + (red - green) / range
        };
        for (channel, centre) in [0.0, 2.0, 4.0].into_iter().enumerate() {
            // How far the hue is from the channel's own, around the circle.
            let away = (hue + 6.0 * shift - centre).rem_euclid(6.0);
            let near = (2.0 - away.min(6.0 - away)).clamp(0.0, 1.0);
            data[channel * plane + at] = smallest + range * near;
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
        let strong = ColorJitter { brightness: 3.0, contrast: 3.0, saturation: 3.0, hue: 0.5 };
        for seed in 0..50 {
            let y = strong.apply(image(), &mut Rng::seed(seed)).unwrap().to_vec();
            assert!(y.iter().all(|x| (0.0..=1.0).contains(x)), "{y:?}");
        }
        let wrong = ColorJitter { contrast: f64::NAN, ..strong.clone() };
        assert!(wrong.apply(image(), &mut Rng::seed(0)).is_err());
        let wrong = ColorJitter { hue: 0.6, ..strong };
        let error = wrong.apply(image(), &mut Rng::seed(0)).unwrap_err().to_string();
        assert_eq!(error, "ColorJitter: expected a hue from 0 to 0.5, found 0.6");
    }

    /// Two pixels, red and a dull blue, by hand.
    #[test]
    fn each_change_is_its_formula() {
        let check = |data: &[f32], want: [f32; 6]| {
            for (got, want) in data.iter().zip(want) {
                assert!((got - want).abs() < 1e-6, "{data:?} is not {want:?}");
            }
        };
        let image = [1.0, 0.2, 0.0, 0.2, 0.0, 0.6];
        let mut data = image;
        blend_contrast(&mut data, 2, 0.5);
        let mean = (0.2989 + 0.2989 * 0.2 + 0.587 * 0.2 + 0.114 * 0.6) / 2.0;
        check(&data, image.map(|x| 0.5 * x + 0.5 * mean));
        let mut data = image;
        blend_saturation(&mut data, 2, 2.0);
        let grey = 0.2989f32 * 0.2 + 0.587 * 0.2 + 0.114 * 0.6;
        check(&data, [1.0, (0.4 - grey).max(0.0), 0.0, (0.4 - grey).max(0.0), 0.0, 1.2 - grey]);
        // A third of the circle: red to green, blue to red; a sixth: red to yellow.
        let mut data = image;
        shift_hue(&mut data, 2, 1.0 / 3.0);
        check(&data, [0.0, 0.6, 1.0, 0.2, 0.0, 0.2]);
        let mut data = image;
        shift_hue(&mut data, 2, 1.0 / 6.0);
        check(&data, [1.0, 0.6, 1.0, 0.2, 0.0, 0.6]);
    }

    #[test]
    fn factors_are_uniform_between_their_bounds() {
        let jitter = ColorJitter { brightness: 0.5, ..Default::default() };
        let grey = Tensor::from_vec(vec![0.5f32; 3], [3, 1, 1]);
        let factors: Vec<f32> = (0..400)
            .map(|seed| {
                2.0 * jitter.apply(grey.clone(), &mut Rng::seed(seed)).unwrap().at(&[0, 0, 0])
            })
            .collect();
        let (mut low, mut high, mut sum) = (2.0f32, 0.0f32, 0.0);
        for &factor in &factors {
            (low, high, sum) = (low.min(factor), high.max(factor), sum + factor);
        }
        // 400 draws of deviation 0.29: a standard error of 0.014.
        assert!((0.5..0.52).contains(&low) && (1.48..=1.5).contains(&high), "{low} {high}");
        assert!((sum / 400.0 - 1.0).abs() < 0.07, "{sum}");
    }
}
