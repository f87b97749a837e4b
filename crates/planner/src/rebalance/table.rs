//! Machines and places as numbers: what both solvers are given.

use std::collections::{BTreeSet, HashMap};

use novacron_catalog::RegionId;
use novacron_placement::{Candidate, Market};
use novacron_rebalance::{FORBIDDEN, Machine as Node, Model, Process, Resource, Service, Weights, limits};
use novacron_types::GIB;

use super::{hold::Held, settle::Ground, ways::Mover};
use crate::{PlanError, questions::Questions};

/// Sites are hosts, then a region each, then for each provider one where its machines stay as they are.
#[derive(Debug)]
pub(super) struct Table {
    hosts: usize,
    regions: HashMap<RegionId, u32>,
    /// Of each site.
    provider: Vec<u32>,
    /// Of each host: vCPUs, memory, disk.
    pub capacity: Vec<[u32; 3]>,
    /// Of each machine.
    pub needs: Vec<[u32; 3]>,
    pub initial: Vec<u32>,
    /// Of each machine where it may go and stay, with what is minimised; its home is the first.
    pub rows: Vec<Vec<(u32, i128)>>,
    /// Of each machine where it may stop, its home left out.
    stops: Vec<Vec<u32>>,
    /// Machines that stay in different providers.
    pub apart: Vec<Vec<usize>>,
    /// In the rows, what it costs not to do what a policy demands.
    pub penalty: i128,
    pub demanded: Vec<bool>,
}

/// More sites than this have too many ways between them to be told apart in memory.
const SITES: usize = 8_000;

impl Table {
    pub fn new(
        market: &Market,
        questions: &Questions<'_>,
        movers: &[Mover],
        held: &Held,
        banned: &BTreeSet<(usize, u32)>,
    ) -> Result<Self, PlanError> {
        let hosts = market.hosts().len();
        let mut providers: HashMap<String, u32> = HashMap::new();
        let mut intern = |key: String| {
            let next = providers.len() as u32;
            *providers.entry(key).or_insert(next)
        };
        let mut provider: Vec<u32> =
            (0..hosts).map(|host| intern(market.provider_key(Candidate::Host(host)))).collect();
        let mut regions = HashMap::new();
        for way in movers.iter().flat_map(|mover| &mover.ways) {
            if let Some(region) = market.region_of(way.candidate)
                && !regions.contains_key(&region)
            {
                regions.insert(region, provider.len() as u32);
                provider.push(intern(market.provider_key(way.candidate)));
            }
        }
        let mut stay: HashMap<u32, u32> = HashMap::new();
        let mut initial = Vec::new();
        for mover in movers {
            initial.push(match mover.home.candidate {
                Some(Candidate::Host(host)) => host as u32,
                _ => {
                    let key = intern(mover.home.provider.clone());
                    *stay.entry(key).or_insert_with(|| {
                        provider.push(key);
                        (provider.len() - 1) as u32
                    })
                }
            });
        }
        if provider.len() > SITES {
            let why =
                format!("{} hosts and regions are more than the {SITES} that are planned at once", provider.len());
            return Err(PlanError::Option { option: "machines", why });
        }
        if provider.len() * movers.len() > limits::PLACEMENT_COSTS {
            let why = format!(
                "{} machines at {} hosts and regions are more than are planned at once",
                movers.len(),
                provider.len()
            );
            return Err(PlanError::Option { option: "machines", why });
        }
        let (needs, capacity) = sizes(market, questions, hosts);
        let mut table = Self {
            hosts,
            regions,
            provider,
            capacity,
            needs,
            initial,
            rows: Vec::new(),
            stops: Vec::new(),
            apart: held.apart.clone(),
            penalty: 0,
            demanded: Vec::new(),
        };
        let full = table.let_in();
        table.fill(market, movers, held, banned, &full);
        Ok(table)
    }

