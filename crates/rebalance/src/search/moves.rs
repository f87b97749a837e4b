//! What a walk tries: each move picks at random, and is made only if it costs no more than allowed.

use crate::rng::Rng;
use crate::state::State;

/// Which moves to try, in parts of the whole; what is left of it rearranges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mix {
    pub shift: f64,
    pub swap: f64,
    pub chain: f64,
    /// Of the swaps, those between processes of about a size.
    pub near: f64,
    /// Of the destinations, homes.
    pub home: f64,
}

/// How many come back for one that goes, and how many of them are looked at each time.
const MOST_REARRANGED: usize = 12;
const LOOKED_AT: usize = 8;

/// Tries one move. What was done is in `done`: each process and where it was.
pub(super) fn attempt<const N: usize>(
    state: &mut State<'_, N>,
    rng: &mut Rng,
    mix: &Mix,
    most: i64,
    done: &mut Vec<(u32, u32)>,
) -> bool {
    done.clear();
    let processes = state.at.len();
    let which = rng.unit();
    let p = rng.below(processes);
    if which < mix.shift {
        let to = destination(state, rng, mix, p);
        let Some(_) = state.shift(p, to, most) else { return false };
        go(state, p, to, done);
        true
    } else if which < mix.shift + mix.swap {
        let q = if rng.unit() < mix.near { near(state, rng, p) } else { rng.below(processes) };
        let Some(_) = state.swap(p, q, most) else { return false };
        exchange(state, p, q, most, done)
    } else if which < mix.shift + mix.swap + mix.chain {
        chain(state, rng, mix, p, most, done)
    } else if rng.below(2) == 0 {
        scatter(state, rng, mix, p, most, done)
    } else {
        rearrange(state, rng, most, done)
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

fn go<const N: usize>(state: &mut State<'_, N>, p: usize, to: usize, done: &mut Vec<(u32, u32)>) {
    done.push((p as u32, state.at[p]));
    state.apply(p, to);
}

fn exchange<const N: usize>(
    state: &mut State<'_, N>,
    p: usize,
    q: usize,
    most: i64,
    done: &mut Vec<(u32, u32)>,
) -> bool {
    let (before, a, b) = (state.cost, state.at[p] as usize, state.at[q] as usize);
    go(state, p, b, done);
    go(state, q, a, done);
    // The part of services' moves is known only now.
    if state.cost - before <= most {
        return true;
    }
    state.undo(done);
    false
}

/// One goes where another makes room, which goes on to a third machine: whatever the first step costs.
fn chain<const N: usize>(
    state: &mut State<'_, N>,
    rng: &mut Rng,
    mix: &Mix,
    p: usize,
    most: i64,
    done: &mut Vec<(u32, u32)>,
) -> bool {
    let machines = state.on.len();
    let b = rng.below(machines);
    if b == state.at[p] as usize || state.on[b].is_empty() {
        return false;
    }
    let q = state.on[b][rng.below(state.on[b].len())] as usize;
    let c = destination(state, rng, mix, q);
    let Some(first) = state.shift(q, c, i64::MAX) else { return false };
    // Cheap to know before anything is done: what p gains at best.
    go(state, q, c, done);
    if state.shift(p, b, most.saturating_sub(first)).is_none() {
        state.undo(done);
        return false;
    }
    go(state, p, b, done);
    true
}

/// A large one goes where it has no room, and those there come to where it was, the best of a few each time, for as
/// long as there is no room or that pays. No row of small steps does this: each would cost more than is allowed.
fn rearrange<const N: usize>(state: &mut State<'_, N>, rng: &mut Rng, most: i64, done: &mut Vec<(u32, u32)>) -> bool {
    let (processes, b) = (state.at.len(), rng.below(state.on.len()));
    let large = (rng.unit() * rng.unit() * processes as f64) as usize;
    let p = state.t.by_size[processes - 1 - large.min(processes - 1)] as usize;
    let (before, a) = (state.cost, state.at[p] as usize);
    if a == b || state.meets(p, b) {
        return false;
    }
    go(state, p, b, done);
    for _ in 0..MOST_REARRANGED {
        let there = state.on[b].len();
        let start = rng.below(there);
        let back = (0..there.min(LOOKED_AT))
            .map(|i| state.on[b][(start + i) % there] as usize)
            .filter(|&q| q != p)
            .filter_map(|q| Some((state.shift(q, a, i64::MAX)?, q)))
            .min();
        let roomy = state.has_room(b);
        match back {
            Some((delta, q)) if !roomy || delta < 0 => go(state, q, a, done),
            _ if roomy => break,
            _ => {}
        }
    }
    state.settle(before, most, done)
}

/// A few go anywhere at once, by rules that only what comes of it must keep: dependencies often forbid each by itself.
fn scatter<const N: usize>(
    state: &mut State<'_, N>,
    rng: &mut Rng,
    mix: &Mix,
    first: usize,
    most: i64,
    done: &mut Vec<(u32, u32)>,
) -> bool {
    let (before, mut p) = (state.cost, first);
    for _ in 0..2 + rng.below(4) {
        let to = destination(state, rng, mix, p);
        if state.at[p] as usize != to && done.iter().all(|&(q, _)| q as usize != p) {
            go(state, p, to, done);
        }
        p = rng.below(state.at.len());
    }
    !done.is_empty() && state.settle(before, most, done)
}
