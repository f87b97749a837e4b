//! Where nothing will do: the smallest sets of rules that must give way, each with the nearest place that it would open.

use std::collections::BTreeMap;

use novacron_catalog::OfferId;

use super::{Near, distance, is_firm, is_graded, spread::Spreads};
use crate::{Ask, Candidate, ask::Then};

/// At most so many sets are told.
const MOST_SETS: usize = 5;

/// The cheapest first, and how many more of their size there are.
pub(super) fn smallest_sets(ask: &Ask<'_>, spreads: &Spreads<'_, '_>) -> (Vec<(u64, Near)>, usize) {
    let firm = ask.rules.iter().enumerate().filter(|(_, rule)| is_firm(&rule.kind));
    let firm = firm.fold(0u64, |bits, (place, _)| bits | 1 << place);
    let mut note = Sets { least: u32::MAX, firm, sets: BTreeMap::new() };
    let near = |bits: u64, candidate: Candidate| {
        let mut distance_of_all = 0u64;
        for (place, rule) in ask.rules.iter().enumerate() {
            if bits >> place & 1 == 1 && is_graded(&rule.kind) {
                // Each by its own measure: the order among equals need only be the same each time.
                distance_of_all = distance_of_all.saturating_add(distance(ask, &rule.kind, candidate));
            }
        }
        Near { distance: distance_of_all, hourly_nanos: ask.cost(candidate).hourly_nanos, candidate }
    };
    for index in 0..ask.hosts.len() {
        let candidate = Candidate::Host(index);
        let bits = ask.broken(candidate);
        note.note(bits, || near(bits, candidate));
    }
    let offers = ask.catalog().offers();
    let slow = ask.extras.iter().any(|extra| matches!(extra.then, Then::Break { .. }));
    let (limit_bit, limit) = ask.limit.unwrap_or((0, u64::MAX));
    for run in &ask.market.runs {
        let (fixed, takes) = spreads.fixed(run);
        let may_be_small = |bits: u64| bits & firm == 0 && bits.count_ones() <= note.least;
        if !spreads.of(run).iter().any(|alike| may_be_small(fixed | alike.bits)) {
            continue;
        }
        let cells = spreads.cells(takes);
        for id in run.offers.clone() {
            let i = id as usize;
            let cell = cells[usize::from(offers.region[i].0)];
            let dear = if offers.hourly_nanos[i].saturating_add(cell.sum) > limit { limit_bit } else { 0 };
            let mut bits = fixed | cell.bits | ask.groups[usize::from(offers.group[i].0)] | dear;
            let candidate = Candidate::Offer(OfferId(id));
            if slow {
                bits |= ask.broken(candidate);
            }
            note.note(bits, || near(bits, candidate));
        }
    }
    let mut sets: Vec<_> = note.sets.into_iter().collect();
    sets.sort_by_key(|(bits, near)| (near.hourly_nanos, *bits));
    let more = sets.len().saturating_sub(MOST_SETS);
    sets.truncate(MOST_SETS);
    (sets, more)
}

/// The smallest sets so far, each with the nearest place that it would open.
struct Sets {
    least: u32,
    firm: u64,
    sets: BTreeMap<u64, Near>,
}

impl Sets {
    #[inline]
    fn note(&mut self, bits: u64, near: impl FnOnce() -> Near) {
        let size = bits.count_ones();
        if size > self.least || bits & self.firm != 0 {
            return;
        }
        if size < self.least {
            self.least = size;
            self.sets.clear();
        }
        let near = near();
        self.sets.entry(bits).and_modify(|known| *known = (*known).min(near)).or_insert(near);
    }
}
