//! Transforms: random changes of samples that compose, for augmentation in the loader.

mod color_jitter;
mod cutout;
mod normalize;
mod random_crop;
mod random_flip;
mod random_rotation;
mod to_float;

use std::marker::PhantomData;

use backstitch_tensor::Tensor;

pub use color_jitter::ColorJitter;
pub use cutout::Cutout;
pub use normalize::Normalize;
pub use random_crop::RandomCrop;
pub use random_flip::RandomHorizontalFlip;
pub use random_rotation::RandomRotation;
pub use to_float::ToFloat;

use crate::{Error, Rng};

/// A change of samples, random or not.
///
/// All randomness comes from the generator that `apply` is given; the loader gives each sample a
/// generator of its own, made from the epoch's seed and the sample's position in the epoch. So the
/// same seed gives the same bits with any number of workers.
///
/// Image transforms take and give tensors (C, H, W). Compose with [`then`](Transform::then), give
/// to the loader with [`Loader::augment`](crate::Loader::augment).
///
/// # Examples
/// ```
/// use backstitch_data::{RandomCrop, RandomHorizontalFlip, Rng, Transform};
/// use backstitch_tensor::Tensor;
/// let augment = RandomCrop::new([28, 28], 2).then(RandomHorizontalFlip::new(0.5));
/// let image = Tensor::from_vec(vec![0.5; 784], &[1, 28, 28]);
/// let changed = augment.apply(image, &mut Rng::seed(7))?;
/// assert_eq!(changed.shape(), [1, 28, 28]);
/// # Ok::<(), backstitch_data::Error>(())
/// ```
pub trait Transform: Send + Sync {
    /// What it takes.
    type Input;
    /// What it gives.
    type Output;

    /// Changes one sample.
    ///
    /// # Errors
    /// An input that the transform does not fit.
    fn apply(&self, input: Self::Input, rng: &mut Rng) -> Result<Self::Output, Error>;

    /// This transform, then `next`, with the same generator.
    fn then<T: Transform<Input = Self::Output>>(self, next: T) -> Then<Self, T>
    where
        Self: Sized,
    {
        Then { first: self, next }
    }
}

/// One transform after another; made by [`Transform::then`].
#[derive(Clone, Debug)]
pub struct Then<A, B> {
    first: A,
    next: B,
}

impl<A: Transform, B: Transform<Input = A::Output>> Transform for Then<A, B> {
    type Input = A::Input;
    type Output = B::Output;

    fn apply(&self, input: A::Input, rng: &mut Rng) -> Result<B::Output, Error> {
        self.next.apply(self.first.apply(input, rng)?, rng)
    }
}

/// A transform made of a function.
///
/// ```
/// use backstitch_data::{Rng, Transform, transform};
/// let noise = transform::from_fn(|x: f32, rng: &mut Rng| Ok(x + (rng.next_u64() % 2) as f32));
/// assert!([1.0, 2.0].contains(&noise.apply(1.0, &mut Rng::seed(7))?));
/// # Ok::<(), backstitch_data::Error>(())
/// ```
pub fn from_fn<I, O, F>(change: F) -> FromFn<I, O, F>
where
    F: Fn(I, &mut Rng) -> Result<O, Error> + Send + Sync,
{
    FromFn { change, types: PhantomData }
}

/// A transform made of a function, by [`from_fn`].
pub struct FromFn<I, O, F> {
    change: F,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O, F> Transform for FromFn<I, O, F>
where
    F: Fn(I, &mut Rng) -> Result<O, Error> + Send + Sync,
{
    type Input = I;
    type Output = O;

    fn apply(&self, input: I, rng: &mut Rng) -> Result<O, Error> {
        (self.change)(input, rng)
    }
}

/// The axes of an image, or the error of `transform` about something else.
fn image_shape(image: &Tensor, transform: &str) -> Result<[usize; 3], Error> {
    image.shape().try_into().map_err(|_| {
        Error::mismatch(transform, "an image (C, H, W)", format!("shape {:?}", image.shape()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 9.11 of the course: composed equals by hand.
    #[test]
    fn crop_then_flip_equals_both_by_hand() {
        let image = Tensor::from_vec((0..3 * 6 * 5).map(|v| v as f32).collect(), [3, 6, 5]);
        let (crop, flip) = (RandomCrop::new([4, 4], 1), RandomHorizontalFlip::new(0.5));
        let composed = crop.clone().then(flip.clone());
        let mut outputs = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let rng = &mut Rng::seed(seed);
            let by_hand = crop.apply(image.clone(), rng).unwrap();
            let by_hand = flip.apply(by_hand, rng).unwrap().to_vec();
            let other_rng = &mut Rng::seed(seed);
            let got = composed.apply(image.clone(), other_rng).unwrap();
            assert_eq!(got.to_vec(), by_hand);
            assert_eq!(other_rng, rng, "both drew as much");
            outputs.insert(by_hand.iter().map(|v| *v as i64).collect::<Vec<_>>());
        }
        // 5 x 4 places, flipped or not.
        assert_eq!(outputs.len(), 40);
    }

    #[test]
    fn images_have_three_axes() {
        let row = Tensor::from_vec(vec![0.0; 4], [4]);
        let error = RandomHorizontalFlip::new(0.5).apply(row, &mut Rng::seed(0)).err().unwrap();
        assert_eq!(
            error.to_string(),
            "RandomHorizontalFlip: expected an image (C, H, W), found shape [4]"
        );
    }
}
