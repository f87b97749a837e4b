//! Bursts with machines that really move and are really made, on hosts in memory.

use std::time::Duration;

use novacron_operations::{EngineConfig, NewOperation, OperationId, OperationRecord, Options, Status};
use novacron_provider::{
    ErrorKind, Provider,
    chaos::{Chaos, Fault, Rule, When},
    memory::MemoryProvider,
};
use novacron_store::PlacementQuery;
use novacron_types::placement::{
    ApplyAction, ApplyRequest, BurstAnswer, BurstOutcome, BurstRequest,
    BurstResult::{self, Failed, LeftOut, Made, Moved, Stays, TakenBack},
    PlacementRequest, PlacementStatus, PlanMode,
};
use serde_json::{Value, json};

use super::super::overflow::tests::{Stage, caller};
use crate::{Change, ControlError};

async fn stage(far_vcpus: u32) -> Stage {
    let stage = Stage::new(far_vcpus).await;
    stage.machine("a", 4).await;
    stage.machine("b", 4).await;
    stage
}

pub(super) async fn burst(
    stage: &Stage,
    mode: PlanMode,
    key: Option<&str>,
    machines: Value,
) -> Result<BurstAnswer, ControlError> {
    let requests: Vec<PlacementRequest> = serde_json::from_value(machines).unwrap();
    stage.control.burst(BurstRequest { requests, mode: Some(mode) }, caller(key), false).await
}

pub(super) fn both() -> Value {
    json!([{ "vm_id": "a" }, { "vm_id": "b" }])
}

pub(super) fn made(name: &str, image: &impl ToString) -> Value {
    json!({ "vm_id": name, "required_cpu": 1, "required_memory_gb": 1, "create": true, "image": image.to_string() })
}

/// Something else is at work on a VM, and does not end.
pub(super) async fn busy(stage: &Stage, vm_id: &str) {
    let new = NewOperation {
        id: OperationId::new("other-work").unwrap(),
        kind: "unknown".to_owned(),
        subject: vm_id.to_owned(),
        state: json!({}),
        steps: Vec::new(),
        summary: None,
        controls: json!({}),
        exclusive: vec![format!("VM {vm_id}")],
        idempotency: None,
        options: Options::default(),
    };
    stage.control.store().operations().create(new, jiff::Timestamp::now()).await.unwrap();
}

pub(super) async fn whereabouts(stage: &Stage) -> (String, String) {
    (stage.at("a").await, stage.at("b").await)
}

