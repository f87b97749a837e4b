//! The whole of it: the bound, a first placement, walks, and for small fleets the search through everything.

use std::time::Instant;

use crate::{
    bound::{Dual, least},
    clock::Clock,
    compile::OUT,
    explain,
    fleet::Fleet,
    model::Placement,
    outcome::{Options, Outcome, Progress, Status},
    rng::Rng,
    search::{Best, Cooling, Layout, Shortlist, State, anneal, exact, mend, start},
};

/// The part of the time that the bound may take.
const BOUND_SHARE: f64 = 0.6;
/// Steps of a walk, and how many walks at most follow each other.
const WALK: u64 = 300_000;
const ROUNDS: u32 = 10_000;
const THREADS: usize = 64;
/// What a placement may be dearer by at first, in mean costs of an item.
const HEAT: f64 = 1e-3;
/// So many rounds without a gain of a millionth end a search that has no other end.
const PATIENCE: u32 = 4;
/// After so many rounds without a placement one looks whether there can be any, and again when they have doubled.
const DOUBT: u32 = 3;
/// What the linear program has to exceed rows by, relative to them, for that.
const BEYOND: f64 = 1e-6;
/// A fleet of so few items is searched through, after a short walk, for so many nodes.
const SMALL: usize = 64;
const SMALL_WALK: u64 = 20_000;
const NODES: u64 = 2_000_000;
/// If what is known is good enough already, for so many.
const FEW_NODES: u64 = 20_000;

/// Places the items of a fleet at the least cost that can be found, and says how far from the least that can be.
///
/// Ends when the placement is proven best or good enough, and as [`Options`] say. To say why there is no placement may take
/// as long again, but for `until` and `stop`.
pub fn solve(fleet: &Fleet, options: &Options<'_>) -> Outcome {
    let clock = Clock { until: options.until, stop: options.stop };
    let mut run = Run { fleet, options, clock, best: Best::default(), bound: 0, steps: 0 };
    if fleet.model().items.is_empty() && fleet.check(&[]).is_empty() {
        run.best.at = Some(Vec::new());
        return run.outcome(Status::Optimal);
    }
    // What is left of the time is for the placement.
    let half = |until: Instant| Instant::now() + until.saturating_duration_since(Instant::now()).mul_f64(BOUND_SHARE);
    match least(&fleet.compiled, &Clock { until: options.until.map(half), ..clock }) {
        Ok(dual) => {
            run.bound = dual.bound;
            run.search(&dual)
        }
        Err(_) => run.infeasible(),
    }
}

struct Run<'a> {
    fleet: &'a Fleet,
    options: &'a Options<'a>,
    clock: Clock<'a>,
    best: Best,
    bound: i128,
    steps: u64,
}

