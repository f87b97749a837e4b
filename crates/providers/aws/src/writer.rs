//! Writes a snapshot with the EBS direct APIs.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ebs::{primitives::ByteStream, types::ChecksumAlgorithm};
use bytes::Bytes;
use novacron_provider::{BlockReader, BlockWriter, Buf, ErrorKind, ProviderError, Result, StoredCheck};

use crate::{
    AwsProvider,
    digest::sha256_base64,
    error::{failed, invalid},
    reader::{BLOCK, Reader},
    sink::STORED_CHECK,
};

pub struct Writer {
    provider: AwsProvider,
    snapshot: String,
    size: u64,
    starts_zeroed: bool,
    /// For reading back, which AWS allows once the snapshot is completed.
    reader: Reader,
}

impl Writer {
    pub fn new(provider: AwsProvider, snapshot: &str, size: u64, starts_zeroed: bool) -> Self {
        let reader = Reader::new(provider.clone(), snapshot, size);
        Self { provider, snapshot: snapshot.to_owned(), size, starts_zeroed, reader }
    }

    fn check(&self, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len).filter(|end| *end <= self.size);
        let aligned = |end: u64| offset.is_multiple_of(BLOCK) && (end.is_multiple_of(BLOCK) || end == self.size);
        if end.is_some_and(aligned) {
            return Ok(());
        }
        let message = format!("{len} bytes at {offset} are not whole blocks of a disk of {} bytes", self.size);
        Err(invalid("PutSnapshotBlock", message))
    }

    /// Stores one whole block. AWS checks the checksum before it accepts, and says which one it stored.
    async fn put(&self, block: u64, bytes: Bytes) -> Result<()> {
        let index = i32::try_from(block).map_err(|_| invalid("PutSnapshotBlock", "the disk is too large"))?;
        let checksum = sha256_base64(&bytes);
        let stored = self
            .provider
            .write_pace
            .run(|| async {
                let answer = self
                    .provider
                    .clients
                    .ebs
                    .put_snapshot_block()
                    .snapshot_id(&self.snapshot)
                    .block_index(index)
                    .data_length(BLOCK as i32)
                    .checksum(&checksum)
                    .checksum_algorithm(ChecksumAlgorithm::ChecksumAlgorithmSha256)
                    .block_data(ByteStream::from(bytes.clone()))
                    .send()
                    .await;
                answer.map_err(failed("ebs", "PutSnapshotBlock")).map_err(damaged_on_the_way)
            })
            .await?;
        if stored.checksum.as_deref() != Some(checksum.as_str()) {
            let message = format!("AWS stored something else as block {block} of {}", self.snapshot);
            return Err(ProviderError::new(ErrorKind::Unavailable, "PutSnapshotBlock", message));
        }
        Ok(())
    }
}

/// A checksum that AWS refuses is no wrong request: the bytes changed under way, and another attempt may do.
fn damaged_on_the_way(mut error: ProviderError) -> ProviderError {
    if error.kind == ErrorKind::Invalid && error.message.to_ascii_lowercase().contains("checksum") {
        error.kind = ErrorKind::Unavailable;
    }
    error
}

/// A buffer lent to requests, which share it without a copy.
struct Lent(Arc<Buf>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[async_trait]
impl BlockWriter for Writer {
    fn size(&self) -> u64 {
        self.size
    }

    fn granularity(&self) -> u64 {
        BLOCK
    }

    fn starts_zeroed(&self) -> bool {
        self.starts_zeroed
    }

    fn stored_check(&self) -> StoredCheck {
        STORED_CHECK
    }

    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        let len = buf.len();
        self.check(offset, len as u64)?;
        let buf = Arc::new(buf);
        let all = Bytes::from_owner(Lent(buf.clone()));
        let puts = (0..len).step_by(BLOCK as usize).map(|at| {
            let mut bytes = all.slice(at..len.min(at + BLOCK as usize));
            if bytes.len() < BLOCK as usize {
                let mut whole = vec![0; BLOCK as usize];
                whole[..bytes.len()].copy_from_slice(&bytes);
                bytes = whole.into();
            }
            self.put((offset + at as u64) / BLOCK, bytes)
        });
        futures::future::try_join_all(puts).await?;
        drop(all);
        // A connection may hold on to what it sent for a moment longer; then the caller gets other memory.
        Ok(Arc::try_unwrap(buf).unwrap_or_else(|_| Buf::zeroed(len)))
    }

    /// EBS direct can't take a block back, so zeros are stored.
    async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        self.check(offset, len)?;
        let zeros = Bytes::from(vec![0; BLOCK as usize]);
        for block in offset / BLOCK..(offset + len).div_ceil(BLOCK) {
            self.put(block, zeros.clone()).await?;
        }
        Ok(())
    }

    /// What AWS has accepted is stored.
    async fn flush(&self) -> Result<()> {
        Ok(())
    }

    async fn read_back(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.reader.read(offset, buf).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lent_buffer_comes_back() {
        let buf = Arc::new(Buf::zeroed(BLOCK as usize));
        let bytes = Bytes::from_owner(Lent(buf.clone()));
        let part = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(Arc::strong_count(&buf), 2);
        drop(part);
        assert!(Arc::try_unwrap(buf).is_ok());
    }

    #[test]
    fn a_refused_checksum_is_worth_another_attempt() {
        let refused =
            ProviderError::new(ErrorKind::Invalid, "PutSnapshotBlock", "ValidationException: Checksum differs");
        assert_eq!(damaged_on_the_way(refused).kind, ErrorKind::Unavailable);
    }
}
