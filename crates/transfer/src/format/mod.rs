//! Disk images by their formats.
//!
//! An image comes from outside and may lie. It is opened by descriptor, never by a name found inside of it, so neither
//! a backing file nor a data file of an image is ever followed: an image that needs one is refused.

mod compressed;
mod header;
mod mend;
mod qcow2;
mod version2;

use std::{fs::File, os::unix::fs::FileExt, sync::Arc};

use novacron_provider::{BlockReader, BlockWriter, ErrorKind, ProviderError, Result};
use serde::{Deserialize, Serialize};

pub use header::{HEADER_BYTES, HeaderError, Qcow2Header};
pub use qcow2::{Qcow2Reader, Qcow2Writer};

use crate::file::{FileReader, FileWriter};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    #[default]
    Raw,
    Qcow2,
}

impl ImageFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }

    /// The usual ending of a file's name.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension {
            "raw" | "img" => Some(Self::Raw),
            "qcow2" => Some(Self::Qcow2),
            _ => None,
        }
    }
}

impl std::fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for ImageFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Raw, Self::Qcow2]
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a format; there are raw and qcow2"))
    }
}

/// What the first bytes of a file say that it is, in words; absent where they say nothing, as a raw disk's do.
///
/// It is for telling a person about a mistake, never for choosing how to open a disk: a guest writes the first bytes of
/// a raw disk as it likes.
pub fn probe(file: &File) -> std::io::Result<Option<&'static str>> {
    let mut start = [0; 512];
    let mut filled = 0;
    while filled < start.len() {
        match file.read_at(&mut start[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(probe_bytes(&start[..filled]))
}

/// As [`probe`], of the first bytes.
pub fn probe_bytes(start: &[u8]) -> Option<&'static str> {
    let magics: [(usize, &[u8], &str); 7] = [
        (0, b"QFI\xfb", "qcow2"),
        (0, b"KDMV", "vmdk"),
        (0, b"# Disk DescriptorFile", "vmdk"),
        (0, b"vhdxfile", "vhdx"),
        (0, b"conectix", "vhd"),
        (0, b"QED\0", "qed"),
        (64, b"\x7f\x10\xda\xbe", "vdi"),
    ];
    let is = |(at, magic, _): &(usize, &[u8], &str)| start.get(*at..*at + magic.len()) == Some(*magic);
    magics.iter().find(|magic| is(magic)).map(|(_, _, name)| *name)
}

/// The size of the disk in an image, from its first bytes only.
pub fn disk_size(file: &File, name: &str, format: ImageFormat) -> Result<u64> {
    let fail = |error| ProviderError::from_io("open", name, &error);
    let len = file.metadata().map_err(fail)?.len();
    match format {
        ImageFormat::Raw => Ok(len),
        ImageFormat::Qcow2 => Ok(qcow2::read_header(file, name)?.size),
    }
}

/// Opens an image for reading. It blocks for a few reads.
pub fn open_reader(file: File, name: &str, format: ImageFormat) -> Result<Arc<dyn BlockReader>> {
    match format {
        ImageFormat::Raw => Ok(Arc::new(FileReader::from_file(file, name.to_owned())?)),
        ImageFormat::Qcow2 => Ok(Arc::new(Qcow2Reader::from_file(file, name.to_owned())?)),
    }
}

/// Opens an image that is open for reading and writing, for writing. `starts_zeroed` says that it came empty from
/// [`create`]. It blocks for a few reads.
pub fn open_writer(
    file: File,
    name: &str,
    format: ImageFormat,
    size: u64,
    starts_zeroed: bool,
) -> Result<Arc<dyn BlockWriter>> {
    match format {
        ImageFormat::Raw => Ok(Arc::new(FileWriter::from_file(file, name.to_owned(), size, starts_zeroed)?)),
        ImageFormat::Qcow2 => {
            let writer = Qcow2Writer::from_file(file, name.to_owned(), starts_zeroed)?;
            if writer.size() == size {
                return Ok(Arc::new(writer));
            }
            let message = format!("{name} holds a disk of {} bytes, and {size} are wanted", writer.size());
            Err(ProviderError::new(ErrorKind::Conflict, "open", message))
        }
    }
}

/// Makes an empty disk in an empty file that is open for reading and writing.
pub fn create(file: &File, name: &str, format: ImageFormat, size: u64) -> Result<()> {
    let fail = |error| ProviderError::from_io("create", name, &error);
    match format {
        ImageFormat::Raw => file.set_len(size).map_err(fail)?,
        ImageFormat::Qcow2 => qcow2::create(file, name, size)?,
    }
    file.sync_all().map_err(fail)
}
