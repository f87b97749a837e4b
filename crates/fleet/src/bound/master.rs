//! What the rows are worth: a linear program over the columns that are known so far, solved by an interior-point method.
//!
//! Minimise the cost, with each block's columns adding up to its count and each row within its capacity; to exceed a row costs
//! `PENALTY` so that there always is a solution. Each block has one equation, so that what is left to factor is a dense system
//! of one line for each row. Everything is scaled: costs by the mean, rows by their capacity. Nothing here is trusted: the
//! worths are rounded to integers and priced exactly afterwards.

use super::cholesky::Factor;

#[derive(Clone, Debug, Default)]
pub(super) struct Master {
    /// How often a column of the block is chosen in total.
    pub counts: Vec<f64>,
    pub columns: Vec<Column>,
    pub uses: Vec<(u32, f64)>,
    pub rows: usize,
    /// What each row holds.
    pub right: Vec<f64>,
    /// What a unit beyond a row costs.
    pub penalty: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub block: u32,
    pub cost: f64,
    uses: (u32, u32),
}

/// A point inside.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// Of each row, from 0 to the penalty.
    pub worths: Vec<f64>,
    /// How often each column is chosen.
    pub chosen: Vec<f64>,
    /// What is used beyond each row.
    pub beyond: Vec<f64>,
    /// What each block pays.
    pub prices: Vec<f64>,
    /// What each column costs beyond what its block pays.
    pub reduced: Vec<f64>,
    pub steps: usize,
}

impl Master {
    /// Columns come block by block, in their order.
    pub fn push(&mut self, block: u32, cost: f64, uses: impl IntoIterator<Item = (u32, f64)>) {
        let start = self.uses.len() as u32;
        self.uses.extend(uses);
        self.columns.push(Column { block, cost, uses: (start, self.uses.len() as u32) });
    }

    fn uses(&self, column: &Column) -> &[(u32, f64)] {
        &self.uses[column.uses.0 as usize..column.uses.1 as usize]
    }

    /// From these worths, until what is still to be gained is less than `tolerance` of the cost, or `go_on` says no.
    pub fn solve(&self, worths: &[f64], heat: f64, tolerance: f64, mut go_on: impl FnMut() -> bool) -> Point {
        let mut walk = Walk::start(self, worths, heat);
        for _ in 0..STEPS {
            if walk.gap() <= tolerance * walk.cost().abs().max(1e-9) && walk.residual() < 1e-6 || !go_on() {
                break;
            }
            walk.point.steps += 1;
            if !walk.step() {
                break;
            }
        }
        walk.point
    }
}

const STEPS: usize = 80;

struct Walk<'a> {
    master: &'a Master,
    point: Point,
    /// Left of each row.
    slack: Vec<f64>,
    /// The columns of each block.
    ranges: Vec<std::ops::Range<usize>>,
    /// The rows that each block touches, and for each use its place among them.
    touched: Vec<Vec<u32>>,
    local: Vec<u32>,
}

struct Move {
    worths: Vec<f64>,
    prices: Vec<f64>,
    chosen: Vec<f64>,
    slack: Vec<f64>,
    beyond: Vec<f64>,
    reduced: Vec<f64>,
}

