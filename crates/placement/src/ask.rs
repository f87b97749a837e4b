//! A question, made ready: which rules each type, region, way of paying and host breaks, and the points of each.

use novacron_catalog::{Catalog, Offer, OfferId, RegionId, TypeId};
use novacron_types::placement::{PlacementRequest, Strategy, Weights};

use crate::{
    Candidate, Cost, Market,
    host::Host,
    near::Near,
    places::Places,
    policy::Applied,
    rule::Rule,
    score::{self, Size},
};

/// What of a place only shows when type, region and price are known together.
#[derive(Debug, Clone)]
pub(crate) struct Extra {
    pub test: Test,
    pub then: Then,
}

#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// Hourly cost, 10⁻⁹ USD.
    Cost(crate::policy::Compare),
    Performance(crate::policy::Compare),
    /// A place that is one of these.
    At(Places),
    /// No more vCPUs, or money a month, than are left of a quota.
    Quota {
        within: Places,
        vcpus: Option<u32>,
        monthly_nanos: Option<i128>,
    },
    /// A type in a region that failed lately.
    Failed {
        region: RegionId,
        ty: Option<TypeId>,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum Then {
    /// Breaks the rule of this bit unless it is at one of the places.
    Break { bit: u64, unless: Option<Places> },
    /// Times this, if it is at one of the places.
    Times { factor: f64, at: Option<Places> },
}

/// A question to a market.
#[derive(Debug, Clone)]
pub struct Ask<'m> {
    pub(crate) market: &'m Market,
    pub(crate) request: PlacementRequest,
    pub(crate) size: Size,
    pub(crate) fair: f64,
    pub(crate) strategy: Strategy,
    /// As they were given, for showing.
    pub(crate) weights: Weights,
    /// Parts of 1.
    pub(crate) share: Weights,
    pub(crate) rules: Vec<Rule>,
    pub(crate) types: Vec<u64>,
    pub(crate) regions: Vec<u64>,
    pub(crate) pricing: [u64; 4],
    pub(crate) groups: Vec<u64>,
    pub(crate) hosts: Vec<u64>,
    /// Compliance and location, 0 to 100, by region and by host.
    pub(crate) region_parts: Vec<(f64, f64)>,
    pub(crate) host_parts: Vec<(f64, f64)>,
    /// Of regions, weighted and added.
    pub(crate) region_points: Vec<f64>,
    /// Of types, weighted; those that a rule excludes have none.
    pub(crate) type_points: Vec<f64>,
    pub(crate) region_times: Vec<f64>,
    pub(crate) host_times: Vec<f64>,
    pub(crate) pricing_times: [f64; 4],
    /// Disks and traffic by region, 10⁻⁹ USD an hour; `None` where a part has no price.
    pub(crate) disk: Vec<Option<u64>>,
    pub(crate) traffic: Vec<Option<u64>>,
    /// Types that take the disk.
    pub(crate) takes_disk: Vec<bool>,
    pub(crate) priced: u64,
    /// The bit of the cost's rule, and its limit.
    pub(crate) limit: Option<(u64, u64)>,
    pub(crate) extras: Vec<Extra>,
    /// What wins among equals, and before all where nothing else was said.
    pub(crate) default: Option<Places>,
    pub(crate) default_first: bool,
    /// What latency is measured to.
    pub(crate) near: Option<Near>,
    pub(crate) applied: Vec<Applied>,
    pub(crate) notes: Vec<String>,
    /// Zones that the machine should keep away from.
    pub(crate) zones_used: Vec<(String, String)>,
    pub(crate) today: Option<jiff::civil::Date>,
    pub(crate) max_age_days: Option<u32>,
}

