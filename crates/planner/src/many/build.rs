//! The fleet that the solver is given, and what its numbers stand for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use novacron_fleet::{Candidate as Column, Draft, Fleet, Item, NO_DOMAIN, Place, Spread, Take, limits};
use novacron_placement::{Ask, Candidate, Counted, Market, Settings};
use novacron_types::{GIB, Money, placement::PlanMode};

use super::ManyOptions;
use crate::{
    HOURS, PlanError,
    groups::{Dimension, Group, groups},
    questions::Questions,
    zones::zones,
};

/// A place as a machine may take it.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub candidate: Candidate,
    pub zone: Option<String>,
}

pub(super) struct Built {
    pub fleet: Fleet,
    /// What a candidate's `option` stands for.
    pub options: Vec<Choice>,
    /// Limits and spreads in words.
    pub limits: Vec<String>,
    pub spreads: Vec<String>,
    /// The machine of each item; items beyond these stand for peers.
    pub machines: Vec<usize>,
    /// By question: whether no place will do.
    pub nowhere: Vec<bool>,
    /// What leaving out one machine costs in the objective; 0 where none may be.
    pub penalty: i128,
    /// More than any plan costs that leaves out none.
    pub dearest: i128,
    pub notes: Vec<String>,
}

/// How often the dearest machine's cost it takes at most to leave one out.
const TIMES_DEAREST: i128 = 1000;

struct Builder<'a, 'm> {
    market: &'m Market,
    draft: Draft,
    limits: Vec<String>,
    options: Vec<Choice>,
    quotas: Vec<QuotaLimits>,
    /// vCPUs, bytes of memory, bytes of disk.
    hosts: Vec<[u32; 3]>,
    providers: HashMap<String, u32>,
    zones: HashMap<String, u32>,
    notes: BTreeSet<String>,
    questions: &'a Questions<'m>,
}

struct QuotaLimits {
    within: Counted,
    vcpus: Option<u32>,
    instances: Option<u32>,
    money: Option<u32>,
}

const PROVIDERS: usize = 0;
const ZONES: usize = 1;

impl Built {
    pub fn new(
        market: &Market,
        settings: &Settings,
        questions: &Questions<'_>,
        options: &ManyOptions<'_>,
    ) -> Result<Self, PlanError> {
        let mut b = Builder {
            market,
            draft: Draft::default(),
            limits: Vec::new(),
            options: Vec::new(),
            quotas: Vec::new(),
            hosts: Vec::new(),
            providers: HashMap::new(),
            zones: HashMap::new(),
            notes: BTreeSet::new(),
            questions,
        };
        b.draft.dimension(0);
        b.draft.dimension(0);
        b.quotas(settings)?;
        b.host_limits();
        let groups = groups(settings, &questions.names, &questions.labels);
        let by_zone: BTreeSet<usize> = groups
            .iter()
            .filter(|group| group.dimension == Dimension::Zones)
            .flat_map(|group| group.members.iter().map(|machine| questions.ask_of[*machine]))
            .collect();
        let mut nowhere = Vec::new();
        for (class, ask) in questions.asks.iter().enumerate() {
            let columns = b.columns(ask, by_zone.contains(&class));
            nowhere.push(columns.is_empty());
            b.draft.class(columns);
        }
        let machines: Vec<usize> =
            (0..questions.names.len()).filter(|machine| !nowhere[questions.ask_of[*machine]]).collect();
        let (penalty, dearest) = b.penalty(&machines, options.mode);
        b.items(&machines, options, penalty);
        let spreads = b.spreads(&groups, &machines);
        b.draft.model.dimensions = vec![b.providers.len() as u32, b.zones.len() as u32];
        Ok(Self {
            fleet: Fleet::new(b.draft.model)?,
            options: b.options,
            limits: b.limits,
            spreads,
            machines,
            nowhere,
            penalty,
            dearest,
            notes: b.notes.into_iter().collect(),
        })
    }
}

impl Builder<'_, '_> {
    fn limit(&mut self, capacity: i128, words: String) -> u32 {
        self.limits.push(words);
        self.draft.limit(capacity.clamp(0, limits::AMOUNT.into()) as i64)
    }

