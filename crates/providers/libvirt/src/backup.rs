//! Backup jobs: one point in time over all disks of a domain, served by its QEMU over NBD.
//!
//! libvirt runs one backup job at a time on a domain. With it a checkpoint begins: a bitmap in each qcow2 disk of
//! what changes from then on, so that the next job can tell what changed since. What we make is written to the
//! domain's metadata (the [`Ledger`]) first.
//!
//! Jobs need a QEMU. A stopped domain is started paused, *held*, for as long as its backup lasts: no instruction
//! of the guest runs, nobody else can start it or write its disks meanwhile, and its bitmaps are used and kept as
//! those of a running one.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use novacron_provider::{DiskSnapshot, Result, SnapshotRequest};
use novacron_types::SnapshotId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use virt::{
    connect::Connect,
    domain::Domain,
    error::{Error, ErrorNumber},
};
use virt_sys as sys;

use crate::{
    fault::{conflict, fault, invalid, not_found, unavailable},
    ffi::{self, Delete},
    inner::{Inner, describe, find, is_active, lookup, uuid_of, wait_until, write_ledger},
    inventory::disk_id,
    names::{self, SnapshotName},
    power::destroy,
    settings::Settings,
    xml::{self, BackupDisk, DiskSource, DomainDisk, DomainXml, Entry, JobXml, Server},
};

/// How long an aborted job may take to end.
const ABORT_LIMIT: Duration = Duration::from_secs(60);
/// Ports tried from `nbd_port` on.
const PORTS: u32 = 64;

/// What a mover needs to read one disk of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotLocator {
    pub domain: Uuid,
    /// Name of the job and of the checkpoint.
    pub snapshot: String,
    pub device: String,
    pub server: Server,
    pub export: String,
    /// The snapshot since which `bitmap` tells what changed.
    pub base: Option<String>,
    pub bitmap: Option<String>,
    /// The host's name in libvirt's address; absent for this very host.
    pub host: Option<String>,
}

impl SnapshotLocator {
    pub fn of(snapshot: &DiskSnapshot) -> Result<Self> {
        serde_json::from_value(snapshot.locator.clone()).map_err(|error| {
            invalid("read locator", format!("not the locator of a snapshot of this provider: {error}"))
        })
    }

    pub fn name(&self) -> Result<SnapshotName> {
        self.snapshot.parse().map_err(|_| invalid("read locator", "not the name of a snapshot of this provider"))
    }
}

/// Begins a job, or finds the one begun for the same tag and sequence.
pub fn take(inner: &Inner, connect: &Connect, request: &SnapshotRequest) -> Result<Vec<DiskSnapshot>> {
    let uuid = uuid_of(&request.instance)?;
    let _turn = inner.turn(uuid);
    let domain = lookup(connect, uuid)?;
    let key = names::key(&request.tag);
    let mut xml = describe(&domain)?;
    if let Some(job) = job(&domain)? {
        match job.name() {
            Some(name) if name.key == key && name.sequence == request.sequence => {
                return snapshots(inner, connect, &domain, &xml, &job, name);
            }
            // The next sync of the same operation: the last one has been read.
            Some(name) if name.key == key => end_job(&domain)?,
            Some(_) => return Err(busy(uuid, "another operation of ours reads its disks")),
            None => return Err(busy(uuid, "a backup that is not ours runs")),
        }
    }
    // One that was made before under this name has lost its job, and with it its point in time.
    let lost: Vec<SnapshotName> = (xml.ledger.entries.iter().map(|entry| entry.name))
        .filter(|name| name.key == key && name.sequence == request.sequence)
        .collect();
    for name in lost {
        drop_checkpoint(&domain, name)?;
        xml.ledger.remove(name);
        clean(&inner.settings, &xml, name);
    }
    begin(inner, connect, &domain, &mut xml, SnapshotName { key, sequence: request.sequence, nonce: rand::random() })
}

