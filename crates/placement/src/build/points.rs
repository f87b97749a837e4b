//! Points of regions and hosts, the default cloud, and load.

use novacron_catalog::PROGRAMMES;

use super::Builder;
use crate::{PlacementError, Places, near::Near, policy::Bearing, score};

impl<'m> Builder<'m, '_> {
    pub(super) fn location_points(&mut self) -> Result<(), PlacementError> {
        let market = self.ask.market;
        let parts = market.catalog().parts();
        let mut preferred = Places::none(market);
        for name in &self.ask.request.preferred_regions {
            preferred.join(&Places::of_region(market, name)?);
        }
        let near = self.ask.near.as_ref();
        let points = |inside: bool, micros: &dyn Fn(&Near) -> Option<u64>| match near {
            _ if inside => 100.0,
            Some(near) => score::latency_points(micros(near)),
            // Nothing was said about where.
            None => 50.0,
        };
        let region = |i: usize| {
            let compliance = score::compliance_points(market.compliance[i]);
            (compliance, points(preferred.regions[i], &|near| near.regions[i]))
        };
        self.ask.region_parts = (0..parts.regions.len()).map(region).collect();
        let share = self.ask.share;
        let weighted = |(compliance, location): &(f64, f64)| share.compliance * compliance + share.location * location;
        self.ask.region_points = self.ask.region_parts.iter().map(weighted).collect();
        let size = self.ask.size;
        let of_type = |(mask, lean): (&u64, &crate::market::Lean)| {
            let counts = *mask == 0 && share.performance > 0.0;
            if counts { share.performance * score::performance_points(lean, &size) } else { 0.0 }
        };
        self.ask.type_points = self.ask.types.iter().zip(&market.lean).map(of_type).collect();
        let host = |i: usize| {
            let listed = PROGRAMMES.iter().enumerate().filter(|(_, name)| market.hosts[i].lists(name));
            let compliance = score::compliance_points(listed.fold(0, |bits, (place, _)| bits | 1 << place));
            (compliance, points(preferred.hosts[i], &|near| near.hosts[i]))
        };
        self.ask.host_parts = (0..market.hosts.len()).map(host).collect();
        Ok(())
    }

    pub(super) fn default_cloud(&mut self, bearing: &[Bearing<'_>]) -> Result<(), PlacementError> {
        let Some(name) = &self.settings.default_cloud else { return Ok(()) };
        // A default that is not there is no fault of the request.
        let Ok(places) = Places::of(self.ask.market, name) else { return Ok(()) };
        let request = &self.ask.request;
        let said = request.strategy.is_some()
            || request.weights.is_some()
            || !request.constraints.is_empty()
            || !request.preferred_regions.is_empty()
            || request.near.is_some()
            || self.settings.strategy.is_some()
            || self.settings.weights.is_some()
            || bearing.iter().any(|b| b.places.is_some());
        self.ask.default_first = !said;
        self.ask.default = Some(places);
        Ok(())
    }

    /// Where less is used, more is to come.
    pub(super) fn load(&mut self) {
        if !self.settings.load_balancing {
            return;
        }
        for (times, host) in self.ask.host_times.iter_mut().zip(&self.ask.market.hosts) {
            *times *= 1.0 - 0.3 * f64::from(host.load_permille.unwrap_or(0).min(1000)) / 1e3;
        }
        let all = self.settings.peers.len();
        if all == 0 {
            return;
        }
        for (times, region) in self.ask.region_times.iter_mut().zip(&self.ask.market.catalog().parts().regions) {
            let here = self.settings.peers.iter().filter(|p| p.kind == region.kind && p.region == region.name).count();
            *times *= 1.0 - 0.1 * here as f64 / all as f64;
        }
    }
}
