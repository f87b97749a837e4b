//! The end of a move that deletes its source: first a time in which it can still be undone, then the deletion.

use async_trait::async_trait;
use jiff::SignedDuration;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};

use super::super::{MoveState, Tools};
use crate::error::step_error;

/// Holds until the grace period has passed, or a person says continue.
pub(super) struct Grace;

#[async_trait]
impl Step<MoveState> for Grace {
    fn name(&self) -> &'static str {
        "grace"
    }
    fn status(&self) -> Status {
        Status::Finalizing
    }
    fn weight(&self) -> f64 {
        0.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let now = cx.now();
        let until = match state.grace_until {
            Some(until) => until,
            None => {
                let grace = SignedDuration::from_secs(i64::try_from(state.params.grace_seconds).unwrap_or(i64::MAX));
                let until = now.checked_add(grace).unwrap_or(jiff::Timestamp::MAX);
                state.grace_until = Some(until);
                until
            }
        };
        if cx.continued() || now >= until {
            return Ok(Outcome::Done);
        }
        Ok(Outcome::Hold {
            reason: format!(
                "the target is verified; {} is deleted at {until}: cancel to keep it and remove the target, continue to delete it now",
                state.params.instance
            ),
            resume_at: Some(until),
        })
    }
}

pub(super) struct DeleteSource(pub Tools);

#[async_trait]
impl Step<MoveState> for DeleteSource {
    fn name(&self) -> &'static str {
        "delete_source"
    }
    fn status(&self) -> Status {
        Status::Finalizing
    }
    fn weight(&self) -> f64 {
        1.0
    }
    fn reversible(&self) -> bool {
        false
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let provider = self.0.provider(&state.params.source)?;
        provider.delete(&state.params.instance).await.map_err(step_error)?;
        cx.log(format!("deleted {} at {}", state.params.instance, state.params.source));
        Ok(Outcome::Done)
    }
}
