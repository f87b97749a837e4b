//! Removes what may be left at places that failed, and could not be swept when they were left.

use async_trait::async_trait;
use jiff::SignedDuration;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};

use super::{
    super::{Tools, steps::AGAIN},
    state::{CreateState, Making},
};

/// After this, what can't be removed is left to a person.
const LIMIT: SignedDuration = SignedDuration::from_hours(1);

pub(super) struct CleanUp(pub Tools);

#[async_trait]
impl Step<CreateState> for CleanUp {
    fn name(&self) -> &'static str {
        "clean_up"
    }
    fn status(&self) -> Status {
        Status::Finalizing
    }
    fn weight(&self) -> f64 {
        0.0
    }

    /// The machines are there, so a failure here undoes nothing. A provider that does not answer is asked again for a while;
    /// what stays then, or where one refuses, is told.
    async fn run(&self, cx: &StepContext, state: &mut CreateState) -> Result<Outcome, StepError> {
        let until = *state.clean_until.get_or_insert(cx.now().saturating_add(LIMIT).unwrap_or(jiff::Timestamp::MAX));
        let mut away = None;
        for (index, making) in state.machines.iter_mut().enumerate() {
            let tag = making.tag(cx.operation_id(), index)?;
            for tried in making.tried.iter_mut().filter(|tried| tried.may_be_left) {
                match self.0.remove_at(cx, &tag, &tried.target.provider).await {
                    Ok(()) => tried.may_be_left = false,
                    Err(error) if error.is_transient() => away = Some(error),
                    Err(error) => cx.log(format!("{} can't be swept: {error}", tried.target.provider)),
                }
            }
        }
        if let Some(error) = away.filter(|_| cx.now() < until && !cx.continued()) {
            let reason = format!(
                "the machines are made, but what a place that failed may have made of them can't be removed yet: {error}. It \
                 is tried again until {until}"
            );
            return Ok(Outcome::Hold { reason, resume_at: cx.now().checked_add(AGAIN).ok() });
        }
        for (index, making) in state.machines.iter().enumerate() {
            self.tell(cx, making, index).await?;
        }
        Ok(Outcome::Done)
    }
}

impl CleanUp {
    /// Says with the placement, too, what a person has to look for.
    async fn tell(&self, cx: &StepContext, making: &Making, index: usize) -> Result<(), StepError> {
        let tag = making.tag(cx.operation_id(), index)?;
        let left = making.tried.iter().filter(|tried| tried.may_be_left);
        let notes: Vec<String> = left
            .map(|tried| {
                let at = &tried.target.provider;
                format!("something may be left at {at}, which could not be swept: remove there what is tagged {tag}")
            })
            .collect();
        if notes.is_empty() {
            return Ok(());
        }
        let placements = self.0.store.placements();
        let Some(mut record) = placements.placement(&making.placement_id).await? else { return Ok(()) };
        for note in &notes {
            cx.log(format!("{}: {note}", making.vm_id));
        }
        record.decision.notes.retain(|note| !notes.contains(note));
        record.decision.notes.extend(notes);
        Ok(placements.put_placement(&record).await?)
    }
}
