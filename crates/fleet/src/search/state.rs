//! A placement that may break constraints, at a price, and what changing it would change.

use crate::{
    compile::{Compiled, OUT},
    model::{Model, NO_DOMAIN},
};

/// What breaking constraints costs, in 10⁻⁹ units: of each row by a unit, and of each spread by a domain or an item.
#[derive(Clone, Debug)]
pub(crate) struct Fines {
    pub rows: Vec<f64>,
    pub spreads: Vec<f64>,
}

/// Where spreads find the counts of their domains.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    starts: Vec<usize>,
}

impl Layout {
    pub fn new(model: &Model) -> Self {
        let mut starts = vec![0];
        for spread in &model.spreads {
            starts.push(starts[starts.len() - 1] + model.dimensions[spread.dimension as usize] as usize);
        }
        Self { starts }
    }
}

#[derive(Clone)]
pub(crate) struct State<'a> {
    pub compiled: &'a Compiled,
    pub model: &'a Model,
    layout: &'a Layout,
    pub fines: Fines,
    /// The column of each item.
    pub at: Vec<u32>,
    pub cost: i128,
    pub used: Vec<i128>,
    counts: Vec<u32>,
    spreads: Vec<Tally>,
    /// How many rows and spreads are broken.
    pub broken: usize,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    /// Items that have not entered.
    open: u32,
    placed: u32,
    distinct: u32,
    /// Items beyond what their domain may hold.
    crowd: u32,
}

impl<'a> State<'a> {
    /// `at` has a column for each item.
    pub fn new(compiled: &'a Compiled, model: &'a Model, layout: &'a Layout, fines: Fines, at: Vec<u32>) -> Self {
        let mut state = Self::empty(compiled, model, layout);
        state.fines = fines;
        at.into_iter().enumerate().for_each(|(item, column)| state.enter(item, column));
        state
    }

    /// Nothing is placed yet, and nothing is left out.
    pub fn empty(compiled: &'a Compiled, model: &'a Model, layout: &'a Layout) -> Self {
        let (rows, spreads) = (compiled.rows.len(), model.spreads.len());
        let mut state = Self {
            compiled,
            model,
            layout,
            fines: Fines { rows: vec![0.0; rows], spreads: vec![0.0; spreads] },
            at: vec![OUT; model.items.len()],
            cost: 0,
            used: vec![0; rows],
            counts: vec![0; layout.starts[layout.starts.len() - 1]],
            spreads: model.spreads.iter().map(|s| Tally { open: s.items.len() as u32, ..Tally::default() }).collect(),
            broken: 0,
        };
        state.broken = (0..spreads).filter(|&s| state.breach(s) > 0).count();
        state
    }

    /// Places an item that was not, or leaves it out.
    pub fn enter(&mut self, item: usize, column: u32) {
        self.put(item, column, 1);
        self.at[item] = column;
        let kind = self.compiled.kind_of[item] as usize;
        self.compiled.kinds[kind].spreads.iter().for_each(|&s| self.spreads[s as usize].open -= 1);
    }

    /// The other way round.
    pub fn leave(&mut self, item: usize) {
        self.put(item, self.at[item], -1);
        let kind = self.compiled.kind_of[item] as usize;
        self.compiled.kinds[kind].spreads.iter().for_each(|&s| self.spreads[s as usize].open += 1);
    }

    /// Whether an item of the kind has room there.
    pub fn fits(&self, kind: u32, column: u32) -> bool {
        let mut fits = true;
        self.compiled.uses(kind, column, |row, amount| {
            fits &= self.used[row] + i128::from(amount) <= self.compiled.rows[row].capacity.into();
        });
        fits && (column == OUT
            || self.compiled.kinds[kind as usize].spreads.iter().all(|&s| {
                let spread = &self.model.spreads[s as usize];
                let domain = self.compiled.menu(kind).domains(spread.dimension)[column as usize];
                let most = spread.at_most_each.unwrap_or(u32::MAX);
                domain == NO_DOMAIN || self.counts[self.layout.starts[s as usize] + domain as usize] < most
            }))
    }

    /// Whether the items that have not entered are enough for what spreads still want.
    pub fn can_spread(&self) -> bool {
        self.spreads.iter().zip(&self.model.spreads).all(|(tally, spread)| {
            let needed = |placed| {
                if spread.at_least > spread.items.len() as u32 { spread.at_least } else { spread.at_least.min(placed) }
            };
            tally.distinct + tally.open >= needed(tally.placed + tally.open) || tally.distinct >= needed(tally.placed)
        })
    }

    pub fn kind(&self, item: usize) -> u32 {
        self.compiled.kind_of[item]
    }

    /// Moves an item; what that changes of cost and fines together.
    pub fn shift(&mut self, item: usize, to: u32) -> f64 {
        let from = std::mem::replace(&mut self.at[item], to);
        self.put(item, from, -1) + self.put(item, to, 1)
    }

