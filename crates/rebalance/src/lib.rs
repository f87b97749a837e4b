//! Rebalancing: which processes (VMs) to move to which machines (hosts, pools, offers), when each move costs and each
//! state must fit. Pure but for the clock that a deadline is read from: no files, no network.
//!
//! # How the parts fit
//! [`parse_model`] and [`parse_assignment`] read the text format of Google's machine-reassignment problem; a caller
//! may build a [`Model`] itself. [`Problem::new`] checks it, [`solve`] searches until a [`Budget`] is spent, and
//! [`Problem::cost`] and [`Problem::violations`] say, from nothing, what an assignment is worth. [`order`] turns the
//! outcome into moves one after another, each of which fits.
//!
//! # What is promised
//! - An outcome breaks no constraint, the transient one included: while processes move, machines hold both those that
//!   come and those that go. It never costs more than the initial assignment.
//! - Costs are exact. A model whose costs could leave the range of what is computed exactly is refused.
//! - With a budget of steps, the same seed and number of walks give the same outcome on the same kind of machine.

mod bound;
mod evaluate;
mod model;
mod order;
mod parse;
mod problem;
mod rng;
mod search;
mod state;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use bound::lower_bound;
pub use evaluate::{Cost, Violation, evaluate, violations};
pub use model::{Assignment, Balance, FORBIDDEN, Machine, Model, Process, Resource, Service, Weights};
pub use order::{Move, Order, order};
pub use parse::{ParseError, ParseErrorKind, parse_assignment, parse_model};
pub use problem::{Problem, ProblemError, check_assignment, check_model, limits};
pub use search::{Budget, Options, Outcome, solve};
