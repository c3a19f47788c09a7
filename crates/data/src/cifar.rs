//! CIFAR's binary format: per image one label byte, then 32 x 32 bytes each of red, green, blue.

use std::path::{Path, PathBuf};

use crate::error::listed;
use crate::{Error, Images, file};

/// The shape of one image: C, H, W.
const SHAPE: [usize; 3] = [3, 32, 32];
const IMAGE_BYTES: usize = 3 * 32 * 32;
const RECORD_BYTES: usize = 1 + IMAGE_BYTES;

/// The classes of CIFAR-10, for folders that do not name their own.
pub const CIFAR10: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The two parts of a dataset in CIFAR's format, and the names of its classes.
#[derive(Clone)]
pub struct Cifar {
    /// The images to train on.
    pub train: Images,
    /// The images to test on.
    pub test: Images,
    /// What the labels mean.
    pub classes: Vec<String>,
}

/// Reads a folder: CIFAR-10 as it is distributed (`data_batch_1.bin` to `data_batch_5.bin` and
/// `test_batch.bin`), or one file whose name begins with `train` and one with `test`; all end in
/// `.bin` or `.bin.gz`, and of both the plain one is taken. The names of the classes stand in
/// `batches.meta.txt` or `classes.txt`, one a line; without either they are [`CIFAR10`].
///
/// # Errors
/// A file that is missing, ambiguous, empty or broken; labels that are no class.
///
/// # Examples
/// ```
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/emoji32");
/// use backstitch_data::{Dataset, cifar};
/// let data = cifar::read_folder(folder)?;
/// assert_eq!((data.train.len(), data.test.len()), (1589, 317));
/// assert_eq!(data.classes[3], "Food & Drink");
/// # Ok::<(), backstitch_data::Error>(())
/// ```
pub fn read_folder(folder: impl AsRef<Path>) -> Result<Cifar, Error> {
    let folder = folder.as_ref();
    let files = file::names(folder)?;
    let classes = class_names(folder, &files)?;
    let part = |paths: &[PathBuf]| {
        let images = read(paths, classes.len())?;
        images.check_not_empty().map_err(|error| error.in_file(&paths[0]))?;
        Ok(images)
    };
    let train = part(&training_files(folder, &files)?)?;
    let test = part(&[only(folder, &files, "test", "test_batch.bin")?])?;
    Ok(Cifar { train, test, classes })
}

/// The five files of CIFAR-10, or the one that begins with `train`.
fn training_files(folder: &Path, files: &[String]) -> Result<Vec<PathBuf>, Error> {
    if !files.iter().any(|name| name.starts_with("data_batch")) {
        return Ok(vec![only(folder, files, "train", "train.bin")?]);
    }
    let batch = |number| {
        let name = format!("data_batch_{number}.bin");
        only(folder, files, &name, &name)
    };
    (1..=5).map(batch).collect()
}

/// The only file whose name begins with `start` and ends in `.bin` or `.bin.gz`.
fn only(folder: &Path, files: &[String], start: &str, usual: &str) -> Result<PathBuf, Error> {
    let mut fits: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(|name| name.starts_with(start) && stem(name).is_some())
        .collect();
    // A plain file and a gzipped one of the same name are one; sorted, the plain one is first.
    fits.dedup_by_key(|name| stem(name));
    let found = match fits[..] {
        [name] => return Ok(folder.join(name)),
        [] => format!("only {}", listed(files.iter().map(String::as_str))),
        _ => listed(fits.into_iter()),
    };
    let wanted = format!("one file named like `{usual}`");
    Err(Error::mismatch("folder", wanted, found).in_file(folder))
}

/// A file's name without `.bin` or `.bin.gz`.
fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".gz").unwrap_or(name).strip_suffix(".bin")
}

/// The lines of the file of names that is there.
fn class_names(folder: &Path, files: &[String]) -> Result<Vec<String>, Error> {
    let is_there = |name: &&&str| files.iter().any(|file| file == **name);
    let Some(name) = ["batches.meta.txt", "classes.txt"].iter().find(is_there) else {
        return Ok(CIFAR10.map(String::from).to_vec());
    };
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).map_err(|cause| Error::unreadable(&path, cause))?;
    let names: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
    match names.len() {
        1..=256 => Ok(names),
        count => {
            let expected = "1 to 256 names of classes, one a line";
            Err(Error::mismatch("content", expected, count.to_string()).in_file(path))
        }
    }
}

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
