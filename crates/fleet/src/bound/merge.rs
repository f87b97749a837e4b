//! Rows that are used alike, as those of hosts of one sort, made one for the linear program. What is proven does not rest on
//! which they are: all of them are then worth the same, and so are columns that differ in nothing else.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::compile::{Compiled, Menu, Source};

/// So few rows are each taken for itself.
const FEW: usize = 400;

#[derive(Clone, Debug)]
pub(crate) struct Merge {
    /// Of each row, which of the merged it is part of.
    pub merged: Vec<u32>,
    /// How many these are.
    pub rows: usize,
    /// Of each menu; empty where all are for themselves.
    same: Vec<Same>,
}

/// Columns of a menu that differ only in which of the merged rows' parts they take from.
#[derive(Clone, Debug, Default)]
struct Same {
    /// Of each column, the first that is the same.
    first: Vec<u32>,
    /// Those that are a first.
    distinct: Vec<u32>,
}

impl Merge {
    pub fn new(compiled: &Compiled) -> Self {
        let count = compiled.rows.len();
        if count <= FEW {
            return Self { merged: (0..count as u32).collect(), rows: count, same: Vec::new() };
        }
        let mut known = HashMap::new();
        let mut merged = Vec::new();
        for key in uses(compiled) {
            let next = known.len() as u32;
            merged.push(*known.entry(key).or_insert(next));
        }
        let rows = known.len();
        let of = |menu| Same::new(menu, &merged);
        let same = if rows < count { compiled.menus.iter().map(of).collect() } else { Vec::new() };
        Self { merged, rows, same }
    }

    /// Whether any two rows are one.
    pub fn any(&self) -> bool {
        self.rows < self.merged.len()
    }

    /// The first column that is the same to the linear program.
    pub fn first(&self, menu: u32, column: u32) -> u32 {
        self.same.get(menu as usize).map_or(column, |same| same.first[column as usize])
    }

    /// The columns of a menu that are not the same as one before them, where any rows are one.
    pub fn distinct(&self, menu: u32) -> &[u32] {
        self.same.get(menu as usize).map_or(&[], |same| &same.distinct)
    }

    /// Sums over the parts of each merged row.
    pub fn sums(&self, of: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut sums = vec![0.0; self.rows];
        of.zip(&self.merged).for_each(|(value, row)| sums[*row as usize] += value);
        sums
    }
}

/// What each row is used for, and within a factor of two what it holds. Budgets, and what a domain of a spread holds, are each
/// like no other.
fn uses(compiled: &Compiled) -> Vec<(Sketch, u32, u32)> {
    let mut all: Vec<(Sketch, u32, u32)> =
        compiled.rows.iter().map(|row| (NOTHING, row.capacity.max(1).ilog2(), u32::MAX)).collect();
    for (number, menu) in compiled.menus.iter().enumerate() {
        for (c, column) in (0..).zip(&menu.columns) {
            for &(row, amount) in menu.takes(c) {
                add(&mut all[row as usize].0, (number, column.cost, column.price, amount));
            }
        }
    }
    let budgets = compiled.kinds.iter().flat_map(|kind| &kind.pays).copied();
    let spreads = (0..).zip(&compiled.rows).filter(|(_, row)| matches!(row.source, Source::Spread(_)));
    budgets.chain(spreads.map(|(row, _)| row)).for_each(|row| all[row as usize].2 = row);
    all
}

/// MinHash of the columns that take from a row: the least of each of eight hashes. That two rows agree in one is as likely as
/// that a column of either is one of both; in all eight they agree nearly always where few columns are only one's, as those of
/// the machines that a host has already, and hardly ever where half of them are.
type Sketch = [u64; 8];
const NOTHING: Sketch = [u64::MAX; 8];

fn add(sketch: &mut Sketch, column: impl Hash) {
    let mut hasher = DefaultHasher::new();
    column.hash(&mut hasher);
    let hash = hasher.finish();
    for (n, least) in (0..).zip(sketch) {
        *least = hash.rotate_left(8 * n).wrapping_mul(0x9e37_79b9_7f4a_7c15).min(*least);
    }
}

