//! Conflicts, spread and dependencies: how many a move breaks or mends.

use super::State;

/// A process of `service` that goes from a machine to another.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub service: usize,
    pub from: usize,
    pub to: usize,
}

impl<const K: usize> State<'_, K> {
    /// By how many more rules are broken after `step`, if `done`, of another service, was done before it. Each
    /// process too many of a service on a machine counts, each location that lacks, each neighbourhood without a
    /// service that one there depends on.
    #[inline]
    pub(super) fn breaks(&self, step: Step, done: Option<Step>) -> i64 {
        let (s, links) = (step.service, &self.t.services[step.service]);
        let mut more = 0;
        if self.t.sizes[s] > 1 {
            more += i64::from(self.machines.get(s, step.to) > 0) - i64::from(self.machines.get(s, step.from) > 1);
            if links.spread > 1 {
                more += self.spread_lost(step, links.spread);
            }
        }
        if !links.needs.is_empty() || !links.needed_by.is_empty() {
            more += self.dependencies_lost(step, done);
        }
        more
    }

    pub(super) fn spread_lost(&self, step: Step, spread: u32) -> i64 {
        let (from, to) = (self.t.location[step.from] as usize, self.t.location[step.to] as usize);
        if from == to {
            return 0;
        }
        let before = self.spread[step.service];
        let lost = u32::from(self.locations.get(step.service, from) == 1);
        let won = u32::from(self.locations.get(step.service, to) == 0);
        i64::from(spread.saturating_sub(before + won - lost)) - i64::from(spread.saturating_sub(before))
    }

    fn dependencies_lost(&self, step: Step, done: Option<Step>) -> i64 {
        let near = &self.t.neighbourhood;
        let (from, to) = (near[step.from], near[step.to]);
        if from == to {
            return 0;
        }
        let there = |service: u32, place: u32| {
            let mut count = self.neighbourhoods.get(service as usize, place as usize);
            if let Some(done) = done.filter(|done| done.service == service as usize) {
                count = count + u32::from(near[done.to] == place) - u32::from(near[done.from] == place);
            }
            count > 0
        };
        let (s, links, mut more) = (step.service, &self.t.services[step.service], 0);
        if self.neighbourhoods.get(s, to as usize) == 0 {
            more += links.needs.iter().filter(|&&on| !there(on, to)).count() as i64;
            more -= links.needed_by.iter().filter(|&&by| there(by, to)).count() as i64;
        }
        if self.neighbourhoods.get(s, from as usize) == 1 {
            more -= links.needs.iter().filter(|&&on| !there(on, from)).count() as i64;
            more += links.needed_by.iter().filter(|&&by| there(by, from)).count() as i64;
        }
        more
    }
}
