//! What the API is asked about migrations, and what it answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ContentRoot, InstanceId, OperationId, ProviderName, VmId};

/// Where an operation stands, in the words shown to users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Preparing,
    Transferring,
    /// Waiting for a time or a person; it says what for.
    Held,
    Finalizing,
    Completed,
    RollingBack,
    /// Undone after a failure; nothing was left behind.
    RolledBack,
    /// Undone at someone's wish; nothing was left behind.
    Cancelled,
    /// It could not be undone: a person is needed, and told what for.
    Failed,
}

impl Status {
    pub const ALL: [Status; 10] = [
        Self::Pending,
        Self::Preparing,
        Self::Transferring,
        Self::Held,
        Self::Finalizing,
        Self::Completed,
        Self::RollingBack,
        Self::RolledBack,
        Self::Cancelled,
        Self::Failed,
    ];

    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::RolledBack | Self::Cancelled | Self::Failed)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Preparing => "preparing",
            Self::Transferring => "transferring",
            Self::Held => "held",
            Self::Finalizing => "finalizing",
            Self::Completed => "completed",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Status {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|status| status.as_str()).collect();
            format!("{text:?} is not a status; there are {}", all.join(", "))
        })
    }
}

/// A step that was finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Checkpoint {
    pub phase: String,
    /// Percent of the whole work when it was reached.
    pub progress: f64,
    /// Whether everything up to here can still be undone.
    pub reversible: bool,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}

/// What has been moved so far. Every figure was measured; what is not known is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct TransferStats {
    /// Size of all disks, holes included.
    pub bytes_total: u64,
    /// Bytes whose place on the target is settled: moved, skipped or found equal.
    pub bytes_done: u64,
    /// Bytes of data read from the source and written to the target.
    pub bytes_transferred: u64,
    /// Bytes that were zero, and so were not moved.
    pub bytes_zero: u64,
    /// Bytes found equal at the target, and so were not moved.
    pub bytes_unchanged: u64,
    /// Bytes that were already moved before an interruption.
    pub bytes_resumed: u64,
    /// Bytes read back from the target and compared.
    pub bytes_verified: u64,
    /// MB/s (10⁶ bytes), over the last seconds.
    pub transfer_rate: Option<f64>,
    /// Seconds, from the rate of the last seconds.
    pub estimated_time_remaining: Option<f64>,
}

/// Why an operation did not succeed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OperationFault {
    /// Stable and machine-readable (`disk_full`, `unauthorised`).
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MigrationKind {
    /// To the local host, or another provider that the request names.
    Import,
    /// From where the VM is to the provider that is asked.
    Export,
    /// From any provider to any other.
    Migrate,
}

impl MigrationKind {
    pub const ALL: [MigrationKind; 3] = [Self::Import, Self::Export, Self::Migrate];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Export => "export",
            Self::Migrate => "migrate",
        }
    }
}

/// How the target's bytes were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum VerifyLevel {
    /// The digest of what was sent is known; what was stored was not looked at again.
    Transit,
    /// What the target stored was checked: by the store's own checked checksum, or by reading it back.
    Stored,
}

/// The proof for one disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiskProof {
    pub device: String,
    pub size_bytes: u64,
    pub source_root: ContentRoot,
    /// The root of what the target holds. Absent where nobody has looked at what it stored (`verified: transit`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_root: Option<ContentRoot>,
    pub verified: VerifyLevel,
    /// In words: what was compared with what.
    pub method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MigrationProof {
    pub disks: Vec<DiskProof>,
}

/// `POST /providers/{provider}/import`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    pub instance_id: InstanceId,
    /// Where to; a provider's name or kind. Default: `local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What to call the VM. Default: the instance's name, else its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`ImportOptions`](crate::ImportOptions).
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::ImportOptions))]
    pub options: serde_json::Map<String, Value>,
}

/// `POST /providers/{provider}/export`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    pub vm_id: VmId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`ExportOptions`](crate::ExportOptions).
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::ExportOptions))]
    pub options: serde_json::Map<String, Value>,
}

/// `POST /migrations`: from any provider to any other. Between two regions of one vendor that can copy images the
/// machine goes as an image; else disk by disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MigrateRequest {
    /// A provider's name or kind.
    pub source: String,
    pub instance_id: InstanceId,
    /// A provider's name or kind.
    pub destination: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`ExportOptions`](crate::ExportOptions).
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::ExportOptions))]
    pub options: serde_json::Map<String, Value>,
}

/// The answer to a request for long work: 202.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MigrationAccepted {
    pub migration_id: OperationId,
    pub status: Status,
    pub progress: f64,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub start_time: Timestamp,
}

/// `GET /migrations/{id}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Migration {
    pub migration_id: OperationId,
    pub kind: MigrationKind,
    pub status: Status,
    /// The step that runs, or the last one that ran.
    pub phase: String,
    /// Percent, 0 to 100.
    pub progress: f64,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub start_time: Timestamp,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub end_time: Option<Timestamp>,
    pub source: ProviderName,
    pub destination: ProviderName,
    pub instance_id: Option<InstanceId>,
    pub vm_id: Option<VmId>,
    /// What the machine is at the destination, once it is there.
    pub target_instance_id: Option<InstanceId>,
    pub checkpoints: Vec<Checkpoint>,
    pub transfer_stats: TransferStats,
    /// The boot disk's content root at the source, once known.
    pub source_checksum: Option<ContentRoot>,
    /// The boot disk's content root at the target, once somebody has looked; so never with `verify_integrity: false`,
    /// unless the target's own store checks what it takes.
    pub target_checksum: Option<ContentRoot>,
    pub proof: Option<MigrationProof>,
    pub error: Option<OperationFault>,
    /// What it waits for, while it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_reason: Option<String>,
    pub cancel_requested: bool,
}
