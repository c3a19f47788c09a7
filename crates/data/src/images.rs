//! `Images`: labelled pictures kept as bytes, a quarter of the memory of f32.

use std::sync::Arc;

use backstitch_tensor::Tensor;

use crate::{Dataset, Error};

/// Labelled images (N, C, H, W), kept as bytes and handed out as f32. Clones share the memory.
///
/// A byte `b` becomes `b / 255`, so in [0, 1], unless [`Images::normalize`] says otherwise.
/// Samples are `(image (C, H, W), label)`; [`Images::flat`] gives rows for a model without
/// convolutions.
///
/// # Examples
/// ```
/// use backstitch_data::{Dataset, Images};
/// let images = Images::new(vec![0, 255, 51, 102], [1, 1, 2], vec![3, 7], 10)?;
/// let (x, labels) = images.batch(&[1])?;
/// assert_eq!(x.shape(), [1, 1, 1, 2]);
/// assert_eq!((x.to_vec(), labels.to_vec()), (vec![0.2, 0.4], vec![7]));
/// # Ok::<(), backstitch_data::Error>(())
/// ```
#[derive(Clone)]
pub struct Images {
    pixels: Arc<Vec<u8>>,
    labels: Arc<Vec<u8>>,
    shape: [usize; 3],
    classes: usize,
    /// What each byte means, by channel.
    values: Arc<[[f32; 256]]>,
}

impl Images {
    /// `pixels` (N, C, H, W) with `shape` [C, H, W], and N labels below `classes`.
    ///
    /// # Errors
    /// The numbers of images and labels differ, or a label is out of range.
    pub fn new(
        pixels: Vec<u8>,
        shape: [usize; 3],
        labels: Vec<u8>,
        classes: usize,
    ) -> Result<Images, Error> {
        let size = shape.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis));
        let wanted = size.and_then(|size| size.checked_mul(labels.len()));
        if wanted != Some(pixels.len()) {
            let expected =
                format!("{} images of shape {shape:?}, as there are labels", labels.len());
            return Err(Error::mismatch("Images", expected, format!("{} bytes", pixels.len())));
        }
        check_labels(&labels, classes)?;
        let unit = std::array::from_fn(|byte| byte as f32 / 255.0);
        Ok(Images {
            pixels: Arc::new(pixels),
            labels: Arc::new(labels),
            shape,
            classes,
            values: vec![unit; shape[0]].into(),
        })
    }

    /// The bytes (N, C, H, W).
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The labels (N).
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The number of classes: one more than the largest label there may be.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The shape of one image: [C, H, W].
    pub fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Mean and standard deviation (over all pixels, not corrected for the mean's freedom) of each
    /// channel, of the numbers that samples hold. Meant for [`Images::normalize`] of training and
    /// test images alike.
    pub fn channel_stats(&self) -> (Vec<f32>, Vec<f32>) {
        let plane = self.shape[1] * self.shape[2];
        let mut counts = vec![[0u64; 256]; self.shape[0]];
        for (at, image) in self.pixels.chunks_exact(plane.max(1)).enumerate() {
            let histogram = &mut counts[at % self.shape[0]];
            image.iter().for_each(|&byte| histogram[usize::from(byte)] += 1);
        }
        counts
            .iter()
            .zip(self.values.iter())
            .map(|(counts, values)| moments(counts, values))
            .unzip()
    }

    /// Images of `(x - mean) / std`, by channel, of what samples hold so far. Costs nothing per
    /// sample.
    ///
    /// # Errors
    /// Not one mean and one standard deviation per channel; one that is not finite; a standard
    /// deviation of 0.
    pub fn normalize(&self, mean: &[f32], std: &[f32]) -> Result<Images, Error> {
        check_normalize(self.shape[0], mean, std)?;
        let mut values = self.values.to_vec();
        for (channel, values) in values.iter_mut().enumerate() {
            for value in values {
                *value = (*value - mean[channel]) / std[channel];
            }
        }
        Ok(Images { values: values.into(), ..self.clone() })
    }

    /// The same images as rows: samples are `(image (C * H * W), label)`.
    pub fn flat(&self) -> FlatImages {
        FlatImages(self.clone())
    }

    /// The image and label of one sample, the image in `shape`.
    fn sample(&self, index: usize, shape: &[usize]) -> Result<(Tensor, i64), Error> {
        self.check(index)?;
        let image = Tensor::build(shape, |out| self.decode(index, out));
        Ok((image, i64::from(self.labels[index])))
    }

    /// The images and labels of those indices, each image in `shape`.
    fn gather(&self, indices: &[usize], shape: &[usize]) -> Result<(Tensor, Tensor<i64>), Error> {
        for &index in indices {
            self.check(index)?;
        }
        let size: usize = self.shape.iter().product();
        let images = Tensor::build(&[&[indices.len()], shape].concat(), |out| {
            for (place, &index) in indices.iter().enumerate() {
                self.decode(index, &mut out[place * size..][..size]);
            }
        });
        let labels = Tensor::build(&[indices.len()], |out| {
            for (label, &index) in out.iter_mut().zip(indices) {
                *label = i64::from(self.labels[index]);
            }
        });
        Ok((images, labels))
    }

    fn check(&self, index: usize) -> Result<(), Error> {
        if index < self.labels.len() {
            return Ok(());
        }
        let expected = format!("an index below {}", self.labels.len());
        Err(Error::mismatch("Images", expected, index.to_string()).at_sample(index))
    }

    fn decode(&self, index: usize, out: &mut [f32]) {
        let plane = self.shape[1] * self.shape[2];
        let size = plane * self.shape[0];
        let image = &self.pixels[index * size..][..size];
        for (channel, values) in self.values.iter().enumerate() {
            decode_plane(
                &image[channel * plane..][..plane],
                values,
                &mut out[channel * plane..][..plane],
            );
        }
    }
}

