//! Walks from placement to placement, dearer ones too at first.

use super::{shortlist::Shortlist, state::State};
use crate::{clock::Clock, compile::OUT, rng::Rng};

/// The best placement without a fault, if there was one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Best {
    pub at: Option<Vec<u32>>,
    pub cost: i128,
}

impl Best {
    pub fn see(&mut self, state: &State<'_>) {
        if state.broken == 0 && (self.at.is_none() || state.cost < self.cost) {
            self.cost = state.cost;
            self.at = Some(state.at.clone());
        }
    }
}

/// Who stands on which row, apart from budgets.
struct Occupants {
    of: Vec<Vec<(u32, u32)>>,
    /// Of each item, where it is in the lists of the rows that it takes.
    places: Vec<Vec<u32>>,
}

impl Occupants {
    fn new(state: &State<'_>) -> Self {
        let mut found = Self { of: vec![Vec::new(); state.used.len()], places: vec![Vec::new(); state.at.len()] };
        (0..state.at.len()).for_each(|item| found.add(state, item));
        found
    }

    fn add(&mut self, state: &State<'_>, item: usize) {
        let column = state.at[item];
        if column == OUT {
            return;
        }
        for (n, &(row, _)) in state.compiled.menu(state.kind(item)).takes(column).iter().enumerate() {
            let list = &mut self.of[row as usize];
            self.places[item].push(list.len() as u32);
            list.push((item as u32, n as u32));
        }
    }

    /// As long as `state` still has it in `column`.
    fn remove(&mut self, state: &State<'_>, item: usize, column: u32) {
        if column == OUT {
            return;
        }
        let places = std::mem::take(&mut self.places[item]);
        for (&(row, _), &place) in state.compiled.menu(state.kind(item)).takes(column).iter().zip(&places) {
            let list = &mut self.of[row as usize];
            list.swap_remove(place as usize);
            if let Some(&(moved, n)) = list.get(place as usize) {
                self.places[moved as usize][n as usize] = place;
            }
        }
    }
}

/// How a walk cools.
#[derive(Clone, Copy)]
pub(crate) struct Cooling {
    /// What a placement may be dearer by, in 10⁻⁹ units.
    pub from: f64,
    pub to: f64,
    pub steps: u64,
}

/// How long one looks for an item that could stand better.
const SEEK: usize = 12;
/// How many of those who could make room are compared.
const OTHERS: usize = 3;
/// After so many steps one looks again where there is room.
const REFILL: u64 = 2048;
const LOOK: u64 = 256;
/// How many moves in a row make room for each other.
const DEPTH: usize = 3;
/// How many columns are tried for an item that makes room.
const TRIES: usize = 12;
/// After so many steps with faults, they get dearer.
const PATIENCE: u64 = 5_000;

