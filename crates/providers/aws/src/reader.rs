//! Reads a snapshot with the EBS direct APIs.
//!
//! A block can only be had with its token, and tokens come in pages that list the blocks that hold data. A few
//! pages are kept until shortly before their tokens expire; a block that its page does not list reads as zeros.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine, engine::general_purpose::STANDARD};
use novacron_provider::{BlockReader, Buf, ErrorKind, Extent, ExtentPage, ProviderError, Result, end_within};

use crate::{
    AwsProvider,
    error::{failed, invalid},
};

/// The size of every EBS block.
pub const BLOCK: u64 = 512 * 1024;
/// The most blocks that a listing gives at once.
pub const MOST_BLOCKS: i32 = 10_000;
/// Pages of tokens that are kept; with the largest tokens about 16 MB.
const PAGES: usize = 8;
/// Tokens are not used in their last minutes.
const MARGIN: Duration = Duration::from_secs(300);
/// Where the listing doesn't say when its tokens expire.
const LIFETIME: Duration = Duration::from_secs(3600);

pub struct Reader {
    provider: AwsProvider,
    snapshot: String,
    size: u64,
    pages: Mutex<Vec<Arc<Page>>>,
    /// One listing at a time: the workers that wait for it mostly want the same page.
    listing: tokio::sync::Mutex<()>,
}

/// Tokens of the blocks in a range.
struct Page {
    start: u64,
    /// The first block that it says nothing of; absent: it goes to the end of the disk.
    end: Option<u64>,
    expires: SystemTime,
    tokens: BTreeMap<u64, String>,
}

impl Page {
    fn covers(&self, block: u64) -> bool {
        self.start <= block && self.end.is_none_or(|end| block < end) && SystemTime::now() + MARGIN < self.expires
    }
}

