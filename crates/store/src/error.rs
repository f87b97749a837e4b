//! Why a store could not be opened, and what the databases' errors mean to its users.

use std::path::PathBuf;

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
    #[error("{place} can't be opened: {why}")]
    Database { place: String, why: String },
}

/// SQLite's primary result codes.
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
    let code = database.code().unwrap_or_default();
    match code.parse::<i32>().ok().filter(|_| code.len() < 5).map(|code| code & 0xff) {
        Some(SQLITE_FULL) => return StoreError::Full(message),
        Some(SQLITE_CORRUPT | SQLITE_NOT_A_DATABASE) => return StoreError::Corrupt(message),
        _ => {}
    }
    match &*code {
        // disk_full
        "53100" => StoreError::Full(message),
        // data_corrupted, index_corrupted
        "XX001" | "XX002" => StoreError::Corrupt(message),
        _ => StoreError::Unavailable(message),
    }
}

pub(crate) fn is_not_a_database(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == SQLITE_NOT_A_DATABASE)
}
