//! Why there is no plan, good or bad.

use novacron_fleet::FleetError;
use novacron_placement::PlacementError;
use novacron_rebalance::ProblemError;
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    #[error("machine {vm_id}: {error}")]
    Machine { vm_id: String, error: PlacementError },
    #[error("quota of {place:?}: {error}")]
    Quota { place: String, error: PlacementError },
    #[error("there are two machines {0:?}")]
    Twice(String),
    #[error("`{option}`: {why}")]
    Option { option: &'static str, why: String },
    #[error("the plan is too large, or what it is made of is not to be computed with: {0}")]
    Fleet(#[from] FleetError),
    #[error("the plan is too large, or what it is made of is not to be computed with: {0}")]
    Rebalance(#[from] ProblemError),
    /// A fault of this crate, found before anything was answered.
    #[error("the plan that was found breaks a rule: {0}")]
    Unsound(String),
}
