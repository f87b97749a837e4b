//! Simulated annealing through states that break constraints: worse is taken with a probability that falls with its
//! size and with time, and so does the number of machines that may lack something.
//!
//! Where machines are nearly full, hardly any single move fits, and good states lie apart. What lacks is weighed
//! instead of refused, as lightly as keeps the number of machines that lack at what is allowed by then.

use super::best::Best;
use super::limit::Limit;
use super::moves::{Mix, attempt};
use super::scope::Scope;
use crate::rng::Rng;
use crate::state::{Penalty, State};

/// Steps between looks at the clock and at what is broken.
const BETWEEN: u64 = 256;

pub(super) struct Cooling {
    /// From the first to the last: a part of the budget, and how hot it is by then.
    pub heats: Vec<(f64, f64)>,
    pub mix: Mix,
    pub laxity: Laxity,
}

impl Cooling {
    /// Falls by equal factors in equal times between two of its heats.
    fn at(&self, progress: f64) -> f64 {
        let next = self.heats.partition_point(|&(part, _)| part <= progress).clamp(1, self.heats.len() - 1);
        let ((from, hot), (to, cold)) = (self.heats[next - 1], self.heats[next]);
        hot * (cold / hot).powf((progress - from) / (to - from))
    }
}

/// How much may lack, and what that weighs.
#[derive(Clone, Copy)]
pub(super) struct Laxity {
    /// The part of machines that may lack something at the start, less and less from there on.
    pub short: f64,
    /// How many rules may be broken at the start, by process.
    pub broken: f64,
    /// The part of the budget from which on nothing may lack.
    pub until: f64,
    /// What it weighs that a machine's whole capacity lacks: at the start, and the most.
    pub lightest: f64,
    pub heaviest: f64,
}

/// By what power of e weights change at most, had they to change one way throughout.
const CHANGE: f64 = 400.0;

/// How many times as much it weighs at most where it lacks for long.
const MOST_STRESS: f64 = 1e6;

/// What a broken rule weighs at most, for its heat.
const HEAVIEST_RULE: f64 = 1e4;

/// Draws of an exponential distribution of mean 1, in equal parts of it: a table is quicker than a logarithm.
const LUCK: usize = 4096;

fn luck() -> Vec<f64> {
    (0..LUCK).map(|i| -((i as f64 + 0.5) / LUCK as f64).ln()).collect()
}

/// Walks until the limit, and answers with the number of steps.
pub(super) fn anneal<const K: usize>(
    state: &mut State<'_, K>,
    best: &mut Best,
    rng: &mut Rng,
    cooling: &Cooling,
    limit: &Limit<'_>,
) -> u64 {
    let (mut steps, mut last, mut done) = (0, 0.0, Vec::new());
    let luck = luck();
    let laxity = cooling.laxity;
    let mut scope = Scope::new(state, rng);
    let mut turn = scope.steps();
    let rule = if laxity.broken > 0.0 { 4.0 } else { HEAVIEST_RULE };
    let mut penalty = Penalty { capacity: laxity.lightest, rule: rule * cooling.at(0.0) };
    loop {
        let progress = limit.progress(steps);
        if progress >= 1.0 {
            return steps;
        }
        let heat = cooling.at(progress);
        state.weigh(penalty);
        for _ in 0..BETWEEN {
            let most = heat * luck[rng.next() as usize % LUCK];
            if attempt(state, &scope, rng, &cooling.mix, most, &mut done) {
                best.note(state, &done);
            }
        }
        steps += BETWEEN;
        if steps >= turn {
            scope.turn(state, rng);
            turn = steps + scope.steps();
        }
        let rate = ((progress - last) * CHANGE).min(0.05);
        last = progress;
        let left = (1.0 - progress / laxity.until).max(0.0);
        let left = left * left;
        let allowed = laxity.short * left * state.on.len() as f64;
        let over = f64::from(state.short) > allowed;
        // Once nothing may lack, weights only rise: what was mended once stays so.
        let strict = allowed < 1.0;
        let (up, down) = (1.0 + rate, if strict { 1.0 } else { 1.0 - rate });
        penalty.capacity = (penalty.capacity * if over { up } else { down }).clamp(laxity.lightest, laxity.heaviest);
        if strict && over {
            state.press(up, MOST_STRESS);
        }
        let over = state.broken as f64 > laxity.broken * left * state.at.len() as f64;
        penalty.rule = (penalty.rule * if over { up } else { down }).clamp(heat, HEAVIEST_RULE * heat);
    }
}
