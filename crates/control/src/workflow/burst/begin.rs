//! Takes on all that a burst is made of. What can't begin is left out, or is the end of all.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_types::{
    OperationId,
    placement::{BurstResult, PlanMode},
};

use super::{
    super::{Making, Tools},
    caller,
    state::{BurstMove, BurstState},
};
use crate::{
    Control, ControlError,
    error::step_error_of,
    placing::{self, Keep},
    request,
    take_on::Follows,
};

/// The step after which the ids of all that was begun are told.
pub(crate) const BEGIN: &str = "begin";
/// Of best effort, what a provider that is away does not take on is left out after so many attempts.
const ATTEMPTS: u32 = 4;

pub(super) struct Begin(pub Tools);

#[async_trait]
impl Step<BurstState> for Begin {
    fn name(&self) -> &'static str {
        BEGIN
    }
    fn status(&self) -> Status {
        Status::Preparing
    }
    fn weight(&self) -> f64 {
        0.05
    }

    async fn run(&self, cx: &StepContext, state: &mut BurstState) -> Result<Outcome, StepError> {
        let control = self.0.control()?;
        state.refused = None;
        // Whoever had it before may have died between the state and its records.
        self.0.note_left_out(cx, state).await?;
        let mut put_off = self.make(cx, &control, state).await?;
        for index in 0..state.moves.len() {
            let moving = &state.moves[index];
            if moving.migration_id.is_some() || moving.result != BurstResult::Waiting {
                continue;
            }
            match self.begin(cx, &control, state, index).await {
                Ok(id) => {
                    cx.log(format!("{} moves to {}: {id}", moving.vm_id, moving.to));
                    state.moves[index].migration_id = Some(id);
                }
                Err(error) => {
                    state.refused = Some(error.class);
                    let moving = &mut state.moves[index];
                    moving.put_off += u32::from(error.is_transient());
                    match refused(cx, state.mode, moving.vm_id.as_str(), moving.put_off, error)? {
                        Refused::PutOff(error) => put_off = Some(error),
                        Refused::LeftOut(why) => {
                            (moving.result, moving.why) = (BurstResult::LeftOut, Some(why));
                            cx.save(state).await?;
                            self.0.note_left_out(cx, state).await?;
                        }
                    }
                }
            }
        }
        put_off.map_or(Ok(Outcome::Done), Err)
    }

    async fn undo(&self, cx: &StepContext, state: &mut BurstState) -> Result<(), StepError> {
        self.0.take_back(cx, state).await
    }
}

impl Begin {
    /// Takes on the making of all new machines. The error is of what is tried again later.
    async fn make(
        &self,
        cx: &StepContext,
        control: &Control,
        state: &mut BurstState,
    ) -> Result<Option<StepError>, StepError> {
        if state.create.is_some() || state.making.iter().all(|new| new.result != BurstResult::Waiting) {
            return Ok(None);
        }
        match self.begin_making(cx, control, state).await {
            Ok(id) => {
                cx.log(format!("{} machines are made: {id}", state.making.len()));
                state.create = Some(id);
            }
            Err(error) => {
                state.refused = Some(error.class);
                state.making_put_off += u32::from(error.is_transient());
                let all: Vec<&str> = state.making.iter().map(|new| new.vm_id.as_str()).collect();
                let why = match refused(cx, state.mode, &all.join(", "), state.making_put_off, error)? {
                    Refused::PutOff(error) => return Ok(Some(error)),
                    Refused::LeftOut(why) => why,
                };
                for new in &mut state.making {
                    (new.result, new.why) = (BurstResult::LeftOut, Some(why.clone()));
                }
                cx.save(state).await?;
                self.0.note_left_out(cx, state).await?;
            }
        }
        Ok(None)
    }

    async fn begin_making(
        &self,
        cx: &StepContext,
        control: &Control,
        state: &BurstState,
    ) -> Result<OperationId, ControlError> {
        let (caller, ids) = self.0.asked_to_make(cx, state);
        let key = request::idempotency(&caller, &ids)?;
        let (mut machines, mut kept) = (Vec::new(), Keep::default());
        for new in &state.making {
            let record = self.0.store.placements().placement(&new.placement_id).await?;
            let record = record.ok_or_else(|| {
                ControlError::not_found("unknown_placement", format!("the placement of {} is gone", new.vm_id))
            })?;
            machines.push(Making::new(&record, new.vm_id.clone()));
            kept.placements.push(record);
        }
        Ok(control.make(machines, state.mode, key, &kept).await?.record.id)
    }

    /// Takes a move on, with the decision that it follows.
    async fn begin(
        &self,
        cx: &StepContext,
        control: &Control,
        state: &BurstState,
        index: usize,
    ) -> Result<OperationId, ControlError> {
        let moving = &state.moves[index];
        let placement = self.0.store.placements().placement(&moving.placement_id).await?;
        let note = moving.by_host.then(|| placing::sent(moving.from.clone(), moving.vm_id.clone(), moving.to.clone()));
        let caller = moving.caller(cx, state, index);
        // Boxed: taking on knows all workflows, and this is one of them.
        let accepted = control.take_on_placed(moving.asked(), caller, Follows { placement, note });
        Ok(Box::pin(accepted).await?.migration_id)
    }
}

impl BurstMove {
    pub(super) fn caller(&self, cx: &StepContext, state: &BurstState, index: usize) -> crate::Caller {
        caller(cx, state, &index.to_string())
    }
}

impl Tools {
    pub(super) fn asked_to_make<'s>(&self, cx: &StepContext, state: &'s BurstState) -> (crate::Caller, Vec<&'s str>) {
        (caller(cx, state, "make"), state.making.iter().map(|new| new.vm_id.as_str()).collect())
    }
}

/// What becomes, of best effort, of something that could not begin.
enum Refused {
    /// It is tried again, and the others need not wait for that.
    PutOff(StepError),
    LeftOut(String),
}

/// `put_off`: how often it was, this time included.
fn refused(
    cx: &StepContext,
    mode: PlanMode,
    which: &str,
    put_off: u32,
    error: ControlError,
) -> Result<Refused, StepError> {
    if mode == PlanMode::BestEffort {
        if error.is_transient() && put_off < ATTEMPTS {
            return Ok(Refused::PutOff(step_error_of(error)));
        }
        cx.log(format!("{which} is left out: {}", error.message));
        return Ok(Refused::LeftOut(error.message));
    }
    if error.is_transient() {
        return Err(step_error_of(error));
    }
    let message = format!("{which} can't be taken to a cloud, and so nothing of the burst is done: {}", error.message);
    Err(step_error_of(ControlError { message, ..error }))
}
