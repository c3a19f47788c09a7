//! Folders in CIFAR's format: the embedded pictures, names, what may be wrong, and a short fuzz run.

mod common;

use std::path::Path;

use backstitch_data::{Dataset, Images, cifar};

/// Bytes of an image and its label.
const RECORD: usize = 3073;

/// `count` records whose label and pixels are their number.
fn records(count: u8) -> Vec<u8> {
    (0..count).flat_map(|i| [i; RECORD]).collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).unwrap();
}

/// CIFAR-10 as it is distributed, with two images a file.
fn original(folder: &Path) {
    for batch in 1..=5 {
        write(folder, &format!("data_batch_{batch}.bin"), &[[batch; RECORD], [0; RECORD]].concat());
    }
    write(folder, "test_batch.bin", &records(3));
}

/// What reading the folder says is wrong, without the folder's own name.
fn fault(change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    original(folder.path());
    change(folder.path());
    let error = cifar::read_folder(folder.path()).err().unwrap().to_string();
    assert!(!error.contains('\n'), "{error}");
    error.replace(&folder.path().display().to_string(), "DIR")
}

#[test]
fn the_embedded_pictures_load() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/emoji32");
    let data = cifar::read_folder(folder).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.classes.len()), (1589, 317, 9));
    let count = |images: &Images, class| images.labels().iter().filter(|&&y| y == class).count();
    let counts: Vec<usize> = (0..9).map(|class| count(&data.test, class)).collect();
    assert_eq!(counts, [12, 26, 45, 22, 45, 67, 26, 37, 37]);
    assert_eq!(count(&data.train, 5), 319);
    // A face on white: the corner is white, the middle is not.
    let (first, label) = data.train.get(0).unwrap();
    assert_eq!((first.at(&[2, 0, 0]), data.classes[label as usize].as_str()), (1.0, "Symbols"));
    assert_ne!(first.at(&[2, 16, 16]), 1.0);
}

#[test]
fn the_original_files_are_read_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    original(folder.path());
    let data = cifar::read_folder(folder.path()).unwrap();
    assert_eq!(data.train.labels(), [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]);
    assert_eq!(data.test.labels(), [0, 1, 2]);
    assert_eq!((data.classes.len(), data.classes[9].as_str()), (10, "truck"));
    assert_eq!(data.train.pixels()[4 * 3072], 3);
    // Names of classes, where there are any.
    write(folder.path(), "batches.meta.txt", b"zero\none\ntwo\n3\n4\n5\n\n");
    let classes = cifar::read_folder(folder.path()).unwrap().classes;
    assert_eq!(classes, ["zero", "one", "two", "3", "4", "5"]);
    // One file for each part, and a gzipped copy that is not looked at.
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "train-4.bin", &records(4));
    write(folder.path(), "train-4.bin.gz", b"not gzipped");
    write(folder.path(), "test-2.bin", &records(2));
    let data = cifar::read_folder(folder.path()).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (4, 2));
}

#[test]
fn faults_name_the_file() {
    let remove = |folder: &Path, name: &str| std::fs::remove_file(folder.join(name)).unwrap();
    let says = |error: String, parts: &[&str]| {
        assert!(parts.iter().all(|part| error.contains(part)), "{error}: needs {parts:?}");
    };
    says(
        fault(|folder| remove(folder, "data_batch_3.bin")),
        &["DIR: folder: expected one file named like `data_batch_3.bin`, found only `data_batch_1"],
    );
    says(fault(|folder| remove(folder, "test_batch.bin")), &["`test_batch.bin`, found only"]);
    says(
        fault(|folder| write(folder, "test_more.bin", &[])),
        &["found `test_batch.bin`, `test_more.bin`"],
    );
    says(
        fault(|folder| write(folder, "data_batch_2.bin", &[0; RECORD + 7])),
        &["DIR/data_batch_2.bin: byte 3073: expected a record of 3073 bytes, found 7 bytes"],
    );
    says(
        fault(|folder| write(folder, "test_batch.bin", &records(12))),
        &["DIR/test_batch.bin: sample 10: label: expected a label below 10, found 10"],
    );
    says(
        fault(|folder| write(folder, "test_batch.bin", &[])),
        &["DIR/test_batch.bin: content: expected images of one pixel", "found 0 of shape"],
    );
    says(
        fault(|folder| write(folder, "classes.txt", b"\n")),
        &["DIR/classes.txt: content: expected 1 to 256 names of classes, one a line, found 0"],
    );
    says(
        fault(|folder| write(folder, "data_batch_1.bin", &[0x1f, 0x8b, 1, 2])),
        &["DIR/data_batch_1.bin: content: expected a readable stream, found"],
    );
    let missing = cifar::read_folder("/no/such/folder").err().unwrap().to_string();
    assert!(missing.starts_with("/no/such/folder: "), "{missing}");
}

/// The stable twin of the fuzz target: what parses is every byte that there was.
#[test]
fn mutated_files_are_refused_or_whole() {
    let mut whole = 0;
    for bytes in common::mutations(&[records(3), records(1), vec![]], 3000) {
        let Ok(images) = cifar::parse(&bytes, 10) else { continue };
        let records = images.labels().iter().zip(images.pixels().chunks_exact(RECORD - 1));
        let again: Vec<u8> =
            records.flat_map(|(&label, pixels)| [&[label], pixels].concat()).collect();
        assert_eq!(again, bytes);
        whole += 1;
    }
    assert!(whole > 100 && whole < 2900, "{whole} of 3000: too few of one kind");
}
