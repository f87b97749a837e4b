//! Seals the written disks, so that a machine can be made from them.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_provider::wait_for_disk;
use novacron_types::{DiskProof, VerifyLevel};

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
        let asked = state.params.transfer.verify();
        state.proofs.iter().try_for_each(|proof| proven(proof, asked))?;
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

/// Whether what the mover says of a disk is as much as was asked for. The mover is another process, and may be wrong.
fn proven(proof: &DiskProof, asked: VerifyLevel) -> Result<(), StepError> {
    let what = match proof.target_root {
        Some(root) if root == proof.source_root => return Ok(()),
        None if asked == VerifyLevel::Transit => return Ok(()),
        Some(root) => format!("the source's content root is {}, the target's {root}", proof.source_root),
        None => "what the target stored was to be checked, and was not".to_owned(),
    };
    Err(StepError::permanent("not_verified", format!("{}: {what}", proof.device)).advice(
        "The source is as it was. Start again; if it happens again, look at the target's disk and the mover's log.",
    ))
}

#[cfg(test)]
mod tests {
    use novacron_types::ContentRoot;

    use super::*;

    #[test]
    fn a_proof_has_to_show_what_was_asked_for() {
        let (right, wrong) = (ContentRoot([1; 32]), ContentRoot([2; 32]));
        for (target_root, asked, enough) in [
            (Some(right), VerifyLevel::Stored, true),
            (Some(right), VerifyLevel::Transit, true),
            (None, VerifyLevel::Transit, true),
            (None, VerifyLevel::Stored, false),
            (Some(wrong), VerifyLevel::Stored, false),
            (Some(wrong), VerifyLevel::Transit, false),
        ] {
            let proof = DiskProof {
                device: "vda".to_owned(),
                size_bytes: 1,
                source_root: right,
                target_root,
                verified: asked,
                method: String::new(),
            };
            let found = proven(&proof, asked);
            assert_eq!(found.is_ok(), enough, "{target_root:?} {asked:?} {found:?}");
            assert!(found.err().is_none_or(|error| error.fault().code == "not_verified"));
        }
    }
}
