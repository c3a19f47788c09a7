//! `RandomCrop`: a window at a random place, after padding.

use backstitch_tensor::Tensor;
use rand::RngExt as _;

use super::{Transform, image_shape};
use crate::{Error, Rng};

/// Cuts a window from an image (C, H, W) that was padded on all sides; torchvision's `RandomCrop`.
///
/// Every place is equally likely; the generator draws the top row, then the left column.
#[derive(Clone, Debug)]
pub struct RandomCrop {
    /// Height and width of the window.
    pub size: [usize; 2],
    /// Pixels added on each side.
    pub padding: usize,
    /// The value of added pixels; 0 as in torchvision.
    pub fill: f32,
}

impl RandomCrop {
    /// A window of `size` [H, W] from an image with `padding` pixels of 0 on each side.
    pub fn new(size: [usize; 2], padding: usize) -> RandomCrop {
        RandomCrop { size, padding, fill: 0.0 }
    }
}

impl Transform for RandomCrop {
    type Input = Tensor;
    type Output = Tensor;

    fn apply(&self, image: Tensor, rng: &mut Rng) -> Result<Tensor, Error> {
        let [channels, height, width] = image_shape(&image, "RandomCrop")?;
        let [rows, cols] = self.size;
        let padded = [height + 2 * self.padding, width + 2 * self.padding];
        if rows > padded[0] || cols > padded[1] {
            let expected = format!("an image of at least {:?} with its padding", self.size);
            return Err(Error::mismatch("RandomCrop", expected, format!("{padded:?}")));
        }
        let top = rng.random_range(0..=padded[0] - rows);
        let left = rng.random_range(0..=padded[1] - cols);
        let data = image.to_vec();
        Ok(Tensor::build(&[channels, rows, cols], |out| {
            for (at, out_row) in out.chunks_exact_mut(cols.max(1)).enumerate() {
                let (channel, row) = (at / rows, at % rows + top);
                let source = row.checked_sub(self.padding).filter(|&row| row < height);
                let in_row = source.map(|row| &data[(channel * height + row) * width..][..width]);
                self.crop_row(in_row, left, out_row);
            }
        }))
    }
}

impl RandomCrop {
    /// One row of the window, whose first pixel is number `left` of the padded row.
    fn crop_row(&self, in_row: Option<&[f32]>, left: usize, out_row: &mut [f32]) {
        out_row.fill(self.fill);
        let Some(in_row) = in_row else { return };
        let skip_out = self.padding.saturating_sub(left).min(out_row.len());
        let skip_in = left.saturating_sub(self.padding).min(in_row.len());
        let count = (out_row.len() - skip_out).min(in_row.len() - skip_in);
        out_row[skip_out..][..count].copy_from_slice(&in_row[skip_in..][..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pads with a loop over pixels, then cuts.
    fn naive(image: &Tensor, crop: &RandomCrop, top: usize, left: usize) -> Vec<f32> {
        let [channels, height, width] = image.shape().try_into().unwrap();
        let data = image.to_vec();
        let mut out = Vec::new();
        for c in 0..channels {
            for row in top..top + crop.size[0] {
                for col in left..left + crop.size[1] {
                    let inside = row >= crop.padding
                        && row < height + crop.padding
                        && col >= crop.padding
                        && col < width + crop.padding;
                    out.push(if inside {
                        data[(c * height + row - crop.padding) * width + col - crop.padding]
                    } else {
                        crop.fill
                    });
                }
            }
        }
        out
    }

    #[test]
    fn crops_equal_the_naive_twin() {
        for (shape, size, padding) in [
            ([2, 5, 4], [5, 4], 3),
            ([1, 3, 7], [2, 2], 0),
            ([1, 2, 2], [9, 1], 4),
            ([1, 1, 1], [3, 3], 2),
        ] {
            let count = shape.iter().product::<usize>();
            let image = Tensor::from_vec((1..=count).map(|v| v as f32).collect(), shape);
            let crop = RandomCrop { size, padding, fill: -1.0 };
            for seed in 0..50 {
                let rng = &mut Rng::seed(seed);
                let top = rng.random_range(0..=shape[1] + 2 * padding - size[0]);
                let left = rng.random_range(0..=shape[2] + 2 * padding - size[1]);
                let got = crop.apply(image.clone(), &mut Rng::seed(seed)).unwrap();
                assert_eq!(got.to_vec(), naive(&image, &crop, top, left));
            }
        }
    }

    #[test]
    fn windows_must_fit() {
        let image = Tensor::from_vec(vec![0.0; 4], [1, 2, 2]);
        let error = RandomCrop::new([5, 2], 1).apply(image, &mut Rng::seed(0)).err().unwrap();
        assert_eq!(
            error.to_string(),
            "RandomCrop: expected an image of at least [5, 2] with its padding, found [4, 4]"
        );
    }
}