impl Ask<'_> {
    pub(crate) fn catalog(&self) -> &Catalog {
        self.market.catalog()
    }

    pub(crate) fn offer(&self, id: OfferId) -> Offer {
        let offers = self.catalog().offers();
        let i = id.0 as usize;
        Offer {
            ty: offers.ty[i],
            pricing: offers.pricing[i],
            region: offers.region[i],
            group: offers.group[i],
            price_nanos: offers.price_nanos[i],
            band: offers.band[i],
            zones: offers.zones[i],
        }
    }

    pub(crate) fn host(&self, index: usize) -> &Host {
        &self.market.hosts[index]
    }

    /// What an offer costs with its disks and traffic.
    pub(crate) fn offer_cost(&self, hourly: u64, ty: TypeId, region: RegionId) -> Cost {
        let (ty, region) = (usize::from(ty.0), usize::from(region.0));
        let disk = if self.size.disk_gb == 0 { Some(0) } else { self.disk[region].filter(|_| self.takes_disk[ty]) };
        let known = disk.is_some() && self.traffic[region].is_some();
        let around = disk.unwrap_or(0).saturating_add(self.traffic[region].unwrap_or(0));
        Cost { hourly_nanos: hourly.saturating_add(around), known }
    }

    pub(crate) fn cost(&self, candidate: Candidate) -> Cost {
        match candidate {
            Candidate::Offer(id) => {
                let offers = self.catalog().offers();
                let i = id.0 as usize;
                self.offer_cost(offers.hourly_nanos[i], offers.ty[i], offers.region[i])
            }
            Candidate::Host(index) => {
                let cost = self.host(index).hourly_nanos(self.size.vcpus, self.size.memory_bytes, self.size.disk_gb);
                let nanos = cost.map_or(0, |nanos| u64::try_from(nanos).unwrap_or(u64::MAX));
                Cost { hourly_nanos: nanos, known: cost.is_some() }
            }
        }
    }

    /// The rules that a place breaks, as bits.
    pub(crate) fn broken(&self, candidate: Candidate) -> u64 {
        let cost = self.cost(candidate);
        match candidate {
            Candidate::Offer(id) => {
                let offer = self.offer(id);
                let (ty, region) = (usize::from(offer.ty.0), usize::from(offer.region.0));
                let fixed = self.types[ty]
                    | self.regions[region]
                    | self.pricing[offer.pricing as usize]
                    | self.groups[usize::from(offer.group.0)];
                let mut bits = fixed | self.cost_bits(cost);
                for extra in &self.extras {
                    bits |= self.extra_bits(extra, candidate, offer.ty, offer.region, cost);
                }
                bits
            }
            Candidate::Host(index) => self.hosts[index] | self.cost_bits(cost) | self.host_extra_bits(index, cost),
        }
    }

    pub(crate) fn cost_bits(&self, cost: Cost) -> u64 {
        let priced = if cost.known { 0 } else { self.priced };
        match self.limit {
            Some((bit, limit)) if cost.hourly_nanos > limit || !cost.known => bit | priced,
            _ => priced,
        }
    }

    fn extra_bits(&self, extra: &Extra, candidate: Candidate, ty: TypeId, region: RegionId, cost: Cost) -> u64 {
        match &extra.then {
            Then::Break { bit, unless } if self.holds(&extra.test, candidate, ty, region, cost) => {
                match unless.as_ref().is_some_and(|places| places.holds(self.market, candidate)) {
                    true => 0,
                    false => *bit,
                }
            }
            _ => 0,
        }
    }

    fn host_holds(&self, test: &Test, index: usize, cost: Cost) -> bool {
        match test {
            Test::Cost(compare) => compare.holds(i128::from(cost.hourly_nanos)),
            Test::Performance(compare) => compare.holds((self.performance(Candidate::Host(index)) * 1e9) as i128),
            Test::At(places) => places.hosts[index],
            Test::Quota { within, vcpus, monthly_nanos } => {
                within.hosts[index] && (vcpus.is_some_and(|left| self.size.vcpus > left) || over(cost, *monthly_nanos))
            }
            Test::Failed { .. } => false,
        }
    }

    fn host_extra_bits(&self, index: usize, cost: Cost) -> u64 {
        self.extras.iter().fold(0, |bits, extra| match &extra.then {
            Then::Break { bit, unless }
                if self.host_holds(&extra.test, index, cost)
                    && !unless.as_ref().is_some_and(|places| places.hosts[index]) =>
            {
                bits | bit
            }
            _ => bits,
        })
    }

    fn holds(&self, test: &Test, candidate: Candidate, ty: TypeId, region: RegionId, cost: Cost) -> bool {
        match test {
            Test::Cost(compare) => compare.holds(i128::from(cost.hourly_nanos)),
            Test::Performance(compare) => compare.holds((self.performance(candidate) * 1e9) as i128),
            Test::At(places) => places.holds(self.market, candidate),
            Test::Quota { within, vcpus, monthly_nanos } => {
                within.regions[usize::from(region.0)]
                    && (vcpus.is_some_and(|left| self.market.lean[usize::from(ty.0)].vcpus > left)
                        || over(cost, *monthly_nanos))
            }
            Test::Failed { region: failed, ty: only } => *failed == region && only.is_none_or(|only| only == ty),
        }
    }

    pub(crate) fn performance(&self, candidate: Candidate) -> f64 {
        match candidate {
            Candidate::Offer(id) => {
                let ty = self.catalog().offers().ty[id.0 as usize];
                score::performance_points(&self.market.lean[usize::from(ty.0)], &self.size)
            }
            // A share of its own, of the size that was asked for; its network is known or not.
            Candidate::Host(index) => {
                let network = self.host(index).network_mbps.map_or(0.0, score::network_points);
                45.0 + 30.0 * network + 17.0
            }
        }
    }

    /// What policies, load and failures multiply a place's points by.
    pub(crate) fn times(&self, candidate: Candidate) -> f64 {
        match candidate {
            Candidate::Host(index) => {
                self.extra_times(self.host_times[index], candidate, |test, cost| self.host_holds(test, index, cost))
            }
            Candidate::Offer(id) => {
                let offer = self.offer(id);
                let fixed = self.region_times[usize::from(offer.region.0)] * self.pricing_times[offer.pricing as usize];
                self.extra_times(fixed, candidate, |test, cost| {
                    self.holds(test, candidate, offer.ty, offer.region, cost)
                })
            }
        }
    }

    fn extra_times(&self, fixed: f64, candidate: Candidate, holds: impl Fn(&Test, Cost) -> bool) -> f64 {
        if self.extras.is_empty() {
            return fixed;
        }
        let cost = self.cost(candidate);
        self.extras.iter().fold(fixed, |times, extra| match &extra.then {
            Then::Times { factor, at }
                if at.as_ref().is_none_or(|at| at.holds(self.market, candidate)) && holds(&extra.test, cost) =>
            {
                times * factor
            }
            _ => times,
        })
    }

    /// Of the regions that no rule excludes, in milligrams per kWh; `None` where carbon does not count or is known nowhere.
    pub(crate) fn cleanest_grid(&self) -> Option<u32> {
        if self.share.carbon <= 0.0 {
            return None;
        }
        let regions = &self.catalog().parts().regions;
        let open = self.regions.iter().zip(regions).filter(|(mask, _)| **mask == 0);
        open.filter_map(|(_, region)| region.grid.map(|grid| grid.mg_per_kwh)).min()
    }

    /// What a type can have for carbon at most, weighted.
    pub(crate) fn most_carbon_points(&self, ty: usize, cleanest: Option<u32>) -> f64 {
        let lean = &self.market.lean[ty];
        let Some((grid, load)) = cleanest.zip(lean.half_load) else { return 0.0 };
        let electricity = u128::from(load) * u128::from(grid) / 1_000_000_000;
        self.share.carbon * score::carbon_points(electricity as u64 + lean.embodied, self.size.vcpus)
    }

    pub(crate) fn milligrams(&self, candidate: Candidate) -> Option<u64> {
        match candidate {
            Candidate::Offer(id) => {
                let offer = self.offer(id);
                self.market.milligrams(offer.ty, offer.region)
            }
            Candidate::Host(index) => self.host(index).milligrams_per_vcpu.map(|mg| mg * u64::from(self.size.vcpus)),
        }
    }

    /// Points before weights: cost, performance, compliance, location, and carbon where it is known.
    pub(crate) fn parts(&self, candidate: Candidate) -> ([f64; 4], Option<f64>) {
        let cost = self.cost(candidate);
        // A host whose cost is not known has no points for it.
        let unknown = matches!(candidate, Candidate::Host(_)) && !cost.known;
        let points = if unknown { 0.0 } else { score::cost_points(cost.hourly_nanos as f64, self.fair) };
        let (compliance, location) = match candidate {
            Candidate::Offer(id) => self.region_parts[usize::from(self.offer(id).region.0)],
            Candidate::Host(index) => self.host_parts[index],
        };
        let carbon = self.milligrams(candidate).map(|mg| score::carbon_points(mg, self.size.vcpus));
        ([points, self.performance(candidate), compliance, location], carbon)
    }

    /// The score, in millionths of a point, so that equals are equal.
    pub(crate) fn score(&self, candidate: Candidate) -> i64 {
        let share = &self.share;
        // Only what counts is computed.
        let carbon = if share.carbon > 0.0 {
            self.milligrams(candidate).map_or(0.0, |mg| score::carbon_points(mg, self.size.vcpus))
        } else {
            0.0
        };
        let performance = if share.performance > 0.0 { self.performance(candidate) } else { 0.0 };
        let cost = self.cost(candidate);
        let unknown = matches!(candidate, Candidate::Host(_)) && !cost.known;
        let points = if unknown { 0.0 } else { score::cost_points(cost.hourly_nanos as f64, self.fair) };
        let (compliance, location) = match candidate {
            Candidate::Offer(id) => self.region_parts[usize::from(self.offer(id).region.0)],
            Candidate::Host(index) => self.host_parts[index],
        };
        let sum = share.cost * points
            + share.performance * performance
            + share.compliance * compliance
            + share.location * location
            + share.carbon * carbon;
        (sum * self.times(candidate) * 1e6).round() as i64
    }

    pub(crate) fn is_default(&self, candidate: Candidate) -> bool {
        self.default.as_ref().is_some_and(|places| match candidate {
            Candidate::Offer(id) => places.regions[usize::from(self.offer(id).region.0)],
            Candidate::Host(index) => places.hosts[index],
        })
    }

    /// What the ranking goes by, greatest first. Nothing in it depends on other places.
    pub(crate) fn rank(&self, candidate: Candidate) -> Rank {
        let default = self.is_default(candidate);
        Rank {
            first: self.default_first && default,
            score: self.score(candidate),
            default,
            cheaper: u64::MAX - self.cost(candidate).hourly_nanos,
            better: (self.performance(candidate) * 1e6) as i64,
            host: matches!(candidate, Candidate::Host(_)),
            earlier: std::cmp::Reverse(candidate),
        }
    }
}

/// Whether a month costs more than is left of a budget. What is not known is not counted.
fn over(cost: Cost, left: Option<i128>) -> bool {
    left.is_some_and(|left| i128::from(cost.hourly_nanos) * 730 > left)
}

/// The order of places: score, then the default cloud, then the cheaper, the better, a host of one's own, and at last the
/// order of the catalog, which is by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub first: bool,
    pub score: i64,
    default: bool,
    cheaper: u64,
    better: i64,
    host: bool,
    earlier: std::cmp::Reverse<Candidate>,
}
