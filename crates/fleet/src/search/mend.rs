//! Makes a placement break less, by the cheapest moves.

use super::{shortlist::Shortlist, state::State};
use crate::{clock::Clock, compile::OUT};

/// Moves at most, for each constraint that is broken at first.
const MOVES: usize = 40;
/// Of those on a row, so many are compared at most.
const COMPARED: usize = 300;
const RAISE: f64 = 1.05;

/// Of what is broken one after another, the move that costs least with fines; where none is worth it, the fine is raised.
/// Ends when nothing is broken, or when it does not come to that.
pub(crate) fn mend(state: &mut State<'_>, shortlist: &Shortlist, clock: &Clock<'_>) {
    let mut moves = state.broken * MOVES;
    while state.broken > 0 && moves > 0 {
        let (rows, spreads) = state.faults();
        let on_rows = rows.into_iter().map(|row| on_row(state, row)).collect::<Vec<_>>();
        let in_spreads = spreads.into_iter().map(|s| state.model.spreads[s].items.clone());
        for items in on_rows.into_iter().chain(in_spreads) {
            if clock.over() || moves == 0 {
                return;
            }
            moves -= 1;
            let best = items.iter().map(|&item| cheapest(state, item as usize, shortlist)).enumerate();
            let Some((n, (change, column))) = best.min_by(|a, b| a.1.0.total_cmp(&b.1.0)) else { continue };
            if change < 0.0 {
                state.shift(items[n] as usize, column);
            }
        }
        state.raise(RAISE);
    }
}

/// Some of those who take from a row or pay from it, evenly.
fn on_row(state: &State<'_>, row: usize) -> Vec<u32> {
    let mut found = Vec::new();
    for (item, &column) in state.at.iter().enumerate() {
        let kind = state.kind(item);
        let takes = column != OUT
            && (state.compiled.menu(kind).takes(column).iter().any(|t| t.0 == row as u32)
                || state.compiled.kinds[kind as usize].pays.contains(&(row as u32)));
        if takes {
            found.push(item as u32);
        }
    }
    let by = found.len().div_ceil(COMPARED).max(1);
    found.into_iter().step_by(by).collect()
}

/// The best other column of an item, and what that changes.
fn cheapest(state: &mut State<'_>, item: usize, shortlist: &Shortlist) -> (f64, u32) {
    let (kind, from) = (state.kind(item), state.at[item]);
    let left = state.take_out(item);
    let mut best = (f64::INFINITY, from);
    for &column in shortlist.columns[kind as usize].iter().filter(|&&column| column != from) {
        let cost = state.entry(kind, column);
        if cost < best.0 {
            best = (cost, column);
        }
    }
    state.put_back(item);
    (left + best.0, best.1)
}
