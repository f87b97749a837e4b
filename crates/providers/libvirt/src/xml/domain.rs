//! A domain's description.

use std::str::FromStr;

use novacron_provider::{ErrorKind, ProviderError, Result};
use novacron_types::{Architecture, Firmware};
use roxmltree::Node;
use uuid::Uuid;

use super::{Ledger, VmMetadata, attribute, child, children, parse, size, text};

#[derive(Debug, Clone, PartialEq)]
pub struct DomainXml {
    pub uuid: Uuid,
    pub name: String,
    /// `kvm`, `qemu`, `test` …
    pub kind: String,
    pub vcpus: Option<u32>,
    pub memory_bytes: Option<u64>,
    pub architecture: Architecture,
    pub machine: Option<String>,
    pub firmware: Firmware,
    /// In boot order.
    pub disks: Vec<DomainDisk>,
    pub interfaces: Vec<DomainInterface>,
    pub made_by_us: Option<VmMetadata>,
    pub ledger: Ledger,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskSource {
    /// A file or block device of the host.
    File(String),
    Block(String),
    Volume {
        pool: String,
        volume: String,
    },
    /// A disk on the network, by protocol and name.
    Network(String),
    Absent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainDisk {
    /// `vda`
    pub target: String,
    pub bus: String,
    /// `disk`, `cdrom`, `floppy`, `lun`
    pub device: String,
    pub source: DiskSource,
    /// `qcow2`, `raw`
    pub format: String,
    pub read_only: bool,
    pub boot_order: Option<u32>,
    pub encrypted: bool,
}

impl DomainDisk {
    /// It holds what the machine would lose without it.
    pub fn is_data(&self) -> bool {
        self.device == "disk" && !self.read_only && self.source != DiskSource::Absent
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DomainInterface {
    pub mac: Option<String>,
    pub network: Option<String>,
    pub model: Option<String>,
}

impl FromStr for DomainXml {
    type Err = ProviderError;

    fn from_str(xml: &str) -> Result<Self> {
        let document = parse("virDomainGetXMLDesc", xml)?;
        let root = document.root_element();
        let broken = |what: &str| {
            let message = format!("the domain's description has no valid {what}");
            ProviderError::new(ErrorKind::Unavailable, "virDomainGetXMLDesc", message)
        };
        let uuid = text(root, "uuid").and_then(|uuid| Uuid::try_parse(&uuid).ok()).ok_or_else(|| broken("uuid"))?;
        let name = text(root, "name").ok_or_else(|| broken("name"))?;
        let os = child(root, "os");
        let os_type = os.and_then(|os| child(os, "type"));
        let architecture = match attribute(os_type, "arch").as_deref() {
            Some("aarch64") => Architecture::Arm64,
            _ => Architecture::X86_64,
        };
        let vcpu = child(root, "vcpu");
        let vcpus = vcpu.and_then(|vcpu| vcpu.attribute("current").or(vcpu.text())?.trim().parse().ok());
        let devices = child(root, "devices");
        let mut disks: Vec<DomainDisk> =
            devices.into_iter().flat_map(|devices| children(devices, "disk")).filter_map(disk).collect();
        // Stable: disks without an order of their own stay as written, behind those that have one.
        disks.sort_by_key(|disk| disk.boot_order.unwrap_or(u32::MAX));
        let metadata = child(root, "metadata");
        Ok(Self {
            uuid,
            name,
            kind: root.attribute("type").unwrap_or_default().to_owned(),
            vcpus,
            memory_bytes: child(root, "memory").and_then(|memory| size(memory, 1 << 10)),
            architecture,
            machine: attribute(os_type, "machine"),
            firmware: os.map_or(Firmware::Bios, firmware),
            disks,
            interfaces: devices.into_iter().flat_map(|devices| children(devices, "interface")).map(interface).collect(),
            made_by_us: metadata.and_then(VmMetadata::find),
            ledger: metadata.map(Ledger::find).unwrap_or_default(),
        })
    }
}

fn firmware(os: Node<'_, '_>) -> Firmware {
    let loader = child(os, "loader");
    let uefi = os.attribute("firmware") == Some("efi") || attribute(loader, "type").as_deref() == Some("pflash");
    if uefi { Firmware::Uefi } else { Firmware::Bios }
}

fn disk(node: Node<'_, '_>) -> Option<DomainDisk> {
    let target = child(node, "target")?;
    let source = child(node, "source");
    let from = |name: &str| attribute(source, name).filter(|value| !value.is_empty());
    let place = match node.attribute("type") {
        Some("file") => from("file").map(DiskSource::File),
        Some("block") => from("dev").map(DiskSource::Block),
        Some("volume") => from("pool").zip(from("volume")).map(|(pool, volume)| DiskSource::Volume { pool, volume }),
        Some("network") => {
            Some(DiskSource::Network(format!("{}:{}", from("protocol")?, from("name").unwrap_or_default())))
        }
        _ => None,
    };
    Some(DomainDisk {
        target: target.attribute("dev")?.to_owned(),
        bus: target.attribute("bus").unwrap_or_default().to_owned(),
        device: node.attribute("device").unwrap_or("disk").to_owned(),
        source: place.unwrap_or(DiskSource::Absent),
        format: attribute(child(node, "driver"), "type").unwrap_or_else(|| "raw".to_owned()),
        read_only: child(node, "readonly").is_some(),
        boot_order: attribute(child(node, "boot"), "order").and_then(|order| order.parse().ok()),
        encrypted: child(node, "encryption").is_some()
            || source.is_some_and(|source| child(source, "encryption").is_some()),
    })
}

fn interface(node: Node<'_, '_>) -> DomainInterface {
    let source = child(node, "source");
    let network = match node.attribute("type") {
        Some("network") => attribute(source, "network"),
        Some("bridge") => attribute(source, "bridge").map(|bridge| format!("bridge:{bridge}")),
        Some(kind) => Some(attribute(source, "dev").map_or_else(|| kind.to_owned(), |dev| format!("{kind}:{dev}"))),
        None => None,
    };
    DomainInterface {
        mac: attribute(child(node, "mac"), "address"),
        network,
        model: attribute(child(node, "model"), "type"),
    }
}
