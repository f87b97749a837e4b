//! What can be configured of a host.

use std::{collections::BTreeMap, path::PathBuf};

use novacron_provider::{ErrorKind, KeyInfo, ProviderError, Result};
use serde::Deserialize;
use serde_json::Value;

/// The keys of a provider of kind `libvirt`.
pub const KEYS: &[KeyInfo] = &[
    key("uri", "libvirt's address of the host. Default: qemu:///system"),
    key("pool", "Storage pool for new disks. Default: default"),
    key("path", "Folder for new disks on the host, in place of `pool`; made if it is not there"),
    key("disk_format", "Format of new disks: qcow2 or raw. Default: qcow2. Only qcow2 has changed blocks"),
    key("network", "Network of new machines: a libvirt network, `bridge:NAME`, `user` or `none`. Default: default"),
    key("socket_dir", "Folder on the host for NBD sockets, writable by QEMU's user. Default: /var/tmp"),
    key("scratch_dir", "Folder on the host for what guests overwrite during a backup. Default: beside each disk"),
    key("nbd_listen", "Address of the host on which QEMU serves backups over TCP, unencrypted. Default: Unix sockets"),
    key("nbd_port", "First of the 64 ports tried with `nbd_listen`. Default: 10809"),
    key("machine", "QEMU's machine type for new machines. Default: q35, or virt on arm64"),
    key(
        "cpu",
        "host-passthrough, host-model, maximum, or a model's name. Default: host-passthrough, or qemu64 without KVM",
    ),
    key("emulator", "Path of QEMU on the host. Default: libvirt's choice"),
    key("domain_type", "auto, kvm or qemu (software emulation). Default: auto, KVM where it works"),
    key("disk_bus", "virtio, sata, scsi or ide, for guests without virtio drivers. Default: virtio"),
    key("nic_model", "virtio, e1000e, e1000 or rtl8139. Default: virtio"),
    key(
        "cpu_overcommit",
        "How many vCPUs are offered for each CPU of the host, 0.1 to 100, in steps of 0.001. Default: 1",
    ),
    key("stop_grace_seconds", "How long a guest may take to shut down before it is switched off. Default: 90"),
    key("tags", "Labels put on every machine made here"),
];

const fn key(name: &'static str, doc: &'static str) -> KeyInfo {
    KeyInfo { name, secret: false, doc }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DomainType {
    #[default]
    Auto,
    Kvm,
    Qemu,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskFormat {
    #[default]
    Qcow2,
    Raw,
}

impl DiskFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub uri: String,
    pub pool: Option<String>,
    pub path: Option<PathBuf>,
    pub disk_format: DiskFormat,
    pub network: String,
    pub socket_dir: PathBuf,
    pub scratch_dir: Option<PathBuf>,
    pub nbd_listen: Option<String>,
    pub nbd_port: u16,
    pub machine: Option<String>,
    pub cpu: Option<String>,
    pub emulator: Option<String>,
    pub domain_type: DomainType,
    pub disk_bus: String,
    pub nic_model: String,
    pub cpu_overcommit: f64,
    pub stop_grace_seconds: u64,
    pub tags: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            uri: "qemu:///system".to_owned(),
            pool: None,
            path: None,
            disk_format: DiskFormat::default(),
            network: "default".to_owned(),
            socket_dir: PathBuf::from("/var/tmp"),
            scratch_dir: None,
            nbd_listen: None,
            nbd_port: 10809,
            machine: None,
            cpu: None,
            emulator: None,
            domain_type: DomainType::default(),
            disk_bus: "virtio".to_owned(),
            nic_model: "virtio".to_owned(),
            cpu_overcommit: 1.0,
            stop_grace_seconds: 90,
            tags: BTreeMap::new(),
        }
    }
}

/// The longest path that a Unix socket may have on Linux.
const SOCKET_PATH: usize = 107;
/// The longest name that we give to a socket: a snapshot's name and `.sock`.
const SOCKET_NAME: usize = 66;

