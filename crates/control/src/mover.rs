//! What the control plane asks of a mover.

use async_trait::async_trait;
use novacron_provider::{DiskSnapshot, ProviderDefinition, ProviderError, TargetDisk, Written};
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
    ) -> Result<DiskResult, ProviderError>;

    /// Forgets the job of this key. Forgetting what is not known succeeds.
    async fn forget(&self, key: &str) -> Result<(), ProviderError>;

    /// Whether it answers.
    async fn is_alive(&self) -> bool;
}
