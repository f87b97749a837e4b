//! The one error type of the handlers. How it looks on the wire is each protocol's own business
//! (see [`crate::reply`]).

use std::borrow::Cow;

/// A refusal as the vendor would word it: a stable code, an HTTP status and a sentence.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code} ({status}): {message}")]
pub(crate) struct ApiError {
    pub code: Cow<'static, str>,
    pub status: u16,
    pub message: String,
    /// EBS direct's machine-readable `Reason`.
    pub reason: Option<Cow<'static, str>>,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub fn new(code: impl Into<Cow<'static, str>>, status: u16, message: impl Into<String>) -> Self {
        Self { code: code.into(), status, message: message.into(), reason: None }
    }

    /// A client error, HTTP 400, as nearly all of EC2's are.
    pub fn bad(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(code, 400, message)
    }

    pub fn with_reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    pub fn missing(parameter: &str) -> Self {
        Self::bad("MissingParameter", format!("The request must contain the parameter {parameter}"))
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::bad("InvalidParameterValue", message)
    }

    pub fn combination(message: impl Into<String>) -> Self {
        Self::bad("InvalidParameterCombination", message)
    }

    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "the sandbox failed");
        Self::new("InternalError", 500, "An internal error has occurred")
    }
}
