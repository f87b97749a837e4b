//! The one error type of providers. Its kind is what a workflow acts on.

use std::{fmt, time::Duration};

use novacron_types::ProviderName;

pub type Result<T, E = ProviderError> = std::result::Result<T, E>;

/// What a workflow can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    NotFound,
    AlreadyExists,
    /// Too many requests. Try again, not before `retry_after` where the vendor says.
    Throttled {
        retry_after: Option<Duration>,
    },
    /// Wrong credentials, or a permission is missing.
    Unauthorised,
    /// A limit of the account. A person can have it raised.
    Quota,
    /// The vendor has no such machine to give at present. Another offer may do.
    NoCapacity,
    /// The request can't ever succeed as it is.
    Invalid,
    /// The thing is in a state, or in use, that forbids this at present.
    Conflict,
    /// No answer, a broken answer, or the vendor's own failure. It may succeed later.
    Unavailable,
    /// The target has no room left.
    Full,
}

impl ErrorKind {
    /// Whether the same request may succeed later with nobody doing anything.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable)
    }

    /// Stable and machine-readable.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Throttled { .. } => "throttled",
            Self::Unauthorised => "unauthorised",
            Self::Quota => "quota",
            Self::NoCapacity => "no_capacity",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Full => "disk_full",
        }
    }
}

/// A request to a provider that failed: which, at whom, why, and the vendor's id of the request for its support.
/// Messages hold no secrets.
#[derive(Debug, Clone)]
pub struct ProviderError {
    pub kind: ErrorKind,
    pub provider: Option<ProviderName>,
    /// The vendor's word for the request (`RunInstances`), or ours where there is none.
    pub operation: String,
    pub message: String,
    pub request_id: Option<String>,
    /// What a person can do about it.
    pub advice: Option<String>,
}

impl ProviderError {
    pub fn new(kind: ErrorKind, operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            provider: None,
            operation: operation.into(),
            message: message.into(),
            request_id: None,
            advice: None,
        }
    }

    pub fn at(mut self, provider: &ProviderName) -> Self {
        self.provider.get_or_insert_with(|| provider.clone());
        self
    }

    pub fn request_id(mut self, id: Option<impl Into<String>>) -> Self {
        self.request_id = id.map(Into::into);
        self
    }

    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// An error of local I/O; a full disk is told apart.
    pub fn from_io(operation: impl Into<String>, what: impl fmt::Display, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::AlreadyExists => ErrorKind::AlreadyExists,
            Io::PermissionDenied => ErrorKind::Unauthorised,
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::Full,
            Io::InvalidInput | Io::InvalidData | Io::UnexpectedEof => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind, operation, format!("{what}: {error}"))
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(provider) = &self.provider {
            write!(f, "{provider}: ")?;
        }
        write!(f, "{}: {}", self.operation, self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ProviderError {}
