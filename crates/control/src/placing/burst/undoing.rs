//! Bursts that are undone while others are at work on their machines, and those that can't be.

use std::time::Duration;

use novacron_operations::{Backoff, EngineConfig, OperationId, RetryPolicy, Status};
use novacron_provider::{
    ErrorKind, Provider,
    chaos::{Chaos, Fault, Rule, When},
    memory::MemoryProvider,
};
use novacron_types::{
    VmId,
    placement::{
        BurstResult::{Failed, Made, Stays, TakenBack},
        PlacementStatus, PlanMode,
    },
};
use serde_json::json;

use super::{
    super::overflow::tests::{Stage, caller},
    tests::{burst, busy, each, made, results, told},
};
use crate::{Change, MoveRequest};

/// A move is kept for an hour before its source is deleted, and undoing is soon given up.
async fn impatient(layer: fn(MemoryProvider) -> Chaos) -> Stage {
    let backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(1) };
    let engine = EngineConfig {
        poll: Duration::from_millis(20),
        undo_timeout: Duration::from_millis(1200),
        retry: RetryPolicy { undo: 1, permanent: 0, backoff, ..RetryPolicy::default() },
        ..EngineConfig::default()
    };
    Stage::by(64, Duration::from_secs(3600), layer, engine).await
}

/// All or nothing: `c` is made, and `a` is on its way. The burst's id.
async fn under_way(stage: &Stage) -> OperationId {
    stage.machine("a", 2).await;
    let image = stage.far.seed_image("debian", b"an image");
    let machines = json!([{ "vm_id": "a" }, made("c", &image)]);
    let answer = burst(stage, PlanMode::AllOrNothing, None, machines).await.unwrap();
    let engine = &stage.control.inner.engine;
    assert_eq!(stage.ended("create").await[0].status, Status::Completed);
    let move_of_a = answer.placed.iter().find_map(|placed| placed.migration_id.clone()).unwrap();
    within(async {
        while engine.get(&move_of_a).await.unwrap().unwrap().status != Status::Held {
            tokio::task::yield_now().await;
        }
    })
    .await;
    answer.operation_id.unwrap()
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("it takes too long")
}

