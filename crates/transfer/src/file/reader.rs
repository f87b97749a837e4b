//! Reading a raw image or a block device.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use novacron_provider::{BlockReader, Buf, Extent, ExtentPage, ProviderError, Result, end_within};
use rustix::{
    fs::{Advice, SeekFrom},
    io::{Errno, ReadWriteFlags},
};

use super::{BLOCK, open::Files};
use crate::blocking::blocking;

/// Extents to a page.
const PAGE: usize = 1024;

/// After this many reads past the cache it is looked again whether the file has come to be in it.
const LOOK_AGAIN: u32 = 32;

/// A raw image or a block device that nobody changes meanwhile.
#[derive(Debug)]
pub struct FileReader {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: Files,
    size: u64,
    /// Reads since the page cache was last found without what was asked.
    since_miss: AtomicU32,
}

impl FileReader {
    /// Opens a file or a device by its name, following links.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| ProviderError::from_io("open", &name, &error))?;
        Self::from_file(file, name)
    }

    /// Takes an open file; `name` is for messages.
    pub fn from_file(file: File, name: String) -> Result<Self> {
        // Reading ahead is the engine's work; a look into the cache must not set it off.
        let _ = rustix::fs::fadvise(&file, 0, None, Advice::Random);
        let files = Files::new(file, name, false);
        let size = files.size()?;
        Ok(Self { inner: Arc::new(Inner { files, size, since_miss: AtomicU32::new(LOOK_AGAIN) }) })
    }
}

#[async_trait]
impl BlockReader for FileReader {
    fn size(&self) -> u64 {
        self.inner.size
    }

    fn granularity(&self) -> u64 {
        BLOCK
    }

    async fn extents(&self, from: u64) -> Result<ExtentPage> {
        let inner = self.inner.clone();
        blocking("extents", move || inner.extents(from)).await
    }

    async fn read(&self, offset: u64, mut buf: Buf) -> Result<Buf> {
        let inner = self.inner.clone();
        blocking("read", move || {
            inner.read(offset, &mut buf)?;
            Ok(buf)
        })
        .await
    }
}

impl Inner {
    fn extents(&self, from: u64) -> Result<ExtentPage> {
        let mut page = ExtentPage::default();
        let mut at = from;
        while at < self.size {
            if page.extents.len() == PAGE {
                page.next = Some(at);
                return Ok(page);
            }
            let seek = |to| rustix::fs::seek(&self.files.cached, to);
            let start = match seek(SeekFrom::Data(at)) {
                Ok(start) => start,
                Err(Errno::NXIO) => break,
                // A device, or a file system that knows no holes.
                Err(Errno::INVAL) => {
                    page.extents.push(Extent { offset: at, len: self.size - at, zero: false });
                    break;
                }
                Err(error) => return Err(self.files.error("extents", &error.into())),
            };
            let end = match seek(SeekFrom::Hole(start)) {
                Ok(end) => end.min(self.size),
                Err(error) => return Err(self.files.error("extents", &error.into())),
            };
            if start >= end {
                break;
            }
            page.extents.push(Extent { offset: start, len: end - start, zero: false });
            at = end;
        }
        Ok(page)
    }

    fn read(&self, offset: u64, buf: &mut Buf) -> Result<()> {
        end_within(self.size, offset, buf.len() as u64, "read")?;
        match &self.files.direct {
            Some(direct) if offset.is_multiple_of(BLOCK) => {
                if !self.read_if_cached(offset, buf) {
                    self.files.read_direct(direct, offset, buf).map_err(|error| self.files.error("read", &error))?;
                }
                Ok(())
            }
            _ => self.files.cached.read_exact_at(buf, offset).map_err(|error| self.files.error("read", &error)),
        }
    }

    /// Reads what the page cache already holds in full, which spares the disk. After a miss it does not look for
    /// some time.
    fn read_if_cached(&self, offset: u64, buf: &mut Buf) -> bool {
        if self.since_miss.fetch_add(1, Ordering::Relaxed) < LOOK_AGAIN {
            return false;
        }
        let look = |at: u64, into: &mut [u8]| -> io::Result<usize> {
            let mut slices = [IoSliceMut::new(into)];
            Ok(rustix::io::preadv2(&self.files.cached, &mut slices, at, ReadWriteFlags::NOWAIT)?)
        };
        let first = buf.len().min(BLOCK as usize);
        let cached = look(offset, &mut buf[..first]).is_ok_and(|count| count == first)
            && look(offset, &mut buf[..]).is_ok_and(|count| count == buf.len());
        self.since_miss.store(if cached { LOOK_AGAIN } else { 0 }, Ordering::Relaxed);
        cached
    }
}
