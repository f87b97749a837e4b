//! What a machine costs with its disks and its traffic, each way of paying beside the others.

use novacron_types::{Money, ProviderKind};

use crate::{
    Catalog, Destination, Disk, GroupId, OfferId, Pricing, RegionId, TypeId,
    attach::{attaches, least_gb},
    offer::div_round,
};

/// Hours in a month, as the vendors' own calculators take it.
pub const HOURS_PER_MONTH: u64 = 730;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstimateRequest {
    pub ty: TypeId,
    pub region: RegionId,
    /// Name of a disk type and GB of it, of which the least that is sold is paid. No name is the kind's usual one
    /// ([`Catalog::usual_disk`]).
    pub disks: Vec<(Option<String>, u64)>,
    /// GB that leave the region in a month, and where to.
    pub traffic: Vec<(Destination, u64)>,
}

/// Compute, storage or network of a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub hourly: Money,
    /// Of 730 hours.
    pub monthly: Money,
    /// Whose figures were used.
    pub groups: Vec<GroupId>,
    /// What could not be priced, for a person; then the amounts are of the rest.
    pub unknown: Vec<String>,
}

/// One way of paying. All parts are of one kind and region, and the disks can be attached to the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub pricing: Pricing,
    pub offer: OfferId,
    pub compute: Part,
    pub storage: Part,
    pub network: Part,
    /// The sum of the parts; `None` when one of them is not wholly known.
    pub hourly: Option<Money>,
    pub monthly: Option<Money>,
    /// A figure in it was derived and not stated by the vendor.
    pub derived: bool,
}

/// At most one quote for each [`Pricing`], in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    pub quotes: Vec<Quote>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EstimateError {
    #[error("{ty} is not offered in {region}")]
    NotOffered { ty: String, region: String },
    #[error("the parts have prices in {0} and {1}, which can't be added")]
    Currencies(String, String),
}

impl Catalog {
    /// Storage and traffic are at on-demand prices in every quote: a commitment or spot is for the machine alone.
    pub fn estimate(&self, request: &EstimateRequest) -> Result<Estimate, EstimateError> {
        let mut quotes = Vec::new();
        for pricing in Pricing::ALL {
            if let Some((offer, _)) = self.find_offer(request.ty, request.region, pricing) {
                quotes.push(self.quote(request, pricing, offer)?);
            }
        }
        if quotes.is_empty() {
            let (ty, region) = (self.instance_type(request.ty), self.region(request.region));
            return Err(EstimateError::NotOffered { ty: ty.name.clone(), region: region.name.clone() });
        }
        Ok(Estimate { quotes })
    }

    /// The disk that is meant when none is named, if the type takes it there.
    pub fn usual_disk(&self, ty: TypeId, region: RegionId) -> Option<&Disk> {
        let name = match self.instance_type(ty).kind {
            ProviderKind::Aws => "gp3",
            ProviderKind::Azure => "Standard SSD",
            ProviderKind::Gcp => "balanced",
            ProviderKind::Oci => "block-10-vpu",
            _ => return None,
        };
        self.find_disk(region, name).filter(|_| attaches(self.instance_type(ty), name))
    }

    /// Whether machines of the type can have disks of this name attached, wherever they are.
    pub fn takes_disk(&self, ty: TypeId, name: &str) -> bool {
        attaches(self.instance_type(ty), name)
    }

    /// What is paid for where a disk has so many GB: no less than the least that is sold; nothing for none.
    pub fn sold_gb(&self, disk: &Disk, gb: u64) -> u64 {
        if gb == 0 { 0 } else { gb.max(least_gb(self.region(disk.region).kind, &disk.name)) }
    }

    pub fn find_disk(&self, region: RegionId, name: &str) -> Option<&Disk> {
        let disks = &self.parts().disks;
        let row = disks.binary_search_by(|disk| (disk.region, disk.name.as_str()).cmp(&(region, name))).ok()?;
        disks.get(row)
    }

