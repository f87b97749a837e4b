//! What a machine currently is at its provider.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{DiskId, InstanceId, VmSpec};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Asked for, not yet running.
    Pending,
    Running,
    Stopping,
    Stopped,
    /// Suspended with its memory kept.
    Paused,
    /// Going away or gone.
    Terminated,
    /// The provider says that it has failed.
    Failed,
    /// The provider gave a state that has no equal here.
    Unknown,
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Terminated => "terminated",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        })
    }
}

/// One machine as its provider describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Instance {
    pub instance_id: InstanceId,
    pub name: Option<String>,
    pub state: InstanceState,
    pub region: Option<String>,
    pub zone: Option<String>,
    pub spec: VmSpec,
    /// In boot order: the first one with `boot` set is the one that starts.
    pub disks: Vec<InstanceDisk>,
    pub interfaces: Vec<NetworkInterface>,
    /// The image that it was made from.
    pub image: Option<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub launched_at: Option<Timestamp>,
    /// What else the provider says, in its own words, for people to read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

impl Instance {
    pub fn boot_disk(&self) -> Option<&InstanceDisk> {
        self.disks.iter().find(|disk| disk.boot)
    }

    /// Of all its disks whose size is known; at most what fits.
    pub fn disk_bytes(&self) -> u64 {
        self.disks.iter().filter_map(|disk| disk.size_bytes).fold(0, u64::saturating_add)
    }

    /// The name if it has one, else the id.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(self.instance_id.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstanceDisk {
    pub disk_id: DiskId,
    /// The name the machine knows it by (`/dev/sda1`, `vda`).
    pub device: String,
    pub boot: bool,
    /// Absent where the provider does not say it in a listing.
    pub size_bytes: Option<u64>,
    pub disk_type: Option<String>,
    pub iops: Option<u32>,
    pub encrypted: Option<bool>,
    pub delete_on_termination: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct NetworkInterface {
    pub mac: Option<String>,
    pub network: Option<String>,
    pub subnet: Option<String>,
    pub private_ips: Vec<String>,
    pub public_ip: Option<String>,
    pub security_groups: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_says_too_much_of_its_disks_breaks_no_sum() {
        let disk = |size: Option<u64>| serde_json::json!({ "disk_id": "d", "device": "sda", "boot": false, "size_bytes": size });
        let mut instance: Instance = serde_json::from_value(serde_json::json!({
            "instance_id": "i", "name": null, "state": "running", "spec": {}, "interfaces": [],
            "disks": [disk(Some(3)), disk(None), disk(Some(4))],
        }))
        .unwrap();
        assert_eq!(instance.disk_bytes(), 7);
        instance.disks[1].size_bytes = Some(u64::MAX);
        assert_eq!(instance.disk_bytes(), u64::MAX);
    }
}
