//! Writes the federation's records of the machines, and that their placements came true.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_types::{OperationId, VmRecord, placement::PlacementStatus};

use super::{
    super::Tools,
    make::taken,
    state::{CreateState, Making, Target},
};

pub(super) struct Record(pub Tools);

#[async_trait]
impl Step<CreateState> for Record {
    fn name(&self) -> &'static str {
        "record"
    }
    fn status(&self) -> Status {
        Status::Finalizing
    }
    fn settles(&self) -> bool {
        true
    }

    async fn run(&self, cx: &StepContext, state: &mut CreateState) -> Result<Outcome, StepError> {
        for making in &state.machines {
            if let (Some(created), Some(target)) = (&making.created, &making.settled) {
                if self.0.is_anothers(cx.operation_id(), making).await? {
                    return Err(taken(&making.vm_id));
                }
                let record = VmRecord {
                    vm_id: making.vm_id.clone(),
                    name: making.vm_id.to_string(),
                    provider: target.provider.clone(),
                    instance: created.clone(),
                    placed_by: Some(cx.operation_id().clone()),
                    created_at: cx.now(),
                    updated_at: cx.now(),
                };
                self.0.store.vms().put_vm(&record).await?;
                self.came_true(cx, making, target).await?;
            }
        }
        Ok(Outcome::Done)
    }

    async fn undo(&self, cx: &StepContext, state: &mut CreateState) -> Result<(), StepError> {
        for making in &state.machines {
            self.0.forget(cx, cx.operation_id(), making).await?;
        }
        Ok(())
    }
}

impl Tools {
    /// False: the machine is another operation's by now, and so is its record.
    pub(super) async fn forget(
        &self,
        cx: &StepContext,
        operation: &OperationId,
        making: &Making,
    ) -> Result<bool, StepError> {
        // A record that is not to be seen yet may still be on its way into the store: deleting waits for it.
        let its_own = !self.is_anothers(operation, making).await?;
        if its_own {
            self.store.vms().delete_vm(&making.vm_id, cx.now()).await?;
        }
        Ok(its_own)
    }

    /// Whether there is a machine of that id which this operation has not made.
    pub(super) async fn is_anothers(&self, operation: &OperationId, making: &Making) -> Result<bool, StepError> {
        let found = self.store.vms().vm(&making.vm_id).await?;
        Ok(found.is_some_and(|record| record.placed_by.as_ref() != Some(operation)))
    }
}

impl Record {
    /// The placement says where the machine is, also where that is not the first choice.
    async fn came_true(&self, cx: &StepContext, making: &Making, target: &Target) -> Result<(), StepError> {
        let placements = self.0.store.placements();
        let Some(mut record) = placements.placement(&making.placement_id).await? else { return Ok(()) };
        record.status = PlacementStatus::Created;
        record.operation_id = Some(cx.operation_id().clone());
        record.updated_at = cx.now();
        let first = record.decision.primary_placement.as_ref().and_then(Target::of);
        if first.as_ref() != Some(target) {
            let others = record.decision.alternative_placements.iter();
            let found =
                others.map(|other| &other.place).find(|place| Target::of(place).as_ref() == Some(target)).cloned();
            match (&mut record.decision.primary_placement, found) {
                (primary, Some(found)) => *primary = Some(found),
                (Some(primary), None) => {
                    // It was no alternative that was told: what was computed of the first choice is not this one's.
                    primary.provider = Some(target.provider.clone());
                    primary.kind = target.kind;
                    primary.cloud_provider = target.kind.to_string();
                    primary.region.clone_from(&target.region);
                    primary.zone.clone_from(&target.zone);
                    primary.instance_type = target.instance_type.clone().unwrap_or_else(|| "custom".to_owned());
                    primary.pricing.clone_from(&target.pricing);
                    (primary.cost, primary.carbon_grams_per_hour, primary.latency_ms) = (None, None, None);
                }
                (None, None) => {}
            }
        }
        for tried in &making.tried {
            let text = format!("tried at {} in {}: {}", tried.target.provider, tried.target.region, tried.message);
            if !record.decision.notes.contains(&text) {
                record.decision.notes.push(text);
            }
        }
        placements.put_placement(&record).await?;
        Ok(())
    }
}
