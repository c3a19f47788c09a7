//! What a user can get wrong: one line that names file, place, expected and found; an exit code
//! that is not zero; and nothing half-written.

mod example;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use backstitch::data::{CsvOptions, Table};
use backstitch::train::Checkpoint;

/// An IDX file: element type, sizes, bytes.
fn idx(kind: u8, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let sizes_be = sizes.iter().flat_map(|size| size.to_be_bytes());
    [0, 0, kind, sizes.len() as u8].into_iter().chain(sizes_be).chain(bytes.to_vec()).collect()
}

/// A folder of 40 training and 10 test images of `side` by `side` pixels that is as it should be.
fn data(folder: &Path, side: u32) {
    for (part, count) in [("train", 40), ("t10k", 10)] {
        let bytes = |count: u32| (0..count).map(|i| (i * 37 % 251) as u8).collect::<Vec<_>>();
        let labels: Vec<u8> = (0..count).map(|i| (i % 10) as u8).collect();
        let images = idx(8, &[count, side, side], &bytes(count * side * side));
        std::fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        let labels = idx(8, &[count], &labels);
        std::fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// Folders of data and of results.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(place.data()).unwrap();
        data(&place.data(), 4);
        place
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn run(&self, more: &[&str]) -> Output {
        let mut command = Command::new(example::path("fashion_mnist"));
        command.arg("--data").arg(self.data()).arg("--out").arg(self.out());
        if !more.contains(&"--epochs") {
            command.args(["--epochs", "1"]);
        }
        command.args(more).env("RUST_BACKTRACE", "1").output().unwrap()
    }

    /// Every file of the results, with what is in it.
    fn results(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = std::fs::read_dir(self.out()).into_iter().flatten();
        let read = |path: PathBuf| (path.clone(), std::fs::read(path).unwrap());
        files.map(|file| read(file.unwrap().path())).collect()
    }
}

/// Something wrong.
struct Case {
    /// How it is brought about, in a place that is as it should be.
    spoil: fn(&Place),
    /// Further arguments.
    more: &'static [&'static str],
    /// The exit code: 2 for what is wrong with the command line itself, else 1.
    code: i32,
    /// What the line must say, from left to right.
    says: &'static [&'static str],
}

