//! Spread and dependencies: whether a move leaves them whole.

use super::State;

/// A process of `service` that goes from a machine to another.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub service: usize,
    pub from: usize,
    pub to: usize,
}

impl<const N: usize> State<'_, N> {
    #[inline]
    pub(super) fn keeps_spread(&self, step: Step) -> bool {
        let spread = self.t.services[step.service].spread;
        if spread <= 1 {
            return true;
        }
        let (from, to) = (self.t.location[step.from] as usize, self.t.location[step.to] as usize);
        if from == to {
            return true;
        }
        let lost = u32::from(self.locations.get(step.service, from) == 1);
        let won = u32::from(self.locations.get(step.service, to) == 0);
        self.spread[step.service] + won >= spread + lost
    }

    /// Whether `step`, done together with `other`, keeps the dependencies of and on its service.
    #[inline]
    pub(super) fn keeps_dependencies(&self, step: Step, other: Option<Step>) -> bool {
        let (links, near) = (&self.t.services[step.service], &self.t.neighbourhood);
        if links.needs.is_empty() && links.needed_by.is_empty() || near[step.from] == near[step.to] {
            return true;
        }
        let after = |service: u32, place: u32| {
            let mut count = self.neighbourhoods.get(service as usize, place as usize) as i32;
            for step in [Some(step), other].into_iter().flatten() {
                if step.service == service as usize {
                    count += i32::from(near[step.to] == place) - i32::from(near[step.from] == place);
                }
            }
            count
        };
        let (from, to) = (near[step.from], near[step.to]);
        links.needs.iter().all(|&on| after(on, to) > 0)
            && (after(step.service as u32, from) > 0 || links.needed_by.iter().all(|&by| after(by, from) == 0))
    }
}
