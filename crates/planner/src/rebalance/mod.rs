//! Moves of machines that there are: whose savings exceed their cost, in an order in which every state fits.

mod answer;
mod bound;
mod counted;
mod floor;
mod hold;
mod in_turn;
mod now;
mod once;
mod quota;
mod sequence;
mod settle;
mod table;
mod verify;
mod ways;

use std::collections::BTreeSet;

use novacron_catalog::Pricing;
use novacron_placement::{Market, Settings};
use novacron_types::{
    Money, ProviderKind, ProviderName,
    placement::{PlacementRequest, RebalancePlan, Strategy},
};

use crate::{PlanError, Search, groups::groups, questions::Questions};
use settle::{Ground, settle};
use table::Table;

pub use in_turn::rebalance_in_turn;

/// Of any amount that is asked for.
const MOST_NANOS: i128 = 1_000_000_000_000_000_000;

/// Where a machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    Cloud {
        kind: ProviderKind,
        /// The configured provider, where one is; then nothing of the same is a place to move to.
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
    /// No move makes its machine worse by any of these: neither dearer, over the window and with what the move costs once, nor
    /// of fewer points. What a policy demands of a machine was the first plan's to do, and keeps others from moving it.
    pub not_worse: &'a [Strategy],
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

/// Plans moves: of the strategy for cost those that together cost least over the window, of another those with the most
/// points.
///
/// The hosts of the market have as free what none but these machines leaves them: the machines' own use is not taken off.
/// A policy that demands a move has it whatever it costs; else each move pays for itself, stops on its way with it.
///
/// # Errors
/// If a machine can't be held to what it asks for, two have the same id, an option makes no sense, or there is more than can
/// be planned at once.
pub fn rebalance(
    market: &Market,
    settings: &Settings,
    machines: &[Machine],
    options: &RebalanceOptions<'_>,
) -> Result<RebalancePlan, PlanError> {
    check(options)?;
    let requests: Vec<PlacementRequest> =
        machines.iter().map(|machine| of_strategy(machine, options.strategy)).collect();
    let questions = Questions::new(market, settings, &requests)?;
    let mut movers = ways::movers(market, settings, machines, &questions, options)?;
    let groups = groups(settings, &questions.names, &questions.labels);
    let held = hold::hold(market, &groups, machines, &mut movers);
    let ground = Ground { market, settings, machines, questions: &questions, movers: &movers, held: &held, options };
    let settled = settle(&ground)?;
    let table = Table::new(market, &questions, &movers, &held, &BTreeSet::new())?;
    let plan = answer::answer(&ground, &table, &settled);
    verify::verify(market, settings, machines, &questions, options, &plan).map_err(PlanError::Unsound)?;
    Ok(plan)
}

/// A machine's question, by a strategy.
fn of_strategy(machine: &Machine, strategy: Strategy) -> PlacementRequest {
    PlacementRequest { strategy: Some(strategy), weights: None, ..machine.request.clone() }
}

fn check(options: &RebalanceOptions<'_>) -> Result<(), PlanError> {
    let amounts = [
        ("downtime_cost", options.downtime.nanos_per_minute),
        ("min_saving_monthly", options.min_saving_monthly_nanos),
    ];
    for (option, nanos) in amounts {
        if !(0..=MOST_NANOS).contains(&nanos) {
            let why = format!("{} is no amount between 0 and a thousand million", Money::usd_nanos(nanos));
            return Err(PlanError::Option { option, why });
        }
    }
    for (option, value, most) in [
        ("hysteresis_percent", options.hysteresis_percent, 10_000),
        ("risk_percent", options.risk_percent, 10_000),
        ("payback_days", options.payback_days, 36_500),
    ] {
        if value > most {
            return Err(PlanError::Option { option, why: format!("{value} is more than {most}") });
        }
    }
    Ok(())
}
