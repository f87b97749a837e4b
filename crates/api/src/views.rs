//! What is answered, beside the types that all crates share.

use std::collections::BTreeMap;

use jiff::Timestamp;
use novacron_control as control;
use novacron_types::{ByteSize, Instance, Migration, ProviderKind, ProviderName, Role, TransferOptions, VmRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A configured provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Provider {
    #[schema(value_type = String)]
    pub name: ProviderName,
    pub kind: ProviderKind,
    /// The vendor's region, or the host's name.
    pub region: Option<String>,
    /// False where disks are kept and nothing can run.
    pub runs_guests: bool,
    /// True where the answers come from an emulation, as far as can be told.
    pub emulated: bool,
    /// `disk_source`, `changed_blocks`, `disk_sink`, `images`, `metrics`.
    pub capabilities: Vec<String>,
}

impl From<control::ProviderSummary> for Provider {
    fn from(summary: control::ProviderSummary) -> Self {
        Self {
            name: summary.name,
            kind: summary.kind,
            region: summary.region,
            runs_guests: summary.runs_guests,
            emulated: summary.emulated,
            capabilities: summary.capabilities.iter().map(ToString::to_string).collect(),
        }
    }
}

/// All configured providers: the list has one page.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Providers {
    pub providers: Vec<Provider>,
}

/// A page of machines at a provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Instances {
    pub instances: Vec<Instance>,
    /// Give it as `cursor` for the next page. Absent on the last.
    pub next_cursor: Option<String>,
}

/// A page of migrations, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Migrations {
    pub migrations: Vec<Migration>,
    /// Give it as `cursor` for the next page. Absent on the last.
    pub next_cursor: Option<String>,
}

/// A page of the federation's records of machines.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Vms {
    pub vms: Vec<VmRecord>,
    /// Give it as `cursor` for the next page. Absent on the last.
    pub next_cursor: Option<String>,
}

/// What was asked of a change to a migration that runs.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MigrationChange {
    /// Bytes a second over all disks; 0: no limit. A number, or a text such as `100MB`.
    #[schema(value_type = u64, maximum = 9007199254740991u64)]
    pub bandwidth_limit: ByteSize,
}

/// What an import, export or migration would do: the answer to `dry_run=true`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Plan {
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

impl From<control::MigrationPlan> for Plan {
    fn from(plan: control::MigrationPlan) -> Self {
        Self {
            source: plan.source,
            destination: plan.destination,
            instance: plan.instance,
            name: plan.name,
            disk_bytes: plan.disk_bytes,
            steps: plan.steps,
            transfer: plan.transfer,
            starts_at_target: plan.starts_at_target,
            stops_source: plan.stops_source,
            deletes_source: plan.deletes_source,
            notes: plan.notes,
        }
    }
}

/// How the control plane is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Health {
    /// `healthy`; `degraded` if a provider is not connected; `unhealthy` if the store or the mover does not answer.
    pub status: String,
    pub providers: BTreeMap<String, ProviderHealth>,
    pub store: bool,
    pub mover: bool,
    pub version: String,
}

/// What a provider's last health call came to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProviderHealth {
    /// `connected`, `refused` (credentials or permission) or `unreachable`.
    pub status: String,
    pub region: Option<String>,
    pub account: Option<String>,
    /// Machines seen by the last whole discovery; absent before the first.
    pub instances_discovered: Option<u64>,
    /// The round trip of the health call.
    pub latency_ms: Option<f64>,
    pub detail: String,
    #[schema(value_type = String, format = DateTime)]
    pub checked_at: Timestamp,
}

impl From<control::HealthReport> for Health {
    fn from(report: control::HealthReport) -> Self {
        let one = |health: control::ProviderHealth| ProviderHealth {
            status: health.status,
            region: health.region,
            account: health.account,
            instances_discovered: health.instances_discovered,
            latency_ms: health.latency_ms,
            detail: health.detail,
            checked_at: health.checked_at,
        };
        Self {
            status: report.status,
            providers: report.providers.into_iter().map(|(name, health)| (name.to_string(), one(health))).collect(),
            store: report.store,
            mover: report.mover,
            version: report.version,
        }
    }
}

/// A page of the audit log, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Audit {
    pub entries: Vec<AuditEntry>,
    /// Give it as `cursor` for the next page. Absent on the last.
    pub next_cursor: Option<String>,
}

/// A change that somebody asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditEntry {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The token's name; `local` where none is needed.
    pub actor: String,
    pub action: String,
    /// What it was asked of: a provider, a migration.
    pub target: String,
    /// `accepted`, or the code of the refusal.
    pub outcome: String,
    pub detail: serde_json::Value,
}

impl From<control::AuditPage> for Audit {
    fn from(page: control::AuditPage) -> Self {
        let entries = page.items.into_iter().map(|entry| AuditEntry {
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            target: entry.target,
            outcome: entry.outcome,
            detail: entry.detail,
        });
        Self { entries: entries.collect(), next_cursor: page.next }
    }
}

/// Who the server takes the caller for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Whoami {
    pub actor: String,
    pub role: Role,
}
