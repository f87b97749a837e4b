//! The record of an operation: what people see of it, and what the engine needs to carry it on.

use std::time::Duration;

use jiff::Timestamp;
use novacron_types::{Checkpoint, OperationFault, OperationId, Status, TransferStats};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One operation, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    pub record: OperationRecord,
    pub run: RunState,
    pub lease: Lease,
}

/// What people see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperationRecord {
    pub id: OperationId,
    pub kind: String,
    /// What it is about, in the caller's words (an instance's id).
    pub subject: String,
    pub status: Status,
    /// The step that runs, or the last one that ran. Empty before the first.
    pub phase: String,
    /// Percent, 0 to 100.
    pub progress: f64,
    /// Why the last attempt failed (an undo's too), or why it is or was undone; cleared when a retry gets past it.
    pub error: Option<OperationFault>,
    /// What it waits for while it is held.
    pub hold: Option<Hold>,
    pub checkpoints: Vec<Checkpoint>,
    pub transfer: TransferStats,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub updated_at: Timestamp,
    /// Who runs it now.
    pub owner: Option<String>,
    /// Raised by every claim.
    pub generation: u64,
    /// How often the current step has been started.
    pub attempt: u32,
    pub cancel_requested: Option<CancelRequest>,
    /// Values that a running operation follows (a rate limit).
    pub controls: Value,
    /// What the workflow has to say about its result.
    pub summary: Option<Value>,
}

/// What the engine needs to carry it on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// The state as submitted. The steps follow from it.
    pub params: Value,
    /// The state as the steps left it.
    pub state: Value,
    /// The steps' names when the operation was made.
    pub steps: Vec<String>,
    pub cursor: Cursor,
    pub unwinding: Option<UnwindCause>,
    /// The failure that it is undone for.
    #[serde(default)]
    pub cause: Option<OperationFault>,
    /// A step that can't be undone has been started.
    pub committed: bool,
    /// A person said continue, and the held step has not run since.
    pub continued: bool,
    /// The reason last held for in this step.
    pub held_for: Option<String>,
    /// Retries used, a budget each.
    pub forward_retries: u32,
    pub committed_retries: u32,
    pub undo_retries: u32,
    /// The most bytes that were ever done: only beyond that does it go forward.
    #[serde(default)]
    pub furthest: u64,
    /// Owners that died in the current step.
    pub deaths: u32,
    pub options: Options,
    /// Forward work must be done by then. Absent: at any time, or it is settled.
    pub deadline: Option<Timestamp>,
    pub exclusive: Vec<String>,
    /// When it may next be claimed. Absent: it has ended, or waits for a person.
    pub runnable_at: Option<Timestamp>,
    /// Number of the last event.
    pub last_event: u64,
    /// Log messages kept so far.
    pub logged: u32,
}

/// Where the operation stands: steps before `next` are finished; if `started`, step `next` was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    pub next: usize,
    pub started: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnwindCause {
    Failed,
    Cancelled,
}

/// Who may run the operation, and until when.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lease {
    pub owner: Option<String>,
    pub generation: u64,
    pub until: Option<Timestamp>,
}

/// Why it waits, and until when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    pub reason: String,
    /// Absent: until a person says continue.
    pub resume_at: Option<Timestamp>,
    pub since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CancelRequest {
    pub by: String,
    pub at: Timestamp,
}

/// What the person who asks for the work may choose.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// For the forward work, from its first step's start until it is settled; undoing takes the time it takes.
    pub timeout: Option<Duration>,
    /// Try transient failures again before unwinding.
    pub retry_on_failure: bool,
}

/// Lets a request be repeated without the work being done twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    /// Of the request, so that another one under the same key is noticed.
    pub digest: String,
}

/// Something that happened to an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// From 1, without gaps, an operation each.
    pub seq: u64,
    pub at: Timestamp,
    pub generation: u64,
    /// What sort: `created`, `step_started`, `log`, …
    pub kind: String,
    /// The step that it is about, if any.
    pub step: Option<String>,
    pub message: String,
}

/// How those ended that may be forgotten. What has failed waits for a person.
pub const PRUNED: [Status; 3] = [Status::Completed, Status::RolledBack, Status::Cancelled];

impl Operation {
    pub fn id(&self) -> &OperationId {
        &self.record.id
    }

    pub fn is_terminal(&self) -> bool {
        self.record.status.is_terminal()
    }

    /// Whether it ended before that, in a way that nobody has to see to.
    pub fn may_be_pruned(&self, before: Timestamp) -> bool {
        PRUNED.contains(&self.record.status) && self.record.ended_at.is_some_and(|ended| ended < before)
    }
}
