//! A decision as it is kept.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Decision, PlacementRequest};
use crate::{OperationId, ProviderKind};

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlacementStatus {
    /// There is a place; nothing was made.
    Decided,
    /// No place will do.
    Infeasible,
    /// The machine is being made.
    Creating,
    /// The machine is there: it was made there, or has moved there.
    Created,
    /// The machine could not be made or moved there, or was taken back. Its operation says what may be left behind.
    Failed,
}

impl PlacementStatus {
    pub const ALL: [Self; 5] = [Self::Decided, Self::Infeasible, Self::Creating, Self::Created, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Infeasible => "infeasible",
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for PlacementStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a placement's status; there are decided, infeasible, creating, created and failed")]
pub struct UnknownPlacementStatus(String);

impl FromStr for PlacementStatus {
    type Err = UnknownPlacementStatus;

    fn from_str(text: &str) -> Result<Self, UnknownPlacementStatus> {
        let known = Self::ALL.into_iter().find(|status| status.as_str() == text);
        known.ok_or_else(|| UnknownPlacementStatus(text.chars().take(40).collect()))
    }
}

/// A decision with its question and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlacementRecord {
    pub placement_id: String,
    pub vm_id: String,
    pub status: PlacementStatus,
    /// The operation that makes the machine, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
    #[serde(flatten)]
    pub decision: Decision,
    pub request: PlacementRequest,
}

/// A place where a machine could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlacementFailure {
    pub kind: ProviderKind,
    pub region: String,
    pub instance_type: String,
    /// The provider's error code, such as `no_capacity`.
    pub code: String,
    pub message: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}