fn busy(uuid: Uuid, why: &str) -> novacron_provider::ProviderError {
    conflict("virDomainBackupBegin", format!("machine {uuid} can have one backup at a time, and {why}"))
        .advice("Wait until it is done, or end it with `virsh domjobabort`.")
}

fn begin(
    inner: &Inner,
    connect: &Connect,
    domain: &Domain,
    xml: &mut DomainXml,
    name: SnapshotName,
) -> Result<Vec<DiskSnapshot>> {
    let devices: BTreeSet<String> =
        xml.disks.iter().filter(|disk| disk.is_data()).map(|disk| disk.target.clone()).collect();
    if devices.is_empty() {
        return Err(invalid("virDomainBackupBegin", format!("machine {} has no disk to read", xml.uuid)));
    }
    let was_active = is_active(domain)?;
    // Held already, by an earlier snapshot of this operation whose crash left it so.
    let held = !was_active || (xml.ledger.holds() && is_paused(domain)?);
    xml.ledger.entries.push(Entry { name, disks: devices, held });
    write_ledger(domain, &xml.ledger)?;
    if !was_active {
        hold(domain).inspect_err(|_| forget(domain, xml, name))?;
    }
    let begun = begin_job(inner, domain, xml, name);
    let job = begun.inspect_err(|_| {
        forget(domain, xml, name);
        if !was_active && let Err(error) = destroy(domain) {
            tracing::warn!(%error, "a machine that was started paused could not be stopped again");
        }
    })?;
    snapshots(inner, connect, domain, xml, &job, name)
}

/// Takes an entry out again after a failure, which stays the one that is told.
fn forget(domain: &Domain, xml: &mut DomainXml, name: SnapshotName) {
    xml.ledger.remove(name);
    if let Err(error) = write_ledger(domain, &xml.ledger) {
        tracing::warn!(%error, "a snapshot that was not made stays in the machine's metadata until the sweep");
    }
}

/// Starts a stopped domain without letting its guest run.
fn hold(domain: &Domain) -> Result<()> {
    if domain.has_managed_save(0).unwrap_or(false) {
        return Err(conflict("virDomainCreateWithFlags", "the machine is stopped with its memory saved")
            .advice("Start it, or give its memory up with `virsh managedsave-remove`."));
    }
    domain.create_with_flags(sys::VIR_DOMAIN_START_PAUSED).map(drop).map_err(|error| {
        let fault = fault("virDomainCreateWithFlags")(error);
        let message = format!("a stopped machine is started paused to be read, and that failed: {}", fault.message);
        novacron_provider::ProviderError { message, ..fault }
    })
}

pub fn is_paused(domain: &Domain) -> Result<bool> {
    let (state, _) = domain.get_state().map_err(fault("virDomainGetState"))?;
    Ok(state == sys::VIR_DOMAIN_PAUSED)
}

/// Begins the job: with changes since the last snapshot of the same operation where its bitmap is whole, else as
/// a full one; with a checkpoint where the disks can have one.
fn begin_job(inner: &Inner, domain: &Domain, xml: &DomainXml, name: SnapshotName) -> Result<JobXml> {
    let known = ffi::checkpoints(domain).map_err(fault("virDomainListAllCheckpoints"))?;
    let mut base = (xml.ledger.entries.iter().map(|entry| entry.name))
        .filter(|base| base.key == name.key && base.sequence < name.sequence && known.contains(&base.to_string()))
        .max_by_key(|base| base.sequence);
    let mut checkpoint = domain.is_persistent().map_err(fault("virDomainIsPersistent"))?;
    let mut error = None;
    for attempt in 0..PORTS {
        let disks: Vec<BackupDisk> =
            xml.disks.iter().map(|disk| plan(&inner.settings, disk, name, base, checkpoint)).collect();
        let server = server(&inner.settings, name, attempt);
        let backup = xml::backup(&server, &disks);
        let document = xml::checkpoint(name, &disks).filter(|_| checkpoint);
        match ffi::backup_begin(domain, &backup, document.as_deref()) {
            Ok(()) => {
                return job(domain)?
                    .ok_or_else(|| unavailable("virDomainBackupBegin", "the backup job ended as soon as it began"));
            }
            Err(refused) if port_is_taken(&refused, &server) => error = Some(refused),
            Err(refused) if base.is_some() && !is_timeout(&refused) => {
                // After QEMU was killed its bitmaps are marked as in use for ever: nobody knows what it had yet to add.
                tracing::info!(%refused, "no changes since the last snapshot can be told; making a full one");
                for entry in xml.ledger.entries.iter().filter(|entry| entry.name != name) {
                    drop_checkpoint(domain, entry.name)?;
                }
                base = None;
            }
            Err(refused) if checkpoint && document.is_some() && !is_timeout(&refused) => {
                tracing::info!(%refused, "the machine's disks can't have a checkpoint; making a backup without one");
                checkpoint = false;
            }
            Err(refused) => return Err(fault("virDomainBackupBegin")(refused)).map_err(|error| writable(inner, error)),
        }
    }
    Err(error.map_or_else(
        || unavailable("virDomainBackupBegin", "the backup could not be begun"),
        fault("virDomainBackupBegin"),
    ))
}

