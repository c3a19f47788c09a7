//! [`Entry`]: a tensor as it stands in a safetensors file, and whole files of them.

use std::collections::{BTreeMap, HashMap};

use backstitch_data::Error;
use backstitch_tensor::{DType, Element, Float, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// A tensor as it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Little-endian, row-major.
    pub bytes: Vec<u8>,
}

impl Entry {
    /// A tensor, bit for bit.
    pub fn new<T: Element>(x: &Tensor<T>) -> Self {
        let (dtype, bytes) = to_bytes(&x.to_vec());
        Entry { dtype, shape: x.shape().to_vec(), bytes }
    }

    /// The tensor; `None` for another element type.
    pub fn tensor<T: Element>(&self) -> Option<Tensor<T>> {
        Some(Tensor::from_vec(from_bytes(self)?, &self.shape))
    }

    /// The tensor in the nearest numbers of `T`; `None` for an element type of something else
    /// than real numbers.
    pub fn converted<T: Float>(&self) -> Option<Tensor<T>> {
        let bytes = &self.bytes;
        let data: Vec<T> = match self.dtype {
            Dtype::F64 => numbers(bytes, f64::from_le_bytes, T::from_f64),
            Dtype::F32 => numbers(bytes, f32::from_le_bytes, T::from_f32),
            Dtype::F16 => numbers(bytes, u16::from_le_bytes, |bits| T::from_f32(half(bits))),
            Dtype::BF16 => numbers(bytes, u16::from_le_bytes, |bits| {
                T::from_f32(f32::from_bits(u32::from(bits) << 16))
            }),
            Dtype::I64 => numbers(bytes, i64::from_le_bytes, T::from_i64),
            Dtype::I32 => numbers(bytes, i32::from_le_bytes, |x| T::from_i64(x.into())),
            Dtype::U8 | Dtype::BOOL => bytes.iter().map(|&x| T::from_u8(x)).collect(),
            _ => return None,
        };
        Some(Tensor::from_vec(data, &self.shape))
    }

    fn view(&self) -> TensorView<'_> {
        TensorView::new(self.dtype, self.shape.clone(), &self.bytes)
            .expect("an entry has as many bytes as its shape asks for")
    }
}

/// The bytes of a file.
pub(crate) fn serialize(
    entries: &BTreeMap<String, Entry>,
    texts: HashMap<String, String>,
) -> Vec<u8> {
    let views = entries.iter().map(|(name, entry)| (name.clone(), entry.view()));
    safetensors::serialize(views, Some(texts)).expect("names and shapes can be written as JSON")
}

/// The tensors and texts of a file.
pub(crate) type Content = (BTreeMap<String, Entry>, BTreeMap<String, String>);

/// Reads the bytes of a file; never panics.
pub(crate) fn deserialize(bytes: &[u8]) -> Result<Content, Error> {
    let refuse = |error: safetensors::SafeTensorError| {
        Error::mismatch("safetensors", "a whole file in this format", error.to_string())
    };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(refuse)?;
    let file = SafeTensors::deserialize(bytes).map_err(refuse)?;
    let texts = metadata.metadata().clone().unwrap_or_default().into_iter().collect();
    let entry = |(name, view): (&str, TensorView<'_>)| {
        let (dtype, shape) = (view.dtype(), view.shape().to_vec());
        (name.to_string(), Entry { dtype, shape, bytes: view.data().to_vec() })
    };
    Ok((file.iter().map(entry).collect(), texts))
}

/// The elements as little-endian bytes. Goes through the types that hold each exactly.
fn to_bytes<T: Element>(data: &[T]) -> (Dtype, Vec<u8>) {
    match T::DTYPE {
        DType::F32 => {
            (Dtype::F32, data.iter().flat_map(|x| x.cast::<f32>().to_le_bytes()).collect())
        }
        DType::F64 => {
            (Dtype::F64, data.iter().flat_map(|x| x.cast::<f64>().to_le_bytes()).collect())
        }
        DType::I64 => {
            (Dtype::I64, data.iter().flat_map(|x| x.cast::<i64>().to_le_bytes()).collect())
        }
        DType::Bool => (Dtype::BOOL, data.iter().map(|x| x.cast::<u8>()).collect()),
        DType::U8 => (Dtype::U8, data.iter().map(|x| x.cast::<u8>()).collect()),
    }
}

/// The elements of an entry; `None` for another element type.
fn from_bytes<T: Element>(entry: &Entry) -> Option<Vec<T>> {
    let bytes = &entry.bytes;
    match (T::DTYPE, entry.dtype) {
        (DType::F32, Dtype::F32) => Some(numbers(bytes, f32::from_le_bytes, T::from_f32)),
        (DType::F64, Dtype::F64) => Some(numbers(bytes, f64::from_le_bytes, T::from_f64)),
        (DType::I64, Dtype::I64) => Some(numbers(bytes, i64::from_le_bytes, T::from_i64)),
        (DType::Bool, Dtype::BOOL) => Some(bytes.iter().map(|&b| T::from_bool(b != 0)).collect()),
        (DType::U8, Dtype::U8) => Some(bytes.iter().map(|&b| T::from_u8(b)).collect()),
        _ => None,
    }
}

/// Reads numbers of `N` bytes.
fn numbers<const N: usize, A, T>(bytes: &[u8], read: fn([u8; N]) -> A, cast: fn(A) -> T) -> Vec<T> {
    let read = |chunk: &[u8]| cast(read(chunk.try_into().expect("chunks of N bytes")));
    bytes.chunks_exact(N).map(read).collect()
}

/// The value of a number of 16 bits in IEEE 754's format.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * f32::powi(2.0, -24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * f32::powi(2.0, exponent - 25),
    }
}
