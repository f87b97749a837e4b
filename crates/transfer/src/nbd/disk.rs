//! An export as a disk.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use async_trait::async_trait;
use novacron_provider::{
    BlockReader, BlockWriter, Buf, ErrorKind, Extent, ExtentPage, ProviderError, Result, StoredCheck, end_within,
};
use novacron_types::{GIB, MIB};
use tokio::sync::Mutex;

use super::{
    address::NbdAddress,
    connection::{Answer, Connection, Request},
    handshake::ALLOCATION,
    wire::{self, Command, Export},
};
use crate::engine::Changes;

/// What one question about the status of blocks covers.
const STATUS_SPAN: u64 = GIB;
/// Extents after which a page ends.
const PAGE: usize = 4096;
const ZERO: u32 = 1 << 1;
const DIRTY: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NbdOptions {
    /// Connections, where the server allows several.
    pub connections: usize,
    /// The dirty bitmap that [`Changes`] reads, as in `qemu:dirty-bitmap:NAME`.
    pub bitmap: Option<String>,
}

impl Default for NbdOptions {
    fn default() -> Self {
        Self { connections: 2, bitmap: None }
    }
}

/// Reads an export. With a bitmap it also tells what changed.
pub struct NbdReader(Disk);

/// Writes an export.
pub struct NbdWriter {
    disk: Disk,
    starts_zeroed: bool,
}

struct Disk {
    address: NbdAddress,
    contexts: Vec<String>,
    export: Export,
    bitmap: Option<String>,
    /// Made when they are first needed, and made again when they break.
    connections: Vec<Mutex<Option<Arc<Connection>>>>,
    next: AtomicUsize,
}

impl NbdReader {
    pub async fn connect(address: NbdAddress, options: NbdOptions) -> Result<Self> {
        Disk::connect(address, options).await.map(Self)
    }

    /// What the bitmap marks as changed, from `from` on.
    pub async fn dirty(&self, from: u64) -> Result<ExtentPage> {
        let Some(bitmap) = &self.0.bitmap else {
            return Err(ProviderError::new(ErrorKind::Conflict, "changed", "no dirty bitmap was asked for"));
        };
        let Some(page) = self.0.status(bitmap, from, |flags| (flags & DIRTY != 0).then_some(false)).await? else {
            let message = format!("the export has no context {bitmap}");
            return Err(ProviderError::new(ErrorKind::Conflict, "changed", message));
        };
        Ok(page)
    }
}

impl NbdWriter {
    /// `starts_zeroed` says that the export reads as zeros wherever it has not been written.
    pub async fn connect(address: NbdAddress, options: NbdOptions, starts_zeroed: bool) -> Result<Self> {
        let disk = Disk::connect(address, options).await?;
        if disk.export.flags & wire::EXPORT_READ_ONLY != 0 {
            return Err(ProviderError::new(ErrorKind::Invalid, "connect", format!("{} is read-only", disk.address)));
        }
        Ok(Self { disk, starts_zeroed })
    }
}

impl Disk {
    async fn connect(address: NbdAddress, options: NbdOptions) -> Result<Self> {
        let contexts: Vec<String> = std::iter::once(ALLOCATION.to_owned()).chain(options.bitmap.clone()).collect();
        let first = Connection::open(&address, &contexts).await?;
        let export = first.agreed.export;
        let several = export.flags & wire::EXPORT_MULTI_CONN != 0;
        let count = if several { options.connections.clamp(1, 16) } else { 1 };
        let mut connections = vec![Mutex::new(Some(Arc::new(first)))];
        connections.resize_with(count, Mutex::default);
        Ok(Self { address, contexts, export, bitmap: options.bitmap, connections, next: AtomicUsize::new(0) })
    }

    async fn connection(&self) -> Result<Arc<Connection>> {
        let index = self.next.fetch_add(1, Relaxed) % self.connections.len();
        let mut place = self.connections[index].lock().await;
        if let Some(connection) = place.as_ref().filter(|connection| !connection.is_dead()) {
            return Ok(connection.clone());
        }
        let connection = Arc::new(Connection::open(&self.address, &self.contexts).await?);
        if connection.agreed.export.size != self.export.size {
            let message = format!("{} has another size than before", self.address);
            return Err(ProviderError::new(ErrorKind::Conflict, "connect", message));
        }
        *place = Some(connection.clone());
        Ok(connection)
    }

    async fn ask(&self, request: Request<'_>) -> Result<Answer> {
        self.connection().await?.ask(request).await
    }

    /// The extents of a context; `keep` says of a run's flags whether it is one, and whether it is zero. Absent where
    /// the server does not have the context.
    async fn status(&self, context: &str, from: u64, keep: impl Fn(u32) -> Option<bool>) -> Result<Option<ExtentPage>> {
        let connection = self.connection().await?;
        let Some(id) = connection.agreed.contexts.iter().find(|(_, name)| name == context).map(|(id, _)| *id) else {
            return Ok(None);
        };
        let mut page = ExtentPage::default();
        let mut at = from;
        // A server may tell of a byte at a time: a page has an end by questions, too.
        for _ in 0..PAGE {
            if at >= self.export.size || page.extents.len() >= PAGE {
                break;
            }
            let len = (self.export.size - at).min(STATUS_SPAN) as u32;
            let request = Request { command: Command::BlockStatus, flags: 0, offset: at, len, payload: &[], buf: None };
            let answer = connection.ask(request).await?;
            let Some((_, runs)) = answer.status.into_iter().find(|(context, _)| *context == id) else {
                let message = "the server does not say what was asked about its blocks";
                return Err(ProviderError::new(ErrorKind::Invalid, "extents", message));
            };
            for (len, flags) in runs {
                let len = u64::from(len).min(self.export.size - at);
                if let (Some(zero), true) = (keep(flags), len > 0) {
                    match page.extents.last_mut().filter(|last| last.end() == at && last.zero == zero) {
                        Some(last) => last.len += len,
                        None => page.extents.push(Extent { offset: at, len, zero }),
                    }
                }
                at += len;
            }
        }
        page.next = (at < self.export.size).then_some(at);
        Ok(Some(page))
    }

