//! The most that may be used of something, at places that are counted together.

use novacron_types::{ProviderKind, ProviderName};

use crate::{Candidate, Market, Peer, PlacementError, Places};

/// The most of something at a provider, in a region, at a provider in a region, or altogether.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    /// A name or kind.
    pub provider: Option<String>,
    /// A region, zone or group.
    pub region: Option<String>,
    pub vcpus: Option<u32>,
    pub instances: Option<u32>,
    /// 10⁻⁹ USD of 730 hours.
    pub monthly_nanos: Option<i128>,
}

/// What a quota counts, in one market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    by: By,
    region: Option<Places>,
    /// Where a new machine would count.
    pub(crate) places: Places,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum By {
    All,
    /// A configured provider's machines, and nobody else's in its region.
    Name(String),
    Kind(ProviderKind),
    /// All hosts, or whatever else a name stands for.
    Places(Places),
}

impl Quota {
    /// `aws in us-east-1`, `all places together`.
    pub fn place(&self) -> String {
        match (&self.provider, &self.region) {
            (None, None) => "all places together".to_owned(),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (Some(provider), Some(region)) => format!("{provider} in {region}"),
        }
    }

    /// # Errors
    /// If the market does not know a name.
    pub fn counted(&self, market: &Market) -> Result<Counted, PlacementError> {
        let mut places = Places::all(market);
        let by = match self.provider.as_deref().map(str::trim) {
            None => By::All,
            Some(name) => {
                let of_name = Places::of(market, name)?;
                if of_name.pricing.is_some() {
                    return Err(PlacementError::invalid(
                        "quotas",
                        format!("{name:?} is a way to pay, and no provider"),
                    ));
                }
                places.meet(&of_name);
                let host = market.hosts.iter().any(|host| host.provider.as_str() == name);
                match name.parse() {
                    _ if host || market.bindings.iter().any(|binding| binding.name.as_str() == name) => {
                        // Of several providers in one region the first makes its machines.
                        let regions = &market.catalog().parts().regions;
                        for (in_it, region) in places.regions.iter_mut().zip(regions) {
                            let maker = market.binding(region.kind, &region.name);
                            *in_it &= maker.is_some_and(|maker| maker.name.as_str() == name);
                        }
                        By::Name(name.to_owned())
                    }
                    Ok(kind) => By::Kind(kind),
                    Err(_) => By::Places(of_name),
                }
            }
        };
        let region = self.region.as_deref().map(|name| Places::of_region(market, name)).transpose()?;
        region.iter().for_each(|region| places.meet(region));
        Ok(Counted { by, region, places })
    }
}

impl Counted {
    /// Whether a machine that would be made there counts.
    pub fn holds(&self, market: &Market, candidate: Candidate) -> bool {
        self.places.holds(market, candidate)
    }

    /// Whether a machine that exists counts. Of what the catalog does not know, its provider still tells.
    pub fn holds_machine(
        &self,
        market: &Market,
        kind: ProviderKind,
        region: &str,
        provider: Option<&ProviderName>,
    ) -> bool {
        let provides = match &self.by {
            By::All => true,
            By::Kind(counted) => *counted == kind,
            By::Name(name) => market.provider_of(kind, region, provider) == *name,
            By::Places(places) => places.holds_machine(market, kind, region, provider),
        };
        provides && self.region.as_ref().is_none_or(|places| places.holds_machine(market, kind, region, provider))
    }

    pub fn holds_peer(&self, market: &Market, peer: &Peer) -> bool {
        self.holds_machine(market, peer.kind, &peer.region, peer.provider.as_ref())
    }
}
