//! What applying machines answered, kept so that the same request with the same key is answered the same.

use novacron_types::placement::{Applied, ApplyAction, FieldChange, PlacementRecord, PlacementStatus, PlanMode};
use serde::{Deserialize, Serialize};

use super::{answered::Key, records::Keep};
use crate::{Control, ControlError, error::ANSWERED_BEFORE, workflow::Making};

/// An answer about one machine without its decision, which is kept as a placement.
#[derive(Serialize, Deserialize)]
pub(super) struct Outline {
    name: String,
    action: ApplyAction,
    changes: Vec<FieldChange>,
    placement_id: Option<String>,
    notes: Vec<String>,
}

impl Outline {
    fn of(applied: &Applied) -> Self {
        let Applied { name, action, changes, placement, notes } = applied.clone();
        Self { name, action, changes, placement_id: placement.map(|record| record.placement_id), notes }
    }
}

impl Control {
    /// What was answered, with the placements as they are by now.
    pub(super) async fn applied_before(&self, outlines: Vec<Outline>) -> Result<Vec<Applied>, ControlError> {
        let mut answers = Vec::new();
        for Outline { name, action, changes, placement_id, notes } in outlines {
            let placement = match placement_id {
                Some(id) => self.store().placements().placement(&id).await?,
                None => None,
            };
            answers.push(Applied { name, action, changes, placement, notes });
        }
        Ok(answers)
    }

    /// Stores the decisions and the manifests, and takes on what is to be made: all of it in one step, with the answer if
    /// there is a key. Answers as others will read it.
    pub(super) async fn keep_applied(
        &self,
        mut answers: Vec<Applied>,
        making: Vec<Making>,
        mut keep: Keep,
        key: Option<&Key>,
    ) -> Result<Vec<Applied>, ControlError> {
        let changed = answers.iter_mut().filter(|applied| applied.action != ApplyAction::Unchanged);
        let mut records: Vec<&mut PlacementRecord> = changed.filter_map(|applied| applied.placement.as_mut()).collect();
        keep.placements = records.iter().map(|record| (**record).clone()).collect();
        let Some(key) = key else {
            if making.is_empty() {
                self.answer(&keep, (), None).await?;
                return Ok(answers);
            }
            let made = self.make(making, PlanMode::BestEffort, None, &keep).await?.record.id;
            for record in records.iter_mut().filter(|record| record.status == PlacementStatus::Creating) {
                record.operation_id = Some(made.clone());
            }
            return Ok(answers);
        };
        let outlines: Vec<Outline> = answers.iter().map(Outline::of).collect();
        if making.is_empty() {
            let outlines = self.answer(&keep, outlines, Some(key)).await?;
            return self.applied_before(outlines).await;
        }
        keep.once = Some(key.declares(&outlines)?);
        match self.make(making, PlanMode::BestEffort, Some(key.idempotency.clone()), &keep).await {
            Err(error) if error.code != ANSWERED_BEFORE => return Err(error),
            _ => {}
        }
        let outlines = self.answered(key).await?.unwrap_or(outlines);
        self.applied_before(outlines).await
    }
}
