//! Waits for all that a burst has begun. With all or nothing, one that fails ends those that are on their way.

use std::time::Duration;

use async_trait::async_trait;
use novacron_operations::{OperationRecord, Outcome, Status, Step, StepContext, StepError, StoreError};
use novacron_types::{
    OperationId,
    placement::{BurstResult, PlanMode},
};

use super::{
    super::{Tools, ended_as},
    state::BurstState,
};
use crate::{ControlError, error::step_error_of};

/// All are looked at again after so long, and a little more for each. One after the other: work of this step that waited for
/// its turn at the store would be in the way of what it does with one that has ended.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_EACH: Duration = Duration::from_millis(4);

pub(super) struct Follow(pub Tools);

/// What is waited for: the new machines, or a move by its index.
#[derive(Clone, Copy)]
enum Part {
    Making,
    Move(usize),
}

#[async_trait]
impl Step<BurstState> for Follow {
    fn name(&self) -> &'static str {
        "follow"
    }

    async fn run(&self, cx: &StepContext, state: &mut BurstState) -> Result<Outcome, StepError> {
        let control = self.0.control()?;
        let engine = &control.inner.engine;
        if state.failed.is_some() {
            self.0.end_those_on_their_way(cx, state).await?;
        }
        let mut open = parts(state);
        let count = open.len().max(1) as f64;
        while !open.is_empty() {
            let mut still = Vec::new();
            for (part, id) in open {
                let record = match engine.get(&id).await.map_err(ControlError::from) {
                    Ok(Some(record)) if record.status.is_terminal() => record,
                    Ok(Some(_)) => {
                        still.push((part, id));
                        continue;
                    }
                    Ok(None) => return Err(step_error_of(StoreError::NotFound(id).into())),
                    // For as long as the store may be away: without it the lease ends, and this step with it.
                    Err(error) if error.is_transient() => {
                        still.push((part, id));
                        continue;
                    }
                    Err(error) => return Err(step_error_of(error)),
                };
                let fine = self.note(cx, state, part, &record).await?;
                if !fine && state.mode == PlanMode::AllOrNothing && state.failed.is_none() {
                    state.failed = Some(ended_as(&record));
                    cx.save(state).await?;
                    self.0.end_those_on_their_way(cx, state).await?;
                }
            }
            cx.progress(1.0 - still.len() as f64 / count);
            if !still.is_empty() {
                tokio::time::sleep(PAUSE + PAUSE_EACH * still.len() as u32).await;
            }
            open = still;
        }
        verdict(state)
    }

    async fn undo(&self, cx: &StepContext, state: &mut BurstState) -> Result<(), StepError> {
        self.0.take_back(cx, state).await
    }
}

fn parts(state: &BurstState) -> Vec<(Part, OperationId)> {
    let making = state.create.iter().map(|id| (Part::Making, id.clone()));
    let moves = state.moves.iter().enumerate();
    making.chain(moves.filter_map(|(i, moving)| Some((Part::Move(i), moving.migration_id.clone()?)))).collect()
}

impl Follow {
    /// False: it did not come true.
    async fn note(
        &self,
        cx: &StepContext,
        state: &mut BurstState,
        part: Part,
        ended: &OperationRecord,
    ) -> Result<bool, StepError> {
        cx.log(ended_as(ended));
        let index = match part {
            Part::Making => return Ok(state.note_made(ended) || state.mode == PlanMode::BestEffort),
            Part::Move(index) => index,
        };
        let there = self.0.is_there(&state.moves[index], ended.status).await?;
        let moving = &mut state.moves[index];
        moving.result = if there { BurstResult::Moved } else { BurstResult::Failed };
        // One that is there, but whose source could not be removed, waits for a person.
        moving.why = (ended.status != Status::Completed).then(|| ended_as(ended));
        self.0.move_became(cx, &state.moves[index]).await?;
        Ok(there)
    }
}

fn verdict(state: &BurstState) -> Result<Outcome, StepError> {
    if let Some(failed) = &state.failed {
        return Err(StepError::permanent("move_failed", format!("all or nothing: {failed}"))
            .advice("Nothing is where the burst would have taken it, but for what this operation says stays there."));
    }
    let came_true = |result: BurstResult| matches!(result, BurstResult::Moved | BurstResult::Made);
    let made = state.making.iter().map(|new| (new.result, &new.why));
    let all = made.chain(state.moves.iter().map(|moving| (moving.result, &moving.why)));
    let (some, whys): (Vec<_>, Vec<_>) = all.partition(|(result, _)| came_true(*result));
    if some.is_empty() {
        let first = whys.iter().find_map(|(_, why)| why.as_deref()).unwrap_or("nothing was begun");
        return Err(StepError::permanent("nothing_moved", format!("no machine of the burst came to a cloud: {first}"))
            .advice("The operation says why of each. Each is as it was."));
    }
    Ok(Outcome::Done)
}
