//! What a placement costs and what it breaks, from the model alone: nothing here is shared with the search.

use std::{collections::HashMap, fmt};

use crate::model::{Candidate, Model, NO_DOMAIN};

/// A constraint that a placement breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// There are so many items, and the placement is of so many.
    Length {
        expected: usize,
        count: usize,
    },
    /// The item is placed at a candidate that its class does not have.
    Unknown {
        item: usize,
        candidate: u32,
    },
    /// The item is left out, and has to be placed.
    Unplaced {
        item: usize,
    },
    /// The item is not where it has to stay.
    Moved {
        item: usize,
    },
    Limit {
        limit: usize,
        used: i128,
        capacity: i64,
    },
    /// The items stand in fewer domains than they have to.
    Together {
        spread: usize,
        domains: usize,
        needed: usize,
    },
    /// One domain holds more items than it may.
    Crowded {
        spread: usize,
        domain: u32,
        count: usize,
        most: u32,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, count } => write!(f, "there are {expected} items, and {count} are placed"),
            Self::Unknown { item, candidate } => write!(f, "item {item} has no candidate {candidate}"),
            Self::Unplaced { item } => write!(f, "item {item} is left out and has to be placed"),
            Self::Moved { item } => write!(f, "item {item} is not where it has to stay"),
            Self::Limit { limit, used, capacity } => write!(f, "limit {limit} is {capacity}, and {used} is used"),
            Self::Together { spread, domains, needed } => {
                write!(f, "spread {spread} stands in {domains} domains and needs {needed}")
            }
            Self::Crowded { spread, domain, count, most } => {
                write!(f, "spread {spread} has {count} items in domain {domain}, where {most} may be")
            }
        }
    }
}

/// `None` when it is no placement of this model.
pub(crate) fn cost(model: &Model, placement: &[Option<u32>]) -> Option<i128> {
    if placement.len() != model.items.len() {
        return None;
    }
    let mut sum = 0i128;
    for (item, at) in model.items.iter().zip(placement) {
        sum += i128::from(match at {
            Some(at) => model.classes[item.class as usize].candidates.get(*at as usize)?.cost,
            None => item.unplaced_cost?,
        });
    }
    Some(sum)
}

pub(crate) fn check(model: &Model, placement: &[Option<u32>]) -> Vec<Violation> {
    if placement.len() != model.items.len() {
        return vec![Violation::Length { expected: model.items.len(), count: placement.len() }];
    }
    let mut found = Vec::new();
    let mut used = vec![0i128; model.limits.len()];
    let mut at: Vec<Option<&Candidate>> = Vec::with_capacity(placement.len());
    for (index, (item, chosen)) in model.items.iter().zip(placement).enumerate() {
        if item.fixed.is_some() && *chosen != item.fixed {
            found.push(Violation::Moved { item: index });
        }
        let Some(number) = *chosen else {
            at.push(None);
            if item.unplaced_cost.is_none() {
                found.push(Violation::Unplaced { item: index });
            }
            continue;
        };
        let candidate = model.classes[item.class as usize].candidates.get(number as usize);
        at.push(candidate);
        let Some(candidate) = candidate else {
            found.push(Violation::Unknown { item: index, candidate: number });
            continue;
        };
        for take in candidate.takes.iter().chain(&model.places[candidate.place as usize].takes) {
            used[take.limit as usize] += i128::from(take.amount);
        }
        for &limit in &item.pays {
            used[limit as usize] += i128::from(candidate.price);
        }
    }
    let over =
        model.limits.iter().zip(&used).enumerate().filter(|(_, (capacity, used))| i128::from(**capacity) < **used);
    found.extend(over.map(|(limit, (&capacity, &used))| Violation::Limit { limit, used, capacity }));
    for index in 0..model.spreads.len() {
        check_spread(model, index, &at, &mut found);
    }
    found
}

fn check_spread(model: &Model, index: usize, at: &[Option<&Candidate>], found: &mut Vec<Violation>) {
    let spread = &model.spreads[index];
    let mut counts: HashMap<u32, usize> = HashMap::new();
    let mut placed = 0;
    for candidate in spread.items.iter().filter_map(|&i| at[i as usize]) {
        placed += 1;
        let domain = model.places[candidate.place as usize].domains[spread.dimension as usize];
        if domain != NO_DOMAIN {
            *counts.entry(domain).or_default() += 1;
        }
    }
    let wanted = spread.at_least as usize;
    let needed = if wanted > spread.items.len() { wanted } else { wanted.min(placed) };
    if counts.len() < needed {
        found.push(Violation::Together { spread: index, domains: counts.len(), needed });
    }
    let most = spread.at_most_each.unwrap_or(u32::MAX);
    let mut crowded: Vec<_> = counts.into_iter().filter(|&(_, count)| count > most as usize).collect();
    crowded.sort_unstable();
    found.extend(crowded.into_iter().map(|(domain, count)| Violation::Crowded { spread: index, domain, count, most }));
}
