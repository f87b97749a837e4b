//! Simulated annealing through states that break constraints: worse is taken with a probability that falls with its
//! size and with time, and so does the number of machines that may lack something.
//!
//! Where machines are nearly full, hardly any single move fits, and good states lie apart. What lacks is weighed
//! instead of refused, as lightly as keeps the number of machines that lack at what is allowed by then.

use super::arms::Arms;
use super::best::Best;
use super::limit::Limit;
use super::moves::attempt;
use super::scope::Scope;
use crate::rng::Rng;
use crate::state::{Penalty, State};

/// Steps between looks at the clock and at what is broken.
const BETWEEN: u64 = 256;

pub(super) struct Cooling {
    /// From the first to the last: a part of the budget, and how hot it is by then.
    pub heats: Vec<(f64, f64)>,
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

/// Steps between settings of what is tried how often.
const SHARING: u64 = 1 << 18;

/// How much may lack, and what that weighs.
#[derive(Clone, Copy)]
pub(super) struct Laxity {
    /// The part of machines that may lack something at the start, less and less from there on.
    pub short: f64,
    /// The part of the budget from which on nothing may lack.
    pub until: f64,
    /// The part of the budget from which on weights only rise: what was mended once stays so.
    pub strict: f64,
    /// What it weighs that a machine's whole capacity lacks: at the start and at least, and at most.
    pub capacity: (f64, f64),
    /// What a broken rule weighs at least, if that is more than the heat, and at most.
    pub rule: (f64, f64),
}

/// By what power of e weights change at most, had they to change one way throughout.
const CHANGE: f64 = 400.0;

/// Once nothing may lack, weights fall by so much of that only: each time they are too light, it costs to mend.
const SLOWER: f64 = 0.3;

/// How many times as much it weighs at most where it lacks for long.
const MOST_STRESS: f64 = 1e6;

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
    if scope.processes.is_empty() {
        return 0;
    }
    let mut turn = scope.steps();
    let (mut arms, mut share) = (Arms::new(), SHARING);
    let [(lightest, heaviest), (_, heaviest_rule)] = [laxity.capacity, laxity.rule];
    let lightest_rule = |heat: f64| heat.clamp(laxity.rule.0, heaviest_rule);
    let mut penalty = Penalty { capacity: lightest, rule: lightest_rule(4.0 * cooling.at(0.0)) };
    loop {
        let progress = limit.progress(steps);
        if progress >= 1.0 {
            return steps;
        }
        let heat = cooling.at(progress);
        state.weigh(penalty);
        for _ in 0..BETWEEN {
            let most = heat * luck[rng.next() as usize % LUCK];
            let drawn = arms.draw(rng, scope.processes.len());
            let made = attempt(state, &scope, rng, drawn, most, &mut done);
            arms.note(made);
            if made {
                best.note(state, &done);
            }
        }
        steps += BETWEEN;
        if steps >= share {
            arms.share();
            share = steps + SHARING;
        }
        if steps >= turn {
            scope.turn(state, rng);
            turn = steps + scope.steps();
        }
        let rate = ((progress - last) * CHANGE).min(0.05);
        last = progress;
        let left = (1.0 - progress / laxity.until).max(0.0);
        let allowed = laxity.short * left * left * state.on.len() as f64;
        let over = f64::from(state.short) > allowed;
        let slower = match allowed < 1.0 {
            _ if progress >= laxity.strict => 0.0,
            true => SLOWER,
            false => 1.0,
        };
        let (up, down) = (1.0 + rate, 1.0 - rate * slower);
        penalty.capacity = (penalty.capacity * if over { up } else { down }).clamp(lightest, heaviest);
        if allowed < 1.0 {
            state.press(if over { up } else { down }, down, MOST_STRESS);
        }
        penalty.rule =
            (penalty.rule * if state.broken > 0 { up } else { down }).clamp(lightest_rule(heat), heaviest_rule);
    }
}
