//! Brings the schema up to date, within one transaction that only one process at a time can be in.

use jiff::Timestamp;

use super::{MIGRATIONS, Tx};
use crate::{OpenError, SCHEMA_VERSION};

pub(super) async fn migrate(
    tx: &mut Tx,
    place: &str,
    failed: &impl Fn(sqlx::Error) -> OpenError,
) -> Result<(), OpenError> {
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS schema_version (
            version    BIGINT PRIMARY KEY,
            applied_at TEXT NOT NULL,
            program    TEXT NOT NULL
        )",
    )
    .execute(&mut **tx)
    .await
    .map_err(failed)?;
    let found: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM schema_version").fetch_one(&mut **tx).await.map_err(failed)?;
    let found = found.unwrap_or(0);
    if found > SCHEMA_VERSION {
        return Err(OpenError::NewerSchema { place: place.to_owned(), found, known: SCHEMA_VERSION });
    }
    let versions = (1i64..).zip(MIGRATIONS);
    for (version, migration) in versions.filter(|(version, _)| *version > found) {
        sqlx::raw_sql(*migration).execute(&mut **tx).await.map_err(failed)?;
        sqlx::query("INSERT INTO schema_version (version, applied_at, program) VALUES ($1, $2, $3)")
            .bind(version)
            .bind(Timestamp::now().to_string())
            .bind(env!("CARGO_PKG_VERSION"))
            .execute(&mut **tx)
            .await
            .map_err(failed)?;
        tracing::info!(place, version, "the store's schema was brought up to date");
    }
    Ok(())
}
