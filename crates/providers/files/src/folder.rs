//! The provider's folder. Files in it are opened beneath it, without following a link.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use novacron_provider::{ErrorKind, ProviderError, Result};
use rustix::fs::{Access, Mode, OFlags, ResolveFlags};

pub(crate) const STAGING: &str = ".staging";
pub(crate) const PINS: &str = ".pins";

/// Larger than any record that we write.
const MOST_RECORD: u64 = 1 << 20;

/// A record is written in no time: what is not finished by then was left by a process that was killed.
const OLD_DRAFT: Duration = Duration::from_secs(60 * 60);

#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    handle: File,
}

/// How large a file system is.
pub(crate) struct Room {
    pub bytes: u64,
    pub free_bytes: u64,
}

impl Folder {
    /// Opens it, and makes it and its parts if they are not there.
    pub fn open(path: &Path) -> Result<Self> {
        check(path)?;
        let fail = |error: io::Error| unusable(path, &error);
        let mut make = DirBuilder::new();
        make.recursive(true).mode(0o700);
        make.create(path).map_err(fail)?;
        let root = path.canonicalize().map_err(fail)?;
        for part in [STAGING, PINS] {
            make.create(root.join(part)).map_err(fail)?;
        }
        let handle = File::open(&root).map_err(fail)?;
        Ok(Self { root, handle })
    }

    /// Where something is, for what needs a path. The name must be one of ours.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Of the file system that it is on, for this user.
    pub fn room(&self, operation: &'static str) -> Result<Room> {
        let room = rustix::fs::fstatvfs(&self.handle).map_err(|error| self.error(operation, ".", &error.into()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
        Ok(Room { bytes: bytes(room.f_blocks), free_bytes: bytes(room.f_bavail) })
    }

    /// Opens a regular file beneath the folder.
    pub fn file(&self, operation: &'static str, inside: &str, write: bool) -> Result<File> {
        let flags = if write { OFlags::RDWR } else { OFlags::RDONLY };
        self.open_at(operation, inside, flags | OFlags::NONBLOCK, Mode::empty())
    }

    /// Makes a new file; `AlreadyExists` if there is one.
    pub fn new_file(&self, operation: &'static str, inside: &str) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        self.open_at(operation, inside, flags, Mode::RUSR | Mode::WUSR)
    }

    fn open_at(&self, operation: &'static str, inside: &str, flags: OFlags, mode: Mode) -> Result<File> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened =
            rustix::fs::openat2(&self.handle, inside, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, mode, resolve);
        let file = match opened {
            Ok(fd) => File::from(fd),
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::XDEV) => {
                let message = format!("{inside} is, or leads through, a link; links are not followed");
                return Err(ProviderError::new(ErrorKind::Invalid, operation, message));
            }
            Err(error) => return Err(self.error(operation, inside, &error.into())),
        };
        let kind = file.metadata().map_err(|error| self.error(operation, inside, &error))?.file_type();
        if kind.is_file() {
            return Ok(file);
        }
        Err(ProviderError::new(ErrorKind::Invalid, operation, format!("{inside} is not a regular file")))
    }

    /// Reads a small file whole.
    pub fn record(&self, operation: &'static str, inside: &str) -> Result<Vec<u8>> {
        use std::io::Read;
        let file = self.file(operation, inside, false)?;
        let mut bytes = Vec::new();
        file.take(MOST_RECORD + 1).read_to_end(&mut bytes).map_err(|error| self.error(operation, inside, &error))?;
        if bytes.len() as u64 > MOST_RECORD {
            return Err(ProviderError::new(
                ErrorKind::Invalid,
                operation,
                format!("{inside} is too large to be one of ours"),
            ));
        }
        Ok(bytes)
    }

    /// Writes a small file so that it is there whole or not at all.
    pub fn put_record(&self, operation: &'static str, inside: &str, bytes: &[u8]) -> Result<()> {
        use std::io::Write;
        let fail = |error: io::Error| self.error(operation, inside, &error);
        let draft = draft(inside);
        let mut file = self.new_file(operation, &draft)?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(self.path(&draft), self.path(inside)));
        if written.is_err() {
            let _ = fs::remove_file(self.path(&draft));
        }
        written.map_err(fail)?;
        self.sync_parent(operation, inside)
    }

