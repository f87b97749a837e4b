//! What a single move would break, by name.

use super::State;
use super::lanes::at;
use super::rules::Step;
use crate::evaluate::Violation;

impl<const K: usize> State<'_, K> {
    /// The first constraint that a process breaks by going there, none if it may. Nothing may be broken before.
    pub fn obstacle(&self, p: usize, to: usize) -> Option<Violation> {
        let (t, from) = (self.t, self.at[p] as usize);
        if from == to {
            return None;
        }
        if t.seat(p, to).is_none() {
            return Some(Violation::Forbidden { process: p, machine: to as u32 });
        }
        let (needs, takes, slack) = (&t.needs[p], t.takes(p, to), &self.rows[to].slack);
        let held = |r: usize| at(needs, r) * at(takes, r);
        if let Some(resource) = (0..4 * K).find(|&r| held(r) > at(slack, r)) {
            let capacity = at(&t.rows[to].slack, resource);
            let used = (capacity - at(slack, resource) + held(resource)) as u64;
            return Some(Violation::Capacity { machine: to, resource, used, capacity: capacity as u32 });
        }
        let step = Step { service: t.service[p] as usize, from, to };
        (self.breaks(step, None) > 0).then(|| self.broken_rule(step))
    }

    /// Which one, given that there is one.
    fn broken_rule(&self, step: Step) -> Violation {
        let (t, service) = (self.t, step.service);
        if self.machines.get(service, step.to) > 0 {
            return Violation::Conflict { service, machine: step.to as u32 };
        }
        let links = &t.services[service];
        if links.spread > 1 && self.spread_lost(step, links.spread) > 0 {
            return Violation::Spread { service, locations: self.spread[service] as usize - 1, needed: links.spread };
        }
        let there = |s: u32, m: usize| self.neighbourhoods.get(s as usize, t.neighbourhood[m] as usize) > 0;
        let near = |m: usize| t.model.machines[m].neighbourhood;
        match links.needs.iter().find(|&&on| !there(on, step.to)) {
            Some(&on) => Violation::Dependency { service, on, neighbourhood: near(step.to) },
            None => {
                let by = links.needed_by.iter().find(|&&by| there(by, step.from));
                let by = by.map_or(service, |&by| by as usize);
                Violation::Dependency { service: by, on: service as u32, neighbourhood: near(step.from) }
            }
        }
    }
}
