//! qcow2 images, by the crate `imago`.
//!
//! Its calls do their I/O on the thread that polls them, so each runs on a thread of its own. It reads what lies beyond
//! the end of the file as zeros, as QEMU does; here that is an error, for it is how a truncated image looks. QEMU itself
//! writes whole clusters. Of the last one, what lies beyond the disk's end may be missing; and see [`compressed`].

use std::{
    fs::{File, OpenOptions},
    future::Future,
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    sync::Arc,
};

use async_trait::async_trait;
use imago::{
    DenyImplicitOpenGate, FormatAccess, FormatCreateBuilder, FormatDriverBuilder, Mapping, file::File as ImagoFile,
    qcow2::Qcow2, storage::StorageOpenOptions,
};
use novacron_provider::{
    BlockReader, BlockWriter, Buf, ErrorKind, Extent, ExtentPage, ProviderError, Result, StoredCheck, end_within,
};
use rustix::fs::{Advice, OFlags};

use super::{
    compressed,
    header::{HEADER_BYTES, HeaderError, Qcow2Header},
    mend::mend,
    version2,
};
use crate::{blocking::blocking, content::CHUNK};

/// Extents to a page, and mappings looked at for one.
const PAGE: usize = 1024;

type Image = FormatAccess<ImagoFile>;

/// What reader and writer have in common.
struct Inner {
    image: Image,
    /// Held for its lock, and to see how long the file is.
    file: File,
    name: String,
    header: Qcow2Header,
    size: u64,
    unit: u64,
    direct: bool,
}

/// Reads a qcow2 image that nobody changes meanwhile.
pub struct Qcow2Reader(Arc<Inner>);

/// Writes a qcow2 image that nobody else has open.
pub struct Qcow2Writer {
    inner: Arc<Inner>,
    starts_zeroed: bool,
}

impl Qcow2Reader {
    /// Takes an open file; `name` is for messages. It blocks.
    pub fn from_file(file: File, name: String) -> Result<Self> {
        Inner::open(file, name, false).map(|inner| Self(Arc::new(inner)))
    }
}

impl Qcow2Writer {
    /// Takes a file that is open for reading and writing; `name` is for messages. `starts_zeroed` says that it reads as
    /// zeros wherever it has not been written since it was made. It blocks.
    pub fn from_file(file: File, name: String, starts_zeroed: bool) -> Result<Self> {
        Inner::open(file, name, true).map(|inner| Self { inner: Arc::new(inner), starts_zeroed })
    }
}

/// Reads and checks the head of an image.
pub(super) fn read_header(file: &File, name: &str) -> Result<Qcow2Header> {
    let fail = |error| ProviderError::from_io("open", name, &error);
    let len = file.metadata().map_err(fail)?.len();
    let mut bytes = vec![0; HEADER_BYTES.min(len as usize)];
    file.read_exact_at(&mut bytes, 0).map_err(fail)?;
    let refuse = |why| refused(name, &why);
    let header = Qcow2Header::parse(&bytes, len).map_err(refuse)?;
    let mut entries = Vec::new();
    for first in (0..header.l1_entries).step_by(L1_PIECE) {
        entries.resize(8 * (header.l1_entries - first).min(L1_PIECE as u64) as usize, 0);
        file.read_exact_at(&mut entries, header.l1_offset + 8 * first).map_err(fail)?;
        header.check_l1(&entries, len).map_err(refuse)?;
    }
    Ok(header)
}

fn refused(name: &str, why: &HeaderError) -> ProviderError {
    let error = ProviderError::new(ErrorKind::Invalid, "open", format!("{name} can't be used: {why}"));
    match why {
        HeaderError::Short | HeaderError::Truncated { .. } | HeaderError::Damaged(_) => error.advice(WHOLE),
        _ => error,
    }
}

/// What to do about an image that was cut or damaged.
const WHOLE: &str = "Copy the image again, whole. This one lacks data, which can't be had from it.";

/// Entries of the L1 table that are read at once.
const L1_PIECE: usize = 1 << 16;

/// Makes an empty image in an empty file.
pub(super) fn create(file: &File, name: &str, size: u64) -> Result<()> {
    let fail = |error| ProviderError::from_io("create", name, &error);
    let (storage, _) = storage(file, true).map_err(fail)?;
    let work =
        async { Qcow2::<ImagoFile>::create_builder(storage).size(size).cluster_size(CHUNK as usize).create().await };
    run(work).map_err(fail)
}

/// The file once more, past the page cache where that is possible.
fn storage(file: &File, write: bool) -> io::Result<(ImagoFile, bool)> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let open =
        |flags: OFlags| OpenOptions::new().read(true).write(write).custom_flags(flags.bits().cast_signed()).open(&path);
    let (again, direct) = match open(OFlags::DIRECT) {
        Ok(direct) => (direct, true),
        Err(_) => (open(OFlags::empty())?, false),
    };
    let options = StorageOpenOptions::new().write(write).direct(direct);
    Ok((ImagoFile::from_open_file(again, options)?, direct))
}

/// The futures of `imago` wait for nothing but each other's locks.
fn run<T>(work: impl Future<Output = T>) -> T {
    futures::executor::block_on(work)
}

