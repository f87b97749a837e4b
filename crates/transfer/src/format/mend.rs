//! What a killed writer leaves of a qcow2 image, put right before the next one writes.
//!
//! `imago` writes a new table of clusters, and the pointer to it, at once, and the count that says its place is taken with
//! the next flush. Killed in between, the next writer would take the place for data and overwrite the table. A table
//! without a count was in no flush, so nothing in it was ever said to be safe: its pointer is taken out. A block of
//! counts in the same state is needed, and gets its count.

use std::{fs::File, io, os::unix::fs::FileExt};

use super::header::Qcow2Header;

const TABLE: u64 = 0x00ff_ffff_ffff_fe00;
/// Entries of a table that are read at once.
const ENTRIES: u64 = 1 << 13;
/// The width of a count, as a power of two of bits, in every image that is made here.
const WIDTH: u32 = 4;

/// Where the counts are.
struct Counts<'a> {
    file: &'a File,
    cluster_bits: u32,
    table: u64,
    entries: u64,
}

/// Puts right what a writer that was killed left in an image. It blocks.
pub(super) fn mend(file: &File, header: &Qcow2Header) -> io::Result<()> {
    let mut head = [0; 104];
    file.read_exact_at(&mut head, 0)?;
    let be32 = |at: usize| head[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let be64 = |at: usize| head[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    if header.version == 3 && be32(96) != WIDTH {
        return Ok(());
    }
    let entries = u64::from(be32(56)) * header.cluster() / 8;
    let counts = Counts { file, cluster_bits: header.cluster_bits, table: be64(48), entries };
    let mut mended = 0;
    each(file, counts.table, counts.entries, !511, |_, block| {
        if let Some(at) = counts.missing(block)? {
            file.write_all_at(&1u16.to_be_bytes(), at)?;
            mended += 1;
        }
        Ok(())
    })?;
    each(file, header.l1_offset, header.l1_entries, TABLE, |at, table| {
        if !counts.has(table)? {
            file.write_all_at(&[0; 8], at)?;
            mended += 1;
        }
        Ok(())
    })?;
    if mended > 0 {
        tracing::info!(mended, "a qcow2 image was left by a writer that was killed; its tables were put right");
        file.sync_data()?;
    }
    Ok(())
}

/// Calls `visit` with the place and the value of each entry of a table that is not zero.
pub(super) fn each(
    file: &File,
    table: u64,
    entries: u64,
    mask: u64,
    mut visit: impl FnMut(u64, u64) -> io::Result<()>,
) -> io::Result<()> {
    for first in (0..entries).step_by(ENTRIES as usize) {
        let mut bytes = vec![0; 8 * (entries - first).min(ENTRIES) as usize];
        file.read_exact_at(&mut bytes, table + 8 * first)?;
        for (number, entry) in (first..).zip(bytes.chunks_exact(8).filter_map(|entry| entry.first_chunk())) {
            let value = u64::from_be_bytes(*entry) & mask;
            if value != 0 {
                visit(table + 8 * number, value)?;
            }
        }
    }
    Ok(())
}

impl Counts<'_> {
    /// Whether the cluster that begins there counts as taken.
    fn has(&self, offset: u64) -> io::Result<bool> {
        match self.place(offset)? {
            Some(at) => Ok(self.count(at)? != 0),
            None => Ok(false),
        }
    }

    /// Where its count is, if that is zero.
    fn missing(&self, offset: u64) -> io::Result<Option<u64>> {
        match self.place(offset)? {
            Some(at) if self.count(at)? == 0 => Ok(Some(at)),
            _ => Ok(None),
        }
    }

    fn count(&self, at: u64) -> io::Result<u16> {
        let mut bytes = [0; 2];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(u16::from_be_bytes(bytes))
    }

    /// Where the count of the cluster that begins there is; absent where no block has it.
    fn place(&self, offset: u64) -> io::Result<Option<u64>> {
        let (number, per_block) = (offset >> self.cluster_bits, 1 << (self.cluster_bits - 1));
        if number / per_block >= self.entries {
            return Ok(None);
        }
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, self.table + 8 * (number / per_block))?;
        let block = u64::from_be_bytes(bytes) & !511;
        Ok((block != 0).then(|| block + 2 * (number % per_block)))
    }
}
