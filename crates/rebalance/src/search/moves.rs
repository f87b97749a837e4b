//! What a walk tries: each move picks at random, and is made only if it costs no more than allowed.

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
pub(super) fn attempt<const N: usize>(
    state: &mut State<'_, N>,
    rng: &mut Rng,
    mix: &Mix,
    most: f64,
    done: &mut Vec<(u32, u32)>,
) -> bool {
    done.clear();
    let processes = state.at.len();
    let p = rng.below(processes);
    if rng.unit() < mix.shift {
        let to = destination(state, rng, mix, p);
        let Some(_) = state.shift(p, to, most) else { return false };
        go(state, p, to, done);
        true
    } else {
        let q = if rng.unit() < mix.near { near(state, rng, p) } else { rng.below(processes) };
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
fn destination<const N: usize>(state: &State<'_, N>, rng: &mut Rng, mix: &Mix, p: usize) -> usize {
    if rng.unit() < mix.home { state.t.home[p] as usize } else { rng.below(state.on.len()) }
}

/// A process of about the size of another.
fn near<const N: usize>(state: &State<'_, N>, rng: &mut Rng, p: usize) -> usize {
    let t = state.t;
    let reach = t.rank.len() / 32 + 2;
    let place = t.rank[p] as usize + rng.below(2 * reach + 1);
    let place = place.saturating_sub(reach).min(t.rank.len() - 1);
    t.by_size[place] as usize
}

fn go<const N: usize>(state: &mut State<'_, N>, p: usize, to: usize, done: &mut Vec<(u32, u32)>) -> f64 {
    done.push((p as u32, state.at[p]));
    state.apply(p, to)
}
