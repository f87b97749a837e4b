//! What a disk holds, as one number: digests of chunks, and a tree over them.
//!
//! A disk is cut into chunks of [`CHUNK`] bytes. The last one, if short, counts as filled up with zeros, so that a
//! chunk's digest says nothing but its bytes and serves as a key for deduplication. The tree is binary and filled up
//! with zero chunks to a power of two; the [`ContentRoot`] is the digest of the disk's size and the tree's top, so a
//! disk and the same disk with zeros appended have different roots. `docs/adr/0003-content-root.md` has the format
//! byte by byte; it never changes.

mod reader;
mod tree;

use std::sync::LazyLock;

use novacron_types::KIB;

pub use novacron_types::ContentRoot;
pub use reader::{content_root_of, content_root_of_disk};
pub use tree::RootBuilder;

/// The unit of digests, of the ledger and of differences.
pub const CHUNK: u64 = 64 * KIB;

/// BLAKE3 of a chunk's bytes.
pub type Digest = [u8; 32];

static ZEROS: [u8; CHUNK as usize] = [0; CHUNK as usize];
static ZERO_DIGEST: LazyLock<Digest> = LazyLock::new(|| *blake3::hash(&ZEROS).as_bytes());

/// The digest of a chunk of zeros.
pub fn zero_digest() -> Digest {
    *ZERO_DIGEST
}

/// How many chunks a disk of this size has.
pub fn chunk_count(size: u64) -> u64 {
    size.div_ceil(CHUNK)
}

/// The digest of one chunk, of at most [`CHUNK`] bytes; a short one counts as filled up with zeros.
pub fn digest_chunk(bytes: &[u8]) -> Digest {
    if is_zero(bytes) {
        return zero_digest();
    }
    let missing = ZEROS.len().saturating_sub(bytes.len());
    if missing == 0 {
        return *blake3::hash(bytes).as_bytes();
    }
    *blake3::Hasher::new().update(bytes).update(&ZEROS[..missing]).finalize().as_bytes()
}

/// The digests of the chunks of a run of bytes that starts at a chunk's start.
pub fn digest_chunks(bytes: &[u8]) -> Vec<Digest> {
    bytes.chunks(CHUNK as usize).map(digest_chunk).collect()
}

/// Whether all bytes are zero. Stops soon where they are not.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(512).all(|part| part.iter().fold(0, |all, byte| all | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_chunk_counts_as_filled_up() {
        let mut whole = vec![0u8; CHUNK as usize];
        whole[..3].copy_from_slice(b"abc");
        assert_eq!(digest_chunk(b"abc"), digest_chunk(&whole));
        assert_eq!(digest_chunk(b""), zero_digest());
        assert_eq!(digest_chunk(&whole), *blake3::hash(&whole).as_bytes());
    }

    #[test]
    fn zero_is_told_wherever_the_bit_is() {
        let mut bytes = vec![0u8; 3000];
        assert!(is_zero(&bytes) && is_zero(&[]));
        for at in [0, 1, 511, 512, 2048, 2999] {
            bytes[at] = 1;
            assert!(!is_zero(&bytes), "{at}");
            bytes[at] = 0;
        }
    }
}
