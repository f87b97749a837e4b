//! Which machines hold a spread, so that it is never less than it was.
//!
//! A group that must stand in N providers keeps doing so if N of its machines, in N providers now, stay in different ones;
//! the others may go anywhere. The N are a service of the solver. What a machine can hold only by staying, it stays for:
//! zones, which a move does not choose, and the second of two groups.

use std::collections::{BTreeMap, BTreeSet};

use novacron_placement::Market;

use super::{Machine, Whereabouts, ways::Mover};
use crate::{
    groups::{Dimension, Group},
    zones::zone_of,
};

#[derive(Debug, Default)]
pub(super) struct Held {
    /// Machines that stay in different providers, one list a service.
    pub apart: Vec<Vec<usize>>,
    /// Providers that a machine must not go to, since another holds them.
    pub taken: BTreeMap<usize, BTreeSet<String>>,
    pub notes: Vec<String>,
}

pub(super) fn hold(market: &Market, groups: &[Group<'_>], machines: &[Machine], movers: &mut [Mover]) -> Held {
    let mut held = Held::default();
    let mut in_service = BTreeSet::new();
    // Zones first: who stays for one is there for a group by providers as well.
    let mut order: Vec<&Group<'_>> = groups.iter().collect();
    order.sort_by_key(|group| std::cmp::Reverse(group.dimension));
    for group in order {
        let domain = |machine: usize| domain(market, group.dimension, &machines[machine], &movers[machine]);
        let mut anchors: BTreeSet<String> =
            group.peers.iter().filter_map(|peer| group.dimension.of_peer(market, peer)).collect();
        let mut by_domain: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for &member in &group.members {
            if let Some(domain) = domain(member).filter(|domain| !anchors.contains(domain)) {
                by_domain.entry(domain).or_default().push(member);
            }
        }
        let now = anchors.len() + by_domain.len();
        if now < group.least as usize {
            held.notes
                .push(format!("{}: they are in {now}; no move makes it fewer, none is made for it.", group.words()));
        }
        let need = (group.least as usize).min(now).saturating_sub(anchors.len());
        let free = |machine: &usize| {
            let mover = &movers[*machine];
            (mover.pinned.is_none(), mover.mandatory.is_some(), in_service.contains(machine))
        };
        let best = |members: &Vec<usize>| members.iter().copied().min_by_key(|machine| (free(machine), *machine));
        let mut holders: Vec<(usize, String)> =
            by_domain.iter().filter_map(|(domain, members)| Some((best(members)?, domain.clone()))).collect();
        holders.sort_by_key(|(machine, _)| (free(machine), *machine));
        holders.truncate(need);
        let mut moving = Vec::new();
        for (machine, domain) in holders {
            let stays = group.dimension == Dimension::Zones || in_service.contains(&machine);
            if stays && movers[machine].pinned.is_none() {
                movers[machine].pinned = Some(format!("it holds {}", group.words()));
            }
            match movers[machine].pinned {
                Some(_) => anchors.extend([domain]),
                None => moving.push(machine),
            }
        }
        for &machine in &moving {
            held.taken.entry(machine).or_default().extend(anchors.iter().cloned());
        }
        in_service.extend(moving.iter().copied());
        if !moving.is_empty() {
            held.apart.push(moving);
        }
    }
    held
}

pub(super) fn domain(market: &Market, dimension: Dimension, machine: &Machine, mover: &Mover) -> Option<String> {
    match (dimension, &machine.at) {
        (Dimension::Providers, _) => Some(mover.home.provider.clone()),
        (Dimension::Zones, Whereabouts::Host(name)) => {
            let place = &mover.home.place;
            zone_of(market, place.kind, &place.region, None, Some(name)).map(|zone| zone.to_string())
        }
        (Dimension::Zones, Whereabouts::Cloud { kind, region, zone, provider, .. }) => {
            zone_of(market, *kind, region, zone.as_deref(), provider.as_ref()).map(|zone| zone.to_string())
        }
    }
}
