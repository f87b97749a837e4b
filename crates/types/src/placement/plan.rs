//! Plans of many machines: places for all of them at once, and moves of those that there are.

use serde::{Deserialize, Serialize};

use super::{Placed, Strategy};
use crate::{Money, ProviderKind, ProviderName};

/// Whether machines that find no place are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PlanMode {
    /// Every machine is placed, or none is.
    #[default]
    AllOrNothing,
    /// As many as can be, and those at the least cost.
    BestEffort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PlanStatus {
    /// Proven: no plan is better.
    Optimal,
    /// The gap says by how much at most a plan could be better.
    Feasible,
    /// Proven: no plan places all.
    Infeasible,
    /// None was found in the time that there was; that there is none was not proven.
    NoneFound,
}

/// A machine that got no place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeftOut {
    pub vm_id: String,
    pub why: String,
}

/// Places for many machines, chosen together at the least cost a month. A month is 730 hours of `cost_per_hour`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ManyPlan {
    pub status: PlanStatus,
    /// In the order of the requests; empty where there is no plan.
    pub placements: Vec<Placed>,
    /// In the order of the requests. Of a plan for all or nothing that found none: those for which no place would do even
    /// alone.
    pub left_out: Vec<LeftOut>,
    /// Proven: every plan leaves out so many.
    pub left_out_at_least: u64,
    /// What all that are placed cost a month; places whose cost is not known are not in it. Absent where there is no plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly: Option<Money>,
    /// Proven: no plan that leaves out as many costs less a month. Absent where there is no plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_bound: Option<Money>,
    /// The part of `monthly` that is above the bound, 0 to 1. Absent where there is no plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<f64>,
    /// Where there is no plan: limits, spreads and machines that can't hold together, in words.
    pub in_the_way: Vec<String>,
    /// Whether each of `in_the_way` is needed for that, and not only all together.
    pub in_the_way_is_smallest: bool,
    pub notes: Vec<String>,
}

/// A place that a machine is moved from or to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedPlace {
    pub kind: ProviderKind,
    /// The configured provider. Absent where none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    pub region: String,
    /// `custom` on a host of one's own.
    pub instance_type: String,
    /// `own` on a host of one's own.
    pub pricing: String,
    /// Of 730 hours, with disks and traffic. Absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_month: Option<Money>,
}

/// What a move costs once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OneTimeCost {
    /// The disk's bytes out of where it is. Absent where nobody states what they cost; then it is not in the total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Money>,
    pub downtime: Money,
    pub risk: Money,
    pub total: Money,
}

/// One step of a plan. After each step everything fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedMove {
    /// From 1 on, in the order in which to move.
    pub step: u32,
    pub vm_id: String,
    pub from: PlannedPlace,
    pub to: PlannedPlace,
    /// `to` is a stop: where the machine goes on to in a later step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub towards: Option<PlannedPlace>,
    /// Less than nothing where the new place is dearer. Absent where one of the two costs is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saves_per_month: Option<Money>,
    pub one_time_cost: OneTimeCost,
    /// After how many days the saving has paid for the move. Absent where it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payback_days: Option<f64>,
    pub reason: String,
    /// The policy that demands it, whatever it costs, or `what it was declared with: ` and the rules that its place breaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandatory_by: Option<String>,
}

/// A machine that stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Kept {
    pub vm_id: String,
    pub why: String,
}

/// How good a plan is, in what was minimised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanBound {
    /// What was minimised, and its unit.
    pub of: String,
    /// Of the plan, as a plain number of that unit.
    pub objective: String,
    /// Proven: no plan among the places that were considered has less.
    pub lower_bound: String,
    /// The part of the objective that is above the bound, 0 to 1.
    pub gap: f64,
}

/// Which machines to move where, in which order, and what that brings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RebalancePlan {
    pub strategy: Strategy,
    pub moves: Vec<PlannedMove>,
    /// Of all machines whose cost is known now.
    pub current_monthly: Money,
    /// Of the same machines after all moves.
    pub planned_monthly: Money,
    pub saves_per_month: Money,
    /// Of all moves, as far as it is known.
    pub one_time_cost: Money,
    pub kept: Vec<Kept>,
    pub bound: PlanBound,
    pub notes: Vec<String>,
}
