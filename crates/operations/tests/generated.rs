//! The generated tests, on a sample workflow.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::sync::Arc;

use async_trait::async_trait;
use common::{Errand, ErrandWorkflow, Shared, World, errand, lock};
use novacron_operations::{
    Submission,
    testkit::{self, End, Scenario},
};

struct Errands;

#[async_trait]
impl Scenario for Errands {
    type Workflow = ErrandWorkflow;
    type World = Shared;

    async fn world(&self) -> Shared {
        Arc::new(std::sync::Mutex::new(World::default()))
    }
    fn workflow(&self, world: &Shared) -> ErrandWorkflow {
        ErrandWorkflow(world.clone())
    }
    fn submission(&self, _world: &Shared) -> Submission<Errand> {
        let mut errand = errand();
        errand.state.hold = true;
        errand.state.remove_source = true;
        errand
    }
    async fn check(&self, world: &Shared, end: End) -> Vec<String> {
        let world = lock(world);
        let mut wrong = Vec::new();
        match end {
            End::Done => {
                if world.things.values().copied().collect::<Vec<_>>() != [3] {
                    wrong.push(format!("there is {:?}", world.things));
                }
                if world.creations != 1 {
                    wrong.push(format!("{} things were created", world.creations));
                }
                if !world.source_is_gone {
                    wrong.push("the source is still there".to_owned());
                }
            }
            End::Undone => {
                if !world.things.is_empty() {
                    wrong.push(format!("{:?} was left behind", world.things));
                }
                if world.source_is_gone {
                    wrong.push("the source is gone".to_owned());
                }
            }
        }
        wrong
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fails_at_each_step() {
    testkit::check_failure(&Errands).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_each_step_twice() {
    testkit::check_repeated_steps(&Errands).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dies_at_each_step() {
    testkit::check_death(&Errands).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dies_at_each_write() {
    testkit::check_death_at_writes(&Errands).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn is_cancelled_at_each_step() {
    testkit::check_cancel(&Errands).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_owner_does_nothing() {
    testkit::check_stale_owner(&Errands).await;
}
