//! The machines of a burst that there are already: each moves by a migration of its own.

use novacron_types::{
    ProviderName, VmId, VmRecord,
    placement::{BurstAnswer, BurstResult, LeftOut, PlacementRecord, PlanMode},
};

use crate::{Control, ControlError, workflow::BurstMove};

impl Control {
    /// Its move, if it can move as far as that shows beforehand. One that can't is left out, or is the end of all.
    pub(super) async fn movable(
        &self,
        vm: &VmRecord,
        record: &PlacementRecord,
        sent_by: Option<&ProviderName>,
        answer: &mut BurstAnswer,
    ) -> Result<Option<BurstMove>, ControlError> {
        let checked = match moving(vm, record, sent_by.is_some()) {
            Ok(moving) => self.plan(&moving.asked()).await.map(|_| moving),
            Err(error) => Err(error),
        };
        match checked {
            Ok(moving) => Ok(Some(moving)),
            Err(error) if answer.mode == PlanMode::BestEffort => {
                leave_out(answer, vm.vm_id.as_str(), error.message);
                Ok(None)
            }
            Err(error) => Err(none_is_done(error, &vm.vm_id)),
        }
    }
}

fn moving(vm: &VmRecord, record: &PlacementRecord, by_host: bool) -> Result<BurstMove, ControlError> {
    let placed = record.decision.primary_placement.as_ref();
    let Some((placed, to)) = placed.and_then(|placed| Some((placed, placed.provider.clone()?))) else {
        let message = format!("no provider is configured that {} could move to", vm.vm_id);
        return Err(ControlError::invalid("not_configured", message));
    };
    Ok(BurstMove {
        vm_id: vm.vm_id.clone(),
        placement_id: record.placement_id.clone(),
        from: vm.provider.clone(),
        to,
        instance_type: (placed.pricing != "own").then(|| placed.instance_type.clone()),
        by_host,
        migration_id: None,
        put_off: 0,
        result: BurstResult::Waiting,
        why: None,
        home_by: None,
        home_failures: 0,
    })
}

pub(super) fn leave_out(answer: &mut BurstAnswer, vm_id: &str, why: String) {
    answer.placed.retain(|placed| placed.vm_id != vm_id);
    answer.plan.left_out.push(LeftOut { vm_id: vm_id.to_owned(), why });
}

fn none_is_done(error: ControlError, vm_id: &VmId) -> ControlError {
    let message = format!("{vm_id} can't be moved, and so nothing of the burst is done: {}", error.message);
    ControlError { message, ..error }
}
