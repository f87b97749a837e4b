//! The first block: whose ledger it is, and where its syncs stand.

use serde::{Deserialize, Serialize};

use crate::content::{CHUNK, Digest};

pub(super) const BLOCK: usize = 4096;
const MAGIC: &[u8; 8] = b"NCLEDGR1";

/// Which pair of disks a ledger belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerIdentity {
    /// The source disk, at whatever point in time.
    pub source: String,
    pub target: String,
    pub size_bytes: u64,
}

/// Which sync is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncIdentity {
    /// The point in time of the source that is read.
    pub snapshot: String,
    /// The point in time from which the source can tell what changed.
    pub base: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub identity: LedgerIdentity,
    pub chunk: u64,
    /// Random; a page of another ledger is never taken for one of this.
    pub key: Digest,
    /// Counts the syncs, from 1.
    pub epoch: u64,
    /// What the current epoch reads.
    pub snapshot: String,
    /// The snapshot of the last finished epoch, which the target then held.
    pub base: Option<String>,
    pub complete: bool,
    /// A chunk without an entry reads as zeros at the target.
    pub fresh: bool,
    /// If set, of the pages older than the current epoch only what was done in this one is trusted.
    pub trusted_epoch: Option<u64>,
}

impl Header {
    pub fn new(identity: LedgerIdentity, snapshot: String, fresh: bool) -> Self {
        Self {
            identity,
            chunk: CHUNK,
            key: rand::random(),
            epoch: 1,
            snapshot,
            base: None,
            complete: false,
            fresh,
            trusted_epoch: None,
        }
    }

    /// Turns to another snapshot.
    pub fn advance(&mut self, snapshot: String) {
        if self.complete {
            self.base = Some(std::mem::replace(&mut self.snapshot, snapshot));
            self.trusted_epoch = None;
        } else {
            self.base = None;
            self.snapshot = snapshot;
            self.trusted_epoch = Some(self.epoch);
            self.fresh = false;
        }
        self.epoch += 1;
        self.complete = false;
    }

    pub fn finish(&mut self) {
        self.complete = true;
        self.fresh = true;
        self.trusted_epoch = None;
    }

    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let json = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        if json.len() > BLOCK - 44 {
            return Err("the names of its disks are too long".into());
        }
        let mut block = vec![0; BLOCK];
        block[..8].copy_from_slice(MAGIC);
        block[8..12].copy_from_slice(&(json.len() as u32).to_le_bytes());
        block[12..12 + json.len()].copy_from_slice(&json);
        let digest = blake3::hash(&block[..BLOCK - 32]);
        block[BLOCK - 32..].copy_from_slice(digest.as_bytes());
        Ok(block)
    }

    pub fn decode(block: &[u8]) -> Result<Self, String> {
        let (body, digest) = block
            .split_last_chunk::<32>()
            .filter(|_| block.len() == BLOCK)
            .ok_or_else(|| "it is shorter than its header".to_owned())?;
        if body.first_chunk::<8>() != Some(MAGIC) {
            return Err("it is not a ledger of this version".into());
        }
        if blake3::hash(body) != blake3::Hash::from_bytes(*digest) {
            return Err("its header is damaged".into());
        }
        let len = body[8..].first_chunk::<4>().map_or(0, |len| u32::from_le_bytes(*len)) as usize;
        let json = body.get(12..12 + len).ok_or_else(|| "its header is damaged".to_owned())?;
        let header: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if header.chunk != CHUNK {
            return Err(format!("it counts in chunks of {} bytes", header.chunk));
        }
        Ok(header)
    }
}
