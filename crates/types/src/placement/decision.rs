//! What is answered: the place, the others, and why.

use serde::{Deserialize, Serialize};

use super::{Dollars, Strategy, Weights};
use crate::{Money, ProviderKind, ProviderName};

/// Points of each part, 0 to 100, before weights.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScoreParts {
    pub cost: f64,
    pub performance: f64,
    pub compliance: f64,
    pub location: f64,
    /// Absent where the carbon of the place is not known; it then counts as 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carbon: Option<f64>,
    /// What policies, load and recent failures multiplied the sum by.
    pub multiplier: f64,
}

/// One part of the cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CostPart {
    pub hourly: Money,
    /// Of 730 hours.
    pub monthly: Money,
    /// Where the figures are from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

/// What the machine costs, in parts that can be bought together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CostBreakdown {
    pub compute: CostPart,
    pub storage: CostPart,
    pub network: CostPart,
    pub hourly: Money,
    pub monthly: Money,
    /// True where a figure was derived by a rule and not stated by the vendor.
    pub modelled: bool,
    /// What the same machine costs paid otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_pricing: Vec<OtherPricing>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OtherPricing {
    pub pricing: String,
    pub hourly: Money,
    pub modelled: bool,
}

/// Whose figures were used, and how old they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Source {
    pub group: String,
    pub source: String,
    pub as_of: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_days: Option<i32>,
    /// The rule by which figures were derived, where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    pub stale: bool,
}

/// A place for the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Placed {
    pub vm_id: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub cloud_provider: String,
    /// The configured provider that can make it there. Absent where none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    pub kind: ProviderKind,
    pub region: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    pub instance_type: String,
    pub vcpus: u32,
    pub memory_bytes: u64,
    pub pricing: String,
    /// 0 to 100, more where a policy multiplies it.
    pub placement_score: f64,
    pub score_parts: ScoreParts,
    pub cost_per_hour: Dollars,
    /// In words: the strategy.
    pub placement_reason: String,
    /// Absent where the place's cost is not known (a host without one).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostBreakdown>,
    /// Grams of CO2-equivalent an hour at half load. Absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carbon_grams_per_hour: Option<f64>,
    /// To `near`, in milliseconds, and how that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_basis: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interruption: Option<String>,
}

/// Another place that would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Alternative {
    #[serde(flatten)]
    pub place: Placed,
    /// Why it did not win, for a person.
    pub lost_by: String,
}

/// A row of the table of what was considered: how the kinds compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Considered {
    pub cloud_provider: String,
    /// Offers in the catalog, or hosts.
    pub offers: u64,
    pub feasible: u64,
    /// Absent where none is feasible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_score: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cheapest_per_hour: Option<Dollars>,
}

/// What a constraint ruled out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rejection {
    /// A stable name: `memory`, `region`, `policy:data-residency`.
    pub constraint: String,
    /// In words: `at least 16 GiB of memory`.
    pub asks: String,
    /// Offers that do not meet it, whatever else they do not meet.
    pub offers: u64,
    /// Offers that fail for this alone.
    pub alone: u64,
    /// One of the nearest of those, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

/// What could be asked less of, and what that would bring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Relaxation {
    /// Names as in [`Rejection::constraint`]; all of them at once.
    pub constraints: Vec<String>,
    /// What to change, in words.
    pub change: String,
    pub cloud_provider: String,
    pub region: String,
    pub instance_type: String,
    pub pricing: String,
    pub cost_per_hour: Dollars,
    /// How much less an hour than the cheapest place that breaks no rule; below 0 it is more. Absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saves_per_hour: Option<Dollars>,
}

/// A decision with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decision {
    /// Absent where no place will do; then `relaxations` has the smallest sets to relax.
    pub primary_placement: Option<Placed>,
    pub alternative_placements: Vec<Alternative>,
    pub strategy: Strategy,
    pub weights: Weights,
    pub considered: Vec<Considered>,
    pub rejections: Vec<Rejection>,
    pub relaxations: Vec<Relaxation>,
    /// Policies that applied, in words.
    pub policies: Vec<String>,
    /// What a person should know: figures that are modelled, old, or could not be checked.
    pub notes: Vec<String>,
    pub sources: Vec<Source>,
}
