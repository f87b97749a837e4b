//! A burst whose process dies, fails or is cancelled anywhere: each machine moves once, or is as it was.

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::{
    Status, Submission,
    testkit::{self, End, Scenario},
};
use novacron_types::{
    ProviderName, VmId,
    placement::{BurstResult, PlacementRecord, PlacementRequest, PlacementStatus, PlanMode},
};
use serde_json::{Value, json};

use crate::{
    placing::tests::Stage,
    workflow::{Burst, BurstMove, BurstState, Making, NewMachine},
};

/// `a` and `b` move from `near` to `far`, where `c` is made.
struct AllOrNothing;

struct Begun {
    stage: Stage,
    state: BurstState,
}

#[async_trait]
impl Scenario for AllOrNothing {
    type Workflow = Burst;
    type World = Begun;

    async fn world(&self) -> Begun {
        let stage = Stage::new(64).await;
        let mut moves = Vec::new();
        for name in ["a", "b"] {
            stage.machine(name, 1).await;
            moves.push(moving(&stage, name).await);
        }
        let making = vec![new(&stage).await];
        let state = BurstState::new("burst-1".to_owned(), "someone", PlanMode::AllOrNothing, making, moves);
        Begun { stage, state }
    }

    fn workflow(&self, world: &Begun) -> Burst {
        Burst(world.stage.control.inner.tools.clone())
    }

    fn submission(&self, world: &Begun) -> Submission<BurstState> {
        Submission::new("three", world.state.clone())
    }

    async fn check(&self, Begun { stage, .. }: &Begun, end: End) -> Vec<String> {
        let mut wrongs = Vec::new();
        let (at, instances, placed) = match end {
            End::Done => ("far", (0, 3), PlacementStatus::Created),
            End::Undone => ("near", (2, 0), PlacementStatus::Failed),
        };
        for name in ["a", "b"] {
            let found = stage.at(name).await;
            if found != at {
                wrongs.push(format!("{name} is at {found}"));
            }
        }
        let found = (stage.near.counts().instances, stage.far.counts().instances);
        if found != instances {
            wrongs.push(format!("there are {found:?} machines, not {instances:?}"));
        }
        let made = stage.control.vm("c").await.is_ok();
        if made != (end == End::Done) {
            wrongs.push(format!("a record of the new machine is there: {made}"));
        }
        let found = stage.control.placement("c").await.unwrap().status;
        if found != placed {
            wrongs.push(format!("the placement of the new machine is {found}, not {placed}"));
        }
        let exports = stage.ended("export").await;
        let (came_true, undone): (Vec<_>, Vec<_>) =
            exports.into_iter().map(|record| record.status).partition(|status| *status == Status::Completed);
        let fine = match end {
            End::Done => came_true.len() == 2 && undone.is_empty(),
            // What had moved has moved home.
            End::Undone => came_true.len().is_multiple_of(2) && !undone.contains(&Status::Failed),
        };
        if !fine {
            wrongs.push(format!("the moves: {came_true:?}, and {undone:?}"));
        }
        for name in ["a", "b"].into_iter().filter(|_| end == End::Done) {
            let placement = stage.control.placement(name).await.unwrap();
            if placement.operation_id.is_none() {
                wrongs.push(format!("the placement of {name} does not say what moves it"));
            }
        }
        wrongs
    }
}

/// With the decision that it follows.
async fn moving(stage: &Stage, name: &str) -> BurstMove {
    let place = |name: &str| ProviderName::new(name).unwrap();
    let vm_id = VmId::new(name).unwrap();
    let record = at_far(stage, &vm_id, json!({ "vm_id": name, "required_cpu": 1, "required_memory_gb": 1 })).await;
    stage.control.store().placements().put_placement(&record).await.unwrap();
    BurstMove {
        vm_id,
        placement_id: record.placement_id,
        from: place("near"),
        to: place("far"),
        instance_type: None,
        by_host: false,
        migration_id: None,
        put_off: 0,
        result: BurstResult::Waiting,
        why: None,
        home_by: None,
        home_failures: 0,
    }
}

/// Decided to be at `far`.
async fn at_far(stage: &Stage, vm_id: &VmId, mut request: Value) -> PlacementRecord {
    request["constraints"] = json!([{ "type": "provider", "operator": "==", "value": "far" }]);
    let request: PlacementRequest = serde_json::from_value(request).unwrap();
    let now = Timestamp::now();
    let decision = stage.control.decide(&request, now).await.unwrap();
    crate::placing::tests::record(vm_id.clone(), request, decision, now)
}

async fn new(stage: &Stage) -> NewMachine {
    let image = stage.far.seed_image("debian", b"an image").to_string();
    let vm_id = VmId::new("c").unwrap();
    let request = json!({ "vm_id": "c", "required_cpu": 1, "required_memory_gb": 1, "create": true, "image": image });
    let mut record = at_far(stage, &vm_id, request).await;
    record.status = PlacementStatus::Creating;
    stage.control.store().placements().put_placement(&record).await.unwrap();
    NewMachine::new(&Making::new(&record, vm_id))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_done_or_undone_wherever_it_fails() {
    testkit::check_failure(&AllOrNothing).await;
    testkit::check_repeated_steps(&AllOrNothing).await;
    testkit::check_cancel(&AllOrNothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_outlives_its_process() {
    testkit::check_death(&AllOrNothing).await;
    testkit::check_stale_owner(&AllOrNothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_outlives_its_process_at_each_write() {
    testkit::check_death_at_writes(&AllOrNothing).await;
}
