//! Moving home what has moved, of all or nothing.

use futures::StreamExt;
use novacron_operations::{OperationId, Status, StepContext, StepError};
use novacron_types::{ProviderName, placement::BurstResult};

use super::{
    super::{Tools, ended_as},
    caller,
    state::{BurstMove, BurstState},
    take_back::AT_ONCE,
};
use crate::{ControlError, error::step_error_of};

impl Tools {
    pub(super) async fn all_home(&self, cx: &StepContext, state: &mut BurstState) -> Result<(), StepError> {
        let there = |moving: &BurstMove| moving.result == BurstResult::Moved;
        let moves = (0..state.moves.len()).filter(|index| there(&state.moves[*index]));
        let home = futures::stream::iter(moves.map(|index| {
            let state = &*state;
            async move { (index, self.home(cx, state, index).await) }
        }));
        let home: Vec<_> = home.buffer_unordered(AT_ONCE).collect().await;
        let mut stopped = None;
        for (index, came) in home {
            let moving = &mut state.moves[index];
            match came {
                Ok(Home { result, by, why }) => {
                    moving.home_failures += u32::from(result == BurstResult::Stays);
                    (moving.result, moving.why) = (result, why);
                    moving.home_by = by.or(moving.home_by.take());
                }
                // The store or a provider is away: the undo is tried again, and finds what it has begun.
                Err(error) => stopped = Some(error),
            }
        }
        stopped.map_or(Ok(()), Err)
    }

    /// Moves one machine home, unless somebody has moved it since.
    async fn home(&self, cx: &StepContext, state: &BurstState, index: usize) -> Result<Home, StepError> {
        let moving = &state.moves[index];
        let control = self.control()?;
        let caller = caller(cx, state, &format!("{index}-home-{}", moving.home_failures));
        let asked = moving.asked_home();
        let id = match self.begun_as(&caller, &asked).await? {
            Some(id) => id,
            None => {
                let record = self.record_of_move(moving).await?;
                if let Some(left) = left_alone(moving, record.as_ref().map(|record| &record.provider)) {
                    return Ok(left);
                }
                match Box::pin(control.take_on(asked, caller)).await {
                    Ok(accepted) => accepted.migration_id,
                    Err(error) if error.is_transient() => return Err(step_error_of(error)),
                    Err(error) => {
                        return Ok(Home { result: BurstResult::Stays, by: None, why: Some(error.message) });
                    }
                }
            }
        };
        cx.log(format!("{} is moved home to {}: {id}", moving.vm_id, moving.from));
        let ended = control.inner.engine.wait(&id).await.map_err(ControlError::from).map_err(step_error_of)?;
        let record = self.record_of_move(moving).await?;
        let is_home = ended.status == Status::Completed || record.is_some_and(|record| record.provider == moving.from);
        let result = if is_home { BurstResult::TakenBack } else { BurstResult::Stays };
        let why = (ended.status != Status::Completed).then(|| ended_as(&ended));
        Ok(Home { result, by: Some(id), why })
    }
}

/// What came of moving a machine home.
struct Home {
    result: BurstResult,
    by: Option<OperationId>,
    why: Option<String>,
}

/// Somebody did something else with it since.
fn left_alone(moving: &BurstMove, at: Option<&ProviderName>) -> Option<Home> {
    let (result, why) = match at {
        Some(at) if *at == moving.to => return None,
        Some(at) if *at == moving.from => (BurstResult::TakenBack, None),
        Some(at) => (BurstResult::Moved, Some(format!("it was moved to {at} since, and is left there"))),
        None => (BurstResult::Moved, Some("it is no longer in the federation's records".to_owned())),
    };
    Some(Home { result, by: None, why })
}
