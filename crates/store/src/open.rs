//! Opening a store by its address.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{OpenError, Store, patient::Patient, postgres::Postgres, sqlite};

/// How to open a store.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Connections at most. SQLite uses one for writing, and the others for reading.
    pub connections: u32,
    /// How long to wait for a connection, or for another process's lock.
    pub patience: Duration,
    /// By whose clock leases run in PostgreSQL.
    pub lease_time: LeaseTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseTime {
    /// The database's, so that machines whose clocks differ agree.
    Database,
    /// The caller's, for tests with a clock of their own. SQLite always uses this: it is one machine.
    Caller,
}

/// Refuses an address that [`Store::open`] would refuse whatever is behind it. Opens nothing; of SQLite, answers the
/// file.
pub fn check_url(url: &str) -> Result<Option<PathBuf>, OpenError> {
    match url.split(':').next().unwrap_or_default() {
        "sqlite" => sqlite::path(url).map(Some).ok_or_else(|| OpenError::Url(url.to_owned())),
        "postgres" | "postgresql" => Postgres::address(url).map(|_| None),
        // The address may hold a password: show no more than its scheme.
        other => Err(OpenError::Url(format!("{other}:…"))),
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { connections: 4, patience: Duration::from_secs(10), lease_time: LeaseTime::Database }
    }
}

impl OpenOptions {
    /// See [`Store::open`].
    pub async fn open(&self, url: &str) -> Result<Store, OpenError> {
        match check_url(url)? {
            Some(path) => {
                let (backend, lock) = sqlite::open(&path, self).await?;
                Ok(Store { backend: Arc::new(backend), lock: lock.map(Arc::new), place: path.display().to_string() })
            }
            None => {
                let (backend, place) = Postgres::open(url, self).await?;
                // It waits for a connection, then for a lock, then for the disk.
                let backend = Patient { backend, limit: self.patience * 3 };
                Ok(Store { backend: Arc::new(backend), lock: None, place })
            }
        }
    }
}