/// The steps that were made. `enough` is the cost at which nothing is left to be gained.
pub(crate) fn anneal(
    state: &mut State<'_>,
    best: &mut Best,
    shortlist: &Shortlist,
    cooling: Cooling,
    enough: i128,
    rng: &mut Rng,
    clock: &Clock<'_>,
) -> u64 {
    best.see(state);
    let movable: Vec<u32> =
        (0..state.at.len() as u32).filter(|&i| shortlist.columns[state.kind(i as usize) as usize].len() > 1).collect();
    if movable.is_empty() {
        return 0;
    }
    let mut occupants = Occupants::new(state);
    let mut gaps = Gaps::default();
    let mut trail: Vec<(usize, u32)> = Vec::new();
    let mut heat = cooling.from;
    let mut faulty = 0;
    for step in 0..cooling.steps {
        if step.is_multiple_of(LOOK) {
            if clock.over() || best.at.is_some() && best.cost <= enough {
                return step;
            }
            heat = cooling.from * (cooling.to / cooling.from).powf(step as f64 / cooling.steps as f64);
        }
        faulty = if state.broken > 0 { faulty + 1 } else { 0 };
        if faulty > PATIENCE {
            state.raise(1.5);
            faulty = 0;
        }
        trail.clear();
        if step.is_multiple_of(REFILL) {
            gaps.look(state, shortlist);
        }
        let (item, column) = match step % 4 {
            0 | 2 if state.broken > 0 => {
                let item = at_fault(state, &occupants, rng).unwrap_or(movable[rng.below(movable.len())] as usize);
                (item, make_room(state, item, f64::INFINITY, shortlist, rng).1)
            }
            0 => anyone(state, shortlist, &movable, rng),
            1 => gaps.fill(state, shortlist, rng).unwrap_or_else(|| anyone(state, shortlist, &movable, rng)),
            _ => someone_badly_off(state, shortlist, &movable, rng),
        };
        let from = state.at[item];
        let rise = f64::from(shortlist.excess(state.kind(item), column) - shortlist.excess(state.kind(item), from));
        // Without faults to mend, no chain of moves pays that costs more in excess than the rows have left.
        let mut allowed = if state.broken == 0 { gaps.most + 8.0 * heat } else { f64::INFINITY };
        if column == from || rise > allowed {
            continue;
        }
        allowed -= rise;
        let before = state.broken;
        let limit = -heat * rng.unit().ln();
        let mut change = go(state, &mut trail, item, column);
        while change > limit && state.broken > before && trail.len() < DEPTH {
            let mut best: Option<(f64, usize, u32)> = None;
            for _ in 0..OTHERS {
                let Some(other) = someone(state, &occupants, &trail, rng) else { continue };
                let found = make_room(state, other, allowed, shortlist, rng);
                if best.is_none_or(|b| found.0 < b.0) {
                    best = Some((found.0, other, found.1));
                }
            }
            let Some((by, other, column)) = best.filter(|b| b.0.is_finite()) else { break };
            change += by;
            let rise =
                shortlist.excess(state.kind(other), column) - shortlist.excess(state.kind(other), state.at[other]);
            allowed -= f64::from(rise);
            go(state, &mut trail, other, column);
        }
        if change <= limit {
            for &(item, from) in &trail {
                let to = std::mem::replace(&mut state.at[item], from);
                occupants.remove(state, item, from);
                state.at[item] = to;
                occupants.add(state, item);
            }
            if change < 0.0 {
                best.see(state);
            }
        } else {
            for &(item, from) in trail.iter().rev() {
                state.shift(item, from);
            }
        }
    }
    cooling.steps
}

/// An item and one of its columns; the first of the list are more often right.
fn anyone(state: &State<'_>, shortlist: &Shortlist, movable: &[u32], rng: &mut Rng) -> (usize, u32) {
    let item = movable[rng.below(movable.len())] as usize;
    (item, column(state, shortlist, item, rng))
}

fn column(state: &State<'_>, shortlist: &Shortlist, item: usize, rng: &mut Rng) -> u32 {
    let list = &shortlist.columns[state.kind(item) as usize];
    list[(rng.unit() * rng.unit() * list.len() as f64) as usize % list.len()]
}

/// The same for an item that does not stand where it is cheapest.
fn someone_badly_off(state: &State<'_>, shortlist: &Shortlist, movable: &[u32], rng: &mut Rng) -> (usize, u32) {
    let mut item = 0;
    for _ in 0..SEEK {
        item = movable[rng.below(movable.len())] as usize;
        if shortlist.excess(state.kind(item), state.at[item]) > 0.0 {
            break;
        }
    }
    (item, column(state, shortlist, item, rng))
}

/// An item that a broken row or spread has too many of.
fn at_fault(state: &State<'_>, occupants: &Occupants, rng: &mut Rng) -> Option<usize> {
    let (rows, spreads) = state.faults();
    let n = rng.below(rows.len() + spreads.len());
    let Some(&row) = rows.get(n) else {
        let items = &state.model.spreads[spreads[n - rows.len()]].items;
        return (!items.is_empty()).then(|| items[rng.below(items.len())] as usize);
    };
    let list = &occupants.of[row];
    (!list.is_empty()).then(|| list[rng.below(list.len())].0 as usize)
}

