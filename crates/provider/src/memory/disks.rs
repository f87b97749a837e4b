//! Disks out of, and into, the provider in memory.

use std::sync::Arc;

use async_trait::async_trait;
use novacron_types::{DiskId, SnapshotId};
use serde_json::Value;

use super::{
    MemoryProvider, conflict,
    images::ask,
    invalid, not_found,
    sparse::Sparse,
    state::{Disk, Snapshot},
};
use crate::{
    BlockReader, BlockWriter, Buf, ChangedBlocks, DiskSink, DiskSnapshot, DiskSource, ErrorKind, Extent, ExtentPage,
    NewDisk, ProviderError, Readiness, Result, SnapshotRequest, StoredCheck, TargetDisk, Written,
};

#[async_trait]
impl DiskSource for MemoryProvider {
    async fn snapshot(&self, request: &SnapshotRequest) -> Result<Vec<DiskSnapshot>> {
        let mut state = self.state();
        let mut found: Vec<DiskSnapshot> = state
            .snapshots
            .iter()
            .filter(|(_, snapshot)| {
                snapshot.tag == request.tag
                    && snapshot.sequence == request.sequence
                    && snapshot.instance == request.instance
            })
            .filter_map(|(id, snapshot)| describe(id, snapshot))
            .collect();
        if found.is_empty() {
            let disks = state.machine_mut(&request.instance, "snapshot")?.instance.disks.clone();
            for disk in disks {
                let id: SnapshotId = state.new_id("snap");
                let snapshot = Snapshot {
                    content: state.disk_mut(&disk.disk_id, "snapshot")?.content.clone(),
                    disk_id: disk.disk_id,
                    tag: request.tag.clone(),
                    instance: request.instance.clone(),
                    sequence: request.sequence,
                    device: disk.device,
                    boot: disk.boot,
                    asks: self.options.settle_after,
                };
                found.extend(describe(id.as_str(), &snapshot));
                state.snapshots.insert(id.as_str().to_owned(), snapshot);
            }
        }
        found.sort_by_key(|snapshot| !snapshot.boot);
        Ok(found)
    }

    async fn snapshot_ready(&self, snapshot: &DiskSnapshot) -> Result<Readiness> {
        let mut state = self.state();
        let found = state.snapshots.get_mut(snapshot.snapshot_id.as_str());
        let found = found.ok_or_else(|| gone("snapshot_ready", snapshot))?;
        Ok(ask(&mut found.asks))
    }

    async fn delete_snapshot(&self, snapshot: &DiskSnapshot) -> Result<()> {
        self.state().snapshots.remove(snapshot.snapshot_id.as_str());
        Ok(())
    }

    async fn open_reader(&self, snapshot: &DiskSnapshot) -> Result<Arc<dyn BlockReader>> {
        let state = self.state();
        let found = state.snapshots.get(snapshot.snapshot_id.as_str());
        let found = found.ok_or_else(|| gone("open_reader", snapshot))?;
        if found.asks > 0 {
            return Err(conflict("open_reader", format!("snapshot {} is not ready", snapshot.snapshot_id)));
        }
        Ok(Arc::new(Reader { provider: self.clone(), snapshot: snapshot.clone() }))
    }
}

fn gone(operation: &str, snapshot: &DiskSnapshot) -> ProviderError {
    not_found(operation, "snapshot", snapshot.snapshot_id.as_str())
}

fn describe(id: &str, snapshot: &Snapshot) -> Option<DiskSnapshot> {
    Some(DiskSnapshot {
        snapshot_id: SnapshotId::new(id).ok()?,
        disk_id: snapshot.disk_id.clone(),
        device: snapshot.device.clone(),
        boot: snapshot.boot,
        size_bytes: snapshot.content.size(),
        locator: Value::Null,
    })
}

/// Reads a snapshot as long as it is there.
struct Reader {
    provider: MemoryProvider,
    snapshot: DiskSnapshot,
}

