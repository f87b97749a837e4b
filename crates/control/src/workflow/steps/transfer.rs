//! Has a mover make each disk equal to its snapshot, and keeps the proof.

use async_trait::async_trait;
use novacron_operations::{Outcome, Step, StepContext, StepError};
use novacron_types::{DiskProof, TransferStats};
use tokio::sync::watch;

use super::{
    super::{MoveState, Tools},
    ledger_key,
};
use crate::{DiskJob, DiskResult};

pub(super) struct Transfer(pub Tools);

#[async_trait]
impl Step<MoveState> for Transfer {
    fn name(&self) -> &'static str {
        "transfer"
    }
    fn weight(&self) -> f64 {
        80.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let total: u64 = state.snapshots.iter().map(|snapshot| snapshot.size_bytes).sum();
        if state.proofs.is_empty() && state.params.transfer.wants_compression() {
            cx.log(NOT_COMPRESSED);
        }
        let mut before = TransferStats { bytes_total: total, ..TransferStats::default() };
        // One disk after the other: a mover keeps all workers busy with one, and the proofs come one by one.
        for index in 0..state.snapshots.len() {
            let job = self.job(cx, state, index)?;
            let result = self.run_job(cx, job, &before).await?;
            before = add(&before, &result.stats);
            // The last figures of the job came with its result, not as progress.
            cx.transfer(before.clone());
            if index >= state.proofs.len() {
                keep(state, index, result);
                cx.save(state).await?;
            }
        }
        Ok(Outcome::Done)
    }

    /// The disks go with the step that made them. What the mover remembers of the job is of no use then, and does no
    /// harm: a mover that does not answer must not keep the rest from being undone.
    async fn undo(&self, cx: &StepContext, state: &mut MoveState) -> Result<(), StepError> {
        forget_all(&self.0, cx, state).await;
        Ok(())
    }
}

/// Said to who asks for compression.
pub(crate) const NOT_COMPRESSED: &str =
    "Nothing is compressed: one mover reads the source and writes the target, and no bytes go between two.";

/// Has the mover forget the jobs of this operation. One that has just died is waited for; one that stays away is not
/// asked again for each disk.
pub(super) async fn forget_all(tools: &Tools, cx: &StepContext, state: &MoveState) {
    for index in 0..state.snapshots.len() {
        if let Err(error) = tools.mover.forget(&ledger_key(cx.operation_id(), index)).await {
            let rest = if error.transient && index + 1 < state.snapshots.len() { " and of those after it" } else { "" };
            cx.log(format!("the mover's ledger of disk {index}{rest} stays behind: {error}"));
            if error.transient {
                return;
            }
        }
    }
}

impl Transfer {
    fn job(&self, cx: &StepContext, state: &MoveState, index: usize) -> Result<DiskJob, StepError> {
        let disk = state.disks.get(index).ok_or_else(|| {
            StepError::permanent("state_unreadable", format!("the operation has no disk number {index} at its target"))
        })?;
        Ok(DiskJob {
            key: ledger_key(cx.operation_id(), index),
            source: self.0.entry(&state.params.source)?.definition.clone(),
            snapshot: state.snapshots[index].clone(),
            target: self.0.entry(&state.params.target)?.definition.clone(),
            disk: disk.clone(),
            options: state.params.transfer.clone(),
        })
    }

    /// Runs one job, passing on its progress and the changes of the rate limit.
    async fn run_job(&self, cx: &StepContext, job: DiskJob, before: &TransferStats) -> Result<DiskResult, StepError> {
        let (progress, mut told) = watch::channel(TransferStats::default());
        let mut controls = cx.controls();
        let (rate, limit) = watch::channel(rate_limit(&controls.borrow_and_update()));
        let run = self.0.mover.run(job, progress, limit);
        tokio::pin!(run);
        loop {
            tokio::select! {
                result = &mut run => return result.map_err(StepError::from),
                Ok(()) = told.changed() => {
                    let stats = add(before, &told.borrow_and_update());
                    if stats.bytes_total > 0 {
                        cx.progress(stats.bytes_done as f64 / stats.bytes_total as f64);
                    }
                    cx.transfer(stats);
                }
                Ok(()) = controls.changed() => {
                    rate.send_replace(rate_limit(&controls.borrow_and_update()));
                }
            }
        }
    }
}

/// The key of an operation's controls under which its rate limit is: bytes a second.
pub(crate) const BANDWIDTH_LIMIT: &str = "bandwidth_limit";

fn rate_limit(controls: &serde_json::Value) -> Option<u64> {
    controls.get(BANDWIDTH_LIMIT).and_then(serde_json::Value::as_u64).filter(|rate| *rate > 0)
}

fn keep(state: &mut MoveState, index: usize, result: DiskResult) {
    let snapshot = &state.snapshots[index];
    state.proofs.push(DiskProof {
        device: snapshot.device.clone(),
        size_bytes: snapshot.size_bytes,
        source_root: result.source_root,
        target_root: result.target_root,
        verified: result.verified,
        method: result.method,
    });
    state.written.push(result.written);
}

/// The sums over the disks that are done and the one at work. The total is that of all, known from the start.
fn add(before: &TransferStats, now: &TransferStats) -> TransferStats {
    let bytes_done = before.bytes_done + now.bytes_done;
    let left = before.bytes_total.saturating_sub(bytes_done);
    TransferStats {
        bytes_total: before.bytes_total,
        bytes_done,
        bytes_transferred: before.bytes_transferred + now.bytes_transferred,
        bytes_zero: before.bytes_zero + now.bytes_zero,
        bytes_unchanged: before.bytes_unchanged + now.bytes_unchanged,
        bytes_resumed: before.bytes_resumed + now.bytes_resumed,
        bytes_verified: before.bytes_verified + now.bytes_verified,
        transfer_rate: now.transfer_rate,
        // The mover knows its own disk's rest; that of the later ones is at most their size at the present rate.
        estimated_time_remaining: now.estimated_time_remaining.map(|seconds| {
            let later = left.saturating_sub(now.bytes_total.saturating_sub(now.bytes_done));
            seconds + now.transfer_rate.filter(|rate| *rate > 0.0).map_or(0.0, |rate| later as f64 / (rate * 1e6))
        }),
    }
}
