//! Exports as disks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use novacron_provider::{
    BlockReader, BlockWriter, Buf, ErrorKind, Extent, ExtentPage, ProviderError, Result, StoredCheck,
};
use tokio::{sync::Mutex, time::Instant};

use super::connection::{Connection, Export};
use crate::{fault::unavailable, xml::Server};

const ALLOCATION: &str = "base:allocation";
/// It reads as zeros, in the flags of [`ALLOCATION`].
const ZERO: u32 = 2;
/// It changed, in the flags of a dirty bitmap.
const DIRTY: u32 = 1;

/// Connections to a server that can serve one disk over several. QEMU answers all of them from one thread; the
/// second keeps it busy while the first one's answer is received.
const CONNECTIONS: usize = 2;
/// How much a server is asked about at once.
const STATUS_SPAN: u64 = 1 << 30;
/// Extents after which a page ends, and questions.
const PAGE: usize = 4096;
const PAGE_SPANS: usize = 64;
/// How much is zeroed in one request, so that it is answered in time.
const ZERO_SPAN: u64 = 128 << 20;
/// How long a server that was there may take to be there again. The engine tries again for longer than this.
const AGAIN: Duration = Duration::from_secs(1);
/// Sectors: what QEMU's disks are made of.
const SECTOR: u64 = 512;

/// Opens an export for reading.
pub async fn reader(server: &Server, export: &str, limit: Duration) -> Result<Arc<dyn BlockReader>> {
    Ok(Arc::new(Client::open(server, export, Some(ALLOCATION), limit).await?))
}

/// Opens an export for writing, waiting for a server that is just coming up.
pub async fn writer(server: &Server, export: &str, limit: Duration) -> Result<Arc<dyn BlockWriter>> {
    let client = Client::open(server, export, None, limit).await?;
    if client.export.abilities.read_only() {
        return Err(ProviderError::new(ErrorKind::Conflict, "NBD", "the disk is served for reading only"));
    }
    Ok(Arc::new(client))
}

/// What a dirty bitmap of an export says has changed, from `from` on.
pub async fn changed(server: &Server, export: &str, bitmap: &str, from: u64, limit: Duration) -> Result<ExtentPage> {
    let context = format!("qemu:dirty-bitmap:{bitmap}");
    let client = Client::open(server, export, Some(&context), limit).await?;
    client.page(from, |flags| (flags & DIRTY != 0).then_some(false)).await
}

struct Client {
    server: Server,
    name: String,
    context: Option<String>,
    export: Export,
    connections: Vec<Mutex<Option<Arc<Connection>>>>,
    next: AtomicUsize,
}

impl Client {
    async fn open(server: &Server, name: &str, context: Option<&str>, limit: Duration) -> Result<Self> {
        let first = connect(server, name, context, limit).await?;
        let export = first.export;
        let count = if export.abilities.multi_conn() { CONNECTIONS } else { 1 };
        let mut connections = vec![Mutex::new(Some(Arc::new(first)))];
        connections.resize_with(count, Mutex::default);
        Ok(Self {
            server: server.clone(),
            name: name.to_owned(),
            context: context.map(str::to_owned),
            export,
            connections,
            next: AtomicUsize::new(0),
        })
    }

    /// A connection that works: one lost is opened again, to the same disk.
    async fn connection(&self) -> Result<Arc<Connection>> {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let mut slot = self.connections[index].lock().await;
        if let Some(open) = slot.as_ref().filter(|open| !open.is_dead()) {
            return Ok(open.clone());
        }
        let open = connect(&self.server, &self.name, self.context.as_deref(), AGAIN).await?;
        if open.export.size != self.export.size {
            return Err(unavailable("NBD", "the disk that is served is another one now"));
        }
        Ok(slot.insert(Arc::new(open)).clone())
    }

    fn check(&self, offset: u64, len: u64) -> Result<()> {
        match offset.checked_add(len) {
            Some(end) if end <= self.export.size => Ok(()),
            _ => Err(ProviderError::new(
                ErrorKind::Invalid,
                "NBD",
                format!("{len} bytes at {offset} are not within the disk's {}", self.export.size),
            )),
        }
    }

