//! What a move that is nearly over does when things change around it.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use novacron_operations::{
    Engine, ManualClock, MemoryStore, OperationId, OperationRecord, Status, Submission, testkit::End,
};
use novacron_provider::{
    Call, ErrorKind, Layer, Provider, ProviderError,
    chaos::{Chaos, Fault, Rule, When},
    memory::MemoryProvider,
};
use novacron_types::{InstanceId, InstanceState};

use super::{
    super::{Import, MoveParams, MoveState},
    World, params, world, world_within, wrongs,
};

/// Waits, bounded, until the operation is held for a reason that contains `text`.
async fn held(engine: &Engine, id: &OperationId, text: &str) {
    let mut watch = engine.watch(id).await.unwrap();
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        while let Some(record) = watch.next().await {
            let record = record.unwrap();
            if record.hold.is_some_and(|hold| hold.reason.contains(text)) {
                return true;
            }
        }
        false
    });
    assert!(found.await.unwrap(), "it was never held for {text:?}");
}

/// An engine at work on one import, by a clock that stands still until it is moved.
async fn begun(
    world: &World,
    params: MoveParams,
    timeout: Option<Duration>,
) -> (Engine, OperationId, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
    let builder = Engine::builder(Arc::new(MemoryStore::new())).clock(clock.clone());
    let engine = builder.register(Import(world.tools.clone())).build();
    engine.start();
    let mut submission = Submission::new(world.instance.to_string(), MoveState::new(params));
    submission.options.timeout = timeout;
    let id = engine.submit::<Import>(submission).await.unwrap().record.id;
    (engine, id, clock)
}

/// A move that deletes its source, in its grace period of an hour.
async fn held_in_grace(world: &World, timeout: Option<Duration>) -> (Engine, OperationId, Arc<ManualClock>) {
    let params = MoveParams { delete_source: true, grace_seconds: 3600, ..params(world) };
    let (engine, id, clock) = begun(world, params, timeout).await;
    held(&engine, &id, "is deleted at").await;
    (engine, id, clock)
}

async fn ended(engine: &Engine, id: &OperationId) -> OperationRecord {
    tokio::time::timeout(Duration::from_secs(30), engine.wait(id)).await.expect("it does not end").unwrap()
}

/// Snapshots can't be deleted, so many times.
fn may_not_delete<const TIMES: u32>(_: MemoryProvider) -> Chaos {
    let fault = Fault::FailBefore(ErrorKind::Unauthorised);
    Chaos::new(0, (0..TIMES).map(|n| Rule { operation: Some("delete_snapshot"), when: When::Nth(n), fault }))
}

#[tokio::test]
async fn what_may_not_be_cleaned_up_waits_and_does_not_cost_the_target() {
    let world = world_within(false, 0, may_not_delete::<1>).await;
    let (engine, id, clock) = begun(&world, params(&world), None).await;
    held(&engine, &id, "can't be removed yet").await;
    assert_eq!((world.source.counts().snapshots, world.target.counts().instances), (2, 1));

    // The permission is back, and nobody needs to say so.
    clock.advance(Duration::from_secs(600));
    assert_eq!(ended(&engine, &id).await.status, Status::Completed);
    assert_eq!(wrongs(&world, End::Done).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_may_not_be_cleaned_up_stays_when_a_person_says_so() {
    let world = world_within(false, 0, may_not_delete::<2>).await;
    let (engine, id, _clock) = begun(&world, params(&world), None).await;
    held(&engine, &id, "can't be removed yet").await;
    engine.continue_(&id, "someone").await.unwrap();
    assert_eq!(ended(&engine, &id).await.status, Status::Completed);
    let events = engine.events(&id, 0, 500).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "log" && event.message.contains("left behind")), "{events:#?}");
    assert_eq!((world.source.counts().snapshots, world.target.counts().instances), (2, 1));
}

/// Lets a snapshot be made of a machine that is stopped, and of no other.
struct OnlyStopped(MemoryProvider);