    pub fn site(&self, market: &Market, candidate: Candidate) -> u32 {
        match candidate {
            Candidate::Host(host) => host as u32,
            Candidate::Offer(_) => {
                market.region_of(candidate).and_then(|region| self.regions.get(&region).copied()).unwrap_or(u32::MAX)
            }
        }
    }

    /// What is at a site that a machine may go to, or has; `None` where its home is not known.
    pub fn candidate(&self, g: &Ground<'_, '_>, machine: usize, site: u32) -> Option<Candidate> {
        if site == self.initial[machine] {
            return g.movers[machine].home.candidate;
        }
        if self.is_host(site) {
            return Some(Candidate::Host(site as usize));
        }
        let mut ways = g.movers[machine].ways.iter().map(|way| way.candidate);
        ways.find(|candidate| self.site(g.market, *candidate) == site)
    }

    pub fn is_host(&self, site: u32) -> bool {
        (site as usize) < self.hosts
    }

    pub fn provider(&self, site: u32) -> u32 {
        self.provider[site as usize]
    }

    pub fn providers(&self) -> u32 {
        self.provider.iter().max().map_or(0, |most| most + 1)
    }

    /// Of a goal among the rows, with the penalties that are in them.
    pub fn weight(&self, goal: &[u32]) -> i128 {
        let of = |(row, at): (&Vec<(u32, i128)>, &u32)| row.iter().find(|(site, _)| site == at).map_or(0, |(_, w)| *w);
        self.rows.iter().zip(goal).map(of).sum()
    }

    /// Hosts that hold more than they have keep what they hold, and nothing comes to them.
    fn let_in(&mut self) -> Vec<bool> {
        let mut used = vec![[0u64; 3]; self.hosts];
        for (site, needs) in self.initial.iter().zip(&self.needs).filter(|(site, _)| (**site as usize) < self.hosts) {
            used[*site as usize].iter_mut().zip(needs).for_each(|(used, need)| *used += u64::from(*need));
        }
        let mut full = Vec::new();
        for (capacity, used) in self.capacity.iter_mut().zip(&used) {
            full.push(capacity.iter().zip(used).any(|(most, used)| *used > u64::from(*most)));
            capacity.iter_mut().zip(used).for_each(|(most, used)| {
                *most = (*most).max(u32::try_from(*used).unwrap_or(u32::MAX));
            });
        }
        full
    }

    fn fill(&mut self, market: &Market, movers: &[Mover], held: &Held, banned: &BTreeSet<(usize, u32)>, full: &[bool]) {
        for (machine, mover) in movers.iter().enumerate() {
            let mut row = vec![(self.initial[machine], mover.weight)];
            let mut stops = Vec::new();
            let taken = held.taken.get(&machine);
            for way in mover.ways.iter().filter(|_| mover.pinned.is_none()) {
                let site = self.site(market, way.candidate);
                let held = taken.is_some_and(|taken| taken.contains(&market.provider_key(way.candidate)));
                if held || full.get(site as usize).is_some_and(|full| *full) {
                    continue;
                }
                stops.push(site);
                if way.pays && !banned.contains(&(machine, site)) {
                    row.push((site, way.weight));
                }
            }
            self.demanded.push(mover.mandatory.is_some() && mover.pinned.is_none());
            self.rows.push(row);
            self.stops.push(stops);
        }
        let spans = self.rows.iter().map(|row| span(row));
        self.penalty = spans.map(|(least, most)| most - least).sum::<i128>() + 1;
        for (row, _) in self.rows.iter_mut().zip(&self.demanded).filter(|(_, demanded)| **demanded) {
            row[0].1 += self.penalty;
        }
    }

