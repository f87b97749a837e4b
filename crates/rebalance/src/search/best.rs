//! The best assignment of a walk, kept by what was done since instead of copied each time.

use crate::state::State;

pub(super) struct Best {
    pub cost: i64,
    /// What to undo, last first, to be there again; given up for a copy when that is shorter.
    since: Vec<(u32, u32)>,
    copy: Vec<u32>,
    copied: bool,
}

impl Best {
    /// A state that breaks something is not the best of anything: its cost counts as the most.
    pub fn new<const K: usize>(state: &State<'_, K>) -> Self {
        let cost = if state.feasible() { state.cost } else { i64::MAX };
        Self { cost, since: Vec::new(), copy: state.at.clone(), copied: false }
    }

    /// Notes what was just done, and whether it is the best yet.
    pub fn note<const K: usize>(&mut self, state: &State<'_, K>, moves: &[(u32, u32)]) {
        if state.cost < self.cost && state.feasible() {
            self.cost = state.cost;
            self.since.clear();
            self.copied = false;
        } else if !self.copied {
            self.since.extend_from_slice(moves);
            if self.since.len() > 2 * state.at.len() + 64 {
                self.keep(state);
            }
        }
    }

    pub fn take<const K: usize>(&mut self, state: &State<'_, K>) -> &[u32] {
        if !self.copied {
            self.keep(state);
        }
        &self.copy
    }

    fn keep<const K: usize>(&mut self, state: &State<'_, K>) {
        self.copy.clone_from(&state.at);
        for (p, from) in self.since.drain(..).rev() {
            self.copy[p as usize] = from;
        }
        self.copied = true;
    }
}
