//! The proof: what all items cost at least when a unit of each row is worth so much. Integers only.
//!
//! Whatever the worths λ ≥ 0 are, no placement costs less than `Σ over blocks of the least of (cost + λ · taken) − λ · capacity`.

use super::{
    costs::Costs,
    group::{self, LEFT_OUT, Member, NOWHERE},
    merge::Merge,
};
use crate::compile::{Block, Compiled, Menu, OUT, Part, Row};

/// Worths have so many bits behind the point.
pub(crate) const FRACTION: u32 = 32;
/// No item's part of a row is worth more, so that no sum leaves the range.
const LARGEST: i128 = 1 << 96;

/// The most that a unit of the row may be worth.
pub(crate) fn most_worth(row: &Row) -> i128 {
    match row.largest {
        0 => 0,
        largest => (LARGEST / i128::from(largest)).min((LARGEST << 14) / i128::from(row.capacity.max(1))),
    }
}

/// The kind, its column, and how many items.
pub(crate) type Pick = (u32, u32, u32);

pub(crate) struct Priced {
    /// A lower bound, with [`FRACTION`] bits behind the point.
    pub value: i128,
    /// What the picks take of each row.
    pub used: Vec<i128>,
    /// Of each block.
    pub picks: Vec<Vec<Pick>>,
}

/// No choice of these items is allowed, whatever the others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// A kind without a column.
    Kind(u32),
    Spread(u32),
}

/// One worth for each row, none negative.
pub(crate) fn price(compiled: &Compiled, worths: &[i128], costs: Costs) -> Result<Priced, Stuck> {
    Pricer::new(compiled, worths, costs, None).price()
}

impl Priced {
    /// The least that a placement can cost, of what was counted: a multiple of `grain`.
    pub fn bound(&self, grain: i64) -> i128 {
        let unit = i128::from(grain) << FRACTION;
        let floor = self.value.div_euclid(unit);
        (floor + i128::from(self.value.rem_euclid(unit) > 0)) * i128::from(grain)
    }
}

pub(crate) struct Pricer<'a> {
    compiled: &'a Compiled,
    worths: &'a [i128],
    costs: Costs,
    merge: Option<&'a Merge>,
    /// Of each column of each menu: cost, and worth of what it takes, without budgets.
    bases: Vec<Vec<i128>>,
}

impl<'a> Pricer<'a> {
    /// Of columns that are the same by `merge` only the first are priced; rows that are one by it have to be worth the same.
    pub fn new(compiled: &'a Compiled, worths: &'a [i128], costs: Costs, merge: Option<&'a Merge>) -> Self {
        let merge = merge.filter(|merge| merge.any());
        let base = |(number, menu): (u32, &Menu)| {
            let column = |column: u32| {
                let takes = menu.takes(column).iter();
                scaled(costs.column(menu.columns[column as usize].cost))
                    + takes.map(|&(row, n)| worths[row as usize] * i128::from(n)).sum::<i128>()
            };
            match merge {
                None => (0..menu.columns.len() as u32).map(column).collect(),
                Some(merge) => merge.distinct(number).iter().copied().map(column).collect(),
            }
        };
        Self { compiled, worths, costs, merge, bases: (0..).zip(&compiled.menus).map(base).collect() }
    }

    pub fn price(&self) -> Result<Priced, Stuck> {
        let (compiled, rows, blocks) = (self.compiled, &self.compiled.rows, &self.compiled.blocks);
        let mut priced = Priced { value: 0, used: vec![0; rows.len()], picks: Vec::with_capacity(blocks.len()) };
        for block in blocks {
            let (value, picks) = self.block(block)?;
            priced.value += value;
            for &(kind, column, count) in &picks {
                compiled.uses(kind, column, |row, amount| priced.used[row] += i128::from(amount) * i128::from(count));
            }
            priced.picks.push(picks);
        }
        for (row, &worth) in rows.iter().zip(self.worths) {
            priced.value -= i128::from(row.capacity) * worth;
        }
        Ok(priced)
    }

    /// Of each column of a kind, what one item costs there with the worth of all that it takes.
    pub fn columns(&self, kind: u32) -> impl Iterator<Item = (i128, u32)> + '_ {
        let kind = &self.compiled.kinds[kind as usize];
        let purse: i128 = kind.pays.iter().map(|&row| self.worths[row as usize]).sum();
        let columns = &self.compiled.menus[kind.menu as usize].columns;
        let distinct = self.merge.map(|merge| merge.distinct(kind.menu));
        self.bases[kind.menu as usize].iter().enumerate().map(move |(n, base)| {
            let column = distinct.map_or(n as u32, |distinct| distinct[n]);
            (base + purse * i128::from(columns[column as usize].price), column)
        })
    }

    pub fn out(&self, kind: u32) -> Option<i128> {
        self.compiled.kinds[kind as usize].out.map(|out| scaled(self.costs.out(out)))
    }

    pub fn block(&self, block: &Block) -> Result<(i128, Vec<Pick>), Stuck> {
        match block {
            Block::Alike(Part { kind, count }) => {
                let best = self.columns(*kind).min();
                let out = self.out(*kind).map(|cost| (cost, OUT));
                let (cost, column) = best.into_iter().chain(out).min().ok_or(Stuck::Kind(*kind))?;
                Ok((cost * i128::from(*count), vec![(*kind, column, *count)]))
            }
            Block::Group { spread, dimension, at_least, at_most, parts } => {
                self.group(parts, *dimension, *at_least, *at_most).ok_or(Stuck::Spread(*spread))
            }
        }
    }

    fn group(&self, parts: &[Part], dimension: u32, at_least: u32, at_most: u32) -> Option<(i128, Vec<Pick>)> {
        // Domain, cost and column of the best of each domain, by part.
        let best: Vec<Vec<(u32, i128, u32)>> = parts.iter().map(|part| self.by_domain(part.kind, dimension)).collect();
        let member = |(part, best): (&Part, &Vec<(u32, i128, u32)>)| Member {
            count: part.count,
            costs: best.iter().map(|&(domain, cost, _)| (domain, cost)).collect(),
            out: self.out(part.kind),
        };
        let flow = group::cheapest(parts.iter().zip(&best).map(member).collect(), at_least, at_most)?;
        let picks = flow.to.iter().map(|&(member, domain, count)| {
            let at = best[member].binary_search_by_key(&domain, |b| b.0);
            let column = if domain == LEFT_OUT { OUT } else { at.map_or(OUT, |at| best[member][at].2) };
            (parts[member].kind, column, count)
        });
        Some((flow.cost, picks.collect()))
    }

    fn by_domain(&self, kind: u32, dimension: u32) -> Vec<(u32, i128, u32)> {
        let domains = self.compiled.menu(kind).domains(dimension);
        let mut all: Vec<(u32, i128, u32)> =
            self.columns(kind).map(|(cost, column)| (domains[column as usize], cost, column)).collect();
        all.sort_unstable();
        all.dedup_by_key(|b| b.0);
        debug_assert_eq!(NOWHERE, crate::model::NO_DOMAIN);
        all
    }
}

fn scaled(cost: i64) -> i128 {
    i128::from(cost) << FRACTION
}
