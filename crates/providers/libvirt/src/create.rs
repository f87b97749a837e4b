//! Making a machine.

use std::sync::atomic::Ordering;

use novacron_provider::{Boot, CreateRequest, OperationTag, Result};
use novacron_types::{Architecture, Firmware, GIB};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use virt::{
    connect::Connect,
    domain::Domain,
    error::{Error, ErrorNumber},
    storage_vol::StorageVol,
};
use virt_sys as sys;

use crate::{
    backup::is_paused,
    fault::{conflict, fault, invalid, not_found},
    inner::{Inner, KVM_FAILS, KVM_WORKS, describe, find, is_active, made_by},
    inventory::name_is_free,
    names, pool,
    power::destroy,
    settings::{DomainType, Settings},
    xml::{self, Capabilities, NewDomain, NewVolume, VmMetadata},
};

/// Where a disk of ours is, for a mover on the same host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeLocator {
    pub volume: String,
    pub path: String,
    pub format: String,
    /// It begins with another disk's content, and not with zeros.
    pub has_base: bool,
    /// The host's name in libvirt's address, for telling where it is; absent for this very host.
    pub host: Option<String>,
}

/// What a kind of domain is made of when the configuration does not say.
struct Platform {
    kind: &'static str,
    machine: String,
    cpu: String,
    emulator: Option<String>,
    firmware: Vec<String>,
}

pub fn create(inner: &Inner, connect: &Connect, request: &CreateRequest) -> Result<Domain> {
    let settings = &inner.settings;
    let key = names::key(&request.tag);
    if let Some(domain) = find(connect, key)? {
        if !made_by(&describe(&domain)?, &request.tag) {
            return Err(conflict("virDomainDefineXML", format!("another machine has the id {key}")));
        }
        match (request.start, is_active(&domain)?) {
            (true, false) => drop(domain.create().map_err(fault("virDomainCreate"))?),
            // A trial of KVM that was cut short.
            (false, true) if is_paused(&domain)? => destroy(&domain)?,
            _ => {}
        }
        return Ok(domain);
    }
    let disks = disks(connect, settings, request, key)?;
    let known = inner.kvm.load(Ordering::Relaxed);
    let wanted = match (settings.domain_type, known) {
        (DomainType::Auto, KVM_FAILS) => DomainType::Qemu,
        (wanted, _) => wanted,
    };
    let (domain, platform) = define(connect, settings, request, key, &disks, wanted)?;
    let auto = wanted == DomainType::Auto && platform.kind == "kvm";
    let started = match (request.start, auto) {
        (true, _) => domain.create(),
        // So that it is known now, and not when the machine is needed.
        (false, true) if known != KVM_WORKS => domain.create_with_flags(sys::VIR_DOMAIN_START_PAUSED),
        (false, _) => return Ok(domain),
    };
    if auto && started.is_ok() {
        inner.kvm.store(KVM_WORKS, Ordering::Relaxed);
    }
    match started {
        Ok(_) if request.start => Ok(domain),
        Ok(_) => destroy(&domain).map(|()| domain),
        Err(error) if auto && blames_kvm(&error) => {
            tracing::warn!(%error, "KVM does not work on the host; falling back to software emulation");
            inner.kvm.store(KVM_FAILS, Ordering::Relaxed);
            let (domain, _) = define(connect, settings, request, key, &disks, DomainType::Qemu)?;
            if request.start {
                domain.create().map_err(fault("virDomainCreate"))?;
            }
            Ok(domain)
        }
        // A trial that failed for another reason proves nothing; starting it will tell.
        Err(_) if !request.start => Ok(domain),
        Err(error) => Err(fault("virDomainCreate")(error)),
    }
}

/// libvirt believes in the KVM that the host shows; only QEMU knows whether it works, and says so in many words.
fn blames_kvm(error: &Error) -> bool {
    error.code() == ErrorNumber::InternalError && error.message().to_ascii_lowercase().contains("kvm")
}

fn define(
    connect: &Connect,
    settings: &Settings,
    request: &CreateRequest,
    key: Uuid,
    disks: &str,
    wanted: DomainType,
) -> Result<(Domain, Platform)> {
    let spec = &request.spec;
    let platform = platform(connect, settings, spec.architecture, wanted)?;
    if spec.firmware == Firmware::Uefi && !platform.firmware.iter().any(|way| way == "efi") {
        return Err(invalid(
            "virDomainDefineXML",
            "the machine boots by UEFI, and the host has no UEFI firmware for guests",
        )
        .advice("Install it on the host (Debian and Ubuntu: apt-get install ovmf)."));
    }
    let mut labels = settings.tags.clone();
    labels.extend(spec.labels.clone());
    let xml = xml::domain(&NewDomain {
        uuid: key,
        name: name(connect, &request.name, key)?,
        kind: platform.kind,
        vcpus: spec.vcpus.unwrap_or(1).max(1),
        memory_bytes: spec.memory_bytes.unwrap_or(GIB),
        architecture: spec.architecture,
        firmware: spec.firmware,
        machine: platform.machine.clone(),
        cpu: platform.cpu.clone(),
        emulator: platform.emulator.clone(),
        disks: disks.to_owned(),
        network: spec.network.network.clone().unwrap_or_else(|| settings.network.clone()),
        mac: names::mac(key),
        nic_model: settings.nic_model.clone(),
        metadata: VmMetadata { operation: request.tag.to_string(), labels },
    });
    let domain = Domain::define_xml(connect, &xml).map_err(fault("virDomainDefineXML"))?;
    Ok((domain, platform))
}

