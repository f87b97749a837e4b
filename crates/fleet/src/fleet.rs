//! A model that was checked, so that nothing after it need be.

use thiserror::Error;

use crate::{
    apart::keep_apart,
    compile::Compiled,
    evaluate::{self, Violation},
    model::{Candidate, Model, NO_DOMAIN, Take},
};

/// The most there may be of each.
pub mod limits {
    pub const LIMITS: usize = 100_000;
    pub const DIMENSIONS: usize = 16;
    pub const PLACES: usize = 4_000_000;
    pub const CLASSES: usize = 200_000;
    /// Of all classes together.
    pub const CANDIDATES: usize = 20_000_000;
    pub const ITEMS: usize = 200_000;
    pub const SPREADS: usize = 100_000;
    /// Of all spreads together: the domains that each counts.
    pub const SPREAD_DOMAINS: usize = 16_000_000;
    /// Of one candidate, with those of its place; and of limits that an item pays from.
    pub const TAKES: usize = 1_000;
    /// Any cost, price, amount or capacity: 10⁹ units of money.
    pub const AMOUNT: i64 = 1_000_000_000_000_000_000;
}

/// Why a model is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FleetError {
    #[error("{count} {what}; at most {limit} are taken")]
    TooMany { what: &'static str, count: usize, limit: usize },
    #[error("{owner} {index} names {what} {named}; there are {count}, counted from 0")]
    Unknown { owner: &'static str, index: usize, what: &'static str, named: u32, count: usize },
    #[error("{owner} {index} names {what} {named} twice")]
    Twice { owner: &'static str, index: usize, what: &'static str, named: u32 },
    #[error("{owner} {index} has {what} {value}; it must be from 0 to {max}", max = limits::AMOUNT)]
    Amount { owner: &'static str, index: usize, what: &'static str, value: i64 },
    #[error("candidate {candidate} of class {class} has {what} {value}; it must be from 0 to {max}", max = limits::AMOUNT)]
    Candidate { class: usize, candidate: usize, what: &'static str, value: i64 },
    #[error("candidate {candidate} of class {class} names {what} {named}; there are {count}, counted from 0")]
    CandidateUnknown { class: usize, candidate: usize, what: &'static str, named: u32, count: usize },
    #[error("place {place} has {count} domains; there are {expected} dimensions, and it needs one for each")]
    Domains { place: usize, count: usize, expected: usize },
}

/// A checked model.
#[derive(Clone, Debug)]
pub struct Fleet {
    model: Model,
    pub(crate) compiled: Compiled,
}

impl Fleet {
    /// Checks sizes, references and ranges, and prepares the search.
    pub fn new(mut model: Model) -> Result<Self, FleetError> {
        check_model(&model)?;
        keep_apart(&mut model);
        let compiled = Compiled::new(&model);
        Ok(Self { model, compiled })
    }

    /// As it was given, and with what follows from it.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What a placement costs, with what is left out, computed from nothing. `None` when it is not a placement of this fleet:
    /// another length, a candidate that does not exist, or an item left out that may not be.
    pub fn cost(&self, placement: &[Option<u32>]) -> Option<i128> {
        evaluate::cost(&self.model, placement)
    }

    /// Every constraint that a placement breaks, computed from nothing.
    pub fn check(&self, placement: &[Option<u32>]) -> Vec<Violation> {
        evaluate::check(&self.model, placement)
    }
}

fn check_model(model: &Model) -> Result<(), FleetError> {
    let candidates = model.classes.iter().map(|c| c.candidates.len()).sum();
    for (what, count, limit) in [
        ("limits", model.limits.len(), limits::LIMITS),
        ("dimensions", model.dimensions.len(), limits::DIMENSIONS),
        ("places", model.places.len(), limits::PLACES),
        ("classes", model.classes.len(), limits::CLASSES),
        ("candidates", candidates, limits::CANDIDATES),
        ("items", model.items.len(), limits::ITEMS),
        ("spreads", model.spreads.len(), limits::SPREADS),
    ] {
        few(what, count, limit)?;
    }
    for (index, &value) in model.limits.iter().enumerate() {
        amount("limit", index, "capacity", value)?;
    }
    for (index, place) in model.places.iter().enumerate() {
        let (count, expected) = (place.domains.len(), model.dimensions.len());
        if count != expected {
            return Err(FleetError::Domains { place: index, count, expected });
        }
        for (&named, &domains) in place.domains.iter().zip(&model.dimensions) {
            if named != NO_DOMAIN {
                known("place", index, "domain", named, domains as usize)?;
            }
        }
        few("takes of a place", place.takes.len(), limits::TAKES)?;
        for take in &place.takes {
            known("place", index, "limit", take.limit, model.limits.len())?;
            amount("place", index, "an amount of", take.amount)?;
        }
    }
    for (index, class) in model.classes.iter().enumerate() {
        check_class(model, index, &class.candidates)?;
    }
    check_items(model)?;
    check_spreads(model)
}

fn check_class(model: &Model, class: usize, candidates: &[Candidate]) -> Result<(), FleetError> {
    for (candidate, c) in candidates.iter().enumerate() {
        let unknown = |what, named: u32, count: usize| {
            if (named as usize) < count {
                return Ok(());
            }
            Err(FleetError::CandidateUnknown { class, candidate, what, named, count })
        };
        unknown("place", c.place, model.places.len())?;
        let takes = c.takes.len() + model.places[c.place as usize].takes.len();
        few("takes of a candidate and its place", takes, limits::TAKES)?;
        let amounts = c.takes.iter().map(|&Take { amount, .. }| ("an amount of", amount));
        for (what, value) in [("the cost", c.cost), ("the price", c.price)].into_iter().chain(amounts) {
            if !(0..=limits::AMOUNT).contains(&value) {
                return Err(FleetError::Candidate { class, candidate, what, value });
            }
        }
        for take in &c.takes {
            unknown("limit", take.limit, model.limits.len())?;
        }
    }
    Ok(())
}

fn check_items(model: &Model) -> Result<(), FleetError> {
    for (index, item) in model.items.iter().enumerate() {
        known("item", index, "class", item.class, model.classes.len())?;
        few("limits that an item pays from", item.pays.len(), limits::TAKES)?;
        distinct("item", index, "limit", &item.pays, model.limits.len())?;
        if let Some(value) = item.unplaced_cost {
            amount("item", index, "the unplaced cost", value)?;
        }
        if let Some(fixed) = item.fixed {
            known("item", index, "candidate", fixed, model.classes[item.class as usize].candidates.len())?;
        }
    }
    Ok(())
}

fn check_spreads(model: &Model) -> Result<(), FleetError> {
    let mut domains = 0usize;
    for (index, spread) in model.spreads.iter().enumerate() {
        known("spread", index, "dimension", spread.dimension, model.dimensions.len())?;
        distinct("spread", index, "item", &spread.items, model.items.len())?;
        domains = domains.saturating_add(model.dimensions[spread.dimension as usize] as usize);
    }
    few("domains of all spreads", domains, limits::SPREAD_DOMAINS)
}

fn few(what: &'static str, count: usize, limit: usize) -> Result<(), FleetError> {
    if count <= limit { Ok(()) } else { Err(FleetError::TooMany { what, count, limit }) }
}

fn known(owner: &'static str, index: usize, what: &'static str, named: u32, count: usize) -> Result<(), FleetError> {
    if (named as usize) < count { Ok(()) } else { Err(FleetError::Unknown { owner, index, what, named, count }) }
}

fn amount(owner: &'static str, index: usize, what: &'static str, value: i64) -> Result<(), FleetError> {
    if (0..=limits::AMOUNT).contains(&value) {
        return Ok(());
    }
    Err(FleetError::Amount { owner, index, what, value })
}

fn distinct(
    owner: &'static str,
    index: usize,
    what: &'static str,
    list: &[u32],
    count: usize,
) -> Result<(), FleetError> {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(FleetError::Twice { owner, index, what, named: pair[0] });
    }
    sorted.last().map_or(Ok(()), |&last| known(owner, index, what, last, count))
}
