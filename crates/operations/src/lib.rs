//! Durable sagas: long work as a sequence of idempotent steps, each with an undo, that survives the death of
//! the process which runs it.
//!
//! # How the parts fit
//! A [`Workflow`] lists its [`Step`]s. The [`Engine`] claims an [`Operation`] from an [`OperationStore`] under a
//! lease, asks the pure [`plan`] what is next, runs that, and records what came of it as a [`Change`].
//! Every store applies changes with the same pure function, [`Operation::apply`], so a store only has to keep
//! rows and to make one update atomic.
//!
//! # What is promised
//! - Each claim raises the operation's generation, and every write of a step's outcome carries it: a stale owner's
//!   writes are refused. It then stops at once: its step's future is dropped and no undo runs.
//! - Cancelling drops the running step's future too, which to the step is the same as a crash. Then what was begun
//!   is undone, the unfinished step first, then the finished ones in reverse.
//! - A step that can't be undone is the point of no return. From its start on, cancel is refused and failures are
//!   retried, then handed to a person.
//! - Steps and undos may run more than once. They must find what an earlier run made, by ids that an earlier step stored.

mod backoff;
mod change;
mod clock;
mod context;
mod engine;
mod error;
mod lease;
mod memory;
#[cfg(test)]
mod model;
mod operation;
mod page;
mod plan;
mod request;
mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
mod transition;
mod workflow;

pub use backoff::{Backoff, RetryPolicy};
pub use change::{Budget, Change, Request};
pub use clock::{Clock, ManualClock, SystemClock};
pub use context::StepContext;
pub use engine::{Engine, EngineBuilder, EngineConfig, Random, Submission, Submitted, Watch};
pub use error::{EngineError, ErrorKind, StepError, StoreError};
pub use memory::MemoryStore;
pub use novacron_types::{Checkpoint, OperationFault, OperationId, Status, TransferStats};
pub use operation::{
    CancelRequest, Cursor, Event, Hold, IdempotencyKey, Lease, Operation, OperationRecord, Options, PRUNED, RunState,
    UnwindCause,
};
pub use page::{Page, PageCursor};
pub use plan::{Next, plan};
pub use store::{Claim, Claimed, Created, ListQuery, NewOperation, OperationStore};
pub use workflow::{Outcome, Step, Workflow};
