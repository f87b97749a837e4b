//! Placements, declared machines and failures: each record as JSON, beside columns to look it up by.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::{Created, ListQuery, NewOperation, Page, StoreError};
use novacron_types::{
    OperationId,
    placement::{PlacementFailure, PlacementRecord, PlacementRequest, PlacementStatus},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::{Executor, QueryBuilder, Row as _};

use super::{Backend, Db, Tx, age::before_text, forget, operations};
use crate::{Declared, Kept, PlacementQuery, PlacementStore, error::store_error};

/// More failures than these say no more.
const MOST_FAILURES: i64 = 1000;

#[async_trait]
impl PlacementStore for Backend {
    async fn put_placement(&self, placement: &PlacementRecord) -> Result<(), StoreError> {
        put(self.writer(), placement).await
    }

    async fn take_on(&self, new: NewOperation, kept: Kept<'_>, now: Timestamp) -> Result<Created, StoreError> {
        let mut tx = self.begin_write().await.map_err(store_error)?;
        let created = operations::create(&mut tx, new, now).await?;
        if !created.existing && !keep(&mut tx, kept).await? {
            tx.rollback().await.map_err(store_error)?;
            return Err(StoreError::AnsweredBefore(kept.once.map(|once| once.name.clone()).unwrap_or_default()));
        }
        tx.commit().await.map_err(store_error)?;
        Ok(created)
    }

    async fn keep_once(
        &self,
        placements: &[PlacementRecord],
        declared: &[Declared],
        once: &Declared,
    ) -> Result<Option<Declared>, StoreError> {
        let mut tx = self.begin_write().await.map_err(store_error)?;
        if !keep(&mut tx, Kept { placements, declared, once: Some(once) }).await? {
            tx.rollback().await.map_err(store_error)?;
            return self.declared(&once.name).await;
        }
        tx.commit().await.map_err(store_error)?;
        Ok(None)
    }

    async fn placement(&self, id: &str) -> Result<Option<PlacementRecord>, StoreError> {
        let row = sqlx::query("SELECT record FROM placements WHERE id = $1")
            .bind(id)
            .fetch_optional(self.reader())
            .await
            .map_err(store_error)?;
        row.as_ref().map(read).transpose()
    }

    async fn placement_of(&self, vm_id: &str) -> Result<Option<PlacementRecord>, StoreError> {
        let row = sqlx::query("SELECT record FROM placements WHERE vm_id = $1 ORDER BY place DESC LIMIT 1")
            .bind(vm_id)
            .fetch_optional(self.reader())
            .await
            .map_err(store_error)?;
        row.as_ref().map(read).transpose()
    }

    async fn placements(&self, query: &PlacementQuery) -> Result<Page<PlacementRecord>, StoreError> {
        let mut sql = QueryBuilder::<Db>::new("SELECT place, record FROM placements WHERE 1 = 1");
        if let Some(status) = query.status {
            sql.push(" AND status = ").push_bind(status.as_str());
        }
        if let Some(vm_id) = &query.vm_id {
            sql.push(" AND vm_id = ").push_bind(vm_id.clone());
        }
        if let Some(cursor) = query.cursor {
            sql.push(" AND place < ").push_bind(i64::try_from(cursor.0).unwrap_or(i64::MAX));
        }
        let limit = query.limit.clamp(1, ListQuery::MAX_LIMIT);
        sql.push(" ORDER BY place DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = sql.build().fetch_all(self.reader()).await.map_err(store_error)?;
        let rows = rows.iter().map(|row| {
            let place: i64 = row.try_get("place").map_err(store_error)?;
            Ok((place.unsigned_abs(), read(row)?))
        });
        Ok(Page::from_rows(rows.collect::<Result<_, StoreError>>()?, limit))
    }

    async fn note_failure(&self, failure: &PlacementFailure) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO placement_failures (kind, region, instance_type, at, record) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (kind, region, instance_type) DO UPDATE SET at = excluded.at, record = excluded.record",
        )
        .bind(failure.kind.as_str())
        .bind(&failure.region)
        .bind(&failure.instance_type)
        .bind(failure.at.to_string())
        .bind(written(failure)?)
        .execute(self.writer())
        .await
        .map(drop)
        .map_err(store_error)
    }

    async fn failures(&self, since: Timestamp) -> Result<Vec<PlacementFailure>, StoreError> {
        sqlx::query("DELETE FROM placement_failures WHERE at < $1")
            .bind(before_text(since))
            .execute(self.writer())
            .await
            .map_err(store_error)?;
        let rows = sqlx::query("SELECT record FROM placement_failures WHERE at >= $1 ORDER BY at DESC LIMIT $2")
            .bind(before_text(since))
            .bind(MOST_FAILURES)
            .fetch_all(self.reader())
            .await
            .map_err(store_error)?;
        rows.iter().map(read).collect()
    }

    async fn put_declared(&self, declared: &Declared) -> Result<(), StoreError> {
        declare(self.writer(), declared).await
    }

    async fn declared(&self, name: &str) -> Result<Option<Declared>, StoreError> {
        let row = sqlx::query("SELECT updated_at, record FROM declared WHERE name = $1")
            .bind(name)
            .fetch_optional(self.reader())
            .await
            .map_err(store_error)?;
        row.map(|row| declaration(name.to_owned(), &row)).transpose()
    }

    async fn kept(&self, kind: &str) -> Result<Vec<Declared>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, updated_at, record FROM declared WHERE name LIKE $1 AND record <> '{}' ORDER BY name",
        )
        .bind(format!("{kind}:%"))
        .fetch_all(self.reader())
        .await
        .map_err(store_error)?;
        let rows = rows.iter().map(|row| declaration(row.try_get("name").map_err(store_error)?, row));
        rows.collect()
    }

    async fn asked_of_vms(&self) -> Result<HashMap<String, PlacementRequest>, StoreError> {
        let mut asked = HashMap::new();
        let mut after = 0i64;
        loop {
            let rows = sqlx::query(
                "SELECT vms.place AS vm, placements.vm_id, placements.record FROM vms JOIN placements ON placements.place =
                     (SELECT max(place) FROM placements AS newest WHERE newest.vm_id = vms.id)
                 WHERE vms.deleted_at IS NULL AND vms.place > $1 ORDER BY vms.place LIMIT $2",
            )
            .bind(after)
            .bind(i64::from(ListQuery::MAX_LIMIT))
            .fetch_all(self.reader())
            .await
            .map_err(store_error)?;
            let Some(last) = rows.last() else { return Ok(asked) };
            after = last.try_get("vm").map_err(store_error)?;
            for row in &rows {
                let Asked { request } = read(row)?;
                asked.insert(row.try_get("vm_id").map_err(store_error)?, request);
            }
        }
    }

    async fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        Ok(forget::placements(self, before, limit).await? + forget::declared(self, before, limit).await?)
    }

    async fn claim_run(&self, name: &str, due: Timestamp) -> Result<bool, StoreError> {
        let claimed = sqlx::query("INSERT INTO schedule_runs (name, due) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(due.to_string())
            .execute(self.writer())
            .await
            .map_err(store_error)?;
        if claimed.rows_affected() == 0 {
            return Ok(false);
        }
        // Of each name the last claims are enough to refuse who is late.
        sqlx::query(
            "DELETE FROM schedule_runs WHERE name = $1 AND due NOT IN
                 (SELECT due FROM schedule_runs WHERE name = $1 ORDER BY due DESC LIMIT 100)",
        )
        .bind(name)
        .execute(self.writer())
        .await
        .map_err(store_error)?;
        Ok(true)
    }
}

