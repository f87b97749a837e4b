//! Places many machines together at the least cost, under budgets, quotas, spreads and capacities, and proves how far from the
//! least it can be. Pure but for the clock that a deadline is read from: no files, no network, no words of any cloud.
//!
//! # How the parts fit
//! A caller builds a [`Model`], by hand or with a [`Draft`] that leaves out what can't matter: items with classes of candidates
//! at places, limits that they take from, and spreads that keep them apart. [`Fleet::new`] checks it, [`solve`] searches, and
//! [`Fleet::cost`] and [`Fleet::check`] say, from the model alone, what a placement is worth.
//!
//! # How it is solved
//! - Alike items are counted together, limits that can't bind are dropped, and so are candidates that another is no worse
//!   than in everything that a constraint sees.
//! - With a worth for each unit of each limit, every item (and every spread, as a flow) is on its own. A linear program over
//!   columns, solved by an interior-point method, finds the worths that give the best bound; it is an estimate and nobody
//!   trusts it. They are rounded, and the bound is then computed in integers.
//! - The program's solution, rounded, is the first placement. Walks of single moves and of chains that make room for each
//!   other improve it.
//! - Small fleets are then searched through, pruned by the bound.
//!
//! # What is promised
//! - A placement breaks no constraint; no placement costs less than the bound.
//! - `Infeasible` is proven, from the constraints that it names alone.
//! - Without `until`, the same fleet, seed and threads give the same outcome on the same kind of machine.

mod apart;
mod bound;
mod clock;
mod compile;
mod draft;
mod evaluate;
mod explain;
mod fleet;
mod model;
mod outcome;
mod rng;
mod search;
mod solve;

pub use draft::Draft;
pub use evaluate::Violation;
pub use fleet::{Fleet, FleetError, limits};
pub use model::{Candidate, Class, Item, Model, NO_DOMAIN, Place, Placement, Spread, Take};
pub use outcome::{Constraint, Options, Outcome, Progress, Status};
pub use solve::solve;
