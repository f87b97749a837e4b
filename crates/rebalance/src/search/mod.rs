//! The search: walks that anneal side by side and hand the best on.

mod anneal;
mod arms;
mod best;
mod limit;
mod moves;
mod plan;
mod scope;
mod solve;

pub use solve::{Budget, Options, Outcome, solve};
