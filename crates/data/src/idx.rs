//! IDX, MNIST's file format: any rank, all six element types, plain or gzipped.
//!
//! A file is `0 0 type rank`, then `rank` sizes as big-endian u32, then the elements, big-endian,
//! the last axis fastest. Nothing follows the elements.
//!
//! Reference: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section
//! "The IDX file format".

use std::io::Read;
use std::path::Path;

use crate::Error;
use crate::file;

/// The content of an IDX file.
#[derive(Clone, Debug, PartialEq)]
pub struct Idx {
    shape: Vec<usize>,
    data: IdxData,
}

/// The elements of an IDX file, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub enum IdxData {
    /// Type code 8.
    U8(Vec<u8>),
    /// Type code 9.
    I8(Vec<i8>),
    /// Type code 11.
    I16(Vec<i16>),
    /// Type code 12.
    I32(Vec<i32>),
    /// Type code 13.
    F32(Vec<f32>),
    /// Type code 14.
    F64(Vec<f64>),
}

/// Reads an IDX file, plain or gzipped (told by its first bytes, not by its name).
///
/// # Errors
/// As [`parse`], with the file's name in front.
pub fn read(path: impl AsRef<Path>) -> Result<Idx, Error> {
    let path = path.as_ref();
    parse_stream(&mut *file::open(path)?).map_err(|error| error.in_file(path))
}

/// Parses the bytes of an IDX file, plain or gzipped.
///
/// Memory is bounded by the bytes that are there, whatever sizes the header claims.
///
/// # Errors
/// Wrong magic, unknown element type, sizes that overflow, too few or too many bytes, broken gzip.
///
/// # Examples
/// ```
/// use backstitch_data::idx;
/// let bytes = [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4];
/// let labels = idx::parse(&bytes)?;
/// assert_eq!(labels.shape(), [3]);
/// assert_eq!(labels.bytes(), Some(&[5, 0, 4][..]));
/// let error = idx::parse(&bytes[..10]).unwrap_err();
/// assert_eq!(error.to_string(), "byte 8: expected 3 bytes for u8 [3], found 2");
/// # Ok::<(), backstitch_data::Error>(())
/// ```
pub fn parse(bytes: &[u8]) -> Result<Idx, Error> {
    // Reading memory cannot fail; broken gzip shows when the stream is read.
    let mut stream = file::plain_stream(bytes).map_err(Error::other)?;
    parse_stream(&mut *stream)
}

/// Writes an IDX file, gzipped if the name ends in `.gz`. The file appears whole or not at all.
///
/// # Errors
/// A file that cannot be written; a shape that the format cannot hold (see [`Idx::to_bytes`]).
pub fn write(path: impl AsRef<Path>, content: &Idx) -> Result<(), Error> {
    let path = path.as_ref();
    let bytes = content.to_bytes().map_err(|error| error.in_file(path))?;
    file::write(path, &bytes)
}

impl Idx {
    /// A shape and its elements.
    ///
    /// # Errors
    /// The number of elements is not the product of the shape.
    pub fn new(shape: &[usize], data: IdxData) -> Result<Idx, Error> {
        let wanted = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        if wanted != Some(data.len()) {
            return Err(Error::mismatch(
                "IDX data",
                format!("as many elements as shape {shape:?} has"),
                data.len().to_string(),
            ));
        }
        Ok(Idx { shape: shape.to_vec(), data })
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements.
    pub fn data(&self) -> &IdxData {
        &self.data
    }

    /// The elements, without a copy.
    pub fn into_data(self) -> IdxData {
        self.data
    }

    /// The elements if they are u8.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.data {
            IdxData::U8(values) => Some(values),
            _ => None,
        }
    }

    /// The elements as f32, unscaled; i32 and f64 are rounded.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.data {
            IdxData::U8(values) => values.iter().map(|&v| f32::from(v)).collect(),
            IdxData::I8(values) => values.iter().map(|&v| f32::from(v)).collect(),
            IdxData::I16(values) => values.iter().map(|&v| f32::from(v)).collect(),
            IdxData::I32(values) => values.iter().map(|&v| v as f32).collect(),
            IdxData::F32(values) => values.clone(),
            IdxData::F64(values) => values.iter().map(|&v| v as f32).collect(),
        }
    }

    /// The file's bytes, not gzipped.
    ///
    /// # Errors
    /// More than 255 axes, or an axis of 2^32 or more.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let refuse =
            |found: String| Error::mismatch("IDX shape", "a shape that fits the format", found);
        let rank = u8::try_from(self.shape.len())
            .map_err(|_| refuse(format!("{} axes", self.shape.len())))?;
        let mut bytes = vec![0, 0, self.data.kind().code, rank];
        for &size in &self.shape {
            let size = u32::try_from(size).map_err(|_| refuse(format!("an axis of {size}")))?;
            bytes.extend(size.to_be_bytes());
        }
        match &self.data {
            IdxData::U8(values) => bytes.extend(values),
            IdxData::I8(values) => bytes.extend(values.iter().flat_map(|v| v.to_be_bytes())),
            IdxData::I16(values) => bytes.extend(values.iter().flat_map(|v| v.to_be_bytes())),
            IdxData::I32(values) => bytes.extend(values.iter().flat_map(|v| v.to_be_bytes())),
            IdxData::F32(values) => bytes.extend(values.iter().flat_map(|v| v.to_be_bytes())),
            IdxData::F64(values) => bytes.extend(values.iter().flat_map(|v| v.to_be_bytes())),
        }
        Ok(bytes)
    }
}

