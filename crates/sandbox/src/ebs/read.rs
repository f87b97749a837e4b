//! ListSnapshotBlocks, ListChangedBlocks, GetSnapshotBlock.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{Call, find, find_completed, invalid, seconds};
use crate::blocks::{BLOCK, Block, BlockMap, sha256};
use crate::error::{ApiError, ApiResult};
use crate::faults::Effect;
use crate::reply::Reply;

const DEFAULT_PAGE: usize = 10_000;

pub(super) fn list_snapshot_blocks(call: &Call<'_>) -> ApiResult<Reply> {
    let id = call.segment(1);
    let (map, size) = call.with_region(|region, now| {
        let snapshot = find_completed(region, id, now)?;
        Ok((Arc::clone(&snapshot.map), snapshot.size))
    })?;
    let page = Page::read(call, id)?;
    let expires = call.core.tokens.expiry(call.core.now());
    let found = map.range(page.start..).take(page.max + 1).map(|(index, _)| *index);
    let each = |index: u32| json!({ "BlockIndex": index, "BlockToken": call.core.tokens.block(id, index, expires) });
    Ok(page.answer(call, id, "Blocks", found, each, size, expires))
}

pub(super) fn list_changed_blocks(call: &Call<'_>, effects: &[Effect]) -> ApiResult<Reply> {
    let second_id = call.segment(1);
    let first_id = call.query("firstSnapshotId");
    let (first, second, size) = call.with_region(|region, now| {
        let second = find_completed(region, second_id, now)?;
        let first = first_id.as_deref().map(|id| find_completed(region, id, now)).transpose()?;
        if let Some(first) = first.filter(|f| f.lineage != second.lineage) {
            let text = format!("The snapshots '{}' and '{second_id}' are not of the same volume", first.id);
            return Err(invalid("UNRELATED_SNAPSHOTS", text));
        }
        Ok((first.map(|f| Arc::clone(&f.map)).unwrap_or_default(), Arc::clone(&second.map), second.size))
    })?;
    let first_name = first_id.as_deref().unwrap_or_default();
    let listing = format!("{first_name}..{second_id}");
    let page = Page::read(call, &listing)?;
    let expires = call.core.tokens.expiry(call.core.now());
    let every = effects.iter().find_map(|e| match e {
        Effect::OmitBlocks { every } => Some(u64::from((*every).max(1))),
        _ => None,
    });
    let told = (1u64..).zip(changes(&first, &second, page.start));
    let told = told.filter(|(n, _)| every.is_none_or(|every| n % every != 0)).map(|(_, index)| index);
    let tokens = &call.core.tokens;
    let each = |index: u32| {
        let mut entry = json!({ "BlockIndex": index });
        if first.contains_key(&index) {
            entry["FirstBlockToken"] = tokens.block(first_name, index, expires).into();
        }
        if second.contains_key(&index) {
            entry["SecondBlockToken"] = tokens.block(second_id, index, expires).into();
        }
        entry
    };
    Ok(page.answer(call, &listing, "ChangedBlocks", told.take(page.max + 1), each, size, expires))
}

/// The indices from `start` at which two maps differ, in order.
fn changes<'m>(first: &'m BlockMap, second: &'m BlockMap, start: u32) -> impl Iterator<Item = u32> + 'm {
    let (mut a, mut b) = (first.range(start..).peekable(), second.range(start..).peekable());
    std::iter::from_fn(move || {
        loop {
            let (index, differ) = match (a.peek(), b.peek()) {
                (None, None) => return None,
                (Some((i, _)), None) => (**i, true),
                (None, Some((i, _))) => (**i, true),
                (Some((i, x)), Some((j, y))) if i == j => (**i, !Arc::ptr_eq(x, y) && x.digest() != y.digest()),
                (Some((i, _)), Some((j, _))) => (**i.min(j), true),
            };
            a.next_if(|(i, _)| **i == index);
            b.next_if(|(i, _)| **i == index);
            if differ {
                return Some(index);
            }
        }
    })
}

/// `maxResults`, `pageToken` and `startingBlockIndex`.
struct Page {
    max: usize,
    start: u32,
}

