//! One pass over all places: how many fail for what, and the nearest of those that fail for one rule alone.

use novacron_catalog::OfferId;

use super::{Fails, Near, OfKind, Survey, distance, is_graded, spread::Spreads};
use crate::{Ask, Candidate, ask::Then, market::Run};

/// The survey but for its sets. What does not cost less than `below`, 10⁻⁹ USD an hour, is no gain.
pub(super) fn pass(ask: &Ask<'_>, spreads: &Spreads<'_, '_>, below: Option<u64>) -> Survey {
    let mut pass = Pass {
        ask,
        spreads,
        below: below.unwrap_or(u64::MAX),
        graded: ask.rules.iter().map(|rule| is_graded(&rule.kind)).collect(),
        limit: ask.limit.unwrap_or((0, u64::MAX)),
        survey: Survey::new(ask.rules.len()),
    };
    pass.hosts();
    pass.offers();
    pass.count_fixed();
    pass.survey
}

struct Pass<'a, 'm> {
    ask: &'a Ask<'m>,
    spreads: &'a Spreads<'a, 'm>,
    /// What is dearer is no gain.
    below: u64,
    graded: Vec<bool>,
    limit: (u64, u64),
    survey: Survey,
}

impl Pass<'_, '_> {
    fn hosts(&mut self) {
        for index in 0..self.ask.hosts.len() {
            let candidate = Candidate::Host(index);
            let (bits, cost) = (self.ask.broken(candidate), self.ask.cost(candidate));
            count(&mut self.survey.fails, bits, 1);
            let kind = self.survey.kinds.entry(self.ask.host(index).kind).or_default();
            kind.offers += 1;
            match bits {
                0 => {
                    kind.feasible += 1;
                    if cost.known {
                        kind.cheapest = Some(kind.cheapest.map_or(cost.hourly_nanos, |c| c.min(cost.hourly_nanos)));
                    }
                }
                bits if bits.is_power_of_two() => self.alone(bits, 1, cost.hourly_nanos, candidate),
                _ => {}
            }
        }
    }

    fn offers(&mut self) {
        let ask = self.ask;
        // Rules that look at one offer at a time.
        let slow = ask.extras.iter().any(|extra| matches!(extra.then, Then::Break { .. }));
        let by_group = ask.groups.iter().any(|mask| *mask != 0);
        for (kind, runs) in &ask.market.kinds {
            let mut of_kind = self.survey.kinds.remove(kind).unwrap_or_default();
            for run in &ask.market.runs[runs.clone()] {
                let (fixed, takes) = self.spreads.fixed(run);
                of_kind.offers += run.offers.len() as u64;
                if slow || by_group || !self.counted_alike(run, fixed, takes, &mut of_kind) {
                    self.one_by_one(run, fixed, takes, slow, &mut of_kind);
                }
            }
            self.survey.kinds.insert(*kind, of_kind);
        }
    }

    /// Counts a run by its regions, if prices do not matter to the counts and none of it is nearer than what is known;
    /// else does nothing.
    fn counted_alike(&mut self, run: &Run, fixed: u64, takes: bool, of_kind: &mut OfKind) -> bool {
        let all = self.spreads.of(run);
        for alike in all {
            let Some(dear) = alike.dear(run, takes, self.limit) else { return false };
            let least = alike.costs(run, takes).0;
            if self.may_be_nearer(fixed | alike.bits | dear, run, least, of_kind) {
                return false;
            }
        }
        for alike in all {
            let bits = fixed | alike.bits | alike.dear(run, takes, self.limit).unwrap_or(0);
            count(&mut self.survey.fails, bits & (self.limit.0 | self.ask.priced), alike.offers);
            match bits {
                0 => of_kind.feasible += alike.offers,
                bits if bits.is_power_of_two() => {
                    self.survey.fails[bits.trailing_zeros() as usize].alone += alike.offers;
                }
                _ => {}
            }
        }
        true
    }