impl Dataset for Images {
    type Sample = (Tensor, i64);

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn get(&self, index: usize) -> Result<(Tensor, i64), Error> {
        self.sample(index, &self.shape)
    }

    fn batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor<i64>), Error> {
        self.gather(indices, &self.shape)
    }
}

/// Labelled images as rows of C * H * W numbers; made by [`Images::flat`].
#[derive(Clone)]
pub struct FlatImages(Images);

impl FlatImages {
    /// The images in their shape.
    pub fn images(&self) -> &Images {
        &self.0
    }
}

impl Dataset for FlatImages {
    type Sample = (Tensor, i64);

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, index: usize) -> Result<(Tensor, i64), Error> {
        self.0.sample(index, &[self.0.shape.iter().product()])
    }

    fn batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor<i64>), Error> {
        self.0.gather(indices, &[self.0.shape.iter().product()])
    }
}

fn decode_plane(bytes: &[u8], values: &[f32; 256], out: &mut [f32]) {
    for (out, &byte) in out.iter_mut().zip(bytes) {
        *out = values[usize::from(byte)];
    }
}

fn moments(counts: &[u64; 256], values: &[f32; 256]) -> (f32, f32) {
    let weighted = |f: &dyn Fn(f64) -> f64| -> f64 {
        counts.iter().zip(values).map(|(&n, &value)| n as f64 * f(f64::from(value))).sum()
    };
    let total = counts.iter().sum::<u64>().max(1) as f64;
    let mean = weighted(&|value| value) / total;
    let variance = weighted(&|value| (value - mean).powi(2)) / total;
    (mean as f32, variance.sqrt() as f32)
}

impl Images {
    /// Refuses what nothing can be learnt from.
    pub(crate) fn check_not_empty(&self) -> Result<(), Error> {
        let (count, shape) = (self.labels.len(), self.image_shape());
        if count == 0 || shape.contains(&0) {
            let found = format!("{count} of shape {shape:?}");
            return Err(Error::mismatch("content", "images of one pixel or more", found));
        }
        Ok(())
    }
}

/// Refuses labels that are not below `classes`.
pub(crate) fn check_labels(labels: &[u8], classes: usize) -> Result<(), Error> {
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        None => Ok(()),
        Some(index) => {
            let expected = format!("a label below {classes}");
            Err(Error::mismatch("label", expected, labels[index].to_string()).at_sample(index))
        }
    }
}

