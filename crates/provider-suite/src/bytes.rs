//! Bytes of disks: making, reading, writing and comparing them.

use novacron_provider::{
    BlockReader, BlockWriter, Buf, ChangedBlocks, DiskSnapshot, Extent, ExtentPage, Result as ProviderResult,
};
use novacron_types::MIB;

use crate::{Trouble, ensure};

/// Attempts at moving one buffer: the layers leave those to the transfer engine, and here the suite is in its place.
const ATTEMPTS: u32 = 20;
/// Pages of a list of extents.
const PAGES: u32 = 10_000;

/// Bytes without a pattern, the same for the same seed, with a hole in the middle third.
pub fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = vec![0; len];
    for (at, byte) in bytes.iter_mut().enumerate() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if at < len / 3 || at >= len / 3 * 2 {
            *byte = state as u8;
        }
    }
    bytes
}

/// Reads a run, again if it fails in passing.
pub async fn read(reader: &dyn BlockReader, offset: u64, len: usize) -> ProviderResult<Buf> {
    let mut attempt = 1;
    loop {
        match reader.read(offset, Buf::zeroed(len)).await {
            Err(error) if error.kind.is_transient() && attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

/// Writes a run, again if it fails in passing.
pub async fn write(writer: &dyn BlockWriter, offset: u64, bytes: &[u8]) -> ProviderResult<()> {
    let mut attempt = 1;
    loop {
        let mut buf = Buf::zeroed(bytes.len());
        buf.copy_from_slice(bytes);
        match writer.write(offset, buf).await {
            Err(error) if error.kind.is_transient() && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
            Ok(buf) => {
                drop(buf);
                return Ok(());
            }
        }
    }
}

pub async fn flush(writer: &dyn BlockWriter) -> ProviderResult<()> {
    let mut attempt = 1;
    loop {
        match writer.flush().await {
            Err(error) if error.kind.is_transient() && attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

/// Writes whole content, as large pieces as allowed, and leaves out what is zero where that is allowed. Answers how
/// many blocks were written.
pub async fn fill(writer: &dyn BlockWriter, bytes: &[u8]) -> Result<u64, Trouble> {
    let (unit, most) = (writer.granularity(), writer.max_write());
    ensure!(unit.is_power_of_two() && unit >= 512, "the granularity {unit} is no power of two of 512 or more");
    ensure!(most >= unit && most.is_multiple_of(unit), "writes of {most} are no multiple of the granularity {unit}");
    ensure!(writer.size() == bytes.len() as u64, "the writer's size is {}, not {}", writer.size(), bytes.len());
    let mut blocks = 0;
    for (index, piece) in bytes.chunks(most as usize).enumerate() {
        if writer.starts_zeroed() && piece.iter().all(|byte| *byte == 0) {
            continue;
        }
        write(writer, index as u64 * most, piece).await?;
        blocks += (piece.len() as u64).div_ceil(unit);
    }
    flush(writer).await?;
    Ok(blocks)
}

/// The disk begins with these bytes and is zero beyond them; its extents cover all that is not zero.
pub async fn expect(reader: &dyn BlockReader, bytes: &[u8]) -> Result<(), Trouble> {
    let size = reader.size();
    ensure!(size >= bytes.len() as u64, "the disk has {size} bytes, fewer than the {} that it holds", bytes.len());
    let mut covered = 0;
    for extent in extents(reader).await? {
        zeros(bytes, covered, extent.offset, "no extent covers")?;
        ensure!(extent.end() <= size, "the extent {extent:?} goes beyond the disk's {size} bytes");
        covered = if extent.zero { covered.max(extent.offset) } else { extent.end() };
        if extent.zero {
            zeros(bytes, extent.offset, extent.end(), "an extent calls zero")?;
            covered = extent.end();
        }
    }
    zeros(bytes, covered, bytes.len() as u64, "no extent covers")?;
    for (index, piece) in bytes.chunks(MIB as usize).enumerate() {
        let offset = index as u64 * MIB;
        let found = read(reader, offset, piece.len()).await?;
        if let Some(at) = found.iter().zip(piece).position(|(found, wanted)| found != wanted) {
            return Err(Trouble(format!("the byte at {} is not what was written", offset + at as u64)));
        }
    }
    let end = bytes.len() as u64;
    for offset in [end, (end + size) / 2, size.saturating_sub(MIB).max(end)] {
        let found = read(reader, offset, (size - offset).min(MIB) as usize).await?;
        ensure!(found.iter().all(|byte| *byte == 0), "what is beyond the content at {offset} is not zero");
    }
    Ok(())
}

fn zeros(bytes: &[u8], from: u64, to: u64, what: &str) -> Result<(), Trouble> {
    let len = bytes.len() as u64;
    let part = &bytes[from.min(len) as usize..to.clamp(from.min(len), len) as usize];
    match part.iter().position(|byte| *byte != 0) {
        Some(at) => Err(Trouble(format!("{what} the data at {}", from + at as u64))),
        None => Ok(()),
    }
}

/// All extents; they must be in order and apart.
pub async fn extents(reader: &dyn BlockReader) -> Result<Vec<Extent>, Trouble> {
    let mut all = Vec::new();
    let mut from = 0;
    for _ in 0..PAGES {
        match append(&mut all, reader.extents(from).await?, from)? {
            Some(next) => from = next,
            None => return Ok(all),
        }
    }
    Err("the list of extents never ends".into())
}

pub async fn changed(
    changes: &dyn ChangedBlocks,
    base: &DiskSnapshot,
    target: &DiskSnapshot,
) -> Result<Vec<Extent>, Trouble> {
    let mut all = Vec::new();
    let mut from = 0;
    for _ in 0..PAGES {
        match append(&mut all, changes.changed(base, target, from).await?, from)? {
            Some(next) => from = next,
            None => return Ok(all),
        }
    }
    Err("the list of changed blocks never ends".into())
}

fn append(all: &mut Vec<Extent>, page: ExtentPage, from: u64) -> Result<Option<u64>, Trouble> {
    for extent in page.extents {
        let last = all.last().map_or(0, Extent::end);
        ensure!(extent.len > 0, "there is an empty extent at {}", extent.offset);
        ensure!(extent.offset >= last, "{extent:?} begins before {last}, where the one before it ends");
        ensure!(extent.end() > from, "{extent:?} is before {from}, from where on it was asked");
        all.push(extent);
    }
    if let Some(next) = page.next {
        ensure!(next > from, "the page from {from} on goes on at {next}");
    }
    Ok(page.next)
}
