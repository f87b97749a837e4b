//! Operations that are made of others: what they wait for always finds a place.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

mod common;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use common::{ErrandWorkflow, PATIENCE, end, errand, fresh, quick};
use novacron_operations::*;

#[derive(Clone, Default)]
struct Errands(Arc<OnceLock<Engine>>);

impl Workflow for Errands {
    type State = u32;
    const KIND: &'static str = "errands";
    const WAITS: bool = true;

    fn steps(&self, _params: &u32) -> Vec<Box<dyn Step<u32>>> {
        vec![Box::new(self.clone())]
    }
}

#[async_trait]
impl Step<u32> for Errands {
    fn name(&self) -> &'static str {
        "wait"
    }
    async fn run(&self, _cx: &StepContext, done: &mut u32) -> Result<Outcome, StepError> {
        let engine = self.0.get().unwrap();
        for _ in 0..2 {
            let id = engine.submit::<ErrandWorkflow>(errand()).await.unwrap().record.id;
            assert_eq!(engine.wait(&id).await.unwrap().status, Status::Completed);
            *done += 1;
        }
        Ok(Outcome::Done)
    }
}

/// One place, three that wait: all come to their end, also where the process before died amid them.
#[tokio::test]
async fn who_waits_takes_no_place() {
    let (store, world) = fresh();
    let start = |owner: &str| {
        let config = EngineConfig { concurrency: 1, sole_owner: true, ..quick(owner) };
        let errands = Errands::default();
        let engine = Engine::builder(store.clone())
            .config(config)
            .register(ErrandWorkflow(world.clone()))
            .register(errands.clone())
            .build();
        assert!(errands.0.set(engine.clone()).is_ok());
        engine.start();
        engine
    };
    let engine = start("a");
    let mut ids = Vec::new();
    for i in 0..3 {
        ids.push(engine.submit::<Errands>(Submission::new(format!("s{i}"), 0)).await.unwrap().record.id);
    }
    end(&engine, &ids[0]).await;
    engine.kill().await;
    let engine = start("a");
    for id in &ids {
        assert_eq!(end(&engine, id).await.status, Status::Completed);
    }
    engine.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn who_waits_outlasts_a_store_that_is_away() {
    let (store, world) = fresh();
    let first = common::engine(&store, &world, quick("a"));
    let far = common::silent::SilentStore::new(store.clone());
    let store_of_second: Arc<dyn OperationStore> = far.clone();
    let second = common::engine(&store_of_second, &world, quick("b"));
    let id = first.submit::<ErrandWorkflow>(errand()).await.unwrap().record.id;
    // At the first question, and again when it has been answered.
    for away in [1, 3] {
        far.away.store(away, std::sync::atomic::Ordering::SeqCst);
        let waits = tokio::time::timeout(std::time::Duration::from_millis(500), second.wait(&id));
        assert!(waits.await.is_err(), "it has not begun");
    }
    first.start();
    assert_eq!(end(&second, &id).await.status, Status::Completed);
    let unknown = second.wait(&OperationId::new("unknown").unwrap()).await;
    assert!(matches!(unknown, Err(EngineError::Store(StoreError::NotFound(_)))), "{unknown:?}");
    first.shutdown(PATIENCE).await;
}
