//! SQLite: one file in the data directory, for one machine.
//!
//! WAL, so that readers and the writer don't wait for each other. `synchronous = FULL`, because a write that this crate
//! has acknowledged must outlive a power cut: an operation's generation and client tokens are stored before a cloud sees
//! them. One connection writes: it is the queue of this process's writers, and `BEGIN IMMEDIATE` is that of all processes.

#![allow(clippy::duplicate_mod, reason = "the shared SQL is compiled for each dialect")]

mod schema;

#[path = "../shared/age.rs"]
mod age;
#[path = "../shared/audit.rs"]
mod audit;
#[path = "../shared/counts.rs"]
mod counts;
#[path = "../shared/forget.rs"]
mod forget;
#[path = "../shared/migrate.rs"]
mod migrate;
#[path = "../shared/operations.rs"]
mod operations;
#[path = "../shared/placements.rs"]
mod placements;
#[path = "../shared/vms.rs"]
mod vms;

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::StoreError;
use sqlx::{
    Connection as _, Transaction,
    pool::PoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    OpenError, OpenOptions,
    error::{cannot_open, is_busy, store_error},
};

pub(crate) type Db = sqlx::Sqlite;
pub(crate) type Tx = Transaction<'static, Db>;

// Where the dialects differ.
const FOR_UPDATE: &str = "";
const SKIP_LOCKED: &str = "";
const GREATEST: &str = "max";
/// Place of a text in a text, 0 if it is not there.
const POSITION: &str = "instr";
/// Fields of the JSON in the column `record`.
const RECORD_REGION: &str = "json_extract(record, '$.instance.region')";
const RECORD_SOURCE: &str = "json_extract(record, '$.summary.source')";
const RECORD_DESTINATION: &str = "json_extract(record, '$.summary.destination')";
const MIGRATIONS: &[&str] = schema::MIGRATIONS;

/// How long to wait until a file is opened again.
const AGAIN: Duration = Duration::from_millis(20);

pub(crate) struct Backend {
    reader: sqlx::Pool<Db>,
    writer: sqlx::Pool<Db>,
}

/// The path in `sqlite:///path`, `sqlite://relative` or `sqlite:relative`.
pub(crate) fn path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    // Parameters and in-memory stores are not offered.
    let usable = !path.is_empty() && !path.contains(['?', '#']) && !path.starts_with(':');
    usable.then(|| PathBuf::from(path))
}

/// Opens the file, and takes its lock if no other process has it.
pub(crate) async fn open(path: &Path, options: &OpenOptions) -> Result<(Backend, Option<File>), OpenError> {
    let file = |error| OpenError::File { path: path.to_owned(), error };
    prepare(path).map_err(file)?;
    let lock = lock(path).map_err(file)?;
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.patience)
        // Bytes of pages kept by each connection; the rows are small.
        .pragma("cache_size", "-1024")
        .statement_cache_capacity(32);
    let pool = |connections: u32| {
        PoolOptions::<Db>::new()
            .max_connections(connections.max(1))
            .min_connections(0)
            .acquire_timeout(options.patience)
            .idle_timeout(Duration::from_secs(60))
            .max_lifetime(None)
            // When the disk is full SQLite rolls back by itself, and sqlx goes on to believe that a transaction is open:
            // such a connection would refuse every later one.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
    };
    let failed = |error: sqlx::Error| cannot_open(path, error);
    // Two that make a file a WAL one would wait for each other, so SQLite refuses one at once, whatever the timeout. It tells
    // nobody when the other is done.
    let begun = Instant::now();
    let writer = loop {
        match pool(1).connect_with(connect.clone()).await {
            Err(error) if is_busy(&error) && begun.elapsed() < options.patience => tokio::time::sleep(AGAIN).await,
            connected => break connected.map_err(failed)?,
        }
    };
    let backend = Backend { reader: pool(options.connections - 1).connect_lazy_with(connect), writer };
    let mut tx = backend.begin_write().await.map_err(failed)?;
    migrate::migrate(&mut tx, &path.display().to_string(), &failed).await?;
    tx.commit().await.map_err(failed)?;
    Ok((backend, lock))
}

/// Makes the file and its folder, for this user alone.
fn prepare(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // SQLite gives the files beside it the same mode.
    let file = fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let metadata = file.metadata()?;
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read this file; now they can't");
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn lock(path: &Path) -> io::Result<Option<File>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(name)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

impl Backend {
    async fn begin_write(&self) -> Result<Tx, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    fn reader(&self) -> &sqlx::Pool<Db> {
        &self.reader
    }

    fn writer(&self) -> &sqlx::Pool<Db> {
        &self.writer
    }

    fn leases_run_by_database(&self) -> bool {
        false
    }

    /// The time by which leases run.
    async fn lease_now(&self, _tx: &mut Tx, now: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(now)
    }
}

#[async_trait]
impl crate::Backend for Backend {
    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.reader).await.map(drop).map_err(store_error)
    }
    async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}
