//! Taking disks in.

use std::{
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    sync::Arc,
};

use async_trait::async_trait;
use novacron_provider::{
    BlockWriter, Buf, DiskSink, ErrorKind, NewDisk, ProviderError, Readiness, Result, StoredCheck, TargetDisk, Written,
};
use novacron_transfer::format::{self, ImageFormat};
use novacron_types::{ByteSize, DiskId, MIB};
use rustix::fs::SeekFrom;
use serde::{Deserialize, Serialize};

use crate::{
    Files,
    folder::STAGING,
    machine::{disk_name, id, invalid, is_disk_name, is_plain, machine_id, staging},
    provider::Inner,
};

/// The locator of a disk: where it is filled, and where it is once its machine has been made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    pub operation: String,
    pub machine: String,
    pub file: String,
    pub format: ImageFormat,
    /// It began as a copy of another disk, and so not as zeros.
    #[serde(default)]
    pub based: bool,
}

impl Place {
    /// Who holds its lock writes the disk. It is beside the disk and goes when the machine is made, so that a writer
    /// which is closed late does not keep the machine from being used.
    fn lock(&self) -> String {
        format!("{STAGING}/{}/.{}.lock", self.operation, self.file)
    }

    pub fn inside(&self) -> String {
        format!("{STAGING}/{}/{}", self.operation, self.file)
    }

    fn settled(&self) -> String {
        format!("{}/{}", self.machine, self.file)
    }
}

/// What a disk must leave free on its file system: the control plane's own store is often on the same one, and must be
/// able to say that the disk is full, and to undo what filled it.
const RESERVE: u64 = 64 * MIB;

/// A writer, the lock that says so, and the room that it must leave.
struct Locked {
    writer: Arc<dyn BlockWriter>,
    lock: File,
}

impl Locked {
    fn check_room(&self, len: usize) -> Result<()> {
        let fail = |error: rustix::io::Errno| ProviderError::from_io("write", "the room left", &error.into());
        let room = rustix::fs::fstatvfs(&self.lock).map_err(fail)?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        // On a small file system a twentieth has to do.
        let reserve = RESERVE.min(room.f_blocks.saturating_mul(room.f_frsize) / 20);
        if free >= reserve.saturating_add(len as u64) {
            return Ok(());
        }
        let message = format!("the disk is full but for the {} that are kept free", ByteSize(reserve));
        Err(ProviderError::new(ErrorKind::Full, "write", message).advice("Free some space, or choose another folder."))
    }
}

#[async_trait]
impl BlockWriter for Locked {
    fn size(&self) -> u64 {
        self.writer.size()
    }
    fn granularity(&self) -> u64 {
        self.writer.granularity()
    }
    fn max_write(&self) -> u64 {
        self.writer.max_write()
    }
    fn starts_zeroed(&self) -> bool {
        self.writer.starts_zeroed()
    }
    fn stored_check(&self) -> StoredCheck {
        self.writer.stored_check()
    }
    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.check_room(buf.len())?;
        self.writer.write(offset, buf).await
    }
    async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        self.writer.zero(offset, len).await
    }
    async fn flush(&self) -> Result<()> {
        self.writer.flush().await
    }
    async fn read_back(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.writer.read_back(offset, buf).await
    }
}

