//! What a walk tries: each move picks at random, and is made only if it costs no more than allowed.

use super::scope::Scope;
use crate::rng::Rng;
use crate::state::State;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To any machine that it could be on;
    Shift,
    /// home;
    Home,
    /// in exchange with one on such a machine;
    Swap,
    /// in exchange with one of about its size;
    Near,
    /// in the place of one that is not at home, which goes there.
    Replace,
}

pub(super) const KINDS: [Kind; 5] = [Kind::Shift, Kind::Home, Kind::Swap, Kind::Near, Kind::Replace];

/// Tries one move of a kind with the process at `place` of the scope. What was done is in `done`: each process and
/// where it was.
#[inline]
pub(super) fn attempt<const K: usize>(
    state: &mut State<'_, K>,
    scope: &Scope,
    rng: &mut Rng,
    (kind, place): (Kind, usize),
    most: f64,
    done: &mut Vec<(u32, u32)>,
) -> bool {
    done.clear();
    let p = scope.processes[place] as usize;
    match kind {
        Kind::Shift => shift(state, p, scope.destination(state, p, rng), most, done),
        Kind::Home => scope.holds(state.t.home[p]) && shift(state, p, state.t.home[p] as usize, most, done),
        Kind::Swap => {
            one_of(state, scope.destination(state, p, rng), rng).is_some_and(|q| swap(state, p, q, most, done))
        }
        Kind::Near => swap(state, p, near(scope, rng, place), most, done),
        Kind::Replace => newcomer(state, scope.destination(state, p, rng), rng)
            .is_some_and(|q| replace(state, scope, p, q, most, done)),
    }
}

fn shift<const K: usize>(state: &mut State<'_, K>, p: usize, to: usize, most: f64, done: &mut Vec<(u32, u32)>) -> bool {
    let fine = state.shift(p, to, most).is_some();
    if fine {
        go(state, p, to, done);
    }
    fine
}

fn swap<const K: usize>(state: &mut State<'_, K>, p: usize, q: usize, most: f64, done: &mut Vec<(u32, u32)>) -> bool {
    if state.swap(p, q, most).is_none() {
        return false;
    }
    let (a, b) = (state.at[p] as usize, state.at[q] as usize);
    let delta = go(state, p, b, done) + go(state, q, a, done);
    unless_dearer(state, delta, most, done)
}

/// `p` takes the place of `q`, which goes home: what is home takes nothing from transient resources, so one newcomer
/// makes room for another.
fn replace<const K: usize>(
    state: &mut State<'_, K>,
    scope: &Scope,
    p: usize,
    q: usize,
    most: f64,
    done: &mut Vec<(u32, u32)>,
) -> bool {
    let (b, home) = (state.at[q] as usize, state.t.home[q] as usize);
    if !scope.holds(home as u32) || state.chain(p, q, home, most).is_none() {
        return false;
    }
    let delta = go(state, q, home, done) + go(state, p, b, done);
    unless_dearer(state, delta, most, done)
}

/// Takes back what is done if it is dearer than was known before: the part of services' moves is known only now.
fn unless_dearer<const K: usize>(state: &mut State<'_, K>, delta: f64, most: f64, done: &[(u32, u32)]) -> bool {
    if delta > most {
        state.undo(done);
    }
    delta <= most
}

/// A process on a machine.
fn one_of<const K: usize>(state: &State<'_, K>, m: usize, rng: &mut Rng) -> Option<usize> {
    let on = &state.on[m];
    (!on.is_empty()).then(|| on[rng.below(on.len())] as usize)
}

/// A process that is on a machine but not at home there, if a few tries find one.
fn newcomer<const K: usize>(state: &State<'_, K>, m: usize, rng: &mut Rng) -> Option<usize> {
    (0..4).find_map(|_| one_of(state, m, rng).filter(|&q| state.t.home[q] as usize != m))
}

/// A process of about the size of another.
fn near(scope: &Scope, rng: &mut Rng, place: usize) -> usize {
    let last = scope.processes.len() - 1;
    let reach = last / 32 + 2;
    scope.processes[(place + rng.below(2 * reach + 1)).saturating_sub(reach).min(last)] as usize
}

fn go<const K: usize>(state: &mut State<'_, K>, p: usize, to: usize, done: &mut Vec<(u32, u32)>) -> f64 {
    done.push((p as u32, state.at[p]));
    state.apply(p, to)
}
