//! The tests that every workflow must pass, generated from the workflow itself.
//!
//! Describe the world that a workflow works in as a [`Scenario`], and call [`check_all`] in a test. It is then run many
//! times, each time in a fresh world, and the world is looked at when the operation has ended:
//!
//! 1. it fails at each step, before and after the step's work, and unwinds;
//! 2. the same, and each undo runs twice;
//! 3. each step runs twice;
//! 4. its process dies at each step and each undo (before, amid, after) and at each write to the store (before, after),
//!    and another takes over;
//! 5. it is cancelled at each step (before, amid, after);
//! 6. its owner goes on after another has taken over: that owner must write nothing and undo nothing.

mod cases;
mod crash;
mod probe;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{MemoryStore, OperationStore, Submission, Workflow};

pub use cases::{
    check_all, check_cancel, check_death, check_death_at_writes, check_failure, check_repeated_steps, check_stale_owner,
};

/// A workflow and a world for it to work in.
#[async_trait]
pub trait Scenario: Send + Sync {
    type Workflow: Workflow;
    type World: Send + Sync;

    /// A fresh world.
    async fn world(&self) -> Self::World;
    /// The workflow, at work in that world. Called again for each process that takes over.
    fn workflow(&self, world: &Self::World) -> Self::Workflow;
    /// The operation to submit.
    fn submission(&self, world: &Self::World) -> Submission<<Self::Workflow as Workflow>::State>;
    /// What is wrong with the world after the operation has ended so: leftovers, things missing, things done twice.
    async fn check(&self, world: &Self::World, end: End) -> Vec<String>;

    /// Where the operation is stored.
    async fn store(&self) -> Arc<dyn OperationStore> {
        Arc::new(MemoryStore::new())
    }
    /// How long one run may take before it counts as hung.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
    /// After how many polls of a step's future its process dies or its cancel comes, when that is to be amid its work.
    fn polls(&self) -> Vec<usize> {
        vec![1, 2, 3]
    }
}

/// How the operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Completed: everything is there, once.
    Done,
    /// Rolled back or cancelled: nothing is left.
    Undone,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Undone => "undone",
        })
    }
}
