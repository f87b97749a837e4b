//! Undoing a burst. What is on its way is undone by itself; of all or nothing, what is at a cloud already is moved home.

use futures::{StreamExt, TryStreamExt};
use novacron_operations::{ErrorKind, Status, StepContext, StepError};
use novacron_types::{
    VmId,
    placement::{BurstResult, PlanMode},
};

use super::{
    super::{Fate, Tools, ended_as},
    state::{BurstMove, BurstState},
};
use crate::{ControlError, error::step_error_of};

/// So many are waited for, or moved home, side by side.
pub(super) const AT_ONCE: usize = 64;

impl Tools {
    /// Leaves each machine as it was, or says of which it can't.
    pub(super) async fn take_back(&self, cx: &StepContext, state: &mut BurstState) -> Result<(), StepError> {
        // Before the undo is dropped, so that it can say what it waits for.
        match tokio::time::timeout(cx.undo_limit() * 5 / 6, self.take_all_back(cx, state)).await {
            Ok(Err(error)) if error.is_stale_owner() || error.kind() == ErrorKind::NeedsPerson => Err(error),
            Ok(Err(error)) => Err(match self.left(cx, state).await {
                Ok(left) => error.about(left),
                Err(other) if other.is_stale_owner() => other,
                // It can't be looked for what is left: the first error says why.
                Err(_) => error,
            }),
            Ok(Ok(())) => Ok(()),
            Err(_) => Err(StepError::transient("not_taken_back", self.left(cx, state).await?)
                .advice("`novacron migration continue` or `cancel` ends what it waits for")),
        }
    }

    async fn take_all_back(&self, cx: &StepContext, state: &mut BurstState) -> Result<(), StepError> {
        self.note_left_out(cx, state).await?;
        self.find_begun(cx, state).await?;
        self.end_those_on_their_way(cx, state).await?;
        let mut waits = Vec::new();
        for moving in &state.moves {
            waits.push(self.ended(moving));
        }
        let ended: Vec<_> = futures::stream::iter(waits).buffered(AT_ONCE).try_collect().await?;
        for (moving, (result, why)) in state.moves.iter_mut().zip(ended) {
            (moving.result, moving.why) = (result, why);
        }
        self.unmake_all(cx, state).await?;
        if state.mode == PlanMode::AllOrNothing {
            self.all_home(cx, state).await?;
        }
        for moving in &state.moves {
            self.move_became(cx, moving).await?;
        }
        let new = state.making.iter().filter(|new| new.result == BurstResult::Stays);
        let mut stay: Vec<String> = new.map(|new| said(&new.vm_id, "where it was made", &new.why)).collect();
        let (mut retry, mut away) = (Vec::new(), !stay.is_empty());
        for moving in state.moves.iter().filter(|moving| moving.result == BurstResult::Stays) {
            let at = self.record_of_move(moving).await?.map_or_else(|| moving.to.clone(), |record| record.provider);
            stay.push(said(&moving.vm_id, &format!("at {at}"), &moving.why));
            match &moving.migration_id {
                // It has not moved: what could not be undone is its migration.
                Some(id) if at == moving.from => retry.push(format!("`novacron migration retry {id}`")),
                _ => away = true,
            }
        }
        if stay.is_empty() {
            return Ok(());
        }
        let mut advice = "Mend what stands in the way".to_owned();
        if !retry.is_empty() {
            advice += &format!(", and undo what its migration left: {}", retry.join(", "));
        }
        if away {
            advice += ", or move what is away home with `novacron migrate export`";
        }
        let message = format!("not all could be taken back: {}", stay.join("; "));
        Err(StepError::needs_person("not_taken_back", message).advice(advice))
    }

    /// What was begun without its id having been stored. A machine whose making was never begun will not be made.
    async fn find_begun(&self, cx: &StepContext, state: &mut BurstState) -> Result<(), StepError> {
        if state.create.is_none() && !state.making.is_empty() {
            let (caller, ids) = self.asked_to_make(cx, state);
            let found = self.begun_as(&caller, &ids).await?;
            state.create = found;
        }
        if state.create.is_none() {
            for new in state.making.iter_mut().filter(|new| new.result == BurstResult::Waiting) {
                let why = format!("{} was undone before it was made.", cx.operation_id());
                self.has_failed(cx, &new.placement_id, &why).await?;
                (new.result, new.why) = (BurstResult::LeftOut, Some(why));
            }
        }
        for index in 0..state.moves.len() {
            let moving = &state.moves[index];
            if moving.migration_id.is_none() && moving.result == BurstResult::Waiting {
                let found = self.begun_as(&moving.caller(cx, state, index), &moving.asked()).await?;
                state.moves[index].migration_id = found;
            }
        }
        Ok(())
    }

