//! Removes what was only needed on the way: snapshots, images, the mover's memory of the job.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_provider::SweepScope;

use super::{
    super::{MoveState, Tools},
    transfer::forget_all,
};
use crate::error::step_error;

pub(super) struct CleanUp(pub Tools);

#[async_trait]
impl Step<MoveState> for CleanUp {
    fn name(&self) -> &'static str {
        "clean_up"
    }
    fn status(&self) -> Status {
        Status::Finalizing
    }
    fn weight(&self) -> f64 {
        1.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        for snapshot in &state.snapshots {
            self.0.source(&state.params.source)?.delete_snapshot(snapshot).await.map_err(step_error)?;
        }
        self.0.sweep(cx, &state.params.source, SweepScope::Intermediates).await?;
        if state.params.target != state.params.source {
            self.0.sweep(cx, &state.params.target, SweepScope::Intermediates).await?;
        }
        forget_all(&self.0, cx, state).await;
        Ok(Outcome::Done)
    }
}
