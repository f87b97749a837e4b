//! What holds for every question: the orchestrator's configuration, and what is known of the federation now.

use std::collections::BTreeMap;

use jiff::civil::Date;
use novacron_types::{
    ProviderKind, ProviderName,
    placement::{PerformanceTargets, Policy, Strategy, Weights},
};

use crate::Quota;

/// The orchestrator's keys, and the federation as it is.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where the request says none. Absent: balanced.
    pub strategy: Option<Strategy>,
    pub weights: Option<Weights>,
    /// Where a machine goes for which nothing else was said, and what wins among equals: a provider's name or kind.
    pub default_cloud: Option<String>,
    /// Regions, zones or groups; machines go nowhere else.
    pub compliance_zones: Vec<String>,
    /// 10⁻⁹ USD an hour.
    pub max_cost_nanos: Option<i128>,
    pub targets: PerformanceTargets,
    /// New machines go rather to where less is used.
    pub load_balancing: bool,
    /// A region, zone or group, or latitude and longitude (`50.11, 8.68`): what latency is measured from where the request says nothing.
    pub location: Option<String>,
    pub policies: Vec<Policy>,
    pub quotas: Vec<Quota>,
    /// Recent failures to create, each with what it multiplies a score by.
    pub failures: Vec<Failure>,
    /// Machines that there are already.
    pub peers: Vec<Peer>,
    /// Ages of prices are counted up to it. Absent: no age is known.
    pub today: Option<Date>,
    /// Prices that are older are stale.
    pub max_age_days: Option<u32>,
    /// Stale prices are refused, and not only marked.
    pub refuse_stale: bool,
}

/// A place that lately had no room, or failed otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub kind: ProviderKind,
    pub region: String,
    /// Absent: every type there.
    pub instance_type: Option<String>,
    /// 0 (just now) to 1 (forgotten).
    pub multiplier: f64,
}

/// A machine that exists: others may have to keep away from it, and it uses up quotas.
#[derive(Debug, Clone, PartialEq)]
pub struct Peer {
    pub vm_id: String,
    pub provider: Option<ProviderName>,
    pub kind: ProviderKind,
    pub region: String,
    pub zone: Option<String>,
    pub vcpus: u32,
    pub monthly_nanos: i128,
    pub labels: BTreeMap<String, String>,
}
