//! The best bound: worths from a linear program, columns for it from the pricing, in turns until neither changes.

use std::collections::HashSet;

use super::{
    costs::Costs,
    master::{Master, Point},
    merge::Merge,
    price::{FRACTION, Pick, Priced, Pricer, Stuck, most_worth, price},
};
use crate::{
    clock::Clock,
    compile::{Block, Compiled, OUT},
    rng::Rng,
};

/// What is known of the least cost.
#[derive(Clone, Debug)]
pub(crate) struct Dual {
    /// By them the bound is proven.
    pub worths: Vec<i128>,
    pub bound: i128,
    /// The same with the fraction, as in [`Priced`]. Where costs do not count, above 0 proves that there is no placement.
    pub value: i128,
    /// How often the linear program takes which picks of a block. Empty where it did not come to an end.
    pub mix: Vec<(u32, Vec<Pick>, f64)>,
    /// What the linear program exceeds rows by, relative to them: nothing, unless it can't help it.
    pub beyond: f64,
    /// The rows that were one in it: of columns that it takes for one, `mix` has the first.
    pub merge: Merge,
}

/// With more rows than this, merged, there is no linear program: its matrix is dense, so that memory grows with their square and time
/// with their cube. What first steps prove is the bound then.
const ROWS: usize = 2_000;
/// With so many columns all go into the program at once.
const COLUMNS: usize = 30_000;
/// What is left of them after the first round.
const MANY: usize = 5_000;
/// How many columns a block gets at once.
const AT_ONCE: usize = 10;
/// The same after the first round, with those that are dearer by this part.
const AT_FIRST: usize = 60;
const WIDE: f64 = 0.3;
/// Those that cost more than this part beyond what their block pays are forgotten.
const NEAR: f64 = 0.1;
const ROUNDS: usize = 40;
/// Steps, each shorter by so much; of a linear program's first worths, and where there will be none.
const WARM: (usize, f64) = (30, 0.9);
const ALONE: (usize, f64) = (1_000, 0.995);
/// Relative to the cost.
const CLOSE: f64 = 1e-6;
/// What the rows may be exceeded by together, relative to them, before exceeding them becomes dearer.
const BEYOND: f64 = 1e-6;
/// What exceeding a row by all of it costs, in mean costs of all items: at first, and at most.
const PENALTY: f64 = 0.2;
const MOST_PENALTY: f64 = 1e3;

/// Alike items and hosts can change places for nothing, so that the program's solution is a mean of many and hard to round.
/// Where costs differ by chance by such a part, it is one of them; from this heat, to this tolerance.
const NUDGE: f64 = 1e-4;
const NUDGED: (f64, f64) = (1e-4, 1e-10);

pub(crate) fn dual(compiled: &Compiled, costs: Costs, clock: &Clock<'_>) -> Result<Dual, Stuck> {
    let mut search = Search::new(compiled, costs)?;
    let costly = costs != Costs::None;
    if compiled.rows.is_empty() {
        let picks = price(compiled, &[], costs)?.picks;
        search.best.mix = picks.into_iter().zip(0..).map(|(picks, block)| (block, picks, 1.0)).collect();
        return Ok(search.best);
    }
    search.warm(clock)?;
    if search.best.merge.rows > ROWS {
        return Ok(search.best);
    }
    search.first_columns();
    let (mut heat, mut tolerance) = (if costly { 1.0 } else { 1e-2 }, 1e-3);
    for round in 0..ROUNDS {
        let first = round == 0;
        if clock.over() || !costly && search.best.value > 0 {
            break;
        }
        let (point, value) = search.round(heat, tolerance, clock);
        let (fresh, bound) = search.price(&point.prices, first)?;
        if clock.over() {
            break;
        }
        let open = (value - bound) / value.abs().max(1e-9);
        let beyond: f64 = point.beyond.iter().sum();
        search.keep(&point);
        if open < 5e-3 && beyond < BEYOND {
            search.forget(&point);
        }
        if costly && beyond > BEYOND && open < 1e-2 && search.penalty < MOST_PENALTY * compiled.kind_of.len() as f64 {
            search.penalty *= 4.0;
            (heat, tolerance) = (0.1, 1e-3);
            continue;
        }
        if (fresh == 0 || open < CLOSE) && tolerance <= CLOSE {
            break;
        }
        tolerance = (open * 0.05).clamp(CLOSE, (tolerance * 0.3).max(CLOSE));
        heat = (open * 0.3).clamp(1e-5, 1e-2);
    }
    if costly && !clock.over() {
        search.nudge = NUDGE;
        let mix = search.best.mix.clone();
        let (point, _) = search.round(NUDGED.0, NUDGED.1, clock);
        search.keep(&point);
        // It did not come to an end.
        if clock.over() || !mix.is_empty() && search.best.mix.len() > mix.len() {
            search.best.mix = mix;
        }
    }
    Ok(search.best)
}

