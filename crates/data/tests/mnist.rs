//! MNIST-shaped folders: the embedded images, names, and what may be wrong with a folder.

use std::path::{Path, PathBuf};

use backstitch_data::idx::{self, Idx, IdxData};
use backstitch_data::{Dataset, Loader, Rng, mnist};
use tempfile::TempDir;

fn embedded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/fashion-mnist")
}

fn write(path: &Path, shape: &[usize], bytes: Vec<u8>) {
    idx::write(path, &Idx::new(shape, IdxData::U8(bytes)).unwrap()).unwrap();
}

/// A folder of 5 + 2 tiny images under the given names: training images, training labels, test
/// images, test labels.
fn folder(names: [&str; 4]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |at: usize| folder.path().join(names[at]);
    write(&path(0), &[5, 2, 3], (0..30).collect());
    write(&path(1), &[5], vec![0, 1, 2, 3, 9]);
    write(&path(2), &[2, 2, 3], (0..12).collect());
    write(&path(3), &[2], vec![4, 5]);
    folder
}

const USUAL: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// What reading the folder says is wrong, without the folder's own name.
fn fault(folder: &TempDir) -> String {
    let error = mnist::read(folder.path(), 10).err().unwrap().to_string();
    assert!(!error.contains('\n'), "{error}");
    error.replace(&folder.path().display().to_string(), "DIR")
}

/// Row 1.2 of the course, on the images that are here.
#[test]
fn the_embedded_images_are_rows_of_784_in_0_to_1() {
    let data = mnist::read(embedded(), 10).unwrap();
    assert_eq!(data.train.labels()[..10], [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]);
    assert_eq!(data.test.labels()[..10], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]);
    let (x, y) = data.train.flat().all().unwrap();
    assert_eq!((x.shape(), y.shape()), (&[6000, 784][..], &[6000][..]));
    let x = x.to_vec();
    assert!(x.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    assert!(x.contains(&0.0) && x.contains(&1.0));
    // The mean and standard deviation of Fashion-MNIST, commonly given as 0.2860 and 0.3530.
    let (mean, std) = data.train.channel_stats();
    assert!((mean[0] - 0.286).abs() < 0.003 && (std[0] - 0.353).abs() < 0.002, "{mean:?} {std:?}");
    let (x, _) = data.test.batch(&[0, 999]).unwrap();
    assert_eq!(x.shape(), [2, 1, 28, 28]);
}

#[test]
fn usual_dotted_gzipped_and_numbered_names_are_found() {
    let dotted = [
        "train-images.idx3-ubyte",
        "train-labels.idx1-ubyte",
        "t10k-images.idx3-ubyte",
        "t10k-labels.idx1-ubyte",
    ];
    let numbered = [
        "train-5-images-idx3-ubyte.gz",
        "train-5-labels-idx1-ubyte.gz",
        "test-2-images-idx3-ubyte.gz",
        "test-2-labels-idx1-ubyte.gz",
    ];
    let emnist = [
        "train_images_idx3_ubyte",
        "train_labels_idx1_ubyte",
        "test_images_idx3_ubyte.gz",
        "test_labels_idx1_ubyte",
    ];
    for names in [USUAL, dotted, numbered, emnist] {
        let data = mnist::read(folder(names).path(), 10).unwrap();
        assert_eq!((data.train.labels(), data.test.labels()), (&[0, 1, 2, 3, 9][..], &[4, 5][..]));
        assert_eq!(data.train.image_shape(), [1, 2, 3]);
    }
}

#[test]
fn the_plainest_name_wins_and_ties_are_refused() {
    let dir = folder(USUAL);
    write(&dir.path().join("train-1-images-idx3-ubyte"), &[1, 2, 3], vec![0; 6]);
    write(&dir.path().join("train-images-idx3-ubyte.gz"), &[1, 2, 3], vec![0; 6]);
    assert_eq!(mnist::read(dir.path(), 10).unwrap().train.len(), 5);
    write(&dir.path().join("train-images.idx3-ubyte"), &[1, 2, 3], vec![0; 6]);
    assert_eq!(
        fault(&dir),
        "DIR: folder: expected one file named like `train-images-idx3-ubyte`, found `train-images-idx3-ubyte`, `train-images.idx3-ubyte`"
    );
}

#[test]
fn missing_files_are_named() {
    let dir = folder(USUAL);
    std::fs::remove_file(dir.path().join(USUAL[3])).unwrap();
    assert_eq!(
        fault(&dir),
        "DIR: folder: expected one file named like `t10k-labels-idx1-ubyte`, found only `t10k-images-idx3-ubyte`, `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`"
    );
    let error = mnist::read("/no/such/folder", 10).err().unwrap().to_string();
    assert!(error.starts_with("/no/such/folder: "), "{error}");
}

#[test]
fn faults_in_files_are_named() {
    let dir = folder(USUAL);
    let path = |at: usize| dir.path().join(USUAL[at]);
    write(&path(1), &[5], vec![0, 1, 2, 10, 9]);
    assert_eq!(
        fault(&dir),
        "DIR/train-labels-idx1-ubyte: sample 3: label: expected a label below 10, found 10"
    );
    write(&path(1), &[4], vec![0; 4]);
    assert_eq!(
        fault(&dir),
        "DIR/train-labels-idx1-ubyte: count: expected 5 labels, one for each image of DIR/train-images-idx3-ubyte, found 4"
    );
    write(&path(1), &[5, 1], vec![0; 5]);
    assert_eq!(
        fault(&dir),
        "DIR/train-labels-idx1-ubyte: header: expected labels: u8 with 1 axes, found u8 of shape [5, 1]"
    );
    idx::write(path(0), &Idx::new(&[5, 1, 1], IdxData::F32(vec![0.0; 5])).unwrap()).unwrap();
    assert_eq!(
        fault(&dir),
        "DIR/train-images-idx3-ubyte: header: expected images: u8 with 3 axes, found f32 of shape [5, 1, 1]"
    );
    std::fs::write(path(0), b"GIF89a").unwrap();
    assert!(fault(&dir).starts_with("DIR/train-images-idx3-ubyte: byte 0: expected IDX magic"));
    let dir = folder(USUAL);
    write(&dir.path().join(USUAL[2]), &[2, 3, 2], vec![0; 12]);
    assert_eq!(
        fault(&dir),
        "DIR: image shape: expected test images of shape [1, 2, 3] as in training, found [1, 3, 2]"
    );
}

#[test]
fn a_stratified_part_of_the_images_loads() {
    let images = mnist::read(embedded(), 10).unwrap().train;
    let parts =
        backstitch_data::split::stratified(images.labels(), 0.1, &mut Rng::seed(1)).unwrap();
    assert_eq!(parts.test.len(), 600);
    let loader =
        Loader::new(images.flat().subset(parts.train), 64).unwrap().drop_last(true).workers(2);
    let mut counts = [0; 10];
    for batch in loader.epoch(&mut Rng::seed(2)) {
        let (x, labels) = batch.unwrap();
        assert_eq!(x.shape(), [64, 784]);
        labels.to_vec().into_iter().for_each(|label| counts[label as usize] += 1);
    }
    assert_eq!(counts.iter().sum::<usize>(), 5400 / 64 * 64);
}
