//! Where a machine can stand.

use novacron_types::ProviderKind;

use crate::{GroupId, Latency, LatencyBasis, latency::modelled_micros};

/// Index into [`crate::Parts::regions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId(pub u16);

/// Who may buy there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sector {
    Commercial,
    Government,
    China,
    Sovereign,
    /// A vendor's site in a city, that hangs on a region (an AWS Local Zone).
    LocalZone,
}

/// Millionths of a degree, north and east positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Point {
    pub lat_micro: i32,
    pub lon_micro: i32,
}

/// Carbon intensity of the electricity, averaged over the year that its group names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grid {
    /// Milligrams of CO2-equivalent per kWh.
    pub mg_per_kwh: u32,
    pub group: GroupId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    pub kind: ProviderKind,
    /// The vendor's own name: `us-east-1`, `eastus`, `us-central1`, `us-ashburn-1`.
    pub name: String,
    /// The vendor's name for people; may be empty.
    pub display: String,
    /// ISO 3166-1 alpha-2, or empty when unknown.
    pub country: String,
    pub sector: Sector,
    pub point: Option<Point>,
    /// How many availability zones, 0 when unknown or when the region has none.
    pub zones: u8,
    /// Compliance programmes that the source lists for the region, sorted. The list is curated by hand and not complete:
    /// what stands in it is indicative, and what does not is unknown.
    pub compliance: Vec<String>,
    pub grid: Option<Grid>,
    /// Of the name, the coordinates and the zones.
    pub group: GroupId,
    /// Of `compliance` and `country`.
    pub compliance_group: GroupId,
}

impl Point {
    /// Kilometres along the great circle, on a sphere of 6,371 km.
    pub fn km_to(self, other: Point) -> f64 {
        let radians = |micro: i32| (f64::from(micro) / 1e6).to_radians();
        let (a, b) = (radians(self.lat_micro), radians(other.lat_micro));
        let half_lat = ((b - a) / 2.0).sin();
        let half_lon = ((radians(other.lon_micro) - radians(self.lon_micro)) / 2.0).sin();
        let h = half_lat * half_lat + a.cos() * b.cos() * half_lon * half_lon;
        2.0 * 6371.0 * h.clamp(0.0, 1.0).sqrt().asin()
    }

    /// Modelled from the distance.
    pub fn round_trip_to(self, other: Point) -> Latency {
        Latency { micros: modelled_micros(self.km_to(other)), basis: LatencyBasis::Modelled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let point = |lat: f64, lon: f64| Point { lat_micro: (lat * 1e6) as i32, lon_micro: (lon * 1e6) as i32 };
        let (london, new_york) = (point(51.5074, -0.1278), point(40.7128, -74.006));
        assert!((london.km_to(new_york) - 5570.0).abs() < 5.0);
        assert_eq!(london.km_to(london), 0.0);
        assert!((point(0.0, 0.0).km_to(point(0.0, 180.0)) - 20015.0).abs() < 1.0);
    }
}
