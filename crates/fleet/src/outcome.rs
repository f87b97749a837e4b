//! What a caller asks for and gets.

use std::{fmt, sync::atomic::AtomicBool, time::Instant};

use crate::model::Placement;

/// When to end, and how to search.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Within tens of milliseconds.
    pub until: Option<Instant>,
    /// After about so many steps of each walk. With it or without an end, but without `until`, the same fleet, threads and
    /// seed give the same outcome. Without any end one is found when nothing better comes for a while.
    pub steps: Option<u64>,
    /// Good enough: the part of what the placed cost that the objective may be above the bound, such as 0.0001. With 0 it goes
    /// on until it is proven best.
    pub gap: f64,
    /// Walks side by side; at least one is made, and 64 at most.
    pub threads: usize,
    pub seed: u64,
    /// Ends the search when it becomes true.
    pub stop: &'a AtomicBool,
    /// Told from time to time how far it is.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Of the best placement so far.
    pub objective: Option<i128>,
    pub bound: i128,
}

/// A constraint, by its index in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Constraint {
    Limit(u32),
    Spread(u32),
    /// The item has to be placed and has no candidate.
    Item(u32),
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(limit) => write!(f, "limit {limit}"),
            Self::Spread(spread) => write!(f, "spread {spread}"),
            Self::Item(item) => write!(f, "item {item}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// No placement is cheaper.
    Optimal,
    /// The gap says by how much at most one could be cheaper.
    Feasible,
    /// There is no placement: proven. These constraints alone make it so; `smallest` is whether each of them is needed for
    /// that, so that to relax any one of them is enough.
    Infeasible { why: Vec<Constraint>, smallest: bool },
    /// None was found, and that there is none was not proven. These are broken by what was looked at last.
    NoneFound { why: Vec<Constraint> },
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub status: Status,
    /// Breaks nothing; `None` when none was found.
    pub placement: Option<Placement>,
    /// What the placement costs, with what is left out, in 10⁻⁹ units.
    pub objective: Option<i128>,
    /// No placement costs less: proven in integers. It says nothing where there is none.
    pub bound: i128,
    pub steps: u64,
}

impl Outcome {
    /// The part of the objective that is above the bound: 0 is proven best. `None` without a placement.
    pub fn gap(&self) -> Option<f64> {
        let objective = self.objective?;
        Some(if objective <= self.bound { 0.0 } else { (objective - self.bound) as f64 / objective as f64 })
    }
}
