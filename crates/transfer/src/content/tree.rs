//! The tree over the chunks' digests, built in one pass with memory for one path.

use std::sync::LazyLock;

use novacron_types::ContentRoot;

use super::{Digest, zero_digest};

/// 2⁴⁸ chunks of 64 KiB are more bytes than a size can say.
const LEVELS: usize = 49;

static NODE_KEY: LazyLock<Digest> = LazyLock::new(|| blake3::derive_key("NovaCron content tree node v1", &[]));
static ROOT_KEY: LazyLock<Digest> = LazyLock::new(|| blake3::derive_key("NovaCron content root v1", &[]));

/// The tops of trees of 2⁰, 2¹, 2² … chunks of zeros.
static ZERO_TREES: LazyLock<[Digest; LEVELS]> = LazyLock::new(|| {
    let mut trees = [zero_digest(); LEVELS];
    for level in 1..LEVELS {
        trees[level] = node(&trees[level - 1], &trees[level - 1]);
    }
    trees
});

fn node(left: &Digest, right: &Digest) -> Digest {
    let mut both = [0; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    *blake3::keyed_hash(&NODE_KEY, &both).as_bytes()
}

/// Takes the digests of a disk's chunks in order, and gives the root. Runs of zeros cost next to nothing.
#[derive(Debug, Clone, Default)]
pub struct RootBuilder {
    /// The tops of the finished trees, largest first, each with its level.
    tops: Vec<(usize, Digest)>,
    chunks: u64,
}

impl RootBuilder {
    pub fn new() -> Self {
        Self::default()
    }

    /// How many chunks it has taken.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    pub fn push(&mut self, digest: Digest) {
        self.put(0, digest);
    }

    /// Takes `count` chunks of zeros.
    pub fn push_zeros(&mut self, mut count: u64) {
        while count > 0 {
            let fits = self.chunks.trailing_zeros().min(count.ilog2()).min(LEVELS as u32 - 1) as usize;
            self.put(fits, ZERO_TREES[fits]);
            count -= 1 << fits;
        }
    }

    /// The root of a disk of `size` bytes. What was not pushed counts as zeros.
    pub fn finish(mut self, size: u64) -> ContentRoot {
        let wanted = super::chunk_count(size).max(1).max(self.chunks).next_power_of_two();
        self.push_zeros(wanted - self.chunks);
        let top = self.tops.first().map_or(ZERO_TREES[0], |(_, top)| *top);
        let mut message = [0; 40];
        message[..8].copy_from_slice(&size.to_le_bytes());
        message[8..].copy_from_slice(&top);
        ContentRoot(*blake3::keyed_hash(&ROOT_KEY, &message).as_bytes())
    }

    fn put(&mut self, mut level: usize, mut digest: Digest) {
        self.chunks += 1 << level;
        while let Some((_, left)) = self.tops.pop_if(|(top, _)| *top == level) {
            let zero = left == ZERO_TREES[level] && digest == left;
            level += 1;
            digest = if zero && level < LEVELS { ZERO_TREES[level] } else { node(&left, &digest) };
        }
        self.tops.push((level, digest));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::content::{CHUNK, digest_chunk};

    /// The definition, written as it reads.
    fn naive(disk: &[u8]) -> ContentRoot {
        let mut level: Vec<Digest> = disk.chunks(CHUNK as usize).map(digest_chunk).collect();
        level.resize(level.len().max(1).next_power_of_two(), zero_digest());
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| node(&pair[0], &pair[1])).collect();
        }
        let message = [&(disk.len() as u64).to_le_bytes()[..], &level[0]].concat();
        ContentRoot(*blake3::keyed_hash(&ROOT_KEY, &message).as_bytes())
    }

    #[test]
    fn the_format_never_changes() {
        assert_eq!(naive(b"").to_string(), "bd8357ada91973d41d21f4c6380450fa65885e6d087c8a3d4f5b23766aadad95");
        assert_eq!(naive(b"NovaCron").to_string(), "ff42f144ddec1646d4b30fa9d2a6d5c30638651b4f2fbb66623be75ad64b01ee");
    }

    #[test]
    fn a_huge_hole_is_quick_and_size_counts() {
        let root = |size: u64| {
            let mut builder = RootBuilder::new();
            builder.push_zeros(crate::content::chunk_count(size));
            builder.finish(size)
        };
        assert_eq!(root(1 << 50), RootBuilder::new().finish(1 << 50));
        assert_ne!(root(1 << 50), root((1 << 50) + 1));
        let _ = root(u64::MAX);
    }

    proptest! {
        #[test]
        fn equals_the_naive_tree(parts in prop::collection::vec((0u8..3, 1u64..9), 0..12), cut in 0..CHUNK) {
            let mut disk = Vec::new();
            let mut builder = RootBuilder::new();
            for (byte, count) in parts {
                disk.resize(disk.len() + (count * CHUNK) as usize, byte);
                if byte == 0 {
                    builder.push_zeros(count);
                } else {
                    (0..count).for_each(|_| builder.push(digest_chunk(&vec![byte; CHUNK as usize])));
                }
            }
            prop_assert_eq!(builder.clone().finish(disk.len() as u64), naive(&disk));
            disk.resize(disk.len() + cut as usize, 7);
            if cut > 0 {
                builder.push(digest_chunk(&vec![7; cut as usize]));
            }
            prop_assert_eq!(builder.finish(disk.len() as u64), naive(&disk));
        }
    }
}
