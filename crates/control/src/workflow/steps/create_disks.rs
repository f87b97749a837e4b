//! Makes empty disks at the target, as large as the source's.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_provider::{NewDisk, SweepScope};

use super::{
    super::{MoveState, Tools},
    tag,
};
use crate::error::step_error;

pub(super) struct CreateDisks(pub Tools);

#[async_trait]
impl Step<MoveState> for CreateDisks {
    fn name(&self) -> &'static str {
        "create_disks"
    }
    fn status(&self) -> Status {
        Status::Preparing
    }
    fn weight(&self) -> f64 {
        1.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let sink = self.0.sink(&state.params.target)?;
        let mut disks = Vec::with_capacity(state.snapshots.len());
        for (index, snapshot) in (0u32..).zip(&state.snapshots) {
            let request = NewDisk {
                tag: tag(cx),
                index,
                name: format!("{}-{index}", state.name()),
                size_bytes: snapshot.size_bytes,
                spec: state.params.disk.clone(),
                base: None,
            };
            let disk = sink.create_disk(&request).await.map_err(step_error)?;
            cx.log(format!("disk {} for {} ({} bytes)", disk.disk_id, snapshot.device, disk.size_bytes));
            disks.push(disk);
        }
        state.disks = disks;
        Ok(Outcome::Done)
    }

    async fn undo(&self, cx: &StepContext, state: &mut MoveState) -> Result<(), StepError> {
        self.0.sweep(cx, &state.params.target, SweepScope::Everything).await
    }
}
