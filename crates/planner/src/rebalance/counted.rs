//! What hosts, quotas and spreads hold while a plan is checked: counted from nothing once, then changed by each step.

use std::collections::{BTreeMap, HashMap, HashSet};

use novacron_placement::{Candidate, Counted, Market, Quota, Settings};
use novacron_types::GIB;

use super::{Machine, Whereabouts};
use crate::{
    HOURS,
    groups::{Dimension, Group},
    questions::Questions,
    zones::zone_of,
};

pub(super) struct State<'a, 'm> {
    market: &'a Market,
    questions: &'a Questions<'m>,
    machines: &'a [Machine],
    pub at: Vec<Option<Candidate>>,
    moved: HashSet<usize>,
    /// Of each host the vCPUs, memory and disk that its machines need, and what they needed at first.
    hosts: Vec<[[u128; 3]; 2]>,
    quotas: Vec<Used<'a>>,
    spreads: Vec<Spread<'a>>,
    /// The spreads that a machine is in.
    spreads_of: HashMap<usize, Vec<usize>>,
}

struct Used<'a> {
    quota: &'a Quota,
    within: Counted,
    /// vCPUs, machines and money a month.
    used: [i128; 3],
}

struct Spread<'a> {
    group: &'a Group<'a>,
    /// How many stand in each domain, as far as it is known: the zone of a machine that was moved is not.
    domains: BTreeMap<String, u32>,
    least: usize,
}

