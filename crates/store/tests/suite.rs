//! What every store must do, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

mod common;

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
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let place = super::common::sqlite();
                super::$test(&super::open(&place.url).await, &place).await;
            })*
        }
        /// One server for all: starting it takes longer than the tests.
        #[tokio::test(flavor = "multi_thread")]
        async fn on_postgres() {
            let Some(place) = common::postgres() else { return };
            $(
                clear(&place.url).await;
                eprintln!("{}", stringify!($test));
                super::$test(&open(&place.url).await, &place).await;
            )*
        }
    };
}

mod suite {
    use super::*;
    on_both!(
        keeps_operations_and_their_events,
        lists_by_page_and_filter,
        hands_out_work_once,
        fences_stale_owners,
        leases_end_and_are_released,
        keeps_exclusive_keys,
        takes_a_key_in_mid_work,
        remembers_requests,
        creates_only_one_of_many_at_once,
        keeps_vms,
        keeps_an_audit_log,
        counts_what_is_stored,
        forgets_what_ended_long_ago,
        leaves_out_what_another_forgets,
        opens_many_times_at_once,
        brings_an_older_schema_up_to_date,
        gives_up_what_an_older_schema_has_and_what_it_can_read,
        refuses_a_newer_schema,
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

async fn keeps_operations_and_their_events(store: &Store, place: &Place) {
    let operations = store.operations();
    let Created { operation, existing } = operations.create(new("a"), at(0)).await.unwrap();
    assert!(!existing);
    assert_eq!(operations.get(&id("a")).await.unwrap().as_ref(), Some(&operation));
    assert_eq!(operations.get(&id("b")).await.unwrap(), None);
    let taken = operations.create(new("a"), at(0)).await.unwrap_err();
    assert_eq!(taken, StoreError::IdTaken(id("a")));

    let first = claimed(store, "x", at(1)).await.unwrap();
    assert_eq!((first.lease.owner.as_deref(), first.lease.generation), (Some("x"), 1));
    assert_eq!(first.lease.until, Some(at(31)));
    let changes = vec![started(), Change::Saved { state: json!([1]) }, Change::Log { message: "hi".to_owned() }];
    let applied = operations.apply(&id("a"), 1, changes, at(2)).await.unwrap();
    assert_eq!(applied.record.status, Status::Preparing);
    assert_eq!(applied.run.deadline, Some(at(2) + Duration::from_millis(1500)));
    let finished =
        Change::StepFinished { index: 0, state: json!([2]), progress: 12.5, summary: Some(json!({ "n": 1 })) };
    let applied = operations.apply(&id("a"), 1, vec![finished], at(3)).await.unwrap();
    // What was written is what another process reads.
    let again = open(&place.url).await;
    assert_eq!(again.operations().get(&id("a")).await.unwrap(), Some(applied));
    let ended = Change::Ended { status: Status::Completed, fault: None, summary: None };
    let ended = operations.apply(&id("a"), 1, vec![ended], at(4)).await.unwrap();
    assert_eq!((ended.lease.owner, ended.record.progress), (None, 100.0));
    assert!(claimed(store, "x", at(1000)).await.is_none());

    let events = operations.events(&id("a"), 0, 100).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["created", "step_started", "log", "step_finished", "completed"]);
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(operations.events(&id("a"), 1, 2).await.unwrap(), events[1..3]);
    store.ping().await.unwrap();
}

async fn lists_by_page_and_filter(store: &Store, _place: &Place) {
    let operations = store.operations();
    for i in 0..7 {
        let mut operation = new(&format!("op-{i}"));
        operation.kind = if i % 2 == 0 { "import" } else { "export" }.to_owned();
        operations.create(operation, at(i)).await.unwrap();
    }
    operations.request(&id("op-4"), Request::Cancel { by: "me".to_owned() }, at(9)).await.unwrap();
    let ids = async |query: &ListQuery| {
        let page = operations.list(query).await.unwrap();
        (page.items.iter().map(|record| record.id.to_string()).collect::<Vec<_>>(), page.next)
    };
    let mut query = ListQuery { limit: 3, ..ListQuery::default() };
    let (first, next) = ids(&query).await;
    assert_eq!(first, ["op-6", "op-5", "op-4"]);
    query.cursor = Some(next.unwrap().to_string().parse().unwrap());
    let (second, next) = ids(&query).await;
    assert_eq!(second, ["op-3", "op-2", "op-1"]);
    query.cursor = next;
    assert_eq!(ids(&query).await, (vec!["op-0".to_owned()], None));
    let query = ListQuery { kinds: vec!["export".to_owned()], ..ListQuery::default() };
    assert_eq!(ids(&query).await.0, ["op-5", "op-3", "op-1"]);
    let statuses = vec![Status::Cancelled, Status::Completed];
    assert_eq!(ids(&ListQuery { statuses, ..ListQuery::default() }).await.0, ["op-4"]);
    for (text, count) in [("sUbject-op-2", 1), ("%", 0), ("_", 0), ("'; DROP TABLE operations; --", 0), ("op-", 7)] {
        let query = ListQuery { text: Some(text.to_owned()), ..ListQuery::default() };
        assert_eq!(ids(&query).await.0.len(), count, "{text}");
    }
}

async fn hands_out_work_once(store: &Store, place: &Place) {
    for i in 0..20 {
        store.operations().create(new(&format!("op-{i}")), at(i)).await.unwrap();
    }
    assert!(claimed(store, "x", at(-1)).await.is_none(), "it is not due yet");
    let other = open(&place.url).await;
    let mut tasks = Vec::new();
    for worker in 0..8 {
        let store = if worker % 2 == 0 { store.clone() } else { other.clone() };
        tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            while let Some(operation) = claimed(&store, &format!("w{worker}"), at(100)).await {
                mine.push(operation.record.id.to_string());
            }
            mine
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    let given = all.len();
    all.sort();
    all.dedup();
    assert_eq!((given, all.len()), (20, 20));
    let none = Claim { kinds: Vec::new(), ..claim("x") };
    assert_eq!(store.operations().claim(&none, at(900)).await.unwrap(), Claimed::Nothing { next_due: None });
}

async fn fences_stale_owners(store: &Store, _place: &Place) {
    let operations = store.operations();
    operations.create(new("a"), at(0)).await.unwrap();
    claimed(store, "x", at(0)).await.unwrap();
    operations.apply(&id("a"), 1, vec![started()], at(1)).await.unwrap();
    let second = claimed(store, "y", at(31)).await.unwrap();
    assert_eq!((second.lease.generation, second.run.deaths), (2, 1));
    let before = operations.get(&id("a")).await.unwrap();
    for change in [started(), Change::Saved { state: json!(0) }, Change::Released] {
        assert_eq!(operations.apply(&id("a"), 1, vec![change], at(32)).await, Err(StoreError::StaleOwner));
    }
    let ttl = Duration::from_secs(30);
    assert_eq!(operations.renew(&id("a"), 1, ttl, at(32)).await, Err(StoreError::StaleOwner));
    assert_eq!(operations.get(&id("a")).await.unwrap(), before);
    // Half of a batch is not written either.
    let batch = vec![
        Change::Saved { state: json!("half") },
        Change::StepStarted { index: 0, phase: "one".to_owned(), status: Status::Preparing, commits: true },
        Change::Unwinding { cause: novacron_operations::UnwindCause::Failed, fault: None, state: None },
    ];
    let refused = operations.apply(&id("a"), 2, batch, at(33)).await.unwrap_err();
    assert!(matches!(refused, StoreError::PastPointOfNoReturn { .. }), "{refused}");
    assert_eq!(operations.get(&id("a")).await.unwrap(), before);
    let missing = operations.apply(&id("zzz"), 1, vec![started()], at(1)).await.unwrap_err();
    assert_eq!(missing, StoreError::NotFound(id("zzz")));
}

async fn leases_end_and_are_released(store: &Store, _place: &Place) {
    let operations = store.operations();
    operations.create(new("a"), at(0)).await.unwrap();
    claimed(store, "x", at(0)).await.unwrap();
    assert!(claimed(store, "y", at(29)).await.is_none());
    operations.renew(&id("a"), 1, Duration::from_secs(30), at(20)).await.unwrap();
    assert!(claimed(store, "y", at(49)).await.is_none());
    match operations.claim(&claim("y"), at(49)).await.unwrap() {
        Claimed::Nothing { next_due } => assert_eq!(next_due, Some(at(50))),
        Claimed::Operation(_) => panic!("it is leased"),
    }
    operations.apply(&id("a"), 1, vec![Change::Released], at(49)).await.unwrap();
    assert_eq!(claimed(store, "y", at(49)).await.unwrap().lease.generation, 2);
    assert_eq!(operations.release_owner("x", at(50)).await.unwrap(), 0);
    assert_eq!(operations.release_owner("y", at(50)).await.unwrap(), 1);
    let third = claimed(store, "z", at(50)).await.unwrap();
    assert_eq!((third.lease.generation, third.run.deaths), (3, 1));

    let wait = Change::Held { state: json!({}), reason: "a nod".to_owned(), resume_at: None };
    operations.apply(&id("a"), 3, vec![wait], at(51)).await.unwrap();
    assert!(claimed(store, "x", at(10_000)).await.is_none());
    operations.request(&id("a"), Request::Continue { by: "me".to_owned() }, at(60)).await.unwrap();
    assert!(claimed(store, "x", at(60)).await.unwrap().run.continued);
}

async fn keeps_exclusive_keys(store: &Store, _place: &Place) {
    let operations = store.operations();
    let with = |name: &str, keys: &[&str]| NewOperation {
        exclusive: keys.iter().map(|key| (*key).to_owned()).collect(),
        ..new(name)
    };
    operations.create(with("a", &["k1", "k2"]), at(0)).await.unwrap();
    let refused = operations.create(with("b", &["k3", "k2"]), at(0)).await.unwrap_err();
    assert_eq!(refused, StoreError::Conflict { key: "k2".to_owned(), other: id("a") });
    assert_eq!(operations.get(&id("b")).await.unwrap(), None);
    // Nothing of the refused one is left, not even the key that was free.
    operations.create(with("c", &["k3"]), at(0)).await.unwrap();

    claimed(store, "x", at(0)).await.unwrap();
    let failed = Change::Ended { status: Status::Failed, fault: None, summary: None };
    operations.apply(&id("a"), 1, vec![failed], at(1)).await.unwrap();
    operations.create(with("b", &["k2"]), at(2)).await.unwrap();
    let refused = operations.request(&id("a"), Request::Retry { by: "me".to_owned() }, at(3)).await.unwrap_err();
    assert_eq!(refused, StoreError::Conflict { key: "k2".to_owned(), other: id("b") });
    assert_eq!(operations.get(&id("a")).await.unwrap().unwrap().record.status, Status::Failed);
    operations.request(&id("b"), Request::Cancel { by: "me".to_owned() }, at(4)).await.unwrap();
    operations.request(&id("a"), Request::Retry { by: "me".to_owned() }, at(5)).await.unwrap();
    assert!(operations.create(with("d", &["k1"]), at(6)).await.is_err());
}

/// Who is at work takes one more key, until the end; who is not takes none.
async fn takes_a_key_in_mid_work(store: &Store, _place: &Place) {
    let operations = store.operations();
    let with = |name: &str, key: &str| NewOperation { exclusive: vec![key.to_owned()], ..new(name) };
    operations.create(with("a", "k1"), at(0)).await.unwrap();
    assert_eq!(operations.hold(&id("a"), 0, "k2").await, Err(StoreError::StaleOwner));
    claimed(store, "x", at(0)).await.unwrap();
    operations.create(with("b", "k3"), at(1)).await.unwrap();
    for (key, other) in [("k2", None), ("k2", None), ("k1", None), ("k3", Some(id("b")))] {
        assert_eq!(operations.hold(&id("a"), 1, key).await, Ok(other), "{key}");
    }
    assert!(matches!(operations.create(with("c", "k2"), at(2)).await, Err(StoreError::Conflict { .. })));
    operations.request(&id("b"), Request::Cancel { by: "me".to_owned() }, at(3)).await.unwrap();
    assert_eq!(operations.hold(&id("a"), 1, "k3").await, Ok(None));
    let failed = Change::Ended { status: Status::Failed, fault: None, summary: None };
    operations.apply(&id("a"), 1, vec![failed], at(4)).await.unwrap();
    operations.create(with("c", "k2"), at(5)).await.unwrap();
    assert_eq!(operations.hold(&id("a"), 1, "k4").await, Err(StoreError::StaleOwner));
}

async fn remembers_requests(store: &Store, _place: &Place) {
    let operations = store.operations();
    let with = |name: &str, digest: &str| NewOperation {
        idempotency: Some(IdempotencyKey { key: "key".to_owned(), digest: digest.to_owned() }),
        exclusive: vec!["k".to_owned()],
        ..new(name)
    };
    operations.create(with("a", "1"), at(0)).await.unwrap();
    let again = operations.create(with("b", "1"), at(5)).await.unwrap();
    assert!(again.existing);
    assert_eq!(again.operation.record.id, id("a"));
    let other = operations.create(with("c", "2"), at(5)).await.unwrap_err();
    assert_eq!(other, StoreError::IdempotencyMismatch { key: "key".to_owned(), other: id("a") });
    // A request that was refused may be made again under its key.
    let mut refused = with("d", "3");
    refused.idempotency = Some(IdempotencyKey { key: "second".to_owned(), digest: "3".to_owned() });
    assert!(operations.create(refused.clone(), at(6)).await.is_err());
    refused.exclusive.clear();
    assert!(!operations.create(refused, at(7)).await.unwrap().existing);

    let key = |key: &str, digest: &str| IdempotencyKey { key: key.to_owned(), digest: digest.to_owned() };
    assert_eq!(operations.requested(&key("unknown", "one")).await.unwrap(), None);
    let known = operations.list(&ListQuery::default()).await.unwrap().items.pop().unwrap();
    let refused = operations.requested(&key("key", "another digest")).await.unwrap_err();
    assert!(matches!(refused, StoreError::IdempotencyMismatch { .. }), "{refused}");
    let StoreError::IdempotencyMismatch { other, .. } = refused else { return };
    assert_eq!(operations.get(&other).await.unwrap().unwrap().record.id, known.id);
}

async fn creates_only_one_of_many_at_once(store: &Store, place: &Place) {
    let other = open(&place.url).await;
    let mut tasks = Vec::new();
    for i in 0..16 {
        let operations = if i % 2 == 0 { store.operations() } else { other.operations() };
        let mut wanted = new(&format!("op-{i}"));
        wanted.exclusive = vec!["one".to_owned()];
        wanted.idempotency = Some(IdempotencyKey { key: "same".to_owned(), digest: "d".to_owned() });
        tasks.push(tokio::spawn(async move { operations.create(wanted, at(i)).await }));
    }
    let mut made = Vec::new();
    for task in tasks {
        made.push(task.await.unwrap().unwrap());
    }
    assert_eq!(made.iter().filter(|created| !created.existing).count(), 1);
    assert!(made.iter().all(|created| created.operation.record.id == made[0].operation.record.id));
}

fn vm(name: &str, provider: &str, instance: &str, state: &str) -> VmRecord {
    let record = json!({
        "vm_id": format!("vm-{name}"), "name": name, "provider": provider,
        "instance": {
            "instance_id": instance, "name": name, "state": state, "region": null, "zone": null,
            "spec": novacron_types::VmSpec::default(), "disks": [], "interfaces": [], "image": null, "launched_at": null,
        },
        "placed_by": null, "created_at": at(0), "updated_at": at(0),
    });
    serde_json::from_value(record).unwrap()
}

async fn keeps_vms(store: &Store, _place: &Place) {
    let vms = store.vms();
    let (aws, local) = (ProviderName::new("aws").unwrap(), ProviderName::new("local").unwrap());
    let mut web = vm("Web-1", "aws", "i-1", "running");
    vms.put_vm(&web).await.unwrap();
    vms.put_vm(&vm("db_1", "aws", "i-2", "stopped")).await.unwrap();
    vms.put_vm(&vm("web-2", "local", "i-1", "running")).await.unwrap();
    assert_eq!(vms.vm(&web.vm_id).await.unwrap().as_ref(), Some(&web));
    let instance = InstanceId::new("i-1").unwrap();
    assert_eq!(vms.vm_by_instance(&aws, &instance).await.unwrap().as_ref(), Some(&web));
    let taken = vms.put_vm(&vm("thief", "aws", "i-1", "running")).await.unwrap_err();
    assert_eq!(taken.to_string(), "instance i-1 of aws already belongs to VM vm-Web-1");

    let named = |name: &str| VmQuery { named: Some(name.to_owned()), ..VmQuery::default() };
    assert_eq!(vms.vms(&named("web-2")).await.unwrap().items.len(), 1);
    assert_eq!(
        vms.vms(&named("Web-2")).await.unwrap().items.len() + vms.vms(&named("web")).await.unwrap().items.len(),
        0
    );

    let names = async |query: VmQuery| {
        let page = vms.vms(&query).await.unwrap();
        (page.items.into_iter().map(|vm| vm.name).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(names(VmQuery::default()).await.0, ["Web-1", "db_1", "web-2"]);
    assert_eq!(names(VmQuery { name: Some("WEB".to_owned()), ..VmQuery::default() }).await.0, ["Web-1", "web-2"]);
    assert_eq!(names(VmQuery { provider: Some(aws.clone()), ..VmQuery::default() }).await.0, ["Web-1", "db_1"]);
    assert_eq!(names(VmQuery { state: Some(InstanceState::Stopped), ..VmQuery::default() }).await.0, ["db_1"]);
    let (page, next) = names(VmQuery { limit: 2, ..VmQuery::default() }).await;
    assert_eq!(page, ["Web-1", "db_1"]);
    assert_eq!(names(VmQuery { limit: 2, cursor: next, ..VmQuery::default() }).await, (vec!["web-2".to_owned()], None));

    // It moves, keeps its id and its place in the list, and its old instance is free.
    web.provider = local;
    web.instance.instance_id = InstanceId::new("i-9").unwrap();
    vms.put_vm(&web).await.unwrap();
    assert_eq!(names(VmQuery::default()).await.0, ["Web-1", "db_1", "web-2"]);
    vms.put_vm(&vm("thief", "aws", "i-1", "running")).await.unwrap();
    assert!(vms.delete_vm(&web.vm_id, at(9)).await.unwrap());
    assert!(!vms.delete_vm(&web.vm_id, at(9)).await.unwrap());
    assert_eq!(vms.vm(&web.vm_id).await.unwrap(), None);
    assert_eq!(names(VmQuery::default()).await.0, ["db_1", "web-2", "thief"]);
    vms.put_vm(&web).await.unwrap();
    assert_eq!(vms.vm(&VmId::new("vm-Web-1").unwrap()).await.unwrap(), Some(web));
}

async fn keeps_an_audit_log(store: &Store, _place: &Place) {
    let audit = store.audit();
    for i in 0..5 {
        let entry = AuditEntry {
            at: at(i),
            actor: if i == 3 { "eve" } else { "ann" }.to_owned(),
            action: "migration.cancel".to_owned(),
            target: format!("op-{i}"),
            outcome: "accepted".to_owned(),
            detail: json!({ "i": i, "text": "ö\u{1F600}" }),
        };
        audit.append(&entry).await.unwrap();
    }
    let page = audit.entries(&AuditQuery { limit: 4, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(page.items.iter().map(|entry| entry.at).collect::<Vec<_>>(), [at(4), at(3), at(2), at(1)]);
    assert_eq!(page.items[0].detail["text"], "ö\u{1F600}");
    let rest = audit.entries(&AuditQuery { cursor: page.next, ..AuditQuery::default() }).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let eve = audit.entries(&AuditQuery { actor: Some("eve".to_owned()), ..AuditQuery::default() }).await.unwrap();
    assert_eq!(eve.items.len(), 1);
}

async fn opens_many_times_at_once(store: &Store, place: &Place) {
    store.close().await;
    let sqlite = place.url.starts_with("sqlite");
    let url = Arc::new(place.url.clone());
    // Which of them gets in another's way is left to chance.
    for _ in 0..if sqlite { 40 } else { 3 } {
        if sqlite {
            std::fs::remove_dir_all(place.folder.path().join("data")).unwrap();
        } else {
            clear(&place.url).await;
        }
        let open = |url: Arc<String>| tokio::spawn(async move { open(&url).await });
        let tasks: Vec<_> = (0..6).map(|_| open(url.clone())).collect();
        for task in tasks {
            let store = task.await.unwrap();
            store.ping().await.unwrap();
            store.close().await;
        }
    }
}

async fn brings_an_older_schema_up_to_date(store: &Store, place: &Place) {
    store.operations().create(new("a"), at(0)).await.unwrap();
    // Before its first step: it ends at once.
    store.operations().request(&id("a"), Request::Cancel { by: "me".to_owned() }, at(1)).await.unwrap();
    store.close().await;
    // As the first version left it.
    execute(
        &place.url,
        "DROP TABLE pruned_counts; DROP INDEX vms_name; DROP INDEX idempotency_operation;
         DROP TABLE placements; DROP TABLE placement_failures; DROP TABLE declared; DROP TABLE schedule_runs;
         DELETE FROM schema_version WHERE version > 1",
    )
    .await;
    let store = open(&place.url).await;
    assert_eq!(store.operations().prune(at(9), 10).await.unwrap(), 1);
    assert_eq!(store.counts().ended_counts(&["import"]).await.unwrap()[0].count, 1);
    store.close().await;
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

async fn leaves_out_what_another_forgets(store: &Store, place: &Place) {
    use sqlx::Connection as _;
    let placements = store.placements();
    for name in ["a", "b"] {
        placements.put_placement(&placement(name, "decided")).await.unwrap();
        let declared = Declared { name: format!("plan:{name}"), manifest: json!({}), updated_at: at(0) };
        placements.put_declared(&declared).await.unwrap();
    }
    let forgets = || tokio::time::timeout(Duration::from_secs(2), placements.prune(at(9), 10));
    if place.url.starts_with("postgres") {
        let mut other = sqlx::PgConnection::connect(&place.url).await.unwrap();
        let at_work = "SET search_path TO placements; BEGIN;
             SELECT id FROM placements WHERE id = 'a' FOR UPDATE; SELECT name FROM declared WHERE name = 'plan:a' FOR UPDATE";
        sqlx::raw_sql(at_work).execute(&mut other).await.unwrap();
        assert_eq!(forgets().await.expect("it waits").unwrap(), 2);
        other.close().await.unwrap();
    } else {
        assert_eq!(placements.prune(at(9), 1).await.unwrap(), 2);
    }
    assert_eq!(forgets().await.expect("it waits").unwrap(), 2);
}

async fn gives_up_what_an_older_schema_has_and_what_it_can_read(store: &Store, place: &Place) {
    let both = ["unreadable", "web"].map(|name| placement(name, "creating"));
    let kept = Kept { placements: &both, declared: &[], once: None };
    store.placements().take_on(new("a"), kept, at(0)).await.unwrap();
    store.close().await;
    // As the third version left it.
    execute(
        &place.url,
        "DROP INDEX placements_creating; ALTER TABLE placements DROP COLUMN operation_id;
         DELETE FROM schema_version WHERE version > 3",
    )
    .await;
    let store = open(&place.url).await;
    execute(&place.url, "UPDATE placements SET record = 'nonsense' WHERE id = 'unreadable'").await;
    store.operations().request(&id("a"), Request::Cancel { by: "me".to_owned() }, at(1)).await.unwrap();
    assert_eq!(store.placements().placement("web").await.unwrap().unwrap().status, PlacementStatus::Failed);
    store.close().await;
}

async fn refuses_a_newer_schema(store: &Store, place: &Place) {
    store.close().await;
    execute(&place.url, "INSERT INTO schema_version (version, applied_at, program) VALUES (999, 'x', '9.9')").await;
    let refused = Store::open(&place.url).await.err().unwrap();
    assert!(matches!(refused, OpenError::NewerSchema { found: 999, known: SCHEMA_VERSION, .. }));
    let message = refused.to_string();
    assert!(message.contains("999") && message.contains("install that newer version"), "{message}");
}

async fn forgets_what_ended_long_ago(store: &Store, _place: &Place) {
    let (operations, audit, counts) = (store.operations(), store.audit(), store.counts());
    let summary = json!({ "source": "aws", "destination": "local" });
    let key = |name: &str| IdempotencyKey { key: format!("key-{name}"), digest: "d".to_owned() };
    let fresh = |name: &str| NewOperation {
        summary: Some(summary.clone()),
        idempotency: Some(key(name)),
        exclusive: vec![format!("of {name}")],
        ..new(name)
    };
    let ends = [
        ("a", Status::Completed, 10),
        ("failed", Status::Failed, 10),
        ("b", Status::Cancelled, 11),
        ("c", Status::RolledBack, 12),
        ("late", Status::Completed, 50),
    ];
    for (name, status, second) in ends {
        operations.create(fresh(name), at(0)).await.unwrap();
        let generation = claimed(store, "x", at(1)).await.unwrap().lease.generation;
        let ended = Change::Ended { status, fault: None, summary: None };
        // Half a second more: times are not stored with equally many digits.
        let when = at(second) + Duration::from_millis(500);
        operations.apply(&id(name), generation, vec![ended], when).await.unwrap();
    }
    operations.create(fresh("waits"), at(0)).await.unwrap();
    operations.create(fresh("runs"), at(0)).await.unwrap();
    claimed(store, "x", at(1)).await.unwrap();
    let total =
        async || -> u64 { counts.ended_counts(&["import"]).await.unwrap().iter().map(|ended| ended.count).sum() };
    assert_eq!(total().await, 5);

    assert_eq!(operations.prune(at(10), 100).await.unwrap(), 0);
    assert_eq!(operations.prune(at(40), 2).await.unwrap(), 2, "no more at once than was asked for");
    assert_eq!(operations.get(&id("a")).await.unwrap(), None);
    assert!(operations.get(&id("c")).await.unwrap().is_some(), "the oldest go first");
    assert_eq!(operations.prune(at(40), 2).await.unwrap(), 1);
    assert_eq!(operations.prune(at(40), 2).await.unwrap(), 0);
    let left: Vec<String> =
        operations.list(&ListQuery::default()).await.unwrap().items.iter().map(|one| one.id.to_string()).collect();
    assert_eq!(left, ["runs", "waits", "late", "failed"]);
    assert_eq!(operations.events(&id("a"), 0, 100).await.unwrap(), []);
    assert!(!operations.events(&id("late"), 0, 100).await.unwrap().is_empty());
    assert_eq!(total().await, 5, "a counter does not go back");
    assert_eq!(operations.prune(at(1000), 100).await.unwrap(), 1);
    assert_eq!(total().await, 5);

    // Its key lives as long as the operation does, and its name is free again.
    assert_eq!(operations.requested(&key("a")).await.unwrap(), None);
    assert!(operations.requested(&key("failed")).await.unwrap().is_some());
    assert!(!operations.create(fresh("a"), at(60)).await.unwrap().existing);

    for second in 0..5 {
        let entry = AuditEntry {
            at: at(second),
            actor: "ann".to_owned(),
            action: "cancel".to_owned(),
            target: format!("t-{second}"),
            outcome: "accepted".to_owned(),
            detail: json!({}),
        };
        audit.append(&entry).await.unwrap();
    }
    assert_eq!(audit.prune(at(4), 3).await.unwrap(), 3);
    assert_eq!(audit.prune(at(4), 3).await.unwrap(), 1);
    assert_eq!(audit.prune(at(4), 3).await.unwrap(), 0);
    let left = audit.entries(&AuditQuery::default()).await.unwrap().items;
    assert_eq!(left.iter().map(|entry| entry.target.as_str()).collect::<Vec<_>>(), ["t-4"]);
}

async fn counts_what_is_stored(store: &Store, _place: &Place) {
    let (operations, vms, counts) = (store.operations(), store.vms(), store.counts());
    let mut east = vm("a", "aws", "i-1", "running");
    east.instance.region = Some("us-east-1".to_owned());
    for vm in [east, vm("b", "aws", "i-2", "running"), vm("c", "aws", "i-3", "stopped")] {
        vms.put_vm(&vm).await.unwrap();
    }
    vms.delete_vm(&VmId::new("vm-c").unwrap(), at(1)).await.unwrap();
    let mut found = counts.vm_counts().await.unwrap();
    found.sort_by(|a, b| a.region.cmp(&b.region));
    let expected = |region: &str| VmCount { provider: "aws".to_owned(), region: region.to_owned(), count: 1 };
    assert_eq!(found, [expected(""), expected("us-east-1")]);

    let summary = json!({ "source": "aws", "destination": "local" });
    for name in ["a", "b", "c"] {
        operations.create(NewOperation { summary: Some(summary.clone()), ..new(name) }, at(0)).await.unwrap();
    }
    assert_eq!(counts.ended_counts(&["import"]).await.unwrap(), []);
    for name in ["a", "b"] {
        operations.request(&id(name), Request::Cancel { by: "me".to_owned() }, at(1)).await.unwrap();
    }
    while let Some(operation) = claimed(store, "x", at(2)).await {
        let ended = Change::Ended { status: Status::Cancelled, fault: None, summary: None };
        operations.apply(operation.id(), operation.lease.generation, vec![ended], at(2)).await.unwrap();
    }
    let ended = counts.ended_counts(&["import", "export"]).await.unwrap();
    let of = |status| ended.iter().filter(|count| count.status == status).map(|count| count.count).sum::<u64>();
    assert_eq!(of(Status::Cancelled), 3);
    assert!(ended.iter().all(|count| (count.source.as_str(), count.destination.as_str()) == ("aws", "local")));
    assert_eq!(counts.ended_counts(&["export"]).await.unwrap(), []);
}
