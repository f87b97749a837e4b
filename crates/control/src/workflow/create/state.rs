//! What is known of machines that are being made. It is stored, and holds no secret.

use jiff::Timestamp;
use novacron_operations::{OperationId, StepError};
use novacron_provider::OperationTag;
use novacron_types::{
    Instance, ProviderKind, ProviderName, VmId,
    placement::{Placed, PlacementRecord, PlacementRequest, PlanMode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CreateState {
    pub mode: PlanMode,
    pub machines: Vec<Making>,
    /// Until then it is tried to remove what may be left at places that failed.
    #[serde(default)]
    pub clean_until: Option<Timestamp>,
}

/// A place that stumbles more often is left for the next.
const MOST_STUMBLES: u32 = 3;

/// A place where a machine is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub provider: ProviderName,
    pub kind: ProviderKind,
    pub region: String,
    pub zone: Option<String>,
    /// Absent on a host of one's own.
    pub instance_type: Option<String>,
    pub pricing: String,
}

/// A place that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tried {
    #[serde(flatten)]
    pub target: Target,
    pub code: String,
    pub message: String,
    /// It could not be swept then: what it may have made is still to be removed.
    #[serde(default)]
    pub may_be_left: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Making {
    pub placement_id: String,
    pub vm_id: VmId,
    pub request: PlacementRequest,
    /// Where it is made now: stored before anything is asked there.
    pub current: Option<Target>,
    /// How often that failed for what may go away by itself.
    pub stumbles: u32,
    pub tried: Vec<Tried>,
    pub created: Option<Instance>,
    /// Where it is.
    pub settled: Option<Target>,
    /// Why it is made nowhere, where the others are made all the same.
    pub given_up: Option<String>,
}

impl CreateState {
    pub fn new(mode: PlanMode, machines: Vec<Making>) -> Self {
        Self { mode, machines, clean_until: None }
    }

    /// How often the place of a machine may stumble. What another machine has left is not waited for again.
    pub fn most_stumbles(&self, index: usize) -> u32 {
        let Making { current, created, .. } = &self.machines[index];
        let mut tried = self.machines.iter().flat_map(|making| &making.tried);
        let left = created.is_none() && tried.any(|tried| Some(&tried.target) == current.as_ref());
        if left { 0 } else { MOST_STUMBLES }
    }
}

impl Making {
    pub fn new(record: &PlacementRecord, vm_id: VmId) -> Self {
        Self {
            placement_id: record.placement_id.clone(),
            vm_id,
            request: PlacementRequest { user_data: None, ..record.request.clone() },
            current: record.decision.primary_placement.as_ref().and_then(Target::of),
            stumbles: 0,
            tried: Vec::new(),
            created: None,
            settled: None,
            given_up: None,
        }
    }

    pub fn told(&self) -> Value {
        json!({
            "vm_id": self.vm_id,
            "placement_id": self.placement_id,
            "provider": self.settled.as_ref().or(self.current.as_ref()).map(|target| target.provider.clone()),
            "instance_id": self.created.as_ref().map(|created| created.instance_id.clone()),
            "tried": self.tried,
            "given_up": self.given_up,
        })
    }

    /// Each machine has a tag of its own: a provider makes one machine for a tag.
    pub fn tag(&self, operation: &OperationId, index: usize) -> Result<OperationTag, StepError> {
        let id = OperationId::new(format!("{operation}.{index}"));
        id.map(OperationTag).map_err(|error| StepError::permanent("invalid", error.to_string()))
    }

    /// Providers that may have made something and could not be swept.
    pub fn not_swept(&self) -> impl Iterator<Item = &ProviderName> {
        self.tried.iter().filter(|tried| tried.may_be_left).map(|tried| &tried.target.provider)
    }

    /// All providers at which something may have been made.
    pub fn providers(&self) -> Vec<ProviderName> {
        let tried = self.tried.iter().map(|tried| &tried.target);
        let mut names: Vec<ProviderName> =
            tried.chain(&self.current).chain(&self.settled).map(|target| target.provider.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Target {
    /// `None` where nothing is configured that could make it there.
    pub fn of(placed: &Placed) -> Option<Self> {
        let own = placed.pricing == "own";
        Some(Self {
            provider: placed.provider.clone()?,
            kind: placed.kind,
            region: placed.region.clone(),
            zone: placed.zone.clone(),
            instance_type: (!own).then(|| placed.instance_type.clone()),
            pricing: placed.pricing.clone(),
        })
    }
}
