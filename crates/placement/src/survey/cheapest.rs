//! The cheapest place that breaks no rule, whatever its points.

use novacron_catalog::OfferId;

use crate::{Ask, Candidate};

/// With what it costs an hour. What is not known is not cheap.
pub(super) fn cheapest(ask: &Ask<'_>) -> Option<(u64, Candidate)> {
    let mut found: Option<(u64, Candidate)> = None;
    let mut keep = |candidate: Candidate| {
        let cost = ask.cost(candidate);
        let this = (cost.hourly_nanos, candidate);
        if cost.known && found.is_none_or(|known| this < known) && ask.broken(candidate) == 0 {
            found = Some(this);
        }
        found.map_or(u64::MAX, |(hourly, _)| hourly)
    };
    let mut most = u64::MAX;
    for index in 0..ask.hosts.len() {
        most = keep(Candidate::Host(index));
    }
    let offers = ask.catalog().offers();
    for run in &ask.market.runs {
        let possible = ask.types[usize::from(run.ty.0)] | ask.pricing[run.pricing as usize] == 0;
        if !possible || run.least > most {
            continue;
        }
        for id in run.offers.clone() {
            let i = id as usize;
            if ask.regions[usize::from(offers.region[i].0)] == 0 && offers.hourly_nanos[i] <= most {
                most = keep(Candidate::Offer(OfferId(id)));
            }
        }
    }
    found
}
