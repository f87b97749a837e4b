//! Writing a raw image or a block device.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use novacron_provider::{BlockWriter, Buf, ErrorKind, ProviderError, Result, StoredCheck, end_within};
use rustix::{
    fs::{Advice, FallocateFlags},
    io::Errno,
};

use super::{BLOCK, open::Files};
use crate::blocking::blocking;

/// Zeros are written in pieces of this size where no hole can be made.
const ZEROS: usize = 1 << 20;

#[derive(Debug)]
pub struct FileWriter {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: Files,
    size: u64,
    starts_zeroed: bool,
}

impl FileWriter {
    /// Makes a new, empty image of this size, or empties the one that is there. A block device keeps what it holds.
    pub fn create(path: &Path, size: u64) -> Result<Self> {
        let name = path.display().to_string();
        let fail = |error| ProviderError::from_io("create", &name, &error);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).map_err(fail)?;
        let is_file = file.metadata().map_err(fail)?.is_file();
        if is_file {
            file.set_len(size).map_err(fail)?;
        }
        Self::from_file(file, name, size, is_file)
    }

    /// Opens an image or a device that is there, and has at least this size.
    pub fn open(path: &Path, size: u64) -> Result<Self> {
        let name = path.display().to_string();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|error| ProviderError::from_io("open", &name, &error))?;
        Self::from_file(file, name, size, false)
    }

    /// Takes a file open for reading and writing; `name` is for messages. `starts_zeroed` says that it reads as zeros
    /// wherever it has not been written since it was made.
    pub fn from_file(file: File, name: String, size: u64, starts_zeroed: bool) -> Result<Self> {
        let files = Files::new(file, name, true);
        let room = files.size()?;
        if room < size {
            let message = format!("{} has {room} bytes, and {size} are needed", files.name);
            return Err(ProviderError::new(ErrorKind::Invalid, "open", message));
        }
        Ok(Self { inner: Arc::new(Inner { files, size, starts_zeroed }) })
    }
}

#[async_trait]
impl BlockWriter for FileWriter {
    fn size(&self) -> u64 {
        self.inner.size
    }

    fn granularity(&self) -> u64 {
        BLOCK
    }

    fn max_write(&self) -> u64 {
        8 << 20
    }

    fn starts_zeroed(&self) -> bool {
        self.inner.starts_zeroed
    }

    fn stored_check(&self) -> StoredCheck {
        StoredCheck::ReadBack
    }

    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        let inner = self.inner.clone();
        blocking("write", move || {
            inner.write(offset, &buf)?;
            Ok(buf)
        })
        .await
    }

    async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        let inner = self.inner.clone();
        blocking("zero", move || inner.zero(offset, len)).await
    }

    async fn flush(&self) -> Result<()> {
        let inner = self.inner.clone();
        blocking("flush", move || inner.files.cached.sync_data().map_err(|error| inner.files.error("flush", &error)))
            .await
    }

    async fn read_back(&self, offset: u64, mut buf: Buf) -> Result<Buf> {
        let inner = self.inner.clone();
        blocking("read_back", move || {
            inner.read_back(offset, &mut buf)?;
            Ok(buf)
        })
        .await
    }
}

impl Inner {
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        end_within(self.size, offset, bytes.len() as u64, "write")?;
        let whole = bytes.len() - bytes.len() % BLOCK as usize;
        let (aligned, tail) = match &self.files.direct {
            Some(_) if offset.is_multiple_of(BLOCK) => bytes.split_at(whole),
            _ => bytes.split_at(0),
        };
        let written = match &self.files.direct {
            Some(direct) => direct.write_all_at(aligned, offset),
            None => Ok(()),
        };
        written
            .and_then(|()| self.files.cached.write_all_at(tail, offset + aligned.len() as u64))
            .map_err(|error| self.files.error("write", &error))
    }

    fn zero(&self, offset: u64, len: u64) -> Result<()> {
        end_within(self.size, offset, len, "zero")?;
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        for flags in [punch, FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE] {
            match rustix::fs::fallocate(&self.files.cached, flags, offset, len) {
                Ok(()) => return Ok(()),
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::NODEV) => {}
                Err(error) => return Err(self.files.error("zero", &error.into())),
            }
        }
        let zeros = Buf::zeroed(ZEROS);
        let mut at = offset;
        while at < offset + len {
            let count = (offset + len - at).min(ZEROS as u64);
            self.write(at, &zeros[..count as usize])?;
            at += count;
        }
        Ok(())
    }

    fn read_back(&self, offset: u64, buf: &mut Buf) -> Result<()> {
        end_within(self.size, offset, buf.len() as u64, "read_back")?;
        let result = match &self.files.direct {
            Some(direct) if offset.is_multiple_of(BLOCK) => self.files.read_direct(direct, offset, buf),
            _ => {
                let len = std::num::NonZeroU64::new(buf.len() as u64);
                let _ = rustix::fs::fadvise(&self.files.cached, offset, len, Advice::DontNeed);
                self.files.cached.read_exact_at(buf, offset)
            }
        };
        result.map_err(|error| self.files.error("read_back", &error))
    }
}
