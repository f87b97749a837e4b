//! Where machines are, and what that costs.

use novacron_catalog::Pricing;
use novacron_placement::{Ask, Candidate, Market};
use novacron_types::{Money, placement::PlannedPlace};

use super::{Machine, Whereabouts};
use crate::HOURS;

/// A machine's place as it is now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Home {
    /// `None` where the market does not know it.
    pub candidate: Option<Candidate>,
    /// As spreads count providers.
    pub provider: String,
    /// 10⁻⁹ USD; `None` where it is not known.
    pub hourly: Option<u64>,
    pub place: PlannedPlace,
    /// Why its cost is not known.
    pub unknown: Option<String>,
}

pub(super) fn home(market: &Market, ask: &Ask<'_>, machine: &Machine) -> Home {
    match &machine.at {
        Whereabouts::Host(name) => {
            let Some(index) = market.hosts().iter().position(|host| host.provider == *name) else {
                return Home {
                    candidate: None,
                    provider: name.to_string(),
                    hourly: None,
                    // Never told: what is not known is not moved.
                    place: PlannedPlace {
                        kind: novacron_types::ProviderKind::Libvirt,
                        provider: Some(name.clone()),
                        region: name.to_string(),
                        instance_type: "custom".to_owned(),
                        pricing: "own".to_owned(),
                        cost_per_month: None,
                    },
                    unknown: Some(format!("its host {name} is not known")),
                };
            };
            let candidate = Candidate::Host(index);
            let hourly = known_cost(ask, candidate);
            let unknown = hourly.is_none().then(|| format!("what a machine on {name} costs is not known"));
            let place = place(market, ask, candidate);
            Home { candidate: Some(candidate), provider: name.to_string(), hourly, place, unknown }
        }
        Whereabouts::Cloud { kind, provider, region, instance_type, pricing, .. } => {
            let found = offer(market, machine);
            let candidate = found.as_ref().ok().copied();
            let hourly = candidate.and_then(|candidate| known_cost(ask, candidate));
            let configured = provider.clone().or_else(|| market.binding(*kind, region).map(|b| b.name.clone()));
            let place = PlannedPlace {
                kind: *kind,
                provider: configured,
                region: region.clone(),
                instance_type: instance_type.clone(),
                pricing: pricing.to_string(),
                cost_per_month: hourly.map(monthly),
            };
            let unpriced =
                || format!("what {instance_type} in {region} costs with all that was asked for is not known");
            let unknown = found.err().or_else(|| hourly.is_none().then(unpriced));
            let provider = market.provider_of(*kind, region, provider.as_ref());
            Home { candidate, provider, hourly, place, unknown }
        }
    }
}

/// The offer that a machine in a cloud is paid by, or why there is none.
fn offer(market: &Market, machine: &Machine) -> Result<Candidate, String> {
    let Whereabouts::Cloud { kind, region, instance_type, pricing, .. } = &machine.at else {
        return Err("it is on a host".to_owned());
    };
    let catalog = market.catalog();
    let at =
        catalog.find_region(*kind, region).ok_or_else(|| format!("the catalog has no region {region} of {kind}"))?;
    let ty = catalog.find_type(*kind, instance_type);
    let ty = ty.ok_or_else(|| format!("the catalog has no type {instance_type} of {kind}"))?;
    let found = catalog.find_offer(ty, at, *pricing);
    let (id, _) = found.ok_or_else(|| format!("the catalog has no price of {instance_type} in {region}, {pricing}"))?;
    match catalog.hourly(id).currency == *b"USD" {
        true => Ok(Candidate::Offer(id)),
        false => Err(format!("{instance_type} in {region} is not priced in USD")),
    }
}

/// 10⁻⁹ USD an hour.
pub(super) fn known_cost(ask: &Ask<'_>, candidate: Candidate) -> Option<u64> {
    let cost = ask.candidate_cost(candidate);
    cost.known.then_some(cost.hourly_nanos)
}

pub(super) fn monthly(hourly: u64) -> Money {
    Money::usd_nanos(i128::from(hourly) * HOURS)
}

pub(super) fn place(market: &Market, ask: &Ask<'_>, candidate: Candidate) -> PlannedPlace {
    let cost_per_month = known_cost(ask, candidate).map(monthly);
    match candidate {
        Candidate::Host(index) => {
            let host = &market.hosts()[index];
            PlannedPlace {
                kind: host.kind,
                provider: Some(host.provider.clone()),
                region: host.region.clone(),
                instance_type: "custom".to_owned(),
                pricing: "own".to_owned(),
                cost_per_month,
            }
        }
        Candidate::Offer(id) => {
            let (catalog, offers, i) = (market.catalog(), market.catalog().offers(), id.0 as usize);
            let region = catalog.region(offers.region[i]);
            let pricing: Pricing = offers.pricing[i];
            PlannedPlace {
                kind: region.kind,
                provider: market.binding(region.kind, &region.name).map(|binding| binding.name.clone()),
                region: region.name.clone(),
                instance_type: catalog.instance_type(offers.ty[i]).name.clone(),
                pricing: pricing.to_string(),
                cost_per_month,
            }
        }
    }
}
