//! The documents that we give to libvirt.

use std::fmt::Write as _;

use novacron_types::{Architecture, Firmware};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::VmMetadata;
use crate::names::SnapshotName;

/// Text for an element or a quoted attribute. What XML can't hold is left out.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}

/// Where QEMU serves a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    Unix { path: String },
    Tcp { host: String, port: u16 },
}

/// One disk of a domain, and what a backup job does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupDisk {
    pub device: String,
    /// Path of the scratch file; absent: the disk is not read.
    pub scratch: Option<String>,
    /// The checkpoint since which changes are told.
    pub base: Option<SnapshotName>,
    /// Whether a bitmap is made in it from here on.
    pub checkpoint: bool,
}

/// The name of the bitmap in which a job tells what changed on a disk.
fn bitmap(device: &str) -> String {
    format!("changed-{device}")
}

pub fn backup(server: &Server, disks: &[BackupDisk]) -> String {
    let mut xml = String::from("<domainbackup mode='pull'>");
    let _ = match server {
        Server::Unix { path } => write!(xml, "<server transport='unix' socket='{}'/>", escape(path)),
        Server::Tcp { host, port } => write!(xml, "<server transport='tcp' name='{}' port='{port}'/>", escape(host)),
    };
    xml.push_str("<disks>");
    for disk in disks {
        let device = escape(&disk.device);
        let Some(scratch) = &disk.scratch else {
            let _ = write!(xml, "<disk name='{device}' backup='no'/>");
            continue;
        };
        let mode = match &disk.base {
            Some(base) => {
                let bitmap = escape(&bitmap(&disk.device));
                format!("backupmode='incremental' incremental='{base}' exportbitmap='{bitmap}'")
            }
            None => "backupmode='full'".to_owned(),
        };
        let _ = write!(
            xml,
            "<disk name='{device}' backup='yes' type='file' exportname='{device}' {mode}>\
             <scratch file='{}'/></disk>",
            escape(scratch)
        );
    }
    xml.push_str("</disks></domainbackup>");
    xml
}

/// Absent where no disk can have one.
pub fn checkpoint(name: SnapshotName, disks: &[BackupDisk]) -> Option<String> {
    disks.iter().any(|disk| disk.checkpoint).then(|| {
        let disks: String = disks
            .iter()
            .map(|disk| {
                let kind = if disk.checkpoint { "bitmap" } else { "no" };
                format!("<disk name='{}' checkpoint='{kind}'/>", escape(&disk.device))
            })
            .collect();
        format!("<domaincheckpoint><name>{name}</name><disks>{disks}</disks></domaincheckpoint>")
    })
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume<'a> {
    pub name: &'a str,
    pub size_bytes: u64,
    pub format: &'a str,
    /// Path and format of the disk whose content is the start of its own.
    pub base: Option<(&'a str, &'a str)>,
}

pub fn volume(new: &NewVolume<'_>) -> String {
    let base = new.base.map_or_else(String::new, |(path, format)| {
        format!("<backingStore><path>{}</path><format type='{}'/></backingStore>", escape(path), escape(format))
    });
    let features = if new.format == "qcow2" { "<compat>1.1</compat>" } else { "" };
    format!(
        "<volume><name>{}</name><capacity unit='bytes'>{}</capacity><allocation unit='bytes'>0</allocation>\
         <target><format type='{}'/>{features}</target>{base}</volume>",
        escape(new.name),
        new.size_bytes,
        escape(new.format)
    )
}

