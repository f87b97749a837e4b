//! Bytes at rest, wherever they are: an image file, or a volume in a cloud.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    sync::Arc,
};

/// Something that can be read at any place. Calls may block.
pub trait ReadAt: Send + Sync {
    /// Fills the whole buffer.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    fn size(&self) -> u64;
}

/// A file of an image.
pub struct ImageFile {
    file: File,
    size: u64,
}

impl ImageFile {
    pub fn open(path: &std::path::Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }
}

impl ReadAt for ImageFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn size(&self) -> u64 {
        self.size
    }
}

/// One partition of a disk that is only read, with a cursor. A piece of it is kept, since file systems read in
/// sectors.
pub struct Window {
    disk: Arc<dyn ReadAt>,
    start: u64,
    position: u64,
    kept: Vec<u8>,
    kept_at: u64,
}

const PIECE: u64 = 512 << 10;

impl Window {
    pub fn new(disk: Arc<dyn ReadAt>, start: u64) -> Self {
        Self { disk, start, position: 0, kept: Vec::new(), kept_at: 0 }
    }

    fn len(&self) -> u64 {
        self.disk.size().saturating_sub(self.start)
    }

    /// Some bytes at `offset` of the partition, from the piece that they are in.
    pub fn some_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        if offset >= self.len() {
            return Ok(0);
        }
        let piece = offset / PIECE * PIECE;
        if self.kept.is_empty() || self.kept_at != piece {
            let size = PIECE.min(self.len() - piece) as usize;
            self.kept.resize(size, 0);
            let read = self.disk.read_at(self.start + piece, &mut self.kept);
            if let Err(error) = read {
                self.kept.clear();
                return Err(error);
            }
            self.kept_at = piece;
        }
        let from = &self.kept[(offset - piece) as usize..];
        let count = from.len().min(buf.len());
        buf[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }
}

impl Read for Window {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.some_at(self.position, buf)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = target(to, self.position, self.len())?;
        Ok(self.position)
    }
}

/// The file system's crate wants it, and never calls it on a file system that is only read.
impl Write for Window {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One partition of an image file that is being made.
pub struct Partition<'a> {
    file: &'a File,
    start: u64,
    len: u64,
    position: u64,
}

impl<'a> Partition<'a> {
    pub fn new(file: &'a File, start: u64, len: u64) -> Self {
        Self { file, start, len, position: 0 }
    }

    fn clip(&self, wanted: usize) -> usize {
        usize::try_from(self.len.saturating_sub(self.position)).unwrap_or(usize::MAX).min(wanted)
    }
}

impl Read for Partition<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.clip(buf.len());
        let read = self.file.read_at(&mut buf[..count], self.start + self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Write for Partition<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = self.clip(buf.len());
        let written = self.file.write_at(&buf[..count], self.start + self.position)?;
        self.position += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Partition<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = target(to, self.position, self.len)?;
        Ok(self.position)
    }
}

fn target(to: SeekFrom, position: u64, len: u64) -> io::Result<u64> {
    let target = match to {
        SeekFrom::Start(offset) => Some(offset),
        SeekFrom::End(offset) => len.checked_add_signed(offset),
        SeekFrom::Current(offset) => position.checked_add_signed(offset),
    };
    target.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