struct Search<'a> {
    compiled: &'a Compiled,
    costs: Costs,
    grain: i64,
    /// 10⁻⁹ units of money in a unit of the linear program.
    money: f64,
    penalty: f64,
    /// By what part costs are changed at random.
    nudge: f64,
    sizes: Vec<f64>,
    /// The most that each merged row may be worth.
    most: Vec<i128>,
    /// Scaled, of each row.
    worths: Vec<f64>,
    best_worths: Vec<f64>,
    known: Vec<(u32, Vec<Pick>)>,
    ids: HashSet<(u32, Vec<Pick>)>,
    best: Dual,
}

impl<'a> Search<'a> {
    fn new(compiled: &'a Compiled, costs: Costs) -> Result<Self, Stuck> {
        let (merge, free) = (Merge::new(compiled), vec![0; compiled.rows.len()]);
        let priced = price(compiled, &free, costs)?;
        let items = compiled.kind_of.len().max(1) as f64;
        let mean = match costs {
            Costs::Beyond(_) => {
                compiled.kinds.iter().filter_map(|k| k.out).map(|out| costs.out(out)).max().unwrap_or(0) as f64
            }
            _ => priced.value as f64 / 2f64.powi(FRACTION as i32) / items,
        };
        let costly = costs != Costs::None;
        let money = if costly { mean.max(1.0) } else { 1e6 };
        let grain = costs.grain(compiled);
        let sizes = compiled.rows.iter().map(|r| if r.capacity > 0 { r.capacity } else { r.largest.max(1) } as f64);
        let sizes = merge.sums(sizes);
        let mut most = vec![i128::MAX; merge.rows];
        for (row, merged) in compiled.rows.iter().zip(&merge.merged) {
            most[*merged as usize] = most[*merged as usize].min(most_worth(row));
        }
        let (worths, best_worths) = (vec![0.0; merge.rows], vec![0.0; merge.rows]);
        let (bound, value) = (priced.bound(grain), priced.value);
        let best = Dual { worths: free, bound, value, mix: Vec::new(), beyond: 0.0, merge };
        Ok(Self {
            compiled,
            costs,
            grain,
            money,
            nudge: 0.0,
            penalty: if costly { PENALTY * items } else { 1.0 },
            sizes,
            most,
            worths,
            best_worths,
            known: Vec::new(),
            ids: HashSet::new(),
            best,
        })
    }

    fn exact(&self, worths: &[f64]) -> Vec<i128> {
        let unit = self.money * 2f64.powi(FRACTION as i32);
        let each = worths.iter().zip(&self.sizes).zip(&self.most);
        let each: Vec<i128> =
            each.map(|((worth, size), most)| ((worth * unit / size) as i128).clamp(0, *most)).collect();
        self.best.merge.merged.iter().map(|merged| each[*merged as usize]).collect()
    }

    fn pricer<'p>(&'p self, worths: &'p [i128]) -> Pricer<'p> {
        Pricer::new(self.compiled, worths, self.costs, Some(&self.best.merge))
    }