/// A domain's name is its own on a host, and has no slash.
fn name(connect: &Connect, wanted: &str, key: Uuid) -> Result<String> {
    let clean: String = wanted.chars().map(|c| if c == '/' || c.is_control() { '-' } else { c }).take(200).collect();
    let clean = if clean.trim().is_empty() { format!("vm-{key}") } else { clean.trim().to_owned() };
    if name_is_free(connect, &clean, key)? {
        return Ok(clean);
    }
    Ok(format!("{clean}-{}", &key.simple().to_string()[..8]))
}

fn platform(
    connect: &Connect,
    settings: &Settings,
    architecture: Architecture,
    wanted: DomainType,
) -> Result<Platform> {
    let (arch, machine) = match architecture {
        Architecture::X86_64 => ("x86_64", "q35"),
        Architecture::Arm64 => ("aarch64", "virt"),
    };
    let machine = settings.machine.as_deref().unwrap_or(machine);
    let ask =
        |kind| connect.get_domain_capabilities(settings.emulator.as_deref(), Some(arch), Some(machine), Some(kind), 0);
    let (kind, found) = match wanted {
        DomainType::Kvm => ("kvm", ask("kvm")),
        DomainType::Qemu => ("qemu", ask("qemu")),
        DomainType::Auto => match ask("kvm") {
            Ok(found) => ("kvm", Ok(found)),
            Err(_) => ("qemu", ask("qemu")),
        },
    };
    let found = found.map_err(|error| {
        let fault = fault("virConnectGetDomainCapabilities")(error);
        let message = format!("the host can't run {arch} machines of type {machine} as {kind}: {}", fault.message);
        invalid("virConnectGetDomainCapabilities", message)
            .advice("Install QEMU for this architecture on the host, or set `machine`, `emulator` or `domain_type`.")
    })?;
    let found = Capabilities::parse(&found)?;
    let cpu = match (&settings.cpu, kind, architecture) {
        (Some(cpu), ..) => cpu.clone(),
        (None, "kvm", _) => "host-passthrough".to_owned(),
        (None, _, Architecture::X86_64) => "qemu64".to_owned(),
        (None, _, Architecture::Arm64) => "cortex-a57".to_owned(),
    };
    Ok(Platform {
        kind,
        machine: machine.to_owned(),
        cpu,
        emulator: settings.emulator.clone().or(found.emulator),
        firmware: found.firmware,
    })
}

/// The `<disk>` elements of a new machine.
fn disks(connect: &Connect, settings: &Settings, request: &CreateRequest, key: Uuid) -> Result<String> {
    match &request.boot {
        Boot::Disks { disks } if disks.is_empty() => Err(invalid("virDomainDefineXML", "a machine needs a disk")),
        Boot::Disks { disks } => {
            let mut xml = String::new();
            for (index, disk) in (0u32..).zip(disks) {
                let place = locator(&disk.locator)?;
                if !pool_has(connect, settings, &place)? {
                    return Err(not_found("virStorageVolLookupByName", format!("the disk {} is gone", place.path)));
                }
                xml += &xml::new_disk(index, &place.path, &place.format, &settings.disk_bus);
            }
            Ok(xml)
        }
        Boot::Image { image, root_size_bytes, .. } => clone(connect, settings, key, image, *root_size_bytes),
        Boot::ImageId { image } => clone(connect, settings, key, image.as_str(), None),
    }
}

pub fn locator(value: &serde_json::Value) -> Result<VolumeLocator> {
    serde_json::from_value(value.clone())
        .map_err(|error| invalid("read locator", format!("not the locator of a disk of this provider: {error}")))
}

fn pool_has(connect: &Connect, settings: &Settings, place: &VolumeLocator) -> Result<bool> {
    Ok(pool::find(&pool::open(connect, settings)?, &place.volume)?.is_some())
}

/// Copies a volume of the pool, an image, to a new machine's root disk, or finds the copy.
fn clone(connect: &Connect, settings: &Settings, key: Uuid, image: &str, size: Option<u64>) -> Result<String> {
    let pool = pool::open(connect, settings)?;
    let source = pool::find(&pool, image)?.ok_or_else(|| {
        not_found("virStorageVolLookupByName", format!("the storage pool has no volume {image:?}"))
            .advice("Images are volumes of the configured pool, by name: `virsh vol-list POOL` shows them.")
    })?;
    let original = pool::read(&source)?;
    let size_bytes = size.unwrap_or(original.capacity).max(original.capacity);
    let format = settings.disk_format.as_str();
    let name = names::root_volume(key, format);
    let path = match pool::find(&pool, &name)? {
        Some(copy) => pool::read(&copy)?.path,
        None => {
            let new = NewVolume { name: &name, size_bytes, format, base: None };
            let copy = StorageVol::create_xml_from(&pool, &xml::volume(&new), &source, 0)
                .map_err(fault("virStorageVolCreateXMLFrom"))?;
            pool::read(&copy)?.path
        }
    };
    Ok(xml::new_disk(0, &path, format, &settings.disk_bus))
}

/// A disk made under this tag.
pub fn volume_name(tag: &OperationTag, index: u32, settings: &Settings) -> String {
    names::volume(names::key(tag), index, settings.disk_format.as_str())
}