/// Copies the parts of a file that hold data.
fn copy_sparse(from: &File, into: &File) -> std::io::Result<()> {
    let len = from.metadata()?.len();
    into.set_len(len)?;
    let mut at = 0;
    while at < len {
        let start = match rustix::fs::seek(from, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(from, SeekFrom::Hole(start))?.min(len);
        let (mut source, mut target) = (start, start);
        while source < end {
            let count = (end - source).min(1 << 30) as usize;
            if rustix::fs::copy_file_range(from, Some(&mut source), into, Some(&mut target), count)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        at = end;
    }
    Ok(())
}

#[async_trait]
impl DiskSink for Files {
    async fn create_disk(&self, request: &NewDisk) -> Result<TargetDisk> {
        let request = request.clone();
        self.off_thread("create_disk", move |inner| inner.create_disk(request)).await
    }

    async fn complete_disk(&self, disk: &TargetDisk, _: Written) -> Result<()> {
        let disk = disk.clone();
        self.off_thread("complete_disk", move |inner| {
            let (file, inside) = inner.disk_file("complete_disk", &disk, false)?;
            file.sync_all().map_err(|error| inner.folder.error("complete_disk", &inside, &error))?;
            inner.folder.sync_parent("complete_disk", &inside)
        })
        .await
    }

    async fn disk_ready(&self, disk: &TargetDisk) -> Result<Readiness> {
        let disk = disk.clone();
        self.off_thread("disk_ready", move |inner| {
            inner.disk_file("disk_ready", &disk, false).map(|_| Readiness::READY)
        })
        .await
    }

    async fn delete_disk(&self, disk: &TargetDisk) -> Result<()> {
        let disk = disk.clone();
        self.off_thread("delete_disk", move |inner| inner.delete_disk(&disk)).await
    }

    async fn open_writer(&self, disk: &TargetDisk) -> Result<Arc<dyn BlockWriter>> {
        let disk = disk.clone();
        self.off_thread("open_writer", move |inner| {
            let place = inner.staged("open_writer", &disk)?;
            let file = inner.folder.file("open_writer", &place.inside(), true)?;
            let lock = inner.writer_lock("open_writer", &place)?;
            let name = inner.folder.path(&place.inside()).display().to_string();
            let writer = format::open_writer(file, &name, place.format, disk.size_bytes, !place.based)?;
            Ok(Arc::new(Locked { writer, lock }) as Arc<dyn BlockWriter>)
        })
        .await
    }
}

impl Inner {
    fn create_disk(&self, request: NewDisk) -> Result<TargetDisk> {
        if request.size_bytes == 0 {
            return Err(ProviderError::new(ErrorKind::Invalid, "create_disk", "a disk can't have 0 bytes"));
        }
        let place = Place {
            operation: staging(&request.tag),
            machine: machine_id(&request.tag).to_string(),
            file: disk_name(request.index, self.format),
            format: self.format,
            based: request.base.is_some(),
        };
        let locator = serde_json::to_value(&place)
            .map_err(|error| ProviderError::new(ErrorKind::Invalid, "create_disk", error.to_string()))?;
        let disk = TargetDisk {
            disk_id: id(&format!("{}/{}", place.operation, place.file), DiskId::new),
            index: request.index,
            size_bytes: request.size_bytes,
            spec: request.spec,
            locator,
        };
        if self.find(&place, &disk)? {
            return Ok(disk);
        }
        let parent = format!("{STAGING}/{}", place.operation);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(self.folder.path(&parent));
        made.map_err(|error| self.folder.error("create_disk", &parent, &error))?;
        // Made beside its place and then renamed: a disk that is there has its full size.
        let draft = format!("{parent}/.{}", place.file);
        self.folder.remove("create_disk", &draft)?;
        let file = self.folder.new_file("create_disk", &draft)?;
        let filled = match &request.base {
            Some(base) => self.copy_base(base, &file, &disk, place.format),
            None => format::create(&file, &place.file, place.format, disk.size_bytes),
        };
        let made = filled.and_then(|()| {
            std::fs::rename(self.folder.path(&draft), self.folder.path(&place.inside()))
                .map_err(|error| self.folder.error("create_disk", &place.inside(), &error))
        });
        if let Err(error) = made {
            let _ = self.folder.remove("create_disk", &draft);
            return Err(error);
        }
        self.folder.sync_parent("create_disk", &place.inside())?;
        Ok(disk)
    }

    /// Whether the disk is there, and is the one that is meant.
    fn find(&self, place: &Place, disk: &TargetDisk) -> Result<bool> {
        for inside in [place.inside(), place.settled()] {
            match self.folder.file("create_disk", &inside, false) {
                Ok(file) => {
                    let size = format::disk_size(&file, &inside, place.format)?;
                    if size == disk.size_bytes {
                        return Ok(true);
                    }
                    let message = format!("{inside} is there and has {size} bytes instead of {}", disk.size_bytes);
                    return Err(ProviderError::new(ErrorKind::Conflict, "create_disk", message));
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Where a disk is being filled.
    pub fn staged(&self, operation: &'static str, disk: &TargetDisk) -> Result<Place> {
        let place: Place = serde_json::from_value(disk.locator.clone())
            .map_err(|_| invalid(operation, disk.disk_id.as_str(), "is not a disk of this provider"))?;
        if is_plain(&place.operation) && is_plain(&place.machine) && is_disk_name(&place.file) {
            return Ok(place);
        }
        Err(invalid(operation, disk.disk_id.as_str(), "is not a disk of this provider"))
    }

    /// The file of a disk, whether its machine has been made or not.
    fn disk_file(&self, operation: &'static str, disk: &TargetDisk, write: bool) -> Result<(File, String)> {
        let place = self.staged(operation, disk)?;
        match self.folder.file(operation, &place.inside(), write) {
            Err(error) if error.is_not_found() => {}
            found => return found.map(|file| (file, place.inside())),
        }
        self.folder.file(operation, &place.settled(), write).map(|file| (file, place.settled()))
    }

    fn delete_disk(&self, disk: &TargetDisk) -> Result<()> {
        let place = self.staged("delete_disk", disk)?;
        let file = match self.disk_file("delete_disk", disk, true) {
            Ok((_, inside)) if inside != place.inside() => {
                let message = format!("{} belongs to the machine {}", disk.disk_id, place.machine);
                return Err(ProviderError::new(ErrorKind::Conflict, "delete_disk", message));
            }
            Ok((file, _)) => file,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        drop(file);
        let _lock = self.writer_lock("delete_disk", &place)?;
        self.folder.remove("delete_disk", &place.inside())?;
        self.folder.remove("delete_disk", &place.lock()).map(drop)
    }

    fn writer_lock(&self, operation: &'static str, place: &Place) -> Result<File> {
        let file = match self.folder.new_file(operation, &place.lock()) {
            Err(error) if error.kind == ErrorKind::AlreadyExists => self.folder.file(operation, &place.lock(), true)?,
            made => made?,
        };
        self.lock(operation, file, &place.inside(), true)
    }

    /// Fills a new file with what another disk holds; the file system shares the blocks where it can.
    fn copy_base(&self, base: &TargetDisk, into: &File, disk: &TargetDisk, format: ImageFormat) -> Result<()> {
        let (from, inside) = self.disk_file("create_disk", base, false)?;
        let place = self.staged("create_disk", base)?;
        let grows = disk.size_bytes != base.size_bytes;
        if place.format != format || disk.size_bytes < base.size_bytes || grows && format != ImageFormat::Raw {
            let message = format!("{inside} can't be the base of a {format} disk of {} bytes", disk.size_bytes);
            return Err(ProviderError::new(ErrorKind::Invalid, "create_disk", message));
        }
        let fail = |error| self.folder.error("create_disk", &inside, &error);
        if rustix::fs::ioctl_ficlone(into, &from).is_err() {
            copy_sparse(&from, into).map_err(fail)?;
        }
        if grows {
            into.set_len(disk.size_bytes).map_err(fail)?;
        }
        into.sync_all().map_err(fail)
    }
}
