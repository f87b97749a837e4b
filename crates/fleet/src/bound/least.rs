//! The bound where leaving out an item costs far more than placing one: such costs drown all others in a linear program. So
//! what they are beyond some multiple of the others is counted by itself, and the two bounds are added.

use super::{Costs, Dual, Stuck, dual, most_worth, price};
use crate::{clock::Clock, compile::Compiled};

/// Times the mean of what the items cost at least: if one left out costs more, it is counted apart.
const DEAR: i64 = 1000;
/// What is tried instead, in the same means. The first is what the placement is made by; it has a third of the time.
const TIMES: [i64; 4] = [100, 20, 4, 1];
const FIRST: usize = 3;
/// So often what lies between the best and what was tried beside it is tried as well.
const BETWEEN: usize = 6;

/// The best that is found until the clock ends.
pub(crate) fn least(compiled: &Compiled, clock: &Clock<'_>) -> Result<Dual, Stuck> {
    let mean = mean(compiled);
    let dearest = compiled.kinds.iter().filter_map(|kind| kind.out).max().unwrap_or(0);
    if dearest / DEAR <= mean {
        return dual(compiled, Costs::All, clock);
    }
    // A multiple of the grain, so that what is counted still is one.
    let whole = |most: i64| most.div_euclid(compiled.grain) * compiled.grain;
    let mut best = apart(compiled, whole(mean * TIMES[0]), &clock.part(FIRST))?;
    // What is counted of leaving one out, and the bound with it.
    let mut tried = vec![(whole(mean * TIMES[0]), best.bound)];
    for left in (1..TIMES.len() + BETWEEN).rev() {
        let next = TIMES.get(tried.len()).map(|times| mean * times).unwrap_or_else(|| between(&mut tried));
        let most = whole(next);
        if clock.over() || tried.iter().any(|(before, _)| *before == most) {
            break;
        }
        let bound = apart(compiled, most, &clock.part(left))?.bound;
        best.bound = best.bound.max(bound);
        tried.push((most, bound));
    }
    Ok(best)
}

/// The bound where so much is counted of leaving one out, and what is beyond it apart.
fn apart(compiled: &Compiled, most: i64, clock: &Clock<'_>) -> Result<Dual, Stuck> {
    let cheap = dual(compiled, Costs::UpTo(most), &clock.part(2))?;
    let dear = dual(compiled, Costs::Beyond(most), clock)?;
    // What a row is worth to both together is worth as much to the whole.
    let rows = compiled.rows.iter().zip(cheap.worths.iter().zip(&dear.worths));
    let worths: Vec<i128> = rows.map(|(row, (a, b))| (a + b).min(most_worth(row))).collect();
    let priced = price(compiled, &worths, Costs::All)?;
    let bound = priced.bound(compiled.grain).max(cheap.bound + dear.bound);
    Ok(Dual { bound, worths, value: priced.value, ..cheap })
}

/// The sum of the bounds is concave in what is counted of leaving one out, but for rounding: its best is beside the best so
/// far, on the side of the better neighbour.
fn between(tried: &mut [(i64, i128)]) -> i64 {
    tried.sort_unstable();
    let Some(best) = (0..tried.len()).max_by_key(|n| tried[*n].1) else { return 0 };
    let beside = [best.checked_sub(1), Some(best + 1)].into_iter().flatten().filter_map(|n| tried.get(n));
    let beside = beside.max_by_key(|(_, bound)| *bound).map_or(0, |(most, _)| *most);
    (beside as f64 * tried[best].0 as f64).sqrt() as i64
}

/// Of the cheapest column of each item.
fn mean(compiled: &Compiled) -> i64 {
    let cheapest = |kind: u32| {
        let count = compiled.kinds[kind as usize].items.len() as i128;
        compiled.menu(kind).columns.first().map_or(0, |column| i128::from(column.cost) * count)
    };
    let all: i128 = (0..compiled.kinds.len() as u32).map(cheapest).sum();
    i64::try_from(all / compiled.kind_of.len().max(1) as i128).unwrap_or(i64::MAX / (2 * DEAR)).max(1)
}
