//! Disks in memory, with the properties and the bad luck that a test wants.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use novacron_provider::{
    BlockReader, BlockWriter, Buf, ErrorKind, Extent, ExtentPage, ProviderError, Result, StoredCheck,
};
use novacron_transfer::{
    CopyJob, CopyOptions,
    engine::Changes,
    ledger::{LedgerIdentity, SyncIdentity},
};

/// Decides the bad luck; the same seed and calls give the same.
#[derive(Default)]
pub struct Luck {
    /// One call in so many fails for a while; 0: none.
    pub fails: u64,
    /// One write in so many stores something else; 0: none.
    pub corrupts: u64,
    pub calls: AtomicU64,
}

impl Luck {
    fn strike(&self, operation: &'static str) -> Result<()> {
        let call = self.calls.fetch_add(1, SeqCst) + 1;
        if self.fails > 0 && call.is_multiple_of(self.fails) {
            let kind = if call.is_multiple_of(2) {
                ErrorKind::Unavailable
            } else {
                ErrorKind::Throttled { retry_after: Some(Duration::from_millis(1)) }
            };
            return Err(ProviderError::new(kind, operation, "bad luck"));
        }
        Ok(())
    }
}

pub struct MemoryReader {
    pub bytes: Arc<Vec<u8>>,
    pub extents: Vec<Extent>,
    pub granularity: u64,
    pub luck: Luck,
    pub read_bytes: AtomicU64,
}

impl MemoryReader {
    /// What it says of its extents is derived from the bytes, in blocks of 512.
    pub fn new(bytes: Vec<u8>, granularity: u64) -> Self {
        let extents = extents_of(&bytes);
        Self { bytes: Arc::new(bytes), extents, granularity, luck: Luck::default(), read_bytes: AtomicU64::new(0) }
    }
}

pub fn extents_of(bytes: &[u8]) -> Vec<Extent> {
    let mut extents: Vec<Extent> = Vec::new();
    for (index, block) in bytes.chunks(512).enumerate() {
        if block.iter().all(|byte| *byte == 0) {
            continue;
        }
        let offset = index as u64 * 512;
        match extents.last_mut() {
            Some(last) if last.end() == offset => last.len += block.len() as u64,
            _ => extents.push(Extent { offset, len: block.len() as u64, zero: false }),
        }
    }
    extents
}

pub fn page(extents: &[Extent], from: u64, most: usize) -> ExtentPage {
    let mut rest = extents.iter().copied().filter(|extent| extent.offset >= from);
    let extents: Vec<Extent> = rest.by_ref().take(most).collect();
    ExtentPage { extents, next: rest.next().map(|extent| extent.offset) }
}

#[async_trait]
impl BlockReader for MemoryReader {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn granularity(&self) -> u64 {
        self.granularity
    }
    async fn extents(&self, from: u64) -> Result<ExtentPage> {
        self.luck.strike("extents")?;
        Ok(page(&self.extents, from, 7))
    }
    async fn read(&self, offset: u64, mut buf: Buf) -> Result<Buf> {
        tokio::task::yield_now().await;
        self.luck.strike("read")?;
        let (start, len) = (offset as usize, buf.len());
        buf.copy_from_slice(&self.bytes[start..start + len]);
        self.read_bytes.fetch_add(len as u64, SeqCst);
        Ok(buf)
    }
}

/// What was written is kept apart from what a flush has covered, so that a crash can lose it.
pub struct MemoryWriter {
    pub state: Mutex<WriterState>,
    pub size: u64,
    pub granularity: u64,
    pub max_write: u64,
    pub check: StoredCheck,
    pub zeroed: bool,
    pub luck: Luck,
    pub written_bytes: AtomicU64,
}

#[derive(Clone, Default)]
pub struct WriterState {
    pub bytes: Vec<u8>,
    pub durable: Vec<u8>,
    /// How often each block was written.
    pub blocks: HashMap<u64, u32>,
}

