//! What a kind can choose from.

use std::collections::HashMap;

use super::{NO_ROW, Row};
use crate::model::{Candidate, Model};

/// What menus depend on. Kinds that agree in it share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    class: u32,
    fixed: Option<u32>,
    /// The dimensions that a spread of it looks at.
    dimensions: Vec<u32>,
    /// Its spreads whose crowding is in rows.
    crowds: Vec<u32>,
    /// The most that a candidate's price may be, where the price is counted at all: `i64::MAX` where all may be.
    purse: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// In the class.
    pub candidate: u32,
    pub place: u32,
    pub cost: i64,
    pub price: i64,
    takes: (u32, u32),
}

/// Columns by rising cost.
#[derive(Clone, Debug)]
pub(crate) struct Menu {
    pub columns: Vec<Column>,
    takes: Vec<(u32, i64)>,
    /// The domain of each column in the dimensions that matter.
    domains: Vec<(u32, Vec<u32>)>,
}

impl Key {
    pub fn new(
        model: &Model,
        class: u32,
        fixed: Option<u32>,
        purse: Option<i64>,
        spreads: &[u32],
        in_rows: &[bool],
    ) -> Self {
        let mut dimensions: Vec<u32> = spreads.iter().map(|&s| model.spreads[s as usize].dimension).collect();
        dimensions.sort_unstable();
        dimensions.dedup();
        let crowds = spreads.iter().copied().filter(|&s| in_rows[s as usize]).collect();
        Self { class, fixed, dimensions, crowds, purse }
    }
}

impl Menu {
    /// `domain_rows` has the row of a spread's domain, for spreads whose crowding is in rows.
    pub fn new(
        model: &Model,
        key: &Key,
        row_of: &[u32],
        rows: &mut [Row],
        domain_rows: &HashMap<(u32, u32), u32>,
    ) -> Self {
        let all = &model.classes[key.class as usize].candidates;
        let mut order: Vec<u32> = match key.fixed {
            Some(fixed) => vec![fixed],
            None => (0..all.len() as u32).collect(),
        };
        order.sort_by_key(|&c| (all[c as usize].cost, all[c as usize].price, c));
        let mut menu = Self { columns: Vec::new(), takes: Vec::new(), domains: Vec::new() };
        let mut kept = Kept::default();
        for number in order {
            let candidate = &all[number as usize];
            let Some(takes) = takes(model, candidate, row_of, rows) else { continue };
            if key.purse.is_some_and(|purse| candidate.price > purse) {
                continue;
            }
            let place = &model.places[candidate.place as usize];
            let domains: Vec<u32> = key.dimensions.iter().map(|&d| place.domains[d as usize]).collect();
            if !kept.add(&domains, &takes, key.purse.map_or(0, |_| candidate.price)) {
                continue;
            }
            let start = menu.takes.len() as u32;
            menu.takes.extend(takes);
            for &spread in &key.crowds {
                let domain = place.domains[model.spreads[spread as usize].dimension as usize];
                menu.takes.extend(domain_rows.get(&(spread, domain)).map(|&row| (row, 1)));
            }
            let takes = (start, menu.takes.len() as u32);
            let Candidate { place, cost, price, .. } = *candidate;
            menu.columns.push(Column { candidate: number, place, cost, price, takes });
        }
        for &(row, amount) in &menu.takes {
            rows[row as usize].largest = rows[row as usize].largest.max(amount);
        }
        let domain_of = |d: u32| menu.columns.iter().map(move |c| model.places[c.place as usize].domains[d as usize]);
        menu.domains = key.dimensions.iter().map(|&d| (d, domain_of(d).collect())).collect();
        menu
    }

    /// What every item takes in this column: rows and amounts, no row twice.
    pub fn takes(&self, column: u32) -> &[(u32, i64)] {
        let (start, end) = self.columns[column as usize].takes;
        &self.takes[start as usize..end as usize]
    }

    /// The dimensions that matter, and the domain of each column.
    pub fn dimensions(&self) -> &[(u32, Vec<u32>)] {
        &self.domains
    }

    /// Of each column; empty for a dimension that none of its spreads looks at.
    pub fn domains(&self, dimension: u32) -> &[u32] {
        self.domains.iter().find(|(d, _)| *d == dimension).map_or(&[], |(_, domains)| domains)
    }
}

/// What an item takes of rows at this candidate, sorted; `None` where it does not fit even alone.
fn takes(model: &Model, candidate: &Candidate, row_of: &[u32], rows: &[Row]) -> Option<Vec<(u32, i64)>> {
    let mut takes: Vec<(u32, i64)> = Vec::new();
    for take in candidate.takes.iter().chain(&model.places[candidate.place as usize].takes) {
        let row = row_of[take.limit as usize];
        if row == NO_ROW || take.amount == 0 {
            continue;
        }
        match takes.iter_mut().find(|(r, _)| *r == row) {
            Some((_, amount)) => *amount = amount.checked_add(take.amount)?,
            None => takes.push((row, take.amount)),
        }
    }
    takes.sort_unstable();
    takes.iter().all(|&(row, amount)| amount <= rows[row as usize].capacity).then_some(takes)
}

/// How many rows a column may touch for all smaller sets of rows to be looked through.
const SUBSETS: usize = 5;
/// How many columns of a set are compared at most; beyond, a column that could be left out may stay.
const COMPARED: usize = 128;

/// The columns so far, by their domains and, behind these, the rows that they touch.
#[derive(Default)]
struct Kept {
    columns: HashMap<Vec<u32>, Vec<Taken>>,
    /// How many rows columns touch, a bit for each number.
    sizes: u64,
    key: Vec<u32>,
}

/// What a column takes of the rows that it touches, and its price.
type Taken = (Vec<i64>, i64);

impl Kept {
    /// Adds a column, unless one that came before (and so is no dearer) stands in the same domains and takes no more.
    fn add(&mut self, domains: &[u32], takes: &[(u32, i64)], price: i64) -> bool {
        let all = usize::MAX;
        let subsets = if takes.len() <= SUBSETS { 0..(1 << takes.len()) - 1 } else { 0..1 };
        for bits in subsets.chain([all]) {
            let subset =
                || takes.iter().enumerate().filter(move |(i, _)| bits >> i.min(&63) & 1 == 1).map(|(_, take)| take);
            let size = if bits == all { takes.len() } else { bits.count_ones() as usize };
            if self.sizes >> size.min(63) & 1 == 0 {
                continue;
            }
            self.key.clear();
            self.key.extend(domains.iter().copied().chain(subset().map(|(row, _)| *row)));
            let Some(columns) = self.columns.get(&self.key) else { continue };
            let beats = |(theirs, its): &Taken| {
                *its <= price && theirs.iter().zip(subset()).all(|(theirs, (_, mine))| theirs <= mine)
            };
            if columns.iter().take(COMPARED).any(beats) {
                return false;
            }
        }
        self.sizes |= 1 << takes.len().min(63);
        let key: Vec<u32> = domains.iter().copied().chain(takes.iter().map(|(row, _)| *row)).collect();
        let amounts = takes.iter().map(|(_, amount)| *amount).collect();
        self.columns.entry(key).or_default().push((amounts, price));
        true
    }
}