    /// Fills the buffer; what the server can't serve in one piece, or not at this place, it serves in others.
    async fn fill(&self, offset: u64, mut buf: Buf) -> Result<Buf> {
        let len = buf.len() as u64;
        self.check(offset, len)?;
        let unit = u64::from(self.export.minimum);
        let connection = self.connection().await?;
        if len == 0 {
            return Ok(buf);
        }
        if offset.is_multiple_of(unit) && len.is_multiple_of(unit) && len <= u64::from(self.export.maximum) {
            return connection.read(offset, buf).await;
        }
        let most = u64::from(self.export.maximum) / unit * unit;
        let mut at = offset - offset % unit;
        while at < offset + len {
            let end = (at + most).min((offset + len).next_multiple_of(unit)).min(self.export.size);
            let piece = connection.read(at, Buf::zeroed((end - at) as usize)).await?;
            let (from, to) = (at.max(offset), end.min(offset + len));
            buf[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&piece[(from - at) as usize..(to - at) as usize]);
            at = end;
        }
        Ok(buf)
    }

    /// A page of the context, of those runs for which `keep` gives whether they are zero.
    async fn page(&self, from: u64, keep: impl Fn(u32) -> Option<bool> + Send) -> Result<ExtentPage> {
        let size = self.export.size;
        let unit = u64::from(self.export.minimum);
        let mut page = ExtentPage::default();
        let mut at = from - from % unit;
        for _ in 0..PAGE_SPANS {
            if at >= size || page.extents.len() >= PAGE {
                break;
            }
            let runs = self.connection().await?.status(at, STATUS_SPAN.min(size - at)).await?;
            for (len, flags) in runs {
                // The last run may reach beyond what was asked for, and a lying one beyond the disk.
                let end = at.saturating_add(len).min(size);
                if let Some(zero) = keep(flags) {
                    push(
                        &mut page.extents,
                        Extent { offset: at.max(from), len: end.saturating_sub(at.max(from)), zero },
                    );
                }
                at = end;
            }
        }
        page.next = (at < size).then_some(at);
        Ok(page)
    }
}

/// Adds an extent, or makes the last one longer.
fn push(extents: &mut Vec<Extent>, new: Extent) {
    match extents.last_mut() {
        _ if new.len == 0 => {}
        Some(last) if last.end() == new.offset && last.zero == new.zero => last.len += new.len,
        _ => extents.push(new),
    }
}

async fn connect(server: &Server, name: &str, context: Option<&str>, limit: Duration) -> Result<Connection> {
    let deadline = Instant::now() + limit;
    loop {
        let open = tokio::time::timeout_at(deadline, Connection::open(server, name, context)).await;
        match open {
            Ok(Err(error)) if error.kind.is_transient() && Instant::now() + RETRY < deadline => {
                tokio::time::sleep(RETRY).await;
            }
            Ok(open) => return open,
            Err(_) => return Err(unavailable("NBD", format!("no connection within {} s", limit.as_secs()))),
        }
    }
}

const RETRY: Duration = Duration::from_millis(50);

#[async_trait]
impl BlockReader for Client {
    fn size(&self) -> u64 {
        self.export.size
    }

    fn granularity(&self) -> u64 {
        u64::from(self.export.minimum).max(4096)
    }

    async fn extents(&self, from: u64) -> Result<ExtentPage> {
        self.page(from, |flags| Some(flags & ZERO != 0)).await
    }

    async fn read(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.fill(offset, buf).await
    }
}

#[async_trait]
impl BlockWriter for Client {
    fn size(&self) -> u64 {
        self.export.size
    }

    fn granularity(&self) -> u64 {
        u64::from(self.export.minimum).max(SECTOR)
    }

    fn starts_zeroed(&self) -> bool {
        false
    }

    fn stored_check(&self) -> StoredCheck {
        StoredCheck::ReadBack
    }

    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.check(offset, buf.len() as u64)?;
        if buf.is_empty() {
            return Ok(buf);
        }
        self.connection().await?.write(offset, buf).await
    }

    async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        self.check(offset, len)?;
        if !self.export.abilities.write_zeroes() {
            let mut at = offset;
            while at < offset + len {
                let piece = (offset + len - at).min(novacron_types::MIB);
                self.connection().await?.write(at, Buf::zeroed(piece as usize)).await?;
                at += piece;
            }
            return Ok(());
        }
        let mut at = offset;
        while at < offset + len {
            let piece = (offset + len - at).min(ZERO_SPAN);
            self.connection().await?.zero(at, piece).await?;
            at += piece;
        }
        Ok(())
    }

    /// One connection flushes for all, as a server promises that lets a disk be served over several.
    async fn flush(&self) -> Result<()> {
        if !self.export.abilities.flush() {
            return Ok(());
        }
        self.connection().await?.flush().await
    }

    async fn read_back(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.fill(offset, buf).await
    }
}
