//! Giving disks out. They are at rest, so a snapshot copies nothing: it pins the machine and notes how its files look.

use std::{fs::File, os::unix::fs::MetadataExt, sync::Arc};

use async_trait::async_trait;
use novacron_provider::{
    BlockReader, DiskSnapshot, DiskSource, ErrorKind, OperationTag, ProviderError, Readiness, Result, SnapshotRequest,
};
use novacron_transfer::format::{self, ImageFormat};
use novacron_types::{InstanceId, SnapshotId};
use serde::{Deserialize, Serialize};

use crate::{
    Files,
    folder::{Folder, PINS},
    machine::{device, id, invalid, short},
    provider::Inner,
};

/// The locator of a snapshot, and what its pin holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pin {
    name: String,
    tag: OperationTag,
    instance: InstanceId,
    disks: Vec<Pinned>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pinned {
    inside: String,
    format: ImageFormat,
    size_bytes: u64,
    looks: Looks,
}

/// What changes when a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Looks {
    inode: u64,
    len: u64,
    modified: i64,
    modified_nanoseconds: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Locator {
    pin: String,
    disk: usize,
}

#[async_trait]
impl DiskSource for Files {
    async fn snapshot(&self, request: &SnapshotRequest) -> Result<Vec<DiskSnapshot>> {
        let request = request.clone();
        self.off_thread("snapshot", move |inner| inner.snapshot(&request)).await
    }

    async fn snapshot_ready(&self, snapshot: &DiskSnapshot) -> Result<Readiness> {
        let snapshot = snapshot.clone();
        self.off_thread("snapshot_ready", move |inner| {
            let disk = inner.pinned_disk("snapshot_ready", &snapshot)?;
            let file = inner.folder.file("snapshot_ready", &disk.inside, false)?;
            inner.unchanged("snapshot_ready", &file, &disk).map(|()| Readiness::READY)
        })
        .await
    }

    async fn delete_snapshot(&self, snapshot: &DiskSnapshot) -> Result<()> {
        let snapshot = snapshot.clone();
        self.off_thread("delete_snapshot", move |inner| {
            let locator = locator("delete_snapshot", &snapshot)?;
            inner.folder.remove("delete_snapshot", &pin_path(&locator.pin)).map(drop)
        })
        .await
    }

    async fn open_reader(&self, snapshot: &DiskSnapshot) -> Result<Arc<dyn BlockReader>> {
        let snapshot = snapshot.clone();
        self.off_thread("open_reader", move |inner| {
            let disk = inner.pinned_disk("open_reader", &snapshot)?;
            let file = inner.folder.file("open_reader", &disk.inside, false)?;
            let file = inner.lock("open_reader", file, &disk.inside, false)?;
            inner.unchanged("open_reader", &file, &disk)?;
            let name = inner.folder.path(&disk.inside).display().to_string();
            format::open_reader(file, &name, disk.format)
        })
        .await
    }
}

impl Inner {
    /// Refuses a file that was written since its snapshot. A reader can be sure of what it has read only if this holds
    /// afterwards too.
    fn unchanged(&self, operation: &'static str, file: &File, disk: &Pinned) -> Result<()> {
        if self.looks(operation, file, &disk.inside)? == disk.looks {
            return Ok(());
        }
        let message = format!("{} was changed after the snapshot was taken", disk.inside);
        Err(ProviderError::new(ErrorKind::Conflict, operation, message)
            .advice("Start again, and leave the image alone until the transfer has ended."))
    }

