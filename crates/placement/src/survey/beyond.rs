//! The nearest place that only its latency rules out.

use novacron_catalog::OfferId;

use super::Near;
use crate::{Ask, Candidate, rule::Kind};

/// For each rule on latency, by its place among the rules.
pub(super) fn beyond(ask: &Ask<'_>) -> Vec<(usize, Near)> {
    let rules = ask.rules.iter().enumerate().filter(|(_, rule)| matches!(rule.kind, Kind::Latency { .. }));
    rules.filter_map(|(place, _)| Some((place, nearest(ask, 1 << place)?))).collect()
}

/// Of the nearest region the cheapest; what is not known to be near is not told.
fn nearest(ask: &Ask<'_>, bit: u64) -> Option<Near> {
    let near = ask.near.as_ref()?;
    let away = |i: usize| near.regions[i].filter(|_| ask.regions[i] == bit);
    let away: Vec<Option<u64>> = (0..ask.regions.len()).map(away).collect();
    let mut found: Option<Near> = None;
    for (index, distance) in near.hosts.iter().enumerate() {
        let candidate = Candidate::Host(index);
        if let Some(distance) = distance.filter(|_| ask.broken(candidate) == bit) {
            let this = Near { distance, hourly_nanos: ask.cost(candidate).hourly_nanos, candidate };
            found = Some(found.map_or(this, |known| known.min(this)));
        }
    }
    let offers = ask.catalog().offers();
    for run in &ask.market.runs {
        if ask.types[usize::from(run.ty.0)] | ask.pricing[run.pricing as usize] != 0 {
            continue;
        }
        for id in run.offers.clone() {
            let (region, candidate) = (offers.region[id as usize], Candidate::Offer(OfferId(id)));
            let Some(distance) = away[usize::from(region.0)] else { continue };
            if found.is_some_and(|known| known.distance < distance) {
                continue;
            }
            let this = Near { distance, hourly_nanos: ask.cost(candidate).hourly_nanos, candidate };
            if found.is_none_or(|known| this < known) && ask.broken(candidate) == bit {
                found = Some(this);
            }
        }
    }
    found
}
