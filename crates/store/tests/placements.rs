//! What every store must do with placements, on both databases.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::time::Duration;

use jiff::Timestamp;
use novacron_operations::{
    Change, Claim, Claimed, IdempotencyKey, NewOperation, OperationId, Options, Request, Status, UnwindCause,
};
use novacron_store::{Declared, Kept, PlacementQuery, Store, StoreError};
use novacron_types::{
    ProviderKind, VmId, VmRecord,
    placement::{PlacementFailure, PlacementRecord, PlacementStatus},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    all(&common::sqlite().url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    let Some(place) = common::postgres() else { return };
    all(&place.url).await;
}

async fn all(url: &str) {
    let store = Store::open(url).await.unwrap();
    keeps_placements(&store).await;
    counts_by_status(&store).await;
    lists_what_is_kept_and_what_machines_were_asked_for(&store).await;
    forgets_old_failures(&store).await;
    keeps_what_was_declared(&store).await;
    gives_a_run_to_one(&store).await;
    takes_on_work_with_what_it_sees_to(&store).await;
    work_is_taken_on_once_for_an_answer(&store).await;
    what_was_cancelled_before_it_began_has_failed(&store).await;
    what_was_claimed_and_cancelled_before_it_began_has_failed(&store).await;
    what_is_kept_once_is_the_first_ones(&store).await;
    forgets_what_nobody_needs(&store).await;
    a_dropped_taking_on_is_whole_or_not_at_all(&store).await;
    store.close().await;
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn placement(id: &str, vm_id: &str, status: &str) -> PlacementRecord {
    serde_json::from_value(json!({
        "placement_id": id, "vm_id": vm_id, "status": status, "created_at": at(1), "updated_at": at(1),
        "primary_placement": null, "alternative_placements": [], "strategy": "balanced",
        "weights": { "cost": 40.0 }, "considered": [], "rejections": [], "relaxations": [], "policies": [],
        "notes": ["ö"], "sources": [],
        "request": { "required_cpu": 2, "required_memory_gb": 0.5, "max_cost_per_hour": 0.0335057 },
    }))
    .unwrap()
}

async fn keeps_placements(store: &Store) {
    let placements = store.placements();
    for (id, vm_id) in [("p-1", "web"), ("p-2", "db"), ("p-3", "web")] {
        placements.put_placement(&placement(id, vm_id, "decided")).await.unwrap();
    }
    assert_eq!(placements.placement_of("web").await.unwrap().unwrap().placement_id, "p-3");
    assert!(placements.placement_of("nobody").await.unwrap().is_none());
    let mut first = placements.placement("p-1").await.unwrap().unwrap();
    assert_eq!(first, placement("p-1", "web", "decided"));
    // What is written again is no newer for it.
    first.status = PlacementStatus::Created;
    placements.put_placement(&first).await.unwrap();
    assert_eq!(placements.placement_of("web").await.unwrap().unwrap().placement_id, "p-3");

    let ids = |page: &novacron_store::Page<PlacementRecord>| -> Vec<String> {
        page.items.iter().map(|p| p.placement_id.clone()).collect()
    };
    let page = placements.placements(&PlacementQuery { limit: 2, ..PlacementQuery::default() }).await.unwrap();
    assert_eq!(ids(&page), ["p-3", "p-2"]);
    let rest = PlacementQuery { cursor: page.next, ..PlacementQuery::default() };
    let rest = placements.placements(&rest).await.unwrap();
    assert_eq!((ids(&rest), rest.next), (vec!["p-1".to_owned()], None));
    let created = PlacementQuery { status: Some(PlacementStatus::Created), ..PlacementQuery::default() };
    assert_eq!(ids(&placements.placements(&created).await.unwrap()), ["p-1"]);
    let of_web = PlacementQuery { vm_id: Some("web".to_owned()), ..PlacementQuery::default() };
    assert_eq!(ids(&placements.placements(&of_web).await.unwrap()), ["p-3", "p-1"]);
}

/// Of the placements that were stored until here.
async fn counts_by_status(store: &Store) {
    let counts = store.counts().placement_counts().await.unwrap();
    assert_eq!(counts, [(PlacementStatus::Created, 1), (PlacementStatus::Decided, 2)].into());
}

async fn lists_what_is_kept_and_what_machines_were_asked_for(store: &Store) {
    let placements = store.placements();
    for (name, manifest) in [("note:b", json!({ "a": 1 })), ("note:a", json!({})), ("notes", json!({ "a": 1 }))] {
        let declared = Declared { name: name.to_owned(), manifest, updated_at: at(1) };
        placements.put_declared(&declared).await.unwrap();
    }
    let kept = placements.kept("note").await.unwrap();
    assert_eq!(kept.iter().map(|kept| kept.name.as_str()).collect::<Vec<_>>(), ["note:b"]);

    let machine = |name: &str| -> VmRecord {
        serde_json::from_value(json!({
            "vm_id": name, "name": name, "provider": "aws", "created_at": at(1), "updated_at": at(1),
            "instance": {
                "instance_id": name, "name": null, "state": "running", "region": null, "zone": null, "spec": {},
                "disks": [], "interfaces": [], "image": null, "launched_at": null,
            },
        }))
        .unwrap()
    };
    let vms = store.vms();
    for name in ["web", "db", "unplaced"] {
        vms.put_vm(&machine(name)).await.unwrap();
    }
    vms.delete_vm(&VmId::new("db").unwrap(), at(2)).await.unwrap();
    let mut newest = placement("p-4", "web", "decided");
    newest.request.required_cpu = Some(8);
    placements.put_placement(&newest).await.unwrap();
    let asked = placements.asked_of_vms().await.unwrap();
    assert_eq!(asked, [("web".to_owned(), newest.request)].into());
    vms.delete_vm(&VmId::new("web").unwrap(), at(2)).await.unwrap();
}

async fn forgets_old_failures(store: &Store) {
    let placements = store.placements();
    let failure = |region: &str, second| PlacementFailure {
        kind: ProviderKind::Aws,
        region: region.to_owned(),
        instance_type: "m5.large".to_owned(),
        code: "no_capacity".to_owned(),
        message: "none left".to_owned(),
        at: at(second),
    };
    for failure in [failure("us-east-1", 10), failure("us-east-2", 20), failure("us-east-1", 30)] {
        placements.note_failure(&failure).await.unwrap();
    }
    let known = placements.failures(at(15)).await.unwrap();
    assert_eq!(
        known.iter().map(|f| (f.region.as_str(), f.at)).collect::<Vec<_>>(),
        [("us-east-1", at(30)), ("us-east-2", at(20))]
    );
    assert_eq!(placements.failures(at(25)).await.unwrap().len(), 1);
    // What was forgotten does not come back.
    assert_eq!(placements.failures(at(0)).await.unwrap().len(), 1);
}

async fn keeps_what_was_declared(store: &Store) {
    let placements = store.placements();
    assert!(placements.declared("web").await.unwrap().is_none());
    let mut declared = Declared { name: "web".into(), manifest: json!({ "cpu": 2 }), updated_at: at(1) };
    placements.put_declared(&declared).await.unwrap();
    assert_eq!(placements.declared("web").await.unwrap().unwrap(), declared);
    declared.manifest = json!({ "cpu": 4 });
    placements.put_declared(&declared).await.unwrap();
    assert_eq!(placements.declared("web").await.unwrap().unwrap(), declared);
}

async fn gives_a_run_to_one(store: &Store) {
    let claims = (0..8).map(|_| {
        let placements = store.placements();
        tokio::spawn(async move { placements.claim_run("rebalance", at(60)).await.unwrap() })
    });
    let mut won = 0;
    for claim in claims {
        won += u32::from(claim.await.unwrap());
    }
    assert_eq!(won, 1);
    assert!(store.placements().claim_run("rebalance", at(120)).await.unwrap());
    assert!(store.placements().claim_run("other", at(60)).await.unwrap());
}

fn only(placements: &[PlacementRecord]) -> Kept<'_> {
    Kept { placements, ..Kept::default() }
}

fn work(id: &str, exclusive: &str) -> NewOperation {
    NewOperation {
        id: OperationId::new(id).unwrap(),
        kind: "create".to_owned(),
        subject: id.to_owned(),
        state: json!({}),
        steps: vec!["create".to_owned()],
        summary: None,
        controls: json!({}),
        exclusive: vec![exclusive.to_owned()],
        idempotency: Some(IdempotencyKey { key: format!("key of {id}"), digest: "d".to_owned() }),
        options: Options::default(),
    }
}

async fn takes_on_work_with_what_it_sees_to(store: &Store) {
    let placements = store.placements();
    let declared = |name: &str| Declared { name: name.to_owned(), manifest: json!({ "of": name }), updated_at: at(1) };
    let kept = async |id: &str, name: &str| {
        let found = placements.placement(id).await.unwrap();
        (found.is_some(), placements.declared(name).await.unwrap().is_some())
    };
    let records = ["t-1", "t-2"].map(|id| placement(id, id, "creating"));
    let made = placements
        .take_on(work("w-1", "VM t"), Kept { placements: &records, declared: &[declared("t-1")], once: None }, at(1))
        .await
        .unwrap();
    assert!(!made.existing);
    assert!(store.operations().get(made.operation.id()).await.unwrap().is_some());
    assert_eq!((kept("t-1", "t-1").await, kept("t-2", "t-2").await), ((true, true), (true, false)));

    // What another is at work on is refused, with all that came with it.
    let refused = placements.take_on(work("w-2", "VM t"), only(&[placement("t-3", "t-3", "creating")]), at(2)).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert!(store.operations().get(&OperationId::new("w-2").unwrap()).await.unwrap().is_none());
    assert_eq!(kept("t-3", "t-3").await, (false, false));

    // The same request again finds what it had started, and writes over nothing.
    let again = [placement("t-1", "t-1", "failed"), placement("t-4", "t-4", "creating")];
    let found = placements
        .take_on(work("w-1", "VM t"), Kept { placements: &again, declared: &[declared("t-4")], once: None }, at(3))
        .await
        .unwrap();
    assert!(found.existing && found.operation.id() == made.operation.id());
    assert_eq!(placements.placement("t-1").await.unwrap().unwrap(), records[0]);
    assert_eq!(kept("t-4", "t-4").await, (false, false));
}

async fn forgets_what_nobody_needs(store: &Store) {
    let placements = store.placements();
    let declare = async |name: &str, manifest, second| {
        let declared = Declared { name: name.to_owned(), manifest, updated_at: at(second) };
        placements.put_declared(&declared).await.unwrap();
    };
    let place = async |id: &str, vm: &str, second, status| {
        let record = PlacementRecord { updated_at: at(second), ..placement(id, vm, status) };
        placements.put_placement(&record).await.unwrap();
    };
    declare("p-declared", json!({ "a": 1 }), 10).await;
    for (name, manifest) in
        [("plan:old", json!({ "a": 1 })), ("sent:gone", json!({})), ("sent:away", json!({ "a": 1 }))]
    {
        declare(name, manifest, 10).await;
    }
    declare("plan:new", json!({ "a": 1 }), 5000).await;
    place("q-1", "p-declared", 10, "decided").await;
    place("q-2", "p-declared", 11, "decided").await;
    place("q-3", "p-idea", 10, "decided").await;
    place("q-4", "p-late", 5000, "decided").await;
    place("q-5", "p-made", 10, "creating").await;
    while placements.prune(at(4000), 1).await.unwrap() > 0 {}
    let mut left = Vec::new();
    for id in ["q-1", "q-2", "q-3", "q-4", "q-5"] {
        left.extend(placements.placement(id).await.unwrap().map(|found| found.placement_id));
    }
    assert_eq!(left, ["q-2", "q-4", "q-5"]);
    let mut left = Vec::new();
    for name in ["p-declared", "plan:old", "plan:new", "sent:gone", "sent:away"] {
        left.extend(placements.declared(name).await.unwrap().map(|found| found.name));
    }
    assert_eq!(left, ["p-declared", "plan:new", "sent:away"]);
}

/// Of several at once one is first, and only what came with it is stored.
async fn what_is_kept_once_is_the_first_ones(store: &Store) {
    let placements = store.placements();
    let keep = async |number: usize| {
        let name = "burst:once".to_owned();
        let declared = Declared { name, manifest: json!({ "of": number }), updated_at: at(1) };
        let record = placement(&format!("once-{number}"), "once", "decided");
        placements.keep_once(&[record], &[], &declared).await.unwrap()
    };
    let mut found = Vec::new();
    for _ in 0..2 {
        found.extend(futures::future::join_all((0..4).map(&keep)).await);
    }
    let first = placements.declared("burst:once").await.unwrap().unwrap();
    assert_eq!(found.iter().filter(|found| found.is_none()).count(), 1, "{found:?}");
    assert!(found.iter().flatten().all(|found| *found == first), "{found:?}");
    let of = PlacementQuery { vm_id: Some("once".to_owned()), ..PlacementQuery::default() };
    let kept = placements.placements(&of).await.unwrap().items;
    let ids: Vec<_> = kept.iter().map(|kept| kept.placement_id.clone()).collect();
    assert_eq!(ids, [format!("once-{}", first.manifest["of"])]);
}

/// One answer is first, whether it tells of work or of none, and nothing is left of the others.
async fn work_is_taken_on_once_for_an_answer(store: &Store) {
    let placements = store.placements();
    let answer = |name: &str, number: u32| Declared {
        name: name.to_owned(),
        manifest: json!({ "of": number }),
        updated_at: at(1),
    };
    let take_on = async |id: &str, once: &Declared| {
        let records = [placement(&format!("{id}-p"), id, "creating")];
        let kept = Kept { placements: &records, declared: &[], once: Some(once) };
        placements.take_on(work(id, id), kept, at(1)).await
    };
    let kept = async |id: &str| placements.placement(&format!("{id}-p")).await.unwrap().is_some();
    // Work, then an answer without any.
    take_on("once-1", &answer("a:1", 1)).await.unwrap();
    let first = placements.keep_once(&[placement("late", "late", "decided")], &[], &answer("a:1", 2)).await.unwrap();
    assert_eq!((first.unwrap().manifest["of"].as_u64(), kept("once-1").await), (Some(1), true));
    assert_eq!(placements.placement("late").await.unwrap(), None);
    // The other way around.
    assert_eq!(placements.keep_once(&[], &[], &answer("a:2", 1)).await.unwrap(), None);
    let refused = take_on("once-2", &answer("a:2", 2)).await.unwrap_err();
    assert_eq!((refused, kept("once-2").await), (StoreError::AnsweredBefore("a:2".to_owned()), false));
    assert_eq!(store.operations().get(&OperationId::new("once-2").unwrap()).await.unwrap(), None);
    take_on("once-2", &answer("a:3", 1)).await.unwrap();
}

/// No step of the work runs that could say so.
async fn what_was_cancelled_before_it_began_has_failed(store: &Store) {
    let placements = store.placements();
    let of = |id: &str, work: &str| PlacementRecord {
        operation_id: Some(OperationId::new(work).unwrap()),
        ..placement(id, id, "creating")
    };
    let taken = placements.take_on(work("c-1", "VM c-1"), only(&[of("c-1", "c-1")]), at(1)).await.unwrap();
    placements.take_on(work("c-2", "VM c-2"), only(&[of("c-2", "c-2")]), at(1)).await.unwrap();
    let cancel = Request::Cancel { by: "ann".to_owned() };
    let ended = store.operations().request(taken.operation.id(), cancel, at(2)).await.unwrap();
    assert!(ended.is_terminal());
    let status = async |id: &str| placements.placement(id).await.unwrap().unwrap().status;
    assert_eq!((status("c-1").await, status("c-2").await), (PlacementStatus::Failed, PlacementStatus::Creating));
}

/// Nor does one where it was claimed before it was cancelled.
async fn what_was_claimed_and_cancelled_before_it_began_has_failed(store: &Store) {
    let (placements, operations) = (store.placements(), store.operations());
    let new = NewOperation { kind: "claimed".to_owned(), ..work("c-3", "VM c-3") };
    let id = new.id.clone();
    let record = PlacementRecord { operation_id: Some(id.clone()), ..placement("c-3", "c-3", "creating") };
    placements.take_on(new, only(&[record]), at(1)).await.unwrap();
    let claim = Claim { owner: "me".to_owned(), ttl: Duration::from_secs(30), kinds: vec!["claimed".to_owned()] };
    let Claimed::Operation(claimed) = operations.claim(&claim, at(2)).await.unwrap() else { panic!("nothing to do") };
    let ended = operations.request(&id, Request::Cancel { by: "ann".to_owned() }, at(3)).await.unwrap();
    assert!(!ended.is_terminal(), "its owner has to say so");
    let end = [
        Change::Unwinding { cause: UnwindCause::Cancelled, fault: None, state: None },
        Change::Ended { status: Status::Cancelled, fault: None, summary: None },
    ];
    operations.apply(&id, claimed.lease.generation, end.to_vec(), at(4)).await.unwrap();
    assert_eq!(placements.placement("c-3").await.unwrap().unwrap().status, PlacementStatus::Failed);
}

/// Given up after so many polls, from none to all that it takes.
async fn a_dropped_taking_on_is_whole_or_not_at_all(store: &Store) {
    let placements = store.placements();
    let (mut whole, mut nothing) = (0, 0);
    for polls in 0..200 {
        let id = format!("dropped-{polls}");
        let records = [placement(&format!("{id}-a"), &id, "creating"), placement(&format!("{id}-b"), &id, "creating")];
        let declared = [Declared { name: id.clone(), manifest: json!({}), updated_at: at(1) }];
        let mut call = Box::pin(placements.take_on(
            work(&id, &id),
            Kept { placements: &records, declared: &declared, once: None },
            at(1),
        ));
        let mut left = polls;
        let ended = std::future::poll_fn(|cx| {
            if left == 0 {
                return std::task::Poll::Ready(None);
            }
            left -= 1;
            call.as_mut().poll(cx).map(Some)
        })
        .await;
        drop(call);
        // The writer's queue: what was begun has ended when this is through.
        placements.put_declared(&declared[0].clone()).await.unwrap();
        let operation = store.operations().get(&OperationId::new(id.as_str()).unwrap()).await.unwrap().is_some();
        for record in &records {
            let kept = placements.placement(&record.placement_id).await.unwrap().is_some();
            assert_eq!(kept, operation, "after {polls} polls");
        }
        (whole, nothing) = if operation { (whole + 1, nothing) } else { (whole, nothing + 1) };
        if let Some(ended) = ended {
            ended.unwrap();
            assert!(operation && nothing > 0, "{whole} whole, {nothing} not at all");
            return;
        }
    }
    panic!("it did not end within 200 polls");
}
