//! CIFAR's binary format: per image one label byte, then 32 x 32 bytes each of red, green, blue.

use std::path::Path;

use crate::{Error, Images, file};

/// The shape of one image: C, H, W.
const SHAPE: [usize; 3] = [3, 32, 32];
const IMAGE_BYTES: usize = 3 * 32 * 32;
const RECORD_BYTES: usize = 1 + IMAGE_BYTES;

/// Reads files, plain or gzipped, one after another: `data_batch_1.bin` to `data_batch_5.bin`, say.
///
/// # Errors
/// As [`parse`], with the file's name in front.
pub fn read<P: AsRef<Path>>(paths: &[P], classes: usize) -> Result<Images, Error> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in paths {
        let path = path.as_ref();
        let mut stream = file::open(path)?;
        file::read_up_to(&mut *stream, u64::MAX)
            .and_then(|bytes| split(&bytes, classes, &mut pixels, &mut labels))
            .map_err(|error| error.in_file(path))?;
    }
    Images::new(pixels, SHAPE, labels, classes)
}

/// Parses the plain bytes of one file; labels must be below `classes`.
///
/// # Errors
/// A length that is not a multiple of 3073, or a label out of range.
pub fn parse(bytes: &[u8], classes: usize) -> Result<Images, Error> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    split(bytes, classes, &mut pixels, &mut labels)?;
    Images::new(pixels, SHAPE, labels, classes)
}

fn split(
    bytes: &[u8],
    classes: usize,
    pixels: &mut Vec<u8>,
    labels: &mut Vec<u8>,
) -> Result<(), Error> {
    let (records, rest) = bytes.as_chunks::<RECORD_BYTES>();
    if !rest.is_empty() {
        let place = format!("byte {}", records.len() * RECORD_BYTES);
        let expected = format!("a record of {RECORD_BYTES} bytes");
        return Err(Error::mismatch(place, expected, format!("{} bytes", rest.len())));
    }
    for (index, [label, image @ ..]) in records.iter().enumerate() {
        crate::images::check_labels(&[*label], classes).map_err(|error| error.at_sample(index))?;
        labels.push(*label);
        pixels.extend(image);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;

    #[test]
    fn records_become_images() {
        let mut bytes = vec![7u8];
        bytes.extend((0..IMAGE_BYTES).map(|at| (at / 1024) as u8));
        bytes.push(2);
        bytes.extend([255; IMAGE_BYTES]);
        let images = parse(&bytes, 10).unwrap();
        assert_eq!(images.labels(), [7, 2]);
        let (first, _) = images.get(0).unwrap();
        assert_eq!(first.shape(), [3, 32, 32]);
        assert_eq!(first.to_vec()[1024], 1.0 / 255.0);
    }

    #[test]
    fn bad_records_are_named() {
        let error = parse(&[0; 2 * RECORD_BYTES + 5], 10).err().unwrap();
        assert_eq!(error.to_string(), "byte 6146: expected a record of 3073 bytes, found 5 bytes");
        let mut bytes = [0; 2 * RECORD_BYTES];
        bytes[RECORD_BYTES] = 10;
        let error = parse(&bytes, 10).err().unwrap();
        assert_eq!(error.to_string(), "sample 1: label: expected a label below 10, found 10");
    }
}
