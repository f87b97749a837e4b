//! Counts, grouped by fields of the stored JSON.

use std::collections::HashMap;

use async_trait::async_trait;
use novacron_operations::{Status, StoreError};
use novacron_types::placement::PlacementStatus;
use sqlx::{QueryBuilder, Row as _};

use super::{Backend, Db, RECORD_DESTINATION, RECORD_REGION, RECORD_SOURCE, Tx, operations::any_of};
use crate::{Counts, EndedCount, VmCount, error::store_error};

type Row = <Db as sqlx::Database>::Row;

#[async_trait]
impl Counts for Backend {
    async fn vm_counts(&self) -> Result<Vec<VmCount>, StoreError> {
        let mut sql = QueryBuilder::<Db>::new("SELECT provider, coalesce(");
        sql.push(RECORD_REGION)
            .push(", '') AS region, count(*) AS count FROM vms WHERE deleted_at IS NULL GROUP BY 1, 2");
        let rows = sql.build().fetch_all(self.reader()).await.map_err(store_error)?;
        let counts = rows.iter().map(|row| {
            Ok(VmCount { provider: text(row, "provider")?, region: text(row, "region")?, count: count(row)? })
        });
        counts.collect()
    }

    async fn placement_counts(&self) -> Result<HashMap<PlacementStatus, u64>, StoreError> {
        let sql = "SELECT status, count(*) AS count FROM placements GROUP BY status";
        let rows = sqlx::query(sql).fetch_all(self.reader()).await.map_err(store_error)?;
        let counts = rows.iter().map(|row| {
            let status: Result<PlacementStatus, _> = text(row, "status")?.parse();
            Ok((status.map_err(|error| StoreError::Corrupt(error.to_string()))?, count(row)?))
        });
        counts.collect()
    }

    async fn ended_counts(&self, kinds: &[&str]) -> Result<Vec<EndedCount>, StoreError> {
        let mut sql = QueryBuilder::<Db>::new("SELECT coalesce(");
        sql.push(RECORD_SOURCE).push(", '') AS source, coalesce(").push(RECORD_DESTINATION);
        sql.push(", '') AS destination, status, count(*) AS count FROM operations WHERE status IN (");
        let mut list = sql.separated(", ");
        for status in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
            list.push_bind(status.as_str());
        }
        sql.push(") AND kind IN (");
        let mut list = sql.separated(", ");
        for kind in kinds {
            list.push_bind((*kind).to_owned());
        }
        sql.push(
            ") GROUP BY 1, 2, 3 UNION ALL SELECT source, destination, status, count FROM pruned_counts WHERE kind IN (",
        );
        let mut list = sql.separated(", ");
        for kind in kinds {
            list.push_bind((*kind).to_owned());
        }
        sql.push(")");
        let rows = sql.build().fetch_all(self.reader()).await.map_err(store_error)?;
        let counts = rows.iter().map(|row| {
            Ok(EndedCount {
                source: text(row, "source")?,
                destination: text(row, "destination")?,
                status: text(row, "status")?.parse().map_err(StoreError::Corrupt)?,
                count: count(row)?,
            })
        });
        counts.collect()
    }
}

/// Counts operations that are about to be removed: what was counted once must stay so.
pub(super) async fn remember(tx: &mut Tx, ids: &[String]) -> Result<(), StoreError> {
    let mut sql = QueryBuilder::<Db>::new("INSERT INTO pruned_counts (kind, source, destination, status, count) ");
    sql.push("SELECT kind, coalesce(").push(RECORD_SOURCE).push(", ''), coalesce(").push(RECORD_DESTINATION);
    any_of(sql.push(", ''), status, count(*) FROM operations WHERE id IN "), ids.iter().cloned());
    sql.push(" GROUP BY 1, 2, 3, 4 ON CONFLICT (kind, source, destination, status)");
    sql.push(" DO UPDATE SET count = pruned_counts.count + excluded.count");
    sql.build().execute(&mut **tx).await.map(drop).map_err(store_error)
}

fn text(row: &Row, column: &str) -> Result<String, StoreError> {
    row.try_get(column).map_err(store_error)
}

fn count(row: &Row) -> Result<u64, StoreError> {
    row.try_get::<i64, _>("count").map(i64::unsigned_abs).map_err(store_error)
}