    /// What is left of each quota once the peers are counted.
    fn quotas(&mut self, settings: &Settings) -> Result<(), PlanError> {
        let own: BTreeSet<&str> = self.questions.names.iter().map(String::as_str).collect();
        for quota in &settings.quotas {
            let place = quota.place();
            let within =
                quota.counted(self.market).map_err(|error| PlanError::Quota { place: place.clone(), error })?;
            let inside = |peer: &&novacron_placement::Peer| {
                !own.contains(peer.vm_id.as_str()) && within.holds_peer(self.market, peer)
            };
            let peers: Vec<_> = settings.peers.iter().filter(inside).collect();
            let vcpus: i128 = peers.iter().map(|peer| i128::from(peer.vcpus)).sum();
            let money: i128 = peers.iter().map(|peer| peer.monthly_nanos).sum();
            let used = |used: String| if peers.is_empty() { String::new() } else { format!(" ({used} are used)") };
            let vcpus = quota.vcpus.map(|most| {
                let words = format!("the quota of {place}: {most} vCPUs{}", used(vcpus.to_string()));
                self.limit(i128::from(most) - vcpus, words)
            });
            let instances = quota.instances.map(|most| {
                let words = format!("the quota of {place}: {most} machines{}", used(peers.len().to_string()));
                self.limit(i128::from(most) - peers.len() as i128, words)
            });
            let money = quota.monthly_nanos.map(|most| {
                let (all, spent) = (Money::usd_nanos(most).words(), Money::usd_nanos(money).words());
                self.limit(most - money, format!("the quota of {place}: {all} a month{}", used(spent)))
            });
            self.quotas.push(QuotaLimits { within, vcpus, instances, money });
        }
        Ok(())
    }

    fn host_limits(&mut self) {
        for host in self.market.hosts() {
            let (name, size) = (&host.provider, novacron_types::ByteSize);
            let vcpus = self.limit(host.vcpus.into(), format!("the {} free vCPUs of host {name}", host.vcpus));
            let memory = format!("the {} of free memory of host {name}", size(host.memory_bytes));
            let memory = self.limit(host.memory_bytes.into(), memory);
            let disk = format!("the {} of free disk of host {name}", size(host.disk_bytes));
            let disk = self.limit(host.disk_bytes.into(), disk);
            self.hosts.push([vcpus, memory, disk]);
        }
    }

    /// All places of a question. Those whose cost is not known are no bargain: they are taken only where there are no others.
    fn columns(&mut self, ask: &Ask<'_>, by_zone: bool) -> Vec<Column> {
        let all = ask.cheapest_places();
        let some_known = all.iter().any(|candidate| ask.candidate_cost(*candidate).known);
        let mut columns = Vec::new();
        for candidate in all {
            let cost = ask.candidate_cost(candidate);
            let monthly = i128::from(cost.hourly_nanos) * HOURS;
            if !cost.known {
                let name = ask.title(candidate);
                self.notes.insert(match some_known {
                    true => format!("What {name} costs is not known: it was left aside where there were other places."),
                    false => format!("What {name} costs is not known, and is not in the sums."),
                });
            }
            let Ok(price) = i64::try_from(monthly) else { continue };
            if cost.known != some_known || price > limits::AMOUNT {
                continue;
            }
            self.column(ask, candidate, price, by_zone, &mut columns);
        }
        columns
    }

    fn column(&mut self, ask: &Ask<'_>, candidate: Candidate, price: i64, by_zone: bool, columns: &mut Vec<Column>) {
        let (vcpus, memory_bytes, disk_gb) = ask.size();
        let clamp = |amount: u64| amount.min(limits::AMOUNT as u64) as i64;
        let (mut own, taken) = match candidate {
            Candidate::Host(index) => {
                let amounts = [vcpus.into(), clamp(memory_bytes), clamp(disk_gb.saturating_mul(GIB))];
                let takes = self.hosts[index].iter().zip(amounts).map(|(limit, amount)| Take { limit: *limit, amount });
                (takes.collect::<Vec<_>>(), vcpus)
            }
            Candidate::Offer(id) => {
                let catalog = self.market.catalog();
                (Vec::new(), catalog.instance_type(catalog.offers().ty[id.0 as usize]).vcpus)
            }
        };
        let mut takes = Vec::new();
        for quota in self.quotas.iter().filter(|quota| quota.within.holds(self.market, candidate)) {
            takes.extend(quota.vcpus.map(|limit| Take { limit, amount: taken.into() }));
            takes.extend(quota.instances.map(|limit| Take { limit, amount: 1 }));
            own.extend(quota.money.map(|limit| Take { limit, amount: price }));
        }
        let provider = intern(&mut self.providers, self.market.provider_key(candidate));
        let wanted = if by_zone { zones(self.market, candidate) } else { Vec::new() };
        let zones = match wanted.is_empty() {
            true => vec![(NO_DOMAIN, None)],
            false => wanted.into_iter().map(|(zone, name)| (intern(&mut self.zones, zone.to_string()), name)).collect(),
        };
        for (domain, zone) in zones {
            let place = self.draft.place(Place { domains: vec![provider, domain], takes: takes.clone() });
            let option = self.options.len() as u32;
            self.options.push(Choice { candidate, zone });
            columns.push(Column { option, place, cost: price, price, takes: own.clone() });
        }
    }

