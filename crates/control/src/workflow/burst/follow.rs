//! Waits for all that a burst has begun. With all or nothing, one that fails ends those that are on their way.

use async_trait::async_trait;
use futures::StreamExt;
use novacron_operations::{OperationRecord, Outcome, Status, Step, StepContext, StepError};
use novacron_types::{
    OperationId,
    placement::{BurstResult, PlanMode},
};

use super::{
    super::{Tools, ended_as},
    state::BurstState,
};
use crate::{ControlError, error::step_error_of};

/// So many are waited for side by side: what runs at once is fewer.
const WATCHED: usize = 64;

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
        let parts = parts(state);
        let count = parts.len().max(1) as f64;
        let waits = parts.into_iter().map(|(part, id)| async move { (part, engine.wait(&id).await) });
        let mut waiting = futures::stream::iter(waits).buffer_unordered(WATCHED);
        let mut ended = 0.0;
        while let Some((part, record)) = waiting.next().await {
            let record = record.map_err(ControlError::from).map_err(step_error_of)?;
            let fine = self.note(cx, state, part, &record).await?;
            ended += 1.0;
            cx.progress(ended / count);
            if !fine && state.mode == PlanMode::AllOrNothing && state.failed.is_none() {
                state.failed = Some(ended_as(&record));
                cx.save(state).await?;
                self.0.end_those_on_their_way(cx, state).await?;
            }
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