    /// The most that one request may hold.
    fn most(&self) -> u64 {
        let unit = u64::from(self.export.min_block).max(512);
        (u64::from(self.export.max_block).min(32 * MIB) / unit * unit).max(unit)
    }

    fn unit(&self) -> u64 {
        u64::from(self.export.preferred_block.max(self.export.min_block)).clamp(512, 64 * 1024)
    }

    fn check(&self, operation: &'static str, offset: u64, len: u64) -> Result<()> {
        end_within(self.export.size, offset, len, operation).map(drop)
    }

    async fn read(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.check("read", offset, buf.len() as u64)?;
        if buf.is_empty() {
            return Ok(buf);
        }
        if buf.len() as u64 <= self.most() {
            return self.read_once(offset, buf).await;
        }
        let mut whole = buf;
        let step = self.most() as usize;
        let mut part = Buf::zeroed(step);
        for start in (0..whole.len()).step_by(step) {
            let end = (start + step).min(whole.len());
            part.resize(end - start);
            part = self.read_once(offset + start as u64, part).await?;
            whole[start..end].copy_from_slice(&part);
        }
        Ok(whole)
    }

    async fn read_once(&self, offset: u64, buf: Buf) -> Result<Buf> {
        let len = buf.len() as u32;
        let request = Request { command: Command::Read, flags: 0, offset, len, payload: &[], buf: Some(buf) };
        let answer = self.ask(request).await?;
        answer.buf.ok_or_else(|| ProviderError::new(ErrorKind::Unavailable, "read", "a buffer was lost"))
    }

    async fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.check("write", offset, bytes.len() as u64)?;
        for (index, part) in bytes.chunks(self.most() as usize).enumerate() {
            let offset = offset + index as u64 * self.most();
            let len = part.len() as u32;
            let request = Request { command: Command::Write, flags: 0, offset, len, payload: part, buf: None };
            self.ask(request).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl BlockReader for NbdReader {
    fn size(&self) -> u64 {
        self.0.export.size
    }

    fn granularity(&self) -> u64 {
        self.0.unit()
    }

    async fn extents(&self, from: u64) -> Result<ExtentPage> {
        let size = self.0.export.size;
        let data = |flags: u32| (flags & ZERO == 0).then_some(false);
        match self.0.status(ALLOCATION, from, data).await? {
            Some(page) => Ok(page),
            None => {
                let rest = Extent { offset: from, len: size.saturating_sub(from), zero: false };
                Ok(ExtentPage { extents: Vec::from_iter((rest.len > 0).then_some(rest)), next: None })
            }
        }
    }

    async fn read(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.0.read(offset, buf).await
    }
}

#[async_trait]
impl Changes for NbdReader {
    async fn changed(&self, from: u64) -> Result<ExtentPage> {
        self.dirty(from).await
    }
}

#[async_trait]
impl BlockWriter for NbdWriter {
    fn size(&self) -> u64 {
        self.disk.export.size
    }

    fn granularity(&self) -> u64 {
        self.disk.unit()
    }

    fn max_write(&self) -> u64 {
        let unit = self.disk.unit();
        (self.disk.most().min(8 * MIB) / unit * unit).max(unit)
    }

    fn starts_zeroed(&self) -> bool {
        self.starts_zeroed
    }

    fn stored_check(&self) -> StoredCheck {
        StoredCheck::ReadBack
    }

    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.disk.write(offset, &buf).await?;
        Ok(buf)
    }

    async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        self.disk.check("zero", offset, len)?;
        let can = self.disk.export.flags & wire::EXPORT_WRITE_ZEROES != 0;
        let step = if can { GIB } else { MIB.min(self.disk.most()) };
        let zeros = Buf::zeroed(if can { 0 } else { step as usize });
        let mut at = offset;
        while at < offset + len {
            let count = (offset + len - at).min(step);
            if can {
                let len = count as u32;
                let request =
                    Request { command: Command::WriteZeroes, flags: 0, offset: at, len, payload: &[], buf: None };
                self.disk.ask(request).await?;
            } else {
                self.disk.write(at, &zeros[..count as usize]).await?;
            }
            at += count;
        }
        Ok(())
    }

    /// A server that allows several connections promises that a flush on one covers what was answered on all.
    async fn flush(&self) -> Result<()> {
        if self.disk.export.flags & wire::EXPORT_FLUSH == 0 {
            return Ok(());
        }
        let request = Request { command: Command::Flush, flags: 0, offset: 0, len: 0, payload: &[], buf: None };
        self.disk.ask(request).await.map(drop)
    }

    /// As the server has it, from its cache if it keeps one.
    async fn read_back(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.disk.read(offset, buf).await
    }
}
