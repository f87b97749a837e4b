//! What a name of a place stands for: a provider, a kind, a region, a zone, a group of regions, a pricing model.

use novacron_catalog::{Pricing, RegionId, is_area};
use novacron_types::{ProviderKind, nearest};

use crate::{Market, PlacementError};

/// A set of regions and hosts, and of ways to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// One for each region of the catalog.
    pub(crate) regions: Vec<bool>,
    pub(crate) hosts: Vec<bool>,
    /// Bits of [`Pricing`]; absent: any.
    pub(crate) pricing: Option<u8>,
}

impl Places {
    pub(crate) fn none(market: &Market) -> Self {
        Self {
            regions: vec![false; market.catalog().parts().regions.len()],
            hosts: vec![false; market.hosts.len()],
            pricing: None,
        }
    }

    pub(crate) fn all(market: &Market) -> Self {
        let mut all = Self::none(market);
        all.regions.fill(true);
        all.hosts.fill(true);
        all
    }

    /// What any of the names stands for. Pricing models join among themselves: `spot-instances` is any place, paid so.
    pub(crate) fn any_of<'n>(
        market: &Market,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Self, PlacementError> {
        let (mut all, mut placed) = (Self::none(market), false);
        for name in names {
            let one = Self::of(market, name)?;
            match one.pricing {
                Some(bits) => all.pricing = Some(all.pricing.unwrap_or(0) | bits),
                None => {
                    placed = true;
                    all.join(&one);
                }
            }
        }
        if !placed && all.pricing.is_some() {
            all.regions.fill(true);
            all.hosts.fill(true);
        }
        Ok(all)
    }

    /// A name first, then a kind, then a region, a zone, a group of regions.
    pub(crate) fn of(market: &Market, name: &str) -> Result<Self, PlacementError> {
        let mut places = Self::none(market);
        let name = name.trim();
        if name == "local" && !market.hosts.is_empty() {
            let called = market.hosts.iter().any(|host| host.provider.as_str() == name);
            for (in_it, host) in places.hosts.iter_mut().zip(&market.hosts) {
                *in_it = !called || host.provider.as_str() == name;
            }
            return Ok(places);
        }
        for (in_it, host) in places.hosts.iter_mut().zip(&market.hosts) {
            *in_it = host.provider.as_str() == name;
        }
        let bindings: Vec<_> = market.bindings.iter().filter(|binding| binding.name.as_str() == name).collect();
        for binding in bindings.iter().filter(|binding| binding.kind.is_cloud()) {
            places.add_kind(market, binding.kind, binding.region.as_deref());
        }
        if !bindings.is_empty() || places.hosts.contains(&true) {
            return Ok(places);
        }
        if let Ok(kind) = name.parse::<ProviderKind>() {
            places.add_kind(market, kind, None);
            return Ok(places);
        }
        if let Ok(pricing) = name.parse::<Pricing>() {
            places.pricing = Some(1 << pricing as u8);
            return Ok(places);
        }
        places.add_region(market, name)?;
        Ok(places)
    }

    /// A region, a zone or a group, of clouds or of hosts.
    pub(crate) fn of_region(market: &Market, name: &str) -> Result<Self, PlacementError> {
        let mut places = Self::none(market);
        places.add_region(market, name.trim())?;
        Ok(places)
    }

    fn add_kind(&mut self, market: &Market, kind: ProviderKind, region: Option<&str>) {
        for (in_it, known) in self.regions.iter_mut().zip(&market.catalog().parts().regions) {
            *in_it |= known.kind == kind && region.is_none_or(|region| region == known.name);
        }
        for (in_it, host) in self.hosts.iter_mut().zip(&market.hosts) {
            *in_it |= host.kind == kind;
        }
    }

    fn add_region(&mut self, market: &Market, name: &str) -> Result<(), PlacementError> {
        for (in_it, host) in self.hosts.iter_mut().zip(&market.hosts) {
            *in_it |= host.region.eq_ignore_ascii_case(name);
        }
        let catalog = market.catalog();
        if let Some(ids) = market.areas.get(name) {
            self.add_regions(market, ids);
            return Ok(());
        }
        match catalog.places(name, None) {
            Ok(ids) => self.add_regions(market, &ids),
            Err(_) if self.hosts.contains(&true) || is_area(name) => {}
            Err(unknown) => return Err(unknown_place(market, name, unknown.nearest)),
        }
        Ok(())
    }

    /// Regions, and the hosts that are said to be in one of them.
    fn add_regions(&mut self, market: &Market, ids: &[RegionId]) {
        for id in ids {
            self.regions[usize::from(id.0)] = true;
            let name = &market.catalog().region(*id).name;
            for (in_it, host) in self.hosts.iter_mut().zip(&market.hosts) {
                *in_it |= host.region.eq_ignore_ascii_case(name);
            }
        }
    }

    pub(crate) fn join(&mut self, other: &Self) {
        self.regions.iter_mut().zip(&other.regions).for_each(|(a, b)| *a |= b);
        self.hosts.iter_mut().zip(&other.hosts).for_each(|(a, b)| *a |= b);
    }

    /// Only what is in the other too, wherever it is paid for.
    pub(crate) fn meet(&mut self, other: &Self) {
        self.regions.iter_mut().zip(&other.regions).for_each(|(a, b)| *a &= b);
        self.hosts.iter_mut().zip(&other.hosts).for_each(|(a, b)| *a &= b);
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.regions.contains(&true) && !self.hosts.contains(&true)
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.regions.iter().zip(&other.regions).any(|(a, b)| *a && *b)
            || self.hosts.iter().zip(&other.hosts).any(|(a, b)| *a && *b)
    }
}

fn unknown_place(market: &Market, name: &str, mut near: Vec<String>) -> PlacementError {
    let providers =
        market.bindings.iter().map(|b| b.name.as_str()).chain(market.hosts.iter().map(|h| h.provider.as_str()));
    const KINDS: [&str; 7] = ["aws", "azure", "gcp", "oci", "openstack", "libvirt", "vsphere"];
    if let Some(provider) = nearest(name, providers.chain(KINDS)) {
        if provider == name {
            return PlacementError::ProviderForRegion(name.to_owned());
        }
        near.insert(0, provider.to_owned());
    }
    near.truncate(3);
    PlacementError::UnknownPlace { name: name.chars().take(64).collect(), nearest: near }
}
