//! Disks with a partition table and a real file system, made without root, and files read back out of them.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use rand::{RngCore, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};

use super::bytes::{Partition, ReadAt, Window};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// Made by `mke2fs`, where the machine has it.
    Ext4,
    Fat32,
}

impl std::fmt::Display for FileSystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ext4 => "ext4",
            Self::Fat32 => "FAT32",
        })
    }
}

/// A file to be put on a disk.
pub struct NewFile {
    pub path: &'static str,
    pub content: Content,
}

pub enum Content {
    Text(String),
    /// So many bytes that do not compress, always the same ones for a seed.
    Random {
        len: u64,
        seed: u64,
    },
    /// So many bytes of log lines, which compress.
    Log {
        len: u64,
    },
}

/// Where the partition begins: at 1 MiB, as every installer has it.
const START: u64 = 1 << 20;

/// The better file system that this machine can make without root.
pub fn best() -> FileSystem {
    if mke2fs().is_some() { FileSystem::Ext4 } else { FileSystem::Fat32 }
}

/// Makes a raw image with one partition that holds the files.
pub fn make(image: &Path, size: u64, filesystem: FileSystem, label: &str, files: &[NewFile]) -> io::Result<()> {
    let file = File::options().read(true).write(true).create_new(true).open(image)?;
    file.set_len(size)?;
    match filesystem {
        FileSystem::Ext4 => ext4(image, size, label, files)?,
        FileSystem::Fat32 => fat32(&file, size, label, files)?,
    }
    file.write_all_at(&boot_record(size, filesystem), 0)
}

/// The SHA-256 of a file inside a disk, read through its file system.
pub fn digest(disk: Arc<dyn ReadAt>, filesystem: FileSystem, path: &str) -> io::Result<[u8; 32]> {
    match filesystem {
        FileSystem::Ext4 => {
            let system =
                ext4_view::Ext4::load(Box::new(Ext4Disk(Window::new(disk, START)))).map_err(io::Error::other)?;
            sha256(system.open(path).map_err(io::Error::other)?)
        }
        FileSystem::Fat32 => {
            let system = fatfs::FileSystem::new(Window::new(disk, START), fatfs::FsOptions::new())?;
            sha256(system.root_dir().open_file(path.trim_start_matches('/'))?)
        }
    }
}

/// The SHA-256 of what a file was made with.
pub fn expected(content: &Content) -> io::Result<[u8; 32]> {
    sha256(content.reader())
}

fn sha256(mut reader: impl Read) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buf = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buf)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&buf[..count]),
        }
    }
}

impl Content {
    fn reader(&self) -> Box<dyn Read + '_> {
        match self {
            Self::Text(text) => Box::new(text.as_bytes()),
            Self::Random { len, seed } => Box::new(Random(StdRng::seed_from_u64(*seed)).take(*len)),
            Self::Log { len } => Box::new(Log::default().take(*len)),
        }
    }
}

struct Random(StdRng);

impl Read for Random {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Whole words, so that the bytes do not depend on the sizes of the reads.
        let whole = if buf.len() < 8 { buf.len() } else { buf.len() / 8 * 8 };
        self.0.fill_bytes(&mut buf[..whole]);
        Ok(whole)
    }
}

#[derive(Default)]
struct Log {
    line: u64,
    left: Vec<u8>,
}

impl Read for Log {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.left.len() < buf.len() {
            let n = self.line;
            self.line += 1;
            writeln!(self.left, "request {n} GET /orders/{} 200 {} bytes", n * 7919 % 100_003, 200 + n * 31 % 4_000)?;
        }
        let count = buf.len();
        buf.copy_from_slice(&self.left[..count]);
        self.left.drain(..count);
        Ok(count)
    }
}

