//! What the control plane asks of a mover.

use std::time::Duration;

use async_trait::async_trait;
use novacron_operations::StepError;
use novacron_provider::{DiskSnapshot, ErrorKind, ProviderDefinition, ProviderError, TargetDisk, Written};
use novacron_types::{ContentRoot, TransferOptions, TransferStats, VerifyLevel};
use tokio::sync::watch;

/// Make `disk` equal to `snapshot`.
#[derive(Debug, Clone)]
pub struct DiskJob {
    /// Names the mover's memory of this job: the same key goes on where an earlier run of it stopped.
    pub key: String,
    pub source: ProviderDefinition,
    pub snapshot: DiskSnapshot,
    pub target: ProviderDefinition,
    pub disk: TargetDisk,
    pub options: TransferOptions,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct DiskResult {
    pub source_root: ContentRoot,
    /// Absent where nobody has looked at what the target stored.
    pub target_root: Option<ContentRoot>,
    pub verified: VerifyLevel,
    /// In words: what was compared with what.
    pub method: String,
    pub written: Written,
    pub stats: TransferStats,
}

/// Why a mover did not do what it was asked. The code is the mover's own, or a provider's.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct MoverFault {
    /// Stable and machine-readable.
    pub code: String,
    pub message: String,
    pub advice: Option<String>,
    /// The same job may succeed later with nobody doing anything, not before `retry_after` where that is known.
    pub transient: bool,
    pub retry_after: Option<Duration>,
}

impl From<ProviderError> for MoverFault {
    fn from(error: ProviderError) -> Self {
        let retry_after = match error.kind {
            ErrorKind::Throttled { retry_after } => retry_after,
            _ => None,
        };
        Self {
            code: error.kind.code().to_owned(),
            message: error.to_string(),
            transient: error.kind.is_transient(),
            retry_after,
            advice: error.advice,
        }
    }
}

impl From<MoverFault> for StepError {
    fn from(fault: MoverFault) -> Self {
        let step = match (fault.transient, fault.retry_after) {
            (true, Some(after)) => StepError::transient(fault.code, fault.message).retry_after(after),
            (true, None) => StepError::transient(fault.code, fault.message),
            (false, _) => StepError::permanent(fault.code, fault.message),
        };
        match fault.advice {
            Some(advice) => step.advice(advice),
            None => step,
        }
    }
}

/// A worker that reads and writes disks. It may be another process, on another machine.
#[async_trait]
pub trait DiskMover: Send + Sync + 'static {
    /// Runs the job. `progress` is told what has been measured; `rate` is followed: bytes a second, or no limit.
    /// When the future is dropped the mover stops, and keeps what it needs to go on later.
    async fn run(
        &self,
        job: DiskJob,
        progress: watch::Sender<TransferStats>,
        rate: watch::Receiver<Option<u64>>,
    ) -> Result<DiskResult, MoverFault>;

    /// Forgets the job of this key. Forgetting what is not known succeeds.
    async fn forget(&self, key: &str) -> Result<(), MoverFault>;

    /// Whether it answers.
    async fn is_alive(&self) -> bool;
}
