//! A host of one's own: what is left on it, and what it costs.

use novacron_catalog::{Point, programme, satisfies};
use novacron_types::{Architecture, ProviderKind, ProviderName};

/// What a machine on a host costs, in 10⁻⁹ USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCost {
    pub nanos_per_vcpu_hour: u64,
    pub nanos_per_gib_hour: u64,
    pub nanos_per_disk_gib_hour: u64,
}

/// One place of one's own, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    pub provider: ProviderName,
    pub kind: ProviderKind,
    /// For people, and for `region` constraints: `local` where nothing else is configured.
    pub region: String,
    pub point: Option<Point>,
    pub architecture: Architecture,
    /// Free for new machines.
    pub vcpus: u32,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    /// How busy it is, as measured, 0 to 1000; absent where nobody has measured.
    pub load_permille: Option<u32>,
    pub compliance: Vec<String>,
    pub network_mbps: Option<u32>,
    /// Of its electricity and making, per vCPU and hour at half load, in milligrams of CO2-equivalent.
    pub milligrams_per_vcpu: Option<u64>,
    /// Absent: its cost is not known.
    pub cost: Option<HostCost>,
    /// Whether it runs machines, or only keeps their disks.
    pub runs_guests: bool,
}

impl Host {
    /// Whether it is listed for a compliance programme, or one that includes it, however that is written.
    pub(crate) fn lists(&self, name: &str) -> bool {
        let listed: Vec<String> =
            self.compliance.iter().filter_map(|listed| programme(listed)).map(str::to_owned).collect();
        programme(name).is_some_and(|wanted| satisfies(&listed, wanted))
    }

    /// Of a machine of this size, in 10⁻⁹ USD an hour.
    pub fn hourly_nanos(&self, vcpus: u32, memory_bytes: u64, disk_gib: u64) -> Option<u128> {
        let cost = self.cost?;
        let memory = u128::from(memory_bytes) * u128::from(cost.nanos_per_gib_hour) / u128::from(novacron_types::GIB);
        let disk = u128::from(disk_gib) * u128::from(cost.nanos_per_disk_gib_hour);
        Some(u128::from(vcpus) * u128::from(cost.nanos_per_vcpu_hour) + memory + disk)
    }
}
