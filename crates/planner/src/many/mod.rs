//! Many machines placed together at the least cost, under budgets, quotas, spreads and the room on hosts.

mod answer;
mod build;
mod left_out;

use novacron_fleet::{Options, solve};
use novacron_placement::{Market, Settings};
use novacron_types::placement::{ManyPlan, PlacementRequest, PlanMode};

use crate::{PlanError, Search, questions::Questions};
use build::Built;

/// The most that some of the plan's machines may cost together. What there is already is not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Of machines with this label; absent: of all.
    pub label: Option<(String, String)>,
    /// 10⁻⁹ USD of 730 hours.
    pub monthly_nanos: i128,
}

#[derive(Debug, Clone)]
pub struct ManyOptions<'a> {
    pub mode: PlanMode,
    pub budgets: Vec<Budget>,
    /// Good enough: the part of the cost that it may be above the bound, 0 to 1.
    pub gap: f64,
    pub search: Search<'a>,
}

/// Places machines together at the least cost a month.
///
/// Each is held to the rules of a decision for it alone; `distribute` policies, quotas and the free room of hosts hold for
/// all together, with the peers of the settings. The requests' strategies are not followed, cost decides.
///
/// # Errors
/// If a request can't be answered as it was asked, two have the same id, or there is more than can be planned at once.
pub fn place_many(
    market: &Market,
    settings: &Settings,
    requests: &[PlacementRequest],
    options: &ManyOptions<'_>,
) -> Result<ManyPlan, PlanError> {
    if let Some(budget) = options.budgets.iter().find(|budget| budget.monthly_nanos < 0) {
        let why = format!("{} is less than nothing", novacron_types::Money::usd_nanos(budget.monthly_nanos));
        return Err(PlanError::Option { option: "budgets", why });
    }
    let questions = Questions::new(market, settings, requests)?;
    let built = Built::new(market, settings, &questions, options)?;
    if options.mode == PlanMode::AllOrNothing && built.nowhere.contains(&true) {
        return Ok(answer::nowhere(&questions, &built));
    }
    let search = &options.search;
    let outcome = solve(
        &built.fleet,
        &Options {
            until: search.until,
            steps: search.steps,
            gap: options.gap,
            threads: search.threads,
            seed: search.seed,
            stop: search.stop,
            progress: None,
        },
    );
    answer::plan(&questions, &built, &outcome)
}