/// Of a placement's record, what it was asked for.
#[derive(Deserialize)]
struct Asked {
    request: PlacementRequest,
}

fn declaration(name: String, row: &<Db as sqlx::Database>::Row) -> Result<Declared, StoreError> {
    let at: String = row.try_get("updated_at").map_err(store_error)?;
    let updated_at = at.parse().map_err(|error: jiff::Error| StoreError::Corrupt(error.to_string()))?;
    Ok(Declared { name, manifest: read(row)?, updated_at })
}

/// False: what is to be there once was there before, and the transaction is to be given up.
async fn keep(tx: &mut Tx, kept: Kept<'_>) -> Result<bool, StoreError> {
    if let Some(once) = kept.once {
        let first = sqlx::query(
            "INSERT INTO declared (name, updated_at, record) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&once.name)
        .bind(once.updated_at.to_string())
        .bind(once.manifest.to_string())
        .execute(&mut **tx)
        .await
        .map_err(store_error)?;
        if first.rows_affected() == 0 {
            return Ok(false);
        }
    }
    for placement in kept.placements {
        put(&mut **tx, placement).await?;
    }
    for declared in kept.declared {
        declare(&mut **tx, declared).await?;
    }
    Ok(true)
}

async fn put<'e>(to: impl Executor<'e, Database = Db>, placement: &PlacementRecord) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO placements (id, vm_id, status, created_at, updated_at, record, operation_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at,
             record = excluded.record, operation_id = excluded.operation_id",
    )
    .bind(&placement.placement_id)
    .bind(&placement.vm_id)
    .bind(placement.status.as_str())
    .bind(placement.created_at.to_string())
    .bind(placement.updated_at.to_string())
    .bind(written(placement)?)
    .bind(placement.operation_id.as_ref().map(OperationId::as_str))
    .execute(to)
    .await
    .map(drop)
    .map_err(store_error)
}

/// What an operation was to make, and never will, has failed.
pub(super) async fn give_up(tx: &mut Tx, id: &OperationId, now: Timestamp) -> Result<(), StoreError> {
    let rows =
        sqlx::query("SELECT id, record FROM placements WHERE operation_id = $1 AND status = 'creating' ORDER BY place")
            .bind(id.as_str())
            .fetch_all(&mut **tx)
            .await
            .map_err(store_error)?;
    for row in &rows {
        let mut placement: PlacementRecord = match read(row) {
            Ok(placement) => placement,
            Err(error) => {
                let placement: String = row.try_get("id").map_err(store_error)?;
                tracing::warn!(placement, operation = %id, %error, "a placement stays as it is");
                continue;
            }
        };
        placement.status = PlacementStatus::Failed;
        placement.updated_at = now;
        placement.decision.notes.push(format!("{id} ended before it began."));
        put(&mut **tx, &placement).await?;
    }
    Ok(())
}

async fn declare<'e>(to: impl Executor<'e, Database = Db>, declared: &Declared) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO declared (name, updated_at, record) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at, record = excluded.record",
    )
    .bind(&declared.name)
    .bind(declared.updated_at.to_string())
    .bind(declared.manifest.to_string())
    .execute(to)
    .await
    .map(drop)
    .map_err(store_error)
}

fn written(record: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn read<T: DeserializeOwned>(row: &<Db as sqlx::Database>::Row) -> Result<T, StoreError> {
    let json: &str = row.try_get("record").map_err(store_error)?;
    serde_json::from_str(json).map_err(|error| StoreError::Corrupt(format!("a placement's record: {error}")))
}
