//! The regions that offers of one type are in, by what a question says of them: many types have the same, so most runs are
//! counted without a look at their offers.

use crate::{Ask, market::Run};

/// What a region adds: to the price, and of rules that are broken there, a price that is not known among them.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub sum: u64,
    pub bits: u64,
}

/// Offers of a run in regions that are alike to the question.
#[derive(Clone, Copy)]
pub(super) struct Alike {
    pub bits: u64,
    pub offers: u64,
    /// What these regions add to the price, of types that take the disk and of those that do not: the least and the most.
    least: [u64; 2],
    most: [u64; 2],
}

/// A question's view of regions and of the spreads over them.
pub(super) struct Spreads<'a, 'm> {
    ask: &'a Ask<'m>,
    /// By region, of types that do not take the disk and of those that do.
    cells: [Vec<Cell>; 2],
    /// By spread.
    alike: Vec<Vec<Alike>>,
    /// Of a price that is not known.
    unknown: u64,
}

impl<'a, 'm> Spreads<'a, 'm> {
    pub fn new(ask: &'a Ask<'m>) -> Self {
        let unknown = ask.priced | ask.limit.map_or(0, |(bit, _)| bit);
        let cell = |region: usize, disk: Option<u64>| Cell {
            sum: disk.unwrap_or(0).saturating_add(ask.traffic[region].unwrap_or(0)),
            bits: ask.regions[region]
                | if ask.disk[region].is_none() || ask.traffic[region].is_none() { unknown } else { 0 },
        };
        let all = 0..ask.regions.len();
        let cells = [all.clone().map(|i| cell(i, None)).collect(), all.map(|i| cell(i, ask.disk[i])).collect()];
        let alike = ask.market.spreads.iter().map(|regions| alike(&cells, regions.iter().map(|r| r.0))).collect();
        Self { ask, cells, alike, unknown }
    }

    /// The bits of a run whatever the region, and whether its type takes the disk, if one is asked for.
    pub fn fixed(&self, run: &Run) -> (u64, bool) {
        let takes = self.ask.size.disk_gb == 0 || self.ask.takes_disk[usize::from(run.ty.0)];
        let bits = self.ask.types[usize::from(run.ty.0)] | self.ask.pricing[run.pricing as usize];
        (if takes { bits } else { bits | self.unknown }, takes)
    }

    pub fn cells(&self, takes: bool) -> &[Cell] {
        &self.cells[usize::from(takes)]
    }

    pub fn of(&self, run: &Run) -> &[Alike] {
        &self.alike[run.spread as usize]
    }
}

impl Alike {
    /// What any of a run's offers in these regions can cost, the least and the most.
    pub fn costs(&self, run: &Run, takes: bool) -> (u64, u64) {
        let takes = usize::from(takes);
        (run.least.saturating_add(self.least[takes]), run.most.saturating_add(self.most[takes]))
    }

    /// What of a cost's limit all of them break: its bit or nothing; `None` where some do.
    pub fn dear(&self, run: &Run, takes: bool, (bit, limit): (u64, u64)) -> Option<u64> {
        match self.costs(run, takes) {
            (_, most) if most <= limit => Some(0),
            (least, _) if least > limit => Some(bit),
            _ => None,
        }
    }
}

fn alike(cells: &[Vec<Cell>; 2], regions: impl Iterator<Item = u16>) -> Vec<Alike> {
    let mut all: Vec<Alike> = Vec::new();
    for region in regions.map(usize::from) {
        let (bits, sums) = (cells[0][region].bits, [cells[0][region].sum, cells[1][region].sum]);
        match all.iter_mut().find(|alike| alike.bits == bits) {
            Some(alike) => {
                alike.offers += 1;
                for (i, sum) in sums.into_iter().enumerate() {
                    alike.least[i] = alike.least[i].min(sum);
                    alike.most[i] = alike.most[i].max(sum);
                }
            }
            None => all.push(Alike { bits, offers: 1, least: sums, most: sums }),
        }
    }
    all
}
