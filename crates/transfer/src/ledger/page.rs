//! A block of digests, with what is known of each chunk.

use super::header::{BLOCK, Header};
use crate::content::Digest;

/// How many chunks a page tells of.
pub(super) const PER_PAGE: u64 = 125;

const HEAD: usize = BLOCK - PER_PAGE as usize * 32;
const DONE: usize = 40;
const VERIFIED: usize = 56;
const WRITTEN: usize = 72;

/// What is known of one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkState {
    /// What the target holds there; absent if that is not known.
    pub digest: Option<Digest>,
    /// It was settled in the current sync.
    pub done: bool,
    /// What the target stored was checked since it was last written.
    pub verified: bool,
    /// It was written since the ledger began.
    pub written: bool,
}

/// `checksum 32 · epoch 8 · done 16 · verified 16 · written 16 · unused 8 · digests 125 × 32`
pub(super) struct Page {
    bytes: Vec<u8>,
}

/// What a block on disk turned out to be.
pub(super) enum Decoded {
    Empty,
    Page(Page),
    Torn,
}

impl Page {
    pub fn empty(epoch: u64) -> Self {
        let mut page = Self { bytes: vec![0; BLOCK] };
        page.set_epoch(epoch);
        page
    }

    pub fn decode(header: &Header, number: u64, bytes: Vec<u8>) -> Decoded {
        if bytes.iter().all(|byte| *byte == 0) {
            return Decoded::Empty;
        }
        let sum = checksum(header, number, &bytes);
        if bytes.len() == BLOCK && bytes[..32] == sum { Decoded::Page(Self { bytes }) } else { Decoded::Torn }
    }

    pub fn encode(&mut self, header: &Header, number: u64) -> &[u8] {
        let sum = checksum(header, number, &self.bytes);
        self.bytes[..32].copy_from_slice(&sum);
        &self.bytes
    }

    pub fn epoch(&self) -> u64 {
        self.bytes[32..].first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    fn set_epoch(&mut self, epoch: u64) {
        self.bytes[32..40].copy_from_slice(&epoch.to_le_bytes());
    }

    fn bit(&self, flags: usize, slot: usize) -> bool {
        self.bytes[flags + slot / 8] >> (slot % 8) & 1 == 1
    }

    fn set_bit(&mut self, flags: usize, slot: usize, value: bool) {
        let bit = 1 << (slot % 8);
        let byte = &mut self.bytes[flags + slot / 8];
        *byte = if value { *byte | bit } else { *byte & !bit };
    }

    fn digest(&self, slot: usize) -> Option<Digest> {
        let digest: Digest = self.bytes[HEAD + slot * 32..].first_chunk().copied().unwrap_or_default();
        (digest != [0; 32]).then_some(digest)
    }

    /// What is known, with old epochs seen through what the header says may be trusted.
    pub fn state(&self, header: &Header, slot: usize) -> ChunkState {
        let current = self.epoch() == header.epoch;
        let done = self.bit(DONE, slot);
        let trusted = current || header.trusted_epoch.is_none_or(|epoch| epoch == self.epoch() && done);
        ChunkState {
            digest: self.digest(slot).filter(|_| trusted),
            done: current && done,
            verified: trusted && self.bit(VERIFIED, slot),
            written: self.bit(WRITTEN, slot),
        }
    }

    /// Makes it a page of the current epoch, without what is no longer trusted.
    pub fn renew(&mut self, header: &Header) {
        if self.epoch() == header.epoch {
            return;
        }
        for slot in 0..PER_PAGE as usize {
            let state = self.state(header, slot);
            self.put(slot, ChunkState { done: false, ..state });
        }
        self.set_epoch(header.epoch);
    }

    pub fn put(&mut self, slot: usize, state: ChunkState) {
        let at = HEAD + slot * 32;
        self.bytes[at..at + 32].copy_from_slice(&state.digest.unwrap_or_default());
        self.set_bit(DONE, slot, state.done);
        self.set_bit(VERIFIED, slot, state.verified);
        self.set_bit(WRITTEN, slot, state.written);
    }
}

fn checksum(header: &Header, number: u64, bytes: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new_keyed(&header.key);
    hasher.update(&number.to_le_bytes());
    hasher.update(bytes.get(32..).unwrap_or_default());
    *hasher.finalize().as_bytes()
}