    /// The solver's model, of rows that begin at 0 and are in units of so much; and of the same with every stop open, for
    /// the order.
    pub fn models(&self) -> (Model, Model, i128) {
        let sites = self.provider.len();
        let widest = self.rows.iter().map(|row| span(row)).map(|(least, most)| most - least).max().unwrap_or(0);
        let most = i128::from(FORBIDDEN - 1).min(limits::COST / (self.rows.len() as i128 + 1));
        let unit = (widest + most - 1).div_euclid(most).max(1);
        let mut costs = vec![FORBIDDEN; self.rows.len() * sites];
        let mut open = costs.clone();
        for (machine, row) in self.rows.iter().enumerate() {
            let least = span(row).0;
            for (site, weight) in row {
                let units = u32::try_from((weight - least + unit / 2) / unit).unwrap_or(FORBIDDEN - 1);
                costs[machine * sites + *site as usize] = units.min(FORBIDDEN - 1);
                open[machine * sites + *site as usize] = 0;
            }
            self.stops[machine].iter().for_each(|site| open[machine * sites + *site as usize] = 0);
        }
        let model = self.model(costs);
        let order = Model { placement_costs: open, ..model.clone() };
        (model, order, unit)
    }

    fn model(&self, placement_costs: Vec<u32>) -> Model {
        let mut services: Vec<Service> = Vec::new();
        let mut service_of = vec![u32::MAX; self.rows.len()];
        for apart in &self.apart {
            apart.iter().for_each(|machine| service_of[*machine] = services.len() as u32);
            services.push(Service { spread: apart.len() as u32, depends_on: Vec::new() });
        }
        for service in service_of.iter_mut().filter(|service| **service == u32::MAX) {
            *service = services.len() as u32;
            services.push(Service { spread: 0, depends_on: Vec::new() });
        }
        let node = |site: usize| {
            let capacity = self.capacity.get(site).map_or(vec![u32::MAX; 3], |capacity| capacity.to_vec());
            Node { neighbourhood: 0, location: self.provider[site], safety: capacity.clone(), capacity }
        };
        let process = |(machine, service): (usize, u32)| Process {
            service,
            needs: self.needs[machine].to_vec(),
            move_cost: 0,
            cost_class: machine as u32,
        };
        let sites = self.provider.len();
        Model {
            resources: (0..3).map(|_| Resource { transient: false, load_weight: 0 }).collect(),
            machines: (0..sites).map(node).collect(),
            machine_move_cost: vec![0; sites * sites],
            services,
            processes: service_of.into_iter().enumerate().map(process).collect(),
            balances: Vec::new(),
            weights: Weights::default(),
            placement_costs,
        }
    }
}

pub(super) fn span(row: &[(u32, i128)]) -> (i128, i128) {
    let weights = || row.iter().map(|(_, weight)| *weight);
    (weights().min().unwrap_or(0), weights().max().unwrap_or(0))
}

/// Memory in units of which all machines together need no more than half of what fits a number of the solver; needs are
/// rounded up and capacities down. vCPUs and GiB of disk likewise.
fn sizes(market: &Market, questions: &Questions<'_>, hosts: usize) -> (Vec<[u32; 3]>, Vec<[u32; 3]>) {
    let sizes: Vec<[u64; 3]> = questions
        .ask_of
        .iter()
        .map(|class| questions.asks[*class].size())
        .map(|(vcpus, memory, disk)| [vcpus.into(), memory, disk])
        .collect();
    let mut units = [1, 1 << 20, 1];
    for (resource, unit) in units.iter_mut().enumerate() {
        let total: u128 = sizes.iter().map(|size| u128::from(size[resource])).sum();
        let most = u128::from(u32::MAX / 4).saturating_sub(sizes.len() as u128).max(1);
        while total / u128::from(*unit) > most {
            *unit *= 2;
        }
    }
    let up = |size: &[u64; 3]| [0, 1, 2].map(|r| u32::try_from(size[r].div_ceil(units[r])).unwrap_or(u32::MAX));
    let capacity = |host: &novacron_placement::Host| {
        let have = [host.vcpus.into(), host.memory_bytes, host.disk_bytes / GIB];
        [0, 1, 2].map(|r: usize| u32::try_from(have[r] / units[r]).unwrap_or(u32::MAX))
    };
    (sizes.iter().map(up).collect(), market.hosts().iter().take(hosts).map(capacity).collect())
}
