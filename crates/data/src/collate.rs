//! `Collate`: how samples become a batch.

use std::path::PathBuf;

use backstitch_tensor::{Element, Tensor};

use crate::Error;

/// Samples that can be put together into a batch.
///
/// | sample | batch |
/// |---|---|
/// | `f32`, `f64`, `i64`, `bool` | tensor of shape (N) |
/// | `u8`, `i32`, `u32`, `usize`: labels | `i64` tensor of shape (N) |
/// | `[T; K]`, `Vec<T>` of length K | tensor of shape (N, K) |
/// | `Tensor<T>` of shape (...) | tensor of shape (N, ...) |
/// | `String`, `PathBuf` | `Vec` of them |
/// | tuple of up to four of these | tuple of their batches |
///
/// Implement it for a struct of your own to batch it in another way, with padding for example.
///
/// # Examples
/// ```
/// use backstitch_data::Collate;
/// let (x, y) = Collate::collate(vec![([1.0f32, 2.0], 7usize), ([3.0, 4.0], 8)])?;
/// assert_eq!((x.shape(), y.to_vec()), (&[2, 2][..], vec![7, 8]));
/// # Ok::<(), backstitch_data::Error>(())
/// ```
pub trait Collate: Sized {
    /// Many samples.
    type Batch: Send;

    /// One batch of `samples`, in their order.
    ///
    /// # Errors
    /// Samples that do not fit together: an [`Error::Sample`] whose index is the place in
    /// `samples`.
    fn collate(samples: Vec<Self>) -> Result<Self::Batch, Error>;
}

/// The error of a sample whose shape differs from the first one's.
fn misfit(place: usize, expected: &[usize], found: &[usize]) -> Error {
    let expected = format!("shape {expected:?} as the batch's first sample has");
    Error::mismatch("batch", expected, format!("{found:?}")).at_sample(place)
}

/// Stacks rows of one shape to (N, ...).
fn stack<'a, T: Element>(
    count: usize,
    row: impl Fn(usize) -> (&'a [T], &'a [usize]),
) -> Result<Tensor<T>, Error> {
    let inner = if count == 0 { &[0][..] } else { row(0).1 };
    if let Some(place) = (1..count).find(|&place| row(place).1 != inner) {
        return Err(misfit(place, inner, row(place).1));
    }
    let shape = [&[count], inner].concat();
    let width: usize = inner.iter().product();
    Ok(Tensor::build(&shape, |out| {
        for place in 0..count {
            out[place * width..][..width].copy_from_slice(row(place).0);
        }
    }))
}

macro_rules! collate_elements {
    ($($element:ty),*) => {$(
        impl Collate for $element {
            type Batch = Tensor<$element>;

            fn collate(samples: Vec<Self>) -> Result<Self::Batch, Error> {
                Ok(Tensor::build(&[samples.len()], |out| out.copy_from_slice(&samples)))
            }
        }
    )*};
}

macro_rules! collate_labels {
    ($($label:ty),*) => {$(
        impl Collate for $label {
            type Batch = Tensor<i64>;

            fn collate(samples: Vec<Self>) -> Result<Self::Batch, Error> {
                let labels = samples.iter().map(|&label| i64::try_from(label));
                let labels: Result<Vec<i64>, _> = labels.collect();
                i64::collate(labels.map_err(Error::other)?)
            }
        }
    )*};
}

collate_elements!(f32, f64, i64, bool);
collate_labels!(u8, i32, u32, usize);

impl<T: Element> Collate for Vec<T> {
    type Batch = Tensor<T>;

    fn collate(samples: Vec<Self>) -> Result<Self::Batch, Error> {
        let lengths: Vec<[usize; 1]> = samples.iter().map(|row| [row.len()]).collect();
        stack(samples.len(), |place| (&samples[place], &lengths[place]))
    }
}

impl<T: Element, const K: usize> Collate for [T; K] {
    type Batch = Tensor<T>;

    fn collate(samples: Vec<Self>) -> Result<Self::Batch, Error> {
        Ok(Tensor::build(&[samples.len(), K], |out| {
            out.copy_from_slice(samples.as_flattened());
        }))
    }
}

impl<T: Element> Collate for Tensor<T> {
    type Batch = Tensor<T>;

    fn collate(mut samples: Vec<Self>) -> Result<Self::Batch, Error> {
        for sample in samples.iter_mut().filter(|sample| sample.as_slice().is_none()) {
            let _ = sample.data_mut();
        }
        stack(samples.len(), |place| {
            let data = samples[place].as_slice().expect("made contiguous above");
            (data, samples[place].shape())
        })
    }
}

macro_rules! collate_lists {
    ($($item:ty),*) => {$(
        impl Collate for $item {
            type Batch = Vec<$item>;

            fn collate(samples: Vec<Self>) -> Result<Self::Batch, Error> {
                Ok(samples)
            }
        }
    )*};
}

collate_lists!(String, PathBuf);

macro_rules! collate_tuples {
    ($(($($part:ident $list:ident),*)),*) => {$(
        impl<$($part: Collate),*> Collate for ($($part,)*) {
            type Batch = ($($part::Batch,)*);

            #[allow(non_snake_case, reason = "the macro names values after their types")]
            fn collate(samples: Vec<Self>) -> Result<Self::Batch, Error> {
                $(let mut $list = Vec::with_capacity(samples.len());)*
                for ($($part,)*) in samples {
                    $($list.push($part);)*
                }
                Ok(($($part::collate($list)?,)*))
            }
        }
    )*};
}

collate_tuples!((A a), (A a, B b), (A a, B b, C c), (A a, B b, C c, D d));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_stack() {
        let rows = (0..3).map(|i| Tensor::from_vec(vec![i as f32, 0.5], [1, 2])).collect();
        let batch = Tensor::collate(rows).unwrap();
        assert_eq!(batch.shape(), [3, 1, 2]);
        assert_eq!(batch.to_vec(), [0.0, 0.5, 1.0, 0.5, 2.0, 0.5]);
    }

    #[test]
    fn shapes_must_agree() {
        let error =
            Collate::collate(vec![(vec![1.0f32], 0u8), (vec![1.0], 1), (vec![1.0, 2.0], 2)]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "sample 2: batch: expected shape [1] as the batch's first sample has, found [2]"
        );
    }

    #[test]
    fn empty_batches_are_empty() {
        assert_eq!(i64::collate(vec![]).unwrap().shape(), [0]);
        assert_eq!(<[f32; 3]>::collate(vec![]).unwrap().shape(), [0, 3]);
        assert_eq!(Vec::<f32>::collate(vec![]).unwrap().numel(), 0);
    }
}
