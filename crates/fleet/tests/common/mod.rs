//! Small random fleets, and the best placement of each by looking at all of them.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;

use novacron_fleet::{Candidate, Class, Item, Model, NO_DOMAIN, Place, Spread, Take};

/// Random numbers that are the same everywhere: SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 32) as usize * n) >> 32
    }

    fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

/// At most so many placements are to be looked at.
pub const PLACEMENTS: f64 = 60_000.0;

/// A fleet of a few items. Whether something fits is left to chance.
pub fn small(seed: u64) -> Model {
    let r = &mut Random(seed);
    // Whole money, cents or nanos: ties are likely, unlikely and out of the question.
    let unit = [1_000_000_000, 10_000_000, 1][r.below(3)];
    let mut model = Model { dimensions: vec![1 + r.below(3) as u32, 2 + r.below(4) as u32], ..Model::default() };
    let limits = r.below(6);
    let places = 1 + r.below(6);
    for _ in 0..places {
        let mut domain = |n: u32| if r.chance(8) { NO_DOMAIN } else { r.below(n as usize) as u32 };
        let domains = model.dimensions.clone().into_iter().map(&mut domain).collect();
        let takes = takes(r, limits, 3, 9);
        model.places.push(Place { domains, takes });
    }
    for _ in 0..1 + r.below(4) {
        let candidates = (0..1 + r.below(6)).map(|n| {
            let cost = (1 + r.below(60)) as i64 * unit + if unit == 1 { r.below(1_000_000_000) as i64 } else { 0 };
            let price = if r.chance(6) { cost / 2 } else { cost };
            let takes = takes(r, limits, 4, 7);
            Candidate { option: n as u32, place: r.below(places) as u32, cost, price, takes }
        });
        model.classes.push(Class { candidates: candidates.collect() });
    }
    let budgets = r.below(3);
    let mut count = 1.0;
    for _ in 0..1 + r.below(9) {
        let class = r.below(model.classes.len());
        let options = model.classes[class].candidates.len();
        count *= options as f64 + 1.0;
        if count > PLACEMENTS {
            break;
        }
        model.items.push(Item {
            class: class as u32,
            pays: (0..budgets).filter(|_| r.chance(2)).map(|b| (limits + b) as u32).collect(),
            unplaced_cost: r.chance(4).then(|| (20 + r.below(100)) as i64 * unit),
            fixed: r.chance(12).then(|| r.below(options) as u32),
        });
    }
    for _ in 0..r.below(4).saturating_sub(r.below(2)) {
        let items = (0..model.items.len() as u32).filter(|_| !r.chance(3)).collect();
        let at_most_each = r.chance(2).then(|| 1 + r.below(3) as u32);
        let dimension = r.below(model.dimensions.len()) as u32;
        model.spreads.push(Spread {
            items,
            dimension,
            at_least: r.below(3) as u32 + u32::from(r.chance(6)),
            at_most_each,
        });
    }
    let items = model.items.len();
    model.limits = (0..limits).map(|_| (r.below(5 * items + 4) + 2 * items) as i64).collect();
    model.limits.extend(
        (0..budgets)
            .map(|_| (r.below(30 * items + 10) + 5 * items) as i64 * unit * if unit == 1 { 10_000_000 } else { 1 }),
    );
    model
}

fn takes(r: &mut Random, limits: usize, one_in: usize, below: usize) -> Vec<Take> {
    let take = |limit| r.chance(one_in).then(|| Take { limit: limit as u32, amount: r.below(below) as i64 });
    (0..limits).filter_map(take).collect()
}

/// The least that a placement costs that breaks nothing.
pub fn brute_force(model: &Model) -> Option<i128> {
    let mut best = None;
    each(model, &mut Vec::new(), &mut best);
    best
}

fn each(model: &Model, at: &mut Vec<Option<u32>>, best: &mut Option<i128>) {
    let Some(item) = model.items.get(at.len()) else {
        let cost = value(model, at);
        *best = [*best, cost].into_iter().flatten().min();
        return;
    };
    let all = 0..model.classes[item.class as usize].candidates.len() as u32;
    let free = all.filter(|c| item.fixed.is_none_or(|f| f == *c)).map(Some);
    let out = (item.unplaced_cost.is_some() && item.fixed.is_none()).then_some(None);
    for choice in free.chain(out).collect::<Vec<_>>() {
        at.push(choice);
        each(model, at, best);
        at.pop();
    }
}

/// What a placement costs, or nothing if it breaks something; by the words of the model.
pub fn value(model: &Model, at: &[Option<u32>]) -> Option<i128> {
    let mut left: Vec<i128> = model.limits.iter().map(|&l| l.into()).collect();
    let mut cost = 0i128;
    let chosen = |i: usize| at[i].map(|c| &model.classes[model.items[i].class as usize].candidates[c as usize]);
    for (i, item) in model.items.iter().enumerate() {
        let Some(candidate) = chosen(i) else {
            cost += i128::from(item.unplaced_cost?);
            continue;
        };
        cost += i128::from(candidate.cost);
        candidate.takes.iter().for_each(|t| left[t.limit as usize] -= i128::from(t.amount));
        model.places[candidate.place as usize]
            .takes
            .iter()
            .for_each(|t| left[t.limit as usize] -= i128::from(t.amount));
        item.pays.iter().for_each(|&l| left[l as usize] -= i128::from(candidate.price));
    }
    let spread = |s: &Spread| {
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        let placed: Vec<_> = s.items.iter().filter_map(|&i| chosen(i as usize)).collect();
        for candidate in &placed {
            let domain = model.places[candidate.place as usize].domains[s.dimension as usize];
            *counts.entry(domain).or_default() += u32::from(domain != NO_DOMAIN);
        }
        counts.remove(&NO_DOMAIN);
        let least = if s.at_least as usize > s.items.len() { s.at_least } else { s.at_least.min(placed.len() as u32) };
        counts.len() as u32 >= least && counts.values().all(|&n| n <= s.at_most_each.unwrap_or(u32::MAX))
    };
    (left.iter().all(|&l| l >= 0) && model.spreads.iter().all(spread)).then_some(cost)
}
