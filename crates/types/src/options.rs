//! How a migration should be done: the options of a request, over the defaults of the configuration.

use serde::{Deserialize, Serialize};

use crate::{ByteSize, VerifyLevel};

/// When the source stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MigrationType {
    /// A crash-consistent snapshot is moved; the source goes on running as it was.
    #[default]
    Snapshot,
    /// The source is stopped before its snapshot is taken.
    Cold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// The target's configured network and subnet.
    #[default]
    Vpc,
    /// As `vpc`, with a public address.
    Public,
    /// No interface is asked for beyond the provider's own default.
    Default,
}

/// How bytes are moved: the seeds' `migration_options`. Absent parts take the configuration's, then the default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TransferOptions {
    /// Compress between two movers. In this version one mover reads the source and writes the target, so that there is
    /// nothing to compress for; who asks for it is told so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression_enabled: Option<bool>,
    /// zstd's level, 1 to 19, between two movers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 19))]
    pub compression_level: Option<i32>,
    /// The extent that one worker takes, in MiB, 1 to 1024. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1024))]
    pub chunk_size_mb: Option<u32>,
    /// Workers to a disk, 1 to 64. Default: 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 64))]
    pub parallel_transfers: Option<u32>,
    /// Bytes a second over all disks of the migration; 0 or absent: no limit. It can be changed while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth_limit: Option<ByteSize>,
    /// True: the target's stored bytes are checked (`verify: stored`). False: only what was sent (`transit`).
    /// Verification can't be switched off. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_integrity: Option<bool>,
}

impl TransferOptions {
    /// What this says, and where it is silent, what `fallback` says.
    pub fn or(&self, fallback: &TransferOptions) -> TransferOptions {
        TransferOptions {
            compression_enabled: self.compression_enabled.or(fallback.compression_enabled),
            compression_level: self.compression_level.or(fallback.compression_level),
            chunk_size_mb: self.chunk_size_mb.or(fallback.chunk_size_mb),
            parallel_transfers: self.parallel_transfers.or(fallback.parallel_transfers),
            bandwidth_limit: self.bandwidth_limit.or(fallback.bandwidth_limit),
            verify_integrity: self.verify_integrity.or(fallback.verify_integrity),
        }
    }

    /// Refuses values out of their range, naming the key, the range and the value.
    pub fn check(&self) -> Result<(), String> {
        fn range<T: PartialOrd + std::fmt::Display>(
            key: &str,
            value: Option<T>,
            low: T,
            high: T,
        ) -> Result<(), String> {
            match value {
                Some(value) if value < low || value > high => {
                    Err(format!("`{key}` must be between {low} and {high}, not {value}"))
                }
                _ => Ok(()),
            }
        }
        range("compression_level", self.compression_level, 1, 19)?;
        range("chunk_size_mb", self.chunk_size_mb, 1, 1024)?;
        range("parallel_transfers", self.parallel_transfers, 1, 64)
    }

    /// Whether somebody has said that it be compressed.
    pub fn wants_compression(&self) -> bool {
        self.compression_enabled.unwrap_or(self.compression_level.is_some())
    }

    pub fn chunk_size_bytes(&self) -> u64 {
        u64::from(self.chunk_size_mb.unwrap_or(100)) * crate::MIB
    }

    pub fn workers(&self) -> usize {
        self.parallel_transfers.unwrap_or(4) as usize
    }

    pub fn verify(&self) -> VerifyLevel {
        if self.verify_integrity.unwrap_or(true) { VerifyLevel::Stored } else { VerifyLevel::Transit }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ImportOptions {
    /// Default: `cold` where the source is terminated, else `snapshot`.
    pub migration_type: Option<MigrationType>,
    /// Terminate the instance once the target is verified and the grace period has passed.
    pub terminate_source: bool,
    pub network_mode: NetworkMode,
    pub ebs_optimized: Option<bool>,
    /// Start the machine at the target. Default: only when the source is stopped or terminated by this import.
    pub start: Option<bool>,
    /// Seconds until the machine is at the target, verified and recorded; undoing is not counted. Absent: no limit.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 31622400))]
    pub timeout: Option<u64>,
    /// Retry what may succeed later. Default: true.
    pub retry_on_failure: Option<bool>,
    #[serde(flatten)]
    pub transfer: TransferOptions,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ExportOptions {
    /// Default: `cold` where the source is deleted, else `snapshot`.
    pub migration_type: Option<MigrationType>,
    pub instance_type: Option<String>,
    /// Delete the VM at its source once the target is verified and the grace period has passed.
    pub delete_source: bool,
    pub ebs_volume_type: Option<String>,
    pub ebs_iops: Option<u32>,
    pub network_mode: NetworkMode,
    pub ebs_optimized: Option<bool>,
    /// Start the machine at the target. Default: true.
    pub start: Option<bool>,
    /// Seconds until the machine is at the target, verified and recorded; undoing is not counted. Absent: no limit.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 31622400))]
    pub timeout: Option<u64>,
    /// Retry what may succeed later. Default: true.
    pub retry_on_failure: Option<bool>,
    #[serde(flatten)]
    pub transfer: TransferOptions,
}
