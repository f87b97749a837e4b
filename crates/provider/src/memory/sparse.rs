//! Bytes of a disk of which most are zeros. Copies share what they do not change.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Result, end_within};

const BLOCK: u64 = 4096;

#[derive(Debug, Clone, Default)]
pub(super) struct Sparse {
    size: u64,
    /// Blocks that hold anything but zeros.
    blocks: BTreeMap<u64, Arc<[u8]>>,
}

impl Sparse {
    pub fn new(size: u64) -> Self {
        Self { size, blocks: BTreeMap::new() }
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut sparse = Self::new(bytes.len() as u64);
        sparse.write(0, bytes);
        sparse
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Longer, with zeros, or shorter.
    pub fn resize(&mut self, size: u64) {
        if size < self.size {
            let zeros = vec![0; (BLOCK - size % BLOCK) as usize];
            self.write(size, &zeros[..zeros.len().min((self.size - size) as usize)]);
            self.blocks.retain(|index, _| index * BLOCK < size);
        }
        self.size = size;
    }

    /// Bytes that are stored.
    pub fn stored(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK
    }

    pub fn check_range(&self, offset: u64, len: usize, operation: &str) -> Result<()> {
        end_within(self.size, offset, len as u64, operation).map(drop)
    }

    pub fn read(&self, offset: u64, buf: &mut [u8]) {
        for (index, start, at, len) in pieces(offset, buf.len()) {
            let part = &mut buf[at..at + len];
            match self.blocks.get(&index) {
                Some(block) => part.copy_from_slice(&block[start..start + len]),
                None => part.fill(0),
            }
        }
    }

    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (index, start, at, len) in pieces(offset, bytes.len()) {
            let mut block = match self.blocks.get(&index) {
                Some(old) => old.to_vec(),
                None => vec![0; BLOCK as usize],
            };
            block[start..start + len].copy_from_slice(&bytes[at..at + len]);
            if block.iter().all(|byte| *byte == 0) {
                self.blocks.remove(&index);
            } else {
                self.blocks.insert(index, block.into());
            }
        }
    }

    /// Makes a run of bytes zero without storing any.
    pub fn zero(&mut self, offset: u64, len: u64) {
        let (first, last) = (offset.div_ceil(BLOCK), (offset + len) / BLOCK);
        if first >= last {
            return self.write(offset, &vec![0; len as usize]);
        }
        self.write(offset, &vec![0; (first * BLOCK - offset) as usize]);
        self.write(last * BLOCK, &vec![0; (offset + len - last * BLOCK) as usize]);
        let whole: Vec<u64> = self.blocks.range(first..last).map(|(index, _)| *index).collect();
        for index in whole {
            self.blocks.remove(&index);
        }
    }

    /// The offsets, in multiples of `unit`, of what is not zero, from `from` on.
    pub fn data(&self, from: u64, unit: u64) -> impl Iterator<Item = u64> {
        let unit = unit.max(1);
        let mut last = None;
        let units = self.blocks.range(from / BLOCK..).flat_map(move |(index, _)| {
            (index * BLOCK / unit..=(index * BLOCK + BLOCK - 1) / unit).map(move |n| n * unit)
        });
        units.filter(move |offset| last.replace(*offset) != Some(*offset) && offset + unit > from)
    }

    /// The offsets, in multiples of `unit`, where this differs from `base`.
    pub fn differences(&self, base: &Sparse, from: u64, unit: u64) -> Vec<u64> {
        let mut offsets: Vec<u64> = self.data(from, unit).chain(base.data(from, unit)).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let len = unit as usize;
        let (mut ours, mut theirs) = (vec![0; len], vec![0; len]);
        offsets.retain(|offset| {
            self.read(*offset, &mut ours);
            base.read(*offset, &mut theirs);
            ours != theirs
        });
        offsets
    }
}

/// A run of bytes cut at block borders: block, offset in it, offset in the buffer, length.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= len {
            return None;
        }
        let position = offset + done as u64;
        let start = (position % BLOCK) as usize;
        let part = (BLOCK as usize - start).min(len - done);
        let piece = (position / BLOCK, start, done, part);
        done += part;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_was_written(writes in prop::collection::vec((0u64..40_000, prop::collection::vec(any::<u8>(), 0..9000)), 0..8)) {
            let mut plain = vec![0u8; 50_000];
            let mut sparse = Sparse::new(50_000);
            for (offset, bytes) in &writes {
                let start = *offset as usize;
                plain[start..start + bytes.len()].copy_from_slice(bytes);
                sparse.write(*offset, bytes);
            }
            let mut read = vec![1u8; 50_000];
            sparse.read(0, &mut read);
            prop_assert_eq!(&read, &plain);
            for unit in [512u64, 4096, 65536] {
                let data: Vec<u64> = sparse.data(0, unit).collect();
                for (at, byte) in plain.iter().enumerate() {
                    prop_assert!(*byte == 0 || data.contains(&(at as u64 / unit * unit)));
                }
            }
        }

        #[test]
        fn shrinks_and_grows_with_zeros(size in 0u64..20_000) {
            let mut sparse = Sparse::from_bytes(&[7; 20_000]);
            sparse.resize(size);
            sparse.resize(20_000);
            let mut read = vec![1u8; 20_000];
            sparse.read(0, &mut read);
            prop_assert!(read[..size as usize].iter().all(|b| *b == 7));
            prop_assert!(read[size as usize..].iter().all(|b| *b == 0));
        }
    }
}
