//! The federation's record of a machine.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Instance, OperationId, ProviderName, VmId};

/// What sort of place a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    Aws,
    Azure,
    Gcp,
    Oci,
    Openstack,
    Libvirt,
    Vsphere,
    /// Disks in a folder; it runs no guests.
    Files,
    /// In memory, for tests.
    Memory,
}

impl ProviderKind {
    /// The clouds whose prices are listed. All other kinds are hosts of one's own, or like them.
    pub const CLOUDS: [Self; 4] = [Self::Aws, Self::Azure, Self::Gcp, Self::Oci];

    pub fn is_cloud(self) -> bool {
        Self::CLOUDS.contains(&self)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
            Self::Oci => "oci",
            Self::Openstack => "openstack",
            Self::Libvirt => "libvirt",
            Self::Vsphere => "vsphere",
            Self::Files => "files",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a kind of provider")]
pub struct UnknownKind(pub String);

impl FromStr for ProviderKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        use ProviderKind::{Aws, Azure, Files, Gcp, Libvirt, Memory, Oci, Openstack, Vsphere};
        [Aws, Azure, Gcp, Oci, Openstack, Libvirt, Vsphere, Files, Memory]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// A machine that the federation answers for, with an id that outlives every move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VmRecord {
    pub vm_id: VmId,
    pub name: String,
    pub provider: ProviderName,
    /// What it is at that provider, as last seen.
    pub instance: Instance,
    /// The operation that brought it where it is.
    pub placed_by: Option<OperationId>,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
}
