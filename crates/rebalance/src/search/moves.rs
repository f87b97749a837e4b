//! What a walk tries: each move picks at random, and is made only if it costs no more than allowed.

use super::scope::Scope;
use crate::rng::Rng;
use crate::state::State;

/// Which moves to try, in parts of the whole; what is left of it swaps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mix {
    pub shift: f64,
    /// Of the swaps, those between processes of about a size.
    pub near: f64,
    /// Of the destinations, homes.
    pub home: f64,
}

/// Tries one move. What was done is in `done`: each process and where it was.
#[inline]
pub(super) fn attempt<const K: usize>(
    state: &mut State<'_, K>,
    scope: &Scope,
    rng: &mut Rng,
    mix: &Mix,
    most: f64,
    done: &mut Vec<(u32, u32)>,
) -> bool {
    done.clear();
    let place = rng.below(scope.processes.len());
    let p = scope.processes[place] as usize;
    if rng.unit() < mix.shift {
        let to = destination(state, scope, rng, mix, p);
        let Some(_) = state.shift(p, to, most) else { return false };
        go(state, p, to, done);
        true
    } else {
        let q = if rng.unit() < mix.near { near(scope, rng, place) } else { rng.below(scope.processes.len()) };
        let q = scope.processes[q] as usize;
        let Some(_) = state.swap(p, q, most) else { return false };
        let (a, b) = (state.at[p] as usize, state.at[q] as usize);
        // The part of services' moves is known only now.
        let delta = go(state, p, b, done) + go(state, q, a, done);
        if delta > most {
            state.undo(done);
            return false;
        }
        true
    }
}

/// Any machine, but home more often: what is at home takes nothing from transient resources, and there is one home
/// among many machines.
fn destination<const K: usize>(state: &State<'_, K>, scope: &Scope, rng: &mut Rng, mix: &Mix, p: usize) -> usize {
    let home = state.t.home[p];
    let any = scope.machines[rng.below(scope.machines.len())];
    (if rng.unit() < mix.home && scope.holds(home) { home } else { any }) as usize
}

/// The place of a process of about the size of another.
fn near(scope: &Scope, rng: &mut Rng, place: usize) -> usize {
    let last = scope.processes.len() - 1;
    let reach = last / 32 + 2;
    (place + rng.below(2 * reach + 1)).saturating_sub(reach).min(last)
}

fn go<const K: usize>(state: &mut State<'_, K>, p: usize, to: usize, done: &mut Vec<(u32, u32)>) -> f64 {
    done.push((p as u32, state.at[p]));
    state.apply(p, to)
}