    fn quote(&self, request: &EstimateRequest, pricing: Pricing, offer: OfferId) -> Result<Quote, EstimateError> {
        let i = offer.0 as usize;
        let group = self.offers().group[i];
        let currency = self.group(group).currency;
        let monthly = match self.group(group).per {
            crate::Per::Hour => u128::from(self.offers().price_nanos[i]) * u128::from(HOURS_PER_MONTH),
            crate::Per::Month => self.offers().price_nanos[i].into(),
        };
        let compute = Part {
            hourly: self.hourly(offer),
            monthly: Money { nanos: monthly as i128, currency },
            groups: vec![group],
            unknown: Vec::new(),
        };
        let (storage, network) = (self.storage(request, currency)?, self.network(request, currency)?);
        let parts = [&compute, &storage, &network];
        let known = parts.iter().all(|part| part.unknown.is_empty());
        let sum = |of: fn(&Part) -> Money| {
            known.then(|| Money { nanos: parts.iter().map(|part| of(part).nanos).sum(), currency })
        };
        let derived = parts.iter().flat_map(|part| &part.groups).any(|group| self.group(*group).is_derived());
        let (hourly, monthly) = (sum(|part| part.hourly), sum(|part| part.monthly));
        Ok(Quote { pricing, offer, hourly, monthly, derived, compute, storage, network })
    }

    fn storage(&self, request: &EstimateRequest, currency: [u8; 3]) -> Result<Part, EstimateError> {
        let mut sum = Sum::default();
        for (name, gb) in &request.disks {
            let ty = self.instance_type(request.ty);
            let disk = match name {
                Some(name) => self.find_disk(request.region, name).filter(|_| attaches(ty, name)),
                None => self.usual_disk(request.ty, request.region),
            };
            match disk {
                Some(disk) => {
                    let gb = self.sold_gb(disk, *gb);
                    sum.add(self, currency, disk.group, mul(disk.nanos_per_gb_month, gb))?;
                }
                None => {
                    let name = name.as_deref().unwrap_or("usual");
                    sum.unknown.push(format!("no price for a {name} disk that {} takes", ty.name));
                }
            }
        }
        Ok(sum.part(currency))
    }

    fn network(&self, request: &EstimateRequest, currency: [u8; 3]) -> Result<Part, EstimateError> {
        let mut sum = Sum::default();
        for (to, gb) in request.traffic.iter().filter(|(to, gb)| *gb > 0 && *to != Destination::Region(request.region))
        {
            let transfers = &self.parts().transfers;
            match transfers.binary_search_by_key(&(request.region, *to), |t| (t.from, t.to)) {
                Ok(row) => sum.add(self, currency, transfers[row].group, transfers[row].cost_nanos(*gb))?,
                Err(_) => sum.unknown.push(format!("no price for traffic out of {}", self.region(request.region).name)),
            }
        }
        Ok(sum.part(currency))
    }
}

fn mul(nanos: u64, count: u64) -> u128 {
    u128::from(nanos) * u128::from(count)
}

#[derive(Default)]
struct Sum {
    monthly: u128,
    groups: Vec<GroupId>,
    unknown: Vec<String>,
}

impl Sum {
    fn add(&mut self, catalog: &Catalog, currency: [u8; 3], group: GroupId, nanos: u128) -> Result<(), EstimateError> {
        let other = catalog.group(group).currency;
        if other != currency {
            let text = |code: [u8; 3]| Money { nanos: 0, currency: code }.currency().to_owned();
            return Err(EstimateError::Currencies(text(currency), text(other)));
        }
        self.monthly = self.monthly.saturating_add(nanos);
        if !self.groups.contains(&group) {
            self.groups.push(group);
        }
        Ok(())
    }

    fn part(self, currency: [u8; 3]) -> Part {
        // Far beyond any price there is, and still far from an overflow of the sum.
        let monthly = self.monthly.min(1 << 120);
        let hourly = div_round(monthly, HOURS_PER_MONTH.into());
        let money = |nanos: u128| Money { nanos: nanos as i128, currency };
        Part { hourly: money(hourly), monthly: money(monthly), groups: self.groups, unknown: self.unknown }
    }
}