impl Run<'_> {
    fn search(mut self, dual: &Dual) -> Outcome {
        let (model, compiled) = (self.fleet.model(), &self.fleet.compiled);
        let Some(shortlist) = Shortlist::new(compiled, &dual.worths, dual.mix.is_empty()) else {
            return self.infeasible();
        };
        let layout = Layout::new(model);
        let mut state = start(compiled, model, &layout, dual, &shortlist, &self.clock);
        mend(&mut state, &shortlist, &self.clock);
        self.best.see(&state);
        self.tell();
        if model.items.len() <= SMALL && !self.is_best() && !self.clock.over() && self.left() > 0 {
            self.walk(&mut state, &shortlist, 0, SMALL_WALK);
            let nodes = if self.over() { FEW_NODES } else { NODES };
            if self.look_at_all(dual, nodes) {
                return self.complete();
            }
        }
        let (mut idle, mut doubt) = (0, DOUBT);
        for round in 0..ROUNDS {
            if self.over() || idle >= PATIENCE && self.options.until.is_none() {
                break;
            }
            if round == doubt && self.best.at.is_none() && dual.beyond > BEYOND {
                doubt *= 2;
                if let Some(why) = explain::impossible(model, compiled, &dual.worths, &self.clock) {
                    return self.outcome(Status::Infeasible { why: why.constraints, smallest: why.smallest });
                }
            }
            let before = self.best.at.is_some().then_some(self.best.cost);
            self.walk(&mut state, &shortlist, round, WALK);
            let gained = match before {
                Some(before) => (before - self.best.cost) as f64 > before as f64 * 1e-6,
                None => self.best.at.is_some(),
            };
            idle = if gained { 0 } else { idle + 1 };
            self.tell();
        }
        if self.best.at.is_none() {
            let (rows, spreads) = state.faults();
            return self.outcome(Status::NoneFound { why: explain::names(compiled, &rows, &spreads) });
        }
        let status = if self.is_best() { Status::Optimal } else { Status::Feasible };
        self.outcome(status)
    }

    /// Walks from one placement, each `steps` long at most; it is then where the best of them came to.
    fn walk<'s>(&mut self, state: &mut State<'s>, shortlist: &Shortlist, round: u32, steps: u64) {
        let steps = steps.min(self.left());
        let mean = (self.bound as f64 / state.at.len() as f64).abs().max(1.0);
        let from = mean * HEAT / f64::from(1 + round);
        let cooling = Cooling { from, to: from * 1e-3, steps };
        let (seed, enough, known, clock) = (self.options.seed, self.enough(), &self.best, &self.clock);
        let walk = |mut state: State<'s>, n: u64| {
            let rng = &mut Rng::new(seed ^ (u64::from(round) + 1).rotate_left(32) ^ n.rotate_left(48));
            let mut best = known.clone();
            let steps = anneal(&mut state, &mut best, shortlist, cooling, enough, rng, clock);
            (best, state, steps)
        };
        let walk = &walk;
        let walks: Vec<(Best, State<'s>, u64)> = std::thread::scope(|scope| {
            let others = (1..self.options.threads.clamp(1, THREADS) as u64).map(|n| (n, state.clone()));
            let others: Vec<_> = others.map(|(n, state)| scope.spawn(move || walk(state, n))).collect();
            let first = walk(state.clone(), 0);
            // What another walk found is lost if it panicked. If this one does, so does the search.
            [first].into_iter().chain(others.into_iter().filter_map(|walk| walk.join().ok())).collect()
        });
        self.steps += walks.iter().map(|walk| walk.2).max().unwrap_or(0);
        if let Some((best, at, _)) = walks.into_iter().min_by_key(|(best, ..)| (best.at.is_none(), best.cost)) {
            (self.best, *state) = (best, at);
        }
    }

    fn left(&self) -> u64 {
        self.options.steps.unwrap_or(u64::MAX).saturating_sub(self.steps)
    }

    /// The cost that is good enough: above the bound by a part of what the placed cost. What leaving out costs would hide it.
    fn enough(&self) -> i128 {
        let gap = self.options.gap.clamp(0.0, 0.9);
        let compiled = &self.fleet.compiled;
        let out = |(item, column): (usize, &u32)| match *column {
            OUT => i128::from(compiled.cost(compiled.kind_of[item], OUT)),
            _ => 0,
        };
        let left_out: i128 = self.best.at.iter().flatten().enumerate().map(out).sum();
        let placed = (self.bound - left_out).max(0);
        self.bound + (placed as f64 * gap / (1.0 - gap)) as i128
    }

    /// Proven.
    fn is_best(&self) -> bool {
        self.best.at.is_some() && self.best.cost <= self.bound
    }

    fn over(&self) -> bool {
        let good = self.best.at.is_some() && self.best.cost <= self.enough();
        good || self.clock.over() || self.left() == 0
    }

    /// Whether it came to an end.
    fn look_at_all(&mut self, dual: &Dual, nodes: u64) -> bool {
        let below = self.best.at.is_some().then_some(self.best.cost);
        let (compiled, model) = (&self.fleet.compiled, self.fleet.model());
        let found = exact(compiled, model, &dual.worths, below, false, nodes.min(self.left()), &self.clock);
        self.steps += found.nodes;
        if let Some((cost, at)) = found.found {
            self.best = Best { at: Some(at), cost };
        }
        found.complete
    }

    /// Everything was looked at.
    fn complete(mut self) -> Outcome {
        if self.best.at.is_none() {
            return self.infeasible();
        }
        self.bound = self.best.cost;
        self.outcome(Status::Optimal)
    }

    /// There is none; what is left is to say why.
    fn infeasible(self) -> Outcome {
        let (model, compiled) = (self.fleet.model(), &self.fleet.compiled);
        let why = explain::impossible(model, compiled, &[], &self.clock);
        let all = || explain::Why { constraints: explain::all(model, compiled), smallest: false };
        let why = why.unwrap_or_else(all);
        self.outcome(Status::Infeasible { why: why.constraints, smallest: why.smallest })
    }

    fn tell(&self) {
        if let Some(progress) = self.options.progress {
            progress(Progress { objective: self.best.at.as_ref().map(|_| self.best.cost), bound: self.bound });
        }
    }

    fn outcome(self, status: Status) -> Outcome {
        let compiled = &self.fleet.compiled;
        let candidate = |(item, column): (usize, &u32)| {
            (*column != OUT).then(|| compiled.menu(compiled.kind_of[item]).columns[*column as usize].candidate)
        };
        let placement: Option<Placement> =
            self.best.at.as_ref().map(|at| at.iter().enumerate().map(candidate).collect());
        let objective = placement.as_ref().map(|_| self.best.cost);
        Outcome { status, placement, objective, bound: self.bound, steps: self.steps }
    }
}
