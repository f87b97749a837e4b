//! The storage pool in which new disks are made.

use novacron_provider::Result;
use novacron_types::KIB;
use uuid::Uuid;
use virt::{
    connect::Connect,
    error::{Error, ErrorNumber},
    storage_pool::StoragePool,
    storage_vol::StorageVol,
};
use virt_sys as sys;

use crate::{
    fault::{fault, unavailable},
    names,
    settings::Settings,
    xml::{self, NewVolume, VolumeXml},
};

/// The configured pool, running.
pub fn open(connect: &Connect, settings: &Settings) -> Result<StoragePool> {
    let pool = match &settings.path {
        Some(path) => folder(connect, &path.to_string_lossy())?,
        None => StoragePool::lookup_by_name(connect, settings.pool.as_deref().unwrap_or("default"))
            .map_err(fault("virStoragePoolLookupByName"))?,
    };
    if !pool.is_active().map_err(fault("virStoragePoolIsActive"))? {
        pool.create(0).map_err(fault("virStoragePoolCreate"))?;
    }
    Ok(pool)
}

/// A folder as a pool: the one that somebody has defined for it, or one of ours until the host restarts.
fn folder(connect: &Connect, path: &str) -> Result<StoragePool> {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    if let Ok(pool) = StoragePool::lookup_by_target_path(connect, path) {
        return Ok(pool);
    }
    let name = format!("novacron-{}", &blake3::hash(path.as_bytes()).to_hex()[..12]);
    if let Ok(pool) = StoragePool::lookup_by_name(connect, &name) {
        return Ok(pool);
    }
    StoragePool::create_xml(connect, &xml::pool(&name, path), sys::VIR_STORAGE_POOL_CREATE_WITH_BUILD)
        .map_err(fault("virStoragePoolCreateXML"))
}

/// How large the pool is, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub bytes: u64,
    pub free_bytes: u64,
}

/// The room in the pool, which is opened as for a new disk.
pub fn room(connect: &Connect, settings: &Settings) -> Result<Room> {
    let pool = open(connect, settings)?;
    // libvirt looks at the file system when it refreshes a pool, and not when it is asked. A pool that is busy tells what it
    // saw last.
    if let Err(error) = refresh(&pool) {
        tracing::debug!(%error, "the pool could not be refreshed");
    }
    let info = pool.get_info().map_err(fault("virStoragePoolGetInfo"))?;
    Ok(Room { bytes: info.capacity, free_bytes: info.available.min(info.capacity) })
}

/// Makes a volume, or finds it.
pub fn make(pool: &StoragePool, new: &NewVolume<'_>) -> Result<VolumeXml> {
    if let Some(volume) = find(pool, new.name)? {
        return grown(&volume, new.size_bytes);
    }
    // libvirt makes whole kibibytes, rounded up, but lets them grow by sectors.
    let floor = NewVolume { size_bytes: (new.size_bytes / KIB * KIB).max(KIB), ..new.clone() };
    let made = StorageVol::create_xml(pool, &xml::volume(&floor), 0);
    let volume = match made {
        Err(error) if error.code() == ErrorNumber::StorageVolExist => {
            // Another process made it, or libvirt has not looked at the folder since.
            refresh(pool)?;
            find(pool, new.name)?.ok_or_else(|| fault("virStorageVolCreateXML")(error))?
        }
        made => made.map_err(fault("virStorageVolCreateXML"))?,
    };
    grown(&volume, new.size_bytes)
}

fn grown(volume: &StorageVol, size: u64) -> Result<VolumeXml> {
    let found = read(volume)?;
    if found.capacity >= size {
        return Ok(found);
    }
    volume.resize(size, 0).map_err(fault("virStorageVolResize"))?;
    read(volume)
}

/// The volume if it exists. What was made behind libvirt's back is found too.
pub fn find(pool: &StoragePool, name: &str) -> Result<Option<StorageVol>> {
    if let Some(volume) = known(pool, name)? {
        return Ok(Some(volume));
    }
    refresh(pool)?;
    known(pool, name)
}

fn known(pool: &StoragePool, name: &str) -> Result<Option<StorageVol>> {
    match StorageVol::lookup_by_name(pool, name) {
        Ok(volume) => Ok(Some(volume)),
        Err(error) if error.code() == ErrorNumber::NoStorageVolume => Ok(None),
        Err(error) => Err(fault("virStorageVolLookupByName")(error)),
    }
}

pub fn read(volume: &StorageVol) -> Result<VolumeXml> {
    let xml = volume.get_xml_desc(0).map_err(fault("virStorageVolGetXMLDesc"))?;
    VolumeXml::parse(&xml)?
        .ok_or_else(|| unavailable("virStorageVolGetXMLDesc", "the volume's description has no path or size"))
}

fn refresh(pool: &StoragePool) -> Result<()> {
    pool.refresh(0).map(drop).map_err(fault("virStoragePoolRefresh"))
}

/// Deletes a volume, or succeeds if it is gone.
pub fn delete(volume: &StorageVol) -> Result<()> {
    match volume.delete(0) {
        Err(error) if !is_gone(&error) => Err(fault("virStorageVolDelete")(error)),
        _ => Ok(()),
    }
}

fn is_gone(error: &Error) -> bool {
    error.code() == ErrorNumber::NoStorageVolume || error.message().contains("No such file or directory")
}

/// Deletes all volumes whose names carry this key, and tells their paths.
pub fn delete_all(connect: &Connect, settings: &Settings, key: Uuid) -> Result<Vec<String>> {
    let pool = match open(connect, settings) {
        Ok(pool) => pool,
        // Without a pool there can't be volumes in it.
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    refresh(&pool)?;
    let prefix = names::volume_prefix(key);
    let mut deleted = Vec::new();
    for volume in pool.list_all_volumes(0).map_err(fault("virStoragePoolListAllVolumes"))? {
        // One that is gone since it was listed has no name any more.
        if let (Ok(name), Ok(path)) = (volume.get_name(), volume.get_path())
            && name.starts_with(&prefix)
        {
            delete(&volume)?;
            deleted.push(path);
        }
    }
    Ok(deleted)
}

/// Whether a volume is there, asked without changing anything: a read-only connection can't refresh a pool.
pub fn find_known(connect: &Connect, settings: &Settings, name: &str, path: &str) -> Result<bool> {
    let found = match &settings.path {
        Some(_) => StorageVol::lookup_by_path(connect, path),
        None => StoragePool::lookup_by_name(connect, settings.pool.as_deref().unwrap_or("default"))
            .and_then(|pool| StorageVol::lookup_by_name(&pool, name)),
    };
    match found {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.code(), ErrorNumber::NoStorageVolume | ErrorNumber::NoStoragePool) => Ok(false),
        Err(error) => Err(fault("virStorageVolLookupByName")(error)),
    }
}