impl Same {
    fn new(menu: &Menu, merged: &[u32]) -> Self {
        let mut known = HashMap::new();
        let mut same = Self::default();
        for (c, column) in (0..).zip(&menu.columns) {
            let mut takes: Vec<(u32, i64)> =
                menu.takes(c).iter().map(|&(row, amount)| (merged[row as usize], amount)).collect();
            takes.sort_unstable();
            let domains: Vec<u32> = menu.dimensions().iter().map(|(_, domains)| domains[c as usize]).collect();
            let first = *known.entry((column.cost, column.price, domains, takes)).or_insert(c);
            if first == c {
                same.distinct.push(c);
            }
            same.first.push(first);
        }
        same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        draft::Draft,
        model::{Candidate, Item, Place, Take},
    };

    /// Hosts of two prices and three sizes, two sorts of machine, and a budget.
    #[test]
    fn hosts_of_one_sort_and_about_one_size_are_one() {
        let mut draft = Draft::default();
        let budget = draft.limit(400);
        let host = |n: usize| (1 + (n % 2) as i64, [40, 50, 90][n % 3]);
        let rooms: Vec<u32> = (0..600).map(|n| draft.limit(host(n).1)).collect();
        for need in [2, 3] {
            let mut columns = Vec::new();
            for (n, &limit) in rooms.iter().enumerate() {
                let place = draft.place(Place { domains: vec![], takes: vec![Take { limit, amount: need }] });
                let cost = need * host(n).0;
                columns.push(Candidate { option: n as u32, place, cost, price: cost, takes: vec![] });
            }
            let class = draft.class(columns);
            let item = Item { class, pays: vec![budget], ..Item::default() };
            draft.model.items.extend(vec![item; 100]);
        }
        let compiled = Compiled::new(&draft.model);
        assert_eq!(compiled.rows.len(), 601);
        let merge = Merge::new(&compiled);
        // Two prices by two sizes (40 and 50 are within a factor of two), and the budget.
        assert_eq!(merge.rows, 5);
        for (number, menu) in (0..).zip(&compiled.menus) {
            let of = |column: u32| (menu.columns[column as usize].cost, menu.takes(column)[0].0);
            let mut firsts: Vec<u32> = (0..menu.columns.len() as u32).map(|c| merge.first(number, c)).collect();
            for (column, &first) in (0..).zip(&firsts) {
                let (mine, its) = (of(column), of(first));
                assert_eq!(mine.0, its.0);
                assert_eq!(merge.merged[mine.1 as usize], merge.merged[its.1 as usize]);
            }
            firsts.sort_unstable();
            firsts.dedup();
            assert_eq!(firsts.len(), 4);
        }
        let held = merge.sums(compiled.rows.iter().map(|row| row.capacity as f64));
        assert_eq!(held.iter().sum::<f64>(), compiled.rows.iter().map(|row| row.capacity as f64).sum::<f64>());
    }

    /// Each host has a machine already, which is dearer everywhere else.
    #[test]
    fn hosts_that_differ_by_the_machines_on_them_are_nearly_all_one() {
        let mut draft = Draft::default();
        let rooms: Vec<u32> = (0..600).map(|_| draft.limit(3)).collect();
        for home in 0..rooms.len() {
            let column = |(n, &limit): (usize, &u32)| Candidate {
                option: n as u32,
                cost: 10 + i64::from(n != home),
                takes: vec![Take { limit, amount: 2 }],
                ..Candidate::default()
            };
            draft.place(Place::default());
            let class = draft.class(rooms.iter().enumerate().map(column));
            draft.model.items.push(Item { class, ..Item::default() });
        }
        let merge = Merge::new(&Compiled::new(&draft.model));
        assert!(merge.rows < 60, "{}", merge.rows);
    }

    /// Machines of one half of the hosts can't go to the other.
    #[test]
    fn hosts_of_other_machines_are_not_one() {
        let mut draft = Draft::default();
        let rooms: Vec<u32> = (0..600).map(|_| draft.limit(40)).collect();
        draft.place(Place::default());
        for half in rooms.chunks(300) {
            for need in 2..9 {
                let column = |&limit: &u32| Candidate {
                    cost: need,
                    takes: vec![Take { limit, amount: need }],
                    ..Candidate::default()
                };
                let class = draft.class(half.iter().map(column));
                draft.model.items.extend(vec![Item { class, ..Item::default() }; 100]);
            }
        }
        assert_eq!(Merge::new(&Compiled::new(&draft.model)).rows, 2);
    }
}
