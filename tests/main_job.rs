//! The main job as a whole: what accuracy it reaches, what it leaves, what memory it takes.

mod example;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use backstitch::train::weights;

/// The most memory that the main job may take, in KiB.
const MEMORY_KIB_MAX: usize = 200 * 1000 * 1000 / 1024;

/// Runs the example as it comes, but for seed and folder: the lines that it prints, and the most
/// memory that it held by then, where the system says so.
fn run(seed: &str, out: &Path) -> (Vec<String>, Option<usize>) {
    let mut child = Command::new(example::path("fashion_mnist"))
        .args(["--seed", seed, "--out"])
        .arg(out)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let status = format!("/proc/{}/status", child.id());
    let (mut lines, mut memory_kib) = (Vec::new(), None);
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        lines.push(line.expect("the example prints text"));
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let words = peak.and_then(|peak| peak.split_whitespace().next());
        memory_kib = words.map(|words| words.parse().expect("a number of KiB")).or(memory_kib);
    }
    assert!(child.wait().expect("the example ends").success());
    (lines, memory_kib)
}

/// The word behind a label in a line.
fn number(line: &str, label: &str) -> f64 {
    let rest = line.split(label).nth(1).unwrap_or_else(|| panic!("{label:?} is not in {line:?}"));
    rest.split_whitespace().next().expect("a word follows").parse().expect("it is a number")
}

#[test]
fn the_main_job_reaches_its_accuracy_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut sum = 0.0;
    for seed in ["0", "1", "2"] {
        let out = folder.path().join(seed);
        let (lines, memory_kib) = run(seed, &out);
        let epochs: Vec<&String> = lines.iter().filter(|line| line.starts_with("epoch ")).collect();
        assert_eq!(epochs.len(), 15, "a line for each epoch: {lines:#?}");
        let accuracy = number(epochs[14], "test accuracy ");
        println!(
            "seed {seed}: test accuracy {accuracy}, {} samples/s, {memory_kib:?} KiB",
            epochs[14].split_whitespace().rev().nth(1).unwrap()
        );
        sum += accuracy;
        assert!(memory_kib.unwrap_or(0) < MEMORY_KIB_MAX, "{memory_kib:?} KiB");
        assert!(memory_kib.is_some() || !cfg!(target_os = "linux"));
        check_what_is_left(&out);
    }
    assert!(sum / 3.0 >= 0.855, "mean test accuracy {}", sum / 3.0);
}

fn check_what_is_left(out: &Path) {
    let left = weights::load::<f32>(out.join("weights.safetensors")).unwrap();
    assert_eq!(left["fc1.weight"].shape(), [512, 784]);
    let history = std::fs::read_to_string(out.join("history.csv")).unwrap();
    assert_eq!(history.lines().count(), 16, "{history}");
    for (name, start) in [
        ("loss.svg", "<svg"),
        ("accuracy.svg", "<svg"),
        ("confusion.svg", "<svg"),
        ("worst.png", "PNG"),
    ] {
        let picture = std::fs::read(out.join(name)).unwrap();
        assert!(String::from_utf8_lossy(&picture[..8]).contains(start), "{name}");
    }
}
