//! Seals the written disks, so that a machine can be made from them.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_provider::wait_for_disk;

use super::{
    super::{MoveState, Tools},
    PATIENCE,
};
use crate::error::step_error;

pub(super) struct SealDisks(pub Tools);

#[async_trait]
impl Step<MoveState> for SealDisks {
    fn name(&self) -> &'static str {
        "seal_disks"
    }
    fn status(&self) -> Status {
        Status::Finalizing
    }
    fn weight(&self) -> f64 {
        3.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        if let Some(bad) = state.proofs.iter().find(|proof| proof.source_root != proof.target_root) {
            return Err(StepError::permanent(
                "not_verified",
                format!(
                    "{}: the source's content root is {}, the target's {}",
                    bad.device, bad.source_root, bad.target_root
                ),
            ));
        }
        // Where a snapshot is only a promise that nobody writes, it must still hold after the last read.
        let source = self.0.source(&state.params.source)?;
        for snapshot in &state.snapshots {
            source.snapshot_ready(snapshot).await.map_err(step_error)?;
        }
        let sink = self.0.sink(&state.params.target)?;
        for (disk, written) in state.disks.iter().zip(&state.written) {
            sink.complete_disk(disk, *written).await.map_err(step_error)?;
        }
        for (done, disk) in state.disks.iter().enumerate() {
            wait_for_disk(sink, disk, PATIENCE).await.map_err(step_error)?;
            cx.progress((done + 1) as f64 / state.disks.len() as f64);
        }
        Ok(Outcome::Done)
    }
}
