//! A place in the words and figures of the answer.

use novacron_catalog::{Destination, EstimateRequest, GroupId, Interruption, OfferId, Pricing};
use novacron_types::{
    ByteSize, Money, ProviderKind,
    placement::{CostBreakdown, CostPart, Dollars, OtherPricing, Placed, ScoreParts, Source},
};

use crate::{
    Ask, Candidate,
    rule::{self, Kind},
};

impl Ask<'_> {
    pub(crate) fn kind(&self, candidate: Candidate) -> ProviderKind {
        match candidate {
            Candidate::Offer(id) => self.catalog().region(self.offer(id).region).kind,
            Candidate::Host(index) => self.host(index).kind,
        }
    }

    /// `m5.large in us-east-1, on-demand`.
    pub fn title(&self, candidate: Candidate) -> String {
        match candidate {
            Candidate::Offer(id) => {
                let offer = self.offer(id);
                let ty = &self.catalog().instance_type(offer.ty).name;
                format!("{ty} in {}, {}", self.catalog().region(offer.region).name, offer.pricing)
            }
            Candidate::Host(index) => format!("a machine on {}", self.host(index).provider),
        }
    }

    /// A place as the answer has it, for the machine of the request.
    pub fn placed(&self, candidate: Candidate, score: f64) -> Placed {
        let ([cost, performance, compliance, location], carbon) = self.parts(candidate);
        let hourly = self.cost(candidate);
        let vm_id = self.request.vm_id.clone().unwrap_or_default();
        let score_parts =
            ScoreParts { cost, performance, compliance, location, carbon, multiplier: self.times(candidate) };
        let near = self.near_latency(candidate);
        let common = Placed {
            vm_id,
            cloud_provider: String::new(),
            provider: None,
            kind: self.kind(candidate),
            region: String::new(),
            zone: None,
            instance_type: String::new(),
            vcpus: 0,
            memory_bytes: 0,
            pricing: Pricing::OnDemand.to_string(),
            placement_score: score,
            score_parts,
            cost_per_hour: Dollars { nanos: hourly.hourly_nanos.into() },
            placement_reason: self.reason(),
            cost: self.breakdown(candidate),
            carbon_grams_per_hour: self.milligrams(candidate).map(|mg| mg as f64 / 1e3),
            latency_ms: near.as_ref().map(|(micros, _)| *micros as f64 / 1e3),
            latency_basis: near.map(|(_, basis)| basis),
            interruption: None,
        };
        match candidate {
            Candidate::Host(index) => {
                let host = self.host(index);
                Placed {
                    cloud_provider: "local".to_owned(),
                    provider: Some(host.provider.clone()),
                    region: host.region.clone(),
                    instance_type: "custom".to_owned(),
                    vcpus: self.size.vcpus,
                    memory_bytes: self.size.memory_bytes,
                    pricing: "own".to_owned(),
                    ..common
                }
            }
            Candidate::Offer(id) => {
                let offer = self.offer(id);
                let (ty, region) = (self.catalog().instance_type(offer.ty), self.catalog().region(offer.region));
                let binding = self.market.binding(region.kind, &region.name);
                Placed {
                    cloud_provider: region.kind.to_string(),
                    provider: binding.map(|binding| binding.name.clone()),
                    region: region.name.clone(),
                    zone: self.zone(id).or_else(|| binding.and_then(|binding| binding.zone.clone())),
                    instance_type: ty.name.clone(),
                    vcpus: ty.vcpus,
                    memory_bytes: ty.memory_bytes,
                    pricing: offer.pricing.to_string(),
                    interruption: Interruption::from_code(offer.band).map(|band| band.as_str().to_owned()),
                    ..common
                }
            }
        }
    }

    /// A zone that the group is not in yet, where it must spread and the catalog knows the zones.
    fn zone(&self, id: OfferId) -> Option<String> {
        if self.zones_used.is_empty() {
            return None;
        }
        let zones = self.catalog().zones(id);
        zones.into_iter().find(|zone| !self.zones_used.iter().any(|(_, used)| used == zone))
    }

    pub(crate) fn reason(&self) -> String {
        let own = self.weights != crate::weights_of(self.strategy);
        if own { "custom-weights".to_owned() } else { self.strategy.to_string() }
    }

    /// The round trip to `near`, and how it is known.
    fn near_latency(&self, candidate: Candidate) -> Option<(u64, String)> {
        self.near.as_ref()?.of(self.market, candidate)
    }

    /// The estimate, part by part; `None` where a part has no known price.
    pub(crate) fn breakdown(&self, candidate: Candidate) -> Option<CostBreakdown> {
        let Candidate::Offer(id) = candidate else { return self.host_breakdown(candidate) };
        let offer = self.offer(id);
        let estimate = self.catalog().estimate(&self.estimate_request(id)).ok()?;
        let quote = estimate.quotes.iter().find(|quote| quote.pricing == offer.pricing)?;
        let part = |part: &novacron_catalog::Part| CostPart {
            hourly: part.hourly,
            monthly: part.monthly,
            sources: part.groups.iter().map(|group| self.catalog().group(*group).name.clone()).collect(),
        };
        let other = |quote: &novacron_catalog::Quote| {
            Some(OtherPricing { pricing: quote.pricing.to_string(), hourly: quote.hourly?, modelled: quote.derived })
        };
        Some(CostBreakdown {
            compute: part(&quote.compute),
            storage: part(&quote.storage),
            network: part(&quote.network),
            hourly: quote.hourly?,
            monthly: quote.monthly?,
            modelled: quote.derived,
            other_pricing: estimate.quotes.iter().filter(|q| q.pricing != offer.pricing).filter_map(other).collect(),
        })
    }

    fn host_breakdown(&self, candidate: Candidate) -> Option<CostBreakdown> {
        let cost = self.cost(candidate);
        let own = |nanos: i128| CostPart {
            hourly: Money::usd_nanos(nanos),
            monthly: Money::usd_nanos(nanos * 730),
            sources: vec!["configuration".to_owned()],
        };
        cost.known.then(|| CostBreakdown {
            compute: own(cost.hourly_nanos.into()),
            storage: own(0),
            network: own(0),
            hourly: Money::usd_nanos(cost.hourly_nanos.into()),
            monthly: Money::usd_nanos(i128::from(cost.hourly_nanos) * 730),
            modelled: true,
            other_pricing: Vec::new(),
        })
    }

    fn estimate_request(&self, id: OfferId) -> EstimateRequest {
        let offer = self.offer(id);
        let gb = self.size.disk_gb;
        let disks = if gb > 0 { vec![(self.request.disk_type.clone(), gb)] } else { Vec::new() };
        let traffic = self.request.traffic_gb_per_month.unwrap_or(0);
        let traffic = if traffic > 0 { vec![(Destination::Internet, traffic)] } else { Vec::new() };
        EstimateRequest { ty: offer.ty, region: offer.region, disks, traffic }
    }

    /// The groups of figures that a place's cost was computed from.
    pub(crate) fn sources(&self, candidate: Candidate) -> Vec<Source> {
        let Candidate::Offer(id) = candidate else { return Vec::new() };
        let offer = self.offer(id);
        let Ok(estimate) = self.catalog().estimate(&self.estimate_request(id)) else { return Vec::new() };
        let Some(quote) = estimate.quotes.iter().find(|quote| quote.pricing == offer.pricing) else {
            return Vec::new();
        };
        let mut groups: Vec<GroupId> = Vec::new();
        for part in [&quote.compute, &quote.storage, &quote.network] {
            groups.extend(part.groups.iter().copied());
        }
        groups.push(self.catalog().instance_type(offer.ty).group);
        groups.sort_unstable();
        groups.dedup();
        groups.into_iter().map(|group| self.source(group)).collect()
    }

    fn source(&self, id: GroupId) -> Source {
        let group = self.catalog().group(id);
        let age_days = self.today.and_then(|today| group.age_days(today));
        let old = |age: i32| self.max_age_days.is_some_and(|most| i64::from(age) > i64::from(most));
        Source {
            group: group.name.clone(),
            source: group.source.clone(),
            as_of: group.as_of.clone(),
            age_days,
            rule: group.rule.clone(),
            stale: age_days.is_some_and(old),
        }
    }

    /// What a place has where a rule asks for more: `8.0 GiB instead of 16.0 GiB of memory`.
    pub(crate) fn instead(&self, place: usize, candidate: Candidate) -> String {
        let kind = &self.rules[place].kind;
        let asks = self.rules[place].asks();
        let Candidate::Offer(id) = candidate else { return self.host_instead(place, candidate) };
        let offer = self.offer(id);
        let (ty, region) = (self.catalog().instance_type(offer.ty), self.catalog().region(offer.region));
        match kind {
            Kind::Cpu(n) => format!("{} vCPU{} instead of {n}", ty.vcpus, rule::plural(ty.vcpus.into())),
            Kind::Memory(bytes) => format!("{} of memory instead of {}", ByteSize(ty.memory_bytes), ByteSize(*bytes)),
            Kind::Architecture(_) => format!("{} instead of {asks}", rule::architecture_name(ty.architecture)),
            Kind::Gpu(_) => match &ty.gpu {
                Some(gpu) => format!("{} × {} instead of {asks}: change `gpu`", f64::from(gpu.milli) / 1e3, gpu.model),
                None => format!("no GPU instead of {asks}: leave out `gpu`"),
            },
            Kind::Steady => "a burstable type or a shared core: leave out `allow_burstable: false`".to_owned(),
            Kind::Bandwidth(mbps) => match ty.bandwidth_mbps() {
                None => format!("an unknown bandwidth instead of {mbps} Mbit/s"),
                Some(have) => format!("{have} Mbit/s instead of {mbps}"),
            },
            Kind::Types { .. } => format!("{} instead of {asks}", ty.name),
            Kind::Providers { .. } | Kind::Configured => format!("{} instead of {asks}", region.kind),
            Kind::Regions { .. } | Kind::ComplianceZones(_) => format!("{} instead of {asks}", region.name),
            Kind::Sector => format!("{}, which must be asked for by name", region.name),
            Kind::Latency { to, micros } => match self.near_latency(candidate) {
                Some((have, basis)) => {
                    format!("{} ms to {to} ({basis}) instead of {} ms", have as f64 / 1e3, *micros as f64 / 1e3)
                }
                None => format!("an unknown latency to {to}"),
            },
            Kind::Programme(name) => format!("{}, which is not known to be listed for {name}", region.name),
            Kind::Sla(milli) => format!(
                "{} % promised instead of {} %",
                f64::from(self.market.promised(region)) / 1e3,
                f64::from(*milli) / 1e3
            ),
            Kind::Pricing(names) => format!("{} instead of {}", offer.pricing, names.join(" or ")),
            Kind::Cost { nanos, less } => {
                let (cost, limit) =
                    (Money::usd_nanos(self.cost(candidate).hourly_nanos.into()), rule::limit(*nanos, *less));
                // Rounded, it may look as if it would do.
                let cost = if limit.ends_with(&cost.words()) { cost.to_string() } else { cost.words() };
                format!("{cost} an hour instead of {limit}")
            }
            Kind::Fresh(days) => {
                format!("prices of {} instead of the last {days} days", self.catalog().group(offer.group).as_of)
            }
            Kind::Policy { name, .. } => format!("{} in spite of policy {name:?}", region.name),
            Kind::Quota(place) => format!("more than is left of the quota of {place}"),
            Kind::Disk(_) | Kind::RunsGuests | Kind::Priced | Kind::Currency => format!("without {asks}"),
        }
    }

    fn host_instead(&self, place: usize, candidate: Candidate) -> String {
        let Candidate::Host(index) = candidate else { return String::new() };
        let host = self.host(index);
        match &self.rules[place].kind {
            Kind::Cpu(n) => format!("{} free vCPUs on {} instead of {n}", host.vcpus, host.provider),
            Kind::Memory(bytes) => {
                format!("{} free on {} instead of {}", ByteSize(host.memory_bytes), host.provider, ByteSize(*bytes))
            }
            Kind::Disk(bytes) => {
                format!(
                    "{} of disk free on {} instead of {}",
                    ByteSize(host.disk_bytes),
                    host.provider,
                    ByteSize(*bytes)
                )
            }
            Kind::Quota(place) => format!("more on {} than is left of the quota of {place}", host.provider),
            _ => format!("{} without {}", host.provider, self.rules[place].asks()),
        }
    }
}