/// A sector that a BIOS boots: it prints a line and halts. One partition follows.
fn boot_record(size: u64, filesystem: FileSystem) -> [u8; 512] {
    const CODE: [u8; 21] = [
        0x31, 0xc0, // xor ax, ax
        0x8e, 0xd8, // mov ds, ax
        0xbe, 0x15, 0x7c, // mov si, message
        0xac, // next: lodsb
        0x84, 0xc0, // test al, al
        0x74, 0x06, // jz halt
        0xb4, 0x0e, // mov ah, 0eh
        0xcd, 0x10, // int 10h
        0xeb, 0xf5, // jmp next
        0xf4, // halt: hlt
        0xeb, 0xfd, // jmp halt
    ];
    const MESSAGE: &[u8] = b"NovaCron demo disk: it holds data, and no operating system.\r\n\0";
    let mut sector = [0; 512];
    sector[..CODE.len()].copy_from_slice(&CODE);
    sector[CODE.len()..CODE.len() + MESSAGE.len()].copy_from_slice(MESSAGE);
    let kind = match filesystem {
        FileSystem::Ext4 => 0x83,
        FileSystem::Fat32 => 0x0c,
    };
    let sectors = |bytes: u64| u32::try_from(bytes / 512).unwrap_or(u32::MAX).to_le_bytes();
    let entry = &mut sector[446..462];
    // Active; its place by cylinder, head and sector is "beyond", as usual.
    entry[..8].copy_from_slice(&[0x80, 0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff]);
    entry[8..12].copy_from_slice(&sectors(START));
    entry[12..16].copy_from_slice(&sectors(size - START));
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn fat32(file: &File, size: u64, label: &str, files: &[NewFile]) -> io::Result<()> {
    let mut partition = Partition::new(file, START, size - START);
    let mut volume_label = [b' '; 11];
    for (to, from) in volume_label.iter_mut().zip(label.to_ascii_uppercase().bytes()) {
        *to = from;
    }
    let options = fatfs::FormatVolumeOptions::new().fat_type(fatfs::FatType::Fat32).volume_label(volume_label);
    fatfs::format_volume(&mut partition, options)?;
    let system = fatfs::FileSystem::new(partition, fatfs::FsOptions::new())?;
    for new in files {
        let path = new.path.trim_start_matches('/');
        let mut parent = String::new();
        if let Some((directories, _)) = path.rsplit_once('/') {
            for part in directories.split('/') {
                parent.push_str(part);
                system.root_dir().create_dir(&parent)?;
                parent.push('/');
            }
        }
        let mut target = system.root_dir().create_file(path)?;
        copy(&mut *new.content.reader(), &mut target)?;
        target.flush()?;
    }
    system.unmount()
}

fn ext4(image: &Path, size: u64, label: &str, files: &[NewFile]) -> io::Result<()> {
    let program = mke2fs().ok_or_else(|| io::Error::other("mke2fs is not installed"))?;
    let staged = tempfile::tempdir_in(image.parent().unwrap_or(Path::new(".")))?;
    for new in files {
        let path = staged.path().join(new.path.trim_start_matches('/'));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        copy(&mut *new.content.reader(), &mut File::create(path)?)?;
    }
    let blocks = format!("{}k", (size - START) / 1024);
    let made = Command::new(program)
        .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-L", label, "-E"])
        .arg(format!("offset={START},root_owner=0:0,lazy_itable_init=1"))
        .arg("-d")
        .args([staged.path(), image])
        .arg(blocks)
        .env_clear()
        .output()?;
    if made.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("mke2fs: {}", String::from_utf8_lossy(&made.stderr).trim())))
}

fn copy(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<()> {
    let mut buf = vec![0; 1 << 20];
    loop {
        match from.read(&mut buf)? {
            0 => return Ok(()),
            count => to.write_all(&buf[..count])?,
        }
    }
}

/// It is in a directory that is not on everyone's path.
fn mke2fs() -> Option<PathBuf> {
    ["/usr/sbin/mke2fs", "/sbin/mke2fs", "/usr/bin/mke2fs"].map(PathBuf::from).into_iter().find(|path| path.is_file())
}

/// The partition of an ext4 disk, as its reader wants it.
struct Ext4Disk(Window);

impl ext4_view::Ext4Read for Ext4Disk {
    fn read(&mut self, start: u64, buf: &mut [u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        let mut done = 0;
        while done < buf.len() {
            match self.0.some_at(start + done as u64, &mut buf[done..])? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                count => done += count,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::bytes::ImageFile;

    fn round_trip(filesystem: FileSystem) {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("disk.raw");
        let files = [
            NewFile { path: "/etc/hostname", content: Content::Text("demo\n".into()) },
            NewFile { path: "/srv/data/orders.db", content: Content::Random { len: 3_000_001, seed: 7 } },
            NewFile { path: "/var/log/app.log", content: Content::Log { len: 100_000 } },
        ];
        make(&image, 64 << 20, filesystem, "demo", &files).unwrap();
        for file in &files {
            let disk = Arc::new(ImageFile::open(&image).unwrap());
            assert_eq!(digest(disk, filesystem, file.path).unwrap(), expected(&file.content).unwrap(), "{}", file.path);
        }
        let disk: Arc<dyn ReadAt> = Arc::new(ImageFile::open(&image).unwrap());
        assert!(digest(Arc::clone(&disk), filesystem, "/nothing").is_err());
        let mut sector = [0; 512];
        disk.read_at(0, &mut sector).unwrap();
        assert_eq!(sector[510..], [0x55, 0xaa]);
        assert!(!dir.path().read_dir().unwrap().any(|entry| entry.unwrap().path() != image));
    }

    #[test]
    fn fat32_disks_hold_their_files() {
        round_trip(FileSystem::Fat32);
    }

    #[test]
    fn ext4_disks_hold_their_files() {
        if mke2fs().is_none() {
            eprintln!("skipped: mke2fs (package e2fsprogs) is not installed");
            return;
        }
        round_trip(FileSystem::Ext4);
    }

    #[test]
    fn content_does_not_depend_on_the_sizes_of_reads() {
        for content in [Content::Random { len: 10_007, seed: 1 }, Content::Log { len: 10_007 }] {
            let mut whole = Vec::new();
            content.reader().read_to_end(&mut whole).unwrap();
            let mut pieces = Vec::new();
            let mut reader = content.reader();
            let mut buf = [0; 64];
            loop {
                match reader.read(&mut buf).unwrap() {
                    0 => break,
                    count => pieces.extend_from_slice(&buf[..count]),
                }
            }
            assert_eq!(whole.len(), 10_007);
            assert!(whole == pieces);
        }
    }
}