fn is_timeout(error: &Error) -> bool {
    matches!(error.code(), ErrorNumber::OperationTimeout | ErrorNumber::Rpc)
}

fn port_is_taken(error: &Error, server: &Server) -> bool {
    matches!(server, Server::Tcp { .. }) && error.message().contains("Address already in use")
}

fn writable(inner: &Inner, error: novacron_provider::ProviderError) -> novacron_provider::ProviderError {
    let folder = inner.settings.socket_dir.display();
    if error.message.contains("socket") || error.message.contains("Permission denied") {
        return error.advice(format!(
            "QEMU's user on the host must be able to write to `socket_dir`, {folder}, and where AppArmor confines \
             QEMU its rules must let it: see docs/providers/libvirt.md."
        ));
    }
    error
}

/// What the job does with one disk.
fn plan(
    settings: &Settings,
    disk: &DomainDisk,
    name: SnapshotName,
    base: Option<SnapshotName>,
    checkpoint: bool,
) -> BackupDisk {
    let device = disk.target.clone();
    if !disk.is_data() {
        return BackupDisk { device, scratch: None, base: None, checkpoint: false };
    }
    let beside = match &disk.source {
        DiskSource::File(path) => Path::new(path).parent(),
        _ => None,
    };
    let folder = settings.scratch_dir.as_deref().or(beside).unwrap_or(&settings.socket_dir);
    let qcow2 = disk.format == "qcow2";
    BackupDisk {
        scratch: Some(folder.join(name.scratch(&device)).to_string_lossy().into_owned()),
        base: base.filter(|_| qcow2),
        checkpoint: checkpoint && qcow2,
        device,
    }
}

fn server(settings: &Settings, name: SnapshotName, attempt: u32) -> Server {
    match &settings.nbd_listen {
        Some(host) => {
            let port = u32::from(settings.nbd_port) + (name.nonce.wrapping_add(attempt)) % PORTS;
            Server::Tcp { host: host.clone(), port: u16::try_from(port).unwrap_or(settings.nbd_port) }
        }
        None => Server::Unix { path: socket(settings, name).to_string_lossy().into_owned() },
    }
}

/// The running backup job of a domain.
pub fn job(domain: &Domain) -> Result<Option<JobXml>> {
    ffi::backup_xml(domain).map_err(fault("virDomainBackupGetXMLDesc"))?.as_deref().map(JobXml::parse).transpose()
}

/// Ends the domain's backup job, and waits until it has ended.
pub fn end_job(domain: &Domain) -> Result<()> {
    match ffi::abort_job(domain) {
        Err(error) if error.code() != ErrorNumber::OperationInvalid => return Err(fault("virDomainAbortJob")(error)),
        _ => {}
    }
    if wait_until(ABORT_LIMIT, || Ok(job(domain)?.is_none()))? {
        return Ok(());
    }
    Err(unavailable("virDomainAbortJob", format!("the backup did not end within {} s", ABORT_LIMIT.as_secs())))
}

