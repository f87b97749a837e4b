//! One place, whether an offer of a cloud or a host of one's own.

use novacron_catalog::OfferId;

/// A place that a machine may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Candidate {
    Offer(OfferId),
    /// Index into [`Market::hosts`](crate::Market::hosts).
    Host(usize),
}

/// 10⁻⁹ USD an hour, of everything that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    pub hourly_nanos: u64,
    /// False: a part of it has no known price, and is not in it.
    pub known: bool,
}
