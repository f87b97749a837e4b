//! The bound where leaving out an item costs far more than placing one: such costs drown all others in a linear program. So
//! what they are beyond some multiple of the others is counted by itself, and the two bounds are added.

use super::{Costs, Dual, Stuck, dual, most_worth, price};
use crate::{clock::Clock, compile::Compiled};

/// Times the mean of what the items cost at least: if one left out costs more, it is counted apart.
const DEAR: i64 = 1000;
/// What is tried instead, in the same means. The first is what the placement is made by.
const TIMES: [i64; 3] = [100, 20, 4];

/// The best that is found until the clock ends.
pub(crate) fn least(compiled: &Compiled, clock: &Clock<'_>) -> Result<Dual, Stuck> {
    let mean = mean(compiled);
    let dearest = compiled.kinds.iter().filter_map(|kind| kind.out).max().unwrap_or(0);
    if dearest / DEAR <= mean {
        return dual(compiled, Costs::All, clock);
    }
    let mut best: Option<Dual> = None;
    for (tried, times) in TIMES.into_iter().enumerate() {
        if best.is_some() && clock.over() {
            break;
        }
        // A multiple of the grain, so that what is counted still is one.
        let most = (mean * times).div_euclid(compiled.grain) * compiled.grain;
        let each = clock.part(TIMES.len() - tried);
        let cheap = dual(compiled, Costs::UpTo(most), &each.part(2))?;
        let dear = dual(compiled, Costs::Beyond(most), &each)?;
        // What a row is worth to both together is worth as much to the whole.
        let rows = compiled.rows.iter().zip(cheap.worths.iter().zip(&dear.worths));
        let worths: Vec<i128> = rows.map(|(row, (a, b))| (a + b).min(most_worth(row))).collect();
        let priced = price(compiled, &worths, Costs::All)?;
        let bound = priced.bound(compiled.grain).max(cheap.bound + dear.bound);
        match &mut best {
            Some(best) => best.bound = best.bound.max(bound),
            None => best = Some(Dual { bound, worths, value: priced.value, ..cheap }),
        }
    }
    match best {
        Some(best) => Ok(best),
        None => dual(compiled, Costs::All, clock),
    }
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
