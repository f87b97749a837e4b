//! What can go wrong in a step, in the store and in the engine.

use std::time::Duration;

use novacron_types::{OperationFault, OperationId, Status};

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Not by itself. An undo is tried again all the same, as is what is past the point of no return: for those there is
    /// no other way than on.
    Permanent,
    /// Only when a person has decided or changed something: an undo, or what is past the point of no return, is not tried
    /// again before a person says so. Going forward it is undone, as with any permanent failure.
    NeedsPerson,
    /// It may go away by itself; not before `retry_after`, if the other side said so.
    Transient { retry_after: Option<Duration> },
}

/// Why a step or an undo failed, in words for the person who reads it. Holds no secrets.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", .fault.message)]
pub struct StepError {
    pub(crate) fault: OperationFault,
    pub(crate) kind: ErrorKind,
    /// Another owner has the operation: stop quietly. Never shown.
    pub(crate) stale: bool,
}

impl StepError {
    /// `code` is stable and for machines (`disk_full`), `message` says what happened.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(code, message, ErrorKind::Permanent)
    }

    pub fn needs_person(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(code, message, ErrorKind::NeedsPerson)
    }

    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(code, message, ErrorKind::Transient { retry_after: None })
    }

    fn new(code: impl Into<String>, message: impl Into<String>, kind: ErrorKind) -> Self {
        let fault = OperationFault { code: code.into(), message: message.into(), advice: None };
        Self { fault, kind, stale: false }
    }

    /// What the person is to do.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.fault.advice = Some(advice.into());
        self
    }

    /// Says before what happened what that means.
    #[must_use]
    pub fn about(mut self, what: impl std::fmt::Display) -> Self {
        self.fault.message = format!("{what}: {}", self.fault.message);
        self
    }

    /// Makes the failure transient, not to be tried again before `after`.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.kind = ErrorKind::Transient { retry_after: Some(after) };
        self
    }

    pub fn fault(&self) -> &OperationFault {
        &self.fault
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Transient { .. })
    }

    /// Another owner has taken the operation over. Pass such an error on at once.
    pub fn is_stale_owner(&self) -> bool {
        self.stale
    }
}

/// What a step's own write to the store came to.
impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        let stale = matches!(error, StoreError::StaleOwner);
        let mut error = match error {
            StoreError::Unavailable(_) | StoreError::Full(_) => Self::transient("store_unavailable", error.to_string()),
            other => Self::permanent("store", other.to_string()),
        };
        error.stale = stale;
        error
    }
}

/// What a store refuses or cannot do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StoreError {
    #[error("another owner has taken this operation over")]
    StaleOwner,
    #[error("there is no operation {0}")]
    NotFound(OperationId),
    #[error("operation {other} is already at work on {key}; wait for it to end, or cancel it")]
    Conflict { key: String, other: OperationId },
    #[error("idempotency key {key:?} was used for another request (operation {other}); use a new key")]
    IdempotencyMismatch { key: String, other: OperationId },
    #[error("there is already an operation {0}")]
    IdTaken(OperationId),
    /// Nothing was stored: somebody else's answer to the same request was first.
    #[error("this was answered before, as {0}")]
    AnsweredBefore(String),
    #[error(
        "operation {id} has passed its point of no return (step {phase}) and can't be cancelled; it will end by itself"
    )]
    PastPointOfNoReturn { id: OperationId, phase: String },
    #[error("operation {id} has already ended: {status}")]
    AlreadyEnded { id: OperationId, status: Status },
    #[error("operation {id} is not waiting for anyone: it is {status}")]
    NotHeld { id: OperationId, status: Status },
    #[error("operation {id} can't be tried again: it is {status}, and only a failed one can")]
    NotFailed { id: OperationId, status: Status },
    #[error("{what} already belongs to {other}")]
    Duplicate { what: String, other: String },
    /// A cancel came in before the step could start.
    #[error("the operation is to be cancelled")]
    CancelRequested,
    #[error("that page cursor is not one of ours; start again without it")]
    BadCursor,
    #[error("the store is full: {0}; free some space, the work goes on by itself")]
    Full(String),
    #[error("the store can't be reached: {0}")]
    Unavailable(String),
    #[error("the store holds something this program can't read: {0}")]
    Corrupt(String),
}

/// Why the engine would not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("operations of kind {0:?} are not known here")]
    UnknownKind(String),
    #[error("{0}")]
    Invalid(String),
}
