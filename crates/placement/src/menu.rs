//! What plans of many machines need of a question: all that would do, place by place, and what each place is.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use novacron_catalog::{OfferId, RegionId};
use novacron_types::{
    ProviderKind, ProviderName,
    placement::{ActionKind, Policy, Strategy},
};

use crate::{
    Ask, Candidate, Cost, Market, PlacementError, Places, Settings,
    policy::{self, Where},
};

/// A policy that wants a machine that exists to be elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    pub policy: String,
    pub to: Places,
}

/// Whether a policy's condition on the machine, if it has one, holds for these labels.
pub fn policy_matches(policy: &Policy, labels: &BTreeMap<String, String>) -> bool {
    policy::peer_matches(policy, labels)
}

impl<'m> Ask<'m> {
    pub fn market(&self) -> &'m Market {
        self.market
    }

    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// vCPUs, bytes of memory and GiB of disk, as policies scale them.
    pub fn size(&self) -> (u32, u64, u64) {
        (self.size.vcpus, self.size.memory_bytes, self.size.disk_gb)
    }

    pub fn candidate_cost(&self, candidate: Candidate) -> Cost {
        self.cost(candidate)
    }

    /// As of [`Choice`](crate::Choice): what the place is worth, whatever rule it breaks.
    pub fn candidate_score(&self, candidate: Candidate) -> f64 {
        self.score(candidate) as f64 / 1e6
    }

    /// The names of the rules that a place breaks.
    pub fn rules_broken(&self, candidate: Candidate) -> Vec<&str> {
        let bits = self.broken(candidate);
        let broken = self.rules.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1);
        broken.map(|(_, rule)| rule.name.as_str()).collect()
    }

    /// Of what breaks no rule: every host, and of each region, number of vCPUs and set of zones the cheapest offer, the better
    /// of equals. To budgets, quotas and spreads, offers of a region differ in nothing else. In the order of [`Candidate`].
    pub fn cheapest_places(&self) -> Vec<Candidate> {
        self.cheapest_places_among(|_| true)
    }

    /// Likewise, of those that `keep` keeps.
    pub fn cheapest_places_among(&self, keep: impl Fn(Candidate) -> bool) -> Vec<Candidate> {
        let zones = |candidate| match candidate {
            Candidate::Offer(id) => self.catalog().offers().get(id).map_or(0, |offer| offer.zones),
            Candidate::Host(_) => 0,
        };
        let mut least: BTreeMap<(RegionId, u32, u16), (u64, Candidate)> = BTreeMap::new();
        self.each_that_will_do(&keep, |candidate, region, vcpus, hourly| {
            match least.entry((region, vcpus, zones(candidate))) {
                Entry::Vacant(entry) => {
                    entry.insert((hourly, candidate));
                }
                Entry::Occupied(mut entry) => {
                    let (known, other) = *entry.get();
                    if hourly < known || hourly == known && self.rank(candidate) > self.rank(other) {
                        entry.insert((hourly, candidate));
                    }
                }
            }
        });
        self.with_hosts(&keep, least.into_values().map(|(_, candidate)| candidate))
    }

    /// Of what breaks no rule: every host, and of each region the best offer. In the order of [`Candidate`].
    pub fn best_places(&self) -> Vec<Candidate> {
        self.best_places_among(|_| true)
    }

    /// Likewise, of those that `keep` keeps.
    pub fn best_places_among(&self, keep: impl Fn(Candidate) -> bool) -> Vec<Candidate> {
        let mut best: BTreeMap<RegionId, Candidate> = BTreeMap::new();
        self.each_that_will_do(&keep, |candidate, region, _, _| {
            let known = best.entry(region).or_insert(candidate);
            if self.rank(candidate) > self.rank(*known) {
                *known = candidate;
            }
        });
        self.with_hosts(&keep, best.into_values())
    }

    fn each_that_will_do(&self, keep: &impl Fn(Candidate) -> bool, mut see: impl FnMut(Candidate, RegionId, u32, u64)) {
        let offers = self.catalog().offers();
        for run in &self.market.runs {
            let ty = usize::from(run.ty.0);
            if self.types[ty] | self.pricing[run.pricing as usize] != 0 {
                continue;
            }
            for id in run.offers.clone() {
                let i = id as usize;
                let region = offers.region[i];
                let fixed = self.regions[usize::from(region.0)] | self.groups[usize::from(offers.group[i].0)];
                let candidate = Candidate::Offer(OfferId(id));
                if fixed == 0 && self.broken(candidate) == 0 && keep(candidate) {
                    see(candidate, region, self.market.lean[ty].vcpus, self.cost(candidate).hourly_nanos);
                }
            }
        }
    }

    fn with_hosts(&self, keep: &impl Fn(Candidate) -> bool, offers: impl Iterator<Item = Candidate>) -> Vec<Candidate> {
        let hosts = (0..self.hosts.len()).map(Candidate::Host);
        let hosts = hosts.filter(|host| self.broken(*host) == 0 && keep(*host));
        let all: BTreeSet<Candidate> = offers.chain(hosts).collect();
        all.into_iter().collect()
    }

    /// The policies that want the machine, which now is at `now`, elsewhere, the highest priority first.
    pub fn migrations(&self, settings: &Settings, now: Candidate) -> Result<Vec<Migration>, PlacementError> {
        let mut wanted = Vec::new();
        for b in policy::bearing(self.market, settings, &self.request)? {
            if b.policy.action.kind != ActionKind::Migrate {
                continue;
            }
            let Some(to) = b.places else {
                let why = "it says nowhere to migrate to: give it `providers`, `regions` or a `target`".to_owned();
                return Err(PlacementError::Policy { policy: b.policy.name.clone(), why });
            };
            let cost = self.cost(now);
            let holds = match &b.place {
                Where::Everywhere => true,
                Where::At(places) => places.holds(self.market, now),
                Where::Cost(compare) => cost.known && compare.holds(cost.hourly_nanos.into()),
                Where::Performance(compare) => compare.holds((self.performance(now) * 1e9) as i128),
            };
            if holds && !to.holds(self.market, now) {
                wanted.push(Migration { policy: b.policy.name.clone(), to });
            }
        }
        Ok(wanted)
    }

    /// The policy that scales the machine, if one does.
    pub fn scaled_by(&self, settings: &Settings) -> Result<Option<String>, PlacementError> {
        let bearing = policy::bearing(self.market, settings, &self.request)?;
        let scale = bearing.iter().find(|b| b.policy.action.kind == ActionKind::Scale);
        Ok(scale.map(|b| b.policy.name.clone()))
    }
}

