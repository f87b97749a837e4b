//! What is known of a burst that is carried out. The decisions are not in it: they are kept as placements.

use novacron_operations::{OperationRecord, Status};
use novacron_types::{
    OperationId, ProviderName, VmId,
    placement::{BurstOutcome, BurstResult, PlanMode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Making, ended_as};
use crate::{ErrorClass, MoveRequest};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BurstState {
    pub burst_id: String,
    pub actor: String,
    pub mode: PlanMode,
    /// All of them are made by one operation.
    pub making: Vec<NewMachine>,
    /// That operation.
    pub create: Option<OperationId>,
    pub moves: Vec<BurstMove>,
    /// Why all or nothing comes to nothing.
    pub failed: Option<String>,
    /// What sort of refusal it was, where something could not begin.
    pub refused: Option<ErrorClass>,
    /// How often the making of the new machines was put off, because something was away.
    #[serde(default)]
    pub making_put_off: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct NewMachine {
    pub vm_id: VmId,
    pub placement_id: String,
    pub result: BurstResult,
    pub why: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BurstMove {
    pub vm_id: VmId,
    pub placement_id: String,
    pub from: ProviderName,
    pub to: ProviderName,
    /// Absent on a host of one's own.
    pub instance_type: Option<String>,
    /// Its busy host sends it, and takes it back when there is room.
    pub by_host: bool,
    pub migration_id: Option<OperationId>,
    /// How often its beginning was put off, because something was away.
    #[serde(default)]
    pub put_off: u32,
    pub result: BurstResult,
    pub why: Option<String>,
    /// The migration that brings it home again, and how many of those have failed.
    pub home_by: Option<OperationId>,
    pub home_failures: u32,
}

impl NewMachine {
    pub fn new(making: &Making) -> Self {
        Self {
            vm_id: making.vm_id.clone(),
            placement_id: making.placement_id.clone(),
            result: BurstResult::Waiting,
            why: None,
        }
    }
}

impl BurstMove {
    pub fn asked(&self) -> MoveRequest {
        MoveRequest::whole(self.vm_id.clone(), &self.to, self.instance_type.as_deref())
    }

    pub fn asked_home(&self) -> MoveRequest {
        MoveRequest::whole(self.vm_id.clone(), &self.from, None)
    }
}

impl BurstState {
    pub fn new(burst_id: String, actor: &str, mode: PlanMode, making: Vec<NewMachine>, moves: Vec<BurstMove>) -> Self {
        let actor = actor.to_owned();
        Self { burst_id, actor, mode, making, create: None, moves, failed: None, refused: None, making_put_off: 0 }
    }

    /// What came of each machine, in the form that the operation shows.
    pub fn told(&self) -> Value {
        let made = self.making.iter().map(|new| BurstOutcome {
            vm_id: new.vm_id.to_string(),
            result: new.result,
            operation_id: self.create.clone(),
            migration_id: None,
            home_by: None,
            why: new.why.clone(),
        });
        let moved = self.moves.iter().map(|moving| BurstOutcome {
            vm_id: moving.vm_id.to_string(),
            result: moving.result,
            operation_id: None,
            migration_id: moving.migration_id.clone(),
            home_by: moving.home_by.clone(),
            why: moving.why.clone(),
        });
        json!({ "burst_id": self.burst_id, "mode": self.mode, "machines": made.chain(moved).collect::<Vec<_>>() })
    }

    /// What the operation that makes the new machines came to. False: not all are there.
    pub fn note_made(&mut self, ended: &OperationRecord) -> bool {
        let told = ended.summary.as_ref().and_then(Value::as_array);
        let mut all = true;
        for new in &mut self.making {
            let of_it = told.and_then(|told| told.iter().find(|made| made["vm_id"] == new.vm_id.as_str()));
            let given_up = of_it.and_then(|made| made["given_up"].as_str()).map(str::to_owned);
            (new.result, new.why) = match (ended.status, given_up) {
                (Status::Completed, None) => (BurstResult::Made, None),
                (Status::Completed, why) => (BurstResult::Failed, why),
                _ => (BurstResult::Failed, Some(ended_as(ended))),
            };
            all &= new.result == BurstResult::Made;
        }
        all
    }
}