/// Until the burst has said something with these words in it.
async fn says(stage: &Stage, burst: &OperationId, words: &str) {
    let said = async || {
        let events = stage.control.events(burst, 0, 100).await.unwrap();
        events.iter().any(|event| event.message.contains(words))
    };
    within(async {
        while !said().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_not_removed_from_under_its_move() {
    let stage = Stage::within(64, Duration::from_secs(3600), |_| Chaos::new(0, [])).await;
    let id = under_way(&stage).await;
    busy(&stage, "c").await;
    stage.control.cancel_work(&id, "someone").await.unwrap();
    says(&stage, &id, "other-work is at work on c").await;
    assert_eq!(stage.control.vm("c").await.unwrap().provider.as_str(), "far");
    assert!(stage.control.work(&id).await.unwrap().end_time.is_none(), "it did not wait");
    stage.free("other-work").await;
    assert_eq!(within(stage.control.inner.engine.wait(&id)).await.unwrap().status, Status::Cancelled);
    assert_eq!(results(&stage).await, each([("c", TakenBack), ("a", Failed)]));
    assert_eq!((stage.near.counts().instances, stage.far.counts().instances), (1, 0));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// It is at another place by now, whether or not the move that took it there has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_moved_since_is_left_where_it_is() {
    let stage = Stage::within(64, Duration::from_secs(3600), |_| Chaos::new(0, [])).await;
    let id = under_way(&stage).await;
    let to = stage.near.identity().name.clone();
    let moved = MoveRequest::whole(VmId::new("c").unwrap(), &to, None);
    let moved = stage.control.take_on(moved, caller(None)).await.unwrap().migration_id;
    let engine = &stage.control.inner.engine;
    within(async {
        while engine.get(&moved).await.unwrap().unwrap().status != Status::Held {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stage.control.cancel_work(&id, "someone").await.unwrap();
    assert_eq!(within(engine.wait(&id)).await.unwrap().status, Status::Cancelled);
    assert_eq!(results(&stage).await, each([("c", Made), ("a", Failed)]));
    let why = told(&stage).await[0].why.clone().unwrap();
    assert!(why.starts_with(&format!("{moved} has moved it since")), "{why}");
    assert_eq!(stage.control.vm("c").await.unwrap().provider, to);
    // The source is not gone from under the move either: it may still be wanted back.
    assert_eq!(stage.far.counts().instances, 1);
    engine.cancel(&moved, "someone").await.unwrap();
    assert_eq!(within(engine.wait(&moved)).await.unwrap().status, Status::Cancelled);
    assert_eq!(stage.control.vm("c").await.unwrap().provider.as_str(), "far");
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// After its last attempt it says what is left, what that waits for, and which command goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_undone_in_time_is_named_with_the_way_on() {
    let stage = impatient(|_| Chaos::new(0, [])).await;
    let id = under_way(&stage).await;
    busy(&stage, "c").await;
    stage.control.cancel_work(&id, "someone").await.unwrap();
    assert_eq!(within(stage.control.inner.engine.wait(&id)).await.unwrap().status, Status::Failed);
    let error = stage.control.work(&id).await.unwrap().error.unwrap();
    assert_eq!(error.code, "not_taken_back", "{error:?}");
    assert!(error.message.contains("not taken back: c (other-work is pending)"), "{}", error.message);
    let advice = error.advice.unwrap();
    assert!(advice.contains(&format!("`novacron operation retry {id}`")), "{advice}");
    assert_eq!(stage.control.vm("c").await.unwrap().provider.as_str(), "far");

    stage.free("other-work").await;
    stage.control.retry_work(&id, "someone").await.unwrap();
    assert_eq!(within(stage.control.inner.engine.wait(&id)).await.unwrap().status, Status::Cancelled);
    assert_eq!(results(&stage).await, each([("c", TakenBack), ("a", Failed)]));
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// The second machine is refused at `far`, and what was made of the first can't be removed there at once.
fn refused_and_shut(provider: MemoryProvider) -> Chaos {
    let rule = |operation| Rule {
        operation: Some(operation),
        when: When::Nth(1),
        fault: Fault::FailBefore(ErrorKind::Unauthorised),
    };
    let far = provider.identity().name.as_str() == "far";
    Chaos::new(0, [rule("create"), rule("sweep")].into_iter().filter(|_| far))
}

/// What may be left of machines that could not be made is the burst's to see to.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_making_is_said_and_taken_back_by_the_same_command() {
    let stage = impatient(refused_and_shut).await;
    let image = stage.far.seed_image("debian", b"an image");
    let machines = json!([made("c", &image), made("d", &image)]);
    burst(&stage, PlanMode::AllOrNothing, None, machines).await.unwrap();
    let failed = stage.ended("burst").await.pop().unwrap();
    assert_eq!(stage.ended("create").await[0].status, Status::Failed);
    let error = failed.error.unwrap();
    assert_eq!((failed.status, error.code.as_str()), (Status::Failed, "not_taken_back"), "{error:?}");
    assert!(error.message.contains("c stays where it was made (create-"), "{}", error.message);
    assert_eq!(results(&stage).await, each([("c", Stays), ("d", Stays)]));
    assert_eq!(stage.control.placement("c").await.unwrap().status, PlacementStatus::Failed, "it is not being made");

    stage.control.retry_work(&failed.id, "someone").await.unwrap();
    assert_eq!(stage.ended("burst").await.pop().unwrap().status, Status::RolledBack);
    assert_eq!(stage.ended("create").await[0].status, Status::RolledBack);
    assert_eq!(results(&stage).await, each([("c", Failed), ("d", Failed)]));
    assert_eq!(stage.far.counts().instances, 0);
    for name in ["c", "d"] {
        assert_eq!(stage.control.placement(name).await.unwrap().status, PlacementStatus::Failed, "{name}");
    }
    stage.control.shutdown(Duration::from_secs(5)).await;
}

/// The move fails at `far`, and what it left there can't be removed at once.
fn disks_refused_and_shut(provider: MemoryProvider) -> Chaos {
    let rule = |operation| Rule {
        operation: Some(operation),
        when: When::Nth(0),
        fault: Fault::FailBefore(ErrorKind::Unauthorised),
    };
    let far = provider.identity().name.as_str() == "far";
    Chaos::new(0, [rule("create_disk"), rule("sweep")].into_iter().filter(|_| far))
}

/// A machine that never left is not said to be away, and the advice is about its migration.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_move_could_not_be_undone_is_said_to_be_where_it_is() {
    let stage = impatient(disks_refused_and_shut).await;
    stage.machine("a", 2).await;
    burst(&stage, PlanMode::AllOrNothing, None, json!([{ "vm_id": "a" }])).await.unwrap();
    let failed = stage.ended("burst").await.pop().unwrap();
    let error = failed.error.unwrap();
    assert_eq!((failed.status, error.code.as_str()), (Status::Failed, "not_taken_back"), "{error:?}");
    assert!(error.message.contains("a stays at near (export-"), "{}", error.message);
    let migration = told(&stage).await[0].migration_id.clone().unwrap();
    let advice = error.advice.unwrap();
    assert!(advice.contains(&format!("`novacron migration retry {migration}`")), "{advice}");
    assert!(!advice.contains("migrate export"), "{advice}");

    stage.control.change(&migration, Change::Retry, "someone").await.unwrap();
    assert_eq!(within(stage.control.inner.engine.wait(&migration)).await.unwrap().status, Status::RolledBack);
    stage.control.retry_work(&failed.id, "someone").await.unwrap();
    assert_eq!(stage.ended("burst").await.pop().unwrap().status, Status::RolledBack);
    assert_eq!(results(&stage).await, each([("a", Failed)]));
    stage.control.shutdown(Duration::from_secs(5)).await;
}
