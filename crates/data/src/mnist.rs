//! MNIST-shaped folders: MNIST, Fashion-MNIST, KMNIST, EMNIST and others that use its four files.

use std::path::{Path, PathBuf};

use crate::error::listed;
use crate::idx::{self, IdxData};
use crate::{Error, Images, file};

/// The two parts of an MNIST-shaped dataset.
#[derive(Clone)]
pub struct Mnist {
    /// The images to train on.
    pub train: Images,
    /// The images to test on.
    pub test: Images,
}

/// Reads the four files of a folder; labels must be below `classes`.
///
/// Files are found by their names: the part (`train`; `t10k` or `test`), anything, `images` or
/// `labels`, anything, then `idx3-ubyte` or `idx1-ubyte`, the pieces separated by `-`, `.` or `_`,
/// with or without `.gz` at the end. So `train-images-idx3-ubyte`, `train-images.idx3-ubyte` and
/// `train-6000-images-idx3-ubyte.gz` are all training images. If several fit, the name with the
/// fewest pieces is taken, plain before gzipped.
///
/// # Errors
/// A file that is missing, ambiguous, empty or broken; numbers of images and labels that differ;
/// labels out of range; training and test images of different shapes.
///
/// # Examples
/// ```
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/fashion-mnist");
/// use backstitch_data::{Dataset, mnist};
/// let data = mnist::read(folder, 10)?;
/// assert_eq!((data.train.len(), data.test.len()), (6000, 1000));
/// let (x, labels) = data.train.flat().all()?;
/// assert_eq!((x.shape(), labels.shape()), (&[6000, 784][..], &[6000][..]));
/// # Ok::<(), backstitch_data::Error>(())
/// ```
pub fn read(folder: impl AsRef<Path>, classes: usize) -> Result<Mnist, Error> {
    let folder = folder.as_ref();
    let files = file::names(folder)?;
    let part = |names: &[&str], shown: &str| {
        let images = find(folder, &files, names, "images", shown)?;
        let labels = find(folder, &files, names, "labels", shown)?;
        let part = read_pair(&images, labels, classes)?;
        part.check_not_empty().map_err(|error| error.in_file(images))?;
        Ok(part)
    };
    let train = part(&["train"], "train")?;
    let test = part(&["t10k", "test"], "t10k")?;
    if train.image_shape() != test.image_shape() {
        let expected = format!("test images of shape {:?} as in training", train.image_shape());
        let found = format!("{:?}", test.image_shape());
        return Err(Error::mismatch("image shape", expected, found).in_file(folder));
    }
    Ok(Mnist { train, test })
}

/// Reads an IDX file of images and the IDX file of their labels.
///
/// # Errors
/// As [`read`], for one part.
pub fn read_pair(
    images: impl AsRef<Path>,
    labels: impl AsRef<Path>,
    classes: usize,
) -> Result<Images, Error> {
    let (images, labels) = (images.as_ref(), labels.as_ref());
    let (image_shape, pixels) = read_bytes(images, 3, "images")?;
    let (label_shape, classes_found) = read_bytes(labels, 1, "labels")?;
    if image_shape[0] != label_shape[0] {
        let expected =
            format!("{} labels, one for each image of {}", image_shape[0], images.display());
        let found = label_shape[0].to_string();
        return Err(Error::mismatch("count", expected, found).in_file(labels));
    }
    let shape = [1, image_shape[1], image_shape[2]];
    Images::new(pixels, shape, classes_found, classes).map_err(|error| error.in_file(labels))
}

fn read_bytes(path: &Path, rank: usize, what: &str) -> Result<(Vec<usize>, Vec<u8>), Error> {
    let content = idx::read(path)?;
    let shape = content.shape().to_vec();
    match content.into_data() {
        IdxData::U8(bytes) if shape.len() == rank => Ok((shape, bytes)),
        other => {
            let found = format!("{} of shape {shape:?}", other.type_name());
            Err(Error::mismatch("header", format!("{what}: u8 with {rank} axes"), found)
                .in_file(path))
        }
    }
}

fn find(
    folder: &Path,
    files: &[String],
    parts: &[&str],
    kind: &str,
    shown: &str,
) -> Result<PathBuf, Error> {
    let mut fits: Vec<((usize, bool), &str)> =
        files.iter().filter_map(|name| Some((fit(name, parts, kind)?, name.as_str()))).collect();
    fits.sort_unstable();
    let wanted = format!("one file named like `{}`", usual_name(shown, kind));
    let found = match fits[..] {
        [] => format!("only {}", listed(files.iter().map(String::as_str))),
        [(first, a), (second, b), ..] if first == second => listed([a, b].into_iter()),
        [(_, name), ..] => return Ok(folder.join(name)),
    };
    Err(Error::mismatch("folder", wanted, found).in_file(folder))
}

fn usual_name(part: &str, kind: &str) -> String {
    let rank = if kind == "images" { 3 } else { 1 };
    format!("{part}-{kind}-idx{rank}-ubyte")
}

/// Whether a file's name is that of a part and kind, and if so how far it is from the usual name:
/// the number of pieces, and whether it is gzipped.
fn fit(name: &str, parts: &[&str], kind: &str) -> Option<(usize, bool)> {
    let plain = name.strip_suffix(".gz");
    let pieces: Vec<&str> = plain.unwrap_or(name).split(['-', '.', '_']).collect();
    let suffix = if kind == "images" { ["idx3", "ubyte"] } else { ["idx1", "ubyte"] };
    let fits = parts.contains(&pieces[0]) && pieces.contains(&kind) && pieces.ends_with(&suffix);
    fits.then_some((pieces.len(), plain.is_some()))
}
