//! Writing disks: volumes that are made, filled through `writer`, and checked.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use async_trait::async_trait;
use novacron_provider::{BlockWriter, DiskSink, NewDisk, Readiness, Result, TargetDisk, Written};
use tokio::process::Command;
use virt::connect::Connect;

use crate::{
    LibvirtProvider,
    create::{VolumeLocator, locator, volume_name},
    fault::{conflict, invalid, not_found, unavailable},
    host::Access,
    inner::Inner,
    inventory::disk_id_of,
    pool,
    provider::elsewhere,
    settings::DiskFormat,
    writer,
    xml::{NewVolume, VolumeXml},
};

/// Disks are whole sectors.
const SECTOR: u64 = 512;
/// Raw files are whole blocks of the largest kind, or QEMU can't open them past the page cache.
const BLOCK: u64 = 4096;
/// How long a writer of ours may take to let a disk go.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

#[async_trait]
impl DiskSink for LibvirtProvider {
    async fn create_disk(&self, request: &NewDisk) -> Result<TargetDisk> {
        let request = request.clone();
        self.run(Access::Write, "virStorageVolCreateXML", move |inner, connect| make(inner, connect, &request)).await
    }

    /// Checks that the volume is whole, and in nobody's hands.
    async fn complete_disk(&self, disk: &TargetDisk, _written: Written) -> Result<()> {
        let place = self.here(locator(&disk.locator))?;
        let (name, size) = (place.volume.clone(), disk.size_bytes);
        self.run(Access::Write, "virStorageVolGetXMLDesc", move |inner, connect| {
            let found = pool::find(&pool::open(connect, &inner.settings)?, &name)?
                .ok_or_else(|| not_found("virStorageVolLookupByName", format!("the volume {name} is gone")))?;
            big_enough(&pool::read(&found)?, size)
        })
        .await?;
        // The file is checked where it can be seen; on another host the mover's read-back is all there is.
        if Path::new(&place.path).exists() {
            // A writer that is still open has nothing to write any more, and would keep the machine from its disk.
            self.here(writer::end_serving(&place.path).await)?;
            self.here(check(&place).await)?;
        }
        Ok(())
    }

    async fn disk_ready(&self, disk: &TargetDisk) -> Result<Readiness> {
        let place = self.here(locator(&disk.locator))?;
        self.run(Access::Read, "virStorageVolLookupByName", move |inner, connect| {
            pool::find_known(connect, &inner.settings, &place.volume, &place.path)?
                .then_some(Readiness::READY)
                .ok_or_else(|| not_found("virStorageVolLookupByName", format!("the volume {} is gone", place.volume)))
        })
        .await
    }

    async fn delete_disk(&self, disk: &TargetDisk) -> Result<()> {
        let place = self.here(locator(&disk.locator))?;
        self.here(writer::end_serving(&place.path).await)?;
        self.run(Access::Write, "virStorageVolDelete", move |inner, connect| {
            match pool::find(&pool::open(connect, &inner.settings)?, &place.volume)? {
                Some(volume) => pool::delete(&volume),
                None => Ok(()),
            }
        })
        .await
    }

    async fn open_writer(&self, disk: &TargetDisk) -> Result<Arc<dyn BlockWriter>> {
        let place = self.here(locator(&disk.locator))?;
        if !Path::new(&place.path).exists() {
            return self.here(Err(elsewhere("qemu-nbd", &format!("the disk {}", place.path), place.host.as_deref())));
        }
        self.here(writer::open(&place, disk.size_bytes).await)
    }
}

impl LibvirtProvider {
    fn here<T>(&self, result: Result<T>) -> Result<T> {
        use novacron_provider::Provider;
        result.map_err(|error| error.at(&self.identity().name))
    }
}

fn make(inner: &Inner, connect: &Connect, request: &NewDisk) -> Result<TargetDisk> {
    if request.size_bytes == 0 {
        return Err(invalid("virStorageVolCreateXML", "a disk of no bytes can't be made"));
    }
    let settings = &inner.settings;
    let base = request.base.as_ref().map(|base| locator(&base.locator)).transpose()?;
    if base.is_some() && settings.disk_format != DiskFormat::Qcow2 {
        return Err(invalid("virStorageVolCreateXML", "a disk on top of another must be qcow2; set `disk_format`"));
    }
    let name = volume_name(&request.tag, request.index, settings);
    let new = NewVolume {
        name: &name,
        size_bytes: request.size_bytes.next_multiple_of(match settings.disk_format {
            DiskFormat::Qcow2 => SECTOR,
            DiskFormat::Raw => BLOCK,
        }),
        format: settings.disk_format.as_str(),
        base: base.as_ref().map(|base| (base.path.as_str(), base.format.as_str())),
    };
    let pool = pool::open(connect, settings)?;
    let volume = pool::make(&pool, &new)?;
    big_enough(&volume, request.size_bytes)?;
    let locator = VolumeLocator {
        volume: name.clone(),
        path: volume.path.clone(),
        format: new.format.to_owned(),
        has_base: base.is_some(),
        host: inner.host.remote_name().map(str::to_owned),
    };
    Ok(TargetDisk {
        disk_id: disk_id_of(&volume.path)?,
        index: request.index,
        size_bytes: request.size_bytes,
        spec: request.spec.clone(),
        locator: serde_json::to_value(&locator)
            .map_err(|error| unavailable("virStorageVolCreateXML", error.to_string()))?,
    })
}

fn big_enough(volume: &VolumeXml, size: u64) -> Result<()> {
    if volume.capacity >= size {
        return Ok(());
    }
    let message = format!("the volume {} holds {} bytes, not {size}", volume.path, volume.capacity);
    Err(conflict("virStorageVolGetXMLDesc", message))
}

/// Lets `qemu-img` look through the file's own tables. A writer that is just being closed is waited for.
async fn check(place: &VolumeLocator) -> Result<()> {
    if place.format != "qcow2" {
        return Ok(());
    }
    let started = tokio::time::Instant::now();
    loop {
        let checked = Command::new("qemu-img")
            .args(["check", "-q", "-f", &place.format, "--", &place.path])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let checked = tokio::time::timeout(Duration::from_secs(600), checked)
            .await
            .map_err(|_| unavailable("qemu-img check", "no answer in 600 s"))?
            .map_err(|error| writer::no_program("qemu-img", &error))?;
        let message = String::from_utf8_lossy(&checked.stderr).trim().to_owned();
        match checked.status.code() {
            Some(0) => return Ok(()),
            _ if message.contains("lock") => {
                if started.elapsed() > CLOSE_LIMIT {
                    return Err(conflict("qemu-img check", format!("the disk is still being written: {message}")));
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            // 2: corrupt; 3: whole, with clusters that nothing uses.
            Some(3) => return Ok(()),
            Some(2) => return Err(conflict("qemu-img check", format!("the disk's tables are corrupt: {message}"))),
            _ => return Err(unavailable("qemu-img check", message)),
        }
    }
}
