//! Taking disks in.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, sync::Arc};

use async_trait::async_trait;
use novacron_provider::{
    BlockWriter, DiskSink, ErrorKind, NewDisk, ProviderError, Readiness, Result, TargetDisk, Written,
};
use novacron_transfer::format::{self, ImageFormat};
use novacron_types::DiskId;
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
}

impl Place {
    pub fn inside(&self) -> String {
        format!("{STAGING}/{}/{}", self.operation, self.file)
    }

    fn settled(&self) -> String {
        format!("{}/{}", self.machine, self.file)
    }
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
            let file = inner.lock("open_writer", file, &place.inside(), true)?;
            let name = inner.folder.path(&place.inside()).display().to_string();
            format::open_writer(file, &name, place.format, disk.size_bytes)
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
        let made = format::create(&file, &place.file, place.format, disk.size_bytes).and_then(|()| {
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
    fn disk_file(&self, operation: &'static str, disk: &TargetDisk, write: bool) -> Result<(std::fs::File, String)> {
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
        let _lock = self.lock("delete_disk", file, &place.inside(), true)?;
        self.folder.remove("delete_disk", &place.inside()).map(drop)
    }
}
