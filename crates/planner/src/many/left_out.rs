//! Why a machine for which there are places got none of them.

use std::collections::{BTreeSet, HashMap};

use novacron_fleet::{Candidate as Column, Model};
use novacron_types::placement::LeftOut;

use super::build::Built;
use crate::questions::Questions;

/// So many places are told, each with other things in its way.
const TOLD: usize = 3;

/// What is used when a plan is done.
struct Used {
    limits: Vec<i128>,
    /// Of each spread the domains that it stands in, and how many machines stand.
    spreads: Vec<(BTreeSet<u32>, usize)>,
    spreads_of: HashMap<u32, Vec<usize>>,
}

/// For each machine that was left out, what stands in the way of the places that the least stands in the way of.
pub(super) fn reasons(questions: &Questions<'_>, built: &Built, placement: &[Option<u32>]) -> Vec<LeftOut> {
    let model = built.fleet.model();
    let used = Used::new(model, placement);
    let mut known: HashMap<(u32, &[u32], &[usize]), String> = HashMap::new();
    let mut all = Vec::new();
    for (item, machine) in built.machines.iter().enumerate().filter(|(item, _)| placement[*item].is_none()) {
        let of = &model.items[item];
        let spreads = used.spreads_of.get(&(item as u32)).map_or(&[][..], Vec::as_slice);
        let why = known.entry((of.class, &of.pays, spreads)).or_insert_with(|| {
            let columns = &model.classes[of.class as usize].candidates;
            let mut ways: Vec<(Vec<&str>, i64, u32)> = columns
                .iter()
                .map(|column| (used.broken(built, &of.pays, spreads, column), column.cost, column.option))
                .collect();
            ways.sort_by_key(|(broken, cost, _)| (broken.len(), *cost));
            if ways.first().is_none_or(|(broken, _, _)| broken.is_empty()) {
                return "there may be room: the search ended before it was found".to_owned();
            }
            let mut told: Vec<(Vec<&str>, u32)> = Vec::new();
            for (broken, _, option) in ways {
                if told.len() < TOLD && !told.iter().any(|(known, _)| known.iter().all(|word| broken.contains(word))) {
                    told.push((broken, option));
                }
            }
            let words = |(broken, option): (Vec<&str>, u32)| {
                let place = questions.asks[of.class as usize].title(built.options[option as usize].candidate);
                format!("{place}: too little is left of {}", broken.join(", and of "))
            };
            told.into_iter().map(words).collect::<Vec<_>>().join("; ")
        });
        all.push(LeftOut { vm_id: questions.names[*machine].clone(), why: why.clone() });
    }
    all
}

impl Used {
    fn new(model: &Model, placement: &[Option<u32>]) -> Self {
        let at = |item: usize| {
            let class = &model.classes[model.items[item].class as usize];
            placement[item].map(|column| &class.candidates[column as usize])
        };
        let mut limits = vec![0i128; model.limits.len()];
        for (index, item) in model.items.iter().enumerate() {
            let Some(column) = at(index) else { continue };
            for take in column.takes.iter().chain(&model.places[column.place as usize].takes) {
                limits[take.limit as usize] += i128::from(take.amount);
            }
            item.pays.iter().for_each(|limit| limits[*limit as usize] += i128::from(column.price));
        }
        let mut spreads_of: HashMap<u32, Vec<usize>> = HashMap::new();
        let mut spreads = Vec::new();
        for (number, spread) in model.spreads.iter().enumerate() {
            spread.items.iter().for_each(|item| spreads_of.entry(*item).or_default().push(number));
            let places = spread.items.iter().filter_map(|item| at(*item as usize)).map(|column| column.place);
            let domains: Vec<u32> =
                places.map(|place| model.places[place as usize].domains[spread.dimension as usize]).collect();
            spreads.push((domains.iter().copied().collect(), domains.len()));
        }
        Self { limits, spreads, spreads_of }
    }

    /// In words, what a machine at this place would break.
    fn broken<'b>(&self, built: &'b Built, pays: &[u32], spreads: &[usize], column: &Column) -> Vec<&'b str> {
        let model = built.fleet.model();
        let mut takes: HashMap<u32, i128> = HashMap::new();
        for take in column.takes.iter().chain(&model.places[column.place as usize].takes) {
            *takes.entry(take.limit).or_default() += i128::from(take.amount);
        }
        pays.iter().for_each(|limit| *takes.entry(*limit).or_default() += i128::from(column.price));
        let over = |limit: &u32, amount: i128| {
            amount > 0 && self.limits[*limit as usize] + amount > i128::from(model.limits[*limit as usize])
        };
        let mut broken: Vec<u32> =
            takes.into_iter().filter(|(limit, amount)| over(limit, *amount)).map(|t| t.0).collect();
        broken.sort_unstable();
        let mut words: Vec<&str> = broken.into_iter().map(|limit| built.limits[limit as usize].as_str()).collect();
        for number in spreads {
            let (spread, (domains, placed)) = (&model.spreads[*number], &self.spreads[*number]);
            let domain = model.places[column.place as usize].domains[spread.dimension as usize];
            let after = domains.len() + usize::from(!domains.contains(&domain));
            if after < (spread.at_least as usize).min(placed + 1) {
                words.push(&built.spreads[*number]);
            }
        }
        words
    }
}
