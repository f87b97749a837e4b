//! Walks from placement to placement, dearer ones too at first.

use std::time::Instant;

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
    /// Who pays from a row.
    payers: Vec<Vec<u32>>,
}

impl Occupants {
    fn new(state: &State<'_>) -> Self {
        let mut found = Self {
            of: vec![Vec::new(); state.used.len()],
            places: vec![Vec::new(); state.at.len()],
            payers: vec![Vec::new(); state.used.len()],
        };
        for kind in &state.compiled.kinds {
            kind.pays.iter().for_each(|&row| found.payers[row as usize].extend(&kind.items));
        }
        (0..state.at.len()).for_each(|item| found.add(state, item));
        found
    }

    /// One of those on a row, by chance.
    fn one(&self, row: usize, rng: &mut Rng) -> Option<usize> {
        let (on, paying) = (&self.of[row], &self.payers[row]);
        let n = rng.below((on.len() + paying.len()).max(1));
        on.get(n).map(|on| on.0).or_else(|| paying.get(n - on.len()).copied()).map(|item| item as usize)
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
const TRIES: usize = 8;
/// And how many of those that fill what the chain left.
const VACANT: usize = 8;
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
    let start = Instant::now();
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
            let over = (step as f64 / cooling.steps as f64).max(clock.share(start));
            heat = cooling.from * (cooling.to / cooling.from).powf(over);
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
                (item, make_room(state, item, ANYHOW, shortlist, rng).1)
            }
            0 => anyone(state, shortlist, &movable, rng),
            1 => gaps.fill(state, shortlist, rng).unwrap_or_else(|| anyone(state, shortlist, &movable, rng)),
            _ => someone_badly_off(state, shortlist, &movable, rng),
        };
        let from = state.at[item];
        let rise = f64::from(shortlist.excess(state.kind(item), column) - shortlist.excess(state.kind(item), from));
        // Without faults to mend, no chain of moves pays that costs more in excess than the rows have left.
        let allowed = if state.broken == 0 { gaps.most + 8.0 * heat } else { f64::INFINITY };
        if column == from || rise > allowed {
            continue;
        }
        let vacant = scarcest(state, shortlist, state.kind(item), from);
        let mut aim = Aim { allowed: allowed - rise, vacant };
        let before = state.broken;
        let limit = -heat * rng.unit().ln();
        let mut change = go(state, &mut trail, item, column);
        while change > limit && state.broken > before && trail.len() < DEPTH {
            let mut best: Option<(f64, usize, u32)> = None;
            for _ in 0..OTHERS {
                let Some(other) = someone(state, &occupants, &trail, rng) else { continue };
                let found = make_room(state, other, aim, shortlist, rng);
                if best.is_none_or(|b| found.0 < b.0) {
                    best = Some((found.0, other, found.1));
                }
            }
            let Some((_, other, column)) = best.filter(|b| b.0.is_finite()) else { break };
            let rise =
                shortlist.excess(state.kind(other), column) - shortlist.excess(state.kind(other), state.at[other]);
            aim.allowed -= f64::from(rise);
            change += go(state, &mut trail, other, column);
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
    occupants.one(row, rng)
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

/// Someone on a row that the last move broke, or in its spread.
fn someone(state: &State<'_>, occupants: &Occupants, trail: &[(usize, u32)], rng: &mut Rng) -> Option<usize> {
    let &(item, _) = trail.last()?;
    let (kind, column) = (state.kind(item), state.at[item]);
    if column == OUT {
        return None;
    }
    let mut row = None;
    state.compiled.uses(kind, column, |r, _| {
        if row.is_none() && state.used[r] > state.compiled.rows[r].capacity.into() {
            row = Some(r);
        }
    });
    let found = match row {
        Some(row) => occupants.one(row, rng)?,
        None => {
            let spreads = &state.compiled.kinds[kind as usize].spreads;
            let spread = spreads.get(rng.below(spreads.len().max(1)))?;
            let items = &state.model.spreads[*spread as usize].items;
            items[rng.below(items.len())] as usize
        }
    };
    (!trail.iter().any(|t| t.0 == found)).then_some(found)
}

const ANYHOW: Aim = Aim { allowed: f64::INFINITY, vacant: None };

/// What a chain of moves looks for.
#[derive(Clone, Copy)]
struct Aim {
    /// What it may cost in excess.
    allowed: f64,
    /// The row that it left room on.
    vacant: Option<u32>,
}

/// The row of a column that fewest can take from.
fn scarcest(state: &State<'_>, shortlist: &Shortlist, kind: u32, column: u32) -> Option<u32> {
    if column == OUT {
        return None;
    }
    let rows = state.compiled.menu(kind).takes(column).iter().map(|t| t.0);
    rows.min_by_key(|&row| shortlist.users[row as usize].len())
}

/// Where an item costs least, of a few columns other than its own.
fn make_room(state: &mut State<'_>, item: usize, aim: Aim, shortlist: &Shortlist, rng: &mut Rng) -> (f64, u32) {
    let (kind, from) = (state.kind(item), state.at[item]);
    let (list, start) = (&shortlist.columns[kind as usize], rng.below(1 << 16));
    let vacant = aim.vacant.map_or(&[][..], |row| shortlist.on_row(kind, row));
    let vacant = (0..VACANT.min(vacant.len())).map(|n| vacant[(start + n) % vacant.len()].1);
    // Half of the other tries are the best of the list.
    let half = |n: usize| if n.is_multiple_of(2) { list[n / 2] } else { list[(start + n) % list.len()] };
    let most = aim.allowed + f64::from(shortlist.excess(kind, from));
    let free = state.compiled.kinds[kind as usize].spreads.is_empty();
    let mut best = (f64::INFINITY, from);
    let left = state.take_out(item);
    for column in vacant.chain((0..TRIES.min(list.len())).map(half)) {
        if column == from || f64::from(shortlist.excess(kind, column)) > most {
            continue;
        }
        if free && state.compiled.cost(kind, column) as f64 >= best.0 {
            continue;
        }
        let cost = state.entry(kind, column);
        if cost < best.0 {
            best = (cost, column);
        }
    }
    state.put_back(item);
    (left + best.0, best.1)
}
