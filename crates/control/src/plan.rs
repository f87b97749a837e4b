//! What a move would do.

use novacron_types::{Instance, MigrationType, ProviderName, TransferOptions};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Control, ProviderSummary,
    request::Prepared,
    workflow::{MoveState, NOT_COMPRESSED, runs, step_names},
};

/// What an import, export or migration would do: the answer to a dry run.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct MigrationPlan {
    #[schema(value_type = String)]
    pub source: ProviderName,
    #[schema(value_type = String)]
    pub destination: ProviderName,
    pub instance: Instance,
    /// What the machine will be called.
    pub name: String,
    /// Size of all disks, where the provider says it.
    pub disk_bytes: Option<u64>,
    pub steps: Vec<String>,
    pub transfer: TransferOptions,
    pub starts_at_target: bool,
    pub stops_source: bool,
    pub deletes_source: bool,
    /// What a person should know before saying yes.
    pub notes: Vec<String>,
}

pub(crate) fn of(control: &Control, prepared: Prepared) -> MigrationPlan {
    let Prepared { params, source, .. } = prepared;
    let mut state = MoveState::new(params.clone());
    state.was_running = runs(source.state);
    state.source = Some(source.clone());
    let target_runs = control
        .providers()
        .into_iter()
        .any(|ProviderSummary { name, runs_guests, .. }| name == params.target && runs_guests);
    let stops_source = state.was_running && params.migration_type == MigrationType::Cold;
    let mut notes = Vec::new();
    if state.was_running && !stops_source {
        notes.push("The source runs on: the copy is crash-consistent, as after a loss of power.".to_owned());
    }
    if state.starts() && !target_runs {
        notes.push(format!("{} keeps disks and runs no guests: the machine will not be started there.", params.target));
    }
    if params.transfer.wants_compression() {
        notes.push(NOT_COMPRESSED.to_owned());
    }
    if params.delete_source {
        let grace = params.grace_seconds;
        notes.push(format!(
            "The source is deleted {grace} s after the target is verified; until then it can be undone."
        ));
    }
    MigrationPlan {
        name: state.name(),
        disk_bytes: source.disks.iter().map(|disk| disk.size_bytes).sum(),
        steps: step_names(&control.inner.tools, &params),
        starts_at_target: state.starts() && target_runs,
        stops_source,
        deletes_source: params.delete_source,
        source: params.source,
        destination: params.target,
        transfer: params.transfer,
        instance: source,
        notes,
    }
}
