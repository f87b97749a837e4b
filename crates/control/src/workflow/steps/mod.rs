//! The steps of a move, one file each.

mod clean_up;
mod create_disks;
mod create_vm;
mod delete_source;
mod images;
mod inspect;
mod record;
mod seal_disks;
mod snapshot;
mod stop_source;
mod transfer;

pub(crate) use transfer::{BANDWIDTH_LIMIT, NOT_COMPRESSED};

use novacron_operations::{OperationId, Step, StepContext, StepError};
use novacron_provider::{DiskSink, DiskSource, ErrorKind, OperationTag, Patience, Provider, SweepScope};
use novacron_types::{Instance, InstanceId, InstanceState, MigrationType, ProviderName};

use super::{MoveParams, MoveState, Tools};
use crate::{directory::Entry, error::step_error};

pub(super) fn all(tools: &Tools, params: &MoveParams) -> Vec<Box<dyn Step<MoveState>>> {
    let mut steps: Vec<Box<dyn Step<MoveState>>> = vec![Box::new(inspect::Inspect(tools.clone()))];
    if params.migration_type == MigrationType::Cold {
        steps.push(Box::new(stop_source::StopSource(tools.clone())));
    }
    if params.by_image {
        steps.push(Box::new(images::CreateImage(tools.clone())));
        steps.push(Box::new(images::CopyImage(tools.clone())));
    } else {
        steps.push(Box::new(snapshot::Snapshot(tools.clone())));
        steps.push(Box::new(create_disks::CreateDisks(tools.clone())));
        steps.push(Box::new(transfer::Transfer(tools.clone())));
        steps.push(Box::new(seal_disks::SealDisks(tools.clone())));
    }
    steps.push(Box::new(create_vm::CreateVm(tools.clone())));
    steps.push(Box::new(record::Record(tools.clone())));
    // The snapshots are kept over the grace period: some say whether the source has been written to since.
    if params.delete_source {
        steps.push(Box::new(delete_source::Grace(tools.clone())));
    }
    steps.push(Box::new(clean_up::CleanUp(tools.clone())));
    if params.delete_source {
        steps.push(Box::new(delete_source::DeleteSource(tools.clone())));
    }
    steps
}

/// For a cloud to make a snapshot, a disk or a machine.
const PATIENCE: Patience = Patience {
    first: std::time::Duration::from_millis(200),
    most: std::time::Duration::from_secs(10),
    limit: std::time::Duration::from_secs(6 * 3600),
};

/// How long what has been moved waits before that is tried again which does not depend on us alone.
pub(super) const AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(120);

/// Why a target is not removed whose source is gone.
fn only_copy(state: &MoveState) -> StepError {
    let instance = &state.params.instance;
    let message = format!("{instance} has been deleted by somebody else, so the target is the only copy, and is kept");
    StepError::needs_person("only_copy", message)
        .advice("Use the target. If it is not wanted, delete it at its provider")
}

/// Whether a source has been written to since its snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    No,
    Yes,
    /// A snapshot that could have told is gone.
    Unknown,
}

fn tag(cx: &StepContext) -> OperationTag {
    OperationTag(cx.operation_id().clone())
}

fn ledger_key(operation: &OperationId, index: usize) -> String {
    format!("{operation}-{index}")
}

impl Tools {
    fn entry(&self, name: &ProviderName) -> Result<&Entry, StepError> {
        self.directory.find(name.as_str()).map_err(|error| {
            StepError::permanent(error.code, format!("{}: it was configured when this began", error.message))
                .advice("Put the provider back into the configuration, then retry this operation.")
        })
    }

    /// The machine that is moved, if it is still there.
    async fn source_machine(&self, state: &MoveState) -> Result<Option<Instance>, StepError> {
        self.machine(&state.params.source, &state.params.instance).await
    }

    /// The machine that was made of it, if it is still there.
    async fn target_machine(&self, state: &MoveState) -> Result<Option<Instance>, StepError> {
        match &state.created {
            Some(created) => self.machine(&state.params.target, &created.instance_id).await,
            None => Ok(None),
        }
    }

    async fn machine(&self, provider: &ProviderName, id: &InstanceId) -> Result<Option<Instance>, StepError> {
        match self.provider(provider)?.get(id).await {
            Ok(found) => Ok(Some(found).filter(|found| found.state != InstanceState::Terminated)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(step_error(error)),
        }
    }

    /// Whether the disks that were copied have changed since.
    async fn was_written(&self, state: &MoveState) -> Result<Written, StepError> {
        let mut written = Written::No;
        for snapshot in &state.snapshots {
            match self.source(&state.params.source)?.snapshot_ready(snapshot).await {
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::Conflict => return Ok(Written::Yes),
                Err(error) if error.is_not_found() => written = Written::Unknown,
                Err(error) => return Err(step_error(error)),
            }
        }
        Ok(written)
    }

    pub(crate) fn provider(&self, name: &ProviderName) -> Result<&dyn Provider, StepError> {
        Ok(self.entry(name)?.provider.as_ref())
    }

    fn source(&self, name: &ProviderName) -> Result<&dyn DiskSource, StepError> {
        self.provider(name)?.disk_source().ok_or_else(|| lacks(name, "read disks"))
    }

    fn sink(&self, name: &ProviderName) -> Result<&dyn DiskSink, StepError> {
        self.provider(name)?.disk_sink().ok_or_else(|| lacks(name, "write disks"))
    }

    /// Removes everything that this operation made at a provider.
    async fn sweep(&self, cx: &StepContext, name: &ProviderName, scope: SweepScope) -> Result<(), StepError> {
        let removed = self.provider(name)?.sweep(&tag(cx), scope).await.map_err(step_error)?;
        if !removed.is_empty() {
            cx.log(format!("removed at {name}: {}", removed.join(", ")));
        }
        Ok(())
    }
}

fn lacks(name: &ProviderName, what: &str) -> StepError {
    StepError::permanent("no_such_capability", format!("provider {name} can't {what}"))
        .advice("Choose another provider; `novacron provider list` shows what each can do.")
}
