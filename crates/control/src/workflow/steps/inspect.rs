//! Looks at the source, and makes the ids that later steps use. It changes nothing anywhere.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_types::{InstanceState, VmId};

use super::super::{MoveState, Tools, state::runs};
use crate::error::step_error;

pub(super) struct Inspect(pub Tools);

#[async_trait]
impl Step<MoveState> for Inspect {
    fn name(&self) -> &'static str {
        "inspect"
    }
    fn status(&self) -> Status {
        Status::Preparing
    }
    fn weight(&self) -> f64 {
        1.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let params = &state.params;
        let mut source = self.0.provider(&params.source)?.get(&params.instance).await.map_err(step_error)?;
        if !params.by_image {
            self.0.source(&params.source)?;
            self.0.sink(&params.target)?;
        }
        if matches!(source.state, InstanceState::Terminated | InstanceState::Failed) {
            return Err(StepError::permanent("wrong_state", format!("{} is {}", params.instance, source.state))
                .advice("Only a machine that is running or stopped can be moved."));
        }
        if source.disks.is_empty() {
            return Err(StepError::permanent(
                "no_disks",
                format!("{} has no disk that could be moved", params.instance),
            ));
        }
        // It often holds secrets, and this state is stored; it is read again when the machine is made.
        source.spec.user_data = None;
        state.was_running = runs(source.state);
        let moves_record = params.delete_source.then(|| params.vm_id.clone()).flatten();
        let vm_id = match moves_record.or_else(|| state.new_vm_id.take()) {
            Some(vm_id) => vm_id,
            None => new_vm_id()?,
        };
        cx.log(format!(
            "{} ({}, {}) has {} disk(s)",
            source.display_name(),
            source.spec.instance_type.as_deref().unwrap_or("no type"),
            source.state,
            source.disks.len()
        ));
        state.new_vm_id = Some(vm_id);
        state.source = Some(source);
        Ok(Outcome::Done)
    }
}

fn new_vm_id() -> Result<VmId, StepError> {
    VmId::new(format!("vm-{}", uuid::Uuid::now_v7().simple()))
        .map_err(|error| StepError::permanent("invalid", error.to_string()))
}
