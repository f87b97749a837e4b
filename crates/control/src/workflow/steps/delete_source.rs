//! The end of a move that deletes its source: first a time in which it can still be undone, then the deletion.

use async_trait::async_trait;
use jiff::SignedDuration;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_types::{Instance, InstanceState};

use super::{
    super::{MoveState, Tools},
    AGAIN, Written,
};
use crate::error::step_error;

/// Holds until the grace period has passed, or a person says continue. A source that was started again holds what
/// the target does not: then only a person who has been told so can have it deleted.
pub(super) struct Grace(pub Tools);

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
        let source = match self.0.source_machine(state).await {
            Ok(Some(source)) => source,
            // Somebody else has deleted it. Then the target is the only copy, which a failure here would undo.
            Ok(None) => return Ok(Outcome::Done),
            Err(error) => return Ok(unseen(cx, &state.params.instance, &error)),
        };
        match self.0.target_machine(state).await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Outcome::Hold { reason: target_gone(state), resume_at: None }),
            Err(error) => return Ok(unseen(cx, &state.params.target, &error)),
        }
        let written = match self.0.was_written(state).await {
            Ok(written) => written,
            Err(error) => return Ok(unseen(cx, &state.params.instance, &error)),
        };
        if state.source_ran_since(&source) || written != Written::No {
            if state.told_of_restart && cx.continued() {
                return Ok(Outcome::Done);
            }
            state.told_of_restart = true;
            return Ok(changed(state, written));
        }
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

/// The source holds, or may hold, what the target does not: a person must say what is to be done.
pub(super) fn changed(state: &MoveState, written: Written) -> Outcome {
    let found = match written {
        Written::Unknown => "may have been written after it had been copied (its snapshot is gone), and then what",
        _ => "was started or written after it had been copied, and what",
    };
    let reason = format!(
        "{} {found} is new in it is not at the target: cancel to keep it and remove the target, continue to delete it all the same",
        state.params.instance
    );
    Outcome::Hold { reason, resume_at: None }
}

/// Nothing is deleted while that is not there which was to take its place.
fn target_gone(state: &MoveState) -> String {
    let target = state.created.as_ref().map_or_else(String::new, |created| created.instance_id.to_string());
    format!(
        "the target {target} is gone, so {} is the only copy, and is kept: cancel to have it as it was",
        state.params.instance
    )
}

/// The target is verified: that one side can't be looked at is no reason to undo that. Nor is the source deleted unseen.
fn unseen(cx: &StepContext, what: &impl std::fmt::Display, error: &StepError) -> Outcome {
    let reason = format!(
        "the target is verified, but {what} can't be looked at, and the source is not deleted unseen: {error}. It is \
         tried again; cancel to keep the source and remove the target"
    );
    Outcome::Hold { reason, resume_at: cx.now().checked_add(AGAIN).ok() }
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
        // A process may have died between the end of the grace period and here, and much time have passed.
        match provider.get(&state.params.instance).await {
            Ok(now) if now.state == InstanceState::Terminated => {}
            Ok(now) if state.source_ran_since(&now) && !state.told_of_restart => return Err(source_started(&now)),
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(step_error(error)),
        }
        if self.0.target_machine(state).await?.is_none() {
            return Err(StepError::needs_person("target_gone", target_gone(state)));
        }
        provider.delete(&state.params.instance).await.map_err(step_error)?;
        cx.log(format!("deleted {} at {}", state.params.instance, state.params.source));
        Ok(Outcome::Done)
    }
}

/// A source that should have stayed as it was stopped.
pub(super) fn source_started(source: &Instance) -> StepError {
    StepError::needs_person(
        "source_started",
        format!(
            "{} was started while it was being moved, and may have written what was not copied",
            source.instance_id
        ),
    )
    .advice(
        "Nothing of it was deleted. See who starts it (an auto-scaling group, a recovery alarm), then move it again.",
    )
}
