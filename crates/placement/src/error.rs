//! Questions that can't be answered as they were asked.

use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlacementError {
    #[error("`{field}`: {why}")]
    Invalid { field: String, why: String },
    #[error("there is no provider, region or group of regions {name:?}{}", did_you_mean(.nearest))]
    UnknownPlace { name: String, nearest: Vec<String> },
    #[error("{0:?} is a provider, and a region, a zone or a group of regions is meant here")]
    ProviderForRegion(String),
    #[error("there is no instance type {name:?}{}", did_you_mean(.nearest))]
    UnknownType { name: String, nearest: Vec<String> },
    #[error("no region is listed for the programme {name:?}{}", did_you_mean(.nearest))]
    UnknownProgramme { name: String, nearest: Vec<String> },
    #[error("policy {policy:?}: {why}")]
    Policy { policy: String, why: String },
    #[error(
        "policies {first:?} and {second:?} contradict each other: {why}. Narrow the condition of one of them, or give them a place in common"
    )]
    Contradiction { first: String, second: String, why: String },
    #[error("the question has {0} rules; at most {1} can be told apart")]
    TooManyRules(usize, usize),
}

impl PlacementError {
    pub(crate) fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: why.into() }
    }

    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_placement",
            Self::UnknownPlace { .. } | Self::ProviderForRegion(_) => "unknown_place",
            Self::UnknownType { .. } => "unknown_instance_type",
            Self::UnknownProgramme { .. } => "unknown_programme",
            Self::Policy { .. } => "invalid_policy",
            Self::Contradiction { .. } => "contradictory_policies",
            Self::TooManyRules(..) => "too_many_rules",
        }
    }
}

fn did_you_mean(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; did you mean {}?", nearest.join(", ")) }
}
