//! What a machine is, said without any cloud's words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Money;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    #[default]
    X86_64,
    Arm64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Firmware {
    #[default]
    Bios,
    Uefi,
}

/// What a machine needs or has. What is not known is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct VmSpec {
    pub vcpus: Option<u32>,
    pub memory_bytes: Option<u64>,
    pub architecture: Architecture,
    pub firmware: Firmware,
    /// The provider's word for the size (`t3.medium`). Where it is absent, the smallest that holds
    /// `vcpus` and `memory_bytes` is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    pub network: NetworkSpec,
    /// Given to cloud-init at first boot; plain text or bytes as text, not base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
    /// Labels of the federation, tags at a cloud.
    pub labels: BTreeMap<String, String>,
    /// Name or ARN of the identity that the machine runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam_profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_pair: Option<String>,
    /// Absent: on demand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spot: Option<Spot>,
    pub ebs_optimized: Option<bool>,
}

/// Bought from spare capacity, and taken back when the price or the demand rises.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Spot {
    /// The most to pay per hour. Absent: up to the on-demand price.
    pub max_price_per_hour: Option<Money>,
    /// Asked for again after an interruption.
    pub persistent: bool,
}

/// Where a machine is plugged in. Absent parts take the provider's configured default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_ip: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_ip: Option<String>,
}

/// How a new disk should be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DiskSpec {
    /// The provider's word for the kind (`gp3`). Absent: the provider's default.
    pub disk_type: Option<String>,
    pub iops: Option<u32>,
    pub throughput_mibps: Option<u32>,
    pub encrypted: Option<bool>,
    pub kms_key: Option<String>,
}
