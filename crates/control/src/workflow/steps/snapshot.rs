//! Fixes one point in time over all disks of the source.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_provider::{SnapshotRequest, SweepScope, wait_for_snapshot};
use novacron_types::MigrationType;

use super::{
    super::{MoveState, Tools},
    PATIENCE,
    delete_source::source_started,
    tag,
};
use crate::error::step_error;

pub(super) struct Snapshot(pub Tools);

#[async_trait]
impl Step<MoveState> for Snapshot {
    fn name(&self) -> &'static str {
        "snapshot"
    }
    fn status(&self) -> Status {
        Status::Preparing
    }
    fn weight(&self) -> f64 {
        5.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let source = self.0.source(&state.params.source)?;
        let request = SnapshotRequest { tag: tag(cx), instance: state.params.instance.clone(), sequence: 0 };
        state.snapshots = source.snapshot(&request).await.map_err(step_error)?;
        cx.save(state).await?;
        if state.params.migration_type == MigrationType::Cold {
            let now = self.0.provider(&state.params.source)?.get(&state.params.instance).await.map_err(step_error)?;
            if state.source_ran_since(&now) {
                return Err(source_started(&now));
            }
        }
        let count = state.snapshots.len() as f64;
        for (index, snapshot) in state.snapshots.iter().enumerate() {
            cx.log(format!("snapshot {} of {}", snapshot.snapshot_id, snapshot.device));
            let told = |readiness: novacron_provider::Readiness| {
                if let Some(percent) = readiness.percent {
                    cx.progress((index as f64 + f64::from(percent) / 100.0) / count);
                }
            };
            wait_for_snapshot(source, snapshot, PATIENCE, told).await.map_err(step_error)?;
        }
        Ok(Outcome::Done)
    }

    async fn undo(&self, cx: &StepContext, state: &mut MoveState) -> Result<(), StepError> {
        self.0.sweep(cx, &state.params.source, SweepScope::Everything).await
    }
}