pub(super) fn at(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

/// What the last burst says of each machine.
pub(super) async fn told(stage: &Stage) -> Vec<BurstOutcome> {
    let told = stage.ended("burst").await.pop().unwrap().summary.unwrap();
    serde_json::from_value(told["machines"].clone()).unwrap()
}

pub(super) async fn results(stage: &Stage) -> Vec<(String, BurstResult)> {
    told(stage).await.into_iter().map(|outcome| (outcome.vm_id, outcome.result)).collect()
}

pub(super) fn each<const N: usize>(of: [(&str, BurstResult); N]) -> Vec<(String, BurstResult)> {
    of.map(|(vm, result)| (vm.to_owned(), result)).to_vec()
}

/// One place refuses to make one disk: the so-manyeth.
fn refuses(provider: &MemoryProvider, at: &str, nth: u32) -> Option<Rule> {
    let fault = Fault::FailBefore(ErrorKind::Unauthorised);
    let rule = Rule { operation: Some("create_disk"), when: When::Nth(nth), fault };
    Some(rule).filter(|_| provider.identity().name.as_str() == at)
}

/// `far` has no disk for the second machine.
fn second_fails(provider: MemoryProvider) -> Chaos {
    Chaos::new(0, refuses(&provider, "far", 1))
}

/// The same, and the first does not come home at the first try.
fn and_home_is_shut(provider: MemoryProvider) -> Chaos {
    Chaos::new(0, refuses(&provider, "far", 1).or(refuses(&provider, "near", 0)))
}

/// Two machines that move one after the other.
async fn in_turn(layer: fn(MemoryProvider) -> Chaos) -> Stage {
    let stage = Stage::at_once(64, Duration::ZERO, layer, 1).await;
    stage.machine("a", 2).await;
    stage.machine("b", 2).await;
    stage
}

/// What the placements of `a`, `b` and `c` say.
async fn placed(stage: &Stage) -> [PlacementStatus; 3] {
    let of = async |name| stage.control.placement(name).await.unwrap().status;
    [of("a").await, of("b").await, of("c").await]
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_of_all_or_nothing_fails_the_others_are_moved_home() {
    let stage = in_turn(second_fails).await;
    let image = stage.far.seed_image("debian", b"an image");
    let machines = json!([{ "vm_id": "a" }, { "vm_id": "b" }, made("c", &image)]);
    burst(&stage, PlanMode::AllOrNothing, None, machines).await.unwrap();
    let ended = stage.ended("burst").await.pop().unwrap();
    assert_eq!((ended.status, ended.error.unwrap().code.as_str()), (Status::RolledBack, "move_failed"));
    assert_eq!(results(&stage).await, each([("c", TakenBack), ("a", TakenBack), ("b", Failed)]));
    let told = told(&stage).await;
    assert!(told[1].home_by.is_some() && told[2].why.as_ref().unwrap().contains("rolled_back"), "{told:#?}");
    assert_eq!(whereabouts(&stage).await, at("near", "near"));
    assert_eq!((stage.near.counts().instances, stage.far.counts().instances), (2, 0));
    assert_eq!(placed(&stage).await, [PlacementStatus::Failed; 3]);
    assert!(stage.control.vm("c").await.is_err());
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn best_effort_leaves_what_has_moved() {
    let stage = in_turn(second_fails).await;
    let image = stage.far.seed_image("debian", b"an image");
    let machines = json!([{ "vm_id": "a" }, { "vm_id": "b" }, made("c", &image)]);
    burst(&stage, PlanMode::BestEffort, None, machines).await.unwrap();
    assert_eq!(stage.ended("burst").await.pop().unwrap().status, Status::Completed);
    assert_eq!(results(&stage).await, each([("c", Made), ("a", Moved), ("b", Failed)]));
    assert_eq!(whereabouts(&stage).await, at("far", "near"));
    assert_eq!(placed(&stage).await, [PlacementStatus::Created, PlacementStatus::Failed, PlacementStatus::Created]);
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// It is said, and tried again when a person says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_taken_back_waits_for_a_person() {
    let stage = in_turn(and_home_is_shut).await;
    burst(&stage, PlanMode::AllOrNothing, None, both()).await.unwrap();
    let ended = stage.ended("burst").await.pop().unwrap();
    let error = ended.error.unwrap();
    assert_eq!((ended.status, error.code.as_str()), (Status::Failed, "not_taken_back"), "{error:?}");
    assert!(error.message.contains("a stays at far"), "{}", error.message);
    assert_eq!(results(&stage).await, each([("a", Stays), ("b", Failed)]));
    assert_eq!(whereabouts(&stage).await, at("far", "near"));
    // Whoever asks for a migration of this id does nothing to it.
    let other = stage.control.change(&ended.id, Change::Retry, "someone").await.unwrap_err();
    assert_eq!(other.code, "no_such_migration");
    assert_eq!(stage.ended("burst").await.pop().unwrap().status, Status::Failed);
    stage.control.inner.engine.retry(&ended.id, "someone").await.unwrap();
    assert_eq!(stage.ended("burst").await.pop().unwrap().status, Status::RolledBack);
    assert_eq!(results(&stage).await, each([("a", TakenBack), ("b", Failed)]));
    assert_eq!(whereabouts(&stage).await, at("near", "near"));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// What runs at the cloud already may have written there: it is not undone, but moved home after its grace period.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_arrived_comes_home_after_its_grace() {
    let stage = Stage::at_once(64, Duration::from_secs(3600), second_fails, 1).await;
    stage.machine("a", 2).await;
    stage.machine("b", 2).await;
    let answer = burst(&stage, PlanMode::AllOrNothing, None, both()).await.unwrap();
    let [first, second] = [0, 1].map(|index| answer.placed[index].migration_id.clone().unwrap());
    let engine = &stage.control.inner.engine;
    let wait = async {
        // The second fails, and the first is held, and not cancelled for that.
        assert_eq!(engine.wait(&second).await.unwrap().status, Status::RolledBack);
        let burst = answer.operation_id.as_ref().unwrap();
        while !engine.events(burst, 0, 100).await.unwrap().iter().any(|event| event.message.contains("comes home once"))
        {
            tokio::task::yield_now().await;
        }
        let held = engine.get(&first).await.unwrap().unwrap();
        assert_eq!((held.status, held.cancel_requested.is_none()), (Status::Held, true));
        engine.continue_(&first, "someone").await.unwrap();
        while engine.list(&Default::default()).await.unwrap().items.len() < 4 {
            tokio::task::yield_now().await;
        }
        // The way home has a grace period of its own.
        let home = engine.list(&Default::default()).await.unwrap().items[0].id.clone();
        while engine.get(&home).await.unwrap().unwrap().status != Status::Held {
            tokio::task::yield_now().await;
        }
        engine.continue_(&home, "someone").await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it does not come home");
    assert_eq!(results(&stage).await, each([("a", TakenBack), ("b", Failed)]));
    assert_eq!(whereabouts(&stage).await, at("near", "near"));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// How often a change is in the audit log.
async fn noted(stage: &Stage, action: &str) -> usize {
    let log = stage.control.audit(None, None).await.unwrap();
    log.items.iter().filter(|entry| entry.action == action).count()
}

/// What was taken on is no refusal, though the store is away by the time that it is looked for what has begun.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_that_was_taken_on_is_answered_whatever_can_be_read() {
    let stage = stage(64).await;
    let answer = burst(&stage, PlanMode::BestEffort, None, both()).await.unwrap();
    stage.settled().await;
    stage.control.store().close().await;
    assert!(stage.control.work(answer.operation_id.as_ref().unwrap()).await.is_err(), "the store is still there");
    assert_eq!(stage.control.told(answer.clone()).await.unwrap(), answer);
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// Whoever refuses at the beginning is who the caller hears of.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_at_the_beginning_stays_what_it_is() {
    // Once it is asked for the plan, and then as the move begins.
    let shut = |provider: MemoryProvider| {
        let fault = Fault::FailBefore(ErrorKind::Unauthorised);
        let rule = Rule { operation: Some("get"), when: When::Nth(1), fault };
        Chaos::new(0, Some(rule).filter(|_| provider.identity().name.as_str() == "near"))
    };
    let stage = Stage::within(64, Duration::ZERO, shut).await;
    stage.machine("a", 2).await;
    let refused = burst(&stage, PlanMode::AllOrNothing, None, json!([{ "vm_id": "a" }])).await.unwrap_err();
    assert!(refused.message.starts_with("a can't be taken to a cloud"), "{refused}");
    assert_eq!((refused.class, refused.code.as_str()), (crate::ErrorClass::ProviderRefused, "unauthorised"));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// More are held after they moved than are waited for at once, and the last one fails.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_machines_a_failure_is_seen_while_the_others_are_held() {
    const ALL: u32 = 66;
    let layer = |provider: MemoryProvider| Chaos::new(0, refuses(&provider, "far", ALL - 1));
    // So many that are held ask the store each time.
    let engine = EngineConfig { poll: Duration::from_millis(200), concurrency: 1, ..EngineConfig::default() };
    let stage = Stage::by(2 * ALL, Duration::from_secs(3600), layer, engine).await;
    let mut machines = Vec::new();
    for index in 0..ALL {
        stage.machine(&format!("m{index}"), 1).await;
        machines.push(json!({ "vm_id": format!("m{index}") }));
    }
    let answer = burst(&stage, PlanMode::AllOrNothing, None, json!(machines)).await.unwrap();
    let id = answer.operation_id.unwrap();
    let sees = async {
        let said = async || {
            let events = stage.control.events(&id, 0, 500).await.unwrap();
            events.iter().any(|event| event.message.contains("comes home once"))
        };
        while !said().await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), sees).await.expect("nobody saw that one has failed");
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// Nothing is made, and nothing moves: one answer all the same, and one decision.
#[tokio::test(flavor = "multi_thread")]
async fn one_key_has_one_answer_whoever_asks_at_once() {
    let stage = stage(64).await;
    let new = json!([{ "vm_id": "d", "required_cpu": 1, "required_memory_gb": 1 }, { "required_cpu": 1, "required_memory_gb": 1 }]);
    let asks = (0..6).map(|_| burst(&stage, PlanMode::BestEffort, Some("k"), new.clone()));
    let answers: Vec<_> = futures::future::join_all(asks).await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.placed.len() == 2), "{answers:#?}");
    // It is said that nothing comes of it.
    assert_eq!(answers[0].operation_id, None);
    assert!(answers[0].plan.notes.iter().any(|note| note.starts_with("Of 2 new machines only the places")));
    let placements = stage.control.store().placements();
    for placed in &answers[0].placed {
        let of = PlacementQuery { vm_id: Some(placed.vm_id.clone()), ..PlacementQuery::default() };
        assert_eq!(placements.placements(&of).await.unwrap().items.len(), 1, "{}", placed.vm_id);
    }
    let moves = (0..4).map(|_| burst(&stage, PlanMode::AllOrNothing, Some("m"), both()));
    let answers: Vec<_> = futures::future::join_all(moves).await.into_iter().map(Result::unwrap).collect();
    for answer in &answers {
        assert_eq!(json!(answer), json!(answers[0]));
    }
    assert!(answers[0].placed.iter().all(|placed| placed.migration_id.is_some()), "{answers:#?}");
    assert_eq!(stage.moves().await.len(), 2);
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_as_it_was_asked_for() {
    let stage = stage(64).await;
    let refused = |machines: Value| {
        let stage = &stage;
        async move { burst(stage, PlanMode::BestEffort, None, machines).await.unwrap_err() }
    };
    let sized = json!({ "required_cpu": 1, "required_memory_gb": 1 });
    let error = refused(json!([sized, {}])).await;
    assert!(error.message.starts_with("requests[1]: `required_cpu`: say how large"), "{error}");
    let error = refused(json!([sized, { "create": true, "required_cpu": 1 }])).await;
    assert!(error.message.starts_with("requests[1]: ") && error.code == "no_image", "{error}");
    let error = refused(json!([{ "vm_id": "x", "strategy": "cost" }])).await;
    assert!(error.message.starts_with("machine x: `required_cpu`: say how large"), "{error}");
    stage.machine("webserver", 1).await;
    let error = refused(json!([{ "vm_id": "websrver" }])).await;
    assert_eq!((error.code.as_str(), error.class), ("unknown_vm", crate::ErrorClass::NotFound));
    assert_eq!(error.message, "there is no VM `websrver`; did you mean `webserver`?");
    assert!(error.advice.unwrap().contains("required_cpu"));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_move_or_none() {
    let stage = stage(64).await;
    let answer = burst(&stage, PlanMode::AllOrNothing, None, both()).await.unwrap();
    assert!(answer.placed.iter().all(|placed| placed.migration_id.is_some()), "{answer:#?}");
    let ended = stage.settled().await;
    assert!(ended.iter().all(|record| record.status == Status::Completed), "{ended:#?}");
    assert_eq!(whereabouts(&stage).await, at("far", "far"));
    assert_eq!((stage.near.counts().instances, stage.far.counts().instances), (0, 2));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_has_no_place_none_moves_or_the_others_do() {
    let stage = stage(4).await;
    let answer = burst(&stage, PlanMode::AllOrNothing, None, both()).await.unwrap();
    assert!(answer.placed.is_empty() && stage.settled().await.is_empty(), "{answer:#?}");
    assert_eq!(whereabouts(&stage).await, at("near", "near"));

    let answer = burst(&stage, PlanMode::BestEffort, None, both()).await.unwrap();
    assert_eq!((answer.placed.len(), answer.plan.left_out.len()), (1, 1), "{answer:#?}");
    assert_eq!(stage.moves().await.len(), 1);
    assert_eq!((stage.near.counts().instances, stage.far.counts().instances), (1, 1));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_begun_is_taken_back_where_one_can_not_begin() {
    let stage = stage(64).await;
    busy(&stage, "b").await;
    let image = stage.far.seed_image("debian", b"an image");
    let machines = json!([made("c", &image), { "vm_id": "a" }, { "vm_id": "b" }]);
    let refused = burst(&stage, PlanMode::AllOrNothing, None, machines.clone()).await.unwrap_err();
    assert_eq!(refused.code, "already_at_work");
    assert!(
        refused.message.starts_with("b can't be taken to a cloud, and so nothing of the burst is done"),
        "{refused}"
    );
    let status = |ended: Vec<OperationRecord>| ended.into_iter().map(|record| record.status).collect::<Vec<_>>();
    assert_eq!(status(stage.ended("export").await), [Status::Cancelled]);
    // The machine may have been there before it could be cancelled; then it is removed, as is seen below.
    let made = status(stage.ended("create").await);
    assert!(made == [Status::Cancelled] || made == [Status::Completed], "{made:?}");
    assert_eq!(status(stage.ended("burst").await), [Status::RolledBack]);
    assert_eq!(whereabouts(&stage).await, at("near", "near"));
    assert_eq!((stage.near.counts().instances, stage.far.counts().instances), (2, 0));
    assert_eq!(stage.control.placement("c").await.unwrap().status, PlacementStatus::Failed);

    let answer = burst(&stage, PlanMode::BestEffort, None, json!([{ "vm_id": "a" }, { "vm_id": "b" }])).await.unwrap();
    assert_eq!(answer.placed.iter().map(|placed| placed.vm_id.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(answer.plan.left_out[0].vm_id, "b");
    stage.ended("burst").await;
    assert_eq!(whereabouts(&stage).await, at("far", "near"));
    assert_eq!(results(&stage).await, each([("a", Moved), ("b", LeftOut)]));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_again_does_nothing_more() {
    let stage = stage(64).await;
    let image = stage.far.seed_image("debian", b"an image");
    let machines = json!([made("c", &image), { "vm_id": "a" }]);
    let first = burst(&stage, PlanMode::BestEffort, Some("k"), machines.clone()).await.unwrap();
    let operation = first.operation_id.clone().unwrap();
    // From the first moment the record says who makes the machine.
    let told = stage.control.work(&operation).await.unwrap().summary.unwrap();
    let makes = stage.control.placement("c").await.unwrap().operation_id.unwrap();
    assert_eq!(
        (told["machines"][0]["operation_id"].as_str(), makes.as_str().split('-').next()),
        (Some(makes.as_str()), Some("create"))
    );
    let soon = burst(&stage, PlanMode::BestEffort, Some("k"), machines.clone()).await.unwrap();
    stage.settled().await;
    let late = burst(&stage, PlanMode::BestEffort, Some("k"), machines.clone()).await.unwrap();
    let began = |answer: &BurstAnswer| {
        let moves = answer.placed.iter().map(|placed| (placed.vm_id.clone(), placed.migration_id.clone()));
        (answer.burst_id.clone(), answer.operation_id.clone(), moves.collect::<Vec<_>>())
    };
    assert_eq!((began(&soon), began(&late)), (began(&first), began(&first)));
    assert_eq!(noted(&stage, "burst").await, 1, "a repeat is no new change");
    // The burst, the move and the making.
    assert_eq!((stage.settled().await.len(), stage.far.counts().instances), (3, 2));
    let other = burst(&stage, PlanMode::BestEffort, Some("k"), both()).await.unwrap_err();
    assert_eq!(other.code, "idempotency_key_reused");
    // Without the key it is another request, for a machine that there is.
    assert_eq!(burst(&stage, PlanMode::BestEffort, None, machines).await.unwrap_err().code, "vm_exists");
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_placed_once_for_a_key() {
    let stage = stage(64).await;
    let image = stage.far.seed_image("debian", b"an image");
    let mut request: PlacementRequest = serde_json::from_value(made("c", &image)).unwrap();
    request.constraints =
        serde_json::from_value(json!([{ "type": "provider", "operator": "==", "value": "far" }])).unwrap();
    let first = stage.control.place(request.clone(), caller(Some("k")), false).await.unwrap();
    let soon = stage.control.place(request.clone(), caller(Some("k")), false).await.unwrap();
    assert_eq!((&soon.placement_id, &soon.operation_id), (&first.placement_id, &first.operation_id));
    stage.settled().await;
    let late = stage.control.place(request, caller(Some("k")), false).await.unwrap();
    assert_eq!((&late.placement_id, late.status), (&first.placement_id, PlacementStatus::Created));
    assert_eq!(noted(&stage, "place").await, 1, "a repeat is no new change");
    assert_eq!(stage.settled().await.len(), 1);
    stage.control.shutdown(Duration::from_secs(5)).await;
}

fn manifest(image: &str) -> ApplyRequest {
    serde_json::from_value(json!({ "machines": [{
        "apiVersion": "novacron.io/v1alpha1", "kind": "VirtualMachine", "metadata": { "name": "app" },
        "spec": {
            "template": { "spec": { "image": image, "resources": { "cpu": 1, "memory": "1Gi" } } },
            "federation": { "placement": { "constraints": [{ "type": "provider", "operator": "==", "value": "far" }] } },
        },
    }]}))
    .unwrap()
}

/// What could not be made is not "unchanged", and its record was with its work from the first moment.
#[tokio::test(flavor = "multi_thread")]
async fn applying_again_makes_what_failed_to_be_made() {
    let stage = stage(64).await;
    let image = stage.far.seed_image("debian", b"an image").to_string();
    busy(&stage, "app").await;
    assert_eq!(stage.control.apply(manifest(&image), caller(None), false).await.unwrap_err().code, "already_at_work");
    assert!(stage.control.placement("app").await.is_err(), "a record waits for work that is not there");
    stage.free("other-work").await;

    let wrong = stage.control.apply(manifest("no-such-image"), caller(None), false).await.unwrap();
    let operation = wrong.machines[0].placement.as_ref().unwrap().operation_id.clone().unwrap();
    assert_eq!(stage.control.placement("app").await.unwrap().operation_id, Some(operation));
    stage.ended("create").await;
    assert_eq!(stage.control.placement("app").await.unwrap().status, PlacementStatus::Failed);
    let again = stage.control.apply(manifest("no-such-image"), caller(None), true).await.unwrap();
    assert_eq!(again.machines[0].action, ApplyAction::Update);

    stage.control.apply(manifest(&image), caller(None), false).await.unwrap();
    stage.ended("create").await;
    assert_eq!(stage.control.placement("app").await.unwrap().status, PlacementStatus::Created);
    let done = stage.control.apply(manifest(&image), caller(None), false).await.unwrap();
    assert_eq!(done.machines[0].action, ApplyAction::Unchanged);
    assert_eq!(stage.far.counts().instances, 1);
    stage.control.shutdown(Duration::from_secs(5)).await;
}
