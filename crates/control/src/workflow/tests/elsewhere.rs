//! Places that stumble, are full, or refuse: the next best one is taken, and what is left is told.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use novacron_operations::{
    Backoff, Engine, EngineConfig, MemoryStore, OperationRecord, RetryPolicy, Status, Submission, testkit::Scenario,
};
use novacron_provider::{
    ErrorKind, Patience, Provider,
    chaos::{Chaos, Fault, When},
    memory::MemoryProvider,
};
use novacron_types::{VmId, VmRecord, VmSpec, placement::PlanMode};

use super::create::{ALWAYS, Hosts, TwoMachines, at_full, decided, hosts, hosts_within};
use crate::workflow::{Create, CreateState};

/// With little patience.
fn engine(world: &Hosts) -> Engine {
    let moments = |first, most| (Duration::from_millis(first), Duration::from_millis(most));
    let ((first, most), limit) = (moments(1, 5), Duration::from_millis(300));
    let backoff = Backoff { first, longest: most };
    let retry = RetryPolicy { permanent: 1, backoff, ..RetryPolicy::default() };
    let engine = Engine::builder(Arc::new(MemoryStore::new()))
        .config(EngineConfig { poll: most, retry, ..EngineConfig::default() })
        .register(Create { patience: Patience { first, most, limit }, ..Create::new(world.tools.clone()) })
        .build();
    engine.start();
    engine
}

/// What comes of making the machines of this world.
async fn made(world: &Hosts, mode: PlanMode) -> OperationRecord {
    let engine = engine(world);
    let submission = TwoMachines.submission(world);
    let submission = Submission { state: CreateState { mode, ..submission.state.clone() }, ..submission };
    let id = engine.submit::<Create>(submission).await.unwrap().record.id;
    let ended = tokio::time::timeout(Duration::from_secs(60), engine.wait(&id)).await;
    engine.shutdown(Duration::from_secs(5)).await;
    ended.expect("it does not end").unwrap()
}

async fn remembered(world: &Hosts) -> Vec<String> {
    let failures = world.tools.store.placements().failures(Timestamp::UNIX_EPOCH).await.unwrap();
    failures.into_iter().map(|failure| failure.region).collect()
}

#[tokio::test]
async fn the_next_place_is_tried_and_the_failure_remembered() {
    let world = hosts().await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.error, None);
    let told = ended.summary.unwrap();
    assert_eq!(told[0]["provider"], "roomy");
    assert_eq!(told[0]["tried"][0]["code"], "no_capacity");
    assert_eq!(remembered(&world).await, ["full"]);
    let kept = world.tools.store.placements().placement_of("vm-0").await.unwrap().unwrap();
    assert!(kept.decision.notes.iter().any(|note| note.contains("tried at full")), "{:?}", kept.decision.notes);
}

/// The cheaper host does not answer when it is asked for a machine.
fn away(provider: MemoryProvider) -> Chaos {
    at_full(&provider, [("create", ALWAYS, Fault::FailBefore(ErrorKind::Unavailable))])
}

#[tokio::test]
async fn a_place_that_does_not_answer_is_left_for_the_next() {
    let world = hosts_within(0, away).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.error, None);
    let told = ended.summary.unwrap();
    for machine in told.as_array().unwrap() {
        assert_eq!((&machine["provider"], &machine["tried"][0]["code"]), (&"roomy".into(), &"unavailable".into()));
    }
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 2));
    assert_eq!(remembered(&world).await, ["full"]);
}

/// The cheaper host stumbles for longer than a call is repeated, and then no more.
fn stumbles(provider: MemoryProvider) -> Chaos {
    let first = (0..7).map(|call| ("create", When::Nth(call), Fault::FailBefore(ErrorKind::Unavailable)));
    at_full(&provider, first)
}

#[tokio::test]
async fn a_place_that_stumbles_is_asked_again() {
    let world = hosts_within(0, stumbles).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.error, None);
    let told = ended.summary.unwrap();
    assert_eq!((&told[0]["provider"], &told[0]["tried"]), (&"full".into(), &serde_json::json!([])));
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (2, 0));
}

#[tokio::test]
async fn a_machine_that_never_runs_is_made_elsewhere() {
    let world = hosts_within(u32::MAX, |_| Chaos::new(1, [])).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.error, None);
    let told = ended.summary.unwrap();
    assert_eq!((&told[0]["provider"], &told[0]["tried"][0]["code"]), (&"roomy".into(), &"unavailable".into()));
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 2), "what never ran is left");
}

/// The cheaper host refuses everything, as one does whose credentials were revoked.
fn refuses(provider: MemoryProvider) -> Chaos {
    at_full(&provider, ["create", "sweep"].map(|call| (call, ALWAYS, Fault::FailBefore(ErrorKind::Unauthorised))))
}

#[tokio::test]
async fn a_place_that_refuses_to_be_swept_is_left_all_the_same() {
    let world = hosts_within(0, refuses).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!((ended.status, ended.error), (Status::Completed, None));
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 2));
    let told = ended.summary.unwrap();
    assert_eq!(told[0]["tried"][0]["may_be_left"], true);
    let kept = world.tools.store.placements().placement_of("vm-0").await.unwrap().unwrap();
    let note = "something may be left at full, which could not be swept";
    assert!(kept.decision.notes.iter().any(|found| found.starts_with(note)), "{:?}", kept.decision.notes);
}

