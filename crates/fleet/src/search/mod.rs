//! Placements: one made from the bound's, and walks that make it better.

mod anneal;
mod exact;
mod mend;
mod room;
mod shortlist;
mod start;
mod state;

pub(crate) use anneal::{Best, Cooling, anneal};
pub(crate) use exact::exact;
pub(crate) use mend::mend;
pub(crate) use shortlist::Shortlist;
pub(crate) use start::start;
pub(crate) use state::{Layout, State};