/// Refuses means and standard deviations that cannot normalise `channels` channels.
pub(crate) fn check_normalize(channels: usize, mean: &[f32], std: &[f32]) -> Result<(), Error> {
    let finite = mean.iter().chain(std).all(|value| value.is_finite());
    if mean.len() == channels && std.len() == channels && finite && !std.contains(&0.0) {
        return Ok(());
    }
    let expected = format!(
        "a finite mean and a standard deviation other than 0 for each of {channels} channels"
    );
    Err(Error::mismatch("normalize", expected, format!("{mean:?} and {std:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        let pixels = (0..24).map(|v| v * 10).collect();
        Images::new(pixels, [2, 2, 3], vec![1, 0], 2).unwrap()
    }

    #[test]
    fn a_batch_is_its_samples() {
        let data = images();
        let (batch, labels) = data.batch(&[1, 0]).unwrap();
        assert_eq!((batch.shape(), labels.to_vec()), (&[2, 2, 2, 3][..], vec![0, 1]));
        let samples = [data.get(1).unwrap().0.to_vec(), data.get(0).unwrap().0.to_vec()].concat();
        assert_eq!(batch.to_vec(), samples);
        let (rows, _) = data.flat().batch(&[1, 0]).unwrap();
        assert_eq!((rows.shape(), rows.to_vec()), (&[2, 12][..], samples));
        assert_eq!(data.flat().get(0).unwrap().0.shape(), [12]);
    }

    #[test]
    fn bytes_divide_by_255_exactly() {
        let data = Images::new((0..=255).collect(), [1, 16, 16], vec![0], 1).unwrap();
        for (byte, value) in data.get(0).unwrap().0.to_vec().into_iter().enumerate() {
            assert_eq!(value, byte as f32 / 255.0);
        }
    }

    #[test]
    fn normalized_channels_have_mean_0_and_std_1() {
        let data = images();
        let (mean, std) = data.channel_stats();
        let first: Vec<f64> = [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17]
            .iter()
            .map(|&v| f64::from(v * 10) / 255.0)
            .collect();
        let expected = first.iter().sum::<f64>() / 12.0;
        assert!((f64::from(mean[0]) - expected).abs() < 1e-7, "{mean:?}");
        let normal = data.normalize(&mean, &std).unwrap();
        let (mean, std) = normal.channel_stats();
        for channel in 0..2 {
            assert!(
                mean[channel].abs() < 1e-6 && (std[channel] - 1.0).abs() < 1e-6,
                "{mean:?} {std:?}"
            );
        }
        assert!(data.normalize(&mean, &[1.0]).is_err());
        assert!(data.normalize(&mean, &[1.0, 0.0]).is_err());
        assert!(data.normalize(&[f32::NAN, 0.0], &[1.0, 1.0]).is_err());
    }

    #[test]
    fn counts_and_labels_are_checked() {
        let error = Images::new(vec![0; 11], [1, 2, 2], vec![0; 3], 10).err().unwrap();
        assert_eq!(
            error.to_string(),
            "Images: expected 3 images of shape [1, 2, 2], as there are labels, found 11 bytes"
        );
        let error = Images::new(vec![0; 8], [1, 2, 2], vec![9, 10], 10).err().unwrap();
        assert_eq!(error.to_string(), "sample 1: label: expected a label below 10, found 10");
        assert!(Images::new(vec![0; 8], [usize::MAX, 2, 2], vec![9, 10], 10).is_err());
        assert!(images().batch(&[0, 2]).unwrap_err().to_string().starts_with("sample 2: "));
    }

    #[test]
    fn images_without_pixels_do_not_panic() {
        let data = Images::new(vec![], [1, 0, 5], vec![0, 1], 2).unwrap();
        assert_eq!(data.batch(&[0, 1]).unwrap().0.shape(), [2, 1, 0, 5]);
        assert_eq!(data.channel_stats().0.len(), 1);
        let data = Images::new(vec![], [0, 5, 5], vec![0, 1], 2).unwrap();
        assert_eq!(data.channel_stats().0.len(), 0);
    }
}
