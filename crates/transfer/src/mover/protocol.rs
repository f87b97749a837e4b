//! What is said between the control plane and a mover.

use std::{fmt, time::Duration};

use novacron_provider::{DiskSnapshot, ErrorKind, ProviderDefinition, ProviderError, TargetDisk};
use novacron_types::{ProviderKind, ProviderName, TransferOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CopyReport, TransferError, engine::Progress, ledger::LedgerError};

/// The report of a finished job.
pub type JobReport = CopyReport;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToMover {
    /// The first frame of a job.
    Start(Box<JobSpec>),
    /// Bytes a second; absent or zero: no limit.
    SetRate { bytes_per_second: Option<u64> },
    /// Removes a ledger that will not be needed again; answered by `Forgotten`.
    Forget { ledger_key: String },
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
    /// One of [`CODES`](Self::CODES).
    pub code: String,
    pub message: String,
    pub advice: Option<String>,
    pub operation: Option<String>,
    pub provider: Option<ProviderName>,
    pub request_id: Option<String>,
    pub retry_after_ms: Option<u64>,
}

impl JobFault {
    /// Every code that a mover gives: those of [`ErrorKind::code`], and its own.
    pub const CODES: [&str; 15] = [
        "not_found",
        "already_exists",
        "throttled",
        "unauthorised",
        "quota",
        "no_capacity",
        "invalid",
        "conflict",
        "unavailable",
        "disk_full",
        "cancelled",
        "stored_wrongly",
        "source_changes",
        "ledger",
        "internal",
    ];

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
        matches!(self.code.as_str(), "throttled" | "unavailable")
    }

    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_ms.map(Duration::from_millis)
    }
}

impl fmt::Display for JobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(provider) = &self.provider {
            write!(f, "{provider}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
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
            TransferError::Cancelled => ("cancelled", "Start it again: it goes on where it was."),
            TransferError::Ledger(error) => of_ledger(&error),
            TransferError::Sizes { .. } => (
                "invalid",
                "Was the source's disk resized since its snapshot? Start again, with a new snapshot and disk.",
            ),
            TransferError::StoredWrongly { .. } => {
                ("stored_wrongly", "The target's disk may be failing. Check it, then start again on another one.")
            }
            TransferError::SourceChanges { .. } => {
                ("source_changes", "Check the source's disk, and that nothing writes to it; then start again.")
            }
            TransferError::Internal(_) => ("internal", "This is a fault of the mover: please report it, with its log."),
        };
        Self { advice: Some(advice.into()), ..Self::new(code, message) }
    }
}

fn of_ledger(error: &LedgerError) -> (&'static str, &'static str) {
    use std::io::ErrorKind as Io;
    match error {
        LedgerError::InUse { .. } => ("conflict", "Another job moves this disk. Wait for its end, or cancel it."),
        LedgerError::Io { source, .. } if matches!(source.kind(), Io::StorageFull | Io::QuotaExceeded) => {
            ("disk_full", "Make room in the data directory, where the mover keeps its ledgers; then start again.")
        }
        LedgerError::Io { .. } => ("ledger", "Check the rights in the data directory, and its disk."),
        LedgerError::Another { .. } | LedgerError::Damaged { .. } => {
            ("ledger", "Move the ledger away, out of the data directory; then the disk is moved from its beginning.")
        }
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn each_failure_has_a_code_of_the_list_and_advice() {
        let ledger = |error: io::ErrorKind| LedgerError::Io { path: "l".into(), source: error.into() };
        let path = std::path::PathBuf::from("l");
        let failures: [(TransferError, &str); 11] = [
            (TransferError::Cancelled, "cancelled"),
            (LedgerError::InUse { path: path.clone() }.into(), "conflict"),
            (LedgerError::Another { path: path.clone(), what: "x".into() }.into(), "ledger"),
            (LedgerError::Damaged { path, page: 3 }.into(), "ledger"),
            (ledger(io::ErrorKind::StorageFull).into(), "disk_full"),
            (ledger(io::ErrorKind::QuotaExceeded).into(), "disk_full"),
            (ledger(io::ErrorKind::PermissionDenied).into(), "ledger"),
            (TransferError::Sizes { source_bytes: 1, target_bytes: 2 }, "invalid"),
            (TransferError::StoredWrongly { offset: 0, tries: 3 }, "stored_wrongly"),
            (TransferError::SourceChanges { offset: 0 }, "source_changes"),
            (TransferError::Internal("x".into()), "internal"),
        ];
        for (error, code) in failures {
            let fault = JobFault::from(error);
            assert_eq!(fault.code, code);
            assert!(JobFault::CODES.contains(&code) && fault.advice.is_some() && !fault.is_transient(), "{fault:?}");
        }
    }

    #[test]
    fn a_provider_s_failure_keeps_its_code() {
        let retry_after = Some(Duration::from_secs(3));
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
        for kind in kinds {
            let error = ProviderError::new(kind, "PutSnapshotBlock", "no").request_id(Some("r-1"));
            let fault = JobFault::from(error.clone());
            assert!(JobFault::CODES.contains(&fault.code.as_str()), "{fault:?}");
            assert_eq!((fault.code.as_str(), fault.is_transient()), (kind.code(), kind.is_transient()));
            assert_eq!(fault.to_string(), error.to_string());
            assert_eq!(fault.retry_after().is_some(), matches!(kind, ErrorKind::Throttled { .. }));
        }
    }
}