    /// The value of these worths, in the linear program's money.
    fn value(&mut self, priced: &Priced, worths: Vec<i128>) -> f64 {
        if priced.value > self.best.value {
            self.best.value = priced.value;
            self.best_worths.clone_from(&self.worths);
            self.best.bound = self.best.bound.max(priced.bound(self.grain));
            self.best.worths = worths;
        }
        priced.value as f64 / 2f64.powi(FRACTION as i32) / self.money
    }

    /// Steps along what exceeds the rows and what is left of them.
    fn warm(&mut self, clock: &Clock<'_>) -> Result<(), Stuck> {
        let mut best: Option<(f64, Vec<f64>)> = None;
        let mut length = 0.0;
        let alone = self.best.merge.rows > ROWS;
        let (steps, shorter) = if alone { ALONE } else { WARM };
        for step in 0..steps {
            if clock.over() {
                return Ok(());
            }
            let worths = self.exact(&self.worths);
            let priced = self.pricer(&worths).price()?;
            let over = self.compiled.rows.iter().zip(&priced.used);
            let over = self.best.merge.sums(over.map(|(row, used)| (*used - i128::from(row.capacity)) as f64));
            let over: Vec<f64> = over.iter().zip(&self.sizes).map(|(over, size)| over / size).collect();
            let value = self.value(&priced, worths);
            self.learn(priced);
            if best.as_ref().is_none_or(|(old, _)| value > *old) {
                best = Some((value, self.worths.clone()));
            }
            let size =
                over.iter().zip(&self.worths).filter(|(g, w)| **g > 0.0 || **w > 0.0).map(|(g, _)| g * g).sum::<f64>();
            if size <= 1e-12 {
                break;
            }
            if step == 0 {
                length = 0.05 * self.compiled.kind_of.len() as f64;
            }
            let by = length * shorter.powi(step as i32) / size;
            self.worths.iter_mut().zip(&over).for_each(|(w, g)| *w = (*w + g * by).max(0.0));
        }
        self.worths = best.map(|(_, worths)| worths).unwrap_or_default();
        Ok(())
    }

    /// All columns of counted kinds, or the best for the worths so far where there are too many.
    fn first_columns(&mut self) {
        let worths = self.exact(&self.worths);
        let pricer = self.pricer(&worths);
        let blocks = &self.compiled.blocks;
        let each = (COLUMNS / blocks.len().max(1)).max(8);
        let all: usize = blocks
            .iter()
            .map(|b| if let Block::Alike(p) = b { self.compiled.menu(p.kind).columns.len() } else { 0 })
            .sum();
        let mut found = Vec::new();
        for (b, block) in blocks.iter().enumerate() {
            let Block::Alike(part) = block else { continue };
            let mut order: Vec<(i128, u32)> = pricer.columns(part.kind).collect();
            if all > COLUMNS && order.len() > each {
                order.select_nth_unstable(each);
                order.truncate(each);
            }
            let out = pricer.out(part.kind).map(|cost| (cost, OUT));
            found.extend(
                order.into_iter().chain(out).map(|(_, column)| (b as u32, vec![(part.kind, column, part.count)])),
            );
        }
        for (block, picks) in found {
            self.add(block, picks);
        }
    }

    /// Whether it is new.
    fn add(&mut self, block: u32, picks: Vec<Pick>) -> bool {
        let new = self.ids.insert((block, picks.clone()));
        if new {
            self.known.push((block, picks));
        }
        new
    }

    fn learn(&mut self, priced: Priced) -> usize {
        (0..).zip(priced.picks).filter(|(block, picks)| self.add(*block, picks.clone())).count()
    }