/// Deletes a checkpoint of a running domain, or succeeds if it is gone. Where its bitmap is broken, libvirt's
/// record of it goes.
pub fn drop_checkpoint(domain: &Domain, name: SnapshotName) -> Result<()> {
    let text = name.to_string();
    let gone = |error: &Error| error.code() == ErrorNumber::NoDomainCheckpoint;
    match ffi::checkpoint_delete(domain, &text, Delete::Whole) {
        Ok(()) => Ok(()),
        Err(error) if gone(&error) => Ok(()),
        Err(error) if is_timeout(&error) => Err(fault("virDomainCheckpointDelete")(error)),
        Err(error) => {
            tracing::debug!(%error, checkpoint = text, "its bitmap can't be deleted; deleting the record of it");
            match ffi::checkpoint_delete(domain, &text, Delete::RecordOnly) {
                Err(error) if !gone(&error) => Err(fault("virDomainCheckpointDelete")(error)),
                _ => Ok(()),
            }
        }
    }
}

fn snapshots(
    inner: &Inner,
    connect: &Connect,
    domain: &Domain,
    xml: &DomainXml,
    job: &JobXml,
    name: SnapshotName,
) -> Result<Vec<DiskSnapshot>> {
    let server = job
        .server
        .clone()
        .ok_or_else(|| unavailable("virDomainBackupGetXMLDesc", "the backup job's description has no server"))?;
    let boot = xml.disks.iter().position(|disk| disk.device == "disk");
    let mut found = Vec::new();
    for (index, disk) in xml.disks.iter().enumerate() {
        let Some(exported) = job.disks.iter().find(|exported| exported.device == disk.target) else {
            continue;
        };
        let info = domain.get_block_info(&disk.target, 0).map_err(fault("virDomainGetBlockInfo"))?;
        let locator = SnapshotLocator {
            domain: xml.uuid,
            snapshot: name.to_string(),
            device: disk.target.clone(),
            server: server.clone(),
            export: exported.export.clone(),
            base: exported.base.clone(),
            bitmap: exported.bitmap.clone(),
            host: inner.host.remote_name().map(str::to_owned),
        };
        found.push(DiskSnapshot {
            snapshot_id: SnapshotId::new(format!("{name}/{}", disk.target))
                .map_err(|error| unavailable("virDomainBackupGetXMLDesc", error.to_string()))?,
            disk_id: disk_id(connect, xml, disk)?,
            device: disk.target.clone(),
            boot: Some(index) == boot,
            size_bytes: info.capacity,
            locator: serde_json::to_value(&locator)
                .map_err(|error| unavailable("virDomainBackupBegin", error.to_string()))?,
        });
    }
    Ok(found)
}

/// Whether the job still runs: it can be read from its beginning to its end.
pub fn ready(connect: &Connect, snapshot: &DiskSnapshot) -> Result<()> {
    let locator = SnapshotLocator::of(snapshot)?;
    let name = locator.name()?;
    let gone = || {
        let why = "it ended with its backup job: the machine was stopped, QEMU died, or a newer snapshot was taken";
        not_found("virDomainBackupGetXMLDesc", format!("the snapshot {} is gone; {why}", snapshot.snapshot_id))
    };
    let domain = find(connect, locator.domain)?.ok_or_else(gone)?;
    let serves = job(&domain)?.is_some_and(|job| job.name() == Some(name));
    let deleted = describe(&domain)?.ledger.entry(name).is_none_or(|entry| !entry.disks.contains(&locator.device));
    if serves && !deleted { Ok(()) } else { Err(gone()) }
}

/// Whether a disk's part of a snapshot was not deleted, though its job may have ended: it can be the base of changes.
pub fn is_kept(connect: &Connect, locator: &SnapshotLocator) -> Result<bool> {
    let name = locator.name()?;
    let Some(domain) = find(connect, locator.domain)? else {
        return Ok(false);
    };
    Ok(describe(&domain)?.ledger.entry(name).is_some_and(|entry| entry.disks.contains(&locator.device)))
}