impl Page {
    fn read(call: &Call<'_>, listing: &str) -> ApiResult<Self> {
        let max = match call.query_number("maxResults")? {
            None => DEFAULT_PAGE,
            Some(n @ 100..=10_000) => n as usize,
            Some(n) => {
                let text = format!("maxResults is to be from 100 to 10000, not {n}");
                return Err(invalid("INVALID_PARAMETER_VALUE", text));
            }
        };
        let start = match call.query("pageToken") {
            Some(token) => {
                let opened = call.core.tokens.open_page(&token, listing, call.core.now());
                opened.ok_or_else(|| invalid("INVALID_PAGE_TOKEN", "The page token is invalid or has expired"))?
            }
            None => call.query_number("startingBlockIndex")?.unwrap_or(0),
        };
        Ok(Self { max, start })
    }

    /// The answer for up to `max + 1` found blocks, of which the last only says that there is more.
    #[allow(clippy::too_many_arguments)]
    fn answer(
        &self,
        call: &Call<'_>,
        listing: &str,
        list: &str,
        found: impl Iterator<Item = u32>,
        each: impl Fn(u32) -> Value,
        size: i64,
        expires: i64,
    ) -> Reply {
        let mut found: Vec<u32> = found.collect();
        let next = if found.len() > self.max { found.pop() } else { None };
        let mut body = json!({
            list: found.into_iter().map(each).collect::<Vec<_>>(),
            "ExpiryTime": seconds(expires),
            "VolumeSize": size,
            "BlockSize": BLOCK,
        });
        if let Some(next) = next {
            body["NextToken"] = call.core.tokens.page(listing, next, call.core.now()).into();
        }
        Reply::json(200, &body)
    }
}

pub(super) async fn get_snapshot_block(call: &Call<'_>, effects: &[Effect]) -> ApiResult<Reply> {
    let (id, index) = (call.segment(1), call.block_index()?);
    let token = call.query("blockToken").unwrap_or_default();
    let core = call.core;
    let block: Arc<Block> = call.with_region(|region, now| {
        let snapshot = find(region, id)?;
        let bad = || invalid("INVALID_BLOCK_TOKEN", "The block token is invalid or has expired");
        if !core.tokens.check_block(&token, id, index, now) {
            return Err(bad());
        }
        snapshot.map.get(&index).cloned().ok_or_else(bad)
    })?;
    let store = Arc::clone(&core.store);
    let digest = *block.digest();
    let data = tokio::task::spawn_blocking(move || store.read(&block)).await.map_err(ApiError::internal)?;
    let (mut data, mut digest) = (data.map_err(ApiError::internal)?, digest);
    for effect in effects {
        match effect {
            Effect::CorruptByte => data[BLOCK / 2] ^= 1,
            Effect::CorruptBlock => {
                data[BLOCK / 2] ^= 1;
                digest = sha256(&data);
            }
            Effect::WrongChecksum => digest[0] ^= 1,
            _ => {}
        }
    }
    Ok(Reply::new(200, "application/octet-stream", data)
        .with("x-amz-data-length", BLOCK)
        .with("x-amz-checksum", BASE64_STANDARD.encode(digest))
        .with("x-amz-checksum-algorithm", "SHA256"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::BlockStore;

    #[test]
    fn changes_are_what_differs_either_way() {
        let dir = tempfile::tempdir().unwrap();
        let store = BlockStore::create(dir.path()).unwrap();
        let block = |n: u8| store.store(&vec![n; BLOCK]).unwrap().unwrap();
        let (one, two) = (block(1), block(2));
        let map =
            |entries: &[(u32, &Arc<Block>)]| -> BlockMap { entries.iter().map(|(i, b)| (*i, Arc::clone(b))).collect() };
        let a = map(&[(0, &one), (1, &one), (5, &one), (9, &two)]);
        let b = map(&[(0, &one), (1, &two), (7, &one), (9, &two)]);
        assert_eq!(changes(&a, &b, 0).collect::<Vec<_>>(), [1, 5, 7]);
        assert_eq!(changes(&a, &b, 2).collect::<Vec<_>>(), [5, 7]);
        assert_eq!(changes(&BlockMap::new(), &b, 0).collect::<Vec<_>>(), [0, 1, 7, 9]);
        assert_eq!(changes(&a, &a, 0).count(), 0);
    }
}