impl<'a> Walk<'a> {
    /// In the middle for these worths: every product of a quantity and its price is `heat`.
    fn start(master: &'a Master, worths: &[f64], heat: f64) -> Self {
        let edge = (heat.min(1e-2)).min(master.penalty * 1e-3);
        let worths: Vec<f64> = worths.iter().map(|w| w.clamp(edge, master.penalty - edge)).collect();
        let mut ranges = vec![0..0; master.counts.len()];
        for (c, column) in master.columns.iter().enumerate() {
            let range = &mut ranges[column.block as usize];
            if range.end == 0 {
                range.start = c;
            }
            range.end = c + 1;
        }
        let mut reduced: Vec<f64> = master
            .columns
            .iter()
            .map(|c| c.cost + master.uses(c).iter().map(|&(r, a)| a * worths[r as usize]).sum::<f64>())
            .collect();
        let mut prices = vec![0.0; ranges.len()];
        let mut chosen = vec![0.0; reduced.len()];
        let (mut touched, mut local) = (Vec::with_capacity(ranges.len()), vec![0; master.uses.len()]);
        let mut seen = vec![u32::MAX; master.rows];
        for (b, range) in ranges.iter().enumerate() {
            prices[b] = middle(&reduced[range.clone()], master.counts[b], heat);
            let mut rows: Vec<u32> = Vec::new();
            for c in range.clone() {
                reduced[c] -= prices[b];
                chosen[c] = heat / reduced[c];
                let (start, end) = master.columns[c].uses;
                let uses = start as usize..end as usize;
                for (&(row, _), place) in master.uses[uses.clone()].iter().zip(&mut local[uses]) {
                    if seen[row as usize] == u32::MAX {
                        seen[row as usize] = rows.len() as u32;
                        rows.push(row);
                    }
                    *place = seen[row as usize];
                }
            }
            rows.iter().for_each(|&r| seen[r as usize] = u32::MAX);
            touched.push(rows);
        }
        let slack = worths.iter().map(|w| heat / w).collect();
        let beyond = worths.iter().map(|w| heat / (master.penalty - w)).collect();
        Self {
            master,
            point: Point { worths, chosen, beyond, prices, reduced, steps: 0 },
            slack,
            ranges,
            touched,
            local,
        }
    }

    fn gap(&self) -> f64 {
        let columns: f64 = self.point.chosen.iter().zip(&self.point.reduced).map(|(x, z)| x * z).sum();
        let slack: f64 = self.slack.iter().zip(&self.point.worths).map(|(s, w)| s * w).sum();
        let beyond = self.point.beyond.iter().zip(&self.point.worths);
        columns + slack + beyond.map(|(e, w)| e * (self.master.penalty - w)).sum::<f64>()
    }

    fn cost(&self) -> f64 {
        let columns = self.master.columns.iter().zip(&self.point.chosen).map(|(c, x)| c.cost * x).sum::<f64>();
        columns + self.master.penalty * self.point.beyond.iter().sum::<f64>()
    }

    /// What is missing to each row's equation.
    fn row_residuals(&self) -> Vec<f64> {
        let mut residuals: Vec<f64> =
            self.slack.iter().zip(&self.point.beyond).zip(&self.master.right).map(|((s, e), r)| r - s + e).collect();
        for (column, x) in self.master.columns.iter().zip(&self.point.chosen) {
            self.master.uses(column).iter().for_each(|&(r, a)| residuals[r as usize] -= a * x);
        }
        residuals
    }

    fn block_residuals(&self) -> Vec<f64> {
        let sum = |range: &std::ops::Range<usize>| self.point.chosen[range.clone()].iter().sum::<f64>();
        self.ranges.iter().zip(&self.master.counts).map(|(range, count)| count - sum(range)).collect()
    }

    fn residual(&self) -> f64 {
        let blocks = self.block_residuals().into_iter().zip(&self.master.counts).map(|(r, n)| r.abs() / n.max(1.0));
        self.row_residuals().into_iter().map(f64::abs).chain(blocks).fold(0.0, f64::max)
    }

