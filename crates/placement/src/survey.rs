//! The whole market held against a question: what each rule rules out, and what would do if it gave way.

use std::collections::BTreeMap;

use novacron_catalog::OfferId;
use novacron_types::ProviderKind;

use crate::{Ask, Candidate, Choice, ask::Then, rule::Kind};

/// Places that fail for one rule.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fails {
    /// Whatever else they fail for.
    pub all: u64,
    pub alone: u64,
    /// The nearest of those that fail for it alone; with a winner, of those that cost less.
    pub nearest: Option<Near>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Near {
    /// How far from what was asked; 0 where there is no nearer and farther.
    distance: u64,
    pub hourly_nanos: u64,
    pub candidate: Candidate,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfKind {
    pub offers: u64,
    pub feasible: u64,
    pub cheapest: Option<u64>,
}

pub(crate) struct Survey {
    /// By rule.
    pub fails: Vec<Fails>,
    pub kinds: BTreeMap<ProviderKind, OfKind>,
    /// Where nothing will do: the smallest sets of rules to give way, as bits, the cheapest first.
    pub sets: Vec<(u64, Near)>,
}

/// At most so many sets are told.
const MOST_SETS: usize = 5;

pub(crate) fn survey(ask: &Ask<'_>, winner: Option<&Choice>) -> Survey {
    let mut pass = Pass {
        ask,
        below: winner.map_or(u64::MAX, |winner| winner.hourly_nanos),
        graded: ask.rules.iter().map(|rule| is_graded(&rule.kind)).collect(),
        survey: Survey { fails: vec![Fails::default(); ask.rules.len()], kinds: BTreeMap::new(), sets: Vec::new() },
    };
    pass.hosts();
    pass.offers();
    pass.count_fixed();
    if winner.is_none() {
        pass.survey.sets = smallest_sets(ask);
    }
    pass.survey
}

struct Pass<'a, 'm> {
    ask: &'a Ask<'m>,
    /// What is dearer is no gain.
    below: u64,
    graded: Vec<bool>,
    survey: Survey,
}

impl Pass<'_, '_> {
    fn hosts(&mut self) {
        for index in 0..self.ask.hosts.len() {
            let candidate = Candidate::Host(index);
            let (bits, cost) = (self.ask.broken(candidate), self.ask.cost(candidate));
            for (place, fails) in self.survey.fails.iter_mut().enumerate() {
                fails.all += bits >> place & 1;
            }
            let kind = self.survey.kinds.entry(self.ask.host(index).kind).or_default();
            kind.offers += 1;
            match bits {
                0 => {
                    kind.feasible += 1;
                    if cost.known {
                        kind.cheapest = Some(kind.cheapest.map_or(cost.hourly_nanos, |c| c.min(cost.hourly_nanos)));
                    }
                }
                bits if bits.is_power_of_two() => self.alone(bits, cost.hourly_nanos, candidate),
                _ => {}
            }
        }
    }

    fn offers(&mut self) {
        let ask = self.ask;
        let (catalog, market) = (ask.catalog(), ask.market);
        let offers = catalog.offers();
        let slow = ask.extras.iter().any(|extra| matches!(extra.then, Then::Break { .. }));
        let (limit_bit, limit) = ask.limit.unwrap_or((0, u64::MAX));
        let (mut over, mut unpriced) = (0u64, 0u64);
        for run in &market.runs {
            let fixed = ask.types[usize::from(run.ty.0)] | ask.pricing[run.pricing as usize];
            let mut kind = OfKind { offers: u64::from(run.offers.end - run.offers.start), ..OfKind::default() };
            for id in run.offers.clone() {
                let i = id as usize;
                let region = offers.region[i];
                let cost = ask.offer_cost(offers.hourly_nanos[i], run.ty, region);
                let mut bits = fixed | ask.regions[usize::from(region.0)] | ask.groups[usize::from(offers.group[i].0)];
                // No branch: about half of all are over, in no order.
                let dear = u64::from(cost.hourly_nanos > limit || !cost.known && limit_bit != 0);
                over += dear;
                unpriced += u64::from(!cost.known);
                bits |= limit_bit * dear | ask.priced * u64::from(!cost.known);
                if slow {
                    bits |= self.slow_bits(OfferId(id), bits);
                }
                if bits == 0 {
                    kind.feasible += 1;
                    kind.cheapest = Some(kind.cheapest.unwrap_or(u64::MAX).min(cost.hourly_nanos));
                } else if bits.is_power_of_two() {
                    self.alone(bits, cost.hourly_nanos, Candidate::Offer(OfferId(id)));
                }
            }
            let known = self.survey.kinds.entry(catalog.instance_type(run.ty).kind).or_default();
            known.offers += kind.offers;
            known.feasible += kind.feasible;
            known.cheapest = known.cheapest.into_iter().chain(kind.cheapest).min();
        }
        for (bit, count) in [(limit_bit, over), (ask.priced, unpriced)] {
            if bit != 0 {
                self.survey.fails[bit.trailing_zeros() as usize].all += count;
            }
        }
    }

    /// Bits of rules that look at one offer at a time; they are counted here.
    fn slow_bits(&mut self, id: OfferId, known: u64) -> u64 {
        let more = self.ask.broken(Candidate::Offer(id)) & !known;
        for (place, fails) in self.survey.fails.iter_mut().enumerate() {
            fails.all += more >> place & 1;
        }
        more
    }

    fn alone(&mut self, bit: u64, hourly_nanos: u64, candidate: Candidate) {
        let place = bit.trailing_zeros() as usize;
        let fails = &mut self.survey.fails[place];
        fails.alone += 1;
        if hourly_nanos >= self.below {
            return;
        }
        if !self.graded[place] {
            if fails.nearest.is_none_or(|near| hourly_nanos < near.hourly_nanos) {
                fails.nearest = Some(Near { distance: 0, hourly_nanos, candidate });
            }
            return;
        }
        let near =
            Near { distance: distance(self.ask, &self.ask.rules[place].kind, candidate), hourly_nanos, candidate };
        let fails = &mut self.survey.fails[place];
        fails.nearest = Some(fails.nearest.map_or(near, |known| known.min(near)));
    }

    /// What types, ways of paying, regions and groups fail for, counted without looking at each offer.
    fn count_fixed(&mut self) {
        let ask = self.ask;
        let fails = &mut self.survey.fails;
        let mut add = |bits: u64, count: u64| {
            let mut rest = bits;
            while rest != 0 {
                fails[rest.trailing_zeros() as usize].all += count;
                rest &= rest - 1;
            }
        };
        // A rule looks at one of these only, but for policies on places and on ways of paying; those may count twice, and
        // are counted by themselves.
        let both =
            ask.pricing.iter().fold(0, |bits, mask| bits | mask) & ask.regions.iter().fold(0, |bits, m| bits | m);
        for run in &ask.market.runs {
            let fixed = ask.types[usize::from(run.ty.0)] | ask.pricing[run.pricing as usize];
            add(fixed & !both, u64::from(run.offers.end - run.offers.start));
        }
        for (region, count) in ask.regions.iter().zip(&ask.market.offers_in) {
            add(*region & !both, *count);
        }
        let offers = ask.catalog().offers();
        if ask.groups.iter().any(|mask| *mask != 0) {
            offers.group.iter().for_each(|group| add(ask.groups[usize::from(group.0)], 1));
        }
        if both != 0 {
            for i in 0..offers.len() {
                add((ask.pricing[offers.pricing[i] as usize] | ask.regions[usize::from(offers.region[i].0)]) & both, 1);
            }
        }
    }
}

/// Whether there is a nearer and a farther.
fn is_graded(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Cpu(_) | Kind::Memory(_) | Kind::Bandwidth(_) | Kind::Latency { .. } | Kind::Sla(_) | Kind::Gpu(_)
    )
}

