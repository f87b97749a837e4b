//! Simulated annealing through states that break constraints: worse is taken with a probability that falls with its
//! size and with time, and so does the number of machines that may lack something.
//!
//! Where machines are nearly full, hardly any single move fits, and good states lie apart. What lacks is weighed
//! instead of refused, as lightly as keeps the number of machines that lack at what is allowed by then.

use super::best::Best;
use super::limit::Limit;
use super::moves::{Mix, attempt};
use crate::rng::Rng;
use crate::state::{Penalty, State};

/// Steps between looks at the clock and at what is broken.
const BETWEEN: u64 = 256;

pub(super) struct Cooling {
    pub from: f64,
    pub to: f64,
    pub mix: Mix,
    pub laxity: Laxity,
}

/// How much may lack, and what that weighs.
#[derive(Clone, Copy)]
pub(super) struct Laxity {
    /// The part of machines that may lack something at the start, less and less from there on.
    pub short: f64,
    /// The part of the budget from which on nothing may lack.
    pub until: f64,
    /// What it weighs that a machine's whole capacity lacks: at the start, and the most.
    pub lightest: f64,
    pub heaviest: f64,
}

/// By what power of e weights change at most, had they to change one way throughout.
const CHANGE: f64 = 400.0;

/// Once nothing may lack, weights fall by so much of that only: each time they are too light, it costs to mend.
const SLOWER: f64 = 0.3;
const MOST_STRESS: f64 = 1e6;

/// Walks until the limit, and answers with the number of steps.
pub(super) fn anneal<const N: usize>(
    state: &mut State<'_, N>,
    best: &mut Best,
    rng: &mut Rng,
    cooling: &Cooling,
    limit: &Limit<'_>,
) -> u64 {
    let (mut steps, mut last, mut done) = (0, 0.0, Vec::new());
    let fall = (cooling.to / cooling.from).ln();
    let laxity = cooling.laxity;
    let mut penalty = Penalty { capacity: laxity.lightest, rule: 4.0 * cooling.from };
    loop {
        let progress = limit.progress(steps);
        if progress >= 1.0 {
            return steps;
        }
        let heat = cooling.from * (fall * progress).exp();
        state.weigh(penalty);
        for _ in 0..BETWEEN {
            let most = -heat * rng.unit().ln();
            if attempt(state, rng, &cooling.mix, most, &mut done) {
                best.note(state, &done);
            }
        }
        steps += BETWEEN;
        let rate = ((progress - last) * CHANGE).min(0.05);
        last = progress;
        let left = (1.0 - progress / laxity.until).max(0.0);
        let allowed = laxity.short * left * left * state.on.len() as f64;
        let over = f64::from(state.short) > allowed;
        let (up, down) = (1.0 + rate, 1.0 - if allowed < 1.0 { rate * SLOWER } else { rate });
        penalty.capacity = (penalty.capacity * if over { up } else { down }).min(laxity.heaviest);
        if allowed < 1.0 {
            state.press(if over { up } else { down }, down, MOST_STRESS);
        }
        penalty.rule = (penalty.rule * if state.broken > 0 { up } else { 1.0 - rate }).min(1e4 * heat);
    }
}