    /// Mehrotra's predictor and corrector. `false` when rounding leaves nothing to go by.
    fn step(&mut self) -> bool {
        let Some(system) = System::new(self) else { return false };
        let products = self.point.reduced.len() + 2 * self.master.rows;
        let heat = self.gap() / products as f64;
        let (rows, blocks) = (self.row_residuals(), self.block_residuals());
        let ahead = system.solve(self, &rows, &blocks, 0.0, None);
        let (primal, dual) = self.lengths(&ahead);
        let then = self.gap_after(&ahead, primal, dual) / products as f64;
        let centre = (then / heat).clamp(0.0, 1.0).powi(3);
        let step = system.solve(self, &rows, &blocks, centre * heat, Some((&ahead, primal * dual)));
        let (primal, dual) = self.lengths(&step);
        let (primal, dual) = ((primal * 0.9995).min(1.0), (dual * 0.9995).min(1.0));
        if !(primal > 1e-10 || dual > 1e-10) {
            return false;
        }
        let add = |to: &mut [f64], by: &[f64], length: f64| to.iter_mut().zip(by).for_each(|(t, b)| *t += b * length);
        add(&mut self.point.chosen, &step.chosen, primal);
        add(&mut self.point.beyond, &step.beyond, primal);
        add(&mut self.slack, &step.slack, primal);
        add(&mut self.point.worths, &step.worths, dual);
        add(&mut self.point.prices, &step.prices, dual);
        add(&mut self.point.reduced, &step.reduced, dual);
        true
    }

    /// How far one can go before something turns negative, in quantities and in prices.
    fn lengths(&self, by: &Move) -> (f64, f64) {
        let most = |at: &[f64], by: &[f64]| {
            at.iter().zip(by).filter(|(_, b)| **b < 0.0).map(|(a, b)| -a / b).fold(1.0 / 0.9995, f64::min)
        };
        let p = &self.point;
        let primal = most(&p.chosen, &by.chosen).min(most(&self.slack, &by.slack)).min(most(&p.beyond, &by.beyond));
        let above = p.worths.iter().zip(&by.worths).filter(|(_, b)| **b > 0.0);
        let above = above.map(|(w, b)| (self.master.penalty - w) / b).fold(f64::INFINITY, f64::min);
        (primal, most(&self.point.reduced, &by.reduced).min(most(&p.worths, &by.worths)).min(above))
    }

    fn gap_after(&self, by: &Move, primal: f64, dual: f64) -> f64 {
        let at = |a: f64, b: f64, l: f64| a + b * l;
        let p = &self.point;
        let columns = (0..self.point.reduced.len())
            .map(|c| at(p.chosen[c], by.chosen[c], primal) * at(self.point.reduced[c], by.reduced[c], dual));
        let rows = (0..self.master.rows).map(|r| {
            let worth = at(p.worths[r], by.worths[r], dual);
            at(self.slack[r], by.slack[r], primal) * worth
                + at(p.beyond[r], by.beyond[r], primal) * (self.master.penalty - worth)
        });
        columns.sum::<f64>() + rows.sum::<f64>()
    }
}

/// The price `y` of a block with `Σ heat / (cost − y) = count`, by Newton's method from above.
fn middle(costs: &[f64], count: f64, heat: f64) -> f64 {
    let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
    let mut y = least - heat / count;
    for _ in 0..30 {
        let (mut sum, mut slope) = (0.0, 0.0);
        for cost in costs {
            let x = heat / (cost - y);
            sum += x;
            slope += x * x / heat;
        }
        let by = (sum - count) / slope;
        y -= by;
        if by < 1e-6 * (least - y) {
            break;
        }
    }
    y
}

/// Newton's equations at a point, factored.
struct System {
    factor: Factor,
    /// By block: the sum of weights, and that of weights times uses of each row that it touches.
    totals: Vec<f64>,
    coupled: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

impl System {
    fn new(walk: &Walk<'_>) -> Option<Self> {
        let (master, p) = (walk.master, &walk.point);
        let weights: Vec<f64> = p.chosen.iter().zip(&walk.point.reduced).map(|(x, z)| x / z).collect();
        let mut factor = Factor::zero(master.rows);
        for r in 0..master.rows {
            factor.add(r, r, walk.slack[r] / p.worths[r] + p.beyond[r] / (master.penalty - p.worths[r]));
        }
        let (mut totals, mut coupled) = (Vec::new(), Vec::new());
        for (b, range) in walk.ranges.iter().enumerate() {
            let mut sums = vec![0.0; walk.touched[b].len()];
            let mut total = 0.0;
            for c in range.clone() {
                let (weight, (start, end)) = (weights[c], master.columns[c].uses);
                total += weight;
                for u in start as usize..end as usize {
                    let (row, a) = master.uses[u];
                    sums[walk.local[u] as usize] += weight * a;
                    for v in start as usize..=u {
                        let (other, a2) = master.uses[v];
                        factor.add(row as usize, other as usize, weight * a * a2);
                    }
                }
            }
            if total > 0.0 {
                factor.subtract(&walk.touched[b], &sums, total);
            }
            totals.push(total);
            coupled.push(sums);
        }
        factor.factor().then_some(Self { factor, totals, coupled, weights })
    }

