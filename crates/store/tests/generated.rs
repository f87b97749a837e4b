//! The generated tests of a workflow, with its operation in each database.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use common::filing::{Filing, FilingWorkflow, check_file, filing};
use novacron_operations::{
    OperationStore, Submission,
    testkit::{self, End, Scenario},
};
use novacron_store::Store;
use tempfile::TempDir;

struct Filings {
    store: Store,
    number: AtomicUsize,
}

#[async_trait]
impl Scenario for Filings {
    type Workflow = FilingWorkflow;
    type World = TempDir;

    async fn world(&self) -> TempDir {
        tempfile::tempdir().unwrap()
    }
    fn workflow(&self, world: &TempDir) -> FilingWorkflow {
        FilingWorkflow(world.path().to_owned())
    }
    fn submission(&self, _world: &TempDir) -> Submission<Filing> {
        filing(&format!("n{}", self.number.fetch_add(1, Ordering::Relaxed)), 2, false)
    }
    async fn store(&self) -> Arc<dyn OperationStore> {
        self.store.operations()
    }
    // The moments are gone through in the operations crate; here it is the stores that are tested.
    fn polls(&self) -> Vec<usize> {
        vec![2]
    }
    async fn check(&self, world: &TempDir, end: End) -> Vec<String> {
        let files = files(world.path());
        match (end, &files[..]) {
            (End::Undone, []) => Vec::new(),
            (End::Done, [file]) if file.ends_with(".txt") => {
                check_file(&world.path().join(file), 2).into_iter().collect()
            }
            _ => vec![format!("there is {files:?}")],
        }
    }
}

fn files(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

async fn all(url: &str) {
    let store = Store::open(url).await.unwrap();
    testkit::check_all(&Filings { store: store.clone(), number: AtomicUsize::new(0) }).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    let place = common::sqlite();
    all(&place.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    let Some(place) = common::postgres() else { return };
    all(&place.url).await;
}
