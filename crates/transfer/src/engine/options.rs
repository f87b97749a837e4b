//! What a sync is given and what it gives back.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use novacron_provider::{BlockReader, BlockWriter, ExtentPage, ProviderError, Written};
use novacron_types::{ContentRoot, MIB, TransferStats, VerifyLevel};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Progress;
use crate::{
    budget::Budget,
    ledger::{LedgerError, LedgerIdentity, SyncIdentity},
    rate::RateLimiter,
};

/// What the source can tell about what changed since the sync's base.
#[async_trait]
pub trait Changes: Send + Sync {
    /// The extents from `from` on that may differ from the base, as in
    /// [`ChangedBlocks::changed`](novacron_provider::ChangedBlocks::changed).
    async fn changed(&self, from: u64) -> Result<ExtentPage, ProviderError>;
}

/// One sync of one disk.
pub struct CopyJob {
    pub reader: Arc<dyn BlockReader>,
    pub writer: Arc<dyn BlockWriter>,
    /// What changed since `sync.base`. Used only if that is what the ledger says the target holds.
    pub changes: Option<Arc<dyn Changes>>,
    pub ledger: PathBuf,
    pub identity: LedgerIdentity,
    pub sync: SyncIdentity,
    /// The target was made for this transfer. Where that is not so, nothing is assumed about what it holds.
    pub new_target: bool,
    pub options: CopyOptions,
}

/// How bytes are moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CopyOptions {
    pub workers: usize,
    /// Pieces that one worker has in flight. Absent: few between local disks, more where an end is far away or
    /// only what changed is read.
    pub depth: Option<usize>,
    /// The extent that one worker takes.
    pub extent_bytes: u64,
    pub verify: VerifyLevel,
    /// How often a piece is tried.
    pub attempts: u32,
    /// How often a chunk that was stored wrongly is written again.
    pub heal_attempts: u32,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            workers: 4,
            depth: None,
            extent_bytes: 100 * MIB,
            verify: VerifyLevel::Stored,
            attempts: 6,
            heal_attempts: 3,
        }
    }
}

/// The means to steer a sync while it runs. Clones steer the same one.
#[derive(Debug, Clone)]
pub struct CopyControl {
    pub cancel: CancellationToken,
    pub rate: Arc<RateLimiter>,
    pub progress: Arc<watch::Sender<Progress>>,
    pub budget: Arc<Budget>,
}

impl CopyControl {
    pub fn new(budget: Arc<Budget>) -> Self {
        Self {
            cancel: CancellationToken::new(),
            rate: Arc::new(RateLimiter::default()),
            progress: Arc::new(watch::Sender::default()),
            budget,
        }
    }
}

impl Default for CopyControl {
    fn default() -> Self {
        Self::new(Arc::new(Budget::default()))
    }
}

/// The result of a sync that ended well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopyReport {
    pub size_bytes: u64,
    pub source_root: ContentRoot,
    /// The root of what the target holds; absent where nobody has looked at what it stored.
    #[serde(default)]
    pub target_root: Option<ContentRoot>,
    pub verified: VerifyLevel,
    /// In words: what was read, and what was compared with what.
    pub method: String,
    pub stats: TransferStats,
    /// Over all syncs of this ledger.
    pub written: Written,
    /// Chunks that were stored wrongly at first and written again.
    pub healed: u64,
    /// Pieces that were tried again after a passing failure.
    pub retries: u64,
    /// Only what the source said had changed was read.
    pub used_changed_blocks: bool,
    pub copy_seconds: f64,
    pub verify_seconds: f64,
}

/// Why a sync did not end well. What was settled before stays in the ledger.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the transfer was cancelled")]
    Cancelled,
    #[error("the source has {source_bytes} bytes and the target {target_bytes}")]
    Sizes { source_bytes: u64, target_bytes: u64 },
    #[error(
        "the target does not hold what was written to it: the chunk at byte {offset} still differs after it was \
         written {tries} more times"
    )]
    StoredWrongly { offset: u64, tries: u32 },
    #[error("the source gives different bytes at {offset} each time it is read; it is not a point-in-time copy")]
    SourceChanges { offset: u64 },
    #[error("a part of the transfer ended unexpectedly: {0}")]
    Internal(String),
}