    /// Towards products of `heat`, less what a step `ahead` would add to them.
    fn solve(&self, walk: &Walk<'_>, rows: &[f64], blocks: &[f64], heat: f64, ahead: Option<(&Move, f64)>) -> Move {
        let (master, p) = (walk.master, &walk.point);
        let aim = |x: f64, z: f64, cross: f64| (heat - x * z - cross) / z;
        let cross = |f: &dyn Fn(&Move) -> f64| ahead.map_or(0.0, |(ahead, part)| part * f(ahead));
        let chosen: Vec<f64> = (0..walk.point.reduced.len())
            .map(|c| aim(p.chosen[c], walk.point.reduced[c], cross(&|m| m.chosen[c] * m.reduced[c])))
            .collect();
        let slack: Vec<f64> =
            (0..master.rows).map(|r| aim(walk.slack[r], p.worths[r], cross(&|m| m.slack[r] * m.worths[r]))).collect();
        let beyond: Vec<f64> = (0..master.rows)
            .map(|r| aim(p.beyond[r], master.penalty - p.worths[r], cross(&|m| -m.beyond[r] * m.worths[r])))
            .collect();
        let mut right: Vec<f64> = (0..master.rows).map(|r| slack[r] - beyond[r] - rows[r]).collect();
        for (column, t) in master.columns.iter().zip(&chosen) {
            master.uses(column).iter().for_each(|&(r, a)| right[r as usize] += a * t);
        }
        let sum = |b: usize| chosen[walk.ranges[b].clone()].iter().sum::<f64>();
        let missing: Vec<f64> = (0..blocks.len()).map(|b| blocks[b] - sum(b)).collect();
        for (b, sums) in self.coupled.iter().enumerate().filter(|(b, _)| self.totals[*b] > 0.0) {
            let part = missing[b] / self.totals[b];
            walk.touched[b].iter().zip(sums).for_each(|(&r, s)| right[r as usize] += s * part);
        }
        let worths = self.factor.solve(right);
        let prices: Vec<f64> = (0..blocks.len())
            .map(|b| {
                let pull: f64 =
                    walk.touched[b].iter().zip(&self.coupled[b]).map(|(&r, s)| s * worths[r as usize]).sum();
                if self.totals[b] > 0.0 { (missing[b] + pull) / self.totals[b] } else { 0.0 }
            })
            .collect();
        let by = |column: &Column| {
            master.uses(column).iter().map(|&(r, a)| a * worths[r as usize]).sum::<f64>()
                - prices[column.block as usize]
        };
        let reduced: Vec<f64> = master.columns.iter().map(by).collect();
        let chosen = chosen.iter().zip(&self.weights).zip(&reduced).map(|((t, w), d)| t - w * d).collect();
        let weigh = |r: usize| (walk.slack[r] / p.worths[r], p.beyond[r] / (master.penalty - p.worths[r]));
        let slack = (0..master.rows).map(|r| slack[r] - weigh(r).0 * worths[r]).collect();
        let beyond = (0..master.rows).map(|r| beyond[r] + weigh(r).1 * worths[r]).collect();
        Move { worths, prices, chosen, slack, beyond, reduced }
    }
}
