//! Buffers that can be read into past the page cache.

use std::ops::{Deref, DerefMut};

/// What direct I/O asks of addresses and lengths.
pub const ALIGN: usize = 4096;

/// A buffer of bytes whose first byte lies at a multiple of [`ALIGN`] in memory. It is passed in and out of
/// reads and writes, so that no byte is copied and the same memory is used again.
pub struct Buf {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buf {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let memory = vec![0; len + ALIGN];
        let start = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
        Self { memory, start, len }
    }

    /// How much it can hold without new memory.
    pub fn capacity(&self) -> usize {
        self.memory.len() - self.start
    }

    /// Makes it `len` long. What it then holds is not specified. New memory is taken only if it is too small.
    pub fn resize(&mut self, len: usize) {
        if len > self.capacity() {
            *self = Self::zeroed(len);
        }
        self.len = len;
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
        for len in [0, 1, 511, 4096, 1 << 20] {
            let mut buf = Buf::zeroed(len);
            assert_eq!(buf.len(), len);
            buf.resize(len / 2);
            assert_eq!(buf.as_ptr() as usize % ALIGN, 0);
            buf.resize(len * 2 + 1);
            assert_eq!(buf.as_ptr() as usize % ALIGN, 0);
            assert_eq!(buf.len(), len * 2 + 1);
        }
    }
}