impl Settings {
    pub fn read(settings: &Value) -> Result<Self> {
        let fail = |why: String| ProviderError::new(ErrorKind::Invalid, "configure", why);
        let read = if settings.is_null() {
            Self::default()
        } else {
            serde_json::from_value::<Self>(settings.clone()).map_err(|error| fail(error.to_string()))?
        };
        if read.pool.is_some() && read.path.is_some() {
            return Err(fail("`pool` and `path` exclude each other".to_owned()));
        }
        for (name, path) in
            [("path", &read.path), ("scratch_dir", &read.scratch_dir), ("socket_dir", &Some(read.socket_dir.clone()))]
        {
            if path.as_ref().is_some_and(|path| !path.is_absolute() || path.to_str().is_none()) {
                return Err(fail(format!("`{name}` must be an absolute path")));
            }
        }
        if read.socket_dir.as_os_str().len() + 1 + SOCKET_NAME > SOCKET_PATH {
            return Err(fail(format!("`socket_dir` must be at most {} bytes long", SOCKET_PATH - SOCKET_NAME - 1)));
        }
        let one_of = |name: &str, value: &str, known: &[&str]| {
            if known.contains(&value) {
                return Ok(());
            }
            Err(fail(format!("`{name}` must be one of {}, not {value:?}", known.join(", "))))
        };
        one_of("disk_bus", &read.disk_bus, &["virtio", "sata", "scsi", "ide"])?;
        one_of("nic_model", &read.nic_model, &["virtio", "e1000e", "e1000", "rtl8139"])?;
        if !(0.1..=100.0).contains(&read.cpu_overcommit) {
            return Err(fail("`cpu_overcommit` must be between 0.1 and 100".to_owned()));
        }
        if !(1..=3600).contains(&read.stop_grace_seconds) {
            return Err(fail("`stop_grace_seconds` must be between 1 and 3600".to_owned()));
        }
        Ok(read)
    }

    /// The vCPUs that a host with so many CPUs may give to machines: whole ones, by the thousandths of the ratio.
    pub fn offered(&self, cpus: u32) -> u32 {
        let permille = (self.cpu_overcommit * 1000.0).round() as u64;
        u32::try_from(u64::from(cpus).saturating_mul(permille) / 1000).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_and_refusals() {
        assert_eq!(Settings::read(&Value::Null).unwrap(), Settings::default());
        assert_eq!(Settings::read(&json!({"domain_type": "qemu"})).unwrap().domain_type, DomainType::Qemu);
        for bad in [
            json!({"pool": "a", "path": "/b"}),
            json!({"path": "relative"}),
            json!({"disk_bus": "nvme"}),
            json!({"stop_grace_seconds": 0}),
            json!({"cpu_overcommit": 0}),
            json!({"cpu_overcommit": -2.5}),
            json!({"cpu_overcommit": 1e9}),
            json!({"domain_type": "xen"}),
            json!({"socket_dir": format!("/{}", "x".repeat(60))}),
        ] {
            assert_eq!(Settings::read(&bad).unwrap_err().kind, ErrorKind::Invalid, "{bad}");
        }
    }

    #[test]
    fn overcommitment_offers_whole_vcpus() {
        for (ratio, cpus, offered) in
            [(1.0, 6, 6), (1.5, 5, 7), (0.29, 100, 29), (0.1, 4, 0), (4.0, 64, 256), (100.0, u32::MAX, u32::MAX)]
        {
            let settings = Settings::read(&json!({ "cpu_overcommit": ratio })).unwrap();
            assert_eq!(settings.offered(cpus), offered, "{cpus} × {ratio}");
        }
    }

    #[test]
    fn every_key_is_read() {
        let written: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        for name in written {
            let object = json!({ name: [1] });
            assert!(Settings::read(&object).is_err(), "`{name}` is listed, and not read");
        }
    }
}
