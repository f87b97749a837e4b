//! How long a packet takes from one region to another and back.

use crate::{Catalog, GroupId, RegionId};

/// Of a modelled round trip: 18.9 ms and 0.0151 ms for each kilometre, which is off by 20 % in the median.
const BASE_MICROS: f64 = 18_900.0;
const MICROS_PER_KM: f64 = 15.1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatencyBasis {
    /// One and the same region: nothing to add.
    SameRegion,
    Measured(GroupId),
    /// 18.9 ms + 0.0151 ms/km of great circle.
    Modelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    pub micros: u32,
    pub basis: LatencyBasis,
}

impl Catalog {
    /// The round trip between two regions: measured where a table has it in either direction, else modelled from the
    /// distance, else (no coordinates) unknown.
    pub fn latency(&self, from: RegionId, to: RegionId) -> Option<Latency> {
        if from == to {
            return Some(Latency { micros: 0, basis: LatencyBasis::SameRegion });
        }
        let trips = &self.parts().round_trips;
        let find = |from, to| trips.binary_search_by_key(&(from, to), |trip| (trip.from, trip.to)).ok();
        if let Some(row) = find(from, to).or_else(|| find(to, from)) {
            let trip = trips[row];
            return Some(Latency { micros: trip.micros, basis: LatencyBasis::Measured(trip.group) });
        }
        Some(self.region(from).point?.round_trip_to(self.region(to).point?))
    }
}

pub(crate) fn modelled_micros(km: f64) -> u32 {
    (BASE_MICROS + MICROS_PER_KM * km).round() as u32
}
