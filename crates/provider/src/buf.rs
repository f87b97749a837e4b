//! Buffers that can be read into past the page cache.

use std::ops::{Deref, DerefMut};

use memmap2::{Advice, MmapMut};

/// What direct I/O asks of addresses and lengths.
pub const ALIGN: usize = 4096;

/// From this length on, a buffer is asked for in huge pages of this size. The kernel hands a request to a disk as a list
/// of physically contiguous segments, and takes as many as the disk allows: 1 MiB in pages of 4 KiB is up to 256 of them
/// and often two requests, in a huge page it is one segment. On a virtual disk that halves the time.
pub const HUGE: usize = 2 << 20;

/// A buffer of bytes whose first byte lies at a multiple of [`ALIGN`] in memory. It is passed in and out of
/// reads and writes, so that no byte is copied and the same memory is used again.
pub struct Buf {
    memory: Memory,
    start: usize,
    len: usize,
}

enum Memory {
    Heap(Vec<u8>),
    Pages(MmapMut),
}

impl Buf {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        Self::in_huge_pages(len).unwrap_or_else(|| Self::new(Memory::Heap(vec![0; len + ALIGN]), ALIGN, len))
    }

    /// Absent where it is too short for a huge page, or memory can't be mapped.
    fn in_huge_pages(len: usize) -> Option<Self> {
        if len < HUGE {
            return None;
        }
        // What lies outside the aligned part is never touched, and so takes no memory.
        let pages = MmapMut::map_anon(len.checked_next_multiple_of(HUGE)?.checked_add(HUGE)?).ok()?;
        // A kernel without huge pages refuses, and the buffer serves all the same.
        let _ = pages.advise(Advice::HugePage);
        Some(Self::new(Memory::Pages(pages), HUGE, len))
    }

    fn new(memory: Memory, align: usize, len: usize) -> Self {
        let start = memory.as_ptr().align_offset(align).min(align);
        Self { memory, start, len }
    }

    /// How much it can hold without new memory.
    pub fn capacity(&self) -> usize {
        match &self.memory {
            Memory::Heap(memory) => memory.len() - self.start,
            Memory::Pages(memory) => memory.len() - HUGE,
        }
    }

    /// Makes it `len` long. What it then holds is not specified. New memory is taken only if it is too small.
    pub fn resize(&mut self, len: usize) {
        if len > self.capacity() {
            *self = Self::zeroed(len);
        }
        self.len = len;
    }
}

impl Deref for Memory {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(memory) => memory,
            Self::Pages(memory) => memory,
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(memory) => memory,
            Self::Pages(memory) => memory,
        }
    }
}

impl Deref for Buf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl DerefMut for Buf {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl std::fmt::Debug for Buf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buf({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_whatever_its_length() {
        for len in [0, 1, 511, 4096, 1 << 20, HUGE - 1, HUGE, 5 << 20] {
            let mut buf = Buf::zeroed(len);
            assert_eq!(buf.len(), len);
            assert!(buf.iter().all(|byte| *byte == 0));
            buf.resize(len / 2);
            assert_eq!(buf.as_ptr() as usize % ALIGN, 0);
            buf.resize(len * 2 + 1);
            buf.fill(7);
            assert_eq!(buf.as_ptr() as usize % ALIGN, 0);
            assert_eq!(buf.len(), len * 2 + 1);
        }
    }

    #[test]
    fn a_large_one_begins_at_a_huge_page() {
        for len in [HUGE, HUGE + 1, 3 * HUGE] {
            let buf = Buf::zeroed(len);
            assert_eq!(buf.as_ptr() as usize % HUGE, 0);
            assert_eq!(buf.capacity(), len.next_multiple_of(HUGE));
        }
    }
}
