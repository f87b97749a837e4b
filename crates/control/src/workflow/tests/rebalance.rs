//! A plan of moves that is stopped: what was moved stays, what is on its way is undone, and the rest is not begun.

use std::time::Duration;

use novacron_operations::{OperationId, OperationRecord, Status, Submission};
use novacron_provider::{
    ErrorKind, Provider,
    chaos::{Chaos, Fault, Rule, When},
    memory::MemoryProvider,
};
use novacron_types::{ProviderName, VmId};

use crate::{
    placing::tests::Stage,
    workflow::{Moving, Rebalance, RebalanceState},
};

/// `a`, `b` and `c` are to move, one after the other.
async fn begun(stage: &Stage) -> OperationId {
    for name in ["a", "b", "c"] {
        stage.machine(name, 1).await;
    }
    let moving = |name: &str| Moving {
        vm_id: VmId::new(name).unwrap(),
        to: ProviderName::new("far").unwrap(),
        instance_type: None,
        migration_id: None,
    };
    let moves = ["a", "b", "c"].map(moving).to_vec();
    let state = RebalanceState { plan_id: "plan".to_owned(), actor: "someone".to_owned(), moves, done: 0 };
    stage.control.inner.engine.submit::<Rebalance>(Submission::new("plan", state)).await.unwrap().record.id
}

async fn statuses(stage: &Stage) -> Vec<Status> {
    stage.ended("export").await.iter().map(|record| record.status).collect()
}

async fn ended(stage: &Stage, id: &OperationId) -> OperationRecord {
    let wait = stage.control.inner.engine.wait(id);
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it does not end").unwrap()
}

/// The second machine gets no disk.
fn second_fails(provider: MemoryProvider) -> Chaos {
    let far = provider.identity().name.as_str() == "far";
    let fault = Fault::FailBefore(ErrorKind::Unauthorised);
    let rule = Rule { operation: Some("create_disk"), when: When::Nth(1), fault };
    Chaos::new(0, Some(rule).filter(|_| far))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_fails_ends_the_plan() {
    let stage = Stage::within(64, Duration::ZERO, second_fails).await;
    let id = begun(&stage).await;
    let record = ended(&stage, &id).await;
    assert_eq!((record.status, record.error.unwrap().code.as_str()), (Status::RolledBack, "move_failed"));
    assert_eq!(statuses(&stage).await, [Status::Completed, Status::RolledBack]);
    assert_eq!([stage.at("a").await, stage.at("b").await, stage.at("c").await], ["far", "near", "near"]);
    assert_eq!((stage.near.counts().instances, stage.far.counts().instances), (2, 1));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_cancelled_takes_back_the_move_that_is_on_its_way() {
    let stage = Stage::within(64, Duration::from_secs(3600), |_| Chaos::new(0, [])).await;
    let id = begun(&stage).await;
    // The first has moved, and its source is kept for an hour.
    let wait = async {
        while stage.far.counts().instances == 0 || stage.at("a").await != "far" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("nothing moves");
    stage.control.inner.engine.cancel(&id, "someone").await.unwrap();
    assert_eq!(ended(&stage, &id).await.status, Status::Cancelled);
    assert_eq!(statuses(&stage).await, [Status::Cancelled]);
    assert_eq!([stage.at("a").await, stage.at("b").await, stage.at("c").await], ["near", "near", "near"]);
    assert_eq!((stage.near.counts().instances, stage.far.counts().instances), (3, 0));
    stage.control.shutdown(Duration::from_secs(5)).await;
}