impl Reader {
    fn content(&self, operation: &str) -> Result<Sparse> {
        let state = self.provider.state();
        let found = state.snapshots.get(self.snapshot.snapshot_id.as_str());
        Ok(found.ok_or_else(|| gone(operation, &self.snapshot))?.content.clone())
    }
}

#[async_trait]
impl BlockReader for Reader {
    fn size(&self) -> u64 {
        self.snapshot.size_bytes
    }
    fn granularity(&self) -> u64 {
        self.provider.options.granularity
    }
    async fn extents(&self, from: u64) -> Result<ExtentPage> {
        let content = self.content("extents")?;
        let limit = self.provider.options.page_size.max(1);
        let offsets = content.data(from, self.granularity());
        Ok(page(offsets, from, content.size(), self.granularity(), limit))
    }
    async fn read(&self, offset: u64, mut buf: Buf) -> Result<Buf> {
        let content = self.content("read")?;
        content.check_range(offset, buf.len(), "read")?;
        content.read(offset, &mut buf);
        Ok(buf)
    }
}

/// Joins neighbouring units into at most `limit` extents.
fn page(offsets: impl IntoIterator<Item = u64>, from: u64, size: u64, unit: u64, limit: usize) -> ExtentPage {
    let mut extents: Vec<Extent> = Vec::new();
    for offset in offsets {
        let end = (offset + unit).min(size);
        let offset = offset.max(from);
        if let Some(last) = extents.last_mut().filter(|last| last.end() == offset) {
            last.len = end - last.offset;
        } else if extents.len() == limit {
            return ExtentPage { extents, next: Some(offset) };
        } else {
            extents.push(Extent { offset, len: end - offset, zero: false });
        }
    }
    ExtentPage { extents, next: None }
}

#[async_trait]
impl ChangedBlocks for MemoryProvider {
    async fn changed(&self, base: &DiskSnapshot, target: &DiskSnapshot, from: u64) -> Result<ExtentPage> {
        let state = self.state();
        let snapshot = |id: &SnapshotId| state.snapshots.get(id.as_str());
        let newer = snapshot(&target.snapshot_id).ok_or_else(|| gone("changed", target))?;
        let Some(older) = snapshot(&base.snapshot_id).filter(|older| older.disk_id == newer.disk_id) else {
            return Err(conflict("changed", format!("{} is no base of this disk", base.snapshot_id)));
        };
        let unit = self.options.granularity;
        let offsets = newer.content.differences(&older.content, from, unit);
        Ok(page(offsets, from, newer.content.size(), unit, self.options.page_size.max(1)))
    }
}

#[async_trait]
impl DiskSink for MemoryProvider {
    async fn create_disk(&self, request: &NewDisk) -> Result<TargetDisk> {
        let mut state = self.state();
        let made = |disk: &Disk| disk.tag.as_ref() == Some(&request.tag) && disk.index == request.index;
        let existing = state.disks.iter().find(|(_, disk)| made(disk)).map(|(id, disk)| (id.clone(), disk));
        if let Some((id, disk)) = existing {
            let disk_id = DiskId::new(id).map_err(|error| invalid("create_disk", error.to_string()))?;
            return Ok(target(disk_id, disk));
        }
        let mut content = match &request.base {
            Some(base) => {
                let base_disk = state.disk_mut(&base.disk_id, "create_disk")?;
                if !base_disk.sealed {
                    return Err(conflict("create_disk", format!("base {} is not completed", base.disk_id)));
                }
                base_disk.content.clone()
            }
            None => Sparse::default(),
        };
        content.resize(request.size_bytes);
        let disk = Disk {
            content,
            tag: Some(request.tag.clone()),
            index: request.index,
            spec: request.spec.clone(),
            from_base: request.base.is_some(),
            sealed: false,
            attached: false,
            asks: 0,
        };
        let id: DiskId = state.new_id("disk");
        let described = target(id.clone(), &disk);
        state.disks.insert(id.as_str().to_owned(), disk);
        Ok(described)
    }

