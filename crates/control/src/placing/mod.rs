//! Where machines run: decisions, their records, and the work that follows from them.
//!
//! [`Placing`] answers questions: it knows the catalog, asks hosts what is left on them, and reads from the store what the
//! federation already has. `Control` keeps the answers, and hands work to the operations engine.

mod answered;
mod applied;
mod apply;
mod burst;
mod compute;
mod decide;
mod diff;
mod known;
mod measured;
mod optimize;
mod overflow;
mod prices;
mod records;
mod refresh;
mod schedule;
mod settings;
mod statistics;
mod together;

pub use records::{PlacementPage, PlacementQuery};
pub use schedule::Schedule;
pub use settings::{
    BurstSettings, BurstWatch, CatalogSource, CloudRefreshed, HostSettings, OnCloudRefreshed, OptimizationSettings,
    PlacingSettings, PriceRefresh, RefreshSettings,
};

pub(crate) use known::{Placing, Question};
pub(crate) use overflow::sent;
#[cfg(test)]
pub(crate) use overflow::tests;
pub(crate) use records::Keep;
pub(crate) use schedule::Background;

use novacron_placement::PlacementError;
use novacron_planner::PlanError;

use crate::ControlError;

impl From<PlacementError> for ControlError {
    fn from(error: PlacementError) -> Self {
        let advice = match &error {
            PlacementError::UnknownPlace { .. } => {
                "`novacron catalog regions` lists regions, `novacron provider list` providers."
            }
            PlacementError::UnknownType { .. } => "`novacron catalog list` lists instance types.",
            PlacementError::Policy { .. } | PlacementError::Contradiction { .. } => {
                "Policies are in the server's configuration; `novacron config check` checks them."
            }
            _ => return Self::invalid(error.code(), error.to_string()),
        };
        Self::invalid(error.code(), error.to_string()).advice(advice)
    }
}

impl From<PlanError> for ControlError {
    fn from(error: PlanError) -> Self {
        Self::invalid("cannot_plan", error.to_string())
    }
}
