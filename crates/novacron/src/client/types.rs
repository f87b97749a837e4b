//! What the API answers, beside what `novacron-types` has.

use std::collections::BTreeMap;

use novacron_types::{Instance, ProviderKind, ProviderName, TransferOptions};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProviderSummary {
    pub name: ProviderName,
    pub kind: ProviderKind,
    pub region: Option<String>,
    pub runs_guests: bool,
    pub emulated: bool,
    pub capabilities: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProviderHealth {
    pub status: String,
    pub region: Option<String>,
    pub account: Option<String>,
    pub instances_discovered: Option<u64>,
    pub latency_ms: Option<f64>,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthReport {
    pub status: String,
    /// Why it is not `healthy`.
    #[serde(default)]
    pub reasons: Vec<String>,
    pub providers: BTreeMap<ProviderName, ProviderHealth>,
    pub store: bool,
    pub mover: bool,
    pub version: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MigrationPlan {
    pub source: ProviderName,
    pub destination: ProviderName,
    pub instance: Instance,
    pub name: String,
    pub disk_bytes: Option<u64>,
    pub steps: Vec<String>,
    pub transfer: TransferOptions,
    pub starts_at_target: bool,
    pub stops_source: bool,
    pub deletes_source: bool,
    pub notes: Vec<String>,
}
