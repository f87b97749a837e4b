//! What no plan can go below: the fleet solver's proof for the same machines and places, each move counted. Of a few
//! machines it looks at all goals, so that its own is the best there is.

use std::{collections::HashMap, time::Instant};

use novacron_fleet::{Candidate as Column, Class, Draft, Fleet, Item, Options, Place, Spread, Take, limits, solve};

use super::{
    quota::Quotas,
    settle::Ground,
    table::{Table, span},
};
use crate::PlanError;

/// Steps at most.
const STEPS: u64 = 300_000;

pub(super) struct Proof {
    /// In the unit of the rows, with the penalties that are in them.
    pub bound: i128,
    /// A site for each machine, if one was found for all.
    pub goal: Option<Vec<u32>>,
}

pub(super) fn proof(
    g: &Ground<'_, '_>,
    table: &Table,
    quotas: &Quotas,
    max_moves: Option<u32>,
    until: Option<Instant>,
) -> Result<Proof, PlanError> {
    let spans = || table.rows.iter().map(|row| span(row));
    let widest = spans().map(|(least, most)| most - least).max().unwrap_or(0);
    // Points are less than none; shifted, they are about as large as what they differ by, which is what the solver wants.
    let least = spans().map(|(least, _)| least).min().unwrap_or(0);
    let shift = if least < 0 { least - widest } else { 0 };
    let dearest = spans().map(|(_, most)| most - shift).max().unwrap_or(0);
    // Rounded down, so that what is proven of it holds for the exact amounts.
    let unit = dearest / i128::from(limits::AMOUNT) + 1;
    let mut draft = Draft::default();
    draft.dimension(table.providers());
    let hosts: Vec<Vec<u32>> =
        table.capacity.iter().map(|room| room.iter().map(|most| draft.limit((*most).into())).collect()).collect();
    let of_quotas: Vec<u32> = quotas.limits().map(|most| draft.limit(clamp(most))).collect();
    let moves = max_moves.map(|most| draft.limit(most.into()));
    let places: Vec<u32> =
        (0..table.providers()).map(|at| draft.place(Place { domains: vec![at], takes: Vec::new() })).collect();
    // Machines that are alike share a class: the proof is then one of a few, however many there are.
    let mut classes = HashMap::new();
    for (machine, row) in table.rows.iter().enumerate() {
        let alike = (g.questions.ask_of[machine], g.movers[machine].home.candidate, table.initial[machine], row);
        if let Some(&class) = classes.get(&alike) {
            draft.model.items.push(Item { class, ..Item::default() });
            continue;
        }
        let mut columns = Vec::new();
        for (option, (site, weight)) in row.iter().enumerate() {
            let mut takes = Vec::new();
            if table.is_host(*site) {
                let amounts = hosts[*site as usize].iter().zip(table.needs[machine]);
                takes.extend(amounts.map(|(limit, amount)| Take { limit: *limit, amount: amount.into() }));
            }
            if let Some(at) = table.candidate(g, machine, *site) {
                let amounts = of_quotas.iter().zip(quotas.takes(g, machine, at)).filter(|(_, amount)| *amount > 0);
                takes.extend(amounts.map(|(limit, amount)| Take { limit: *limit, amount: clamp(amount) }));
            }
            if *site != table.initial[machine] {
                takes.extend(moves.map(|limit| Take { limit, amount: 1 }));
            }
            let place = places[table.provider(*site) as usize];
            let cost = i64::try_from((weight - shift) / unit).unwrap_or(limits::AMOUNT);
            columns.push(Column { option: option as u32, place, cost, price: 0, takes });
        }
        // A site each: none is to be left out as the same as another, which looking for would take longest of all.
        let class = draft.model.classes.len() as u32;
        draft.model.classes.push(Class { candidates: columns });
        classes.insert(alike, class);
        draft.model.items.push(Item { class, ..Item::default() });
    }
    for apart in &table.apart {
        let items = apart.iter().map(|machine| *machine as u32).collect();
        draft.model.spreads.push(Spread { items, dimension: 0, at_least: apart.len() as u32, at_most_each: None });
    }
    let fleet = Fleet::new(draft.model)?;
    let search = &g.options.search;
    let steps = search.steps.unwrap_or(STEPS).min(STEPS);
    let found = solve(
        &fleet,
        &Options {
            until,
            steps: Some(steps),
            gap: 0.0,
            threads: 1,
            seed: search.seed,
            stop: search.stop,
            progress: None,
        },
    );
    let site = |(machine, column): (usize, &Option<u32>)| {
        let model = fleet.model();
        let class = &model.classes[model.items[machine].class as usize].candidates;
        Some(table.rows[machine][class[(*column)? as usize].option as usize].0)
    };
    let goal = found.placement.and_then(|placement| placement.iter().enumerate().map(site).collect());
    Ok(Proof { bound: shift * table.rows.len() as i128 + found.bound * unit, goal })
}

fn clamp(amount: i128) -> i64 {
    amount.clamp(0, limits::AMOUNT.into()) as i64
}