/// Rows that are worth something and not full.
#[derive(Default)]
struct Gaps {
    rows: Vec<u32>,
    /// What the rows so far leave.
    sums: Vec<f64>,
    /// What two of them leave at most: no two moves gain more by filling rows.
    most: f64,
}

impl Gaps {
    fn look(&mut self, state: &State<'_>, shortlist: &Shortlist) {
        self.rows.clear();
        self.sums.clear();
        let (mut sum, mut first, mut second) = (0.0, 0.0f64, 0.0f64);
        for (r, row) in state.compiled.rows.iter().enumerate() {
            let gap = shortlist.worths[r] * (i128::from(row.capacity) - state.used[r]) as f64;
            if gap >= 1.0 && !shortlist.users[r].is_empty() {
                sum += gap;
                (first, second) = if gap > first { (gap, first) } else { (first, second.max(gap)) };
                self.rows.push(r as u32);
                self.sums.push(sum);
            }
        }
        self.most = first + second;
    }

    /// An item that could take some of what a row has left.
    fn fill(&self, state: &State<'_>, shortlist: &Shortlist, rng: &mut Rng) -> Option<(usize, u32)> {
        let at = rng.unit() * self.sums.last()?;
        let row = self.rows[self.sums.partition_point(|&sum| sum < at).min(self.rows.len() - 1)];
        let users = &shortlist.users[row as usize];
        let (kind, column) = users[rng.below(users.len())];
        let items = &state.compiled.kinds[kind as usize].items;
        Some((items[rng.below(items.len())] as usize, column))
    }
}

fn go(state: &mut State<'_>, trail: &mut Vec<(usize, u32)>, item: usize, column: u32) -> f64 {
    trail.push((item, state.at[item]));
    state.shift(item, column)
}

/// Someone on a row that the last move broke.
fn someone(state: &State<'_>, occupants: &Occupants, trail: &[(usize, u32)], rng: &mut Rng) -> Option<usize> {
    let &(item, _) = trail.last()?;
    let (kind, column) = (state.kind(item), state.at[item]);
    if column == OUT {
        return None;
    }
    let over = |row: u32| state.used[row as usize] > state.compiled.rows[row as usize].capacity.into();
    let takes = state.compiled.menu(kind).takes(column);
    let row = takes.iter().map(|t| t.0).find(|&row| over(row));
    let found = match row {
        Some(row) => {
            let list = &occupants.of[row as usize];
            if list.is_empty() {
                return None;
            }
            list[rng.below(list.len())].0 as usize
        }
        None => rng.below(state.at.len()),
    };
    (!trail.iter().any(|t| t.0 == found)).then_some(found)
}

/// Where an item costs least, of a few columns other than its own that do not cost more than `allowed` in excess.
fn make_room(state: &mut State<'_>, item: usize, allowed: f64, shortlist: &Shortlist, rng: &mut Rng) -> (f64, u32) {
    let list = &shortlist.columns[state.kind(item) as usize];
    let (kind, from) = (state.kind(item), state.at[item]);
    let most = allowed + f64::from(shortlist.excess(kind, from));
    let mut best = (f64::INFINITY, from);
    let start = rng.below(list.len());
    for n in 0..TRIES.min(list.len()) {
        // Half of the tries are the best of the list.
        let column = if n % 2 == 0 { list[n / 2] } else { list[(start + n) % list.len()] };
        if column == from || f64::from(shortlist.excess(kind, column)) > most {
            continue;
        }
        let change = state.shift(item, column);
        state.shift(item, from);
        if change < best.0 {
            best = (change, column);
        }
    }
    best
}