    async fn complete_disk(&self, disk: &TargetDisk, _: Written) -> Result<()> {
        let mut state = self.state();
        let found = state.disk_mut(&disk.disk_id, "complete_disk")?;
        if !found.sealed {
            found.sealed = true;
            found.asks = self.options.settle_after;
        }
        Ok(())
    }

    async fn disk_ready(&self, disk: &TargetDisk) -> Result<Readiness> {
        let mut state = self.state();
        let found = state.disk_mut(&disk.disk_id, "disk_ready")?;
        if !found.sealed {
            return Ok(Readiness { ready: false, percent: None });
        }
        Ok(ask(&mut found.asks))
    }

    async fn delete_disk(&self, disk: &TargetDisk) -> Result<()> {
        let mut state = self.state();
        if state.disks.get(disk.disk_id.as_str()).is_some_and(|disk| disk.attached) {
            return Err(conflict("delete_disk", format!("disk {} is attached to a machine", disk.disk_id)));
        }
        state.disks.remove(disk.disk_id.as_str());
        Ok(())
    }

    async fn open_writer(&self, disk: &TargetDisk) -> Result<Arc<dyn BlockWriter>> {
        let mut state = self.state();
        let found = state.disk_mut(&disk.disk_id, "open_writer")?;
        if found.sealed {
            return Err(conflict("open_writer", format!("disk {} is completed", disk.disk_id)));
        }
        let starts_zeroed = self.options.starts_zeroed && !found.from_base;
        Ok(Arc::new(Writer { provider: self.clone(), disk: disk.clone(), starts_zeroed }))
    }
}

fn target(disk_id: DiskId, disk: &Disk) -> TargetDisk {
    TargetDisk {
        disk_id,
        index: disk.index,
        size_bytes: disk.content.size(),
        spec: disk.spec.clone(),
        locator: Value::Null,
    }
}

/// Writes a disk until it is completed.
struct Writer {
    provider: MemoryProvider,
    disk: TargetDisk,
    starts_zeroed: bool,
}

impl Writer {
    fn with<T>(&self, operation: &str, offset: u64, len: u64, change: impl FnOnce(&mut Sparse) -> T) -> Result<T> {
        let options = &self.provider.options;
        let mut state = self.provider.state();
        let full = options.capacity.is_some_and(|most| operation == "write" && state.stored() + len > most);
        let disk = state.disk_mut(&self.disk.disk_id, operation)?;
        let size = disk.content.size();
        disk.content.check_range(offset, usize::try_from(len).unwrap_or(usize::MAX), operation)?;
        let end = offset + len;
        let unit = options.granularity;
        if operation != "read_back" {
            if disk.sealed {
                return Err(conflict(operation, format!("disk {} is completed", self.disk.disk_id)));
            }
            if !offset.is_multiple_of(unit) || (!end.is_multiple_of(unit) && end != size) {
                let message = format!("{len} bytes at {offset} are not in units of {unit} bytes");
                return Err(invalid(operation, message));
            }
        }
        if full {
            return Err(ProviderError::new(ErrorKind::Full, operation, "no room left in memory"));
        }
        Ok(change(&mut disk.content))
    }
}

#[async_trait]
impl BlockWriter for Writer {
    fn size(&self) -> u64 {
        self.disk.size_bytes
    }
    fn granularity(&self) -> u64 {
        self.provider.options.granularity
    }
    fn starts_zeroed(&self) -> bool {
        self.starts_zeroed
    }
    fn stored_check(&self) -> StoredCheck {
        StoredCheck::ReadBack
    }
    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.with("write", offset, buf.len() as u64, |content| content.write(offset, &buf))?;
        Ok(buf)
    }
    async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        self.with("zero", offset, len, |content| content.zero(offset, len))
    }
    async fn flush(&self) -> Result<()> {
        self.with("flush", 0, 0, |_| ())
    }
    async fn read_back(&self, offset: u64, mut buf: Buf) -> Result<Buf> {
        let len = buf.len() as u64;
        self.with("read_back", offset, len, |content| content.read(offset, &mut buf))?;
        Ok(buf)
    }
}