    fn snapshot(&self, request: &SnapshotRequest) -> Result<Vec<DiskSnapshot>> {
        let machine = self.whole_machine("snapshot", &request.instance)?;
        let name = format!("snap-{}", short(&format!("{}#{}", request.tag, request.sequence)));
        let pin = match self.pin("snapshot", &name) {
            Ok(pin) => pin,
            Err(error) if error.is_not_found() => {
                let mut disks = Vec::new();
                for disk in &machine.disks {
                    let file = self.folder.file("snapshot", &disk.inside, false)?;
                    let file = self.lock("snapshot", file, &disk.inside, false)?;
                    disks.push(Pinned {
                        inside: disk.inside.clone(),
                        format: disk.format,
                        size_bytes: format::disk_size(&file, &disk.inside, disk.format)?,
                        looks: self.looks("snapshot", &file, &disk.inside)?,
                    });
                }
                let pin = Pin { name, tag: request.tag.clone(), instance: request.instance.clone(), disks };
                let json = serde_json::to_vec_pretty(&pin)
                    .map_err(|error| ProviderError::new(ErrorKind::Invalid, "snapshot", error.to_string()))?;
                self.folder.put_record("snapshot", &pin_path(&pin.name), &json)?;
                pin
            }
            Err(error) => return Err(error),
        };
        if pin.instance != request.instance {
            let message = format!("the snapshot {} is of {}", pin.name, pin.instance);
            return Err(ProviderError::new(ErrorKind::Conflict, "snapshot", message));
        }
        let snapshots = pin.disks.iter().enumerate().map(|(index, disk)| DiskSnapshot {
            snapshot_id: id(&format!("{}-{index}", pin.name), SnapshotId::new),
            disk_id: machine.disk_id(index),
            device: device(index),
            boot: index == 0,
            size_bytes: disk.size_bytes,
            locator: serde_json::json!({ "pin": pin.name, "disk": index }),
        });
        Ok(snapshots.collect())
    }

    fn pin(&self, operation: &'static str, name: &str) -> Result<Pin> {
        let inside = pin_path(name);
        serde_json::from_slice(&self.folder.record(operation, &inside)?)
            .map_err(|error| invalid(operation, &inside, &format!("is not valid: {error}")))
    }

    fn pinned_disk(&self, operation: &'static str, snapshot: &DiskSnapshot) -> Result<Pinned> {
        let locator = locator(operation, snapshot)?;
        let pin = self.pin(operation, &locator.pin).map_err(|error| {
            if !error.is_not_found() {
                return error;
            }
            let message = format!("there is no snapshot {}", snapshot.snapshot_id);
            ProviderError::new(ErrorKind::NotFound, operation, message)
        })?;
        let disk = pin.disks.get(locator.disk).cloned();
        disk.ok_or_else(|| invalid(operation, snapshot.snapshot_id.as_str(), "has no such disk"))
    }

    fn looks(&self, operation: &'static str, file: &File, inside: &str) -> Result<Looks> {
        let found = file.metadata().map_err(|error| self.folder.error(operation, inside, &error))?;
        Ok(Looks {
            inode: found.ino(),
            len: found.len(),
            modified: found.mtime(),
            modified_nanoseconds: found.mtime_nsec(),
        })
    }
}

/// The snapshot that keeps a machine from being deleted, if there is one.
pub(crate) fn pinned(folder: &Folder, operation: &'static str, instance: &InstanceId) -> Result<Option<String>> {
    Ok(pins(folder, operation)?.find(|(_, pin)| pin.instance == *instance).map(|(name, _)| name))
}

/// Takes away the pins of an operation.
pub(crate) fn unpin_all(folder: &Folder, tag: &OperationTag) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    let names: Vec<String> = pins(folder, "sweep")?.filter(|(_, pin)| pin.tag == *tag).map(|(name, _)| name).collect();
    for name in names {
        folder.remove("sweep", &pin_path(&name))?;
        removed.push(name);
    }
    Ok(removed)
}

fn pins<'a>(folder: &'a Folder, operation: &'static str) -> Result<impl Iterator<Item = (String, Pin)> + use<'a>> {
    let names = folder.names(operation, PINS)?;
    Ok(names.filter_map(move |name| {
        let pin = serde_json::from_slice(&folder.record(operation, &format!("{PINS}/{name}")).ok()?).ok()?;
        Some((name.strip_suffix(".json")?.to_owned(), pin))
    }))
}

fn pin_path(name: &str) -> String {
    format!("{PINS}/{name}.json")
}

fn locator(operation: &'static str, snapshot: &DiskSnapshot) -> Result<Locator> {
    let locator: Option<Locator> = serde_json::from_value(snapshot.locator.clone()).ok();
    let ours = |name: &str| {
        name.strip_prefix("snap-").is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    locator
        .filter(|locator| ours(&locator.pin))
        .ok_or_else(|| invalid(operation, snapshot.snapshot_id.as_str(), "is not a snapshot of this provider"))
}