impl Layer for OnlyStopped {
    async fn call<T, F, Fut>(&self, call: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, ProviderError>> + Send,
    {
        if call.operation == "snapshot" {
            for machine in self.0.list_page(&Default::default(), None).await?.items {
                assert_eq!(
                    machine.state,
                    InstanceState::Stopped,
                    "a snapshot is made of a machine that is not stopped"
                );
            }
        }
        attempt().await
    }
}

#[tokio::test]
async fn a_cold_move_of_what_just_starts_waits_and_then_stops_it() {
    let world = world_within(false, 4, OnlyStopped).await;
    let state = async || world.source.get(&world.instance).await.unwrap().state;
    world.source.stop(&world.instance).await.unwrap();
    while state().await != InstanceState::Stopped {}
    world.source.start(&world.instance).await.unwrap();

    let (engine, id, _clock) = begun(&world, params(&world), None).await;
    let record = ended(&engine, &id).await;
    assert_eq!(record.status, Status::Completed, "{record:#?}");
    assert_eq!(wrongs(&world, End::Done).await, Vec::<String>::new());
    assert_eq!(state().await, InstanceState::Stopped);
    let vms = world.tools.store.vms().vms(&Default::default()).await.unwrap().items;
    assert_eq!(vms[0].instance.state, InstanceState::Running, "it runs there as it would have run here");
}

#[tokio::test]
async fn a_verified_move_is_not_undone_for_being_late() {
    for gone in [false, true] {
        let world = world(false).await;
        let (engine, id, clock) = held_in_grace(&world, Some(Duration::from_secs(600))).await;
        if gone {
            world.source.delete(&world.instance).await.unwrap();
        }
        clock.advance(Duration::from_secs(7200));
        let record = ended(&engine, &id).await;
        assert_eq!((record.status, record.error), (Status::Completed, None));
        assert_eq!((world.source.counts().instances, world.target.counts().instances), (0, 1));
    }
}

/// Can't be asked how a machine is, while `AWAY`.
struct Away;
static AWAY: AtomicBool = AtomicBool::new(false);

impl Layer for Away {
    async fn call<T, F, Fut>(&self, call: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, ProviderError>> + Send,
    {
        if call.operation == "get" && AWAY.load(Ordering::SeqCst) {
            return Err(ProviderError::new(ErrorKind::Unauthorised, "get", "not today"));
        }
        attempt().await
    }
}

#[tokio::test]
async fn a_source_that_cannot_be_looked_at_is_not_deleted_and_does_not_cost_the_target() {
    let world = world_within(false, 0, |_| Away).await;
    let (engine, id, clock) = held_in_grace(&world, None).await;
    AWAY.store(true, Ordering::SeqCst);
    engine.continue_(&id, "someone").await.unwrap();
    held(&engine, &id, "can't be looked at").await;
    assert_eq!((world.source.counts().instances, world.target.counts().instances), (1, 1));

    AWAY.store(false, Ordering::SeqCst);
    clock.advance(Duration::from_secs(7200));
    assert_eq!(ended(&engine, &id).await.status, Status::Completed);
    assert_eq!((world.source.counts().instances, world.target.counts().instances), (0, 1));
}

#[tokio::test]
async fn a_source_is_not_deleted_when_its_target_is_gone() {
    let world = world(false).await;
    let (engine, id, clock) = held_in_grace(&world, None).await;
    let made = world.target.list_page(&Default::default(), None).await.unwrap().items;
    world.target.delete(&made[0].instance_id).await.unwrap();
    clock.advance(Duration::from_secs(7200));
    engine.continue_(&id, "someone who does not know").await.unwrap();
    held(&engine, &id, "is the only copy").await;
    engine.cancel(&id, "someone").await.unwrap();
    assert_eq!(ended(&engine, &id).await.status, Status::Cancelled);
    assert_eq!(world.source.counts().instances, 1);
}

#[tokio::test]
async fn cancelling_does_not_remove_the_only_copy() {
    let world = world(false).await;
    let (engine, id, _clock) = held_in_grace(&world, None).await;
    world.source.delete(&world.instance).await.unwrap();
    engine.cancel(&id, "someone who does not know").await.unwrap();
    let end = ended(&engine, &id).await;
    assert_eq!(end.status, Status::Failed);
    assert!(end.error.unwrap().message.contains("the target is the only copy"));
    assert_eq!(world.target.counts().instances, 1);
}

#[tokio::test]
async fn a_source_that_ran_again_is_deleted_only_when_a_person_who_knows_says_so() {
    let world = world(false).await;
    let (engine, id, _clock) = held_in_grace(&world, None).await;

    world.source.start(&world.instance).await.unwrap();
    engine.continue_(&id, "someone").await.unwrap();
    held(&engine, &id, "was started or written").await;
    assert_eq!(world.source.get(&world.instance).await.unwrap().state, InstanceState::Running);

    engine.continue_(&id, "someone who was told").await.unwrap();
    assert_eq!(ended(&engine, &id).await.status, Status::Completed);
    assert_eq!(world.source.counts().instances, 0);
}

#[tokio::test]
async fn a_source_that_somebody_else_deleted_does_not_cost_the_target() {
    let world = world(false).await;
    let (engine, id, _clock) = held_in_grace(&world, None).await;

    world.source.delete(&world.instance).await.unwrap();
    engine.continue_(&id, "someone").await.unwrap();
    assert_eq!(ended(&engine, &id).await.status, Status::Completed);
    assert_eq!(world.target.counts().instances, 1);
}

/// May not delete a snapshot at first; by then somebody has written to the source.
struct WrittenMeanwhile;
static WRITTEN: AtomicBool = AtomicBool::new(false);

impl Layer for WrittenMeanwhile {
    async fn call<T, F, Fut>(&self, call: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, ProviderError>> + Send,
    {
        match call.operation {
            "delete_snapshot" if !WRITTEN.swap(true, Ordering::SeqCst) => {
                Err(ProviderError::new(ErrorKind::Unauthorised, "delete_snapshot", "not today"))
            }
            "snapshot_ready" if WRITTEN.load(Ordering::SeqCst) => {
                Err(ProviderError::new(ErrorKind::Conflict, "snapshot_ready", "the disk has been written since"))
            }
            _ => attempt().await,
        }
    }
}

#[tokio::test]
async fn what_was_written_while_the_clean_up_waited_is_not_deleted_unasked() {
    let world = world_within(false, 0, |_| WrittenMeanwhile).await;
    let (engine, id, clock) = held_in_grace(&world, None).await;
    engine.continue_(&id, "someone").await.unwrap();
    held(&engine, &id, "can't be removed yet").await;
    clock.advance(Duration::from_secs(600));
    held(&engine, &id, "was started or written").await;
    assert_eq!((world.source.counts().instances, world.target.counts().instances), (1, 1));

    engine.continue_(&id, "someone who was told").await.unwrap();
    assert_eq!(ended(&engine, &id).await.status, Status::Completed);
    assert_eq!(world.source.counts().instances, 0);
}

/// Loses the source when its copy is sealed.
struct GoneWhenSealed;
static SOURCE: OnceLock<(MemoryProvider, InstanceId)> = OnceLock::new();

impl Layer for GoneWhenSealed {
    async fn call<T, F, Fut>(&self, call: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Send,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, ProviderError>> + Send,
    {
        let done = attempt().await?;
        if let ("complete_disk", Some((source, instance))) = (call.operation, SOURCE.get()) {
            source.delete(instance).await?;
        }
        Ok(done)
    }
}

#[tokio::test]
async fn a_source_that_goes_when_it_is_copied_does_not_cost_its_copy() {
    let world = world_within(false, 0, |_| GoneWhenSealed).await;
    assert!(SOURCE.set((world.source.clone(), world.instance.clone())).is_ok());
    let (engine, id, _clock) = begun(&world, params(&world), None).await;
    assert_eq!(ended(&engine, &id).await.status, Status::Completed);
    assert_eq!((world.source.counts().instances, world.target.counts().instances), (0, 1));
    let events = engine.events(&id, 0, 500).await.unwrap();
    assert!(events.iter().any(|event| event.message.contains("is made without its user data")), "{events:#?}");
}
