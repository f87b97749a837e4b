//! Removes what was made.

use novacron_operations::{OperationId, StepContext, StepError};
use novacron_provider::{OperationTag, SweepScope};
use novacron_types::{ProviderName, placement::PlacementStatus};

use super::{super::Tools, state::Making};
use crate::error::step_error;

impl Tools {
    /// Removes what `operation` made for a machine, wherever, and says of its placement that it did not come true.
    pub(super) async fn unmake(
        &self,
        cx: &StepContext,
        operation: &OperationId,
        making: &Making,
        index: usize,
    ) -> Result<(), StepError> {
        self.remove(cx, operation, making, index).await?;
        self.conclude(cx, operation, making, PlacementStatus::Failed).await
    }

    /// All that can be is removed; the first that can't is the error.
    async fn remove(
        &self,
        cx: &StepContext,
        operation: &OperationId,
        making: &Making,
        index: usize,
    ) -> Result<(), StepError> {
        let tag = making.tag(operation, index)?;
        let mut failed = None;
        for name in making.providers() {
            failed = failed.or(self.remove_at(cx, &tag, &name).await.err());
        }
        failed.map_or(Ok(()), Err)
    }

    pub(super) async fn remove_at(
        &self,
        cx: &StepContext,
        tag: &OperationTag,
        name: &ProviderName,
    ) -> Result<(), StepError> {
        let removed = self.provider(name)?.sweep(tag, SweepScope::Everything).await.map_err(step_error)?;
        if !removed.is_empty() {
            cx.log(format!("removed at {name}: {}", removed.join(", ")));
        }
        Ok(())
    }

    pub(super) async fn conclude(
        &self,
        cx: &StepContext,
        operation: &OperationId,
        making: &Making,
        status: PlacementStatus,
    ) -> Result<(), StepError> {
        let placements = self.store.placements();
        if let Some(mut record) = placements.placement(&making.placement_id).await? {
            record.status = status;
            record.operation_id = Some(operation.clone());
            record.updated_at = cx.now();
            placements.put_placement(&record).await?;
        }
        Ok(())
    }
}
