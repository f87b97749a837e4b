//! The bytes of volumes and snapshots, by offset: for whoever plays the guest, and for those who compare.

use std::io;
use std::sync::Arc;

use crate::SandboxError;
use crate::blocks::{BLOCK, BlockMap, BlockStore};
use crate::core::{Core, lock};

/// The map of a volume or snapshot in any region, and its size in bytes.
pub(crate) fn disk(core: &Core, id: &str) -> Result<(Arc<BlockMap>, u64), SandboxError> {
    let now = core.now();
    for region in core.state().all(now) {
        if let Some(v) = region.volumes.get(id) {
            return Ok((Arc::clone(&v.map), bytes(v.size)));
        }
        if let Some(s) = region.snapshots.get(id) {
            return Ok((Arc::clone(&s.map), bytes(s.size)));
        }
    }
    Err(SandboxError::NotFound(format!("volume or snapshot {id}")))
}

fn bytes(gib: i64) -> u64 {
    gib.unsigned_abs() << 30
}

/// The bytes of one block's range; blocking.
pub(crate) fn read_block(
    store: &BlockStore,
    map: &BlockMap,
    index: u32,
    range: std::ops::Range<usize>,
) -> io::Result<Vec<u8>> {
    match map.get(&index) {
        Some(block) => {
            let mut data = store.read(block)?;
            data.truncate(range.end);
            data.drain(..range.start);
            Ok(data)
        }
        None => Ok(vec![0; range.len()]),
    }
}

/// The blocks and the ranges within them that `len` bytes from `offset` touch.
pub(crate) fn pieces(offset: u64, len: u64) -> impl Iterator<Item = (u32, std::ops::Range<usize>)> {
    let block = BLOCK as u64;
    let end = offset + len;
    let mut at = offset;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let index = at / block;
        let upto = end.min((index + 1) * block);
        let range = (at % block) as usize..(upto - index * block) as usize;
        at = upto;
        Some((u32::try_from(index).ok()?, range))
    })
}

/// Reads `len` bytes from `offset`; blocking.
pub(crate) fn read(core: &Core, id: &str, offset: u64, len: u64) -> Result<Vec<u8>, SandboxError> {
    let (map, size) = disk(core, id)?;
    check(id, offset, len, size)?;
    let mut out = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    for (index, range) in pieces(offset, len) {
        out.extend(read_block(&core.store, &map, index, range)?);
    }
    Ok(out)
}

/// Writes `data` at `offset` of a volume, as its guest would; blocking. Whoever reads meanwhile sees each block
/// either before or after.
pub(crate) fn write(core: &Core, id: &str, offset: u64, data: &[u8]) -> Result<(), SandboxError> {
    let missing = || SandboxError::NotFound(format!("volume {id}"));
    let now = core.now();
    let writing = core.state().all(now).find_map(|r| r.volumes.get(id).map(|v| Arc::clone(&v.writing)));
    let writing = writing.ok_or_else(missing)?;
    let _alone = lock(&writing);
    let (map, size) = disk(core, id)?;
    check(id, offset, data.len() as u64, size)?;
    let mut rest = data;
    for (index, range) in pieces(offset, data.len() as u64) {
        let (piece, after) = rest.split_at(range.len());
        rest = after;
        let stored = if range.len() == BLOCK {
            core.store.store(piece)?
        } else {
            let mut whole = read_block(&core.store, &map, index, 0..BLOCK)?;
            whole[range].copy_from_slice(piece);
            core.store.store(&whole)?
        };
        let mut state = core.state();
        let volume = state.all(now).find_map(|r| r.volumes.get_mut(id)).ok_or_else(missing)?;
        let map = Arc::make_mut(&mut volume.map);
        match stored {
            Some(block) => map.insert(index, block),
            None => map.remove(&index),
        };
    }
    Ok(())
}

fn check(id: &str, offset: u64, len: u64, size: u64) -> Result<(), SandboxError> {
    match offset.checked_add(len) {
        Some(end) if end <= size => Ok(()),
        _ => Err(SandboxError::Invalid(format!("{len} bytes at {offset} are not within {id}'s {size} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_cover_exactly_what_was_asked(offset in 0u64..3_000_000, len in 0u64..3_000_000) {
            let mut at = offset;
            for (index, range) in pieces(offset, len) {
                prop_assert_eq!(u64::from(index) * BLOCK as u64 + range.start as u64, at);
                prop_assert!(!range.is_empty() && range.end <= BLOCK);
                at += range.len() as u64;
            }
            prop_assert_eq!(at, offset + len);
        }
    }
}
