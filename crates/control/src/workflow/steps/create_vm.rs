//! Makes the machine at the target from its disks.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_provider::{Boot, CreateRequest, SweepScope, wait_for_state};
use novacron_types::{InstanceState, ProviderName, VmSpec};

use super::{
    super::{MoveState, Tools},
    PATIENCE, only_copy, tag,
};
use crate::error::step_error;

pub(super) struct CreateVm(pub Tools);

#[async_trait]
impl Step<MoveState> for CreateVm {
    fn name(&self) -> &'static str {
        "create_vm"
    }
    fn status(&self) -> Status {
        Status::Finalizing
    }
    fn weight(&self) -> f64 {
        5.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let target = self.0.provider(&state.params.target)?;
        let runs = target.identity().runs_guests;
        if state.starts() && !runs {
            cx.log(format!("{} keeps disks and runs no guests: the machine stays stopped", state.params.target));
        }
        let start = state.starts() && runs;
        let request = CreateRequest {
            tag: tag(cx),
            name: state.name(),
            spec: self.spec(cx, state).await?,
            boot: match state.target_image.clone() {
                Some(image) => Boot::ImageId { image },
                None => Boot::Disks { disks: state.disks.clone() },
            },
            start,
        };
        let created = target.create(&request).await.map_err(step_error)?;
        cx.log(format!("{} is {}", created.display_name(), created.instance_id));
        let wanted = if start { InstanceState::Running } else { InstanceState::Stopped };
        let mut created = wait_for_state(target, &created.instance_id, wanted, PATIENCE).await.map_err(step_error)?;
        created.spec.user_data = None;
        state.created = Some(created);
        Ok(Outcome::Done)
    }

    async fn undo(&self, cx: &StepContext, state: &mut MoveState) -> Result<(), StepError> {
        // The disks are sealed. Without their source they are all that is left of the machine.
        if let Ok(None) = self.0.source_machine(state).await {
            return Err(only_copy(state));
        }
        self.0.sweep(cx, &state.params.target, SweepScope::Everything).await
    }
}

impl CreateVm {
    /// The source's specification, without what only means something there.
    async fn spec(&self, cx: &StepContext, state: &MoveState) -> Result<VmSpec, StepError> {
        let params = &state.params;
        let source = self.0.provider(&params.source)?;
        let original = match (source.get(&params.instance).await, &state.source) {
            (Ok(found), _) => found.spec,
            // The copy is whole; what is lost is the user data, which is not kept.
            (Err(error), Some(noted)) if error.is_not_found() => {
                cx.log(format!("{} is gone: the machine is made without its user data", params.instance));
                noted.spec.clone()
            }
            (Err(error), _) => return Err(step_error(error)),
        };
        let same_kind = source.identity().kind == self.kind(&params.target)?;
        Ok(VmSpec {
            instance_type: params.instance_type.clone().or(original.instance_type.filter(|_| same_kind)),
            network: params.network.clone(),
            // Spot, identity and key pair are the source account's; they do not travel.
            iam_profile: None,
            key_pair: None,
            spot: None,
            ebs_optimized: params.ebs_optimized,
            vcpus: original.vcpus,
            memory_bytes: original.memory_bytes,
            architecture: original.architecture,
            firmware: original.firmware,
            user_data: original.user_data,
            labels: original.labels.into_iter().filter(|(key, _)| !key.starts_with("novacron:")).collect(),
        })
    }

    fn kind(&self, name: &ProviderName) -> Result<novacron_types::ProviderKind, StepError> {
        Ok(self.0.provider(name)?.identity().kind)
    }
}