/// A folder as a storage pool.
pub fn pool(name: &str, path: &str) -> String {
    format!("<pool type='dir'><name>{}</name><target><path>{}</path></target></pool>", escape(name), escape(path))
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewDomain {
    pub uuid: Uuid,
    pub name: String,
    /// `kvm` or `qemu`.
    pub kind: &'static str,
    pub vcpus: u32,
    pub memory_bytes: u64,
    pub architecture: Architecture,
    pub firmware: Firmware,
    pub machine: String,
    pub cpu: String,
    pub emulator: Option<String>,
    /// `<disk>` elements.
    pub disks: String,
    pub network: String,
    pub mac: String,
    pub nic_model: String,
    pub metadata: VmMetadata,
}

/// One disk of a new domain: `index` is its place on the bus, and the first one boots.
pub fn new_disk(index: u32, path: &str, format: &str, bus: &str) -> String {
    let prefix = match bus {
        "virtio" => "vd",
        "ide" => "hd",
        _ => "sd",
    };
    let order = if index == 0 { "<boot order='1'/>" } else { "" };
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='{}' cache='none' discard='unmap'/>\
         <source file='{}'/><target dev='{prefix}{}' bus='{}'/>{order}</disk>",
        escape(format),
        escape(path),
        letters(index),
        escape(bus)
    )
}

/// 0 is a, 25 is z, 26 is aa.
fn letters(index: u32) -> String {
    let mut rest = index;
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'a' + (rest % 26) as u8));
        if rest < 26 {
            break letters.iter().rev().collect();
        }
        rest = rest / 26 - 1;
    }
}

pub fn domain(new: &NewDomain) -> String {
    let arch = match new.architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::Arm64 => "aarch64",
    };
    // Without secure boot: the guest comes from elsewhere, and this firmware doesn't know its keys.
    let (firmware, features) = match new.firmware {
        Firmware::Bios => ("", ""),
        Firmware::Uefi => (" firmware='efi'", "<firmware><feature enabled='no' name='secure-boot'/></firmware>"),
    };
    let cpu = match new.cpu.as_str() {
        mode @ ("host-passthrough" | "host-model" | "maximum") => format!("<cpu mode='{mode}'/>"),
        model => format!("<cpu mode='custom' match='exact'><model fallback='allow'>{}</model></cpu>", escape(model)),
    };
    let emulator =
        new.emulator.as_deref().map_or_else(String::new, |path| format!("<emulator>{}</emulator>", escape(path)));
    format!(
        "<domain type='{kind}'><name>{name}</name><uuid>{uuid}</uuid><metadata>{metadata}</metadata>\
         <memory unit='KiB'>{memory}</memory><vcpu>{vcpus}</vcpu>\
         <os{firmware}><type arch='{arch}' machine='{machine}'>hvm</type>{features}</os>\
         <features><acpi/>{apic}</features>{cpu}<clock offset='utc'/>\
         <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>restart</on_crash>\
         <devices>{emulator}{disks}{network}\
         <serial type='pty'><target port='0'/></serial><console type='pty'><target type='serial' port='0'/></console>\
         <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>\
         <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>\
         <video><model type='{video}'/></video>\
         </devices></domain>",
        kind = new.kind,
        name = escape(&new.name),
        uuid = new.uuid,
        metadata = new.metadata.to_xml(),
        memory = new.memory_bytes.div_ceil(1024),
        vcpus = new.vcpus,
        machine = escape(&new.machine),
        apic = if new.architecture == Architecture::X86_64 { "<apic/>" } else { "" },
        disks = new.disks,
        network = interface(&new.network, &new.mac, &new.nic_model),
        video = if new.architecture == Architecture::X86_64 { "vga" } else { "none" },
    )
}

fn interface(network: &str, mac: &str, model: &str) -> String {
    let (kind, source) = match network.split_once(':') {
        _ if network == "none" => return String::new(),
        _ if network == "user" => ("user", String::new()),
        Some(("bridge", bridge)) => ("bridge", format!("<source bridge='{}'/>", escape(bridge))),
        _ => ("network", format!("<source network='{}'/>", escape(network))),
    };
    format!(
        "<interface type='{kind}'><mac address='{}'/>{source}<model type='{}'/></interface>",
        escape(mac),
        escape(model)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_count_as_linux_does() {
        for (index, device) in [(0, "a"), (25, "z"), (26, "aa"), (51, "az"), (52, "ba"), (701, "zz"), (702, "aaa")] {
            assert_eq!(letters(index), device);
        }
    }
}
