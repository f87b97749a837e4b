//! One file, opened twice: through the page cache and past it.

use std::{
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom},
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, FileTypeExt, OpenOptionsExt},
    },
};

use novacron_provider::{Buf, ErrorKind, ProviderError, Result};
use rustix::fs::OFlags;

use super::BLOCK;

#[derive(Debug)]
pub(super) struct Files {
    pub cached: File,
    /// Absent where the file system has no direct access.
    pub direct: Option<File>,
    pub name: String,
}

impl Files {
    /// `file` must be open for what `write` says. It is opened again by its descriptor, not by a name that could have
    /// come to mean something else.
    pub fn new(file: File, name: String, write: bool) -> Self {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let direct = OpenOptions::new()
            .read(true)
            .write(write)
            .custom_flags(OFlags::DIRECT.bits().cast_signed())
            .open(path)
            .ok();
        let files = Self { cached: file, direct, name };
        if files.direct.as_ref().is_some_and(|direct| !direct_works(direct)) {
            return Self { direct: None, ..files };
        }
        files
    }

    /// A regular file's length, or a device's.
    pub fn size(&self) -> Result<u64> {
        let metadata = self.cached.metadata().map_err(|error| self.error("open", &error))?;
        let kind = metadata.file_type();
        if kind.is_file() {
            Ok(metadata.len())
        } else if kind.is_block_device() {
            (&self.cached).seek(SeekFrom::End(0)).map_err(|error| self.error("open", &error))
        } else {
            Err(ProviderError::new(
                ErrorKind::Invalid,
                "open",
                format!("{} is neither a file nor a block device", self.name),
            ))
        }
    }

    pub fn error(&self, operation: &'static str, error: &std::io::Error) -> ProviderError {
        ProviderError::from_io(operation, &self.name, error)
    }

    /// Fills the buffer past the page cache. A length that is not aligned (at the file's end) is read as if it were.
    pub fn read_direct(&self, direct: &File, offset: u64, buf: &mut Buf) -> std::io::Result<()> {
        let len = buf.len();
        buf.resize(len.next_multiple_of(BLOCK as usize));
        let mut filled = 0;
        while filled < len {
            let at = offset + filled as u64;
            let result = if at.is_multiple_of(BLOCK) {
                direct.read_at(&mut buf[filled..], at)
            } else {
                self.cached.read_at(&mut buf[filled..len], at)
            };
            match result {
                Ok(0) => return Err(ended(at)),
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buf.resize(len);
        Ok(())
    }
}

/// Some file systems take the flag and refuse the first read.
fn direct_works(direct: &File) -> bool {
    let mut probe = Buf::zeroed(BLOCK as usize);
    direct.read_at(&mut probe, 0).is_ok()
}

fn ended(at: u64) -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::UnexpectedEof,
        format!("it ends at byte {at}, before the size it had when it was opened"),
    )
}
