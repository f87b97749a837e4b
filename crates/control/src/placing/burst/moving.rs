//! The machines of a burst that there are already: each moves by a migration of its own.

use novacron_types::{
    ExportRequest, OperationId, ProviderName, VmId, VmRecord,
    placement::{BurstAnswer, LeftOut, PlacementRecord, PlanMode},
};
use serde_json::{Map, Value};

use super::super::overflow;
use crate::{Caller, Control, ControlError, MoveRequest, take_on::Follows};

pub(super) struct Moving {
    vm_id: VmId,
    record: PlacementRecord,
    sent_by: Option<ProviderName>,
}

impl Moving {
    pub fn new(vm: &VmRecord, record: PlacementRecord, sent_by: Option<&ProviderName>) -> Self {
        Self { vm_id: vm.vm_id.clone(), record, sent_by: sent_by.cloned() }
    }

    /// The host's place is freed once the target is verified and the grace period has passed.
    fn asked(&self) -> Result<(ProviderName, MoveRequest), ControlError> {
        let placed = self.record.decision.primary_placement.as_ref();
        let Some((placed, provider)) = placed.and_then(|placed| Some((placed, placed.provider.clone()?))) else {
            let message = format!("no provider is configured that {} could move to", self.vm_id);
            return Err(ControlError::invalid("not_configured", message));
        };
        let mut options = Map::from_iter([("delete_source".to_owned(), Value::from(true))]);
        if placed.pricing != "own" {
            options.insert("instance_type".to_owned(), Value::from(placed.instance_type.clone()));
        }
        let request = ExportRequest { vm_id: self.vm_id.clone(), name: None, options };
        let asked = MoveRequest::Export { provider: provider.to_string(), request };
        Ok((provider, asked))
    }
}

impl Control {
    /// Those that can move, as far as that shows beforehand. One that can't is left out, or is the end of all.
    pub(super) async fn movable(
        &self,
        moving: Vec<Moving>,
        answer: &mut BurstAnswer,
    ) -> Result<Vec<Moving>, ControlError> {
        let mut movable = Vec::new();
        for machine in moving {
            let checked = match machine.asked() {
                Ok((_, asked)) => self.plan(&asked).await.map(drop),
                Err(error) => Err(error),
            };
            match checked {
                Ok(()) => movable.push(machine),
                Err(error) if answer.mode == PlanMode::BestEffort => leave_out(answer, &machine.vm_id, &error),
                Err(error) => return Err(none_is_done(error, &machine.vm_id)),
            }
        }
        if answer.mode == PlanMode::AllOrNothing && !movable.is_empty() {
            answer.plan.notes.push(
                "All or nothing holds for finding places and for beginning. Each machine that moves has a migration of its \
                 own: one that fails later is undone by itself, and the others stay moved."
                    .to_owned(),
            );
        }
        Ok(movable)
    }

    /// Begins all moves. If that fails for one of all or nothing, what had begun is undone.
    pub(super) async fn move_all(
        &self,
        moving: Vec<Moving>,
        answer: &mut BurstAnswer,
        caller: &Caller,
    ) -> Result<(), ControlError> {
        for machine in moving {
            let vm_id = machine.vm_id.clone();
            match self.begin(machine, &answer.burst_id, caller).await {
                Ok(id) => {
                    let placed = answer.placed.iter_mut().find(|placed| placed.vm_id == vm_id.as_str());
                    placed.into_iter().for_each(|placed| placed.migration_id = Some(id.clone()));
                }
                Err(error) if answer.mode == PlanMode::BestEffort => leave_out(answer, &vm_id, &error),
                Err(error) => {
                    self.take_back(answer, &caller.actor).await;
                    return Err(none_is_done(error, &vm_id));
                }
            }
        }
        Ok(())
    }

    async fn begin(&self, machine: Moving, burst_id: &str, caller: &Caller) -> Result<OperationId, ControlError> {
        let (to, asked) = machine.asked()?;
        let key = caller.idempotency_key.as_ref().map(|_| format!("{burst_id}-{}", machine.vm_id));
        let caller = Caller { actor: caller.actor.clone(), idempotency_key: key };
        let note = machine.sent_by.map(|home| overflow::sent(home, machine.vm_id, to));
        let follows = Follows { placement: Some(machine.record), note };
        Ok(self.take_on_placed(asked, caller, follows).await?.migration_id)
    }

    async fn take_back(&self, answer: &BurstAnswer, actor: &str) {
        let moves = answer.placed.iter().filter_map(|placed| placed.migration_id.as_ref());
        for id in moves.chain(&answer.operation_id) {
            if let Err(error) = self.inner.engine.cancel(id, actor).await {
                tracing::warn!(%id, %error, "what a burst had begun can't be taken back");
            }
        }
    }
}

fn leave_out(answer: &mut BurstAnswer, vm_id: &VmId, error: &ControlError) {
    answer.placed.retain(|placed| placed.vm_id != vm_id.as_str());
    answer.plan.left_out.push(LeftOut { vm_id: vm_id.to_string(), why: error.message.clone() });
}

fn none_is_done(error: ControlError, vm_id: &VmId) -> ControlError {
    let message = format!("{vm_id} can't be moved, and so nothing of the burst is done: {}", error.message);
    ControlError { message, ..error }
}
