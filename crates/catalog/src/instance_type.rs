//! What a machine is made of.

use novacron_types::{Architecture, ProviderKind};

use crate::GroupId;

/// Index into [`crate::Parts::types`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u16);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    pub model: String,
    /// Thousandths of a device: a slice of an eighth is 125.
    pub milli: u32,
    /// Of all of them together; 0 when unknown.
    pub memory_bytes: u64,
}

/// How much electricity a vCPU draws, in milliwatts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Power {
    pub idle_mw_per_vcpu: u32,
    pub full_mw_per_vcpu: u32,
    pub group: GroupId,
}

/// What making the server cost the climate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embodied {
    /// Grams of CO2-equivalent of the whole server.
    pub server_grams: u64,
    /// vCPUs of the whole server, 0 when unknown: then an instance's share can't be told.
    pub server_vcpus: u32,
    pub group: GroupId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    pub kind: ProviderKind,
    /// The vendor's own name. Oracle's flexible shapes have their size behind it: `VM.Standard.E4.Flex:2:16` is
    /// 2 OCPU and 16 GB.
    pub name: String,
    /// What the guest sees.
    pub vcpus: u32,
    /// What is had all the time, in thousandths of a vCPU: less than `vcpus` on a shared core. 0 when unknown (a burstable
    /// type whose baseline the source does not state).
    pub sustained_milli_vcpus: u32,
    pub memory_bytes: u64,
    pub architecture: Architecture,
    pub gpu: Option<Gpu>,
    /// Megabits per second that are had all the time; 0 when unknown.
    pub network_mbps: u32,
    /// At best, for a while; 0 when unknown.
    pub network_peak_mbps: u32,
    /// Of the two above.
    pub network_group: GroupId,
    /// Local disks in GB; 0 is none or unknown.
    pub local_disk_gb: u64,
    /// Earns or is lent CPU time beyond its baseline.
    pub burstable: bool,
    /// Gets a part of a core.
    pub shared_core: bool,
    pub bare_metal: bool,
    pub power: Option<Power>,
    pub embodied: Option<Embodied>,
    pub group: GroupId,
}

impl InstanceType {
    /// Megabits per second to measure a demand for bandwidth by: what is had all the time, or, of a vendor that states no more
    /// than the most, that. `None` when nothing is known.
    pub fn bandwidth_mbps(&self) -> Option<u32> {
        [self.network_mbps, self.network_peak_mbps].into_iter().find(|mbps| *mbps > 0)
    }
}
