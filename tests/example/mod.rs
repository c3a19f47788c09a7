//! Where cargo puts the example that it builds beside the tests.

use std::path::PathBuf;

/// The program `fashion_mnist`.
pub fn path() -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows its own path");
    let folder = exe.ancestors().nth(2).expect("tests lie in target/PROFILE/deps");
    let path =
        folder.join("examples").join(format!("fashion_mnist{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built; run cargo test without --test", path.display());
    path
}
