//! Carrying out a burst: all its machines are made and moved by operations of their own, and this one sees to all of them.
//!
//! ```text
//! begin → follow
//! ```
//!
//! It dies at no moment with a machine forgotten: what it begins carries a key that follows from its own id, so that whoever
//! carries it on finds that, or begins it. With all or nothing, one that fails ends the others, and what had moved already is
//! moved home again: by a migration, so that nothing is lost of what it wrote in the meantime.

mod begin;
mod follow;
mod home;
mod left;
mod state;
mod take_back;

use novacron_operations::{OperationId, Step, StepContext, StepError, Workflow};
use novacron_types::{
    VmRecord,
    placement::{BurstResult, PlacementStatus},
};
use serde_json::Value;

use super::Tools;
use crate::{Caller, ControlError, error::step_error_of, request};

pub(crate) use begin::BEGIN;
pub(crate) use state::{BurstMove, BurstState, NewMachine};
pub(super) use take_back::cancelled;

pub(crate) struct Burst(pub Tools);

impl Workflow for Burst {
    type State = BurstState;
    const KIND: &'static str = "burst";
    const WAITS: bool = true;

    fn steps(&self, _params: &BurstState) -> Vec<Box<dyn Step<BurstState>>> {
        vec![Box::new(begin::Begin(self.0.clone())), Box::new(follow::Follow(self.0.clone()))]
    }

    fn summary(&self, state: &BurstState) -> Option<Value> {
        serde_json::to_value(state.told()).ok()
    }
}

/// Who asks for the work that a burst is made of: the same one again finds what was begun.
fn caller(cx: &StepContext, state: &BurstState, part: &str) -> Caller {
    let key = format!("{}-{part}", cx.operation_id());
    Caller { actor: state.actor.clone(), idempotency_key: Some(key) }
}

impl Tools {
    /// What was begun under a key, if its id was not stored.
    pub(super) async fn begun_as(
        &self,
        caller: &Caller,
        asked: &impl serde::Serialize,
    ) -> Result<Option<OperationId>, StepError> {
        let Some(key) = request::idempotency(caller, asked).map_err(step_error_of)? else { return Ok(None) };
        let found = self.control()?.inner.engine.requested(&key).await.map_err(ControlError::from);
        Ok(found.map_err(step_error_of)?.map(|record| record.id))
    }

    async fn record_of_move(&self, moving: &BurstMove) -> Result<Option<VmRecord>, StepError> {
        Ok(self.store.vms().vm(&moving.vm_id).await?)
    }

    /// No record waits for what will never be.
    async fn has_failed(&self, cx: &StepContext, placement_id: &str, why: &str) -> Result<(), StepError> {
        self.became(cx, placement_id, PlacementStatus::Failed, Some(why)).await
    }

    /// Nor do the records of those that are left out: once the state says so, whoever carries it on writes that again.
    async fn note_left_out(&self, cx: &StepContext, state: &BurstState) -> Result<(), StepError> {
        let new = state.making.iter().map(|new| (new.result, &new.placement_id, &new.why));
        let all = new.chain(state.moves.iter().map(|moving| (moving.result, &moving.placement_id, &moving.why)));
        for (result, placement_id, why) in all {
            if let (BurstResult::LeftOut, Some(why)) = (result, why) {
                self.has_failed(cx, placement_id, why).await?;
            }
        }
        Ok(())
    }

    /// The placement of a move says what came of it.
    async fn move_became(&self, cx: &StepContext, moving: &BurstMove) -> Result<(), StepError> {
        let why = moving.why.as_deref();
        match moving.result {
            BurstResult::Moved => self.became(cx, &moving.placement_id, PlacementStatus::Created, why).await,
            BurstResult::Failed => self.became(cx, &moving.placement_id, PlacementStatus::Failed, why).await,
            BurstResult::TakenBack => {
                let why = why.map_or_else(|| format!("It was taken back by {}.", cx.operation_id()), str::to_owned);
                self.has_failed(cx, &moving.placement_id, &why).await
            }
            // Of these it is said where they are left, or not known yet.
            BurstResult::Waiting | BurstResult::LeftOut | BurstResult::Stays | BurstResult::Made => Ok(()),
        }
    }

    async fn became(
        &self,
        cx: &StepContext,
        placement_id: &str,
        status: PlacementStatus,
        why: Option<&str>,
    ) -> Result<(), StepError> {
        let placements = self.store.placements();
        let Some(mut record) = placements.placement(placement_id).await? else { return Ok(()) };
        record.status = status;
        record.operation_id.get_or_insert_with(|| cx.operation_id().clone());
        record.updated_at = cx.now();
        if let Some(why) = why.filter(|why| !record.decision.notes.iter().any(|note| note == why)) {
            record.decision.notes.push(why.to_owned());
        }
        Ok(placements.put_placement(&record).await?)
    }
}
