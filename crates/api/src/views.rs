//! What is answered, beside what the control plane answers as it is shown and the types that all crates share.

use jiff::Timestamp;
use novacron_control as control;
use novacron_types::{ByteSize, Instance, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All configured providers: the list has one page.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Providers {
    pub providers: Vec<control::ProviderSummary>,
}

/// A page of machines at a provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Instances {
    pub instances: Vec<Instance>,
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
