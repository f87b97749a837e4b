//! A real process, killed at random: the disk becomes equal, and little is moved twice.

#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

use std::{
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rand::Rng;

/// The example, where cargo puts it beside this test; absent if it was not built.
fn copy_program() -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    let program = here.parent()?.parent()?.join("examples/copy");
    program.exists().then_some(program)
}

/// What a killed run may make move twice: what waits for a flush, what is being flushed, and what is in flight.
const MOST_TWICE: u64 = 80 << 20;

#[test]
fn killed_at_any_moment_it_goes_on() {
    let Some(program) = copy_program() else { return eprintln!("left out: the example `copy` was not built") };
    let dir = tempfile::tempdir().unwrap();
    let (source, target, ledger) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("l"));
    let size = 384u64 << 20;
    let mut file = std::fs::File::create(&source).unwrap();
    let mut block = vec![0u8; 1 << 20];
    for number in 0..size >> 20 {
        rand::rng().fill(&mut block[..]);
        block[0] = number as u8 | 1;
        file.write_all(&block).unwrap();
    }
    file.set_len(size + 4096 * 3 + 17).unwrap();
    drop(file);

    let run = |keep: bool| {
        let mut command = Command::new(&program);
        command.args(["--verify", "stored", "--rate", "250000000", "--ledger"]).arg(&ledger);
        if keep {
            command.arg("--keep");
        }
        command.arg(&source).arg(&target).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    for round in 0..4 {
        let mut child = run(round > 0);
        let pause = Duration::from_millis(rand::rng().random_range(30..700));
        let (_stay, wait) = std::sync::mpsc::channel::<()>();
        let _ = wait.recv_timeout(pause);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let there = allocated(&target);
    let output = run(true).wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let report: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    let resumed = report["stats"]["bytes_resumed"].as_u64().unwrap();
    assert!(there <= resumed + MOST_TWICE, "{there} bytes were there and {resumed} of them counted");
    assert!(std::fs::read(&source).unwrap() == std::fs::read(&target).unwrap());
}

/// Bytes of the file that have been written.
fn allocated(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.blocks() * 512)
}

#[test]
fn a_full_disk_is_named() {
    let Some(program) = copy_program() else { return eprintln!("left out: the example `copy` was not built") };
    let dir = tempfile::tempdir().unwrap();
    let mount = dir.path().join("small");
    std::fs::create_dir(&mount).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "none"]).arg(&mount).stderr(Stdio::null()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return eprintln!("left out: a small file system can't be mounted here (needs root)");
    }
    let source = dir.path().join("a");
    std::fs::write(&source, vec![5u8; 20 << 20]).unwrap();
    let output = Command::new(&program).arg(&source).arg(mount.join("b")).output();
    let unmounted = Command::new("umount").arg(&mount).status();
    let output = output.unwrap();
    assert!(!output.status.success() && unmounted.is_ok_and(|status| status.success()));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("No space left"), "{said}");
}
