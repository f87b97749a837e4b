//! The content root of something that can be read.

use std::io::Read;

use novacron_provider::{BlockReader, Buf, ErrorKind, ProviderError, Result};
use novacron_types::{ContentRoot, MIB};

use super::{CHUNK, RootBuilder, chunk_count, digest_chunks};
use crate::blocking::blocking;

/// Reads to the end; gives the root and the number of bytes.
pub fn content_root_of(mut reader: impl Read) -> std::io::Result<(ContentRoot, u64)> {
    let mut builder = RootBuilder::new();
    let mut buf = vec![0; MIB as usize];
    let mut size = 0;
    loop {
        let mut filled = 0;
        while filled < buf.len() {
            match reader.read(&mut buf[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        digest_chunks(&buf[..filled]).into_iter().for_each(|digest| builder.push(digest));
        size += filled as u64;
        if filled < buf.len() {
            return Ok((builder.finish(size), size));
        }
    }
}

/// Reads a disk, its holes left out.
pub async fn content_root_of_disk(reader: &dyn BlockReader) -> Result<ContentRoot> {
    let size = reader.size();
    let mut builder = RootBuilder::new();
    let mut spare = Some(Buf::zeroed(MIB as usize));
    let mut from = Some(0);
    while let Some(start) = from {
        let page = reader.extents(start).await?;
        for extent in page.extents.iter().filter(|extent| !extent.zero) {
            let mut at = (extent.offset / CHUNK).max(builder.chunks()) * CHUNK;
            let end = extent.end().next_multiple_of(CHUNK).min(size);
            while at < end {
                let len = (end - at).min(MIB);
                let mut buf = spare.take().unwrap_or_else(|| Buf::zeroed(MIB as usize));
                buf.resize(len as usize);
                let buf = reader.read(at, buf).await?;
                let (buf, digests) = blocking("digest", move || {
                    let digests = digest_chunks(&buf);
                    Ok((buf, digests))
                })
                .await?;
                builder.push_zeros(at / CHUNK - builder.chunks());
                digests.into_iter().for_each(|digest| builder.push(digest));
                spare = Some(buf);
                at += len;
            }
        }
        from = match page.next.filter(|next| *next < size) {
            Some(next) if next <= start => {
                let message = format!("the list of extents does not lead on from byte {start}");
                return Err(ProviderError::new(ErrorKind::Unavailable, "extents", message));
            }
            next => next,
        };
    }
    builder.push_zeros(chunk_count(size).saturating_sub(builder.chunks()));
    Ok(builder.finish(size))
}
