//! The first placement: the linear program's, rounded.

use super::{
    room::Room,
    shortlist::Shortlist,
    state::{Fines, Layout, State},
};
use crate::{
    bound::Dual,
    clock::Clock,
    compile::{Block, Compiled},
    model::Model,
};

/// So often the clock is read.
const LOOK: usize = 64;

/// What breaking a constraint costs at first: somewhat more than what the row is worth, so that it does not pay.
pub(crate) fn fines(compiled: &Compiled, model: &Model, worths: &[i128]) -> Fines {
    let items = compiled.kind_of.len().max(1) as f64;
    let cheapest = |k: &crate::compile::Kind| {
        let menu = &compiled.menus[k.menu as usize];
        menu.columns.first().map_or(0.0, |c| c.cost as f64) * k.items.len() as f64
    };
    let mean = (compiled.kinds.iter().map(cheapest).sum::<f64>() / items).max(1.0);
    let rows = compiled.rows.iter().zip(worths).map(|(row, worth)| {
        1.3 * *worth as f64 / 2f64.powi(crate::bound::FRACTION as i32) + 0.1 * mean / row.largest.max(1) as f64
    });
    Fines { rows: rows.collect(), spreads: vec![mean; model.spreads.len()] }
}

/// Gives each block the whole part of what the program chose, as far as there is room where it took rows for one, and the
/// items that are left what costs least with fines.
pub(crate) fn start<'a>(
    compiled: &'a Compiled,
    model: &'a Model,
    layout: &'a Layout,
    dual: &Dual,
    shortlist: &Shortlist,
    clock: &Clock<'_>,
) -> State<'a> {
    let mut left: Vec<Vec<u32>> = compiled.kinds.iter().map(|k| k.items.iter().rev().copied().collect()).collect();
    let mut at = vec![u32::MAX - 1; model.items.len()];
    let mut best: Vec<Option<usize>> = vec![None; compiled.blocks.len()];
    for (m, (block, _, share)) in dual.mix.iter().enumerate() {
        let best = &mut best[*block as usize];
        if best.is_none_or(|b| dual.mix[b].2 < *share) {
            *best = Some(m);
        }
    }
    let mut room = dual.merge.any().then(|| Room::new(compiled, dual));
    let mut mix: Vec<_> = dual.mix.iter().enumerate().collect();
    if room.is_some() {
        // Small ones still fit where large ones do not.
        mix.sort_by_cached_key(|(_, (_, picks, _))| std::cmp::Reverse(picks.iter().map(|p| size(compiled, p)).max()));
    }
    for (m, (block, picks, share)) in mix {
        let whole = matches!(compiled.blocks[*block as usize], Block::Group { .. });
        if whole && best[*block as usize] != Some(m) {
            continue;
        }
        for &(kind, column, count) in picks {
            let count = if whole { count } else { (f64::from(count) * share + 1e-6) as u32 };
            for _ in 0..count {
                let Some(&item) = left[kind as usize].last() else { break };
                at[item as usize] = match &mut room {
                    None => column,
                    Some(room) => match room.take(kind, column) {
                        Some(column) => column,
                        None => break,
                    },
                };
                left[kind as usize].pop();
            }
        }
    }
    // Those that are left stand where they are cheapest by themselves until they are looked at, dear ones first.
    let mut rest: Vec<(i64, u32)> = Vec::new();
    for item in left.into_iter().flatten() {
        let kind = compiled.kind_of[item as usize];
        at[item as usize] = shortlist.columns[kind as usize][0];
        rest.push((-compiled.cost(kind, at[item as usize]), item));
    }
    rest.sort_unstable();
    let mut state = State::new(compiled, model, layout, fines(compiled, model, &dual.worths), at);
    for (n, (_, item)) in rest.into_iter().enumerate() {
        if n.is_multiple_of(LOOK) && clock.over() {
            break;
        }
        let item = item as usize;
        let (from, mut best) = (state.at[item], (0.0, state.at[item]));
        for &column in &shortlist.columns[state.kind(item) as usize] {
            let change = state.shift(item, column);
            if change < best.0 {
                best = (change, column);
            }
            state.shift(item, from);
        }
        state.shift(item, best.1);
    }
    state
}

/// The largest part of a row that one item takes, in millionths.
fn size(compiled: &Compiled, &(kind, column, _): &(u32, u32, u32)) -> i128 {
    let mut largest = 0;
    compiled.uses(kind, column, |row, amount| {
        largest = largest.max(i128::from(amount) * 1_000_000 / i128::from(compiled.rows[row].capacity.max(1)));
    });
    largest
}