impl<'a, 'm> State<'a, 'm> {
    pub fn new(
        market: &'a Market,
        settings: &'a Settings,
        questions: &'a Questions<'m>,
        machines: &'a [Machine],
        at: Vec<Option<Candidate>>,
        groups: &'a [Group<'a>],
    ) -> Self {
        let (moved, spreads_of) = (HashSet::new(), HashMap::new());
        let (hosts, quotas, spreads) = (Vec::new(), Vec::new(), Vec::new());
        let mut state = Self { market, questions, machines, at, moved, hosts, quotas, spreads, spreads_of };
        state.hosts = state.count_hosts();
        state.quotas = state.count_quotas(settings);
        for group in groups {
            state.spread(group);
        }
        state
    }

    /// Moves a machine; the rule that is broken then, in words. It leaves its old room only once it is there, so that no state
    /// between two steps needs more than both.
    pub fn go(&mut self, machine: usize, from: Candidate, to: Candidate) -> Option<String> {
        let before: Vec<[i128; 3]> = self.quotas.iter().map(|quota| quota.used).collect();
        self.put(machine, from, false);
        self.at[machine] = Some(to);
        self.moved.insert(machine);
        self.put(machine, to, true);
        if let Candidate::Host(index) = to {
            let (host, [used, first]) = (&self.market.hosts()[index], &self.hosts[index]);
            let have = [host.vcpus.into(), host.memory_bytes.into(), u128::from(host.disk_bytes)];
            if (0..3).any(|r| used[r] > have[r] && used[r] > first[r]) {
                return Some(format!("does not fit on {}", host.provider));
            }
        }
        for (Used { quota, used, .. }, before) in self.quotas.iter().zip(before) {
            let most = [quota.vcpus.map(i128::from), quota.instances.map(i128::from), quota.monthly_nanos];
            if (0..3).any(|r| used[r] > before[r] && most[r].is_some_and(|most| used[r] > most)) {
                return Some(format!("breaks the quota of {}", quota.place()));
            }
        }
        let mut mine = self.spreads_of.get(&machine).into_iter().flatten().map(|spread| &self.spreads[*spread]);
        mine.find(|spread| spread.domains.len() < spread.least).map(|spread| format!("breaks {}", spread.group.words()))
    }

    /// Whether what the steps made of hosts and quotas is what one counts now.
    pub fn adds_up(&self, settings: &Settings) -> bool {
        let hosts = self.count_hosts();
        let quotas = self.count_quotas(settings);
        self.hosts.iter().zip(&hosts).all(|(kept, counted)| kept[0] == counted[0])
            && self.quotas.iter().zip(&quotas).all(|(kept, counted)| kept.used == counted.used)
    }

    fn put(&mut self, machine: usize, at: Candidate, comes: bool) {
        if let Candidate::Host(host) = at {
            let needs = self.needs(machine);
            self.hosts[host][0]
                .iter_mut()
                .zip(needs)
                .for_each(|(used, need)| if comes { *used += need } else { *used -= need });
        }
        let takes = self.takes(machine, at);
        let sign = if comes { 1 } else { -1 };
        for quota in 0..self.quotas.len() {
            if self.counts(&self.quotas[quota].within, machine, at) {
                self.quotas[quota].used.iter_mut().zip(takes).for_each(|(used, take)| *used += sign * take);
            }
        }
        for number in self.spreads_of.get(&machine).cloned().unwrap_or_default() {
            let Some(domain) = self.domain(machine, self.spreads[number].group.dimension) else { continue };
            let domains = &mut self.spreads[number].domains;
            let count = domains.entry(domain.clone()).or_default();
            *count = if comes { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                domains.remove(&domain);
            }
        }
    }

    fn count_hosts(&self) -> Vec<[[u128; 3]; 2]> {
        let mut hosts = vec![[[0u128; 3]; 2]; self.market.hosts().len()];
        for (machine, at) in self.at.iter().enumerate() {
            if let Some(Candidate::Host(host)) = at {
                let needs = self.needs(machine);
                hosts[*host]
                    .iter_mut()
                    .flat_map(|used| used.iter_mut().zip(needs))
                    .for_each(|(used, need)| *used += need);
            }
        }
        hosts
    }

    fn count_quotas(&self, settings: &'a Settings) -> Vec<Used<'a>> {
        let own: HashSet<&str> = self.questions.names.iter().map(String::as_str).collect();
        let peers: Vec<_> = settings.peers.iter().filter(|peer| !own.contains(peer.vm_id.as_str())).collect();
        let of = |quota: &'a Quota| {
            let within = quota.counted(self.market).ok()?;
            let mut used = [0i128; 3];
            let mut add = |takes: [i128; 3]| used.iter_mut().zip(takes).for_each(|(used, take)| *used += take);
            for (machine, at) in self.at.iter().enumerate() {
                if let Some(at) = at.filter(|at| self.counts(&within, machine, *at)) {
                    add(self.takes(machine, at));
                }
            }
            for peer in peers.iter().filter(|peer| within.holds_peer(self.market, peer)) {
                add([peer.vcpus.into(), 1, peer.monthly_nanos]);
            }
            Some(Used { quota, within, used })
        };
        settings.quotas.iter().filter_map(of).collect()
    }

    fn spread(&mut self, group: &'a Group<'a>) {
        let of_peers = group.peers.iter().filter_map(|peer| group.dimension.of_peer(self.market, peer));
        let of_members = group.members.iter().filter_map(|machine| self.domain(*machine, group.dimension));
        let mut domains = BTreeMap::new();
        of_peers.chain(of_members).for_each(|domain| *domains.entry(domain).or_default() += 1);
        let least = domains.len().min(group.least as usize);
        for machine in &group.members {
            self.spreads_of.entry(*machine).or_default().push(self.spreads.len());
        }
        self.spreads.push(Spread { group, domains, least });
    }

    fn needs(&self, machine: usize) -> [u128; 3] {
        let (vcpus, memory, disk) = self.questions.ask(machine).size();
        [vcpus.into(), memory.into(), u128::from(disk) * u128::from(GIB)]
    }

    fn takes(&self, machine: usize, at: Candidate) -> [i128; 3] {
        let ask = self.questions.ask(machine);
        let vcpus = match at {
            Candidate::Host(_) => ask.size().0,
            Candidate::Offer(id) => {
                let catalog = self.market.catalog();
                catalog.instance_type(catalog.offers().ty[id.0 as usize]).vcpus
            }
        };
        let cost = ask.candidate_cost(at);
        [vcpus.into(), 1, if cost.known { i128::from(cost.hourly_nanos) * HOURS } else { 0 }]
    }

    fn counts(&self, within: &Counted, machine: usize, at: Candidate) -> bool {
        match &self.machines[machine].at {
            Whereabouts::Cloud { kind, region, provider, .. } if !self.moved.contains(&machine) => {
                within.holds_machine(self.market, *kind, region, provider.as_ref())
            }
            _ => within.holds(self.market, at),
        }
    }

    fn domain(&self, machine: usize, dimension: Dimension) -> Option<String> {
        let moved = self.moved.contains(&machine);
        match (dimension, &self.machines[machine].at) {
            (Dimension::Providers, _) if moved => self.at[machine].map(|at| self.market.provider_key(at)),
            (Dimension::Zones, _) if moved => None,
            (Dimension::Providers, Whereabouts::Host(name)) => Some(name.to_string()),
            (Dimension::Providers, Whereabouts::Cloud { kind, region, provider, .. }) => {
                Some(self.market.provider_of(*kind, region, provider.as_ref()))
            }
            (Dimension::Zones, Whereabouts::Host(name)) => {
                let host = self.market.hosts().iter().find(|host| host.provider == *name)?;
                zone_of(self.market, host.kind, &host.region, None, Some(name)).map(|zone| zone.to_string())
            }
            (Dimension::Zones, Whereabouts::Cloud { kind, region, zone, provider, .. }) => {
                zone_of(self.market, *kind, region, zone.as_deref(), provider.as_ref()).map(|zone| zone.to_string())
            }
        }
    }
}
