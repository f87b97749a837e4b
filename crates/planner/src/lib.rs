//! Plans for many machines at once. Pure but for the clock that a deadline is read from: no files, no network.
//!
//! ```text
//!  requests ─ Questions ─▶ Ask (one for all that are alike) ─▶ the places that could matter
//!                                                                  │
//!  place_many: budgets, quotas, hosts, spreads ─▶ novacron-fleet ──┴▶ a place for each, and a proven bound
//!  rebalance: costs now, costs of moving ─▶ novacron-rebalance ──▶ a goal ─▶ an order in which each state fits
//!             └ the same for novacron-fleet ─▶ a proven bound, and of a few machines the best goal there is
//! ```
//!
//! # What is promised
//! - **The rules are those of one decision.** Each machine is held to all that a decision for it alone would be.
//! - **Money is the catalog's.** Solvers may count in larger units; each amount in an answer is computed anew from prices.
//! - **An answer was checked.** Before a plan is handed out it is held against its rules from nothing; one that breaks any
//!   is an error, not an answer.

mod error;
mod groups;
mod many;
mod questions;
mod rebalance;
#[cfg(test)]
mod tests;
mod zones;

pub use error::PlanError;
pub use many::{Budget, ManyOptions, place_many};
pub use rebalance::{Downtime, Machine, RebalanceOptions, Whereabouts, rebalance, rebalance_in_turn};

/// Hours of a month, as everywhere.
pub(crate) const HOURS: i128 = 730;

/// How long and how to search.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    pub until: Option<std::time::Instant>,
    /// Ends the search after about so many steps. Without `until` the same question and seed have the same answer.
    pub steps: Option<u64>,
    pub seed: u64,
    /// Walks side by side; at least one is made.
    pub threads: usize,
    /// Ends the search when it becomes true; the best so far is the answer.
    pub stop: &'a std::sync::atomic::AtomicBool,
}

impl Search<'_> {
    /// Whether it is to end now.
    fn over(&self) -> bool {
        let told = self.stop.load(std::sync::atomic::Ordering::Relaxed);
        told || self.until.is_some_and(|until| std::time::Instant::now() >= until)
    }
}
