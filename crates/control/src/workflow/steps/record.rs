//! Writes the federation's record of the machine: where it is now.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_types::VmRecord;

use super::{
    super::{MoveState, Tools},
    only_copy,
};

pub(super) struct Record(pub Tools);

#[async_trait]
impl Step<MoveState> for Record {
    fn name(&self) -> &'static str {
        "record"
    }
    fn status(&self) -> Status {
        Status::Finalizing
    }
    fn weight(&self) -> f64 {
        1.0
    }
    /// The machine is there and verified, and known to be: from now on the target is the truth.
    fn settles(&self) -> bool {
        true
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let (Some(vm_id), Some(created)) = (&state.new_vm_id, &state.created) else {
            return Err(StepError::permanent("state_unreadable", "the operation has no machine to record"));
        };
        let vms = self.0.store.vms();
        let before = vms.vm(vm_id).await?;
        let record = VmRecord {
            vm_id: vm_id.clone(),
            name: state.name(),
            provider: state.params.target.clone(),
            instance: created.clone(),
            placed_by: Some(cx.operation_id().clone()),
            created_at: before.as_ref().map_or_else(|| cx.now(), |before| before.created_at),
            updated_at: cx.now(),
        };
        // Run again after a crash, it finds its own record, which is not the one to go back to.
        if let Some(before) = before.filter(|before| before.placed_by.as_ref() != Some(cx.operation_id())) {
            state.record_before = Some(before);
        }
        cx.save(state).await?;
        vms.put_vm(&record).await?;
        Ok(Outcome::Done)
    }

    /// Everything that was made is undone after this, so what must not be lost is looked for here.
    async fn undo(&self, cx: &StepContext, state: &mut MoveState) -> Result<(), StepError> {
        if self.0.source_machine(state).await?.is_none() {
            return Err(only_copy(state));
        }
        let Some(vm_id) = &state.new_vm_id else { return Ok(()) };
        let vms = self.0.store.vms();
        // A record of its own that is not to be seen yet may still be on its way into the store: writing waits for it.
        let seen = vms.vm(vm_id).await?;
        let is_own = |record: &VmRecord| record.placed_by.as_ref() == Some(cx.operation_id());
        match (seen, &state.record_before) {
            (Some(seen), Some(before)) if is_own(&seen) || seen == *before => vms.put_vm(before).await?,
            (Some(seen), None) if is_own(&seen) => drop(vms.delete_vm(vm_id, cx.now()).await?),
            (None, None) => drop(vms.delete_vm(vm_id, cx.now()).await?),
            // It is somebody else's by now.
            _ => {}
        }
        Ok(())
    }
}
