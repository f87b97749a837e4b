//! What is left of a burst that is being undone, in words.

use novacron_operations::{OperationId, StepContext, StepError};
use novacron_types::placement::{BurstResult, PlanMode};

use super::{super::Tools, state::BurstState};
use crate::request::vm_key;

/// More machines than these are counted.
const NAMED: usize = 10;

impl Tools {
    /// Each machine that is not as it was, and what it waits for.
    pub(super) async fn left(&self, cx: &StepContext, state: &BurstState) -> Result<String, StepError> {
        let made = state.making.iter().map(|new| (&new.vm_id, new.result, None));
        let moved = state.moves.iter().map(|moving| {
            let by = moving.home_by.as_ref().or(moving.migration_id.as_ref());
            (&moving.vm_id, moving.result, by.cloned())
        });
        let left = made.chain(moved).filter(|(_, result, _)| match result {
            BurstResult::Waiting | BurstResult::Stays => true,
            BurstResult::Made | BurstResult::Moved => state.mode == PlanMode::AllOrNothing,
            BurstResult::LeftOut | BurstResult::Failed | BurstResult::TakenBack => false,
        });
        let left: Vec<_> = left.collect();
        let (count, mut named) = (left.len(), Vec::new());
        for (vm_id, _, by) in left.into_iter().take(NAMED) {
            let by = match by {
                Some(by) => Some(by),
                None => cx.hold(&vm_key(vm_id)).await?,
            };
            let waits = match by {
                Some(id) => self.waits_for(&id).await?,
                None => String::new(),
            };
            named.push(format!("{vm_id}{waits}"));
        }
        if count > NAMED {
            named.push(format!("{} more", count - NAMED));
        }
        Ok(match named.is_empty() {
            true => "all machines are as they were, but the burst has not ended".to_owned(),
            false => format!("not taken back: {}", named.join(", ")),
        })
    }

    /// ` (export-… is held: until it has been 3600 s)`
    async fn waits_for(&self, id: &OperationId) -> Result<String, StepError> {
        let Some(operation) = self.store.operations().get(id).await? else { return Ok(String::new()) };
        let record = operation.record;
        let held = record.hold.map(|hold| format!(": {}", hold.reason)).unwrap_or_default();
        Ok(format!(" ({id} is {}{held})", record.status))
    }
}