    /// Makes a rename or a removal survive a loss of power.
    pub fn sync_parent(&self, operation: &'static str, inside: &str) -> Result<()> {
        let path = self.path(inside);
        let parent = path.parent().unwrap_or(&self.root);
        let synced = File::open(parent).and_then(|parent| parent.sync_all());
        synced.map_err(|error| self.error(operation, inside, &error))
    }

    /// A folder that is no link.
    pub fn is_folder(&self, inside: &str) -> bool {
        fs::symlink_metadata(self.path(inside)).is_ok_and(|found| found.is_dir())
    }

    /// Whether there is anything of that name, be it a link to nowhere.
    pub fn is_there(&self, operation: &'static str, inside: &str) -> Result<bool> {
        match fs::symlink_metadata(self.path(inside)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.error(operation, inside, &error)),
        }
    }

    /// Removes the drafts of records that were not finished, once nobody can be at them any more.
    pub fn remove_old_drafts(&self, operation: &'static str) -> Result<()> {
        for part in [PINS, STAGING] {
            for name in self.names(operation, part)?.filter(|name| is_draft(name)) {
                let inside = format!("{part}/{name}");
                let found = fs::symlink_metadata(self.path(&inside)).ok().filter(fs::Metadata::is_file);
                let age = found.and_then(|found| found.modified().ok()?.elapsed().ok());
                if age.is_some_and(|age| age > OLD_DRAFT) && self.remove(operation, &inside)? {
                    tracing::info!(draft = inside, "removed the draft of a record that was never finished");
                }
            }
        }
        Ok(())
    }

    /// The names in a part of the folder, in no order.
    pub fn names(&self, operation: &'static str, inside: &str) -> Result<impl Iterator<Item = String> + use<>> {
        let entries = match fs::read_dir(self.path(inside)) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(self.error(operation, inside, &error)),
        };
        Ok(entries.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok()))
    }

    /// Removes a file, or succeeds if it is gone.
    pub fn remove(&self, operation: &'static str, inside: &str) -> Result<bool> {
        match fs::remove_file(self.path(inside)) {
            Ok(()) => self.sync_parent(operation, inside).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.error(operation, inside, &error)),
        }
    }

    pub fn error(&self, operation: &'static str, inside: &str, error: &io::Error) -> ProviderError {
        let found = ProviderError::from_io(operation, self.path(inside).display(), error);
        if found.kind == ErrorKind::Full {
            return found.advice("Make room on the disk that holds this folder, then start again.");
        }
        found
    }
}

/// Refuses what can't be opened; makes nothing.
pub(crate) fn check(path: &Path) -> Result<()> {
    let parts = [path.to_owned(), path.join(STAGING), path.join(PINS)];
    parts.iter().try_for_each(|part| can_hold_files(part)).map_err(|error| unusable(path, &error))
}

/// Whether `path` is a folder that this user can write to, or can be made one. A link to what is not there can't. It
/// changes nothing.
pub fn can_hold_files(path: &Path) -> io::Result<()> {
    let mut there = path;
    let found = loop {
        match fs::metadata(there) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && there.is_symlink() => {
                let message = format!("{} is a link to what is not there", there.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match there.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => there = parent,
                Some(_) if there != Path::new(".") => there = Path::new("."),
                _ => return Err(error),
            },
            found => break found?,
        }
    };
    if !found.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
}

fn unusable(path: &Path, error: &io::Error) -> ProviderError {
    ProviderError::from_io("open", path.display(), error)
        .advice("Check `path` and the rights of the user that NovaCron runs as.")
}

/// The name under which a record is written before it is whole.
fn draft(inside: &str) -> String {
    format!("{inside}.{:016x}.tmp", draft_number())
}

fn is_draft(name: &str) -> bool {
    let number = name.strip_suffix(".tmp").and_then(|name| name.rsplit_once('.')).map(|(_, number)| number);
    number.is_some_and(|number| number.len() == 16 && number.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Differs between processes and calls.
fn draft_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff
}
