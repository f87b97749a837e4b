//! What policies rule out, and what they multiply.

use novacron_catalog::{Pricing, Region};
use novacron_types::placement::ActionKind;

use super::Builder;
use crate::{
    PlacementError, Places,
    ask::{Extra, Test, Then},
    policy::{self, Bearing, Where},
    rule::Kind,
};

impl<'m> Builder<'m, '_> {
    pub(super) fn policies(&mut self, bearing: &[Bearing<'_>]) -> Result<(), PlacementError> {
        for b in bearing {
            if b.policy.action.kind != ActionKind::Migrate {
                self.ask.applied.push(b.applied());
            }
            if b.restricts() {
                self.restrict(b)?;
            }
            if b.policy.action.kind == ActionKind::Distribute {
                self.distribute(b)?;
            }
            if let Some(factor) = b.factor() {
                self.multiply(b, factor);
            }
        }
        Ok(())
    }

    pub(super) fn restrict(&mut self, b: &Bearing<'_>) -> Result<(), PlacementError> {
        let name = format!("policy:{}", b.policy.name);
        let Some(places) = b.places.clone() else {
            return Err(PlacementError::Policy {
                policy: b.policy.name.clone(),
                why: "it restricts to no place: give it `providers`, `regions` or a `target`".to_owned(),
            });
        };
        self.named.join(&places);
        let asks = format!("policy {:?}: {}", b.policy.name, policy::action_words(&b.policy.action, None));
        let kind = Kind::Policy { name: b.policy.name.clone(), asks };
        match &b.place {
            Where::Everywhere => {
                self.at(&name, kind, &places, true)?;
                let bit = 1u64 << (self.ask.rules.len() - 1);
                if let Some(paid) = places.pricing {
                    for pricing in Pricing::ALL.into_iter().filter(|p| paid & (1 << *p as u8) == 0) {
                        self.ask.pricing[pricing as usize] |= bit;
                    }
                }
            }
            // What offers of a region differ in has to be looked at one by one.
            Where::At(only) if places.pricing.is_some() => {
                let bit = self.rule(name, kind)?;
                let then = Then::Break { bit, unless: Some(places) };
                self.ask.extras.push(Extra { test: Test::At(only.clone()), then });
            }
            Where::At(only) => {
                let only = only.clone();
                self.on_regions(
                    &name,
                    kind,
                    |i, _| !only.regions[i] || places.regions[i],
                    |i, _| !only.hosts[i] || places.hosts[i],
                )?;
            }
            Where::Cost(compare) => {
                let bit = self.rule(name, kind)?;
                self.ask
                    .extras
                    .push(Extra { test: Test::Cost(*compare), then: Then::Break { bit, unless: Some(places) } });
            }
            Where::Performance(compare) => {
                let bit = self.rule(name, kind)?;
                let then = Then::Break { bit, unless: Some(places) };
                self.ask.extras.push(Extra { test: Test::Performance(*compare), then });
            }
        }
        Ok(())
    }

    /// While the group has too few providers or zones, the next goes to another.
    pub(super) fn distribute(&mut self, b: &Bearing<'_>) -> Result<(), PlacementError> {
        let action = &b.policy.action;
        let own = self.ask.request.vm_id.clone();
        let group = |labels: &std::collections::BTreeMap<String, String>| {
            action.group_by.as_ref().map(|key| labels.get(key).cloned())
        };
        let mine = group(&self.ask.request.labels());
        let settings = self.settings;
        let peers: Vec<_> = settings
            .peers
            .iter()
            .filter(|p| {
                Some(&p.vm_id) != own.as_ref() && policy::peer_matches(b.policy, &p.labels) && group(&p.labels) == mine
            })
            .collect();
        let market = self.ask.market;
        let key = |kind, region: &str| {
            market.binding(kind, region).map_or_else(|| kind.to_string(), |binding| binding.name.to_string())
        };
        let mut providers: Vec<String> = peers
            .iter()
            .map(|p| p.provider.as_ref().map_or_else(|| key(p.kind, &p.region), ToString::to_string))
            .collect();
        providers.sort_unstable();
        providers.dedup();
        let name = format!("policy:{}", b.policy.name);
        let asks = |what: &str, used: &[String]| Kind::Policy {
            name: b.policy.name.clone(),
            asks: format!("policy {:?}: another {what} than {}, where its group is", b.policy.name, used.join(", ")),
        };
        if let Some(least) = action.min_providers
            && !providers.is_empty()
            && providers.len() < least as usize
        {
            let used = |name: &str| providers.iter().any(|p| p == name);
            self.on_regions(
                &name,
                asks("provider", &providers),
                |_, region| !used(&key(region.kind, &region.name)),
                |_, host| !used(host.provider.as_str()),
            )?;
        }
        let mut zones: Vec<(String, String)> =
            peers.iter().map(|p| (p.region.clone(), p.zone.clone().unwrap_or_default())).collect();
        zones.sort_unstable();
        zones.dedup();
        if let Some(least) = action.min_zones
            && !zones.is_empty()
            && zones.len() < least as usize
        {
            let used = |region: &Region| zones.iter().filter(|(name, _)| *name == region.name).count();
            let names: Vec<String> =
                zones.iter().map(|(r, z)| if z.is_empty() { r.clone() } else { z.clone() }).collect();
            self.on_regions(
                &name,
                asks("zone", &names),
                |_, region| used(region) < usize::from(region.zones.max(1)),
                |_, host| !zones.iter().any(|(name, _)| *name == host.region),
            )?;
            self.ask.zones_used.extend(zones);
        }
        Ok(())
    }

    pub(super) fn multiply(&mut self, b: &Bearing<'_>, factor: f64) {
        let everywhere = Places {
            regions: vec![true; self.ask.regions.len()],
            hosts: vec![true; self.ask.hosts.len()],
            pricing: None,
        };
        let mut at = b.places.clone().unwrap_or(everywhere);
        match &b.place {
            Where::Everywhere => {}
            Where::At(only) => {
                at.regions.iter_mut().zip(&only.regions).for_each(|(a, o)| *a &= o);
                at.hosts.iter_mut().zip(&only.hosts).for_each(|(a, o)| *a &= o);
            }
            Where::Cost(compare) => {
                let then = Then::Times { factor, at: Some(at) };
                return self.ask.extras.push(Extra { test: Test::Cost(*compare), then });
            }
            Where::Performance(compare) => {
                let then = Then::Times { factor, at: Some(at) };
                return self.ask.extras.push(Extra { test: Test::Performance(*compare), then });
            }
        }
        let everywhere = at.regions.iter().all(|at| *at) || at.is_empty();
        if let Some(paid) = at.pricing.filter(|_| everywhere) {
            for pricing in Pricing::ALL.into_iter().filter(|p| paid & (1 << *p as u8) != 0) {
                self.ask.pricing_times[pricing as usize] *= factor;
            }
            return;
        }
        if at.pricing.is_some() {
            let then = Then::Times { factor, at: None };
            return self.ask.extras.push(Extra { test: Test::At(at), then });
        }
        let times = |(times, at): (&mut f64, &bool)| *times *= if *at { factor } else { 1.0 };
        self.ask.region_times.iter_mut().zip(&at.regions).for_each(times);
        self.ask.host_times.iter_mut().zip(&at.hosts).for_each(times);
    }
}