impl IdxData {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            IdxData::U8(values) => values.len(),
            IdxData::I8(values) => values.len(),
            IdxData::I16(values) => values.len(),
            IdxData::I32(values) => values.len(),
            IdxData::F32(values) => values.len(),
            IdxData::F64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type's name, as in Rust.
    pub fn type_name(&self) -> &'static str {
        self.kind().name
    }

    fn kind(&self) -> &'static Kind {
        let at = match self {
            IdxData::U8(_) => 0,
            IdxData::I8(_) => 1,
            IdxData::I16(_) => 2,
            IdxData::I32(_) => 3,
            IdxData::F32(_) => 4,
            IdxData::F64(_) => 5,
        };
        &KINDS[at]
    }
}

/// An element type: its code in the file, name, size, and how to decode big-endian bytes.
struct Kind {
    code: u8,
    name: &'static str,
    width: u64,
    decode: fn(Vec<u8>) -> IdxData,
}

const KINDS: [Kind; 6] = [
    Kind { code: 0x08, name: "u8", width: 1, decode: IdxData::U8 },
    Kind {
        code: 0x09,
        name: "i8",
        width: 1,
        decode: |b| IdxData::I8(big_endian(&b, i8::from_be_bytes)),
    },
    Kind {
        code: 0x0b,
        name: "i16",
        width: 2,
        decode: |b| IdxData::I16(big_endian(&b, i16::from_be_bytes)),
    },
    Kind {
        code: 0x0c,
        name: "i32",
        width: 4,
        decode: |b| IdxData::I32(big_endian(&b, i32::from_be_bytes)),
    },
    Kind {
        code: 0x0d,
        name: "f32",
        width: 4,
        decode: |b| IdxData::F32(big_endian(&b, f32::from_be_bytes)),
    },
    Kind {
        code: 0x0e,
        name: "f64",
        width: 8,
        decode: |b| IdxData::F64(big_endian(&b, f64::from_be_bytes)),
    },
];

fn big_endian<T, const WIDTH: usize>(bytes: &[u8], decode: fn([u8; WIDTH]) -> T) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<WIDTH>();
    elements.iter().map(|&element| decode(element)).collect()
}

fn parse_stream(stream: &mut dyn Read) -> Result<Idx, Error> {
    let magic = read_header(stream, 0, 4, "4 bytes of IDX magic")?;
    let kind = KINDS.iter().find(|kind| magic[..3] == [0, 0, kind.code]).ok_or_else(|| {
        let found = u32::from_be_bytes([magic[0], magic[1], magic[2], magic[3]]);
        let expected = "IDX magic 0x0000TTRR with type TT of 08, 09, 0b, 0c, 0d, 0e";
        Error::mismatch("byte 0", expected, format!("{found:#010x}"))
    })?;
    let rank = usize::from(magic[3]);
    let sizes = read_header(stream, 4, 4 * rank, &format!("{rank} axis sizes of 4 bytes"))?;
    let shape: Vec<usize> =
        big_endian(&sizes, u32::from_be_bytes).into_iter().map(|size| size as usize).collect();
    let payload = payload_bytes(&shape, kind)?;
    let bytes = file::read_up_to(stream, payload + 1)?;
    let start = 4 + sizes.len() as u64;
    let found = bytes.len() as u64;
    if found < payload {
        let expected = format!("{payload} bytes for {} {shape:?}", kind.name);
        return Err(Error::mismatch(format!("byte {start}"), expected, found.to_string()));
    }
    if found > payload {
        let expected = format!("the end after {} {shape:?}", kind.name);
        return Err(Error::mismatch(format!("byte {}", start + payload), expected, "more bytes"));
    }
    Ok(Idx { shape, data: (kind.decode)(bytes) })
}

fn read_header(
    stream: &mut dyn Read,
    start: usize,
    count: usize,
    what: &str,
) -> Result<Vec<u8>, Error> {
    let bytes = file::read_up_to(stream, count as u64)?;
    if bytes.len() < count {
        let found = format!("{} bytes", bytes.len());
        return Err(Error::mismatch(format!("byte {start}"), what, found));
    }
    Ok(bytes)
}

/// The size of the elements in bytes. Axes of size 0 are left out of the overflow check's product,
/// so that strides of an empty array cannot overflow later either.
fn payload_bytes(shape: &[usize], kind: &Kind) -> Result<u64, Error> {
    let product = shape
        .iter()
        .filter(|&&size| size > 0)
        .try_fold(kind.width, |n, &size| n.checked_mul(size as u64))
        .filter(|&n| n < isize::MAX as u64);
    match product {
        Some(_) if shape.contains(&0) => Ok(0),
        Some(n) => Ok(n),
        None => Err(Error::mismatch("byte 4", "sizes that fit into memory", format!("{shape:?}"))),
    }
}
