//! What latency is measured to: places, or a point on the map.

use novacron_catalog::{LatencyBasis, Point, RegionId};

use crate::{Candidate, Market, PlacementError, Places};

/// A host that is no farther from a point is there.
const SAME_PLACE_KM: f64 = 1.0;

/// Where a machine should be near, and how far everything is from there.
#[derive(Debug, Clone)]
pub(crate) struct Near {
    pub words: String,
    places: Option<Places>,
    /// Round trips in microseconds; `None` where nothing tells.
    pub regions: Vec<Option<u64>>,
    pub hosts: Vec<Option<u64>>,
}

impl Near {
    /// The nearest of some regions, zones and groups; or one point, as latitude and longitude: `50.11, 8.68`.
    pub fn new(market: &Market, names: &[&str]) -> Result<Self, PlacementError> {
        match names {
            [point] if point.contains(',') => Ok(Self::point(market, point, parse(point)?)),
            names => {
                let mut places = Places::none(market);
                for name in names {
                    places.join(&Places::of_region(market, name)?);
                }
                let regions = (0..places.regions.len()).map(|i| market.latency_from_region(i, &places)).collect();
                let hosts = (0..places.hosts.len()).map(|i| market.latency_from_host(i, &places)).collect();
                Ok(Self { words: names.join(" or "), places: Some(places), regions, hosts })
            }
        }
    }

    fn point(market: &Market, words: &str, point: Point) -> Self {
        let region = |i: usize| market.catalog().latency_from(point, RegionId(i as u16));
        let regions = (0..market.offers_in.len()).map(|i| region(i).map(|latency| latency.micros.into())).collect();
        let host = |at: Option<Point>| match at?.km_to(point) {
            km if km <= SAME_PLACE_KM => Some(0),
            _ => Some(at?.round_trip_to(point).micros.into()),
        };
        let hosts = market.hosts.iter().map(|known| host(known.point)).collect();
        Self { words: words.trim().to_owned(), places: None, regions, hosts }
    }

    /// The round trip, and how it is known.
    pub fn of(&self, market: &Market, candidate: Candidate) -> Option<(u64, String)> {
        match market.region_of(candidate) {
            Some(region) => {
                let micros = self.regions[usize::from(region.0)]?;
                let to = self.places.iter().flat_map(|places| &places.regions).enumerate().filter(|(_, in_it)| **in_it);
                let all = to.filter_map(|(to, _)| market.catalog().latency(region, RegionId(to as u16)));
                let basis = all.min_by_key(|latency| latency.micros).map(|latency| latency.basis);
                Some((micros, words_of(market, basis)))
            }
            None => {
                let Candidate::Host(index) = candidate else { return None };
                let micros = self.hosts[index]?;
                Some((micros, if micros == 0 { "same place" } else { "modelled" }.to_owned()))
            }
        }
    }
}

fn words_of(market: &Market, basis: Option<LatencyBasis>) -> String {
    match basis {
        Some(LatencyBasis::SameRegion) => "same region".to_owned(),
        Some(LatencyBasis::Measured(group)) => format!("measured ({})", market.catalog().group(group).name),
        _ => "modelled from the distance".to_owned(),
    }
}

fn parse(text: &str) -> Result<Point, PlacementError> {
    let degrees = |text: &str, most: f64| {
        let degrees: f64 = text.trim().parse().ok()?;
        (-most..=most).contains(&degrees).then(|| (degrees * 1e6).round() as i32)
    };
    let (lat, lon) = text.split_once(',').unwrap_or((text, ""));
    match (degrees(lat, 90.0), degrees(lon, 180.0)) {
        (Some(lat_micro), Some(lon_micro)) => Ok(Point { lat_micro, lon_micro }),
        _ => {
            let shown: String = text.chars().take(64).collect();
            let why = format!("{shown:?} is neither a region nor latitude and longitude such as `50.11, 8.68`");
            Err(PlacementError::invalid("near", why))
        }
    }
}
