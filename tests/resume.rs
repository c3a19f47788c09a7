//! A run that is killed goes on from its checkpoint and ends with the same bits.

mod example;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use backstitch::Rng;

fn start(out: &Path, more: &[&str]) -> Child {
    Command::new(example::path())
        .args(["--epochs", "2", "--batch-size", "500", "--save-every", "3", "--out"])
        .arg(out)
        .args(more)
        .stdout(Stdio::null())
        .spawn()
        .expect("the example starts")
}

fn finished(out: &Path, more: &[&str]) {
    let status = start(out, more).wait().expect("the example ends");
    assert!(status.success(), "{status}");
}

fn results(out: &Path) -> (Vec<u8>, String) {
    let weights = std::fs::read(out.join("weights.safetensors")).expect("the weights are there");
    let history = std::fs::read_to_string(out.join("history.csv")).expect("the history is there");
    (weights, history)
}

#[test]
fn killed_at_any_moment_it_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    finished(&whole, &["--threads", "2"]);
    let want = results(&whole);
    assert!(want.1.lines().count() == 3, "a header and two epochs: {}", want.1);

    let mut rng = Rng::seed(11);
    for round in 0..3 {
        let out = folder.path().join(format!("killed-{round}"));
        for _ in 0..3 {
            let mut child = start(&out, &["--resume", "--threads", "1"]);
            std::thread::sleep(Duration::from_millis(100 + rng.next_u64() % 1200));
            child.kill().expect("the process can be killed, also when it has ended");
            child.wait().unwrap();
            let leftovers = std::fs::read_dir(&out).map(|files| files.count()).unwrap_or(0);
            assert!(leftovers < 20, "unfinished files pile up");
        }
        finished(&out, &["--resume", "--threads", "2"]);
        assert!(results(&out) == want, "round {round}: other bits than the uninterrupted run");
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    finished(folder.path(), &[]);
    let output = Command::new(example::path())
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
