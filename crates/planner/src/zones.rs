//! Which zones a place could be in.

use std::fmt;

use novacron_placement::{Candidate, Market};
use novacron_types::{ProviderKind, ProviderName};

/// One zone: equal for two places only if they may be the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Zone {
    /// The first, second … of a region, by its letter where zones have one.
    Nth(ProviderKind, String, u8),
    Named(ProviderKind, String, String),
    /// Hosts of one region of one's own are one zone.
    Own(String),
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(kind, region, n) => write!(f, "{kind}/{region}/{n}"),
            Self::Named(kind, region, name) => write!(f, "{kind}/{region}/named {name}"),
            Self::Own(region) => write!(f, "own/{region}"),
        }
    }
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
pub(crate) fn zone_of(
    market: &Market,
    kind: ProviderKind,
    region: &str,
    zone: Option<&str>,
    provider: Option<&ProviderName>,
) -> Option<Zone> {
    let host = market.hosts().iter().find(|host| provider == Some(&host.provider));
    match (host, zone) {
        (Some(host), _) => Some(Zone::Own(host.region.clone())),
        (None, Some(zone)) => Some(named(kind, region, zone)),
        (None, None) => {
            let known = market.catalog().find_region(kind, region)?;
            (market.catalog().region(known).zones <= 1).then(|| Zone::Nth(kind, region.to_owned(), 0))
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
