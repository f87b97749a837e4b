//! Moves of machines that there are: whose savings exceed their cost, in an order in which every state fits.

use std::collections::BTreeMap;

use novacron_catalog::Pricing;
use novacron_placement::{Market, Settings};
use novacron_types::{
    ProviderKind, ProviderName,
    placement::{PlacementRequest, RebalancePlan, Strategy},
};

use crate::{PlanError, Search};

/// Where a machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    Cloud {
        kind: ProviderKind,
        /// The configured provider, where one is.
        provider: Option<ProviderName>,
        region: String,
        zone: Option<String>,
        instance_type: String,
        pricing: Pricing,
    },
    /// A host of the market, by its provider's name.
    Host(ProviderName),
}

/// A machine that there is.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// What it asks for, with its id, labels and constraints.
    pub request: PlacementRequest,
    pub at: Whereabouts,
    /// What a move copies.
    pub disk_gb: u64,
    pub movable: bool,
}

/// What one move keeps a machine from its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Downtime {
    pub minutes: u32,
    /// 10⁻⁹ USD a minute.
    pub nanos_per_minute: i128,
}

#[derive(Debug, Clone)]
pub struct RebalanceOptions<'a> {
    /// Cost, or the points of another strategy.
    pub strategy: Strategy,
    /// Steps of the plan at most, stops on the way among them.
    pub max_moves: Option<u32>,
    /// A saving must exceed the cost of its move by so much; of other strategies the new place's points those of the old.
    pub hysteresis_percent: u32,
    /// 10⁻⁹ USD of 730 hours that a move saves at least, of the strategy for cost.
    pub min_saving_monthly_nanos: i128,
    /// In so many days a move must have paid for itself.
    pub payback_days: u32,
    pub downtime: Downtime,
    /// What a failed move is reckoned to cost: a part of a month of the machine where it is.
    pub risk_percent: u32,
    pub search: Search<'a>,
}

/// Plans moves.
///
/// The hosts of the market have as free what none but these machines leaves them: the machines' own use is not taken off.
pub fn rebalance(
    _market: &Market,
    _settings: &Settings,
    _machines: &[Machine],
    _options: &RebalanceOptions<'_>,
) -> Result<RebalancePlan, PlanError> {
    let _: BTreeMap<u8, u8> = BTreeMap::new();
    Err(PlanError::Unsound("not written".to_owned()))
}
