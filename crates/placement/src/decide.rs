//! The best places, without looking at those that can't be among them.

use std::{cmp::Reverse, collections::BinaryHeap};

use novacron_catalog::OfferId;
use novacron_types::ProviderKind;

use crate::{
    Ask, Candidate,
    ask::{Rank, Then},
    market::Run,
    score,
};

/// A place and its points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    pub candidate: Candidate,
    /// 0 to 100, times what policies multiply it by.
    pub score: f64,
    /// 10⁻⁹ USD an hour.
    pub hourly_nanos: u64,
}

/// The best `count` places that break no rule, best first, no two of one type and way of paying; fewer where there are no
/// more.
///
/// Offers come in runs of one type and way of paying. A run's cheapest price bounds the score of all in it, so runs are
/// looked at from the most promising on, until none left can beat the worst that is kept.
pub fn decide(ask: &Ask<'_>, count: usize) -> Vec<Choice> {
    decide_among(ask, count, None)
}

/// Likewise, of one kind only.
pub(crate) fn decide_among(ask: &Ask<'_>, count: usize, kind: Option<ProviderKind>) -> Vec<Choice> {
    let mut best = Kept::new(count);
    for (index, bits) in ask.hosts.iter().enumerate() {
        let host = Candidate::Host(index);
        if *bits == 0 && kind.is_none_or(|kind| kind == ask.host(index).kind) && ask.broken(host) == 0 {
            best.keep((ask.rank(host), host));
        }
    }
    let mut runs = promising(ask, kind);
    while let Some((bound, index)) = runs.pop() {
        if best.is_full_above(bound, ask.default_first) {
            break;
        }
        look_through(ask, index as usize, &mut best);
    }
    let mut kept: Vec<_> = best.kept.into_iter().map(|Reverse(kept)| kept).collect();
    kept.sort_unstable_by(|a, b| b.cmp(a));
    kept.into_iter()
        .map(|(rank, candidate)| Choice {
            candidate,
            score: rank.score as f64 / 1e6,
            hourly_nanos: ask.cost(candidate).hourly_nanos,
        })
        .collect()
}

/// Runs that may hold a place, by the most that any of it can score.
fn promising(ask: &Ask<'_>, kind: Option<ProviderKind>) -> BinaryHeap<(Bound, u32)> {
    let (mut points, mut times, mut around) = (0f64, 0f64, u64::MAX);
    for (region, _) in ask.regions.iter().enumerate().filter(|(_, mask)| **mask == 0) {
        points = points.max(ask.region_points[region]);
        times = times.max(ask.region_times[region]);
        let here = ask.disk[region].unwrap_or(0).saturating_add(ask.traffic[region].unwrap_or(0));
        around = around.min(here);
    }
    let around = if around == u64::MAX { 0 } else { around };
    for extra in &ask.extras {
        if let Then::Times { factor, .. } = extra.then {
            times *= factor.max(1.0);
        }
    }
    let limit = ask.limit.map_or(u64::MAX, |(_, limit)| limit);
    let cleanest = ask.cleanest_grid();
    let bound = |(index, run): (usize, &Run)| {
        let ty = usize::from(run.ty.0);
        let least = run.least.saturating_add(around);
        let possible = ask.types[ty] == 0 && ask.pricing[run.pricing as usize] == 0 && least <= limit;
        if !possible {
            return None;
        }
        let sum = points
            + ask.most_carbon_points(ty, cleanest)
            + ask.type_points[ty]
            + ask.share.cost * score::cost_points(least as f64, ask.fair);
        let score = above(sum * times * ask.pricing_times[run.pricing as usize]);
        Some((Bound { score, cheap: Reverse(least) }, index as u32))
    };
    let all = 0..ask.market.runs.len();
    let range = kind.map_or(all, |kind| {
        ask.market.kinds.iter().find(|(known, _)| *known == kind).map_or(0..0, |(_, range)| range.clone())
    });
    let runs = ask.market.runs[range.clone()].iter();
    range.zip(runs).filter_map(bound).collect::<Vec<_>>().into()
}

/// A score that no place with so many points is above, however it is rounded: at most the largest there is.
fn above(points: f64) -> i64 {
    ((points * 1e6) as i64).saturating_add(2)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    score: i64,
    /// Among equals the cheap first, so that the others soon can't win.
    cheap: Reverse<u64>,
}

fn look_through(ask: &Ask<'_>, run: usize, best: &mut Kept) {
    let offers = ask.catalog().offers();
    let run = &ask.market.runs[run];
    let ty = usize::from(run.ty.0);
    let own = ask.type_points[ty] + ask.most_carbon_points(ty, ask.cleanest_grid());
    // Policies that look at one offer at a time may raise it: then each is looked at in full.
    let sure = !ask.default_first && ask.extras.iter().all(|extra| !matches!(extra.then, Then::Times { .. }));
    let paid = ask.pricing_times[run.pricing as usize];
    let mut found: Option<(Rank, Candidate)> = None;
    for id in run.offers.clone() {
        let i = id as usize;
        let region = usize::from(offers.region[i].0);
        if ask.regions[region] != 0 || ask.groups[usize::from(offers.group[i].0)] != 0 {
            continue;
        }
        if sure {
            let least = best.least().max(found.map_or(i64::MIN, |(rank, _)| rank.score));
            let cost = ask.offer_cost(offers.hourly_nanos[i], run.ty, offers.region[i]);
            let sum = own
                + ask.region_points[region]
                + ask.share.cost * score::cost_points(cost.hourly_nanos as f64, ask.fair);
            if above(sum * ask.region_times[region] * paid) < least {
                continue;
            }
        }
        let candidate = Candidate::Offer(OfferId(id));
        if ask.broken(candidate) == 0 {
            found = found.max(Some((ask.rank(candidate), candidate)));
        }
    }
    if let Some(entry) = found {
        best.keep(entry);
    }
}

/// The best so far, the worst of them on top.
struct Kept {
    count: usize,
    kept: BinaryHeap<Reverse<(Rank, Candidate)>>,
}

impl Kept {
    fn new(count: usize) -> Self {
        Self { count: count.max(1), kept: BinaryHeap::new() }
    }

    fn keep(&mut self, entry: (Rank, Candidate)) {
        if self.kept.len() < self.count {
            self.kept.push(Reverse(entry));
        } else if self.kept.peek().is_some_and(|Reverse(worst)| *worst < entry) {
            self.kept.pop();
            self.kept.push(Reverse(entry));
        }
    }

    /// What has fewer points is not kept.
    fn least(&self) -> i64 {
        let full = self.kept.len() == self.count;
        self.kept.peek().filter(|_| full).map_or(i64::MIN, |Reverse((worst, _))| worst.score)
    }

    /// Whether nothing with this bound can come among those that are kept.
    fn is_full_above(&self, bound: Bound, default_first: bool) -> bool {
        self.kept.len() == self.count
            && self
                .kept
                .peek()
                .is_some_and(|Reverse((worst, _))| worst.first == default_first && worst.score > bound.score)
    }
}
