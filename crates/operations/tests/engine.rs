//! What the engine promises beyond the generated tests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{PATIENCE, Shared, end, engine, errand, fresh, lock, quick, reach, transient};
use novacron_operations::*;
use serde_json::json;

#[tokio::test]
async fn completes_and_tells_how_it_went() {
    let (store, world) = fresh();
    let engine = engine(&store, &world, quick("a"));
    engine.start();
    let submitted = engine.submit::<common::ErrandWorkflow>(errand()).await.unwrap();
    let id = submitted.record.id;
    assert!(id.as_str().starts_with("errand-i-0123456789abcdef-"), "{id}");
    let record = end(&engine, &id).await;
    assert_eq!((record.status, record.progress), (Status::Completed, 100.0));
    assert_eq!(record.summary, Some(json!({ "copied": 3 })));
    assert_eq!(record.transfer.bytes_done, 3);
    let phases: Vec<_> = record.checkpoints.iter().map(|c| c.phase.as_str()).collect();
    assert_eq!(phases, ["ids", "create", "copy", "start", "tidy"]);
    assert!(record.checkpoints.is_sorted_by(|a, b| a.progress < b.progress));
    assert!(record.checkpoints.iter().all(|c| c.reversible));
    let events = engine.events(&id, 0, 100).await.unwrap();
    assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
    assert!(events.iter().any(|event| event.kind == "log" && event.message == "copied 3"));
    assert_eq!(events.last().unwrap().kind, "completed");
    engine.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn retries_only_what_may_pass_and_only_when_asked_to() {
    for (errors, retry, expected, runs) in [
        (vec![transient("busy"), transient("busy")], true, Status::Completed, 3),
        (vec![transient("busy")], false, Status::RolledBack, 1),
        (vec![StepError::permanent("no", "never")], true, Status::RolledBack, 1),
        (vec![transient("busy"); 20], true, Status::RolledBack, 6),
    ] {
        let (store, world) = fresh();
        lock(&world).failures.insert("copy", errors);
        let engine = engine(&store, &world, quick("a"));
        engine.start();
        let mut wanted = errand();
        wanted.options.retry_on_failure = retry;
        let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
        let record = end(&engine, &id).await;
        assert_eq!(record.status, expected);
        assert_eq!(record.error.is_some(), expected == Status::RolledBack);
        assert_eq!(lock(&world).runs.iter().filter(|name| **name == "copy").count(), runs);
        if expected == Status::RolledBack {
            assert_eq!(lock(&world).undos, ["copy", "create", "ids"]);
        }
    }
}

/// Many short outages over days are not one long one.
#[tokio::test]
async fn what_goes_forward_is_tried_again_for_as_long_as_it_does() {
    let (store, world) = fresh();
    let engine = engine(&store, &world, quick("a"));
    engine.start();
    let mut wanted = errand();
    (wanted.state.size, wanted.state.shaky, wanted.options.retry_on_failure) = (20, true, true);
    let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
    assert_eq!(end(&engine, &id).await.status, Status::Completed);
    assert_eq!(lock(&world).runs.iter().filter(|name| **name == "copy").count(), 21);
}

/// To come as far as before is not to go forward.
#[tokio::test]
async fn what_fails_at_one_place_again_and_again_is_given_up() {
    let (store, world) = fresh();
    let engine = engine(&store, &world, quick("a"));
    engine.start();
    let mut wanted = errand();
    (wanted.state.stuck_at, wanted.options.retry_on_failure) = (3, true);
    let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
    assert_eq!(end(&engine, &id).await.status, Status::RolledBack);
}

/// Nothing is refused and nothing answers: the step ends before another process may take the operation over.
#[tokio::test]
async fn a_silent_store_ends_the_step_before_its_lease() {
    for progresses in [false, true] {
        let (store, world) = fresh();
        let far = common::silent::SilentStore::new(store.clone());
        let lease = Duration::from_secs(3);
        let store_of_first: Arc<dyn OperationStore> = far.clone();
        let first = engine(&store_of_first, &world, EngineConfig { lease, ..quick("a") });
        first.start();
        let mut wanted = errand();
        // Either it only waits, or it has something to store when it ends.
        (wanted.state.linger, wanted.state.slow, wanted.state.size) = (!progresses, progresses, 20);
        let id = first.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
        reach(&first, &id, Status::Transferring).await;
        far.silent.store(true, std::sync::atomic::Ordering::SeqCst);

        let second = engine(&store, &world, EngineConfig { lease, ..quick("b") });
        second.start();
        let mut watch = second.watch(&id).await.unwrap();
        let over = async {
            while let Some(record) = watch.next().await {
                if record.unwrap().owner.as_deref() == Some("b") {
                    return first.running();
                }
            }
            first.running()
        };
        let running = tokio::time::timeout(PATIENCE, over).await.expect("nobody took it over");
        assert_eq!(running, 0, "two at work on one operation");
        let patch = json!({ "go": true }).as_object().unwrap().clone();
        second.set_controls(&id, patch, "me").await.unwrap();
        assert_eq!(end(&second, &id).await.status, Status::Completed);
        // It is asked again when it is back.
        far.silent.store(false, std::sync::atomic::Ordering::SeqCst);
        let id = second.submit::<common::ErrandWorkflow>(errand()).await.unwrap().record.id;
        second.shutdown(PATIENCE).await;
        assert_eq!(end(&first, &id).await.status, Status::Completed);
    }
}

#[tokio::test]
async fn a_hold_survives_restarts_and_ends_when_a_person_says_so() {
    let (store, world) = fresh();
    let first = engine(&store, &world, quick("a"));
    first.start();
    let mut wanted = errand();
    wanted.state.hold = true;
    let id = first.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
    let record = reach(&first, &id, Status::Held).await;
    assert_eq!(record.hold.unwrap().reason, "waits for a nod");
    assert_eq!(record.owner, None);
    first.shutdown(PATIENCE).await;
    let second = engine(&store, &world, quick("b"));
    second.start();
    assert!(matches!(second.retry(&id, "me").await, Err(EngineError::Store(StoreError::NotFailed { .. }))));
    second.continue_(&id, "me").await.unwrap();
    assert_eq!(end(&second, &id).await.status, Status::Completed);
}

#[tokio::test]
async fn cancelling_a_held_or_a_waiting_operation_undoes_it() {
    let (store, world) = fresh();
    let engine = engine(&store, &world, quick("a"));
    let mut wanted = errand();
    wanted.state.hold = true;
    let id = engine.submit::<common::ErrandWorkflow>(wanted.clone()).await.unwrap().record.id;
    // Not begun: nothing needs to run for that.
    assert_eq!(engine.cancel(&id, "me").await.unwrap().status, Status::Cancelled);
    engine.start();
    let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
    reach(&engine, &id, Status::Held).await;
    engine.cancel(&id, "me").await.unwrap();
    let record = end(&engine, &id).await;
    assert_eq!(record.status, Status::Cancelled);
    assert_eq!(record.cancel_requested.unwrap().by, "me");
    assert!(lock(&world).things.is_empty());
}

#[tokio::test]
async fn a_deadline_covers_forward_work_by_the_clock_that_was_passed_in() {
    let (store, world) = fresh();
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let engine = Engine::builder(store)
        .clock(clock.clone())
        .config(EngineConfig { lease: Duration::from_secs(24 * 3600), ..quick("a") })
        .register(common::ErrandWorkflow(world.clone()))
        .build();
    engine.start();
    let mut wanted = errand();
    wanted.state.linger = true;
    wanted.options.timeout = Some(Duration::from_secs(3600));
    let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
    reach(&engine, &id, Status::Transferring).await;
    let tick = async {
        loop {
            clock.advance(Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let record = tokio::select! { () = tick => unreachable!(), record = end(&engine, &id) => record };
    assert_eq!((record.status, record.error.unwrap().code.as_str()), (Status::RolledBack, "timeout"));
    assert!(record.ended_at.unwrap() >= "2026-01-01T01:00:00Z".parse::<jiff::Timestamp>().unwrap());
    assert!(lock(&world).things.is_empty());
}

/// What is there and settled is not taken away for being late, however long a person lets it wait.
#[tokio::test]
async fn once_it_is_settled_it_is_not_late_any_more() {
    for (settled, expected) in [(true, Status::Completed), (false, Status::RolledBack)] {
        let (store, world) = fresh();
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let engine = Engine::builder(store)
            .clock(clock.clone())
            .config(quick("a"))
            .register(common::ErrandWorkflow(world.clone()))
            .build();
        engine.start();
        let mut wanted = errand();
        (wanted.state.hold, wanted.state.settled) = (true, settled);
        wanted.options.timeout = Some(Duration::from_secs(3600));
        let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
        reach(&engine, &id, Status::Held).await;
        clock.advance(Duration::from_secs(7200));
        match engine.continue_(&id, "me").await {
            Ok(_) => {}
            // Its time was over before anyone could say so.
            Err(EngineError::Store(StoreError::NotHeld { .. })) if !settled => {}
            Err(error) => panic!("{error}"),
        }
        assert_eq!(end(&engine, &id).await.status, expected);
        assert_eq!(lock(&world).things.len(), usize::from(settled));
    }
}

#[tokio::test]
async fn controls_reach_the_running_step() {
    let (store, world) = fresh();
    let engine = engine(&store, &world, quick("a"));
    engine.start();
    let mut wanted = errand();
    wanted.state.linger = true;
    let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
    let mut watch = engine.watch(&id).await.unwrap();
    // Progress in mid-step is seen: half of the 6 tenths that the step weighs, after 2 tenths.
    while watch.next().await.unwrap().unwrap().progress != 50.0 {}
    let patch = json!({ "go": true }).as_object().unwrap().clone();
    engine.set_controls(&id, patch, "me").await.unwrap();
    assert_eq!(end(&engine, &id).await.status, Status::Completed);
}

#[tokio::test]
async fn a_shutdown_gives_back_and_another_process_goes_on_at_once() {
    let (store, world) = fresh();
    let first = engine(&store, &world, quick("a"));
    first.start();
    let mut wanted = errand();
    wanted.state.linger = true;
    let id = first.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
    let began = reach(&first, &id, Status::Transferring).await;
    assert_eq!(began.owner.as_deref(), Some("a"));
    first.shutdown(PATIENCE).await;
    assert_eq!((first.running(), first.get(&id).await.unwrap().unwrap().owner), (0, None));
    let second = engine(&store, &world, quick("b"));
    second.start();
    // The first engine runs nothing any more, but it can still be asked: it looks in the store.
    let patch = json!({ "go": true }).as_object().unwrap().clone();
    first.set_controls(&id, patch, "me").await.unwrap();
    let record = end(&first, &id).await;
    assert_eq!(record.status, Status::Completed);
    assert!(record.generation > began.generation);
    assert_eq!(lock(&world).creations, 1);
}

#[tokio::test]
async fn one_operation_a_key_and_one_a_request() {
    let (store, world) = fresh();
    let engine = engine(&store, &world, quick("a"));
    let mut wanted = errand();
    wanted.exclusive = vec!["instance/i-1".to_owned()];
    let key = |digest: &str| Some(IdempotencyKey { key: "k".to_owned(), digest: digest.to_owned() });
    wanted.idempotency = key("x");
    let first = engine.submit::<common::ErrandWorkflow>(wanted.clone()).await.unwrap();
    let again = engine.submit::<common::ErrandWorkflow>(wanted.clone()).await.unwrap();
    assert!(again.existing && again.record.id == first.record.id);
    wanted.idempotency = key("y");
    let other = engine.submit::<common::ErrandWorkflow>(wanted.clone()).await.unwrap_err();
    assert!(matches!(other, EngineError::Store(StoreError::IdempotencyMismatch { .. })), "{other}");
    wanted.idempotency = None;
    let busy = engine.submit::<common::ErrandWorkflow>(wanted.clone()).await.unwrap_err();
    assert!(busy.to_string().contains(first.record.id.as_str()), "{busy}");
    engine.start();
    end(&engine, &first.record.id).await;
    engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap();
}

#[tokio::test]
async fn a_panic_is_a_failure_and_a_deadly_step_is_given_up() {
    let (store, world) = fresh();
    lock(&world).failures.insert("copy", vec![StepError::permanent("panic", "")]);
    let engine_a = engine(&store, &world, quick("a"));
    engine_a.start();
    let id = engine_a.submit::<common::ErrandWorkflow>(errand()).await.unwrap().record.id;
    let record = end(&engine_a, &id).await;
    assert_eq!((record.status, record.error.unwrap().code.as_str()), (Status::RolledBack, "internal"));

    // What it had stored before stands.
    lock(&world).panics_when_copied = true;
    let id = engine_a.submit::<common::ErrandWorkflow>(errand()).await.unwrap().record.id;
    let record = end(&engine_a, &id).await;
    assert_eq!((record.status, record.summary), (Status::RolledBack, Some(json!({ "copied": 3 }))));
    lock(&world).panics_when_copied = false;
    engine_a.kill().await;

    let mut wanted = errand();
    wanted.state.linger = true;
    let mut id = None;
    for _ in 0..40 {
        let mut config = quick("a");
        config.sole_owner = true;
        config.retry.deaths = 3;
        let engine = engine(&store, &world, config);
        engine.start();
        let id = match &id {
            Some(id) => id,
            None => id.insert(engine.submit::<common::ErrandWorkflow>(wanted.clone()).await.unwrap().record.id),
        };
        let ended = tokio::time::timeout(Duration::from_millis(50), engine.wait(id)).await;
        engine.kill().await;
        if let Ok(record) = ended {
            let record = record.unwrap();
            assert_eq!((record.status, record.error.unwrap().code.as_str()), (Status::RolledBack, "keeps_dying"));
            return;
        }
    }
    panic!("it was never given up");
}

#[tokio::test]
async fn a_plan_of_another_version_is_left_alone() {
    struct Other(Shared);
    impl Workflow for Other {
        type State = common::Errand;
        const KIND: &'static str = "errand";
        fn steps(&self, params: &common::Errand) -> Vec<Box<dyn Step<common::Errand>>> {
            let mut steps = common::ErrandWorkflow(self.0.clone()).steps(params);
            steps.remove(1);
            steps
        }
    }
    let (store, world) = fresh();
    let old = engine(&store, &world, quick("a"));
    let id = old.submit::<common::ErrandWorkflow>(errand()).await.unwrap().record.id;
    let new = Engine::builder(store.clone()).config(quick("b")).register(Other(world.clone())).build();
    new.start();
    let record = end(&new, &id).await;
    assert_eq!((record.status, record.error.unwrap().code.as_str()), (Status::Failed, "plan_changed"));
    assert!(lock(&world).runs.is_empty());
    new.shutdown(PATIENCE).await;
    old.start();
    old.retry(&id, "me").await.unwrap();
    assert_eq!(end(&old, &id).await.status, Status::Completed);
}

#[tokio::test]
async fn a_jump_of_the_clock_makes_no_second_run_beside_the_first() {
    let (store, world) = fresh();
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let engine = Engine::builder(store)
        .clock(clock.clone())
        .config(quick("a"))
        .register(common::ErrandWorkflow(world.clone()))
        .build();
    engine.start();
    let mut wanted = errand();
    wanted.state.linger = true;
    let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
    reach(&engine, &id, Status::Transferring).await;
    for jump in [3600, 60] {
        clock.advance(Duration::from_secs(jump));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(engine.running(), 1);
    let patch = json!({ "go": true }).as_object().unwrap().clone();
    engine.set_controls(&id, patch, "me").await.unwrap();
    let record = end(&engine, &id).await;
    assert_eq!((record.status, record.generation), (Status::Completed, 3));
    assert_eq!(lock(&world).creations, 1);
    assert!(lock(&world).undos.is_empty());
}
