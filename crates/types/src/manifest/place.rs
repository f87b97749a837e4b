//! Where a manifest's machine may be, and where it goes when its place fails.

use serde::{Deserialize, Serialize};

use crate::placement::{Constraint, Dollars, PerformanceTargets, Strategy, Weights};

/// What is asked of the place.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all(serialize = "camelCase"), deny_unknown_fields)]
pub struct PlacementRules {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Instead of the strategy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Ways of paying that will do: `on-demand`, `spot`, `commit-1y`, `commit-3y`. Empty: on demand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pricing: Vec<String>,
    /// An hour, of everything that one machine is.
    #[serde(alias = "maxCostPerHour", skip_serializing_if = "Option::is_none")]
    pub max_cost_per_hour: Option<Dollars>,
    /// Programmes that the region must be listed for.
    #[serde(alias = "complianceRequirements", skip_serializing_if = "Vec::is_empty")]
    pub compliance_requirements: Vec<String>,
    #[serde(alias = "performanceTargets", skip_serializing_if = "Option::is_none")]
    pub performance_targets: Option<PerformanceTargets>,
    /// Rather there than elsewhere.
    #[serde(alias = "preferredRegions", skip_serializing_if = "Vec::is_empty")]
    pub preferred_regions: Vec<String>,
    /// What latency is measured to: a region, zone or group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near: Option<String>,
    /// False: no burstable type and no shared core.
    #[serde(alias = "allowBurstable", skip_serializing_if = "Option::is_none")]
    pub allow_burstable: Option<bool>,
}

/// What happens when the place fails.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Failover {
    pub enabled: bool,
    /// Names or kinds of providers, the first first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority: Vec<String>,
}