    /// What leaving out a machine costs, and the most that a plan does. It is more than all machines together, but where
    /// these are so dear that sums would lose their ends, a thousand times the dearest.
    fn penalty(&self, machines: &[usize], mode: PlanMode) -> (i128, i128) {
        let dearest_of = |machine: &usize| {
            let columns = &self.draft.model.classes[self.questions.ask_of[*machine]].candidates;
            columns.iter().map(|column| i128::from(column.cost)).max().unwrap_or(0)
        };
        let all: i128 = machines.iter().map(dearest_of).sum();
        let one = machines.iter().map(dearest_of).max().unwrap_or(0);
        let penalty = (all + 1).min(one * TIMES_DEAREST + 1).min(limits::AMOUNT.into());
        (if mode == PlanMode::BestEffort { penalty } else { 0 }, all)
    }

    fn items(&mut self, machines: &[usize], options: &ManyOptions<'_>, penalty: i128) {
        let mut budgets = Vec::new();
        for budget in &options.budgets {
            let of = match &budget.label {
                Some((key, value)) => format!("the budget of {key} {value}"),
                None => "the budget".to_owned(),
            };
            let words = format!("{of}: {} a month", Money::usd_nanos(budget.monthly_nanos).words());
            budgets.push((self.limit(budget.monthly_nanos, words), &budget.label));
        }
        for &machine in machines {
            let labels: &BTreeMap<String, String> = &self.questions.labels[machine];
            let mine = |label: &Option<(String, String)>| {
                label.as_ref().is_none_or(|(key, value)| labels.get(key) == Some(value))
            };
            let pays = budgets.iter().filter(|(_, label)| mine(label)).map(|(limit, _)| *limit).collect();
            let unplaced_cost = (options.mode == PlanMode::BestEffort).then_some(penalty as i64);
            let class = self.questions.ask_of[machine] as u32;
            self.draft.model.items.push(Item { class, pays, unplaced_cost, fixed: None });
        }
    }

    /// A spread for each group that has too few domains yet. Each domain that its peers stand in is an item that can't move.
    fn spreads(&mut self, groups: &[Group<'_>], machines: &[usize]) -> Vec<String> {
        let item_of: HashMap<usize, u32> =
            machines.iter().enumerate().map(|(item, machine)| (*machine, item as u32)).collect();
        let mut words = Vec::new();
        for group in groups {
            let mut items: Vec<u32> =
                group.members.iter().filter_map(|machine| item_of.get(machine).copied()).collect();
            let mut there = BTreeSet::new();
            for peer in &group.peers {
                let domain = group.dimension.of_peer(self.market, peer).map(|domain| {
                    let known = match group.dimension {
                        Dimension::Providers => &mut self.providers,
                        Dimension::Zones => &mut self.zones,
                    };
                    intern(known, domain)
                });
                if domain.is_none() {
                    let (name, of) = (&peer.vm_id, group.words());
                    self.notes.insert(format!("The zone of {name} is not known; it was not counted for {of}."));
                }
                there.extend(domain);
            }
            if items.is_empty() || there.len() >= group.least as usize {
                continue;
            }
            let dimension = if group.dimension == Dimension::Providers { PROVIDERS } else { ZONES };
            items.extend(there.into_iter().map(|domain| self.standing(dimension, domain)));
            let at_least = group.least.min(items.len() as u32);
            if at_least < group.least {
                self.notes.insert(format!("{}: there are only {at_least} of them.", group.words()));
            }
            words.push(group.words());
            self.draft.model.spreads.push(Spread { items, dimension: dimension as u32, at_least, at_most_each: None });
        }
        words
    }

    /// An item that stands in a domain and takes nothing.
    fn standing(&mut self, dimension: usize, domain: u32) -> u32 {
        let mut domains = vec![NO_DOMAIN; 2];
        domains[dimension] = domain;
        let place = self.draft.place(Place { domains, takes: Vec::new() });
        let class = self.draft.class([Column { option: u32::MAX, place, ..Column::default() }]);
        self.draft.model.items.push(Item { class, pays: Vec::new(), unplaced_cost: None, fixed: Some(0) });
        (self.draft.model.items.len() - 1) as u32
    }
}

fn intern(known: &mut HashMap<String, u32>, key: String) -> u32 {
    let next = known.len() as u32;
    *known.entry(key).or_insert(next)
}
