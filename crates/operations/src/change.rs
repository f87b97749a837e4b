//! What may be asked of an operation's row, by its owner and by people.

use jiff::Timestamp;
use novacron_types::{OperationFault, Status, TransferStats};
use serde_json::Value;

use crate::UnwindCause;

/// What an owner writes.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// `commits`: the step can't be undone, so there is no way back from here.
    StepStarted {
        index: usize,
        phase: String,
        status: Status,
        commits: bool,
    },
    /// In mid-step.
    Saved {
        state: Value,
    },
    StepFinished {
        index: usize,
        state: Value,
        progress: f64,
        summary: Option<Value>,
    },
    /// What was asked for is there: being late is no reason any more to undo it.
    Settled,
    Progress {
        progress: f64,
        transfer: TransferStats,
    },
    Log {
        message: String,
    },
    /// The step waits; gives the operation back.
    Held {
        state: Value,
        reason: String,
        resume_at: Option<Timestamp>,
    },
    /// The step or undo failed and is tried again at `until`; gives the operation back.
    Waiting {
        state: Option<Value>,
        fault: OperationFault,
        until: Timestamp,
        budget: Budget,
    },
    Unwinding {
        cause: UnwindCause,
        fault: Option<OperationFault>,
        state: Option<Value>,
    },
    UndoStarted {
        phase: String,
    },
    UndoFinished {
        index: usize,
        phase: String,
        state: Value,
    },
    Ended {
        status: Status,
        fault: Option<OperationFault>,
        summary: Option<Value>,
    },
    /// Gives the operation back, for anyone to carry on at once.
    Released,
}

/// Which retries a failure is counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    Forward,
    Committed,
    Undo,
}

/// What a person asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Cancel {
        by: String,
    },
    /// Run the held step again now.
    Continue {
        by: String,
    },
    /// Merge these keys into the controls; null removes one.
    Controls {
        patch: serde_json::Map<String, Value>,
        by: String,
    },
    /// Take a failed operation up again where it stopped, with fresh budgets.
    Retry {
        by: String,
    },
}
