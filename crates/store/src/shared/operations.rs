//! Operations: rows are read, changed by the pure methods of [`Operation`], and written back in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::{
    Change, Claim, Claimed, Created, Cursor, Event, IdempotencyKey, Lease, ListQuery, NewOperation, Operation,
    OperationId, OperationRecord, OperationStore, PRUNED, Page, Request, StoreError,
};
use serde::de::DeserializeOwned;
use sqlx::{QueryBuilder, Row as _};

use super::{Backend, Db, FOR_UPDATE, GREATEST, POSITION, SKIP_LOCKED, Tx, age::before_text, counts, placements};
use crate::error::store_error;

type Row = <Db as sqlx::Database>::Row;

const COLUMNS: &str = "SELECT owner, generation, lease_until, record, run FROM operations ";

#[async_trait]
impl OperationStore for Backend {
    async fn create(&self, new: NewOperation, now: Timestamp) -> Result<Created, StoreError> {
        let mut tx = self.begin_write().await.map_err(store_error)?;
        let created = create(&mut tx, new, now).await?;
        tx.commit().await.map_err(store_error)?;
        Ok(created)
    }

    async fn requested(&self, key: &IdempotencyKey) -> Result<Option<Operation>, StoreError> {
        let row = sqlx::query(MADE_FOR_KEY).bind(&key.key).fetch_optional(self.reader()).await.map_err(store_error)?;
        match row {
            Some(row) => self.get(&made_for(&row, key)?).await,
            None => Ok(None),
        }
    }

