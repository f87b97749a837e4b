//! Why the control plane would not do what was asked.

use novacron_operations::{EngineError, StepError, StoreError};
use novacron_provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};

/// What sort of refusal it is; the API turns it into a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The request can't be right as it stands.
    Invalid,
    NotFound,
    /// It is at odds with what is going on, or with the state that something is in.
    Conflict,
    /// A provider refused our credentials or lacks a permission.
    ProviderRefused,
    /// A provider can't be reached, or failed.
    ProviderUnavailable,
    /// We can't, at present: the store is full or away.
    Unavailable,
    Internal,
}

/// A refusal with a stable code, a message, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ControlError {
    pub class: ErrorClass,
    /// Stable and machine-readable.
    pub code: String,
    pub message: String,
    pub advice: Option<String>,
    /// The vendor's id of the request that failed.
    pub vendor_request_id: Option<String>,
}

impl ControlError {
    pub fn new(class: ErrorClass, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { class, code: code.into(), message: message.into(), advice: None, vendor_request_id: None }
    }

    pub fn invalid(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Invalid, code, message)
    }

    pub fn not_found(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorClass::NotFound, code, message)
    }

    /// Whether it may go away by itself.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.class, ErrorClass::Unavailable | ErrorClass::ProviderUnavailable)
    }

    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl From<ProviderError> for ControlError {
    fn from(error: ProviderError) -> Self {
        let class = match error.kind {
            ErrorKind::NotFound => ErrorClass::NotFound,
            ErrorKind::Invalid => ErrorClass::Invalid,
            ErrorKind::AlreadyExists
            | ErrorKind::Conflict
            | ErrorKind::Quota
            | ErrorKind::NoCapacity
            | ErrorKind::Full => ErrorClass::Conflict,
            ErrorKind::Unauthorised => ErrorClass::ProviderRefused,
            ErrorKind::Throttled { .. } | ErrorKind::Unavailable => ErrorClass::ProviderUnavailable,
        };
        Self {
            class,
            code: error.kind.code().to_owned(),
            message: error.to_string(),
            advice: error.advice,
            vendor_request_id: error.request_id,
        }
    }
}

/// Somebody else's answer to the same request was first: it is read, and nobody sees this.
pub(crate) const ANSWERED_BEFORE: &str = "answered_before";

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        let (class, code) = match &error {
            StoreError::NotFound(_) => (ErrorClass::NotFound, "no_such_migration"),
            StoreError::Conflict { .. } => (ErrorClass::Conflict, "already_at_work"),
            StoreError::AnsweredBefore(_) => (ErrorClass::Conflict, ANSWERED_BEFORE),
            StoreError::IdempotencyMismatch { .. } => (ErrorClass::Conflict, "idempotency_key_reused"),
            StoreError::PastPointOfNoReturn { .. } => (ErrorClass::Conflict, "past_point_of_no_return"),
            StoreError::AlreadyEnded { .. } => (ErrorClass::Conflict, "already_ended"),
            StoreError::NotHeld { .. } => (ErrorClass::Conflict, "not_held"),
            StoreError::NotFailed { .. } => (ErrorClass::Conflict, "not_failed"),
            StoreError::BadCursor => (ErrorClass::Invalid, "bad_cursor"),
            StoreError::Full(_) => (ErrorClass::Unavailable, "store_full"),
            StoreError::Unavailable(_) => (ErrorClass::Unavailable, "store_unavailable"),
            _ => (ErrorClass::Internal, "store"),
        };
        let advice = match &error {
            StoreError::Full(_) => {
                "Make room on the disk that holds the server's data directory, or its database. `GET /health` says when writes are taken again; no restart is needed."
            }
            StoreError::Unavailable(_) => "Look whether the server's database runs and can be reached, then try again.",
            _ => return Self::new(class, code, error.to_string()),
        };
        Self::new(class, code, error.to_string()).advice(advice)
    }
}

impl From<EngineError> for ControlError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::UnknownKind(_) => Self::new(ErrorClass::Internal, "unknown_kind", error.to_string()),
            EngineError::Invalid(message) => Self::invalid("invalid", message),
        }
    }
}

/// A provider's failure as a step's: what may go away by itself is transient.
pub(crate) fn step_error(error: ProviderError) -> StepError {
    crate::MoverFault::from(error).into()
}

/// What the control plane refused to a step that asked it for other work.
pub(crate) fn step_error_of(error: ControlError) -> StepError {
    let failed = match error.is_transient() {
        true => StepError::transient(error.code, error.message),
        false => StepError::permanent(error.code, error.message),
    };
    match error.advice {
        Some(advice) => failed.advice(advice),
        None => failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_store_says_what_to_do() {
        let error = ControlError::from(StoreError::Full("disk I/O".to_owned()));
        assert_eq!((error.class, error.code.as_str()), (ErrorClass::Unavailable, "store_full"));
        assert!(error.advice.unwrap().contains("Make room"));
    }
}
