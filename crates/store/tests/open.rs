//! Opening a store: where it is, who may read it, and what is said when it can't be.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use jiff::Timestamp;
use novacron_store::{AuditEntry, OpenError, Store, StoreError};
use serde_json::json;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone_and_for_one_process_first() {
    let place = common::sqlite();
    let folder = place.folder.path().join("data");
    let store = Store::open(&place.url).await.unwrap();
    assert!(store.is_sole_process());
    assert_eq!(mode(&folder), 0o700);
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let second = Store::open(&place.url).await.unwrap();
    assert!(!second.is_sole_process());
    second.close().await;
    drop((store, second));
    fs::set_permissions(folder.join("placements.db"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(Store::open(&place.url).await.unwrap().is_sole_process());
    assert_eq!(mode(&folder.join("placements.db")), 0o600);
}

#[tokio::test]
async fn what_is_no_store_is_said_to_be_none() {
    for url in ["mysql://root:secret@h/db", "placements.db", "", "sqlite:", "sqlite::memory:", "sqlite://x?mode=ro"] {
        let error = Store::open(url).await.err().unwrap();
        assert!(matches!(error, OpenError::Url(_)), "{url}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("placements.db");
    fs::write(&path, "this is a text, and not at all a database, however long it may be".repeat(40)).unwrap();
    let error = Store::open(&format!("sqlite://{}", path.display())).await.err().unwrap();
    assert!(matches!(error, OpenError::NotAStore { .. }), "{error}");
    let error = Store::open(&format!("sqlite://{}/x/y.db", path.display())).await.err().unwrap();
    assert!(matches!(error, OpenError::File { .. }), "{error}");
    let error = Store::open("postgres://someone:secret@127.0.0.1:1/nowhere").await.err().unwrap().to_string();
    assert!(error.contains("127.0.0.1:1/nowhere") && !error.contains("secret"), "{error}");
}

/// A small file system, unmounted at the end.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(folder)),
            _ => {
                eprintln!("skipped: this user may not mount a small file system");
                None
            }
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_a_clear_error_and_no_harm() {
    let Some(disk) = Small::mount() else { return };
    let store = Store::open(&format!("sqlite://{}/placements.db", disk.0.path().display())).await.unwrap();
    let entry = AuditEntry {
        at: Timestamp::UNIX_EPOCH,
        actor: "ann".to_owned(),
        action: "write".to_owned(),
        target: "disk".to_owned(),
        outcome: "accepted".to_owned(),
        detail: json!("x".repeat(20_000)),
    };
    let mut written = 0;
    let error = loop {
        match store.audit().append(&entry).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1000, "the disk never filled up");
    };
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert!(error.to_string().contains("free some space"), "{error}");
    let query = novacron_store::AuditQuery { limit: 500, ..Default::default() };
    assert_eq!(store.audit().entries(&query).await.unwrap().items.len(), written);
    store.close().await;
}