    async fn get(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        let mut query = QueryBuilder::<Db>::new(COLUMNS);
        query.push("WHERE id = ").push_bind(id.as_str().to_owned());
        let row = query.build().fetch_optional(self.reader()).await.map_err(store_error)?;
        row.as_ref().map(operation).transpose()
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<OperationRecord>, StoreError> {
        let mut sql = QueryBuilder::<Db>::new("SELECT place, record FROM operations WHERE 1 = 1");
        if !query.statuses.is_empty() {
            any_of(sql.push(" AND status IN "), query.statuses.iter().map(|status| status.as_str().to_owned()));
        }
        if !query.kinds.is_empty() {
            any_of(sql.push(" AND kind IN "), query.kinds.iter().cloned());
        }
        if let Some(text) = &query.text {
            sql.push(format_args!(" AND {POSITION}(search, ")).push_bind(text.to_lowercase()).push(") > 0");
        }
        if let Some(cursor) = query.cursor {
            sql.push(" AND place < ").push_bind(place(cursor.0));
        }
        let limit = query.page_size();
        sql.push(" ORDER BY place DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = sql.build().fetch_all(self.reader()).await.map_err(store_error)?;
        let rows = rows.iter().map(|row| Ok((number(row, "place")?, parse(row, "record")?)));
        Ok(Page::from_rows(rows.collect::<Result<_, StoreError>>()?, limit))
    }

    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, StoreError> {
        // Looks before it takes the writer's lock: most often there is nothing.
        let next_due = self.next_due(claim).await?;
        if next_due.is_none_or(|due| due > now && !self.leases_run_by_database()) {
            return Ok(Claimed::Nothing { next_due });
        }
        let mut tx = self.begin_write().await.map_err(store_error)?;
        let lease_now = self.lease_now(&mut tx, now).await?;
        let mut sql = QueryBuilder::<Db>::new(COLUMNS);
        sql.push("WHERE runnable_at <= ").push_bind(now.as_microsecond());
        sql.push(" AND (lease_until IS NULL OR lease_until <= ").push_bind(lease_now.as_microsecond());
        any_of(sql.push(") AND kind IN "), claim.kinds.iter().cloned());
        sql.push(" ORDER BY runnable_at, place LIMIT 1").push(SKIP_LOCKED);
        let row = sql.build().fetch_optional(&mut *tx).await.map_err(store_error)?;
        let Some(row) = row else { return Ok(Claimed::Nothing { next_due: next_due.filter(|due| *due > now) }) };
        let mut claimed = operation(&row)?;
        let mut events = claimed.claimed(claim, lease_now);
        events.iter_mut().for_each(|event| event.at = now);
        write(&mut tx, &claimed, events).await?;
        tx.commit().await.map_err(store_error)?;
        Ok(Claimed::Operation(Box::new(claimed)))
    }

    async fn renew(&self, id: &OperationId, generation: u64, ttl: Duration, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await.map_err(store_error)?;
        let until = self.lease_now(&mut tx, now).await?.checked_add(ttl).unwrap_or(Timestamp::MAX);
        let renewed = sqlx::query(
            "UPDATE operations SET lease_until = $1 WHERE id = $2 AND generation = $3 AND owner IS NOT NULL",
        )
        .bind(until.as_microsecond())
        .bind(id.as_str())
        .bind(place(generation))
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
        tx.commit().await.map_err(store_error)?;
        if renewed.rows_affected() == 1 { Ok(()) } else { Err(StoreError::StaleOwner) }
    }

    async fn apply(
        &self,
        id: &OperationId,
        generation: u64,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Operation, StoreError> {
        let mut tx = self.begin_write().await.map_err(store_error)?;
        let mut operation = lock(&mut tx, id).await?;
        let events = operation.apply(generation, changes, now)?;
        write(&mut tx, &operation, events).await?;
        if operation.is_terminal() {
            give_keys_back(&mut tx, id).await?;
            if operation.run.cursor == Cursor::default() {
                placements::give_up(&mut tx, id, now).await?;
            }
        }
        tx.commit().await.map_err(store_error)?;
        Ok(operation)
    }

    async fn hold(&self, id: &OperationId, generation: u64, key: &str) -> Result<Option<OperationId>, StoreError> {
        let mut tx = self.begin_write().await.map_err(store_error)?;
        lock(&mut tx, id).await?.check_owner(generation)?;
        let holder = take_key(&mut tx, key, id).await?;
        tx.commit().await.map_err(store_error)?;
        Ok(holder)
    }

    async fn request(&self, id: &OperationId, request: Request, now: Timestamp) -> Result<Operation, StoreError> {
        let mut tx = self.begin_write().await.map_err(store_error)?;
        let mut operation = lock(&mut tx, id).await?;
        let had_ended = operation.is_terminal();
        let events = operation.request(request, now)?;
        write(&mut tx, &operation, events).await?;
        match (had_ended, operation.is_terminal()) {
            (true, false) => take_keys(&mut tx, &operation).await?,
            (false, true) => {
                give_keys_back(&mut tx, id).await?;
                // It ended before it began: no step of it will say so to those who wait for it.
                placements::give_up(&mut tx, id, now).await?;
            }
            _ => {}
        }
        tx.commit().await.map_err(store_error)?;
        Ok(operation)
    }

    async fn release_owner(&self, owner: &str, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin_write().await.map_err(store_error)?;
        let mut sql = QueryBuilder::<Db>::new(COLUMNS);
        sql.push("WHERE owner = ").push_bind(owner.to_owned()).push(FOR_UPDATE);
        let rows = sql.build().fetch_all(&mut *tx).await.map_err(store_error)?;
        for row in &rows {
            let mut operation = operation(row)?;
            let events = operation.owner_died(now);
            write(&mut tx, &operation, events).await?;
        }
        tx.commit().await.map_err(store_error)?;
        Ok(rows.len() as u64)
    }

    async fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut tx = self.begin_write().await.map_err(store_error)?;
        let mut sql = QueryBuilder::<Db>::new("SELECT id FROM operations WHERE status IN ");
        any_of(&mut sql, PRUNED.iter().map(|status| status.as_str().to_owned()));
        sql.push(" AND updated_at < ").push_bind(before_text(before));
        sql.push(" ORDER BY place LIMIT ").push_bind(i64::from(limit)).push(SKIP_LOCKED);
        let rows = sql.build().fetch_all(&mut *tx).await.map_err(store_error)?;
        let ids: Vec<String> = rows.iter().map(|row| text(row, "id")).collect::<Result<_, _>>()?;
        if ids.is_empty() {
            return Ok(0);
        }
        counts::remember(&mut tx, &ids).await?;
        let of_operation = ["operation_events", "operation_keys", "idempotency"].map(|table| (table, "operation_id"));
        for (table, column) in of_operation.into_iter().chain([("operations", "id")]) {
            let mut sql = QueryBuilder::<Db>::new("DELETE FROM ");
            any_of(sql.push(table).push(" WHERE ").push(column).push(" IN "), ids.iter().cloned());
            sql.build().execute(&mut *tx).await.map_err(store_error)?;
        }
        tx.commit().await.map_err(store_error)?;
        Ok(ids.len() as u64)
    }

    async fn events(&self, id: &OperationId, after: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, at, generation, kind, step, message FROM operation_events
             WHERE operation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(id.as_str())
        .bind(place(after))
        .bind(i64::from(limit))
        .fetch_all(self.reader())
        .await
        .map_err(store_error)?;
        rows.iter().map(event).collect()
    }
}

impl Backend {
    async fn next_due(&self, claim: &Claim) -> Result<Option<Timestamp>, StoreError> {
        if claim.kinds.is_empty() {
            return Ok(None);
        }
        let mut sql = QueryBuilder::<Db>::new("SELECT min(");
        sql.push(GREATEST).push("(runnable_at, coalesce(lease_until, 0))) AS due FROM operations ");
        any_of(sql.push("WHERE runnable_at IS NOT NULL AND kind IN "), claim.kinds.iter().cloned());
        let row = sql.build().fetch_one(self.reader()).await.map_err(store_error)?;
        let due: Option<i64> = row.try_get("due").map_err(store_error)?;
        due.map(timestamp).transpose()
    }
}

/// Makes an operation within a transaction that is then to be committed, unless this failed.
pub(super) async fn create(tx: &mut Tx, new: NewOperation, now: Timestamp) -> Result<Created, StoreError> {
    if let Some(existing) = remember_request(tx, &new, now).await? {
        return Ok(Created { operation: existing, existing: true });
    }
    let (operation, events) = Operation::create(new, now);
    let record = &operation.record;
    let inserted = sqlx::query(
        "INSERT INTO operations (id, kind, subject, status, phase, progress, search, generation, runnable_at,
                                 created_at, updated_at, record, run)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(record.id.as_str())
    .bind(&record.kind)
    .bind(&record.subject)
    .bind(record.status.as_str())
    .bind(&record.phase)
    .bind(record.progress)
    .bind(record.search_text())
    .bind(operation.run.runnable_at.map(Timestamp::as_microsecond))
    .bind(record.created_at.to_string())
    .bind(record.updated_at.to_string())
    .bind(json(record)?)
    .bind(json(&operation.run)?)
    .execute(&mut **tx)
    .await
    .map_err(store_error)?;
    if inserted.rows_affected() == 0 {
        return Err(StoreError::IdTaken(record.id.clone()));
    }
    take_keys(tx, &operation).await?;
    insert_events(tx, operation.id(), events).await?;
    Ok(Created { operation, existing: false })
}

/// Notes the request's key, or returns the operation that it started before.
async fn remember_request(tx: &mut Tx, new: &NewOperation, now: Timestamp) -> Result<Option<Operation>, StoreError> {
    let Some(idempotency) = &new.idempotency else { return Ok(None) };
    let inserted = sqlx::query(
        "INSERT INTO idempotency (key, digest, operation_id, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (key) DO NOTHING",
    )
    .bind(&idempotency.key)
    .bind(&idempotency.digest)
    .bind(new.id.as_str())
    .bind(now.to_string())
    .execute(&mut **tx)
    .await
    .map_err(store_error)?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    let row = sqlx::query(MADE_FOR_KEY).bind(&idempotency.key).fetch_one(&mut **tx).await.map_err(store_error)?;
    lock(tx, &made_for(&row, idempotency)?).await.map(Some)
}

const MADE_FOR_KEY: &str = "SELECT digest, operation_id FROM idempotency WHERE key = $1";

fn made_for(row: &Row, key: &IdempotencyKey) -> Result<OperationId, StoreError> {
    let other = operation_id(row)?;
    if text(row, "digest")? == key.digest {
        Ok(other)
    } else {
        Err(StoreError::IdempotencyMismatch { key: key.key.clone(), other })
    }
}

async fn lock(tx: &mut Tx, id: &OperationId) -> Result<Operation, StoreError> {
    let mut query = QueryBuilder::<Db>::new(COLUMNS);
    query.push("WHERE id = ").push_bind(id.as_str().to_owned()).push(FOR_UPDATE);
    let row = query.build().fetch_optional(&mut **tx).await.map_err(store_error)?;
    operation(&row.ok_or_else(|| StoreError::NotFound(id.clone()))?)
}

async fn write(tx: &mut Tx, operation: &Operation, events: Vec<Event>) -> Result<(), StoreError> {
    let Operation { record, run, lease } = operation;
    sqlx::query(
        "UPDATE operations SET status = $1, phase = $2, progress = $3, owner = $4, generation = $5, lease_until = $6,
                               runnable_at = $7, updated_at = $8, record = $9, run = $10
         WHERE id = $11",
    )
    .bind(record.status.as_str())
    .bind(&record.phase)
    .bind(record.progress)
    .bind(&lease.owner)
    .bind(place(lease.generation))
    .bind(lease.until.map(Timestamp::as_microsecond))
    .bind(run.runnable_at.map(Timestamp::as_microsecond))
    .bind(record.updated_at.to_string())
    .bind(json(record)?)
    .bind(json(run)?)
    .bind(record.id.as_str())
    .execute(&mut **tx)
    .await
    .map_err(store_error)?;
    insert_events(tx, &record.id, events).await
}

async fn insert_events(tx: &mut Tx, id: &OperationId, events: Vec<Event>) -> Result<(), StoreError> {
    for event in events {
        sqlx::query(
            "INSERT INTO operation_events (operation_id, seq, at, generation, kind, step, message)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.as_str())
        .bind(place(event.seq))
        .bind(event.at.to_string())
        .bind(place(event.generation))
        .bind(event.kind)
        .bind(event.step)
        .bind(event.message)
        .execute(&mut **tx)
        .await
        .map_err(store_error)?;
    }
    Ok(())
}

async fn take_keys(tx: &mut Tx, operation: &Operation) -> Result<(), StoreError> {
    // In one order for all, so that two takers can't wait for each other.
    let mut keys: Vec<&String> = operation.run.exclusive.iter().collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        if let Some(other) = take_key(tx, key, operation.id()).await? {
            return Err(StoreError::Conflict { key: key.clone(), other });
        }
    }
    Ok(())
}

/// The other operation that holds it, if so.
async fn take_key(tx: &mut Tx, key: &str, id: &OperationId) -> Result<Option<OperationId>, StoreError> {
    let taken =
        sqlx::query("INSERT INTO operation_keys (key, operation_id) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING")
            .bind(key)
            .bind(id.as_str())
            .execute(&mut **tx)
            .await
            .map_err(store_error)?;
    if taken.rows_affected() == 1 {
        return Ok(None);
    }
    let row = sqlx::query("SELECT operation_id FROM operation_keys WHERE key = $1")
        .bind(key)
        .fetch_optional(&mut **tx)
        .await
        .map_err(store_error)?;
    // Its holder has ended since: whoever asks again gets it.
    let row = row.ok_or_else(|| StoreError::Unavailable("the key was just given back".to_owned()))?;
    Ok(Some(operation_id(&row)?).filter(|holder| holder != id))
}

async fn give_keys_back(tx: &mut Tx, id: &OperationId) -> Result<(), StoreError> {
    let gone = sqlx::query("DELETE FROM operation_keys WHERE operation_id = $1").bind(id.as_str());
    gone.execute(&mut **tx).await.map(drop).map_err(store_error)
}

pub(super) fn any_of(sql: &mut QueryBuilder<Db>, values: impl Iterator<Item = String>) {
    sql.push("(");
    let mut list = sql.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    sql.push(")");
}

fn operation(row: &Row) -> Result<Operation, StoreError> {
    let until: Option<i64> = row.try_get("lease_until").map_err(store_error)?;
    Ok(Operation {
        record: parse(row, "record")?,
        run: parse(row, "run")?,
        lease: Lease {
            owner: row.try_get("owner").map_err(store_error)?,
            generation: number(row, "generation")?,
            until: until.map(timestamp).transpose()?,
        },
    })
}

fn event(row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        seq: number(row, "seq")?,
        at: text(row, "at")?.parse().map_err(|error: jiff::Error| StoreError::Corrupt(error.to_string()))?,
        generation: number(row, "generation")?,
        kind: text(row, "kind")?,
        step: row.try_get("step").map_err(store_error)?,
        message: text(row, "message")?,
    })
}

fn operation_id(row: &Row) -> Result<OperationId, StoreError> {
    OperationId::new(text(row, "operation_id")?).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn text(row: &Row, column: &str) -> Result<String, StoreError> {
    row.try_get(column).map_err(store_error)
}

fn number(row: &Row, column: &str) -> Result<u64, StoreError> {
    let number: i64 = row.try_get(column).map_err(store_error)?;
    u64::try_from(number).map_err(|_| StoreError::Corrupt(format!("{column} is {number}")))
}

/// As the databases count: none of our numbers comes near 2⁶³.
fn place(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn parse<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, StoreError> {
    let json: &str = row.try_get(column).map_err(store_error)?;
    serde_json::from_str(json).map_err(|error| StoreError::Corrupt(format!("{column}: {error}")))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}
