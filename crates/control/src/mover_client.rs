//! The mover in another process, as a [`DiskMover`].

use std::time::Duration;

use async_trait::async_trait;
use novacron_transfer::mover::{JobOptions, JobSpec, MoverClient, MoverError, SourceSpec, TargetSpec, ToMover};
use novacron_types::TransferStats;
use tokio::sync::watch;

use crate::{DiskJob, DiskMover, DiskResult, MoverFault};

/// Who asks whether it is alive does not wait for as long as a job would.
const ALIVE: Duration = Duration::from_secs(5);

#[async_trait]
impl DiskMover for MoverClient {
    async fn run(
        &self,
        job: DiskJob,
        progress: watch::Sender<TransferStats>,
        mut rate: watch::Receiver<Option<u64>>,
    ) -> Result<DiskResult, MoverFault> {
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

    async fn forget(&self, key: &str) -> Result<(), MoverFault> {
        MoverClient::forget(self, key).await.map_err(failure)
    }

    async fn is_alive(&self) -> bool {
        self.clone().silence(ALIVE).ping().await.is_ok()
    }
}

fn failure(error: MoverError) -> MoverFault {
    let fault = match error {
        MoverError::Job(fault) if !fault.is_cancelled() => fault,
        // A job is stopped here by leaving it; so the mover itself is stopping, and its ledger goes on.
        other => {
            return MoverFault {
                code: "unavailable".to_owned(),
                message: format!("mover: {other}"),
                advice: None,
                transient: true,
                retry_after: None,
            };
        }
    };
    MoverFault {
        message: fault.to_string(),
        transient: fault.is_transient(),
        retry_after: fault.retry_after(),
        code: fault.code,
        advice: fault.advice,
    }
}

#[cfg(test)]
mod tests {
    use novacron_operations::StepError;
    use novacron_provider::{ErrorKind, ProviderError};
    use novacron_transfer::mover::JobFault;

    use super::*;

    #[test]
    fn each_code_of_the_mover_reaches_the_operation_as_itself() {
        for code in JobFault::CODES {
            let fault = JobFault { advice: Some("do this".into()), ..JobFault::new(code, "it went wrong") };
            let told = StepError::from(failure(MoverError::Job(fault)));
            // Nobody cancels a job but by leaving it: then it is the mover that ends.
            let stopping = code == "cancelled";
            assert_eq!(told.fault().code, if stopping { "unavailable" } else { code });
            assert_eq!(told.is_transient(), stopping || ["throttled", "unavailable"].contains(&code), "{code}");
            assert!(told.fault().message.contains("it went wrong"), "{told:?}");
            assert_eq!(told.fault().advice.as_deref(), (!stopping).then_some("do this"), "{code}");
        }
    }

    #[test]
    fn a_mover_that_is_silent_is_no_reason_to_give_up() {
        let told = StepError::from(failure(MoverError::Lost("the mover has been silent for 30 s".to_owned())));
        assert!(told.is_transient());
        assert_eq!(told.fault().code, "unavailable");
    }

    #[test]
    fn an_operation_is_named_once() {
        let original = ProviderError::new(ErrorKind::Unavailable, "GetSnapshotBlock", "block 38 came cut short");
        let told = failure(MoverError::Job(original.clone().into()));
        assert_eq!(told.to_string(), "GetSnapshotBlock: block 38 came cut short");
        assert_eq!(told, MoverFault::from(original));
    }
}