impl MemoryWriter {
    pub fn new(bytes: Vec<u8>, granularity: u64, check: StoredCheck, zeroed: bool) -> Self {
        let state = WriterState { durable: bytes.clone(), bytes, ..WriterState::default() };
        Self {
            size: state.bytes.len() as u64,
            state: Mutex::new(state),
            granularity,
            max_write: (1 << 20).max(granularity),
            check,
            zeroed,
            luck: Luck::default(),
            written_bytes: AtomicU64::new(0),
        }
    }

    fn store(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset + bytes.len() as u64;
        assert!(offset.is_multiple_of(self.granularity), "a write at {offset} is not aligned");
        assert!(end.is_multiple_of(self.granularity) || end == self.size, "a write ends at {end}");
        let mut state = self.state.lock().unwrap();
        state.bytes[offset as usize..end as usize].copy_from_slice(bytes);
        for block in offset / self.granularity..end.div_ceil(self.granularity) {
            *state.blocks.entry(block).or_default() += 1;
        }
        let call = self.luck.calls.load(SeqCst);
        if self.luck.corrupts > 0 && call.is_multiple_of(self.luck.corrupts) {
            state.bytes[offset as usize + call as usize % bytes.len()] ^= 4;
        }
        Ok(())
    }

    /// What is there after a loss of power: of what was not flushed, nothing, or, by `keep`, some.
    pub fn after_crash(&self, keep: bool) -> Vec<u8> {
        let state = self.state.lock().unwrap();
        if keep { state.bytes.clone() } else { state.durable.clone() }
    }

    pub fn blocks_written(&self) -> u64 {
        self.state.lock().unwrap().blocks.len() as u64
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.state.lock().unwrap().bytes.clone()
    }
}

#[async_trait]
impl BlockWriter for MemoryWriter {
    fn size(&self) -> u64 {
        self.size
    }
    fn granularity(&self) -> u64 {
        self.granularity
    }
    fn max_write(&self) -> u64 {
        self.max_write
    }
    fn starts_zeroed(&self) -> bool {
        self.zeroed
    }
    fn stored_check(&self) -> StoredCheck {
        self.check
    }
    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        tokio::task::yield_now().await;
        assert!(buf.len() as u64 <= self.max_write);
        self.luck.strike("write")?;
        self.store(offset, &buf)?;
        self.written_bytes.fetch_add(buf.len() as u64, SeqCst);
        Ok(buf)
    }
    async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        self.luck.strike("zero")?;
        self.store(offset, &vec![0; len as usize])
    }
    async fn flush(&self) -> Result<()> {
        let now = self.bytes();
        tokio::task::yield_now().await;
        self.luck.strike("flush")?;
        self.state.lock().unwrap().durable = now;
        Ok(())
    }
    async fn read_back(&self, offset: u64, mut buf: Buf) -> Result<Buf> {
        self.luck.strike("read_back")?;
        let len = buf.len();
        buf.copy_from_slice(&self.state.lock().unwrap().bytes[offset as usize..offset as usize + len]);
        Ok(buf)
    }
}

/// A list of changes.
pub struct Changed(pub Vec<Extent>);

#[async_trait]
impl Changes for Changed {
    async fn changed(&self, from: u64) -> Result<ExtentPage> {
        Ok(page(&self.0, from, 3))
    }
}

pub fn job(reader: Arc<MemoryReader>, writer: Arc<MemoryWriter>, ledger: &Path, snapshot: &str) -> CopyJob {
    CopyJob {
        identity: LedgerIdentity { source: "a".into(), target: "b".into(), size_bytes: reader.size() },
        new_target: writer.zeroed,
        reader,
        writer,
        changes: None,
        ledger: ledger.to_owned(),
        sync: SyncIdentity { snapshot: snapshot.into(), base: None },
        options: CopyOptions { workers: 2, depth: Some(2), extent_bytes: 1 << 20, ..CopyOptions::default() },
    }
}
