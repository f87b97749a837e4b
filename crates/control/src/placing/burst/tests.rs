//! Bursts with machines that really move and are really made, on hosts in memory.

use std::time::Duration;

use novacron_operations::{NewOperation, OperationId, Options, Status};
use novacron_types::placement::{
    ApplyAction, ApplyRequest, BurstAnswer, BurstRequest, PlacementRequest, PlacementStatus, PlanMode,
};
use serde_json::{Value, json};

use super::super::overflow::tests::{Stage, caller};
use crate::ControlError;

async fn stage(far_vcpus: u32) -> Stage {
    let stage = Stage::new(far_vcpus).await;
    stage.machine("a", 4).await;
    stage.machine("b", 4).await;
    stage
}

async fn burst(stage: &Stage, mode: PlanMode, key: Option<&str>, machines: Value) -> Result<BurstAnswer, ControlError> {
    let requests: Vec<PlacementRequest> = serde_json::from_value(machines).unwrap();
    stage.control.burst(BurstRequest { requests, mode: Some(mode) }, caller(key), false).await
}

fn both() -> Value {
    json!([{ "vm_id": "a" }, { "vm_id": "b" }])
}

fn made(name: &str, image: &impl ToString) -> Value {
    json!({ "vm_id": name, "required_cpu": 1, "required_memory_gb": 1, "create": true, "image": image.to_string() })
}

/// Something else is at work on a VM, and does not end.
async fn busy(stage: &Stage, vm_id: &str) {
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

async fn whereabouts(stage: &Stage) -> (String, String) {
    (stage.at("a").await, stage.at("b").await)
}

fn at(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_move_or_none() {
    let stage = stage(64).await;
    let answer = burst(&stage, PlanMode::AllOrNothing, None, both()).await.unwrap();
    assert!(answer.placed.iter().all(|placed| placed.migration_id.is_some()), "{answer:#?}");
    assert!(answer.plan.notes.iter().any(|note| note.contains("the others stay moved")), "{:?}", answer.plan.notes);
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
    assert_eq!(stage.settled().await.len(), 1);
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
    assert!(refused.message.starts_with("b can't be moved, and so nothing of the burst is done"), "{refused}");
    for kind in ["export", "create"] {
        let ended = stage.ended(kind).await;
        assert_eq!(ended.iter().map(|record| record.status).collect::<Vec<_>>(), [Status::Cancelled], "{ended:#?}");
    }
    assert_eq!(whereabouts(&stage).await, at("near", "near"));
    assert_eq!((stage.near.counts().instances, stage.far.counts().instances), (2, 0));
    assert_eq!(stage.control.placement("c").await.unwrap().status, PlacementStatus::Failed);

    let answer = burst(&stage, PlanMode::BestEffort, None, json!([{ "vm_id": "a" }, { "vm_id": "b" }])).await.unwrap();
    assert_eq!(answer.placed.iter().map(|placed| placed.vm_id.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(answer.plan.left_out[0].vm_id, "b");
    stage.ended("export").await;
    assert_eq!(whereabouts(&stage).await, at("far", "near"));
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
    assert_eq!(stage.control.placement("c").await.unwrap().operation_id.unwrap(), operation);
    let soon = burst(&stage, PlanMode::BestEffort, Some("k"), machines.clone()).await.unwrap();
    stage.settled().await;
    let late = burst(&stage, PlanMode::BestEffort, Some("k"), machines.clone()).await.unwrap();
    let began = |answer: &BurstAnswer| {
        let moves = answer.placed.iter().map(|placed| (placed.vm_id.clone(), placed.migration_id.clone()));
        (answer.burst_id.clone(), answer.operation_id.clone(), moves.collect::<Vec<_>>())
    };
    assert_eq!((began(&soon), began(&late)), (began(&first), began(&first)));
    assert_eq!((stage.settled().await.len(), stage.far.counts().instances), (2, 2));
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
