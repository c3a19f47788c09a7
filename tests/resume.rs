//! A run that is killed goes on from its checkpoint and ends with the same bits.

mod example;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backstitch::Rng;

/// An example with two epochs to do.
struct Program<'a> {
    name: &'a str,
    args: &'a [&'a str],
}

const FASHION: Program<'_> =
    Program { name: "fashion_mnist", args: &["--batch-size", "500", "--save-every", "3"] };

impl Program<'_> {
    fn start(&self, out: &Path, more: &[&str]) -> Child {
        Command::new(example::path(self.name))
            .args(["--epochs", "2", "--out"])
            .arg(out)
            .args(self.args)
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .expect("the example starts")
    }

    fn finish(&self, out: &Path, more: &[&str]) {
        let status = self.start(out, more).wait().expect("the example ends");
        assert!(status.success(), "{status}");
    }

    /// Runs it whole, then some times with interruptions, and compares.
    fn check(&self, rounds: usize) {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole");
        let start = Instant::now();
        self.finish(&whole, &["--threads", "2"]);
        let whole_ms = start.elapsed().as_millis() as u64;
        let want = results(&whole);
        assert!(want.1.lines().count() == 3, "a header and two epochs: {}", want.1);

        let (mut rng, mut killed) = (Rng::seed(11), 0);
        for round in 0..rounds {
            let out = folder.path().join(format!("killed-{round}"));
            for attempt in 0..3 {
                let mut child = self.start(&out, &["--resume", "--threads", "1"]);
                match attempt {
                    // Once it has saved for the first time, with most of the run to come.
                    0 => wait_for(&out.join("checkpoint.safetensors"), &mut child),
                    _ => std::thread::sleep(Duration::from_millis(rng.next_u64() % whole_ms)),
                }
                child.kill().expect("the process can be killed, also when it has ended");
                killed += u32::from(!child.wait().unwrap().success());
            }
            // What a kill in the middle of a save leaves, which random moments seldom are.
            std::fs::create_dir_all(&out).unwrap();
            std::fs::write(out.join("history.csv.123456789.tmp"), b"half").unwrap();
            self.finish(&out, &["--resume", "--threads", "2"]);
            assert!(results(&out) == want, "round {round}: other bits than uninterrupted");
            assert_eq!(names(&out), names(&whole), "round {round}: nothing unfinished is left");
        }
        println!("{}: killed {killed} times within {whole_ms} ms", self.name);
    }
}

/// Returns when the file is there, or the process has ended without it.
fn wait_for(file: &Path, child: &mut Child) {
    while !file.exists() && child.try_wait().expect("its state is known").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn results(out: &Path) -> (Vec<u8>, String) {
    let weights = std::fs::read(out.join("weights.safetensors")).expect("the weights are there");
    let history = std::fs::read_to_string(out.join("history.csv")).expect("the history is there");
    (weights, history)
}

/// The names of all files in a folder.
fn names(folder: &Path) -> BTreeSet<OsString> {
    let files = std::fs::read_dir(folder).expect("the folder is there");
    files.map(|file| file.unwrap().file_name()).collect()
}

#[test]
fn killed_at_any_moment_it_ends_with_the_same_bits() {
    FASHION.check(3);
}

/// Convolutions, running statistics, augmentation by a worker; on a few made-up pictures.
#[test]
fn convolutional_networks_end_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let picture = |i: usize| {
        let pixels = (0..3072).map(move |at| (at * (i % 9 + 1) + i) as u8);
        [(i % 9) as u8].into_iter().chain(pixels)
    };
    for (name, count) in [("train.bin", 60), ("test.bin", 9)] {
        let bytes: Vec<u8> = (0..count).flat_map(picture).collect();
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let data = folder.path().to_str().expect("the path is Unicode");
    for name in ["resnet", "vgg"] {
        let args = ["--data", data, "--batch-size", "10", "--save-every", "1"];
        Program { name, args: &args }.check(1);
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    FASHION.finish(folder.path(), &[]);
    let output = Command::new(example::path(FASHION.name))
        .args(["--resume", "--seed", "1", "--out"])
        .arg(folder.path())
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    let line = message.lines().next().unwrap_or_default();
    assert!(
        line.contains("checkpoint.safetensors")
            && line.contains("seed 1")
            && line.contains("seed 0"),
        "{message}"
    );
}
