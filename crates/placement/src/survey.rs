//! The whole market held against a question: what each rule rules out, and what would do if it gave way.

use std::collections::BTreeMap;

use novacron_catalog::OfferId;
use novacron_types::ProviderKind;

use crate::{Ask, Candidate, Choice, ask::Then, market::Run, rule::Kind};

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

/// What a region adds: to the price, and of rules that are broken there, a price that is not known among them.
#[derive(Clone, Copy)]
struct Cell {
    sum: u64,
    bits: u64,
}

/// Disks and traffic laid out for the pass.
struct Around<'a, 'm> {
    ask: &'a Ask<'m>,
    /// By region, of types that take the disk and of those that do not.
    with_disk: Vec<Cell>,
    without: Vec<Cell>,
    unknown: Vec<bool>,
    some_unknown: bool,
    /// Of a price that is not known.
    bits: u64,
}

impl<'a, 'm> Around<'a, 'm> {
    fn new(ask: &'a Ask<'m>) -> Self {
        let bits = ask.priced | ask.limit.map_or(0, |(bit, _)| bit);
        let unknown: Vec<bool> =
            ask.disk.iter().zip(&ask.traffic).map(|(disk, traffic)| disk.is_none() || traffic.is_none()).collect();
        let cell = |i: usize, disk: u64| Cell {
            sum: disk.saturating_add(ask.traffic[i].unwrap_or(0)),
            bits: ask.regions[i] | if unknown[i] { bits } else { 0 },
        };
        let all = 0..ask.regions.len();
        let with_disk = all.clone().map(|i| cell(i, ask.disk[i].unwrap_or(0))).collect();
        let without = all.map(|i| cell(i, 0)).collect();
        Self { ask, with_disk, without, some_unknown: unknown.contains(&true), unknown, bits }
    }

    fn cells(&self, takes: bool) -> &[Cell] {
        if takes { &self.with_disk } else { &self.without }
    }

    /// The bits of a run whatever the region, and whether its type takes the disk, if one is asked for.
    fn fixed(&self, run: &Run) -> (u64, bool) {
        let takes = self.ask.size.disk_gb == 0 || self.ask.takes_disk[usize::from(run.ty.0)];
        let bits = self.ask.types[usize::from(run.ty.0)] | self.ask.pricing[run.pricing as usize];
        (if takes { bits } else { bits | self.bits }, takes)
    }
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
                bits if bits.is_power_of_two() => self.alone(bits, 1, cost.hourly_nanos, candidate),
                _ => {}
            }
        }
    }

    fn offers(&mut self) {
        let ask = self.ask;
        let around = Around::new(ask);
        let offers = ask.catalog().offers();
        let slow = ask.extras.iter().any(|extra| matches!(extra.then, Then::Break { .. }));
        let by_group = ask.groups.iter().any(|mask| *mask != 0);
        let (limit_bit, limit) = ask.limit.unwrap_or((0, u64::MAX));
        let (mut over, mut unpriced) = (0u64, 0u64);
        for run in &ask.market.runs {
            let (fixed, takes) = around.fixed(run);
            let range = run.offers.start as usize..run.offers.end as usize;
            let (regions, groups) = (&offers.region[range.clone()], &offers.group[range.clone()]);
            let prices = &offers.hourly_nanos[range.clone()];
            let cells = around.cells(takes);
            let mut of_run = OfKind { offers: range.len() as u64, ..OfKind::default() };
            if !takes {
                unpriced += of_run.offers;
            } else if around.some_unknown {
                unpriced += regions.iter().filter(|region| around.unknown[usize::from(region.0)]).count() as u64;
            }
            // What fails for two already is no candidate; it only counts.
            if fixed & fixed.wrapping_sub(1) != 0 && !slow {
                if limit_bit != 0 {
                    for (region, price) in regions.iter().zip(prices) {
                        let cell = cells[usize::from(region.0)];
                        let dear = price.saturating_add(cell.sum) > limit;
                        over += u64::from(dear || cell.bits & limit_bit != 0 || !takes);
                    }
                }
                self.count_kind(run, of_run);
                continue;
            }
            let (mut least, mut at, mut alone) = (u64::MAX, 0, 0);
            for (i, ((region, group), price)) in regions.iter().zip(groups).zip(prices).enumerate() {
                let cell = cells[usize::from(region.0)];
                let cost = price.saturating_add(cell.sum);
                let dear = cost > limit;
                over += u64::from(limit_bit != 0 && (dear || cell.bits & limit_bit != 0 || !takes));
                let mut rest = cell.bits | if dear { limit_bit } else { 0 };
                if by_group {
                    rest |= ask.groups[usize::from(group.0)];
                }
                let id = run.offers.start + i as u32;
                if slow {
                    rest |= self.slow_bits(Candidate::Offer(OfferId(id)), fixed | rest);
                }
                // Of a run that fails for one rule, those that fail for no other.
                if rest | fixed == fixed {
                    alone += 1;
                    if cost < least {
                        (least, at) = (cost, id);
                    }
                } else if fixed == 0 && rest & (rest - 1) == 0 {
                    self.alone(rest, 1, cost, Candidate::Offer(OfferId(id)));
                }
            }
            if alone > 0 && fixed == 0 {
                (of_run.feasible, of_run.cheapest) = (alone, Some(least));
            } else if alone > 0 && fixed & (fixed - 1) == 0 {
                // How far off it is does not depend on the region: the rule is one of types or of paying.
                self.alone(fixed, alone, least, Candidate::Offer(OfferId(at)));
            }
            self.count_kind(run, of_run);
        }
        for (bit, count) in [(limit_bit, over), (ask.priced, unpriced)] {
            if bit != 0 {
                self.survey.fails[bit.trailing_zeros() as usize].all += count;
            }
        }
    }

    fn count_kind(&mut self, run: &Run, of_run: OfKind) {
        let known = self.survey.kinds.entry(self.ask.market.lean[usize::from(run.ty.0)].kind).or_default();
        known.offers += of_run.offers;
        known.feasible += of_run.feasible;
        known.cheapest = known.cheapest.into_iter().chain(of_run.cheapest).min();
    }

    /// Bits of rules that look at one offer at a time; they are counted here.
    fn slow_bits(&mut self, candidate: Candidate, known: u64) -> u64 {
        let more = self.ask.broken(candidate) & !known;
        for (place, fails) in self.survey.fails.iter_mut().enumerate() {
            fails.all += more >> place & 1;
        }
        more
    }

    /// `count` places fail for this rule alone; of them the cheapest, or one of those that are equal to it.
    fn alone(&mut self, bit: u64, count: u64, hourly_nanos: u64, candidate: Candidate) {
        let place = bit.trailing_zeros() as usize;
        let fails = &mut self.survey.fails[place];
        fails.alone += count;
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
    let around = Around::new(ask);
    let offers = ask.catalog().offers();
    let slow = ask.extras.iter().any(|extra| matches!(extra.then, Then::Break { .. }));
    let (limit_bit, limit) = ask.limit.unwrap_or((0, u64::MAX));
    for run in &ask.market.runs {
        let (fixed, takes) = around.fixed(run);
        // Nothing in it can be among the smallest.
        if fixed & firm != 0 || fixed.count_ones() > note.least {
            continue;
        }
        let cells = around.cells(takes);
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
    sets.truncate(MOST_SETS);
    sets
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
