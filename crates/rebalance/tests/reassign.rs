//! The program: what it writes, and what it says of what it can't use.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Output};

/// Two machines, one of them overloaded: the second process is better on the other.
const MODEL: &str = "1\n0 10\n2\n0 0 100 20 0 1\n1 1 100 60 1 0\n2\n1 0\n1 0\n2\n0 20 1\n1 40 1\n0\n1 1 1\n";

fn reassign(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reassign")).current_dir(folder).args(arguments).output().unwrap()
}

#[test]
fn writes_the_best_whole() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model"), MODEL).unwrap();
    std::fs::write(folder.path().join("initial"), "0 0").unwrap();
    let done = reassign(folder.path(), &["model", "initial", "out", "--steps", "5000"]);
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(std::fs::read_to_string(folder.path().join("out")).unwrap(), "0 1\n");
    assert!(said.contains("before     400\nafter      3\nat least   0"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left beside it");
}

#[test]
fn ends_in_time() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model"), MODEL).unwrap();
    std::fs::write(folder.path().join("initial"), "0 0").unwrap();
    let start = std::time::Instant::now();
    assert!(reassign(folder.path(), &["model", "initial", "out", "--seconds", "1"]).status.success());
    assert!(start.elapsed().as_secs_f64() < 20.0);
}

#[test]
fn bad_usage_exits_2_and_bad_files_1() {
    let folder = tempfile::tempdir().unwrap();
    let code = |arguments: &[&str]| reassign(folder.path(), arguments).status.code();
    for bad in [
        &[][..],
        &["a", "b"],
        &["a", "b", "c", "d"],
        &["a", "b", "c", "--seconds"],
        &["a", "b", "c", "--seconds", "-1"],
    ] {
        assert_eq!(code(bad), Some(2), "{bad:?}");
    }
    assert_eq!(code(&["a", "b", "c", "--what"]), Some(2));
    assert_eq!(code(&["a", "b", "c"]), Some(1));

    std::fs::write(folder.path().join("model"), MODEL).unwrap();
    std::fs::write(folder.path().join("initial"), "0 2").unwrap();
    let done = reassign(folder.path(), &["model", "initial", "out"]);
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("initial: line 1, column 3: 2 is out of range"), "{said}");
    assert!(!folder.path().join("out").exists());
}
