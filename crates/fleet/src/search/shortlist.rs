//! For each kind the columns that are worth trying: those that cost least when what they take is paid for, and some elsewhere.

use std::collections::HashSet;

use crate::{
    bound::{Costs, FRACTION, Pricer},
    compile::{Compiled, OUT},
};

#[derive(Clone, Debug)]
pub(crate) struct Shortlist {
    /// Of each kind, the best first.
    pub columns: Vec<Vec<u32>>,
    /// Of each kind and column, in 10⁻⁹ units: what it costs beyond the best, with the worth of what it takes.
    pub excess: Vec<Vec<f32>>,
    /// The same of being left out.
    pub out: Vec<f32>,
    /// The kinds and columns that take something of a row.
    pub users: Vec<Vec<(u32, u32)>>,
    /// Of each kind, rows and columns that take from them, sorted; budgets are not among the rows.
    pub by_row: Vec<Vec<(u32, u32)>>,
    /// What a unit of each row is worth, in 10⁻⁹ units.
    pub worths: Vec<f64>,
}

/// So many of the best,
const LENGTH: usize = 80;
/// those that cost more than the best by no more than one such part of the least cost, up to so many of all kinds together (of
/// hundreds of hosts that are as good as each other, most are full),
const ALIKE: i128 = 1000;
const MOST: usize = 2_000_000;
/// and of each dimension that spreads count in, the best of so many domains that those are not in.
const DOMAINS: usize = 8;
/// Of them, so many are looked at to fill a row, and all that cost no more than that part.
const NEAR: usize = 48;

impl Shortlist {
    /// `None` when a kind has no column at all.
    pub fn new(compiled: &Compiled, worths: &[i128], guess: bool) -> Option<Self> {
        let pricer = Pricer::new(compiled, worths, Costs::All, None);
        let most = (MOST / compiled.kinds.len().max(1)).max(LENGTH);
        let of = |kind: u32| {
            let out = pricer.out(kind).map(|cost| (cost, OUT));
            let mut all: Vec<(i128, u32)> = pricer.columns(kind).chain(out).collect();
            all.sort_unstable();
            let &(best, _) = all.first()?;
            let least = all.iter().map(|(_, column)| compiled.cost(kind, *column)).min()?;
            let margin = (i128::from(least) << FRACTION) / ALIKE;
            let alike = all.partition_point(|(cost, _)| *cost <= best + margin).min(most);
            let rest = all.split_off(if guess { most } else { alike.max(LENGTH) }.min(all.len()));
            for (_, domains) in compiled.menu(kind).dimensions() {
                let mut known: HashSet<u32> =
                    all.iter().filter_map(|(_, c)| domains.get(*c as usize)).copied().collect();
                let new = rest.iter().filter(|(_, c)| domains.get(*c as usize).is_some_and(|&d| known.insert(d)));
                all.extend(new.take(DOMAINS));
            }
            all.extend(rest.iter().filter(|(_, column)| *column == OUT));
            all.sort_unstable();
            all.dedup();
            Some((all.into_iter().map(|(_, column)| column).collect(), alike.max(NEAR)))
        };
        let found: Option<Vec<(Vec<u32>, usize)>> = (0..compiled.kinds.len() as u32).map(of).collect();
        let (columns, near): (Vec<Vec<u32>>, Vec<usize>) = found?.into_iter().unzip();
        let (mut excess, mut outs) = (Vec::new(), Vec::new());
        for kind in 0..compiled.kinds.len() as u32 {
            let all: Vec<i128> = pricer.columns(kind).map(|(cost, _)| cost).collect();
            let out = pricer.out(kind);
            let least = all.iter().copied().chain(out).min().unwrap_or(0);
            let unit = |cost: i128| ((cost - least) >> FRACTION) as f32;
            excess.push(all.into_iter().map(unit).collect());
            outs.push(out.map_or(0.0, unit));
        }
        let mut users = vec![Vec::new(); compiled.rows.len()];
        for ((kind, list), near) in (0..).zip(&columns).zip(near) {
            for &column in list.iter().take(near) {
                compiled.uses(kind, column, |row, _| users[row].push((kind, column)));
            }
        }
        let by_row = |(kind, list): (u32, &Vec<u32>)| {
            let menu = compiled.menu(kind);
            let takes = |&c: &u32| menu.takes(c).iter().map(move |&(row, _)| (row, c));
            let mut found: Vec<(u32, u32)> = list.iter().filter(|&&c| c != OUT).flat_map(takes).collect();
            found.sort_unstable();
            found
        };
        let by_row = (0..).zip(&columns).map(by_row).collect();
        let worths = worths.iter().map(|&worth| worth as f64 / 2f64.powi(FRACTION as i32)).collect();
        Some(Self { columns, excess, out: outs, users, by_row, worths })
    }

    /// The columns of a kind that take from a row.
    pub fn on_row(&self, kind: u32, row: u32) -> &[(u32, u32)] {
        let all = &self.by_row[kind as usize];
        let start = all.partition_point(|&(r, _)| r < row);
        &all[start..start + all[start..].partition_point(|&(r, _)| r == row)]
    }

    pub fn excess(&self, kind: u32, column: u32) -> f32 {
        if column == OUT { self.out[kind as usize] } else { self.excess[kind as usize][column as usize] }
    }
}
