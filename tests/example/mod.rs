//! Where cargo puts the examples that it builds beside the tests.

use std::path::PathBuf;

/// The program of an example.
pub fn path(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows its own path");
    let folder = exe.ancestors().nth(2).expect("tests lie in target/PROFILE/deps");
    let path = folder.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built; run cargo test without --test", path.display());
    path
}
