//! Removes what was only needed on the way: snapshots, images, the mover's memory of the job.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_provider::SweepScope;

use super::{
    super::{MoveState, Tools},
    AGAIN, Written,
    delete_source::changed,
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

    /// The machine is there and verified, so a failure here undoes nothing: it waits until what is left behind can be
    /// removed, or a person says that it may stay.
    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        // It may have waited here for long, and once the snapshots are gone nobody can tell.
        if state.params.delete_source && !state.told_of_restart {
            let written = self.0.was_written(state).await;
            if let Ok(Written::Yes) = written {
                state.told_of_restart = true;
                return Ok(changed(state, Written::Yes));
            }
        }
        let Err(error) = self.remove(cx, state).await else { return Ok(Outcome::Done) };
        if error.is_stale_owner() {
            return Err(error);
        }
        if cx.continued() {
            cx.log(format!("left behind at someone's wish: {error}"));
            return Ok(Outcome::Done);
        }
        let reason = format!(
            "the machine is moved and verified, but a temporary snapshot or image can't be removed yet: {error}. It is tried \
             again; continue to leave it behind"
        );
        Ok(Outcome::Hold { reason, resume_at: cx.now().checked_add(AGAIN).ok() })
    }
}

impl CleanUp {
    async fn remove(&self, cx: &StepContext, state: &MoveState) -> Result<(), StepError> {
        // First the side that may refuse for long: until it is done, the snapshots tell whether the source was written.
        if state.params.target != state.params.source {
            self.0.sweep(cx, &state.params.target, SweepScope::Intermediates).await?;
        }
        for snapshot in &state.snapshots {
            self.0.source(&state.params.source)?.delete_snapshot(snapshot).await.map_err(step_error)?;
        }
        self.0.sweep(cx, &state.params.source, SweepScope::Intermediates).await?;
        forget_all(&self.0, cx, state).await;
        Ok(())
    }
}
