//! Where there is room among columns that the linear program took for one.

use std::collections::{HashMap, HashSet};

use crate::{bound::Dual, compile::Compiled};

pub(crate) struct Room<'a> {
    compiled: &'a Compiled,
    used: Vec<i128>,
    /// By menu and first column: all that are the same, of what the linear program chose. All others would be as many as the
    /// catalog has offers.
    same: HashMap<(u32, u32), Vec<u32>>,
    /// By kind and first column, how many of them have no room for this kind any more.
    full: HashMap<(u32, u32), usize>,
}

impl<'a> Room<'a> {
    pub fn new(compiled: &'a Compiled, dual: &Dual) -> Self {
        let menu_of = |kind: u32| compiled.kinds[kind as usize].menu;
        let picks = dual.mix.iter().flat_map(|(_, picks, _)| picks);
        let chosen: HashSet<(u32, u32)> = picks.map(|(kind, column, _)| (menu_of(*kind), *column)).collect();
        let mut same: HashMap<(u32, u32), Vec<u32>> = HashMap::new();
        for (number, menu) in (0..).zip(&compiled.menus) {
            for column in 0..menu.columns.len() as u32 {
                let first = (number, dual.merge.first(number, column));
                if chosen.contains(&first) {
                    same.entry(first).or_default().push(column);
                }
            }
        }
        Self { compiled, used: vec![0; compiled.rows.len()], same, full: HashMap::new() }
    }

    /// The first of the columns that has room for one more item of the kind, which then takes it.
    pub fn take(&mut self, kind: u32, first: u32) -> Option<u32> {
        let menu = self.compiled.kinds[kind as usize].menu;
        let same = self.same.get(&(menu, first))?;
        let full = self.full.entry((kind, first)).or_default();
        while let Some(&column) = same.get(*full) {
            let mut fits = true;
            self.compiled.uses(kind, column, |row, amount| {
                fits &= self.used[row] + i128::from(amount) <= self.compiled.rows[row].capacity.into();
            });
            if fits {
                self.compiled.uses(kind, column, |row, amount| self.used[row] += i128::from(amount));
                return Some(column);
            }
            *full += 1;
        }
        None
    }
}
