//! What the configuration and the targets ask of every place: zones, latency, bandwidth, availability, quotas.

use novacron_catalog::Sector;

use super::Builder;
use crate::{
    PlacementError, Places,
    ask::{Extra, Test, Then},
    near::Near,
    rule::Kind,
};

impl<'m> Builder<'m, '_> {
    pub(super) fn settings_rules(&mut self) -> Result<(), PlacementError> {
        let zones = self.settings.compliance_zones.clone();
        if !zones.is_empty() {
            let mut places = Places::none(self.ask.market);
            for zone in &zones {
                let one = Places::of_region(self.ask.market, zone)?;
                self.named.join(&one);
                places.join(&one);
            }
            // Hosts of one's own that say where they are, are held to it, by a point in no region too; the others are at home.
            self.on_regions(
                "compliance-zones",
                Kind::ComplianceZones(zones),
                |i, _| places.regions[i],
                |i, host| places.hosts[i] || host.region == host.provider.as_str() && host.point.is_none(),
            )?;
        }
        Ok(())
    }

    pub(super) fn performance_targets(&mut self) -> Result<(), PlacementError> {
        let own = self.ask.request.performance_targets.unwrap_or_default();
        let all = self.settings.targets;
        if let Some(mbps) = own.min_bandwidth_mbps.max(all.min_bandwidth_mbps).filter(|mbps| *mbps > 0) {
            self.bandwidth(mbps)?;
        }
        if let Some(percent) = own.required_sla.into_iter().chain(all.required_sla).reduce(f64::max) {
            self.sla(percent)?;
        }
        let micros = own.max_latency_ms.into_iter().chain(all.max_latency_ms).min().map(|most| most.micros);
        // A constraint may have said it already; what the request says is to be known all the same.
        let near = self.near()?;
        if self.ask.near.is_none() {
            self.ask.near = near;
        }
        match micros {
            Some(_) if self.ask.near.is_none() => self.ask.notes.push(
                "The longest latency was not checked: it is not said to where. Say `near`, `preferred_regions`, or configure `orchestrator.location`."
                    .to_owned(),
            ),
            Some(micros) => self.latency(micros)?,
            None => {}
        }
        Ok(())
    }

    /// What latency is measured to: what the request says, then where the federation is.
    pub(super) fn near(&self) -> Result<Option<Near>, PlacementError> {
        let request = &self.ask.request;
        let preferred = &request.preferred_regions;
        let names: Vec<&str> = match (&request.near, &self.settings.location) {
            (Some(near), _) => vec![near],
            (None, _) if !preferred.is_empty() => preferred.iter().map(String::as_str).collect(),
            (None, Some(location)) => vec![location],
            (None, None) => return Ok(None),
        };
        Near::new(self.ask.market, &names).map(Some)
    }

    pub(super) fn latency(&mut self, micros: u64) -> Result<(), PlacementError> {
        let Some(near) = self.ask.near.clone() else { return Ok(()) };
        let fits = |have: Option<u64>| have.is_some_and(|have| have <= micros);
        let kind = Kind::Latency { to: near.words, micros };
        self.on_regions("latency", kind, |i, _| fits(near.regions[i]), |i, _| fits(near.hosts[i]))
    }

    pub(super) fn bandwidth(&mut self, mbps: u32) -> Result<(), PlacementError> {
        self.on_types(
            "bandwidth",
            Kind::Bandwidth(mbps),
            |_, ty| ty.network_mbps.is_some_and(|have| have >= mbps),
            |host| host.network_mbps.is_some_and(|have| have >= mbps),
        )
    }

    pub(super) fn sla(&mut self, percent: f64) -> Result<(), PlacementError> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(PlacementError::invalid("required_sla", format!("{percent:?} is not a percentage")));
        }
        let milli = (percent * 1e3).round() as u32;
        let market = self.ask.market;
        self.ask.notes.push(
            "The availability is what the vendor promises for machines over two or more zones, where the region has them; for one machine alone it promises less."
                .to_owned(),
        );
        self.on_regions("sla", Kind::Sla(milli), |_, region| market.promised(region) >= milli, |_, _| milli == 0)
    }

    pub(super) fn quotas(&mut self) -> Result<(), PlacementError> {
        let market = self.ask.market;
        for quota in &self.settings.quotas {
            let counted = quota.counted(market)?;
            let own = self.ask.request.vm_id.as_ref();
            let beside = |peer: &&crate::Peer| Some(&peer.vm_id) != own && counted.holds_peer(market, peer);
            let peers: Vec<_> = self.settings.peers.iter().filter(beside).collect();
            let used_vcpus = peers.iter().fold(0u32, |used, peer| used.saturating_add(peer.vcpus));
            let used_money: i128 = peers.iter().map(|peer| peer.monthly_nanos).sum();
            let bit = self.rule(format!("quota:{}", quota.place()), Kind::Quota(quota.place()))?;
            let within = counted.places;
            if quota.instances.is_some_and(|most| peers.len() >= most as usize) {
                for (mask, in_it) in self.ask.regions.iter_mut().zip(&within.regions) {
                    *mask |= if *in_it { bit } else { 0 };
                }
                for (mask, in_it) in self.ask.hosts.iter_mut().zip(&within.hosts) {
                    *mask |= if *in_it { bit } else { 0 };
                }
            }
            let test = Test::Quota {
                within,
                vcpus: quota.vcpus.map(|most| most.saturating_sub(used_vcpus)),
                monthly_nanos: quota.monthly_nanos.map(|most| most - used_money),
            };
            self.ask.extras.push(Extra { test, then: Then::Break { bit, unless: None } });
        }
        Ok(())
    }

    pub(super) fn failures(&mut self) {
        for failure in &self.settings.failures {
            let catalog = self.ask.catalog();
            let Some(region) = catalog.find_region(failure.kind, &failure.region) else { continue };
            let ty = match &failure.instance_type {
                Some(name) => match catalog.find_type(failure.kind, name) {
                    Some(ty) => Some(ty),
                    None => continue,
                },
                None => None,
            };
            let factor = failure.multiplier.clamp(0.0, 1.0);
            let times = Then::Times { factor, at: None };
            self.ask.extras.push(Extra { test: Test::Failed { region, ty }, then: times });
        }
    }

    pub(super) fn sector(&mut self) -> Result<(), PlacementError> {
        for name in self.ask.request.preferred_regions.clone() {
            let places = Places::of_region(self.ask.market, &name)?;
            self.named.join(&places);
        }
        for binding in &self.ask.market.bindings {
            if let Some(region) = &binding.region
                && let Some(id) = self.ask.catalog().find_region(binding.kind, region)
            {
                self.named.regions[usize::from(id.0)] = true;
            }
        }
        let named = self.named.regions.clone();
        self.on_regions(
            "sector",
            Kind::Sector,
            |i, region| region.sector == Sector::Commercial || named[i],
            |_, _| true,
        )
    }

    pub(super) fn configured(&mut self) -> Result<(), PlacementError> {
        let request = &self.ask.request;
        if !request.configured_only.unwrap_or(request.create) {
            return Ok(());
        }
        let market = self.ask.market;
        self.on_regions(
            "configured",
            Kind::Configured,
            |_, region| market.binding(region.kind, &region.name).is_some(),
            |_, _| true,
        )
    }
}
