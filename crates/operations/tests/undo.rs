//! Going back, and going on where there is no way back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

mod common;

use std::time::Duration;

use common::{end, engine, errand, fresh, lock, quick, reach, transient};
use novacron_operations::*;

#[tokio::test]
async fn an_undo_that_keeps_failing_ends_with_a_person_who_can_retry() {
    let (store, world) = fresh();
    lock(&world).failures.insert("start", vec![StepError::permanent("no_capacity", "no room").advice("wait")]);
    lock(&world).failures.insert("undo", vec![transient("stuck"); 9]);
    let engine = engine(&store, &world, quick("a"));
    engine.start();
    let id = engine.submit::<common::ErrandWorkflow>(errand()).await.unwrap().record.id;
    let record = end(&engine, &id).await;
    assert_eq!(record.status, Status::Failed);
    let error = record.error.unwrap();
    assert_eq!(error.code, "stuck");
    assert!(error.message.contains("could not be undone"), "{}", error.message);
    assert!(error.advice.unwrap().contains("retry this operation"));
    let refused = engine.cancel(&id, "me").await.unwrap_err();
    assert!(refused.to_string().contains("already ended"), "{refused}");
    engine.retry(&id, "me").await.unwrap();
    assert_eq!(end(&engine, &id).await.status, Status::RolledBack);
    assert!(lock(&world).things.is_empty());
}

#[tokio::test]
async fn while_an_undo_is_tried_again_people_see_why_and_for_what() {
    for (cancelled, mut expected) in [(true, vec!["stuck"]), (false, vec!["stuck", "no room"])] {
        let (store, world) = fresh();
        lock(&world).failures.insert("start", vec![StepError::permanent("no_capacity", "no room")]);
        lock(&world).failures.insert("undo", vec![StepError::transient("busy", "stuck")]);
        let mut config = quick("a");
        config.retry.backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_millis(200) };
        let engine = engine(&store, &world, config);
        engine.start();
        let mut wanted = errand();
        wanted.state.linger = cancelled;
        let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
        if cancelled {
            reach(&engine, &id, Status::Transferring).await;
            engine.cancel(&id, "me").await.unwrap();
        }
        let mut watch = engine.watch(&id).await.unwrap();
        while let Some(record) = watch.next().await {
            let message = record.unwrap().error.map(|error| error.message).unwrap_or_default();
            if message.contains("not undone yet") {
                expected.retain(|text| !message.contains(text));
            }
        }
        assert!(expected.is_empty(), "nobody saw {expected:?}");
        let record = end(&engine, &id).await;
        assert_eq!(record.status, if cancelled { Status::Cancelled } else { Status::RolledBack });
        assert_eq!(record.error.map(|error| error.message), (!cancelled).then(|| "no room".to_owned()));
    }
}

#[tokio::test]
async fn what_only_a_person_can_mend_is_not_tried_again_before_one_has() {
    for (step, ends) in [("undo", Status::RolledBack), ("remove_source", Status::Completed)] {
        let (store, world) = fresh();
        if step == "undo" {
            lock(&world).failures.insert("start", vec![StepError::permanent("no_capacity", "no room")]);
        }
        lock(&world).failures.insert(step, vec![StepError::needs_person("only_copy", "look first").advice("look")]);
        let engine = engine(&store, &world, quick("a"));
        engine.start();
        let mut wanted = errand();
        wanted.state.remove_source = true;
        let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
        let record = end(&engine, &id).await;
        assert_eq!((record.status, record.attempt), (Status::Failed, 1));
        let error = record.error.unwrap();
        assert!(error.code == "only_copy" && error.advice.unwrap().starts_with("look; then retry"));
        engine.retry(&id, "me").await.unwrap();
        assert_eq!(end(&engine, &id).await.status, ends);
    }
}

#[tokio::test]
async fn past_the_point_of_no_return_it_goes_on() {
    let (store, world) = fresh();
    let mut failures = vec![StepError::permanent("denied", "may not terminate").advice("allow it"); 9];
    lock(&world).failures.insert("remove_source", failures.clone());
    let engine = engine(&store, &world, quick("a"));
    engine.start();
    let mut wanted = errand();
    wanted.state.remove_source = true;
    let id = engine.submit::<common::ErrandWorkflow>(wanted.clone()).await.unwrap().record.id;
    let record = end(&engine, &id).await;
    assert_eq!(record.status, Status::Failed);
    assert!(record.error.unwrap().advice.unwrap().starts_with("allow it; then retry"));
    assert!(lock(&world).undos.is_empty());
    assert_eq!(lock(&world).things.len(), 1);
    engine.retry(&id, "me").await.unwrap();
    let record = end(&engine, &id).await;
    assert_eq!((record.status, record.error), (Status::Completed, None));
    assert!(record.checkpoints.iter().rev().take(2).all(|checkpoint| !checkpoint.reversible));

    failures.truncate(2);
    lock(&world).failures.insert("remove_source", failures);
    let id = engine.submit::<common::ErrandWorkflow>(wanted).await.unwrap().record.id;
    assert_eq!(end(&engine, &id).await.status, Status::Completed);
}

/// A missing permission does not come by itself, and the machine is locked meanwhile.
#[tokio::test]
async fn what_is_refused_for_good_is_left_to_a_person_sooner() {
    for (error, attempts) in [(StepError::permanent("denied", "you may not"), 3), (transient("busy"), 9)] {
        let (store, world) = fresh();
        lock(&world).failures.insert("start", vec![StepError::permanent("no_capacity", "no room")]);
        lock(&world).failures.insert("undo", vec![error; 20]);
        let mut config = quick("a");
        config.retry.permanent = 2;
        let engine = engine(&store, &world, config);
        engine.start();
        let id = engine.submit::<common::ErrandWorkflow>(errand()).await.unwrap().record.id;
        assert_eq!(end(&engine, &id).await.status, Status::Failed);
        assert_eq!(lock(&world).undos.len(), attempts);
    }
}
