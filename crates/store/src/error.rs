//! Why a store could not be opened, and what the databases' errors mean to its users.

use std::path::{Path, PathBuf};

use novacron_operations::StoreError;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0:?} is not a store's address; write sqlite:///path/placements.db or postgres://user@host/database")]
    Url(String),
    #[error(
        "{place} was last used by a newer NovaCron: its schema is version {found}, and this program knows up to {known}; \
         install that newer version, or open a backup from before the upgrade"
    )]
    NewerSchema { place: String, found: i64, known: i64 },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("{} is not a NovaCron store: {why}; give another path, or move that file away", path.display())]
    NotAStore { path: PathBuf, why: String },
    #[error(
        "{} is damaged: {why}; put a backup in its place, or save what can be read with `sqlite3 {} .recover`",
        path.display(), path.display()
    )]
    Damaged { path: PathBuf, why: String },
    /// A database server.
    #[error("{place} can't be opened: {why}")]
    Database { place: String, why: String },
}

/// SQLite's primary result codes.
const SQLITE_BUSY: i32 = 5;
const SQLITE_FULL: i32 = 13;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_NOT_A_DATABASE: i32 = 26;

pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    let Some(database) = error.as_database_error() else {
        return match error {
            sqlx::Error::PoolTimedOut => StoreError::Unavailable("no connection became free in time".to_owned()),
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => StoreError::Corrupt(error.to_string()),
            other => StoreError::Unavailable(other.to_string()),
        };
    };
    let message = database.message().to_owned();
    match sqlite_code(&error) {
        Some(SQLITE_FULL) => return StoreError::Full(message),
        Some(SQLITE_CORRUPT | SQLITE_NOT_A_DATABASE) => return StoreError::Corrupt(message),
        _ => {}
    }
    match &*database.code().unwrap_or_default() {
        // disk_full
        "53100" => StoreError::Full(message),
        // data_corrupted, index_corrupted
        "XX001" | "XX002" => StoreError::Corrupt(message),
        _ => StoreError::Unavailable(message),
    }
}

/// Why SQLite could not open a file.
pub(crate) fn cannot_open(path: &Path, error: sqlx::Error) -> OpenError {
    let (path, why) = (path.to_owned(), error.to_string());
    match sqlite_code(&error) {
        Some(SQLITE_NOT_A_DATABASE) => OpenError::NotAStore { path, why },
        Some(SQLITE_CORRUPT) => OpenError::Damaged { path, why },
        _ => OpenError::File { path, error: std::io::Error::other(store_error(error).to_string()) },
    }
}

/// Whether SQLite found another connection in its way.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    sqlite_code(error) == Some(SQLITE_BUSY)
}

/// The primary result code. PostgreSQL's codes have five characters.
fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code().filter(|code| code.len() < 5)?;
    Some(code.parse::<i32>().ok()? & 0xff)
}