#[tokio::test]
async fn where_no_other_place_would_do_a_place_that_refuses_is_the_end() {
    let mut world = hosts_within(0, refuses).await;
    for record in &mut world.records {
        record.request.constraints = vec![
            serde_json::from_value(serde_json::json!(
                { "type": "provider", "operator": "==", "value": "full" }
            ))
            .unwrap(),
        ];
    }
    let ended = made(&world, PlanMode::BestEffort).await;
    assert_eq!((ended.status, ended.error), (Status::Completed, None));
    let told = ended.summary.unwrap();
    assert!(told[0]["given_up"].as_str().unwrap().contains("no place is left for vm-0 after 1 failed"), "{told}");
}

/// The cheaper host makes machines, but its answers are lost, and for a while it does not answer at all.
fn loses_answers(provider: MemoryProvider) -> Chaos {
    let lost = ("create", ALWAYS, Fault::FailAfter(ErrorKind::Unavailable));
    let first = (0..5).map(|call| ("sweep", When::Nth(call), Fault::FailBefore(ErrorKind::Unavailable)));
    at_full(&provider, first.chain([lost]))
}

#[tokio::test]
async fn what_could_not_be_swept_at_once_is_swept_at_the_end() {
    let world = hosts_within(0, loses_answers).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.error, None);
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 2));
    assert_eq!(ended.summary.unwrap()[0]["tried"][0]["may_be_left"], false);
}

/// The cheaper host makes machines, but their answers are lost, and then it does not answer any more.
fn goes_away(provider: MemoryProvider) -> Chaos {
    let lost = ("create", ALWAYS, Fault::FailAfter(ErrorKind::Unavailable));
    at_full(&provider, [lost, ("sweep", ALWAYS, Fault::FailBefore(ErrorKind::Unavailable))])
}

#[tokio::test]
async fn what_can_not_be_swept_holds_the_work_but_undoes_nothing() {
    let world = hosts_within(0, goes_away).await;
    let engine = engine(&world);
    let id = engine.submit::<Create>(TwoMachines.submission(&world)).await.unwrap().record.id;
    let mut watch = engine.watch(&id).await.unwrap();
    let held = async {
        loop {
            let record = watch.next().await.expect("it ends").unwrap();
            if record.status == Status::Held {
                return record;
            }
        }
    };
    let held = tokio::time::timeout(Duration::from_secs(60), held).await.expect("it is not held");
    assert!(held.hold.unwrap().reason.contains("can't be removed yet"));
    assert_eq!(world.tools.store.vms().vms(&Default::default()).await.unwrap().items.len(), 2);
    engine.continue_(&id, "someone").await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), engine.wait(&id)).await.expect("it hangs").unwrap();
    assert_eq!((ended.status, ended.error), (Status::Completed, None));
    engine.shutdown(Duration::from_secs(5)).await;
}

/// The cheaper host makes one machine, and then refuses all that is asked.
fn one_and_no_more(provider: MemoryProvider) -> Chaos {
    let full = ("create", When::Nth(1), Fault::FailBefore(ErrorKind::NoCapacity));
    at_full(&provider, [full, ("sweep", ALWAYS, Fault::FailBefore(ErrorKind::Unauthorised))])
}

#[tokio::test]
async fn what_can_not_be_removed_keeps_nothing_else() {
    let mut world = hosts_within(0, one_and_no_more).await;
    let mut huge = decided("vm-2");
    huge.request.required_cpu = Some(1_000_000);
    world.records.push(huge);
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!(ended.status, Status::Failed, "a person is needed for what is left at one place");
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (1, 0));
}

/// Somebody else has made a machine of that name since this was asked for.
async fn taken(world: &Hosts) -> VmRecord {
    let id = world.roomy.seed_instance("vm-0", VmSpec::default(), &[b"bytes"]);
    let record = VmRecord {
        vm_id: VmId::new("vm-0").unwrap(),
        name: "vm-0".to_owned(),
        provider: world.roomy.identity().name.clone(),
        instance: world.roomy.get(&id).await.unwrap(),
        placed_by: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    };
    world.tools.store.vms().put_vm(&record).await.unwrap();
    record
}

#[tokio::test]
async fn a_name_that_was_taken_since_is_no_name_for_a_second_machine() {
    let world = hosts().await;
    let record = taken(&world).await;
    let ended = made(&world, PlanMode::AllOrNothing).await;
    assert_eq!((ended.status, ended.error.unwrap().code.as_str()), (Status::RolledBack, "vm_exists"));
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 1));
    assert_eq!(world.tools.store.vms().vm(&record.vm_id).await.unwrap(), Some(record));
}

#[tokio::test]
async fn with_best_effort_a_taken_name_keeps_no_other() {
    let world = hosts().await;
    let record = taken(&world).await;
    let ended = made(&world, PlanMode::BestEffort).await;
    assert_eq!((ended.status, ended.error), (Status::Completed, None));
    let told = ended.summary.unwrap();
    assert!(told[0]["given_up"].as_str().unwrap().contains("there is a VM vm-0 already"), "{told}");
    assert_eq!((world.full.counts().instances, world.roomy.counts().instances), (0, 2));
    assert_eq!(world.tools.store.vms().vm(&record.vm_id).await.unwrap(), Some(record));
}
