//! What is said between the control plane and a mover.

use std::fmt;

use novacron_provider::{DiskSnapshot, ErrorKind, ProviderDefinition, ProviderError, TargetDisk};
use novacron_types::{ProviderKind, ProviderName, TransferOptions, VerifyLevel};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CopyReport, TransferError, engine::Progress};

/// The report of a finished job.
pub type JobReport = CopyReport;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToMover {
    /// The first frame of a job.
    Start(Box<JobSpec>),
    /// Bytes a second; absent or zero: no limit.
    SetRate {
        bytes_per_second: Option<u64>,
    },
    /// Removes a ledger that will not be needed again; answered by `Forgotten`.
    Forget {
        ledger_key: String,
    },
    /// Answered by `Pong`.
    Ping,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromMover {
    Progress(Progress),
    Done(Box<JobReport>),
    Failed(JobFault),
    Forgotten,
    Pong { version: String },
}

/// Move one disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobSpec {
    pub source: SourceSpec,
    pub target: TargetSpec,
    pub options: JobOptions,
    /// Names the pair of disks over all their syncs; any text. The same key finds the same ledger.
    pub ledger_key: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SourceSpec {
    pub definition: WireDefinition,
    pub snapshot: DiskSnapshot,
    /// The snapshot of the last finished sync, if it is still there to compare with.
    #[serde(default)]
    pub base: Option<DiskSnapshot>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TargetSpec {
    pub definition: WireDefinition,
    pub disk: TargetDisk,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobOptions {
    pub transfer: TransferOptions,
    /// The target disk was made for this transfer and nobody else has written to it.
    pub new_target: bool,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self { transfer: TransferOptions::default(), new_target: true }
    }
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFault {
    /// One of [`ErrorKind::code`]'s, or `cancelled`, `stored_wrongly`, `source_changes`, `ledger`, `internal`.
    pub code: String,
    pub message: String,
    pub advice: Option<String>,
    pub operation: Option<String>,
    pub provider: Option<ProviderName>,
    pub request_id: Option<String>,
    pub retry_after_ms: Option<u64>,
}

impl JobFault {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            advice: None,
            operation: None,
            provider: None,
            request_id: None,
            retry_after_ms: None,
        }
    }

    pub fn is_cancelled(&self) -> bool {
        self.code == "cancelled"
    }

    /// Whether the same job may succeed later with nobody doing anything.
    pub fn is_transient(&self) -> bool {
        self.kind().is_transient()
    }

    pub fn kind(&self) -> ErrorKind {
        let retry_after = self.retry_after_ms.map(std::time::Duration::from_millis);
        let kinds = [
            ErrorKind::NotFound,
            ErrorKind::AlreadyExists,
            ErrorKind::Throttled { retry_after },
            ErrorKind::Unauthorised,
            ErrorKind::Quota,
            ErrorKind::NoCapacity,
            ErrorKind::Invalid,
            ErrorKind::Conflict,
            ErrorKind::Unavailable,
            ErrorKind::Full,
        ];
        kinds.into_iter().find(|kind| kind.code() == self.code).unwrap_or(ErrorKind::Conflict)
    }
}

impl fmt::Display for JobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(provider) = &self.provider {
            write!(f, "{provider}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl From<ProviderError> for JobFault {
    fn from(error: ProviderError) -> Self {
        let retry_after_ms = match error.kind {
            ErrorKind::Throttled { retry_after } => retry_after.map(|pause| pause.as_millis() as u64),
            _ => None,
        };
        Self {
            code: error.kind.code().into(),
            message: format!("{}: {}", error.operation, error.message),
            advice: error.advice,
            operation: Some(error.operation),
            provider: error.provider,
            request_id: error.request_id,
            retry_after_ms,
        }
    }
}

impl From<TransferError> for JobFault {
    fn from(error: TransferError) -> Self {
        let message = error.to_string();
        let (code, advice) = match error {
            TransferError::Provider(error) => return error.into(),
            TransferError::Cancelled => ("cancelled", None),
            TransferError::Ledger(crate::ledger::LedgerError::InUse { .. }) => ("conflict", None),
            TransferError::Ledger(_) => ("ledger", Some("Check the room and the rights in the data directory.")),
            TransferError::Sizes { .. } => ("invalid", None),
            TransferError::StoredWrongly { .. } => {
                ("stored_wrongly", Some("The target's disk may be failing. Check it, then start again on another one."))
            }
            TransferError::SourceChanges { .. } => {
                ("source_changes", Some("Check the source's disk, and that nothing writes to it; then start again."))
            }
            TransferError::Internal(_) => ("internal", None),
        };
        Self { advice: advice.map(Into::into), ..Self::new(code, message) }
    }
}

/// A provider's definition on its way, secrets included. It prints without them.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct WireDefinition {
    pub name: ProviderName,
    pub kind: ProviderKind,
    pub settings: Value,
}

impl fmt::Debug for WireDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireDefinition({} of kind {})", self.name, self.kind)
    }
}

impl From<ProviderDefinition> for WireDefinition {
    fn from(definition: ProviderDefinition) -> Self {
        Self { name: definition.name, kind: definition.kind, settings: definition.settings }
    }
}

impl From<WireDefinition> for ProviderDefinition {
    fn from(wire: WireDefinition) -> Self {
        Self { name: wire.name, kind: wire.kind, settings: wire.settings }
    }
}

impl JobOptions {
    pub fn verify(&self) -> VerifyLevel {
        self.transfer.verify()
    }
}
