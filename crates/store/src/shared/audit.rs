//! The audit log: rows are added and, when they are old, removed; never changed.

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::{ListQuery, Page, StoreError};
use sqlx::{QueryBuilder, Row as _};

use super::{Backend, Db, SKIP_LOCKED, age::before_text};
use crate::{AuditEntry, AuditLog, AuditQuery, error::store_error};

#[async_trait]
impl AuditLog for Backend {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO audit_log (at, actor, action, target, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(entry.at.to_string())
        .bind(&entry.actor)
        .bind(&entry.action)
        .bind(&entry.target)
        .bind(&entry.outcome)
        .bind(entry.detail.to_string())
        .execute(self.writer())
        .await
        .map(drop)
        .map_err(store_error)
    }

    async fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut sql = QueryBuilder::<Db>::new("DELETE FROM audit_log WHERE place IN (SELECT place FROM audit_log");
        sql.push(" WHERE at < ").push_bind(before_text(before));
        sql.push(" ORDER BY place LIMIT ").push_bind(i64::from(limit)).push(SKIP_LOCKED).push(")");
        sql.build().execute(self.writer()).await.map(|done| done.rows_affected()).map_err(store_error)
    }

    async fn entries(&self, query: &AuditQuery) -> Result<Page<AuditEntry>, StoreError> {
        let mut sql = QueryBuilder::<Db>::new(
            "SELECT place, at, actor, action, target, outcome, detail FROM audit_log WHERE 1 = 1",
        );
        let filters = [("actor", &query.actor), ("action", &query.action), ("target", &query.target)];
        for (column, value) in filters {
            if let Some(value) = value {
                sql.push(format_args!(" AND {column} = ")).push_bind(value.clone());
            }
        }
        if let Some(cursor) = query.cursor {
            sql.push(" AND place < ").push_bind(i64::try_from(cursor.0).unwrap_or(i64::MAX));
        }
        let limit = query.limit.clamp(1, ListQuery::MAX_LIMIT);
        sql.push(" ORDER BY place DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = sql.build().fetch_all(self.reader()).await.map_err(store_error)?;
        let rows = rows.iter().map(|row| {
            let place: i64 = row.try_get("place").map_err(store_error)?;
            Ok((place.unsigned_abs(), entry(row)?))
        });
        Ok(Page::from_rows(rows.collect::<Result<_, StoreError>>()?, limit))
    }
}

fn entry(row: &<Db as sqlx::Database>::Row) -> Result<AuditEntry, StoreError> {
    let text = |column| row.try_get::<String, _>(column).map_err(store_error);
    Ok(AuditEntry {
        at: text("at")?.parse().map_err(|error: jiff::Error| StoreError::Corrupt(error.to_string()))?,
        actor: text("actor")?,
        action: text("action")?,
        target: text("target")?,
        outcome: text("outcome")?,
        detail: serde_json::from_str(&text("detail")?).map_err(|error| StoreError::Corrupt(error.to_string()))?,
    })
}
