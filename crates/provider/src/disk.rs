//! Getting disks out of a provider, and into one: the control plane's half.

use std::sync::Arc;

use async_trait::async_trait;
use novacron_types::{DiskId, DiskSpec, InstanceId, SnapshotId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BlockReader, BlockWriter, ExtentPage, OperationTag, Result};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRequest {
    pub tag: OperationTag,
    pub instance: InstanceId,
    /// Counts the syncs of one operation; the same tag and sequence mean the same snapshot.
    pub sequence: u32,
}

/// One disk of a machine at one point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSnapshot {
    pub snapshot_id: SnapshotId,
    pub disk_id: DiskId,
    pub device: String,
    pub boot: bool,
    /// The size of what a reader reads, exactly.
    pub size_bytes: u64,
    /// What the provider needs to open it, in another process. No secrets.
    pub locator: Value,
}

/// How far the provider is with making something usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    pub ready: bool,
    /// As the provider reports it; absent where it does not.
    pub percent: Option<u8>,
}

impl Readiness {
    pub const READY: Readiness = Readiness { ready: true, percent: Some(100) };
}

/// Disks can be read at a point in time while the machine runs on.
#[async_trait]
pub trait DiskSource: Send + Sync {
    /// Fixes one point in time over all disks of the machine, or finds the snapshots made with this tag and
    /// sequence. The boot disk comes first. They may not be readable yet: see [`snapshot_ready`](Self::snapshot_ready).
    async fn snapshot(&self, request: &SnapshotRequest) -> Result<Vec<DiskSnapshot>>;

    /// A snapshot that the provider says has failed is an error; one that is gone is `NotFound`; one that can't be
    /// trusted any more is `Conflict`. Asked again after the last read, it says whether what was read holds.
    async fn snapshot_ready(&self, snapshot: &DiskSnapshot) -> Result<Readiness>;

    /// Deletes it, or succeeds if it is gone.
    async fn delete_snapshot(&self, snapshot: &DiskSnapshot) -> Result<()>;

    /// Opens it for reading. Only a mover calls this.
    async fn open_reader(&self, snapshot: &DiskSnapshot) -> Result<Arc<dyn BlockReader>>;
}

/// The provider can tell what changed between two snapshots of one disk.
#[async_trait]
pub trait ChangedBlocks: Send + Sync {
    /// The extents from `from` on that may differ between `base` and `target`, in order. Every byte that differs is
    /// inside one; bytes that do not differ may be too. `Conflict` where `base` can no longer serve as a base: then
    /// the whole disk is compared by digests.
    async fn changed(&self, base: &DiskSnapshot, target: &DiskSnapshot, from: u64) -> Result<ExtentPage>;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewDisk {
    pub tag: OperationTag,
    /// Which disk of the machine, 0 being the boot disk; the same tag and index mean the same disk.
    pub index: u32,
    pub name: String,
    pub size_bytes: u64,
    pub spec: DiskSpec,
    /// Its content is the start of the new disk's, where the provider can share it.
    pub base: Option<TargetDisk>,
}

/// A disk made to be written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetDisk {
    pub disk_id: DiskId,
    pub index: u32,
    /// As the source has it; what the provider rounds up beyond it reads zero.
    pub size_bytes: u64,
    pub spec: DiskSpec,
    /// What the provider needs to open it, in another process. No secrets.
    pub locator: Value,
}

/// What a mover wrote, for the provider to seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Written {
    /// How many different blocks of the writer's granularity were written.
    pub blocks: u64,
}

/// Disks can be written from outside and machines made from them.
#[async_trait]
pub trait DiskSink: Send + Sync {
    /// Makes an empty disk, or finds the one made with this tag and index.
    async fn create_disk(&self, request: &NewDisk) -> Result<TargetDisk>;

    /// Seals a disk after the last write, so that [`Provider::create`](crate::Provider::create) can use it.
    /// Repeating it succeeds.
    async fn complete_disk(&self, disk: &TargetDisk, written: Written) -> Result<()>;

    /// Whether a completed disk can be used. One that the provider says has failed is an error.
    async fn disk_ready(&self, disk: &TargetDisk) -> Result<Readiness>;

    /// Deletes it, or succeeds if it is gone.
    async fn delete_disk(&self, disk: &TargetDisk) -> Result<()>;

    /// Opens it for writing. Only a mover calls this.
    async fn open_writer(&self, disk: &TargetDisk) -> Result<Arc<dyn BlockWriter>>;
}
