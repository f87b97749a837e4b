//! A burst whose process dies, fails or is cancelled anywhere: each machine moves once, or is as it was.

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::{
    Submission,
    testkit::{self, End, Scenario},
};
use novacron_types::{
    ProviderName, VmId,
    placement::{BurstResult, PlacementRequest, PlacementStatus, PlanMode},
};
use serde_json::json;

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
            moves.push(moving(name));
        }
        let making = vec![new(&stage).await];
        let state = BurstState {
            burst_id: "burst-1".to_owned(),
            actor: "someone".to_owned(),
            mode: PlanMode::AllOrNothing,
            making,
            create: None,
            moves,
            failed: None,
        };
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
        let (at, instances, moves) = match end {
            End::Done => ("far", (0, 3), 2..=2),
            // What had moved has moved home.
            End::Undone => ("near", (2, 0), 0..=4),
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
        let exports = stage.ended("export").await.len();
        if !moves.contains(&exports) {
            wrongs.push(format!("there were {exports} moves, not {moves:?}"));
        }
        wrongs
    }
}

fn moving(name: &str) -> BurstMove {
    let place = |name: &str| ProviderName::new(name).unwrap();
    BurstMove {
        vm_id: VmId::new(name).unwrap(),
        placement_id: format!("none-of-{name}"),
        from: place("near"),
        to: place("far"),
        instance_type: None,
        by_host: false,
        migration_id: None,
        result: BurstResult::Waiting,
        why: None,
        home_by: None,
        home_failures: 0,
    }
}

async fn new(stage: &Stage) -> NewMachine {
    let image = stage.far.seed_image("debian", b"an image").to_string();
    let request: PlacementRequest = serde_json::from_value(json!({
        "vm_id": "c", "required_cpu": 1, "required_memory_gb": 1, "create": true, "image": image,
        "constraints": [{ "type": "provider", "operator": "==", "value": "far" }],
    }))
    .unwrap();
    let now = Timestamp::now();
    let decision = stage.control.decide(&request, now).await.unwrap();
    let vm_id = VmId::new("c").unwrap();
    let mut record = crate::placing::tests::record(vm_id.clone(), request, decision, now);
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