impl Market {
    /// `None` for a host.
    pub fn region_of(&self, candidate: Candidate) -> Option<RegionId> {
        match candidate {
            Candidate::Offer(id) => Some(self.catalog().offers().region[id.0 as usize]),
            Candidate::Host(_) => None,
        }
    }

    /// Who counts as one provider to a spread: the one that is configured, or where none is, the kind.
    pub fn provider_key(&self, candidate: Candidate) -> String {
        match candidate {
            Candidate::Host(index) => self.hosts[index].provider.to_string(),
            Candidate::Offer(id) => {
                let region = self.catalog().region(self.catalog().offers().region[id.0 as usize]);
                self.provider_of(region.kind, &region.name, None)
            }
        }
    }

    /// Likewise, of a machine that there is.
    pub fn provider_of(&self, kind: ProviderKind, region: &str, provider: Option<&ProviderName>) -> String {
        let configured = provider.or_else(|| self.binding(kind, region).map(|binding| &binding.name));
        configured.map_or_else(|| kind.to_string(), ToString::to_string)
    }
}

impl Places {
    /// Whether a machine that exists is at one of them.
    pub(crate) fn holds_machine(
        &self,
        market: &Market,
        kind: ProviderKind,
        region: &str,
        provider: Option<&ProviderName>,
    ) -> bool {
        let known = market.catalog().find_region(kind, region);
        known.is_some_and(|region| self.regions[usize::from(region.0)])
            || market.hosts.iter().zip(&self.hosts).any(|(host, in_it)| *in_it && provider == Some(&host.provider))
    }

    /// Whether a place is one of them.
    pub fn holds(&self, market: &Market, candidate: Candidate) -> bool {
        match candidate {
            Candidate::Host(index) => self.hosts[index],
            Candidate::Offer(id) => {
                let offers = market.catalog().offers();
                let (region, pricing) = (offers.region[id.0 as usize], offers.pricing[id.0 as usize]);
                let paid = self.pricing.is_none_or(|bits| bits & (1 << pricing as u8) != 0);
                let anywhere = self.pricing.is_some() && self.is_empty();
                paid && (anywhere || self.regions[usize::from(region.0)])
            }
        }
    }
}
