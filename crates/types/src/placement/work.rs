//! What is asked and answered beside one placement: bursts, declared machines, counts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Dollars, ManyPlan, Placed, PlacementRecord, PlacementRequest, PlanMode, RebalancePlan, Strategy};
use crate::{OperationFault, OperationId, Status, manifest::VirtualMachine};

/// `POST /burst`: machines that the local hosts have no room for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BurstRequest {
    /// New machines; or, where `vm_id` is a VM that runs on a local host, that VM, which then moves. More than 1000 in a dry run
    /// only.
    #[serde(alias = "vms")]
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 10000))]
    pub requests: Vec<PlacementRequest>,
    /// Absent: what the configuration says, else best effort.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<PlanMode>,
}

/// What a burst came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BurstAnswer {
    pub burst_id: String,
    pub mode: PlanMode,
    /// The operation that carries the burst out, where anything is made or moved. Its summary says what came of each machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    pub placed: Vec<BurstPlaced>,
    /// How the places were chosen together: what is left out and why, the cost, and the bound that it is held against.
    pub plan: ManyPlan,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BurstPlaced {
    pub vm_id: String,
    pub placement: Placed,
    /// Of a VM that moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration_id: Option<OperationId>,
}

/// What came of one machine of a burst: an element of `machines` in the operation's summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BurstOutcome {
    pub vm_id: String,
    pub result: BurstResult,
    /// The operation that makes it, of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// Of a VM that moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration_id: Option<OperationId>,
    /// The migration that took it home again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_by: Option<OperationId>,
    /// Why it is not where it was to be; or what waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BurstResult {
    /// It is not known yet.
    Waiting,
    Made,
    Moved,
    /// Nothing was begun with it.
    LeftOut,
    /// Its making or its move was undone: it is as it was.
    Failed,
    /// It was made or moved, and that was undone with the whole burst.
    TakenBack,
    /// It was to be taken back, and could not be.
    Stays,
}

/// `GET /statistics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Statistics {
    /// VMs that the federation has a record of.
    pub total_vms: u64,
    /// By the kind of cloud; hosts of one's own are `local`.
    pub by_provider: BTreeMap<String, u64>,
    /// By the configured provider's name.
    pub by_provider_name: BTreeMap<String, u64>,
    pub by_region: BTreeMap<String, u64>,
    /// VMs that a burst has made. One that it has moved counts where it is, and not here.
    pub bursted_vms: u64,
    /// Placements by their status.
    pub placements: BTreeMap<String, u64>,
    /// Of VMs whose cost is known.
    pub cost_per_hour: Dollars,
    pub vms_without_known_cost: u64,
}

/// `POST /machines`: machines as manifests declare them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<serde_json::Value>, max_items = 1000))]
    pub machines: Vec<VirtualMachine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ApplyAction {
    Create,
    Update,
    Unchanged,
}

/// One field that a manifest changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldChange {
    /// `spec.template.spec.resources.cpu`
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<serde_json::Value>,
}

/// What applying does, or would do, with one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Applied {
    pub name: String,
    pub action: ApplyAction,
    pub changes: Vec<FieldChange>,
    /// Where it goes; of an unchanged one, where it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<PlacementRecord>,
    /// What applying does not do, and what does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApplyAnswer {
    pub machines: Vec<Applied>,
}

/// `POST /optimization/plan`. What is absent is as configured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct OptimizationRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 100000))]
    pub max_moves: Option<u32>,
    /// Dollars a month that a move must save at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_saving: Option<Dollars>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 3650))]
    pub payback_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1000))]
    pub hysteresis_percent: Option<u32>,
}

/// A plan that was made, and can be applied as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanRecord {
    pub plan_id: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub made_at: Timestamp,
    #[serde(flatten)]
    pub plan: RebalancePlan,
}

/// `POST /optimization/apply`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PlanApply {
    pub plan_id: String,
}

/// Long work that is no migration: machines being made, a burst or a plan being carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Work {
    pub operation_id: OperationId,
    /// `create`, `rebalance` or `burst`.
    pub kind: String,
    pub status: Status,
    pub phase: String,
    /// Percent.
    pub progress: f64,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub start_time: Timestamp,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub end_time: Option<Timestamp>,
    pub error: Option<OperationFault>,
    pub hold_reason: Option<String>,
    /// What it has come to so far.
    pub summary: Option<serde_json::Value>,
}

/// `GET /placements/{vm_id}/why-not`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhyNotAnswer {
    /// The best of the places that were meant.
    pub place: Placed,
    /// Rules that it breaks, in words; empty where it would do.
    pub breaks: Vec<String>,
    /// Points that it lacks to the place that wins now; absent where none will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points_less: Option<f64>,
    /// How many places the words stand for.
    pub places: u64,
}