impl Inner {
    fn open(file: File, name: String, write: bool) -> Result<Self> {
        let header = read_header(&file, &name)?;
        let fail = |error| ProviderError::from_io("open", &name, &error);
        if write {
            mend(&file, &header).map_err(fail)?;
        } else if let Some(fault) =
            file.metadata().and_then(|found| version2::fault(&file, &header, found.len())).map_err(fail)?
        {
            return Err(refused(&name, &fault));
        }
        let (storage, direct) = storage(&file, write).map_err(fail)?;
        let opened = run(async {
            Qcow2::<ImagoFile>::builder(storage)
                .backing(None)
                .data_file(None)
                .write(write)
                .open(DenyImplicitOpenGate::default())
                .await
        });
        let image = FormatAccess::new(opened.map_err(|error| invalid("open", &name, &error))?);
        let size = image.size();
        if size != header.size {
            let message = format!("{name} can't be used: its header says two different sizes");
            return Err(ProviderError::new(ErrorKind::Invalid, "open", message));
        }
        Ok(Self { image, file, name, header, size, unit: header.cluster().min(CHUNK), direct })
    }

    fn extents(&self, from: u64) -> Result<ExtentPage> {
        let len = self.file.metadata().map_err(|error| self.error("extents", &error))?.len();
        let mut page = ExtentPage::default();
        let mut at = from;
        for _ in 0..PAGE * 16 {
            if at >= self.size || page.extents.len() >= PAGE {
                break;
            }
            let (mapping, count) =
                run(self.image.get_mapping(at, self.size - at)).map_err(|error| self.error("extents", &error))?;
            let (data, whole) = match mapping {
                Mapping::Zero { .. } => (false, true),
                Mapping::Raw { offset, .. } => (true, offset.checked_add(count).is_some_and(|end| end <= len)),
                Mapping::Eof { .. } => break,
                _ => (true, self.are_whole(at, count, len).map_err(|error| self.error("extents", &error))?),
            };
            if !whole {
                let message =
                    format!("{} can't be used: it is cut short, its data at {at} lies beyond its end", self.name);
                return Err(ProviderError::new(ErrorKind::Invalid, "extents", message).advice(WHOLE));
            }
            if count == 0 {
                break;
            }
            match page.extents.last_mut().filter(|last| data && last.end() == at) {
                Some(last) => last.len += count,
                None if data => page.extents.push(Extent { offset: at, len: count, zero: false }),
                None => {}
            }
            at += count;
        }
        page.next = (at < self.size).then_some(at);
        Ok(page)
    }

    /// Whether the file, of `len` bytes, holds all of these compressed clusters.
    fn are_whole(&self, at: u64, count: u64, len: u64) -> io::Result<bool> {
        let mut clusters = (at..at.saturating_add(count)).step_by(self.header.cluster() as usize);
        clusters.try_fold(true, |whole, at| Ok(whole && compressed::is_whole(&self.file, &self.header, at, len)?))
    }

    fn read(&self, operation: &'static str, offset: u64, buf: &mut Buf) -> Result<()> {
        end_within(self.size, offset, buf.len() as u64, operation)?;
        run(self.image.read(&mut buf[..], offset)).map_err(|error| self.error(operation, &error))
    }

    fn flush(&self) -> Result<()> {
        run(async {
            self.image.flush().await?;
            self.image.sync().await
        })
        .map_err(|error| self.error("flush", &error))
    }

    fn error(&self, operation: &'static str, error: &io::Error) -> ProviderError {
        ProviderError::from_io(operation, &self.name, error)
    }
}

fn invalid(operation: &'static str, name: &str, error: &io::Error) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, operation, format!("{name} can't be used: {error}"))
}

#[async_trait]
impl BlockReader for Qcow2Reader {
    fn size(&self) -> u64 {
        self.0.size
    }

    fn granularity(&self) -> u64 {
        self.0.unit
    }

    async fn extents(&self, from: u64) -> Result<ExtentPage> {
        let inner = self.0.clone();
        blocking("extents", move || inner.extents(from)).await
    }

    async fn read(&self, offset: u64, mut buf: Buf) -> Result<Buf> {
        let inner = self.0.clone();
        blocking("read", move || {
            inner.read("read", offset, &mut buf)?;
            Ok(buf)
        })
        .await
    }
}

#[async_trait]
impl BlockWriter for Qcow2Writer {
    fn size(&self) -> u64 {
        self.inner.size
    }

    fn granularity(&self) -> u64 {
        self.inner.unit.max(4096)
    }

    fn starts_zeroed(&self) -> bool {
        self.starts_zeroed
    }

    fn stored_check(&self) -> StoredCheck {
        StoredCheck::ReadBack
    }

    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        let inner = self.inner.clone();
        blocking("write", move || {
            end_within(inner.size, offset, buf.len() as u64, "write")?;
            run(inner.image.write(&buf[..], offset)).map_err(|error| inner.error("write", &error))?;
            Ok(buf)
        })
        .await
    }

    async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        let inner = self.inner.clone();
        blocking("zero", move || {
            end_within(inner.size, offset, len, "zero")?;
            run(inner.image.write_zeroes(offset, len)).map_err(|error| inner.error("zero", &error))
        })
        .await
    }

    async fn flush(&self) -> Result<()> {
        let inner = self.inner.clone();
        blocking("flush", move || inner.flush()).await
    }

    async fn read_back(&self, offset: u64, mut buf: Buf) -> Result<Buf> {
        let inner = self.inner.clone();
        blocking("read_back", move || {
            if !inner.direct {
                let _ = rustix::fs::fadvise(&inner.file, 0, None, Advice::DontNeed);
            }
            inner.read("read_back", offset, &mut buf)?;
            Ok(buf)
        })
        .await
    }
}