fn distance(ask: &Ask<'_>, kind: &Kind, candidate: Candidate) -> u64 {
    let Candidate::Offer(id) = candidate else { return 0 };
    let offers = ask.catalog().offers();
    let ty = ask.catalog().instance_type(offers.ty[id.0 as usize]);
    let region = usize::from(offers.region[id.0 as usize].0);
    match kind {
        Kind::Cpu(n) => u64::from(n.saturating_sub(ty.vcpus)),
        Kind::Memory(bytes) => bytes.saturating_sub(ty.memory_bytes),
        Kind::Bandwidth(mbps) => u64::from(mbps.saturating_sub(ty.network_mbps)),
        Kind::Gpu(gpu) => {
            u64::from((gpu.count.saturating_mul(1000)).saturating_sub(ty.gpu.as_ref().map_or(0, |gpu| gpu.milli)))
        }
        Kind::Latency { .. } => {
            let near = ask.near.as_ref().and_then(|(_, near)| ask.market.latency_from_region(region, near));
            near.unwrap_or(u64::MAX)
        }
        Kind::Sla(milli) => {
            u64::from(milli.saturating_sub(ask.market.promised(&ask.catalog().parts().regions[region])))
        }
        _ => 0,
    }
}

/// Rules that nobody can give up: a price that is not known, a place that runs nothing.
pub(crate) fn is_firm(kind: &Kind) -> bool {
    matches!(kind, Kind::Priced | Kind::Currency | Kind::RunsGuests)
}

fn smallest_sets(ask: &Ask<'_>) -> Vec<(u64, Near)> {
    let firm = ask.rules.iter().enumerate().filter(|(_, rule)| is_firm(&rule.kind));
    let firm = firm.fold(0u64, |bits, (place, _)| bits | 1 << place);
    let mut least = u32::MAX;
    let mut sets: BTreeMap<u64, Near> = BTreeMap::new();
    let mut note = |bits: u64, near: &dyn Fn() -> Near| {
        let size = bits.count_ones();
        if bits & firm != 0 || size > least {
            return;
        }
        if size < least {
            (least, _) = (size, sets.clear());
        }
        let near = near();
        sets.entry(bits).and_modify(|known| *known = (*known).min(near)).or_insert(near);
    };
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
        note(bits, &|| near(bits, candidate));
    }
    for id in 0..ask.catalog().offers().len() as u32 {
        let candidate = Candidate::Offer(OfferId(id));
        let bits = ask.broken(candidate);
        note(bits, &|| near(bits, candidate));
    }
    let mut sets: Vec<_> = sets.into_iter().collect();
    sets.sort_by_key(|(bits, near)| (near.hourly_nanos, *bits));
    sets.truncate(MOST_SETS);
    sets
}
