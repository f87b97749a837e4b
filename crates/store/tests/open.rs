//! Opening a store: where it is, who may read it, and what is said when it can't be.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, process::Command, time::Duration};

use common::filing::{FilingWorkflow, filing};
use jiff::Timestamp;
use novacron_operations::{Engine, EngineConfig, Status};
use novacron_store::{AuditEntry, OpenError, OpenOptions, Store, StoreError};
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
    // A page of a real one is overwritten, the one that says which tables there are.
    let damaged = folder.path().join("damaged.db");
    let url = format!("sqlite://{}", damaged.display());
    Store::open(&url).await.unwrap().close().await;
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[100..4096].fill(0xa5);
    fs::write(&damaged, bytes).unwrap();
    let error = Store::open(&url).await.err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains(".recover"), "{error}");
    let error = Store::open(&format!("sqlite://{}/x/y.db", path.display())).await.err().unwrap();
    assert!(matches!(error, OpenError::File { .. }), "{error}");
    let hasty = OpenOptions { patience: Duration::from_secs(1), ..OpenOptions::default() };
    let error = hasty.open("postgres://someone:secret@127.0.0.1:1/nowhere").await.err().unwrap().to_string();
    assert!(error.contains("127.0.0.1:1/nowhere") && !error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_database_is_reached_by_tls_and_by_its_own_certificate_only() {
    let Some(place) = common::postgres_with_tls() else { return };
    let hasty = OpenOptions { patience: Duration::from_secs(5), ..OpenOptions::default() };
    let open = async |query: String| hasty.open(&format!("{}?{query}", place.url)).await;
    let refused = open("sslmode=disable".into()).await.err().unwrap().to_string();
    assert!(refused.contains("no encryption"), "{refused}");
    open("sslmode=require".into()).await.unwrap().close().await;
    let ours = place.folder.path().join("ca.pem");
    open(format!("sslmode=verify-full&sslrootcert={}", ours.display())).await.unwrap().close().await;

    let Some(other) = common::postgres_with_tls() else { return };
    let theirs = other.folder.path().join("ca.pem");
    let error = open(format!("sslmode=verify-full&sslrootcert={}", theirs.display())).await.err().unwrap().to_string();
    assert!(error.contains("certificate"), "{error}");
}

/// A small file system, unmounted at the end.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={size}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
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
    let Some(disk) = Small::mount("1m") else { return };
    let store = Store::open(&format!("sqlite://{}/placements.db", disk.0.path().display())).await.unwrap();
    let entry = AuditEntry {
        at: Timestamp::UNIX_EPOCH,
        actor: "ann".to_owned(),
        action: "write".to_owned(),
        target: "disk".to_owned(),
        outcome: "accepted".to_owned(),
        detail: json!("x".repeat(20_000)),
    };
    store.check_writes().await.unwrap();
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
    let refused = store.check_writes().await.unwrap_err();
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    let query = novacron_store::AuditQuery { limit: 500, ..Default::default() };
    assert_eq!(store.audit().entries(&query).await.unwrap().items.len(), written);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_makes_work_wait_and_undoes_nothing() {
    let Some(disk) = Small::mount("16m") else { return };
    let files = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite://{}/placements.db", disk.0.path().display())).await.unwrap();
    let config =
        EngineConfig { poll: Duration::from_millis(10), persist: Duration::from_millis(10), ..EngineConfig::default() };
    let engine =
        Engine::builder(store.operations()).config(config).register(FilingWorkflow(files.path().to_owned())).build();
    engine.start();
    let id = engine.submit::<FilingWorkflow>(filing("long", 800, false)).await.unwrap().record.id;
    let reach = async |percent: f64| {
        while engine.get(&id).await.unwrap().unwrap().progress < percent {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reach(30.0)).await.unwrap();
    let ballast = disk.0.path().join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    drop(file);
    // Whether a page still fits is chance: many do not.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!engine.get(&id).await.unwrap().unwrap().status.is_terminal());
    fs::remove_file(&ballast).unwrap();
    let record = tokio::time::timeout(Duration::from_secs(60), engine.wait(&id)).await.unwrap().unwrap();
    assert_eq!((record.status, record.generation), (Status::Completed, 1));
    let events = engine.events(&id, 0, 500).await.unwrap();
    assert!(!events.iter().any(|event| event.kind == "attempt_failed"), "{events:?}");
    engine.shutdown(Duration::from_secs(5)).await;
    store.close().await;
}
