//! `TensorDataset`: inputs and targets that are in memory as two tensors.

use backstitch_tensor::{Element, Float, Tensor};

use crate::{Dataset, Error};

/// Inputs (N, ...) and targets (N, ...), one sample per row. Clones share the memory.
///
/// # Examples
/// ```
/// use backstitch_data::{Dataset, TensorDataset};
/// use backstitch_tensor::Tensor;
///
/// let inputs = Tensor::from_vec(vec![0.0f32, 0.1, 1.0, 1.1], &[2, 2]);
/// let labels = Tensor::from_vec(vec![3i64, 4], &[2]);
/// let data = TensorDataset::new(inputs, labels)?;
/// let (x, y) = data.batch(&[1])?;
/// assert_eq!((x.shape(), y.to_vec()), (&[1, 2][..], vec![4]));
/// # Ok::<(), backstitch_data::Error>(())
/// ```
#[derive(Clone)]
pub struct TensorDataset<X: Element = f32, Y: Element = i64> {
    inputs: Tensor<X>,
    targets: Tensor<Y>,
}

impl<X: Element, Y: Element> TensorDataset<X, Y> {
    /// Pairs the rows of two tensors. A tensor of another than row-major layout is copied once.
    ///
    /// # Errors
    /// The numbers of rows differ, or one of the tensors has no axes.
    pub fn new(inputs: Tensor<X>, targets: Tensor<Y>) -> Result<Self, Error> {
        let counts = (inputs.shape().first(), targets.shape().first());
        if let (Some(rows), Some(targets_rows)) = counts
            && rows == targets_rows
        {
            return Ok(TensorDataset { inputs: row_major(inputs), targets: row_major(targets) });
        }
        let expected = "inputs (N, ...) and targets (N, ...)";
        let found = format!("{:?} and {:?}", inputs.shape(), targets.shape());
        Err(Error::mismatch("TensorDataset", expected, found))
    }

    /// All inputs.
    pub fn inputs(&self) -> &Tensor<X> {
        &self.inputs
    }

    /// All targets.
    pub fn targets(&self) -> &Tensor<Y> {
        &self.targets
    }
}

impl<X: Element, Y: Element> Dataset for TensorDataset<X, Y> {
    type Sample = (Tensor<X>, Tensor<Y>);

    fn len(&self) -> usize {
        self.inputs.shape()[0]
    }

    fn get(&self, index: usize) -> Result<Self::Sample, Error> {
        Ok((row(&self.inputs, index)?, row(&self.targets, index)?))
    }

    fn batch(&self, indices: &[usize]) -> Result<(Tensor<X>, Tensor<Y>), Error> {
        Ok((gather(&self.inputs, indices)?, gather(&self.targets, indices)?))
    }
}

fn row_major<T: Element>(mut tensor: Tensor<T>) -> Tensor<T> {
    if tensor.as_slice().is_none() {
        // Asking for the elements to change copies them into row-major order.
        let _ = tensor.data_mut();
    }
    tensor
}

/// The elements of row-major `rows`, and how many make a row.
fn parts<T: Element>(rows: &Tensor<T>) -> (&[T], usize) {
    let data = rows.as_slice().expect("made row-major on the way in");
    (data, rows.shape()[1..].iter().product())
}

fn check(index: usize, count: usize) -> Result<usize, Error> {
    if index < count {
        return Ok(index);
    }
    Err(Error::mismatch("TensorDataset", format!("an index below {count}"), index.to_string())
        .at_sample(index))
}

fn row<T: Element>(rows: &Tensor<T>, index: usize) -> Result<Tensor<T>, Error> {
    let (data, width) = parts(rows);
    let start = check(index, rows.shape()[0])? * width;
    Ok(Tensor::build(&rows.shape()[1..], |out| out.copy_from_slice(&data[start..start + width])))
}

fn gather<T: Element>(rows: &Tensor<T>, indices: &[usize]) -> Result<Tensor<T>, Error> {
    let (data, width) = parts(rows);
    for &index in indices {
        check(index, rows.shape()[0])?;
    }
    let shape = [&[indices.len()], &rows.shape()[1..]].concat();
    Ok(Tensor::build(&shape, |out| {
        for (place, &index) in indices.iter().enumerate() {
            out[place * width..][..width].copy_from_slice(&data[index * width..][..width]);
        }
    }))
}

/// Refuses NaN and infinities in a tensor of shape (N, ...).
///
/// # Errors
/// The first number that is not finite, by sample and feature (the position in the row).
///
/// # Examples
/// ```
/// use backstitch_data::check_finite;
/// use backstitch_tensor::Tensor;
/// let rows = Tensor::from_vec(vec![0.0f32, 1.0, 2.0, f32::NAN], &[2, 2]);
/// let error = check_finite(&rows).unwrap_err();
/// assert_eq!(error.to_string(), "sample 1: feature 1: expected a finite number, found NaN");
/// ```
pub fn check_finite<T: Float + Into<f64>>(rows: &Tensor<T>) -> Result<(), Error> {
    let data = rows.to_vec();
    let width: usize = rows.shape().iter().skip(1).product();
    let found =
        data.iter().map(|&value| value.into()).enumerate().find(|(_, value)| !value.is_finite());
    match found {
        None => Ok(()),
        Some((at, value)) => {
            let place = format!("feature {}", at % width);
            let error = Error::mismatch(place, "a finite number", value.to_string());
            Err(error.at_sample(at / width))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> TensorDataset {
        let inputs = Tensor::from_vec((0..12).map(|v| v as f32).collect(), [3, 2, 2]);
        TensorDataset::new(inputs, Tensor::from_vec(vec![7, 8, 9], [3])).unwrap()
    }

    #[test]
    fn a_batch_is_its_samples() {
        let data = dataset();
        let (x, y) = data.batch(&[2, 0, 2]).unwrap();
        assert_eq!(x.shape(), [3, 2, 2]);
        assert_eq!(y.to_vec(), [9, 7, 9]);
        for (place, index) in [2, 0, 2].into_iter().enumerate() {
            let (image, label) = data.get(index).unwrap();
            assert_eq!(image.shape(), [2, 2]);
            assert_eq!(label.shape(), []);
            assert_eq!(x.to_vec()[place * 4..][..4], image.to_vec());
        }
    }

    #[test]
    fn counts_must_agree() {
        let error = TensorDataset::new(
            Tensor::from_vec(vec![0f32; 6], [3, 2]),
            Tensor::from_vec(vec![0i64; 2], [2]),
        );
        assert_eq!(
            error.err().unwrap().to_string(),
            "TensorDataset: expected inputs (N, ...) and targets (N, ...), found [3, 2] and [2]"
        );
        let error = dataset().batch(&[0, 3]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sample 3: TensorDataset: expected an index below 3, found 3"
        );
    }

    #[test]
    fn finite_numbers_pass() {
        check_finite(dataset().inputs()).unwrap();
        let error =
            check_finite(&Tensor::from_vec(vec![0.0f64, f64::NEG_INFINITY], [2])).unwrap_err();
        assert_eq!(error.to_string(), "sample 1: feature 0: expected a finite number, found -inf");
    }
}