impl Reader {
    pub fn new(provider: AwsProvider, snapshot: &str, size: u64) -> Self {
        let pages = Mutex::new(Vec::new());
        Self { provider, snapshot: snapshot.to_owned(), size, pages, listing: tokio::sync::Mutex::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Page>>> {
        self.pages.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The page that tells of a block.
    async fn page(&self, block: u64) -> Result<Arc<Page>> {
        let known = || self.lock().iter().find(|page| page.covers(block)).cloned();
        if let Some(page) = known() {
            return Ok(page);
        }
        let _turn = self.listing.lock().await;
        if let Some(page) = known() {
            return Ok(page);
        }
        let page = Arc::new(self.list(block).await?);
        let mut pages = self.lock();
        pages.retain(|old| old.start != page.start);
        if pages.len() >= PAGES {
            pages.remove(0);
        }
        pages.push(page.clone());
        Ok(page)
    }

    async fn list(&self, start: u64) -> Result<Page> {
        let clients = &self.provider.clients;
        let index = i32::try_from(start).map_err(|_| invalid("ListSnapshotBlocks", "the disk is too large"))?;
        let answer = self
            .provider
            .read_pace
            .run(|| async {
                clients
                    .ebs
                    .list_snapshot_blocks()
                    .snapshot_id(&self.snapshot)
                    .starting_block_index(index)
                    .max_results(MOST_BLOCKS)
                    .send()
                    .await
                    .map_err(failed("ebs", "ListSnapshotBlocks"))
            })
            .await?;
        let expires = answer.expiry_time().and_then(|at| SystemTime::try_from(*at).ok());
        let more = answer.next_token().is_some_and(|token| !token.is_empty());
        let mut tokens = BTreeMap::new();
        for block in answer.blocks.unwrap_or_default() {
            let index = block.block_index.and_then(|index| u64::try_from(index).ok());
            if let (Some(index), Some(token)) = (index, block.block_token) {
                tokens.insert(index, token);
            }
        }
        let end = if more { Some(tokens.last_key_value().map_or(start, |(last, _)| *last) + 1) } else { None };
        Ok(Page { start, end, expires: expires.unwrap_or_else(|| SystemTime::now() + LIFETIME), tokens })
    }

    /// The part of a block from `skip` on, as much as the buffer holds.
    async fn read_part(&self, block: u64, skip: usize, out: &mut [u8]) -> Result<()> {
        let page = self.page(block).await?;
        let Some(token) = page.tokens.get(&block) else {
            out.fill(0);
            return Ok(());
        };
        let clients = &self.provider.clients;
        let index = i32::try_from(block).map_err(|_| invalid("GetSnapshotBlock", "the disk is too large"))?;
        let answer = self
            .provider
            .read_pace
            .run(|| async {
                let request = clients.ebs.get_snapshot_block().snapshot_id(&self.snapshot).block_index(index);
                request.block_token(token).send().await.map_err(failed("ebs", "GetSnapshotBlock"))
            })
            .await
            .inspect_err(|error| {
                if error.kind == ErrorKind::Invalid {
                    // Perhaps the token has expired before its time: the next attempt lists again.
                    self.lock().retain(|old| !Arc::ptr_eq(old, &page));
                }
            })?;
        let checksum = answer.checksum.unwrap_or_default();
        let mut body = answer.block_data;
        let mut hash = Context::new(&SHA256);
        let mut at = 0;
        while let Some(bytes) = body.try_next().await.map_err(|error| self.broken(block, &error.to_string()))? {
            hash.update(&bytes);
            copy_overlap(&bytes, at, skip, out);
            at += bytes.len();
        }
        if at != BLOCK as usize {
            return Err(self.broken(block, &format!("{at} bytes came instead of {BLOCK}")));
        }
        if STANDARD.encode(hash.finish()) != checksum {
            return Err(self.broken(block, "the bytes don't match the checksum that AWS sent with them"));
        }
        Ok(())
    }

    /// Worth another attempt.
    fn broken(&self, block: u64, why: &str) -> ProviderError {
        let message = format!("block {block} of {}: {why}", self.snapshot);
        ProviderError::new(ErrorKind::Unavailable, "GetSnapshotBlock", message)
    }
}

/// Copies what of `bytes`, which lie at `at` in the block, falls into the window that begins at `skip`.
fn copy_overlap(bytes: &[u8], at: usize, skip: usize, out: &mut [u8]) {
    let start = at.max(skip);
    let end = (at + bytes.len()).min(skip + out.len());
    if start < end {
        out[start - skip..end - skip].copy_from_slice(&bytes[start - at..end - at]);
    }
}

#[async_trait]
impl BlockReader for Reader {
    fn size(&self) -> u64 {
        self.size
    }

    fn granularity(&self) -> u64 {
        BLOCK
    }

    async fn extents(&self, from: u64) -> Result<ExtentPage> {
        if from >= self.size {
            return Ok(ExtentPage::default());
        }
        let first = from / BLOCK;
        let page = self.page(first).await?;
        let offsets = page.tokens.range(first..).map(|(block, _)| block * BLOCK);
        Ok(extents(offsets, from, page.end.map(|end| end * BLOCK), self.size))
    }

    async fn read(&self, offset: u64, mut buf: Buf) -> Result<Buf> {
        let len = buf.len() as u64;
        end_within(self.size, offset, len, "GetSnapshotBlock")?;
        let first = ((BLOCK - offset % BLOCK).min(len)) as usize;
        let (head, tail) = buf.split_at_mut(first);
        let mut parts = Vec::new();
        if !head.is_empty() {
            parts.push(self.read_part(offset / BLOCK, (offset % BLOCK) as usize, head));
        }
        for (index, part) in tail.chunks_mut(BLOCK as usize).enumerate() {
            parts.push(self.read_part(offset / BLOCK + 1 + index as u64, 0, part));
        }
        futures::future::try_join_all(parts).await?;
        Ok(buf)
    }
}

pub fn block_index(offset: u64) -> Result<i32> {
    i32::try_from(offset / BLOCK).map_err(|_| invalid("ListChangedBlocks", "the disk is too large"))
}

/// Blocks as extents: in order, neighbours joined, cut to the disk, from `from` up to `end`.
pub fn extents(offsets: impl IntoIterator<Item = u64>, from: u64, end: Option<u64>, size: u64) -> ExtentPage {
    let next = end.filter(|end| *end < size);
    let mut extents: Vec<Extent> = Vec::new();
    for offset in offsets {
        let (start, stop) = (offset.max(from), (offset + BLOCK).min(size));
        if start >= stop {
            continue;
        }
        match extents.last_mut() {
            Some(last) if last.end() == start => last.len = stop - last.offset,
            _ => extents.push(Extent { offset: start, len: stop - start, zero: false }),
        }
    }
    ExtentPage { extents, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_neighbours_and_keeps_inside() {
        let page = extents([0, BLOCK, 3 * BLOCK, 4 * BLOCK], 100, Some(5 * BLOCK), 4 * BLOCK + 7);
        let extent = |offset, len| Extent { offset, len, zero: false };
        assert_eq!(page.extents, [extent(100, 2 * BLOCK - 100), extent(3 * BLOCK, BLOCK + 7)]);
        assert_eq!(page.next, None);
        assert_eq!(extents([0], 0, Some(BLOCK), 9 * BLOCK).next, Some(BLOCK));
    }

    #[test]
    fn copies_what_overlaps() {
        let mut out = [0; 4];
        copy_overlap(&[1, 2, 3], 0, 2, &mut out);
        copy_overlap(&[4, 5, 6, 7], 3, 2, &mut out);
        assert_eq!(out, [3, 4, 5, 6]);
        copy_overlap(&[9], 100, 2, &mut out);
        assert_eq!(out, [3, 4, 5, 6]);
    }
}
