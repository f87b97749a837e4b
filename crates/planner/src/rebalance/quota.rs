//! Quotas, held after every step. A goal that breaks one in the end is not taken where there is another; a step that breaks
//! one on the way is given up.

use std::collections::HashSet;

use novacron_placement::{Candidate, Counted};

use super::{
    Whereabouts,
    now::known_cost,
    settle::{Ground, Step},
    table::Table,
};
use crate::{HOURS, PlanError};

pub(super) struct Quotas {
    all: Vec<Quota>,
}

struct Quota {
    place: String,
    within: Counted,
    /// vCPUs, machines, 10⁻⁹ USD a month: the most, and what is used before the first step.
    most: [Option<i128>; 3],
    used: [i128; 3],
    /// Of that by machines that are not of the plan.
    peers: [i128; 3],
}

impl Quotas {
    pub fn new(g: &Ground<'_, '_>) -> Result<Self, PlanError> {
        let own: HashSet<&str> = g.questions.names.iter().map(String::as_str).collect();
        let mut all = Vec::new();
        for quota in &g.settings.quotas {
            let place = quota.place();
            let within = quota.counted(g.market).map_err(|error| PlanError::Quota { place: place.clone(), error })?;
            let mut used = [0i128; 3];
            for peer in g.settings.peers.iter().filter(|peer| !own.contains(peer.vm_id.as_str())) {
                if within.holds_peer(g.market, peer) {
                    add(&mut used, [peer.vcpus.into(), 1, peer.monthly_nanos], 1);
                }
            }
            let peers = used;
            for (machine, mover) in g.movers.iter().enumerate() {
                if let Some(home) = mover.home.candidate.filter(|home| counts(g, &within, machine, *home)) {
                    add(&mut used, takes(g, machine, home), 1);
                }
            }
            let most = [quota.vcpus.map(i128::from), quota.instances.map(i128::from), quota.monthly_nanos];
            all.push(Quota { place, within, most, used, peers });
        }
        Ok(Self { all })
    }

    /// What these machines may take together: of each quota and each thing that it limits. One that is exceeded now is not
    /// to be exceeded by more.
    pub fn limits(&self) -> impl Iterator<Item = i128> {
        self.all.iter().flat_map(|quota| {
            let limit = |r: usize| Some(quota.most[r]?.max(quota.used[r]) - quota.peers[r]);
            (0..3).filter_map(limit)
        })
    }

    /// What a machine takes at a place, in the order of [`Quotas::limits`].
    pub fn takes(&self, g: &Ground<'_, '_>, machine: usize, at: Candidate) -> Vec<i128> {
        let of = |quota: &Quota| {
            let taken = if counts(g, &quota.within, machine, at) { takes(g, machine, at) } else { [0; 3] };
            (0..3).filter(|r| quota.most[*r].is_some()).map(move |r| taken[r]).collect::<Vec<_>>()
        };
        self.all.iter().flat_map(of).collect()
    }

    /// Whether a goal keeps all quotas once it is reached.
    pub fn keeps(&self, g: &Ground<'_, '_>, table: &Table, goal: &[u32]) -> bool {
        let mut used = vec![0i128; self.limits().count()];
        for (machine, site) in goal.iter().enumerate() {
            if let Some(at) = table.candidate(g, machine, *site) {
                used.iter_mut().zip(self.takes(g, machine, at)).for_each(|(used, take)| *used += take);
            }
        }
        used.into_iter().zip(self.limits()).all(|(used, most)| used <= most)
    }

    /// What is used before the first step.
    pub fn used(&self) -> Vec<[i128; 3]> {
        self.all.iter().map(|quota| quota.used).collect()
    }

    /// Counts a step, unless it takes more of a quota than is left; then that quota's place is told.
    pub fn take(&self, g: &Ground<'_, '_>, used: &mut [[i128; 3]], step: &Step) -> Result<(), &str> {
        let mut after = used.to_vec();
        for ((quota, after), before) in self.all.iter().zip(&mut after).zip(used.iter()) {
            for (candidate, times) in [(step.to, 1), (step.from, -1)] {
                if counts(g, &quota.within, step.machine, candidate) {
                    add(after, takes(g, step.machine, candidate), times);
                }
            }
            let over = |r: usize| after[r] > before[r] && quota.most[r].is_some_and(|most| after[r] > most);
            if (0..3).any(over) {
                return Err(&quota.place);
            }
        }
        used.copy_from_slice(&after);
        Ok(())
    }
}

/// Whether a machine counts where it would be; at home by the provider that has it, which need not be the one that would make
/// it there.
fn counts(g: &Ground<'_, '_>, within: &Counted, machine: usize, at: Candidate) -> bool {
    match &g.machines[machine].at {
        Whereabouts::Cloud { kind, provider, region, .. } if g.movers[machine].home.candidate == Some(at) => {
            within.holds_machine(g.market, *kind, region, provider.as_ref())
        }
        _ => within.holds(g.market, at),
    }
}

fn takes(g: &Ground<'_, '_>, machine: usize, at: Candidate) -> [i128; 3] {
    let ask = g.questions.ask(machine);
    let vcpus = match at {
        Candidate::Host(_) => ask.size().0,
        Candidate::Offer(id) => {
            let catalog = g.market.catalog();
            catalog.instance_type(catalog.offers().ty[id.0 as usize]).vcpus
        }
    };
    [vcpus.into(), 1, i128::from(known_cost(ask, at).unwrap_or(0)) * HOURS]
}

fn add(used: &mut [i128; 3], takes: [i128; 3], times: i128) {
    used.iter_mut().zip(takes).for_each(|(used, take)| *used += times * take);
}