    /// Adds an item in a column, or takes it out of there.
    fn put(&mut self, item: usize, column: u32, by: i64) -> f64 {
        let (compiled, kind) = (self.compiled, self.compiled.kind_of[item]);
        let cost = compiled.cost(kind, column) * by;
        self.cost += i128::from(cost);
        let mut change = cost as f64;
        compiled.uses(kind, column, |row, amount| {
            let (before, capacity) = (self.used[row], i128::from(compiled.rows[row].capacity));
            let after = before + i128::from(amount * by);
            self.used[row] = after;
            if after > capacity || before > capacity {
                change += self.fines.rows[row] * (over(after, capacity) - over(before, capacity));
                self.broken = self.broken + usize::from(after > capacity) - usize::from(before > capacity);
            }
        });
        for &s in &compiled.kinds[kind as usize].spreads {
            change += self.put_in_spread(s as usize, kind, column, by);
        }
        change
    }

    /// Takes an item out, for [`Self::entry`] to say where it would be cheapest; to be followed by [`Self::put_back`].
    pub fn take_out(&mut self, item: usize) -> f64 {
        self.put(item, self.at[item], -1)
    }

    pub fn put_back(&mut self, item: usize) {
        self.put(item, self.at[item], 1);
    }

    /// What it would cost, with fines, to place an item of the kind that is not placed. A row that the column takes from and
    /// the item pays from is fined as if they did not know of each other.
    pub fn entry(&self, kind: u32, column: u32) -> f64 {
        let compiled = self.compiled;
        let mut cost = compiled.cost(kind, column) as f64;
        compiled.uses(kind, column, |row, amount| {
            let (before, capacity) = (self.used[row], i128::from(compiled.rows[row].capacity));
            let after = before + i128::from(amount);
            if after > capacity {
                cost += self.fines.rows[row] * (over(after, capacity) - over(before, capacity));
            }
        });
        for &s in &compiled.kinds[kind as usize].spreads {
            let mut tally = self.spreads[s as usize];
            if column != OUT {
                let spread = &self.model.spreads[s as usize];
                let domain = compiled.menu(kind).domains(spread.dimension)[column as usize];
                tally.placed += 1;
                if domain != NO_DOMAIN {
                    let count = self.counts[self.layout.starts[s as usize] + domain as usize];
                    tally.distinct += u32::from(count == 0);
                    tally.crowd += u32::from(count >= self.most(s as usize));
                }
            }
            let change = f64::from(self.breach_of(s as usize, &tally)) - f64::from(self.breach(s as usize));
            cost += self.fines.spreads[s as usize] * change;
        }
        cost
    }

    /// How many items a domain of the spread holds, as far as rows do not say it.
    fn most(&self, s: usize) -> u32 {
        if self.compiled.in_rows[s] { u32::MAX } else { self.model.spreads[s].at_most_each.unwrap_or(u32::MAX) }
    }

    fn put_in_spread(&mut self, s: usize, kind: u32, column: u32, by: i64) -> f64 {
        if column == OUT {
            return 0.0;
        }
        let spread = &self.model.spreads[s];
        let domain = self.compiled.menu(kind).domains(spread.dimension)[column as usize];
        let (before, most) = (self.breach(s), self.most(s));
        let tally = &mut self.spreads[s];
        tally.placed = tally.placed.wrapping_add_signed(by as i32);
        if domain != NO_DOMAIN {
            let count = &mut self.counts[self.layout.starts[s] + domain as usize];
            if by > 0 {
                tally.distinct += u32::from(*count == 0);
                tally.crowd += u32::from(*count >= most);
                *count += 1;
            } else {
                *count -= 1;
                tally.distinct -= u32::from(*count == 0);
                tally.crowd -= u32::from(*count >= most);
            }
        }
        let after = self.breach(s);
        self.broken = self.broken + usize::from(after > 0) - usize::from(before > 0);
        self.fines.spreads[s] * (f64::from(after) - f64::from(before))
    }

    /// By how much a spread is broken.
    fn breach(&self, s: usize) -> u32 {
        self.breach_of(s, &self.spreads[s])
    }

    fn breach_of(&self, s: usize, tally: &Tally) -> u32 {
        let spread = &self.model.spreads[s];
        let size = spread.items.len() as u32;
        let needed = if spread.at_least > size { spread.at_least } else { spread.at_least.min(tally.placed) };
        needed.saturating_sub(tally.distinct) + tally.crowd
    }

    /// Makes everything that is broken now dearer.
    pub fn raise(&mut self, by: f64) {
        for (row, used) in self.used.iter().enumerate() {
            if *used > self.compiled.rows[row].capacity.into() {
                self.fines.rows[row] *= by;
            }
        }
        for s in 0..self.spreads.len() {
            if self.breach(s) > 0 {
                self.fines.spreads[s] *= by;
            }
        }
    }

    /// The rows and spreads that are broken.
    pub fn faults(&self) -> (Vec<usize>, Vec<usize>) {
        let over = |&r: &usize| self.used[r] > self.compiled.rows[r].capacity.into();
        let rows = (0..self.used.len()).filter(over).collect();
        (rows, (0..self.spreads.len()).filter(|&s| self.breach(s) > 0).collect())
    }
}

fn over(used: i128, capacity: i128) -> f64 {
    i64::try_from(used - capacity).unwrap_or(i64::MAX).max(0) as f64
}
