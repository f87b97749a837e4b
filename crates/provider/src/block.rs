//! Getting disk bytes out of a disk, and into one: the mover's half.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Buf, ErrorKind, ProviderError, Result};

/// A run of bytes of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Extent {
    pub offset: u64,
    pub len: u64,
    /// It is known to read as zeros, and need not be read.
    pub zero: bool,
}

impl Extent {
    pub fn end(&self) -> u64 {
        self.offset + self.len
    }
}

/// Some extents, in order and without overlap, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtentPage {
    pub extents: Vec<Extent>,
    /// The offset to ask from next; absent at the end of the disk.
    pub next: Option<u64>,
}

/// Reads a disk that does not change. Calls may run in parallel and in any order.
#[async_trait]
pub trait BlockReader: Send + Sync {
    /// Bytes, exactly.
    fn size(&self) -> u64;

    /// The unit in which it reads best: a power of two, at least 512. A read that is aligned to it costs the least.
    fn granularity(&self) -> u64;

    /// The extents from `from` on. A page covers everything from `from` up to its `next`: what is in no extent of it
    /// reads as zeros.
    async fn extents(&self, from: u64) -> Result<ExtentPage>;

    /// Fills the whole buffer with the bytes at `offset`. Offset and length are within the size; `Invalid` otherwise.
    async fn read(&self, offset: u64, buf: Buf) -> Result<Buf>;
}

/// How it can be known what a target stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredCheck {
    /// The store compared a checksum that was sent with each write, and refuses what differs.
    StoreChecksum,
    /// By reading it back.
    ReadBack,
}

/// Writes a disk. Calls may run in parallel and in any order, but not two on the same bytes.
#[async_trait]
pub trait BlockWriter: Send + Sync {
    /// Bytes, exactly: the source's size.
    fn size(&self) -> u64;

    /// Every write starts at a multiple of it, and ends at one or at the size. A power of two, at least 512.
    fn granularity(&self) -> u64;

    /// The most that one write may hold; a multiple of the granularity.
    fn max_write(&self) -> u64 {
        novacron_types::MIB
    }

    /// Whether what was never written reads as zeros, so that zeros need not be written to a new disk.
    fn starts_zeroed(&self) -> bool;

    fn stored_check(&self) -> StoredCheck;

    /// Writes the whole buffer and gives it back for reuse.
    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf>;

    /// Makes the extent read as zeros, without storing zeros where it can.
    async fn zero(&self, offset: u64, len: u64) -> Result<()>;

    /// When it returns, everything whose `write` had returned before the call survives a loss of power.
    async fn flush(&self) -> Result<()>;

    /// Fills the buffer from what is stored, not from a cache where that can be avoided.
    async fn read_back(&self, offset: u64, buf: Buf) -> Result<Buf>;
}

/// Where `len` bytes at `offset` end. `Invalid` unless that is within a disk of `size` bytes.
pub fn end_within(size: u64, offset: u64, len: u64, operation: &str) -> Result<u64> {
    offset.checked_add(len).filter(|end| *end <= size).ok_or_else(|| {
        let message = format!("{len} bytes at {offset} are not within a disk of {size} bytes");
        ProviderError::new(ErrorKind::Invalid, operation, message)
    })
}
