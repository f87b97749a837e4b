//! PostgreSQL: schema `placements` of a database that any number of processes share.

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

use std::{io, str::FromStr as _, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::StoreError;
use sqlx::{Connection as _, PgConnection, Transaction, pool::PoolOptions, postgres::PgConnectOptions};

use crate::{LeaseTime, OpenError, OpenOptions, error::store_error};

pub(crate) type Db = sqlx::Postgres;
pub(crate) type Tx = Transaction<'static, Db>;
pub(crate) use Backend as Postgres;

// Where the dialects differ.
const FOR_UPDATE: &str = " FOR UPDATE";
const SKIP_LOCKED: &str = " FOR UPDATE SKIP LOCKED";
const GREATEST: &str = "greatest";
/// Place of a text in a text, 0 if it is not there.
const POSITION: &str = "strpos";
/// Fields of the JSON in the column `record`.
const RECORD_REGION: &str = "record::json #>> '{instance,region}'";
const RECORD_SOURCE: &str = "record::json #>> '{summary,source}'";
const RECORD_DESTINATION: &str = "record::json #>> '{summary,destination}'";
const MIGRATIONS: &[&str] = schema::MIGRATIONS;

const SCHEMA: &str = "placements";
/// Key of the advisory lock under which the schema is changed: "novacron" in hexadecimal.
const MIGRATION_LOCK: i64 = 0x6e6f_7661_6372_6f6e;

pub(crate) struct Backend {
    pool: sqlx::Pool<Db>,
    lease_time: LeaseTime,
}

impl Backend {
    /// What an address says. It may hold a password, so an error shows no more than its scheme and what is wrong.
    pub(crate) fn address(url: &str) -> Result<PgConnectOptions, OpenError> {
        PgConnectOptions::from_str(url).map_err(|error| OpenError::Url(format!("postgres:… ({error})")))
    }

    /// The store and its place without secrets.
    pub(crate) async fn open(url: &str, options: &OpenOptions) -> Result<(Self, String), OpenError> {
        let connect = Self::address(url)?;
        let place = format!(
            "postgres://{}:{}/{}",
            connect.get_host(),
            connect.get_port(),
            connect.get_database().unwrap_or_default()
        );
        let failed =
            |error: sqlx::Error| OpenError::Database { place: place.clone(), why: store_error(error).to_string() };
        let patience = options.patience;
        let connect = connect.application_name("novacron").statement_cache_capacity(64).options([
            ("search_path", SCHEMA.to_owned()),
            // Nobody waits for ever for a lock, or keeps one while it hangs.
            ("lock_timeout", patience.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", (patience * 6).as_millis().to_string()),
        ]);
        // Once without the pool: that asks again and again, and in the end says only that nothing came.
        match tokio::time::timeout(patience, PgConnection::connect_with(&connect)).await {
            Ok(first) => first.map_err(failed)?.close().await.map_err(failed)?,
            Err(_) => {
                let why = format!("it did not answer within {} s", patience.as_secs());
                return Err(OpenError::Database { place, why });
            }
        }
        let pool = PoolOptions::<Db>::new()
            .max_connections(options.connections.max(2))
            .min_connections(0)
            .acquire_timeout(patience)
            .idle_timeout(Duration::from_secs(300))
            // The pool asks what comes back whether it still works, and would wait for ever for one that has gone silent.
            .after_release(move |connection, _| Box::pin(answers(connection, patience)))
            .connect_with(connect)
            .await
            .map_err(failed)?;
        let backend = Self { pool, lease_time: options.lease_time };
        let mut tx = backend.begin_write().await.map_err(failed)?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *tx).await.map_err(failed)?;
        // Looked for first: making it takes a right that is needed once only.
        let there = sqlx::query("SELECT 1 FROM pg_namespace WHERE nspname = $1").bind(SCHEMA);
        if there.fetch_optional(&mut *tx).await.map_err(failed)?.is_none() {
            sqlx::raw_sql("CREATE SCHEMA placements").execute(&mut *tx).await.map_err(failed)?;
        }
        migrate::migrate(&mut tx, &place, &failed).await?;
        tx.commit().await.map_err(failed)?;
        Ok((backend, place))
    }

    async fn begin_write(&self) -> Result<Tx, sqlx::Error> {
        self.pool.begin().await
    }

    fn reader(&self) -> &sqlx::Pool<Db> {
        &self.pool
    }

    fn writer(&self) -> &sqlx::Pool<Db> {
        &self.pool
    }

    fn leases_run_by_database(&self) -> bool {
        self.lease_time == LeaseTime::Database
    }

    /// The time by which leases run.
    async fn lease_now(&self, tx: &mut Tx, now: Timestamp) -> Result<Timestamp, StoreError> {
        if !self.leases_run_by_database() {
            return Ok(now);
        }
        let micros: i64 = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
            .fetch_one(&mut **tx)
            .await
            .map_err(store_error)?;
        Timestamp::from_microsecond(micros).map_err(|error| StoreError::Corrupt(error.to_string()))
    }
}

async fn answers(connection: &mut PgConnection, patience: Duration) -> Result<bool, sqlx::Error> {
    let silent = |_| sqlx::Error::Io(io::ErrorKind::TimedOut.into());
    tokio::time::timeout(patience, connection.ping()).await.map_err(silent)?.map(|()| true)
}

#[async_trait]
impl crate::Backend for Backend {
    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(drop).map_err(store_error)
    }
    async fn close(&self) {
        self.pool.close().await;
    }
}
