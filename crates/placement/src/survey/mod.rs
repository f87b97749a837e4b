//! The whole market held against a question: what each rule rules out, and what would do if it gave way.

mod beyond;
mod cheapest;
mod pass;
mod sets;
mod spread;

use std::collections::BTreeMap;

use novacron_types::ProviderKind;

use crate::{Ask, Candidate, Choice, rule::Kind};

/// Places that fail for one rule.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fails {
    /// Whatever else they fail for.
    pub all: u64,
    pub alone: u64,
    /// The nearest of those that fail for it alone; with a winner, of those that cost less than any place that breaks no rule.
    pub nearest: Option<Near>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Near {
    /// How far from what was asked; 0 where there is no nearer and farther.
    pub distance: u64,
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
    /// How many more of that size there are.
    pub more_sets: usize,
    /// With a winner, the cheapest place that breaks no rule, and what it costs an hour: it, or one with fewer points.
    pub cheapest: Option<(u64, Candidate)>,
    /// With a winner, by the place of each rule on latency: the nearest place beyond it that breaks no other rule, whatever it
    /// costs.
    pub beyond: Vec<(usize, Near)>,
}

impl Survey {
    fn new(rules: usize) -> Self {
        Self {
            fails: vec![Fails::default(); rules],
            kinds: BTreeMap::new(),
            sets: Vec::new(),
            more_sets: 0,
            cheapest: None,
            beyond: Vec::new(),
        }
    }

    pub fn beyond(&self, rule: usize) -> Option<Near> {
        self.beyond.iter().find(|(place, _)| *place == rule).map(|(_, near)| *near)
    }
}

impl Near {
    /// What the order goes by before the place itself.
    fn measure(&self) -> (u64, u64) {
        (self.distance, self.hourly_nanos)
    }
}

pub(crate) fn survey(ask: &Ask<'_>, winner: Option<&Choice>) -> Survey {
    let spreads = spread::Spreads::new(ask);
    let cheapest = winner.and_then(|_| cheapest::cheapest(ask));
    // What is had without giving a rule up is no reason to.
    let below = winner.map(|winner| cheapest.map_or(winner.hourly_nanos, |(hourly, _)| hourly));
    let mut survey = pass::pass(ask, &spreads, below);
    survey.cheapest = cheapest;
    match winner {
        None => (survey.sets, survey.more_sets) = sets::smallest_sets(ask, &spreads),
        Some(_) => survey.beyond = beyond::beyond(ask),
    }
    survey
}

/// Whether there is a nearer and a farther.
pub(crate) fn is_graded(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Cpu(_) | Kind::Memory(_) | Kind::Bandwidth(_) | Kind::Latency { .. } | Kind::Sla(_) | Kind::Gpu(_)
    )
}

/// How far off a place is by the measure of a rule; 0 where it has none.
pub(crate) fn distance(ask: &Ask<'_>, kind: &Kind, candidate: Candidate) -> u64 {
    let Candidate::Offer(id) = candidate else { return 0 };
    let offers = ask.catalog().offers();
    let ty = ask.catalog().instance_type(offers.ty[id.0 as usize]);
    let region = usize::from(offers.region[id.0 as usize].0);
    match kind {
        Kind::Cpu(n) => u64::from(n.saturating_sub(ty.vcpus)),
        Kind::Memory(bytes) => bytes.saturating_sub(ty.memory_bytes),
        Kind::Bandwidth(mbps) => u64::from(mbps.saturating_sub(ty.bandwidth_mbps().unwrap_or(0))),
        Kind::Gpu(gpu) => {
            u64::from((gpu.count.saturating_mul(1000)).saturating_sub(ty.gpu.as_ref().map_or(0, |gpu| gpu.milli)))
        }
        Kind::Latency { .. } => ask.near.as_ref().and_then(|near| near.regions[region]).unwrap_or(u64::MAX),
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