    /// Whether places that break these rules, at this cost or more, may be told instead of what is known.
    fn may_be_nearer(&self, bits: u64, run: &Run, least: u64, of_kind: &OfKind) -> bool {
        if bits == 0 {
            return of_kind.cheapest.is_none_or(|cheapest| least < cheapest);
        }
        if !bits.is_power_of_two() || least >= self.below {
            return false;
        }
        let place = bits.trailing_zeros() as usize;
        let Some(known) = self.survey.fails[place].nearest else { return true };
        if !self.graded[place] {
            return least < known.hourly_nanos;
        }
        // How far off a type is does not depend on the region; how far off a region is, does.
        let of_type = self.ask.types[usize::from(run.ty.0)] & bits != 0;
        let first = Candidate::Offer(OfferId(run.offers.start));
        !of_type || (distance(self.ask, &self.ask.rules[place].kind, first), least) < known.measure()
    }

    fn one_by_one(&mut self, run: &Run, fixed: u64, takes: bool, slow: bool, of_kind: &mut OfKind) {
        let ask = self.ask;
        let offers = ask.catalog().offers();
        let (bit, limit) = self.limit;
        let cells = self.spreads.cells(takes);
        // What fails for two already is no candidate, and only counts.
        let counts_only = !slow && fixed & fixed.wrapping_sub(1) != 0;
        let (mut over, mut unpriced) = (0, 0);
        for id in run.offers.clone() {
            let i = id as usize;
            let cell = cells[usize::from(offers.region[i].0)];
            let cost = offers.hourly_nanos[i].saturating_add(cell.sum);
            let mut bits = fixed | cell.bits | if cost > limit { bit } else { 0 };
            over += u64::from(bits & bit != 0);
            unpriced += u64::from(bits & ask.priced != 0);
            if counts_only {
                continue;
            }
            bits |= ask.groups[usize::from(offers.group[i].0)];
            let candidate = Candidate::Offer(OfferId(id));
            if slow {
                let more = ask.broken(candidate) & !bits;
                count(&mut self.survey.fails, more, 1);
                bits |= more;
            }
            match bits {
                0 => {
                    of_kind.feasible += 1;
                    of_kind.cheapest = Some(of_kind.cheapest.map_or(cost, |least| least.min(cost)));
                }
                bits if bits.is_power_of_two() => self.alone(bits, 1, cost, candidate),
                _ => {}
            }
        }
        count(&mut self.survey.fails, bit, over);
        count(&mut self.survey.fails, ask.priced, unpriced);
    }

    /// `offers` places fail for this rule alone; of them the cheapest.
    fn alone(&mut self, bit: u64, offers: u64, hourly_nanos: u64, candidate: Candidate) {
        let place = bit.trailing_zeros() as usize;
        let fails = &mut self.survey.fails[place];
        fails.alone += offers;
        if hourly_nanos >= self.below {
            return;
        }
        let graded = self.graded[place];
        if !graded && fails.nearest.is_some_and(|near| near.hourly_nanos <= hourly_nanos) {
            return;
        }
        let distance = if graded { distance(self.ask, &self.ask.rules[place].kind, candidate) } else { 0 };
        let near = Near { distance, hourly_nanos, candidate };
        fails.nearest = Some(fails.nearest.map_or(near, |known| known.min(near)));
    }

    /// What types, ways of paying, regions and groups fail for, counted without looking at each offer.
    fn count_fixed(&mut self) {
        let ask = self.ask;
        let fails = &mut self.survey.fails;
        // A rule looks at one of these only, but for policies on places and on ways of paying; those may count twice, and
        // are counted by themselves.
        let both =
            ask.pricing.iter().fold(0, |bits, mask| bits | mask) & ask.regions.iter().fold(0, |bits, m| bits | m);
        for run in &ask.market.runs {
            let fixed = ask.types[usize::from(run.ty.0)] | ask.pricing[run.pricing as usize];
            count(fails, fixed & !both, run.offers.len() as u64);
        }
        for (region, offers) in ask.regions.iter().zip(&ask.market.offers_in) {
            count(fails, *region & !both, *offers);
        }
        let offers = ask.catalog().offers();
        if ask.groups.iter().any(|mask| *mask != 0) {
            offers.group.iter().for_each(|group| count(fails, ask.groups[usize::from(group.0)], 1));
        }
        if both != 0 {
            for (pricing, region) in offers.pricing.iter().zip(&offers.region) {
                count(fails, (ask.pricing[*pricing as usize] | ask.regions[usize::from(region.0)]) & both, 1);
            }
        }
    }
}

fn count(fails: &mut [Fails], bits: u64, offers: u64) {
    let mut rest = bits;
    while rest != 0 {
        fails[rest.trailing_zeros() as usize].all += offers;
        rest &= rest - 1;
    }
}
