//! Where NovaCron keeps what it knows: SQLite in the data directory by default, PostgreSQL by one URL, and then any
//! number of processes share the work.
//!
//! Two dialect modules stand behind the traits: [`OperationStore`] of the operations crate, [`VmStore`],
//! [`PlacementStore`] and [`AuditLog`] of this one. The SQL that they agree on is written once, in `shared/`, and compiled into each. One suite
//! runs on both (`tests/suite.rs`).

mod audit;
mod counts;
mod error;
mod open;
mod patient;
mod placement;
mod postgres;
mod sqlite;
mod vm;

use std::{fs::File, sync::Arc};

pub use audit::{AuditEntry, AuditLog, AuditQuery};
pub use counts::{Counts, EndedCount, VmCount};
pub use error::OpenError;
pub use novacron_operations::{OperationStore, Page, PageCursor, StoreError};
pub use open::{LeaseTime, OpenOptions, check_url};
pub use placement::{Declared, Kept, PlacementQuery, PlacementStore};
pub use vm::{VmQuery, VmStore};

use async_trait::async_trait;
use jiff::Timestamp;

/// Newest version of the schema that this program knows. Both dialects count alike.
pub const SCHEMA_VERSION: i64 = 4;

/// What is written to see whether writes are taken. No machine can be declared under this name.
const WRITTEN: &str = "check:writes";

/// An open store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    // Held for as long as the store is open: the lock goes with it.
    lock: Option<Arc<File>>,
    place: String,
}

#[async_trait]
pub(crate) trait Backend: OperationStore + VmStore + PlacementStore + AuditLog + Counts {
    async fn ping(&self) -> Result<(), StoreError>;
    async fn close(&self);
}

impl Store {
    /// Opens `sqlite:///path/placements.db`, which is made if it is not there, or `postgres://…`, whose database must
    /// be; brings the schema up to date.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        OpenOptions::default().open(url).await
    }

    pub fn operations(&self) -> Arc<dyn OperationStore> {
        self.backend.clone()
    }

    pub fn vms(&self) -> Arc<dyn VmStore> {
        self.backend.clone()
    }

    pub fn placements(&self) -> Arc<dyn PlacementStore> {
        self.backend.clone()
    }

    pub fn audit(&self) -> Arc<dyn AuditLog> {
        self.backend.clone()
    }

    pub fn counts(&self) -> Arc<dyn Counts> {
        self.backend.clone()
    }

    /// No other process has this store open, nor will while this one has. Never said of PostgreSQL.
    pub fn is_sole_process(&self) -> bool {
        self.lock.is_some()
    }

    /// Where it is, without secrets, for people to read.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.backend.ping().await
    }

    /// Whether it takes writes: some pages are written, and given back.
    pub async fn check_writes(&self) -> Result<(), StoreError> {
        let write = async |manifest| {
            let declared = Declared { name: WRITTEN.to_owned(), manifest, updated_at: Timestamp::now() };
            self.backend.put_declared(&declared).await
        };
        write("x".repeat(16 << 10).into()).await?;
        write(serde_json::Value::Null).await
    }

    /// Waits for what is under way and closes the connections.
    pub async fn close(&self) {
        self.backend.close().await;
    }
}
