//! All placements, but for those that the bound shows to be no better: exact where it comes to an end.

use super::state::{Layout, State};
use crate::{
    bound::{Costs, FRACTION, Pricer},
    clock::Clock,
    compile::{Compiled, OUT},
    model::Model,
};

/// What a search through all placements came to.
pub(crate) struct Exact {
    /// Everything was looked at: what is best now is best of all, and if there is none, there is none.
    pub complete: bool,
    /// Better than what was known before.
    pub found: Option<(i128, Vec<u32>)>,
    pub nodes: u64,
}

const LOOK: u64 = 1024;

/// Looks for placements that cost less than `below`, for so many nodes at most; for only one if `any` will do.
pub(crate) fn exact(
    compiled: &Compiled,
    model: &Model,
    worths: &[i128],
    below: Option<i128>,
    any: bool,
    nodes: u64,
    clock: &Clock<'_>,
) -> Exact {
    let layout = Layout::new(model);
    let mut search = Search::new(compiled, model, &layout, worths, below, nodes, clock);
    search.any = any;
    search.node();
    let Search { found, ended, nodes, .. } = search;
    Exact { complete: !ended, found, nodes }
}

struct Search<'a> {
    compiled: &'a Compiled,
    state: State<'a>,
    kinds: Vec<Choice>,
    /// Cost of what is placed, with the worth of what it takes, less the worth of all rows.
    reduced: i128,
    below: Option<i128>,
    found: Option<(i128, Vec<u32>)>,
    nodes: u64,
    most: u64,
    any: bool,
    ended: bool,
    clock: &'a Clock<'a>,
}

/// What is left to choose for a kind. Its items are alike: each is at the place in the list of the one before or behind it.
struct Choice {
    kind: u32,
    list: Vec<(i128, u32)>,
    /// How many are placed.
    placed: usize,
    from: usize,
}

impl<'a> Search<'a> {
    fn new(
        compiled: &'a Compiled,
        model: &'a Model,
        layout: &'a Layout,
        worths: &[i128],
        below: Option<i128>,
        most: u64,
        clock: &'a Clock<'a>,
    ) -> Self {
        let pricer = Pricer::new(compiled, worths, Costs::All, None);
        let choice = |kind: u32| {
            let out = pricer.out(kind).map(|cost| (cost, OUT));
            let mut list: Vec<(i128, u32)> = pricer.columns(kind).chain(out).collect();
            list.sort_unstable();
            Choice { kind, list, placed: 0, from: 0 }
        };
        let kinds = (0..compiled.kinds.len() as u32).map(choice).collect();
        let rows = compiled.rows.iter().zip(worths);
        let reduced = -rows.map(|(row, worth)| i128::from(row.capacity) * worth).sum::<i128>();
        let state = State::empty(compiled, model, layout);
        Self { compiled, state, kinds, reduced, below, found: None, nodes: 0, most, any: false, ended: false, clock }
    }

    fn node(&mut self) {
        self.nodes += 1;
        if self.nodes >= self.most || self.nodes.is_multiple_of(LOOK) && self.clock.over() {
            self.ended = true;
        }
        if self.ended || !self.state.can_spread() {
            return;
        }
        let mut bound = self.reduced;
        // The kind that loses most if it does not get its best column.
        let mut next: Option<(i128, usize)> = None;
        for (k, choice) in self.kinds.iter().enumerate() {
            let left = self.compiled.kinds[choice.kind as usize].items.len() - choice.placed;
            if left == 0 {
                continue;
            }
            let mut fits = choice.list[choice.from..].iter().filter(|c| self.state.fits(choice.kind, c.1));
            let Some(&(first, _)) = fits.next() else { return };
            bound += first * left as i128;
            let regret = fits.next().map_or(i128::MAX, |second| second.0 - first);
            if next.is_none_or(|(most, _)| regret > most) {
                next = Some((regret, k));
            }
        }
        let unit = i128::from(self.compiled.grain) << FRACTION;
        let least = bound.div_euclid(unit) + i128::from(bound.rem_euclid(unit) > 0);
        if self.below.is_some_and(|below| least * i128::from(self.compiled.grain) >= below) {
            return;
        }
        let Some((_, k)) = next else {
            if self.state.broken == 0 && self.below.is_none_or(|below| self.state.cost < below) {
                self.below = Some(self.state.cost);
                self.found = Some((self.state.cost, self.state.at.clone()));
                self.ended = self.any;
            }
            return;
        };
        let (kind, from) = (self.kinds[k].kind, self.kinds[k].from);
        let item = self.compiled.kinds[kind as usize].items[self.kinds[k].placed] as usize;
        for place in from..self.kinds[k].list.len() {
            let (cost, column) = self.kinds[k].list[place];
            if !self.state.fits(kind, column) {
                continue;
            }
            self.state.enter(item, column);
            self.reduced += cost;
            self.kinds[k].placed += 1;
            self.kinds[k].from = place;
            self.node();
            self.kinds[k].from = from;
            self.kinds[k].placed -= 1;
            self.reduced -= cost;
            self.state.leave(item);
            if self.ended {
                return;
            }
        }
    }
}
