//! Makes a placement break less, by the cheapest moves.

use std::collections::HashMap;

use super::{shortlist::Shortlist, state::State};
use crate::{clock::Clock, compile::OUT};

/// Moves at most, for each constraint that is broken at first.
const MOVES: usize = 40;
/// Of those on a row, so many are compared at most, and so many columns of all of them together.
const COMPARED: usize = 300;
const COLUMNS: usize = 24_000;
const RAISE: f64 = 1.05;

/// Of what is broken one after another, the move that costs least with fines; where none is worth it, the fine is raised.
/// Ends when nothing is broken, or when it does not come to that.
pub(crate) fn mend(state: &mut State<'_>, shortlist: &Shortlist, clock: &Clock<'_>) {
    let mut moves = state.broken * MOVES;
    while state.broken > 0 && moves > 0 {
        let (rows, spreads) = state.faults();
        let in_spreads = spreads.into_iter().map(|s| state.model.spreads[s].items.clone());
        let in_spreads: Vec<Vec<u32>> = in_spreads.collect();
        for items in on_rows(state, &rows).into_iter().chain(in_spreads) {
            if clock.over() || moves == 0 {
                return;
            }
            moves -= 1;
            let columns: usize =
                items.iter().map(|&item| shortlist.columns[state.kind(item as usize) as usize].len()).sum();
            let by = items.len().div_ceil(COMPARED).max(columns.div_ceil(COLUMNS)).max(1);
            let items: Vec<u32> = items.into_iter().step_by(by).collect();
            let best = items.iter().map(|&item| cheapest(state, item as usize, shortlist)).enumerate();
            let Some((n, (change, column))) = best.min_by(|a, b| a.1.0.total_cmp(&b.1.0)) else { continue };
            if change < 0.0 {
                state.shift(items[n] as usize, column);
            }
        }
        state.raise(RAISE);
    }
}

/// Of each of these rows those who take from it or pay from it.
fn on_rows(state: &State<'_>, rows: &[usize]) -> Vec<Vec<u32>> {
    let place: HashMap<u32, usize> = rows.iter().enumerate().map(|(place, row)| (*row as u32, place)).collect();
    let mut found = vec![Vec::new(); rows.len()];
    for (item, &column) in (0..).zip(&state.at).filter(|(_, column)| **column != OUT) {
        let kind = state.kind(item as usize);
        let takes = state.compiled.menu(kind).takes(column).iter().map(|(row, _)| row);
        for row in takes.chain(&state.compiled.kinds[kind as usize].pays) {
            let Some(&place) = place.get(row) else { continue };
            // A row that it takes from and pays from has it once.
            if found[place].last() != Some(&item) {
                found[place].push(item);
            }
        }
    }
    found
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
