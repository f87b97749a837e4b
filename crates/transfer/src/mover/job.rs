//! One job on one connection.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use novacron_provider::{BlockReader, BlockWriter, DiskSnapshot, ErrorKind, ExtentPage, Provider, ProviderError};
use tokio::net::UnixStream;

use super::{
    FromMover, JobFault, JobSpec, SourceSpec, TargetSpec, converse::converse, ledgers::ledger_path, server::Shared,
};
use crate::{
    CopyControl, CopyJob, CopyOptions, TransferError, copy,
    engine::Changes,
    ledger::{LedgerError, LedgerIdentity, SyncIdentity},
};

/// A ledger may still be held by a job whose connection was just lost, and that makes a last flush …
const LEDGER_WAIT: Duration = Duration::from_secs(40);
/// … and so may its target.
const TARGET_WAIT: Duration = LEDGER_WAIT;

/// Runs a job to its end, or until its connection is lost or the mover stops.
pub(super) async fn run(stream: UnixStream, spec: JobSpec, shared: Arc<Shared>) {
    let control = CopyControl::new(shared.budget.clone());
    if let Some(limit) = spec.options.transfer.bandwidth_limit {
        control.rate.set(Some(limit.0));
    }
    let (from, to) = stream.into_split();
    let work = async {
        match work(spec, &shared, &control).await {
            Ok(report) => FromMover::Done(Box::new(report)),
            Err(fault) => FromMover::Failed(fault),
        }
    };
    converse(from, to, work, &control, &shared.stop).await;
}

async fn work(spec: JobSpec, shared: &Shared, control: &CopyControl) -> Result<crate::CopyReport, JobFault> {
    let turn = shared.turn(&spec.ledger_key);
    let _turn = tokio::time::timeout(LEDGER_WAIT, turn.lock())
        .await
        .map_err(|_| JobFault::new("unavailable", "another job is moving this disk"))?;
    let open = async {
        spec.options.transfer.check().map_err(|why| JobFault::new("invalid", why))?;
        let (reader, changes) = open_source(shared, &spec.source).await?;
        let writer = open_target(shared, &spec.target).await?;
        Ok::<_, JobFault>((reader, changes, writer))
    };
    let (reader, changes, writer) = tokio::select! {
        opened = open => opened?,
        () = control.cancel.cancelled() => return Err(TransferError::Cancelled.into()),
    };
    let (source, target) = (&spec.source, &spec.target);
    let transfer = &spec.options.transfer;
    let started = tokio::time::Instant::now();
    loop {
        let job = CopyJob {
            reader: reader.clone(),
            writer: writer.clone(),
            changes: changes.clone(),
            ledger: ledger_path(&shared.ledgers, &spec.ledger_key),
            identity: LedgerIdentity {
                source: format!("{}/{}", source.definition.name, source.snapshot.disk_id),
                target: format!("{}/{}", target.definition.name, target.disk.disk_id),
                size_bytes: source.snapshot.size_bytes,
            },
            sync: SyncIdentity {
                snapshot: source.snapshot.snapshot_id.to_string(),
                base: source.base.as_ref().map(|base| base.snapshot_id.to_string()),
            },
            new_target: spec.options.new_target,
            options: CopyOptions {
                workers: transfer.workers(),
                extent_bytes: transfer.chunk_size_bytes(),
                verify: transfer.verify(),
                ..CopyOptions::default()
            },
        };
        match copy(job, control.clone()).await {
            Err(TransferError::Ledger(LedgerError::InUse { .. })) if started.elapsed() < LEDGER_WAIT => {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            result => return result.map_err(JobFault::from),
        }
    }
}

type Source = (Arc<dyn BlockReader>, Option<Arc<dyn Changes>>);

async fn open_source(shared: &Shared, source: &SourceSpec) -> Result<Source, JobFault> {
    let name = &source.definition.name;
    let at = |error: ProviderError| JobFault::from(error.at(name));
    let provider = shared.provider(&source.definition).await.map_err(at)?;
    let disks = provider.disk_source().ok_or_else(|| lacks(name, "give disks out"))?;
    let reader = disks.open_reader(&source.snapshot).await.map_err(at)?;
    let changes = match &source.base {
        Some(base) if provider.changed_blocks().is_some() => {
            Some(
                Arc::new(Between { provider: provider.clone(), base: base.clone(), snapshot: source.snapshot.clone() })
                    as Arc<dyn Changes>,
            )
        }
        _ => None,
    };
    Ok((reader, changes))
}

async fn open_target(shared: &Shared, target: &TargetSpec) -> Result<Arc<dyn BlockWriter>, JobFault> {
    let name = &target.definition.name;
    let at = |error: ProviderError| JobFault::from(error.at(name));
    let provider = shared.provider(&target.definition).await.map_err(at)?;
    let disks = provider.disk_sink().ok_or_else(|| lacks(name, "take disks in"))?;
    let started = tokio::time::Instant::now();
    loop {
        match disks.open_writer(&target.disk).await {
            Err(error) if error.kind == ErrorKind::Conflict && started.elapsed() < TARGET_WAIT => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            result => return result.map_err(at),
        }
    }
}

fn lacks(name: &novacron_types::ProviderName, what: &str) -> JobFault {
    JobFault::from(ProviderError::new(ErrorKind::Invalid, "open", format!("it can't {what}")).at(name))
}

/// What changed between two snapshots, as their provider says.
struct Between {
    provider: Arc<dyn Provider>,
    base: DiskSnapshot,
    snapshot: DiskSnapshot,
}

#[async_trait]
impl Changes for Between {
    async fn changed(&self, from: u64) -> Result<ExtentPage, ProviderError> {
        match self.provider.changed_blocks() {
            Some(changes) => changes.changed(&self.base, &self.snapshot, from).await,
            None => Err(ProviderError::new(ErrorKind::Conflict, "changed", "it can't tell what changed")),
        }
    }
}