    /// Solves the program for the columns that are known.
    fn round(&mut self, heat: f64, tolerance: f64, clock: &Clock<'_>) -> (Point, f64) {
        self.known.sort_by_key(|k| k.0);
        let mut master = Master {
            counts: vec![1.0; self.compiled.blocks.len()],
            rows: self.best.merge.rows,
            penalty: self.penalty,
            ..Master::default()
        };
        let mut uses: Vec<(u32, f64)> = Vec::new();
        let mut rng = Rng::new(1);
        for (block, picks) in &self.known {
            uses.clear();
            let mut cost = 0.0;
            for &(kind, column, count) in picks {
                let count = f64::from(count);
                cost += self.costs.of(self.compiled, kind, column) as f64 * count / self.money;
                self.compiled.uses(kind, column, |row, amount| {
                    let row = self.best.merge.merged[row];
                    let amount = amount as f64 * count / self.sizes[row as usize];
                    match uses.iter_mut().find(|u| u.0 == row) {
                        Some(known) => known.1 += amount,
                        None => uses.push((row, amount)),
                    }
                });
            }
            cost *= 1.0 + self.nudge * rng.unit();
            master.push(*block, cost, uses.iter().copied());
        }
        // A row of capacity 0 is scaled by what is taken of it.
        let right = self.best.merge.sums(self.compiled.rows.iter().map(|r| f64::from(u8::from(r.capacity > 0))));
        master.right = right.into_iter().map(|held| f64::from(u8::from(held > 0.0))).collect();
        let point = master.solve(&self.best_worths, heat, tolerance, || !clock.over());
        self.worths.clone_from(&point.worths);
        let cost: f64 = master.columns.iter().zip(&point.chosen).map(|(c, x)| c.cost * x).sum();
        let value = cost + master.penalty * point.beyond.iter().sum::<f64>();
        (point, value)
    }

    /// Prices the worths exactly: how many columns were new, and the value.
    fn price(&mut self, prices: &[f64], wide: bool) -> Result<(usize, f64), Stuck> {
        let worths = self.exact(&self.worths);
        let pricer = self.pricer(&worths);
        let priced = pricer.price()?;
        let mut found = Vec::new();
        for (b, block) in self.compiled.blocks.iter().enumerate() {
            let Block::Alike(part) = block else { continue };
            let most = prices[b] * self.money * 2f64.powi(FRACTION as i32) / f64::from(part.count);
            let (most, at_once) = if wide { (most + WIDE * most.abs(), AT_FIRST) } else { (most, AT_ONCE) };
            let mut cheaper: Vec<(i128, u32)> = pricer.columns(part.kind).filter(|c| (c.0 as f64) < most).collect();
            if cheaper.len() > at_once {
                cheaper.select_nth_unstable(at_once);
                cheaper.truncate(at_once);
            }
            found.extend(cheaper.into_iter().map(|(_, column)| (b as u32, vec![(part.kind, column, part.count)])));
        }
        let value = self.value(&priced, worths);
        let more = found.into_iter().filter(|(block, picks)| self.add(*block, picks.clone())).count();
        Ok((self.learn(priced) + more, value))
    }

    /// Forgets columns that are far from being chosen. What is missed comes back by the pricing.
    fn forget(&mut self, point: &Point) {
        let each = (8 * MANY / self.compiled.blocks.len()).max(4);
        if self.known.len() < 2 * MANY {
            return;
        }
        let mut kept = Vec::new();
        let count = point.chosen.len();
        let mut start = 0;
        while start < count {
            let block = self.known[start].0;
            let end = start + self.known[start..count].iter().take_while(|k| k.0 == block).count();
            let mut order: Vec<usize> = (start..end).collect();
            order.sort_by(|&a, &b| point.reduced[a].total_cmp(&point.reduced[b]).then(a.cmp(&b)));
            order.retain(|&c| point.reduced[c] <= NEAR * point.prices[block as usize].abs() || point.chosen[c] > 1e-3);
            order.truncate(each);
            kept.extend(order);
            start = end;
        }
        kept.extend(count..self.known.len());
        kept.sort_unstable();
        let mut known = std::mem::take(&mut self.known);
        self.known = kept.into_iter().map(|k| std::mem::take(&mut known[k])).collect();
        self.ids = self.known.iter().cloned().collect();
    }

    fn keep(&mut self, point: &Point) {
        let chosen = self.known.iter().zip(&point.chosen).filter(|(_, x)| **x > 1e-6);
        self.best.mix = chosen.map(|((block, picks), x)| (*block, picks.clone(), *x)).collect();
        self.best.beyond = point.beyond.iter().sum();
    }
}
