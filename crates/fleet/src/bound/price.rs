//! The proof: what all items cost at least when a unit of each row is worth so much. Integers only.
//!
//! Whatever the worths λ ≥ 0 are, no placement costs less than `Σ over blocks of the least of (cost + λ · taken) − λ · capacity`.

use super::{
    costs::Costs,
    group::{self, LEFT_OUT, Member, NOWHERE},
};
use crate::compile::{Block, Compiled, OUT, Part, Row};

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
    let pricer = Pricer::new(compiled, worths, costs);
    let mut priced = Priced { value: 0, used: vec![0; worths.len()], picks: Vec::with_capacity(compiled.blocks.len()) };
    for block in &compiled.blocks {
        let (value, picks) = pricer.block(block)?;
        priced.value += value;
        for &(kind, column, count) in &picks {
            compiled.uses(kind, column, |row, amount| priced.used[row] += i128::from(amount) * i128::from(count));
        }
        priced.picks.push(picks);
    }
    for (row, &worth) in compiled.rows.iter().zip(worths) {
        priced.value -= i128::from(row.capacity) * worth;
    }
    Ok(priced)
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
    /// Of each column of each menu: cost, and worth of what it takes, without budgets.
    bases: Vec<Vec<i128>>,
}

impl<'a> Pricer<'a> {
    pub fn new(compiled: &'a Compiled, worths: &'a [i128], costs: Costs) -> Self {
        let base = |menu: &crate::compile::Menu| {
            let column = |(c, column): (usize, &crate::compile::Column)| {
                let takes = menu.takes(c as u32).iter();
                scaled(costs.column(column.cost))
                    + takes.map(|&(row, n)| worths[row as usize] * i128::from(n)).sum::<i128>()
            };
            menu.columns.iter().enumerate().map(column).collect()
        };
        Self { compiled, worths, costs, bases: compiled.menus.iter().map(base).collect() }
    }

    /// Of each column of a kind, what one item costs there with the worth of all that it takes.
    pub fn columns(&self, kind: u32) -> impl Iterator<Item = i128> + '_ {
        let kind = &self.compiled.kinds[kind as usize];
        let purse: i128 = kind.pays.iter().map(|&row| self.worths[row as usize]).sum();
        let menu = kind.menu as usize;
        let columns = self.compiled.menus[menu].columns.iter();
        columns.zip(&self.bases[menu]).map(move |(column, base)| base + purse * i128::from(column.price))
    }

    pub fn out(&self, kind: u32) -> Option<i128> {
        self.compiled.kinds[kind as usize].out.map(|out| scaled(self.costs.out(out)))
    }

    pub fn block(&self, block: &Block) -> Result<(i128, Vec<Pick>), Stuck> {
        match block {
            Block::Alike(Part { kind, count }) => {
                let best = self.columns(*kind).enumerate().min_by_key(|&(_, cost)| cost);
                let best = best.map(|(column, cost)| (cost, column as u32));
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
        let mut all: Vec<(u32, i128, u32)> = domains
            .iter()
            .zip(self.columns(kind))
            .enumerate()
            .map(|(c, (&domain, cost))| (domain, cost, c as u32))
            .collect();
        all.sort_unstable();
        all.dedup_by_key(|b| b.0);
        debug_assert_eq!(NOWHERE, crate::model::NO_DOMAIN);
        all
    }
}

fn scaled(cost: i64) -> i128 {
    i128::from(cost) << FRACTION
}
