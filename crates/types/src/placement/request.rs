//! What is asked: `POST /placements`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Constraint, Dollars, Gigabytes, Millis};
use crate::Architecture;

/// What a good place is. Each is a set of [`Weights`]; see `docs/placement.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The cheapest that will do.
    #[serde(alias = "cost")]
    CostOptimized,
    #[serde(alias = "latency")]
    Performance,
    /// The seeds' weights: cost 40, performance 30, compliance 20, location 10.
    Balanced,
    Compliance,
    #[serde(alias = "carbon-footprint")]
    Carbon,
}

impl Strategy {
    pub const ALL: [Self; 5] = [Self::CostOptimized, Self::Performance, Self::Balanced, Self::Compliance, Self::Carbon];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::CostOptimized => "cost-optimized",
            Self::Performance => "performance",
            Self::Balanced => "balanced",
            Self::Compliance => "compliance",
            Self::Carbon => "carbon",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a strategy; there are cost-optimized, performance, balanced, compliance and carbon")]
pub struct UnknownStrategy(String);

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        serde_json::from_value(text.into()).map_err(|_| UnknownStrategy(text.chars().take(40).collect()))
    }
}

/// How much each part of the score counts: parts of their sum, which must be more than 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1000000))]
    pub cost: f64,
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1000000))]
    pub performance: f64,
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1000000))]
    pub compliance: f64,
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1000000))]
    pub location: f64,
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1000000))]
    pub carbon: f64,
}

/// What a place must offer: the seeds' `performance_targets`, of a request or of all (configuration).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PerformanceTargets {
    #[serde(alias = "minCpu", skip_serializing_if = "Option::is_none")]
    pub min_cpu: Option<u32>,
    #[serde(alias = "minMemoryGb", skip_serializing_if = "Option::is_none")]
    pub min_memory_gb: Option<Gigabytes>,
    /// The longest round trip to `near`, or where that is absent to the nearest of the preferred regions.
    #[serde(alias = "maxLatencyMs", skip_serializing_if = "Option::is_none")]
    pub max_latency_ms: Option<Millis>,
    /// Megabits a second, had all the time where the vendor states that, else at most.
    #[serde(alias = "minBandwidthMbps", skip_serializing_if = "Option::is_none")]
    pub min_bandwidth_mbps: Option<u32>,
    /// Percent, as the vendor promises it for machines in two zones of the region.
    #[serde(alias = "requiredSla", skip_serializing_if = "Option::is_none")]
    pub required_sla: Option<f64>,
}

/// Accelerators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GpuNeed {
    #[serde(default = "one")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1024))]
    pub count: u32,
    /// Part of the model's name, whatever the case: `a100`, `L4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of all of them together.
    #[serde(default, alias = "memoryGb", skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<Gigabytes>,
}

fn one() -> u32 {
    1
}

/// A machine that wants a place.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PlacementRequest {
    /// Its id or name. Absent: one is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 128))]
    pub vm_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100000))]
    pub required_cpu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_memory_gb: Option<Gigabytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_disk_gb: Option<Gigabytes>,
    /// The vendor's word for the disk. Absent: the kind's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_type: Option<String>,
    /// GB a month to the internet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 1000000000u64))]
    pub traffic_gb_per_month: Option<u64>,
    /// Of everything that is asked for, together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_per_hour: Option<Dollars>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Such as `batch`; policies may ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performance_targets: Option<PerformanceTargets>,
    /// Programmes that the region must be listed for, such as `HIPAA`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compliance_requirements: Vec<String>,
    /// Rather there than elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preferred_regions: Vec<String>,
    /// What `max_latency_ms` is measured to: a region, zone or group, or latitude and longitude (`50.11,8.68`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Instead of the strategy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Absent: `x86_64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuNeed>,
    /// Exactly this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Ways of paying that will do: `on-demand`, `spot`, `commit-1y`, `commit-3y`. Absent: on demand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pricing: Vec<String>,
    /// False: no burstable type and no shared core. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_burstable: Option<bool>,
    /// True: only where a provider is configured. Default: what `create` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configured_only: Option<bool>,
    /// How many alternatives to answer with. Default: 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 50))]
    pub alternatives: Option<u32>,
    /// Also make the machine, from `image`.
    pub create: bool,
    /// What it starts from: the provider's image id, or a name that its configuration maps to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Given to cloud-init at first boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
}

impl PlacementRequest {
    /// What policies and quotas look at, of a machine as of one that is to be: its tags, and its workload as the label
    /// `workload`.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.tags.clone();
        labels.extend(self.workload.clone().map(|workload| ("workload".to_owned(), workload)));
        labels
    }
}
