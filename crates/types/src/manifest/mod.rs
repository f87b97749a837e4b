//! `kind: VirtualMachine`: a machine as a manifest describes it.
//!
//! Reading one from outside, with every fault and its place, is the work of `novacron-config`; what stands here is what it
//! comes to. Keys are written in camelCase and read in snake_case too.

mod machine;
mod name;
mod place;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use machine::{Federation, MachineSpec, Resources, Template, TemplateSpec, VirtualMachine};
pub use name::{MACHINE_NAME, MOST_CHARACTERS, is_machine_name, replica_name};
pub use place::{Failover, PlacementRules};

/// The version of the form of manifests.
pub const API_VERSION: &str = "novacron.io/v1alpha1";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ApiVersion {
    #[default]
    #[serde(rename = "novacron.io/v1alpha1")]
    V1Alpha1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MachineKind {
    #[default]
    VirtualMachine,
}

/// About a document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub name: String,
    /// Tags of the machine; policies ask for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// For people and other programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}
