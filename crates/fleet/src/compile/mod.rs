//! The model as the search sees it: only rows that can bind, alike items counted, each menu without what can't be best.

mod blocks;
mod menu;

use std::collections::HashMap;

use crate::model::{Class, Model, Take};

pub(crate) use blocks::{Block, Part};
pub(crate) use menu::Menu;

/// The column of an item that is left out.
pub(crate) const OUT: u32 = u32::MAX;
const NO_ROW: u32 = u32::MAX;

/// Where a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Limit(u32),
    /// What one domain of a spread holds at most.
    Spread(u32),
}

/// A limit that can bind.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub source: Source,
    pub capacity: i64,
    /// The most that one item can take.
    pub largest: i64,
}

/// Items that are alike in everything.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub menu: u32,
    /// Rows from which the price is taken.
    pub pays: Vec<u32>,
    pub out: Option<i64>,
    pub items: Vec<u32>,
    /// Those that it is in.
    pub spreads: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub rows: Vec<Row>,
    pub menus: Vec<Menu>,
    pub kinds: Vec<Kind>,
    pub kind_of: Vec<u32>,
    pub blocks: Vec<Block>,
    /// Of each spread, whether what a domain holds at most is among the rows.
    pub in_rows: Vec<bool>,
    /// Every cost is a multiple of it, and so is every objective.
    pub grain: i64,
}

impl Compiled {
    pub fn new(model: &Model) -> Self {
        let mut rows = Vec::new();
        let dearest = |class: &Class| class.candidates.iter().map(|c| c.price).max().unwrap_or(0);
        let dearest: Vec<i64> = model.classes.iter().map(dearest).collect();
        let row_of = rows_that_bind(model, &dearest, &mut rows);
        let mut of_item: Vec<Vec<u32>> = vec![Vec::new(); model.items.len()];
        for (s, spread) in model.spreads.iter().enumerate() {
            spread.items.iter().for_each(|&i| of_item[i as usize].push(s as u32));
        }
        let (in_rows, domain_rows) = blocks::crowd_rows(model, &mut rows);
        let (mut menus, mut kinds): (Vec<Menu>, Vec<Kind>) = (Vec::new(), Vec::new());
        let (mut menu_ids, mut kind_ids) = (HashMap::new(), HashMap::new());
        let mut kind_of = Vec::with_capacity(model.items.len());
        for (i, item) in model.items.iter().enumerate() {
            let spreads = std::mem::take(&mut of_item[i]);
            let mut pays: Vec<u32> = item.pays.iter().map(|&l| row_of[l as usize]).filter(|&r| r != NO_ROW).collect();
            pays.sort_unstable();
            let out = if item.fixed.is_some() { None } else { item.unplaced_cost };
            let key = (item.class, pays, out, item.fixed, spreads);
            let kind = *kind_ids.entry(key.clone()).or_insert_with(|| {
                let (class, pays, out, fixed, spreads) = key;
                let purse = pays.iter().map(|&r| rows[r as usize].capacity).min();
                let purse = purse.map(|purse| if purse < dearest[class as usize] { purse } else { i64::MAX });
                let menu_key = menu::Key::new(model, class, fixed, purse, &spreads, &in_rows);
                let menu = *menu_ids.entry(menu_key).or_insert_with_key(|key| {
                    menus.push(Menu::new(model, key, &row_of, &mut rows, &domain_rows));
                    (menus.len() - 1) as u32
                });
                kinds.push(Kind { menu, pays, out, items: Vec::new(), spreads });
                (kinds.len() - 1) as u32
            });
            kinds[kind as usize].items.push(i as u32);
            kind_of.push(kind);
        }
        for kind in &kinds {
            let dearest = menus[kind.menu as usize].columns.iter().map(|c| c.price).max().unwrap_or(0);
            for &r in &kind.pays {
                let row = &mut rows[r as usize];
                row.largest = row.largest.max(dearest.min(row.capacity));
            }
        }
        let blocks = blocks::blocks(model, &kinds, &menus, &in_rows);
        let grain = grain(&kinds, &menus);
        Self { rows, menus, kinds, kind_of, blocks, in_rows, grain }
    }

    pub fn menu(&self, kind: u32) -> &Menu {
        &self.menus[self.kinds[kind as usize].menu as usize]
    }

    /// What the column of a kind costs.
    pub fn cost(&self, kind: u32, column: u32) -> i64 {
        match column {
            OUT => self.kinds[kind as usize].out.unwrap_or(0),
            column => self.menu(kind).columns[column as usize].cost,
        }
    }

    /// Calls `each` with what an item of the kind takes of a row in this column. A row may come twice.
    pub fn uses(&self, kind: u32, column: u32, mut each: impl FnMut(usize, i64)) {
        if column == OUT {
            return;
        }
        let menu = self.menu(kind);
        menu.takes(column).iter().for_each(|&(row, amount)| each(row as usize, amount));
        let price = menu.columns[column as usize].price;
        self.kinds[kind as usize].pays.iter().for_each(|&row| each(row as usize, price));
    }
}

/// The row of each limit; none for a limit that holds whatever is done.
fn rows_that_bind(model: &Model, dearest: &[i64], rows: &mut Vec<Row>) -> Vec<u32> {
    let mut sizes = vec![0i128; model.classes.len()];
    model.items.iter().for_each(|item| sizes[item.class as usize] += 1);
    let mut most = vec![0i128; model.limits.len()];
    // What one item of the class takes at most, and of which limits.
    let mut largest = vec![0i128; model.limits.len()];
    let (mut taken, mut one): (Vec<u32>, Vec<Take>) = (Vec::new(), Vec::new());
    for (class, size) in model.classes.iter().zip(sizes) {
        for candidate in &class.candidates {
            one.clear();
            one.extend(candidate.takes.iter().chain(&model.places[candidate.place as usize].takes));
            one.sort_unstable();
            for same in one.chunk_by(|a, b| a.limit == b.limit) {
                let sum: i128 = same.iter().map(|t| i128::from(t.amount)).sum();
                let known = &mut largest[same[0].limit as usize];
                if *known == 0 {
                    taken.push(same[0].limit);
                }
                *known = sum.max(*known);
            }
        }
        for limit in taken.drain(..) {
            most[limit as usize] += std::mem::take(&mut largest[limit as usize]) * size;
        }
    }
    for item in &model.items {
        item.pays.iter().for_each(|&l| most[l as usize] += i128::from(dearest[item.class as usize]));
    }
    let mut row_of = vec![NO_ROW; model.limits.len()];
    for (limit, (&capacity, &total)) in model.limits.iter().zip(&most).enumerate() {
        if capacity < i64::MAX && total > i128::from(capacity) {
            row_of[limit] = rows.len() as u32;
            rows.push(Row { source: Source::Limit(limit as u32), capacity, largest: 0 });
        }
    }
    row_of
}

fn grain(kinds: &[Kind], menus: &[Menu]) -> i64 {
    let costs = menus.iter().flat_map(|m| m.columns.iter().map(|c| c.cost));
    costs.chain(kinds.iter().filter_map(|k| k.out)).fold(0, gcd).max(1)
}

/// The greatest common divisor; of 0 and another, the other.
pub(crate) fn gcd(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
