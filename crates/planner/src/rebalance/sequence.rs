//! Steps in a sequence that quotas allow: what leaves a place goes before what comes there.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    quota::Quotas,
    settle::{Ground, Step},
    table::Table,
};

/// Looks at steps that wait, beyond one at each: what a long row of them may cost, about a second.
const LOOKS: usize = 2_000_000;

/// Takes in pass after pass what is possible. The steps are in an order in which everything but quotas holds, so that without
/// quotas it stays as it is. Those for which there never is a turn are left out, each machine with the reason.
pub(super) fn in_turn(
    g: &Ground<'_, '_>,
    table: &Table,
    quotas: &Quotas,
    steps: Vec<Step>,
) -> (Vec<Step>, BTreeMap<usize, String>) {
    let mut used = quotas.used();
    if used.is_empty() {
        return (steps, BTreeMap::new());
    }
    let mut standing = Standing::new(table);
    let mut looks = LOOKS + steps.len();
    let (mut pending, mut done) = (steps, Vec::new());
    loop {
        // A machine's steps keep their order.
        let (mut waiting, mut why) = (HashSet::new(), BTreeMap::new());
        let (before, mut left) = (pending.len(), Vec::new());
        for step in pending {
            let site = table.site(g.market, step.to);
            looks = looks.saturating_sub(1);
            let stays = if waiting.contains(&step.machine) {
                None
            } else if looks == 0 {
                Some("quotas let so little through at once that no order was found for it in time".to_owned())
            } else if !standing.lets_in(step.machine, site) {
                Some("others would have to leave first, and quotas do not let them".to_owned())
            } else {
                let quota = quotas.take(g, &mut used, &step).err();
                quota.map(|quota| format!("the quota of {quota} has too little left"))
            };
            if let Some(reason) = stays {
                why.insert(step.machine, reason);
                waiting.insert(step.machine);
            }
            match waiting.contains(&step.machine) {
                true => left.push(step),
                false => {
                    standing.go(step.machine, site);
                    done.push(step);
                }
            }
        }
        if left.is_empty() || left.len() == before || looks == 0 {
            return (done, why);
        }
        pending = left;
    }
}

/// Where machines stand, and what hosts hold.
struct Standing<'t> {
    table: &'t Table,
    at: Vec<u32>,
    used: HashMap<u32, [u64; 3]>,
    /// The machines that a machine stays apart from, with itself.
    apart: HashMap<usize, &'t [usize]>,
}

impl<'t> Standing<'t> {
    fn new(table: &'t Table) -> Self {
        let apart = table.apart.iter().flat_map(|group| group.iter().map(|machine| (*machine, &group[..])));
        let mut standing = Self { table, at: table.initial.clone(), used: HashMap::new(), apart: apart.collect() };
        for (machine, site) in table.initial.iter().enumerate() {
            standing.put(machine, *site, 1);
        }
        standing
    }

    fn put(&mut self, machine: usize, site: u32, sign: i64) {
        if self.table.is_host(site) {
            let used = self.used.entry(site).or_default().iter_mut().zip(self.table.needs[machine]);
            used.for_each(|(used, need)| *used = used.saturating_add_signed(sign * i64::from(need)));
        }
    }

    fn go(&mut self, machine: usize, site: u32) {
        self.put(machine, self.at[machine], -1);
        self.put(machine, site, 1);
        self.at[machine] = site;
    }

    /// Whether there is room, and the machine's group stays in different providers.
    fn lets_in(&self, machine: usize, site: u32) -> bool {
        let room = self.table.capacity.get(site as usize).is_none_or(|capacity| {
            let used = self.used.get(&site).copied().unwrap_or_default();
            let with = used.iter().zip(self.table.needs[machine]).map(|(used, need)| used + u64::from(need));
            self.at[machine] == site || with.zip(capacity).all(|(with, most)| with <= u64::from(*most))
        });
        let others = self.apart.get(&machine).into_iter().flat_map(|group| group.iter());
        let mut others = others.filter(|other| **other != machine).map(|other| self.table.provider(self.at[*other]));
        room && others.all(|provider| provider != self.table.provider(site))
    }
}