/// Deletes one disk's part of a snapshot. With the last part the job ends and the checkpoint goes.
pub fn delete(inner: &Inner, connect: &Connect, snapshot: &DiskSnapshot) -> Result<()> {
    let locator = SnapshotLocator::of(snapshot)?;
    let name = locator.name()?;
    let _turn = inner.turn(locator.domain);
    let Some(domain) = find(connect, locator.domain)? else {
        return Ok(());
    };
    let mut xml = describe(&domain)?;
    let Some(entry) = xml.ledger.entry_mut(name) else {
        return Ok(());
    };
    entry.disks.remove(&locator.device);
    if !entry.disks.is_empty() {
        return write_ledger(&domain, &xml.ledger);
    }
    remove(inner, &domain, &mut xml, &[name])
}

/// Removes snapshots with all that belongs to them, and lets a held domain go when nothing reads it any more.
pub fn remove(inner: &Inner, domain: &Domain, xml: &mut DomainXml, names: &[SnapshotName]) -> Result<()> {
    let mut running = job(domain)?;
    if running.as_ref().and_then(JobXml::name).is_some_and(|name| names.contains(&name)) {
        end_job(domain)?;
        running = None;
    }
    let known = ffi::checkpoints(domain).map_err(fault("virDomainListAllCheckpoints"))?;
    let checkpoints: Vec<SnapshotName> =
        names.iter().copied().filter(|name| known.contains(&name.to_string())).collect();
    // The bitmaps of a stopped domain can be deleted by a QEMU only.
    if !checkpoints.is_empty() && !is_active(domain)? {
        for name in &checkpoints {
            xml.ledger.remove(*name);
            xml.ledger.entries.push(Entry { name: *name, disks: BTreeSet::new(), held: true });
        }
        write_ledger(domain, &xml.ledger)?;
        if let Err(error) = hold(domain) {
            tracing::warn!(%error, "bitmaps of deleted checkpoints stay in the disks of a machine that can't be started");
        }
    }
    for name in &checkpoints {
        drop_checkpoint(domain, *name)?;
    }
    let was_held = xml.ledger.holds();
    for name in names {
        xml.ledger.remove(*name);
        clean(&inner.settings, xml, *name);
    }
    // Stopped before the ledger is written: were we to die in between, the next call would find it held.
    if was_held && running.is_none() && is_paused(domain)? {
        for entry in &mut xml.ledger.entries {
            entry.held = false;
        }
        destroy(domain)?;
    }
    write_ledger(domain, &xml.ledger)
}

/// Removes what a QEMU that died left of a job that is over. On another host only its own clean-up can.
pub fn clean(settings: &Settings, xml: &DomainXml, name: SnapshotName) {
    let scratch =
        xml.disks.iter().filter_map(|disk| plan(settings, disk, name, None, false).scratch.map(PathBuf::from));
    for path in scratch.chain([socket(settings, name)]) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "a file of a backup that is over could not be removed");
            }
            _ => {}
        }
    }
}

fn socket(settings: &Settings, name: SnapshotName) -> PathBuf {
    settings.socket_dir.join(format!("{name}.sock"))
}

/// The names of all snapshots of ours with this key, whatever is left of them.
pub fn of_key(domain: &Domain, xml: &DomainXml, key: Uuid) -> Result<Vec<SnapshotName>> {
    let known = ffi::checkpoints(domain).map_err(fault("virDomainListAllCheckpoints"))?;
    let mut names: BTreeSet<String> = xml.ledger.entries.iter().map(|entry| entry.name.to_string()).collect();
    names.extend(known);
    names.extend(job(domain)?.and_then(|job| job.name()).map(|name| name.to_string()));
    Ok(names.iter().filter_map(|name| name.parse().ok()).filter(|name: &SnapshotName| name.key == key).collect())
}
