//! What every store must do, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod records;
mod schema;
mod work;

use std::{sync::Arc, time::Duration};

use common::Place;
use jiff::Timestamp;
use novacron_operations::{
    Change, Claim, Claimed, Created, IdempotencyKey, ListQuery, NewOperation, Operation, OperationId, Options, Request,
    Status,
};
use novacron_store::*;
use novacron_types::{
    InstanceId, InstanceState, ProviderName, VmId, VmRecord,
    placement::{PlacementRecord, PlacementStatus},
};
use serde_json::json;

/// Runs one test on both databases.
macro_rules! on_both {
    ($($subject:ident::$test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let place = super::common::sqlite();
                super::$subject::$test(&super::open(&place.url).await, &place).await;
            })*
        }
        /// One server for all: starting it takes longer than the tests.
        #[tokio::test(flavor = "multi_thread")]
        async fn on_postgres() {
            let Some(place) = common::postgres() else { return };
            $(
                clear(&place.url).await;
                eprintln!("{}", stringify!($test));
                $subject::$test(&open(&place.url).await, &place).await;
            )*
        }
    };
}

mod suite {
    use super::*;
    on_both!(
        work::keeps_operations_and_their_events,
        work::lists_by_page_and_filter,
        work::hands_out_work_once,
        work::fences_stale_owners,
        work::leases_end_and_are_released,
        work::keeps_exclusive_keys,
        work::takes_a_key_in_mid_work,
        work::remembers_requests,
        work::creates_only_one_of_many_at_once,
        records::keeps_vms,
        records::keeps_an_audit_log,
        records::counts_what_is_stored,
        records::forgets_what_ended_long_ago,
        records::leaves_out_what_another_forgets,
        schema::opens_many_times_at_once,
        schema::brings_an_older_schema_up_to_date,
        schema::gives_up_what_an_older_schema_has_and_what_it_can_read,
        schema::refuses_a_newer_schema,
    );
}

async fn open(url: &str) -> Store {
    let options = OpenOptions { lease_time: LeaseTime::Caller, ..OpenOptions::default() };
    options.open(url).await.unwrap()
}

async fn clear(url: &str) {
    execute(url, "DROP SCHEMA IF EXISTS placements CASCADE").await;
}

/// Works on the database behind the store's back.
async fn execute(url: &str, sql: &'static str) {
    use sqlx::Connection as _;
    if url.starts_with("sqlite") {
        let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql("SET search_path TO placements").execute(&mut connection).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn id(text: &str) -> OperationId {
    OperationId::new(text).unwrap()
}

fn new(name: &str) -> NewOperation {
    NewOperation {
        id: id(name),
        kind: "import".to_owned(),
        subject: format!("Subject-{name}"),
        state: json!({ "size": 3, "name": "Zoë" }),
        steps: vec!["one".to_owned(), "two".to_owned()],
        summary: None,
        controls: json!({}),
        exclusive: Vec::new(),
        idempotency: None,
        options: Options { timeout: Some(Duration::from_millis(1500)), retry_on_failure: true },
    }
}

fn claim(owner: &str) -> Claim {
    Claim { owner: owner.to_owned(), ttl: Duration::from_secs(30), kinds: vec!["import".to_owned()] }
}

async fn claimed(store: &Store, owner: &str, now: Timestamp) -> Option<Operation> {
    match store.operations().claim(&claim(owner), now).await.unwrap() {
        Claimed::Operation(operation) => Some(*operation),
        Claimed::Nothing { .. } => None,
    }
}

fn started() -> Change {
    Change::StepStarted { index: 0, phase: "one".to_owned(), status: Status::Preparing, commits: false }
}

fn placement(name: &str, status: &str) -> PlacementRecord {
    serde_json::from_value(json!({
        "placement_id": name, "vm_id": name, "status": status, "operation_id": "a", "created_at": at(0),
        "updated_at": at(0), "primary_placement": null, "alternative_placements": [], "strategy": "balanced",
        "weights": {}, "considered": [], "rejections": [], "relaxations": [], "policies": [], "notes": [],
        "sources": [], "request": {},
    }))
    .unwrap()
}