/// Changes a file of the data.
fn change(place: &Place, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = place.data().join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "t10k-labels-idx1-ubyte";

const CASES: &[Case] = &[
    Case {
        spoil: |place| change(place, IMAGES, |bytes| bytes[2] = 0x0a),
        more: &[],
        code: 1,
        says: &[IMAGES, "byte 0", "expected IDX magic", "found 0x00000a03"],
    },
    Case {
        spoil: |place| change(place, IMAGES, |bytes| bytes.truncate(16 + 635)),
        more: &[],
        code: 1,
        says: &[IMAGES, "byte 16", "expected 640 bytes", "found 635"],
    },
    Case {
        spoil: |place| change(place, IMAGES, |bytes| bytes.push(0)),
        more: &[],
        code: 1,
        says: &[IMAGES, "byte 656", "expected the end", "found more"],
    },
    Case {
        spoil: |place| change(place, LABELS, |bytes| bytes[8 + 7] = 10),
        more: &[],
        code: 1,
        says: &[LABELS, "7", "expected", "found 10"],
    },
    Case {
        spoil: |place| change(place, LABELS, |bytes| *bytes = idx(8, &[9], &[1; 9])),
        more: &[],
        code: 1,
        says: &[LABELS, "count", "expected 10 labels", "t10k-images", "found 9"],
    },
    Case {
        spoil: |place| {
            let pixels: Vec<u8> = [f32::NAN; 160].into_iter().flat_map(f32::to_be_bytes).collect();
            change(place, "t10k-images-idx3-ubyte", |bytes| *bytes = idx(13, &[10, 4, 4], &pixels));
        },
        more: &[],
        code: 1,
        says: &["t10k-images-idx3-ubyte", "header", "expected images: u8", "found f32"],
    },
    Case {
        spoil: |place| std::fs::remove_file(place.data().join(LABELS)).unwrap(),
        more: &[],
        code: 1,
        says: &["data", "folder", "expected one file", LABELS, "found"],
    },
    Case {
        spoil: |place| {
            change(place, "t10k-images-idx3-ubyte", |bytes| *bytes = idx(8, &[0, 4, 4], &[]));
            change(place, LABELS, |bytes| *bytes = idx(8, &[0], &[]));
        },
        more: &[],
        code: 1,
        says: &["t10k-images-idx3-ubyte", "expected images of one pixel", "found 0 of shape"],
    },
    Case {
        spoil: |place| {
            for (part, count) in [("train", 40), ("t10k", 10)] {
                let name = format!("{part}-images-idx3-ubyte");
                change(place, &name, |bytes| *bytes = idx(8, &[count, 0, 4], &[]));
            }
        },
        more: &[],
        code: 1,
        says: &[IMAGES, "expected images of one pixel", "found 40 of shape [1, 0, 4]"],
    },
    Case {
        spoil: |_| {},
        more: &["--epochs", "0"],
        code: 1,
        says: &["--epochs", "expected 1 to 1000000", "found 0"],
    },
    Case {
        spoil: |_| {},
        more: &["--threads", "99999999"],
        code: 1,
        says: &["--threads", "expected at most 1024", "found 99999999"],
    },
    Case {
        spoil: |_| {},
        more: &["--lr", "nan"],
        code: 1,
        says: &["--lr", "expected a finite number", "found NaN"],
    },
    Case {
        spoil: |_| {},
        more: &["--seed", "-1"],
        code: 2,
        says: &["invalid value '-1'", "--seed"],
    },
    Case {
        spoil: |_| {},
        more: &["--batch-size", "many"],
        code: 2,
        says: &["invalid value 'many'", "--batch-size", "invalid digit"],
    },
    Case {
        spoil: |_| {},
        more: &["--batch-size", "0"],
        code: 1,
        says: &["batch size", "at least 1", "found 0"],
    },
    Case {
        // A file is where the folder should be.
        spoil: |place| std::fs::write(place.out(), "").unwrap(),
        more: &[],
        code: 1,
        says: &["out: folder", "expected one that is there or can be made", "found File exists"],
    },
    Case {
        spoil: |place| {
            assert!(place.run(&[]).status.success());
            data(&place.data(), 5);
        },
        more: &["--resume"],
        code: 1,
        says: &[
            "checkpoint.safetensors",
            "model",
            "expected",
            "fc1.weight",
            "[512, 16]",
            "[512, 25]",
        ],
    },
    Case {
        spoil: |place| {
            let path = place.out().join("checkpoint.safetensors");
            Checkpoint::new("fashion_mnist 0").save(path).unwrap();
        },
        more: &["--resume"],
        code: 1,
        says: &[
            "checkpoint.safetensors",
            "expected",
            "fashion_mnist 1",
            "found",
            "fashion_mnist 0",
        ],
    },
    Case {
        spoil: |place| {
            assert!(place.run(&[]).status.success());
            let path = place.out().join("checkpoint.safetensors");
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        },
        more: &["--resume"],
        code: 1,
        says: &["checkpoint.safetensors", "safetensors", "expected a whole file", "found"],
    },
    Case {
        spoil: |_| {},
        more: &["--batches", "3"],
        code: 2,
        says: &["unexpected argument '--batches'"],
    },
];

#[test]
fn each_mistake_has_one_line_and_leaves_nothing_half_written() {
    for Case { spoil, more, code, says } in CASES {
        let place = Place::new();
        spoil(&place);
        let before = place.results();
        let output = place.run(more);
        let (said, printed) =
            (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        assert_eq!(output.status.code(), Some(*code), "{says:?}: {said}{printed}");
        assert_eq!(said.trim_end().lines().count(), 1, "{says:?}: {said}");
        let mut rest = &*said;
        for part in *says {
            let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is missing in {said}"));
            rest = &rest[at + part.len()..];
        }
        assert!(place.results() == before, "{says:?}: the results changed");
    }
}

#[test]
fn nothing_is_wrong_with_what_the_cases_start_from() {
    let place = Place::new();
    let output = place.run(&[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(place.out().join("weights.safetensors").exists());
}

/// The examples on colour pictures: as far as reading goes, they share all with each other.
#[test]
fn broken_colour_pictures_have_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let says = |parts: &[&str]| {
        let mut command = Command::new(example::path("resnet"));
        command.arg("--data").arg(folder.path()).arg("--out").arg(folder.path().join("out"));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{said}: needs {parts:?}");
        assert!(!folder.path().join("out").exists());
    };
    says(&["folder", "expected one file named like `train.bin`", "found only none"]);
    std::fs::write(folder.path().join("train.bin"), [3; 3073]).unwrap();
    says(&["expected one file named like `test_batch.bin`", "found only `train.bin`"]);
    std::fs::write(folder.path().join("test_batch.bin"), [10; 3073]).unwrap();
    says(&["test_batch.bin", "sample 0: label: expected a label below 10, found 10"]);
    std::fs::write(folder.path().join("test_batch.bin"), [1; 3000]).unwrap();
    says(&["test_batch.bin", "byte 0: expected a record of 3073 bytes, found 3000 bytes"]);
}

#[test]
fn tables_name_the_line_and_the_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("houses.csv");
    for (text, message) in [
        ("area,price\n100,200\n90\n", "line 3: expected 2 fields as in the first line, found 1"),
        ("area\n100\n", "columns: expected a column `price`, found `area`"),
        (
            "area,price\n100,200\n90,cheap\n",
            "line 3, column `price`: expected a finite number, found `cheap`",
        ),
        (
            "area,price\n100,200\n90,NaN\n",
            "line 3, column `price`: expected a finite number, found `NaN`",
        ),
        (
            "area,price\n100,200\n90,inf\n",
            "line 3, column `price`: expected a finite number, found `inf`",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let read = Table::read(&path, &CsvOptions::default());
        let error = read.and_then(|table| table.target("price")).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: {message}", path.display()));
    }
}
