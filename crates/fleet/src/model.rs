//! What is to be placed, where it can be, and what holds meanwhile. Plain data; [`crate::Fleet::new`] checks it.
//!
//! Things are named by their index. Amounts are in whatever unit their limit is in.

/// A [`Place`]'s domain in a dimension in which it has none, or not a known one. It is not one of the domains that a
/// [`Spread`] counts, and holds as many items as there are.
pub const NO_DOMAIN: u32 = u32::MAX;

/// All of it. [`crate::Draft`] builds one, and leaves out what can't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// How much there is of each limited thing: a budget in money, a quota in vCPUs or instances, a host's memory.
    pub limits: Vec<i64>,
    /// How many domains each dimension has: providers, regions, zones, hosts.
    pub dimensions: Vec<u32>,
    pub places: Vec<Place>,
    pub classes: Vec<Class>,
    pub items: Vec<Item>,
    pub spreads: Vec<Spread>,
}

/// What constraints see of where an item stands. Many options share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// The domain in each dimension, or [`NO_DOMAIN`].
    pub domains: Vec<u32>,
    /// What every item that stands here takes.
    pub takes: Vec<Take>,
}

/// So much of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Take {
    pub limit: u32,
    pub amount: i64,
}

/// What items that are alike can choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    pub candidates: Vec<Candidate>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The caller's own number of it; nothing here looks at it.
    pub option: u32,
    pub place: u32,
    /// What is minimised, in 10⁻⁹ units.
    pub cost: i64,
    /// What is counted against the limits that the item pays from; most often the same.
    pub price: i64,
    /// What an item of this class takes here, beside what the place takes from everyone.
    pub takes: Vec<Take>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    pub class: u32,
    /// The limits, each once, from which the price of its candidate is taken: its budgets.
    pub pays: Vec<u32>,
    /// What it costs to leave it out; `None` when it has to be placed.
    pub unplaced_cost: Option<i64>,
    /// The candidate of its class that it can't leave; it is not left out either.
    pub fixed: Option<u32>,
}

/// Items that keep apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Each once.
    pub items: Vec<u32>,
    pub dimension: u32,
    /// In how many domains they stand at least. Where items are left out, those that are placed stand in as many domains as
    /// they are, if that is fewer. More domains than items can't be had, whatever is left out.
    pub at_least: u32,
    /// How many stand in the same domain at most.
    pub at_most_each: Option<u32>,
}

/// For each item the index of its candidate in its class, or `None` where it is left out.
pub type Placement = Vec<Option<u32>>;
