//! Where a machine should run, and why. Pure: no I/O, no clock, no randomness; the same question has the same answer.
//!
//! ```text
//!  Market ── the catalog, local hosts and configured providers, indexed once
//!    │
//!  PlacementRequest + Settings ─ Ask ─▶ rules (what is ruled out) and scores (what is left, ranked)
//!    │                                          │
//!    ├─ decide ▶ the best places, fast          │ each offer is held against the same rules
//!    └─ survey ▶ Decision: the table, rejections by constraint, what to relax
//! ```
//!
//! # What is promised
//! - **A score is a place's own.** It follows from the place and the question alone, never from which other places there
//!   are, so adding an offer never turns the order of two others.
//! - **Hard is hard.** What breaks a rule is never chosen, whatever its score. Where nothing is left, the answer has the
//!   smallest sets of rules that must give way, and what that would bring.
//! - **Unknown is not good.** What a rule asks and the catalog does not know fails that rule, and says so.

mod ask;
mod build;
mod candidate;
mod decide;
mod describe;
mod error;
mod explain;
mod host;
mod market;
mod menu;
mod near;
mod places;
mod policy;
mod quota;
mod rule;
mod score;
mod settings;
mod survey;
#[cfg(test)]
mod tests;
mod why_not;

pub use ask::Ask;
pub use candidate::{Candidate, Cost};
pub use decide::{Choice, decide};
pub use error::PlacementError;
pub use explain::explain;
pub use host::{Host, HostCost};
pub use market::{Binding, Market};
pub use menu::{Migration, policy_matches};
pub use places::Places;
pub use quota::{Counted, Quota};
pub use score::weights_of;
pub use settings::{Failure, Peer, Settings};
pub use why_not::{WhyNot, why_not};
