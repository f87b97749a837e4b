//! The parts that the bound is computed from, one by one: counted items, and spreads.

use std::collections::HashMap;

use super::{Kind, Menu, Row, Source};
use crate::model::{Model, NO_DOMAIN};

/// A spread of more items than this has a row for each domain that it could crowd, and is not solved by itself.
const CROWD: usize = 32;
/// The most items that are solved together.
const GROUP: u32 = 64;
/// How many rows crowds may add.
const CROWD_ROWS: usize = 4_000;

/// Items whose best columns, given what the rows are worth, are found together. What other blocks do does not matter to it.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    Alike(Part),
    Group { spread: u32, dimension: u32, at_least: u32, at_most: u32, parts: Vec<Part> },
}

/// So many items of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub kind: u32,
    pub count: u32,
}

/// Makes rows of what the domains of large spreads hold at most: whether each spread has them, and the row by spread and
/// domain.
pub(super) fn crowd_rows(model: &Model, rows: &mut Vec<Row>) -> (Vec<bool>, HashMap<(u32, u32), u32>) {
    let (mut in_rows, mut found) = (vec![false; model.spreads.len()], HashMap::new());
    for (s, spread) in model.spreads.iter().enumerate() {
        let Some(most) = spread.at_most_each.filter(|&most| (most as usize) < spread.items.len()) else { continue };
        if spread.items.len() <= CROWD {
            continue;
        }
        let mut classes: Vec<u32> = spread.items.iter().map(|&i| model.items[i as usize].class).collect();
        classes.sort_unstable();
        classes.dedup();
        let places = classes.iter().flat_map(|&c| model.classes[c as usize].candidates.iter().map(|c| c.place));
        let mut domains: Vec<u32> =
            places.map(|p| model.places[p as usize].domains[spread.dimension as usize]).collect();
        domains.sort_unstable();
        domains.dedup();
        domains.retain(|&d| d != NO_DOMAIN);
        if found.len() + domains.len() > CROWD_ROWS {
            continue;
        }
        in_rows[s] = true;
        for domain in domains {
            found.insert((s as u32, domain), rows.len() as u32);
            rows.push(Row { source: Source::Spread(s as u32), capacity: most.into(), largest: 0 });
        }
    }
    (in_rows, found)
}

/// Every item in one block. Spreads that share items with one that has a block have none: the bound does not know of them.
///
/// Where a spread only asks for N domains, N of its items stand in different ones and the others where they like. So no more
/// than N of each kind are in its block.
pub(super) fn blocks(model: &Model, kinds: &[Kind], menus: &[Menu], in_rows: &[bool]) -> Vec<Block> {
    let mut of_spread: Vec<Vec<u32>> = vec![Vec::new(); model.spreads.len()];
    for (k, kind) in kinds.iter().enumerate() {
        kind.spreads.iter().for_each(|&s| of_spread[s as usize].push(k as u32));
    }
    let mut left: Vec<u32> = kinds.iter().map(|k| k.items.len() as u32).collect();
    let mut taken = vec![false; kinds.len()];
    let mut order: Vec<usize> = (0..model.spreads.len()).collect();
    order.sort_by_key(|&s| (std::cmp::Reverse(model.spreads[s].at_least), s));
    let mut blocks = Vec::new();
    for s in order {
        let (spread, members) = (&model.spreads[s], &of_spread[s]);
        let size = spread.items.len() as u32;
        let most = spread.at_most_each.filter(|&most| most < size && !in_rows[s]);
        let anywhere =
            |&k: &u32| !menus[kinds[k as usize].menu as usize].domains(spread.dimension).contains(&NO_DOMAIN);
        let apart = spread.at_least > 1 || spread.at_least == 1 && !members.iter().all(anywhere);
        if members.is_empty() || !apart && most.is_none() || members.iter().any(|&k| taken[k as usize]) {
            continue;
        }
        let share = |k: u32| if most.is_some() { left[k as usize] } else { left[k as usize].min(spread.at_least) };
        let parts: Vec<Part> = members.iter().map(|&kind| Part { kind, count: share(kind) }).collect();
        if parts.iter().map(|p| p.count).sum::<u32>() > GROUP {
            continue;
        }
        for part in &parts {
            taken[part.kind as usize] = true;
            left[part.kind as usize] -= part.count;
        }
        let (at_least, at_most) = (spread.at_least, most.unwrap_or(u32::MAX));
        blocks.push(Block::Group { spread: s as u32, dimension: spread.dimension, at_least, at_most, parts });
    }
    let rest = left.iter().enumerate().filter(|(_, count)| **count > 0);
    blocks.extend(rest.map(|(k, &count)| Block::Alike(Part { kind: k as u32, count })));
    blocks
}
