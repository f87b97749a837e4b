//! A cold move stops the source first; undoing starts it again if it ran.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_provider::wait_for_state;
use novacron_types::InstanceState;

use super::{
    super::{MoveState, Tools},
    PATIENCE,
};
use crate::error::step_error;

pub(super) struct StopSource(pub Tools);

#[async_trait]
impl Step<MoveState> for StopSource {
    fn name(&self) -> &'static str {
        "stop_source"
    }
    fn status(&self) -> Status {
        Status::Preparing
    }
    fn weight(&self) -> f64 {
        3.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let provider = self.0.provider(&state.params.source)?;
        let instance = &state.params.instance.clone();
        let now = provider.get(instance).await.map_err(step_error)?.state;
        if now == InstanceState::Pending {
            wait_for_state(provider, instance, InstanceState::Running, PATIENCE).await.map_err(step_error)?;
        }
        if !matches!(now, InstanceState::Stopped | InstanceState::Stopping) {
            state.was_running = true;
            cx.save(state).await?;
            cx.log(format!("stopping {instance}"));
            provider.stop(instance).await.map_err(step_error)?;
        }
        let stopped = wait_for_state(provider, instance, InstanceState::Stopped, PATIENCE).await.map_err(step_error)?;
        state.stopped_launch = stopped.launched_at;
        Ok(Outcome::Done)
    }

    async fn undo(&self, cx: &StepContext, state: &mut MoveState) -> Result<(), StepError> {
        if !state.was_running {
            return Ok(());
        }
        let provider = self.0.provider(&state.params.source)?;
        let instance = &state.params.instance;
        let Some(now) = self.0.source_machine(state).await? else {
            cx.log(format!("{instance} is gone, so it is not started again"));
            return Ok(());
        };
        match now.state {
            InstanceState::Running | InstanceState::Pending => return Ok(()),
            // It can't be started before it has stopped.
            InstanceState::Stopping => {
                wait_for_state(provider, instance, InstanceState::Stopped, PATIENCE).await.map_err(step_error)?;
            }
            _ => {}
        }
        cx.log(format!("starting {instance} again"));
        provider.start(instance).await.map_err(step_error)?;
        wait_for_state(provider, instance, InstanceState::Running, PATIENCE).await.map_err(step_error)?;
        Ok(())
    }
}
