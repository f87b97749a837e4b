//! The mover in another process, as a [`DiskMover`].

use async_trait::async_trait;
use novacron_provider::{ErrorKind, ProviderError};
use novacron_transfer::mover::{JobOptions, JobSpec, MoverClient, MoverError, SourceSpec, TargetSpec, ToMover};
use novacron_types::TransferStats;
use tokio::sync::watch;

use crate::{DiskJob, DiskMover, DiskResult};

#[async_trait]
impl DiskMover for MoverClient {
    async fn run(
        &self,
        job: DiskJob,
        progress: watch::Sender<TransferStats>,
        mut rate: watch::Receiver<Option<u64>>,
    ) -> Result<DiskResult, ProviderError> {
        let mut transfer = job.options;
        transfer.bandwidth_limit = rate.borrow_and_update().map(novacron_types::ByteSize);
        let spec = JobSpec {
            source: SourceSpec { definition: job.source.into(), snapshot: job.snapshot, base: None },
            target: TargetSpec { definition: job.target.into(), disk: job.disk },
            options: JobOptions { transfer, ..JobOptions::default() },
            ledger_key: job.key,
        };
        let handle = self.start(spec).await.map_err(failure)?;
        let (mut told, controls) = (handle.progress(), handle.controls());
        let done = handle.done();
        tokio::pin!(done);
        let report = loop {
            tokio::select! {
                report = &mut done => break report.map_err(failure)?,
                Ok(()) = told.changed() => {
                    progress.send_replace(told.borrow_and_update().stats.clone());
                }
                Ok(()) = rate.changed() => {
                    let bytes_per_second = *rate.borrow_and_update();
                    // A job that has just ended takes no command, and needs none.
                    let _ = controls.send(ToMover::SetRate { bytes_per_second }).await;
                }
            }
        };
        Ok(DiskResult {
            source_root: report.source_root,
            target_root: report.target_root,
            verified: report.verified,
            method: report.method,
            written: report.written,
            stats: report.stats,
        })
    }

    async fn forget(&self, key: &str) -> Result<(), ProviderError> {
        MoverClient::forget(self, key).await.map_err(failure)
    }

    async fn is_alive(&self) -> bool {
        self.ping().await.is_ok()
    }
}

fn failure(error: MoverError) -> ProviderError {
    let fault = match error {
        MoverError::Job(fault) if !fault.is_cancelled() => fault,
        // A job is stopped here by leaving it; so the mover itself is stopping, and its ledger goes on.
        other => return ProviderError::new(ErrorKind::Unavailable, "mover", other.to_string()),
    };
    let kind = fault.kind();
    let operation = fault.operation.unwrap_or(fault.code);
    // A fault's message begins with the operation, which the error puts before it too.
    let message = fault.message.strip_prefix(&format!("{operation}: ")).unwrap_or(&fault.message).to_owned();
    let mut error = ProviderError::new(kind, operation, message).request_id(fault.request_id);
    error.provider = fault.provider;
    error.advice = fault.advice;
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mover_that_stops_is_no_reason_to_give_up() {
        let stopping = failure(MoverError::Job(novacron_transfer::TransferError::Cancelled.into()));
        assert!(stopping.kind.is_transient(), "{stopping}");
    }

    #[test]
    fn an_operation_is_named_once() {
        let original = ProviderError::new(ErrorKind::Unavailable, "GetSnapshotBlock", "block 38 came cut short");
        let told = failure(MoverError::Job(original.clone().into()));
        assert_eq!(told.to_string(), "GetSnapshotBlock: block 38 came cut short");
        assert_eq!((told.kind, told.operation), (original.kind, original.operation));
    }
}
