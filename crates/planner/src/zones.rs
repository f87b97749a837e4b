//! Which zones a place could be in.

use novacron_catalog::RegionId;
use novacron_placement::{Candidate, Market, Peer};
use novacron_types::ProviderKind;

/// One zone: equal for two places only if they may be the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Zone {
    /// The first, second … of a region, by its letter where zones have one.
    Nth(ProviderKind, String, u8),
    Named(ProviderKind, String, String),
    /// Hosts of one region of one's own are one zone.
    Own(String),
}

/// The zones that a place could be in, each with its name where that is known. Where no source says in which of them an
/// offer is, it may be in any, and whoever makes the machine chooses.
pub(crate) fn zones(market: &Market, candidate: Candidate) -> Vec<(Zone, Option<String>)> {
    let catalog = market.catalog();
    let (id, region) = match (candidate, market.region_of(candidate)) {
        (Candidate::Host(index), _) => return vec![(Zone::Own(market.hosts()[index].region.clone()), None)],
        (Candidate::Offer(_), None) => return Vec::new(),
        (Candidate::Offer(id), Some(region)) => (id, catalog.region(region)),
    };
    if let Some(zone) = market.binding(region.kind, &region.name).and_then(|binding| binding.zone.clone()) {
        return vec![(named(region.kind, &region.name, &zone), Some(zone))];
    }
    let known = catalog.zones(id);
    if !known.is_empty() {
        return known.into_iter().map(|zone| (named(region.kind, &region.name, &zone), Some(zone))).collect();
    }
    (0..region.zones.max(1)).map(|n| (Zone::Nth(region.kind, region.name.clone(), n), None)).collect()
}

/// The zone of a machine that there is; `None` where it is not known.
pub(crate) fn zone_of_peer(market: &Market, peer: &Peer) -> Option<Zone> {
    let host = market.hosts().iter().find(|host| peer.provider.as_ref() == Some(&host.provider));
    match (host, &peer.zone) {
        (Some(host), _) => Some(Zone::Own(host.region.clone())),
        (None, Some(zone)) => Some(named(peer.kind, &peer.region, zone)),
        (None, None) => {
            let region: Option<RegionId> = market.catalog().find_region(peer.kind, &peer.region);
            let single = region.is_some_and(|region| market.catalog().region(region).zones <= 1);
            single.then(|| Zone::Nth(peer.kind, peer.region.clone(), 0))
        }
    }
}

fn named(kind: ProviderKind, region: &str, zone: &str) -> Zone {
    let letter = zone.strip_prefix(region).map(|rest| rest.trim_start_matches('-'));
    match letter.and_then(|rest| <[u8; 1]>::try_from(rest.as_bytes()).ok()) {
        Some([letter @ b'a'..=b'z']) => Zone::Nth(kind, region.to_owned(), letter - b'a'),
        _ => match zone.parse::<u8>() {
            Ok(n @ 1..) => Zone::Nth(kind, region.to_owned(), n - 1),
            _ => Zone::Named(kind, region.to_owned(), zone.to_owned()),
        },
    }
}
