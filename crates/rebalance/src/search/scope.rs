//! The part of a large problem that a walk looks at for a while: few enough machines and processes to stay in the
//! caches of the processor, where a step takes a fraction of the time.

use crate::rng::Rng;
use crate::state::State;

/// Processes of a scope, about.
const PROCESSES: usize = 4096;

/// Whether so many processes are too many to look at all the time.
pub(super) fn is_large(processes: usize) -> bool {
    processes > 2 * PROCESSES
}

pub(super) struct Scope {
    pub machines: Vec<u32>,
    /// Those on these machines that could be elsewhere, from the smallest to the largest. They go nowhere else meanwhile.
    pub processes: Vec<u32>,
    inside: Vec<bool>,
    whole: bool,
}

impl Scope {
    pub fn new<const K: usize>(state: &State<'_, K>, rng: &mut Rng) -> Self {
        let machines: Vec<u32> = (0..state.on.len() as u32).collect();
        let inside = vec![true; machines.len()];
        let whole = !is_large(state.at.len());
        let moves = |&p: &u32| state.t.reach.as_ref().is_none_or(|reach| reach[p as usize].len() > 1);
        let processes = state.t.by_size.iter().copied().filter(moves).collect();
        let mut scope = Self { machines, processes, inside, whole };
        scope.turn(state, rng);
        scope
    }

    /// For how many steps to look at it.
    pub fn steps(&self) -> u64 {
        if self.whole { u64::MAX } else { 16 * self.processes.len() as u64 }
    }

    /// To other machines, any.
    pub fn turn<const K: usize>(&mut self, state: &State<'_, K>, rng: &mut Rng) {
        if self.whole {
            return;
        }
        self.inside.fill(false);
        self.machines.clear();
        self.processes.clear();
        let machines = state.on.len();
        // Those that lack something first, from anywhere on: they are few, and only in a scope are they mended.
        let start = rng.below(machines);
        for m in (0..machines).map(|i| (start + i) % machines).filter(|&m| state.is_short(m)) {
            if self.processes.len() >= PROCESSES / 4 {
                break;
            }
            self.add(state, m);
        }
        while self.machines.len() < machines && (self.processes.len() < PROCESSES || self.machines.len() < 2) {
            let m = rng.below(machines);
            if !self.inside[m] {
                self.add(state, m);
            }
        }
        self.processes.sort_unstable_by_key(|&p| state.t.rank[p as usize]);
    }

    fn add<const K: usize>(&mut self, state: &State<'_, K>, m: usize) {
        self.inside[m] = true;
        self.machines.push(m as u32);
        self.processes.extend_from_slice(&state.on[m]);
    }

    /// A machine for a process to go to, which may be where it is: any that it could ever be on, as far as is known.
    #[inline]
    pub fn destination<const K: usize>(&self, state: &State<'_, K>, p: usize, rng: &mut Rng) -> usize {
        let machines = match &state.t.reach {
            Some(reach) => &reach[p],
            None => &self.machines,
        };
        machines[rng.below(machines.len())] as usize
    }

    pub fn holds(&self, machine: u32) -> bool {
        self.inside[machine as usize]
    }
}