    /// Cancels what can be. Where the burst failed by itself, a machine that runs at the cloud already is let come to its end,
    /// to be moved home then: to undo its move would lose what it has written there.
    pub(super) async fn end_those_on_their_way(&self, cx: &StepContext, state: &BurstState) -> Result<(), StepError> {
        let control = self.control()?;
        let engine = &control.inner.engine;
        for moving in &state.moves {
            let Some(id) = &moving.migration_id else { continue };
            let arrived =
                self.record_of_move(moving).await?.is_some_and(|record| record.placed_by.as_ref() == Some(id));
            if arrived && state.failed.is_some() {
                cx.log(format!(
                    "{} is at {} already; it comes home once {id} has ended: continue that to be faster, or cancel it to have \
                     the machine as it was, without what it wrote since",
                    moving.vm_id, moving.to
                ));
                continue;
            }
            cancelled(engine.cancel(id, &state.actor).await.map(drop).map_err(ControlError::from))?;
        }
        if let Some(id) = &state.create {
            cancelled(engine.cancel(id, &state.actor).await.map(drop).map_err(ControlError::from))?;
        }
        Ok(())
    }

    /// How a move has ended.
    async fn ended(&self, moving: &BurstMove) -> Result<(BurstResult, Option<String>), StepError> {
        let Some(id) = &moving.migration_id else {
            let result = if moving.result == BurstResult::Waiting { BurstResult::LeftOut } else { moving.result };
            return Ok((result, moving.why.clone()));
        };
        let control = self.control()?;
        let ended = control.inner.engine.wait(id).await.map_err(ControlError::from).map_err(step_error_of)?;
        let why = (ended.status != Status::Completed).then(|| ended_as(&ended));
        let result = match self.is_there(moving, ended.status).await? {
            true => BurstResult::Moved,
            // Neither here nor there: a person has to see to it.
            false if ended.status == Status::Failed => BurstResult::Stays,
            false => BurstResult::Failed,
        };
        Ok((result, why))
    }

    /// Whether the move came true: also where what it left at the source waits for a person.
    pub(super) async fn is_there(&self, moving: &BurstMove, status: Status) -> Result<bool, StepError> {
        Ok(match status {
            Status::Completed => true,
            Status::Failed => self.record_of_move(moving).await?.is_some_and(|record| record.provider == moving.to),
            _ => false,
        })
    }

    /// Of all or nothing, machines that were made are removed.
    async fn unmake_all(&self, cx: &StepContext, state: &mut BurstState) -> Result<(), StepError> {
        let Some(id) = state.create.clone() else { return Ok(()) };
        let control = self.control()?;
        // The person who has this tried again means that too.
        if state.making.iter().any(|new| new.result == BurstResult::Stays) {
            match control.inner.engine.retry(&id, &state.actor).await.map_err(ControlError::from) {
                Err(error) if error.code != "not_failed" => return Err(step_error_of(error)),
                _ => {}
            }
        }
        let ended = control.inner.engine.wait(&id).await.map_err(ControlError::from).map_err(step_error_of)?;
        state.note_made(&ended);
        if ended.status == Status::Failed {
            // Something may be there that it made: a person has to see to it.
            state.making.iter_mut().for_each(|new| new.result = BurstResult::Stays);
        }
        if state.mode == PlanMode::BestEffort || ended.status != Status::Completed {
            return Ok(());
        }
        for (vm_id, fate) in self.take_apart(cx, &id).await? {
            let Some(new) = state.making.iter_mut().find(|new| new.vm_id == vm_id) else { continue };
            (new.result, new.why) = match fate {
                Fate::Removed => (BurstResult::TakenBack, None),
                Fate::Moved(by) => {
                    (BurstResult::Made, Some(format!("{by} has moved it since, and it is left where that takes it")))
                }
                Fate::Stays(why) => (BurstResult::Stays, Some(why)),
            };
        }
        Ok(())
    }
}

/// What has ended, or can't be cancelled any more, ends by itself.
pub(in super::super) fn cancelled(asked: Result<(), ControlError>) -> Result<(), StepError> {
    match asked {
        Err(error) if !["already_ended", "past_point_of_no_return"].contains(&error.code.as_str()) => {
            Err(step_error_of(error))
        }
        _ => Ok(()),
    }
}

fn said(vm_id: &VmId, place: &str, why: &Option<String>) -> String {
    let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{vm_id} stays {place}{why}")
}
