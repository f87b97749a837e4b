//! Simulated annealing: worse is taken with a probability that falls with its size and with time.

use super::best::Best;
use super::limit::Limit;
use super::moves::{Mix, attempt};
use crate::rng::Rng;
use crate::state::State;

/// Steps between looks at the clock.
const BETWEEN: u64 = 256;

pub(super) struct Cooling {
    pub from: f64,
    pub to: f64,
    pub mix: Mix,
}

/// Walks until the limit, and answers with the number of steps.
pub(super) fn anneal<const N: usize>(
    state: &mut State<'_, N>,
    best: &mut Best,
    rng: &mut Rng,
    cooling: &Cooling,
    limit: &Limit<'_>,
) -> u64 {
    let (mut steps, mut done) = (0, Vec::new());
    let fall = (cooling.to / cooling.from).ln();
    loop {
        let progress = limit.progress(steps);
        if progress >= 1.0 {
            return steps;
        }
        let heat = cooling.from * (fall * progress).exp();
        for _ in 0..BETWEEN {
            let most = (-heat * rng.unit().ln()) as i64;
            if attempt(state, rng, &cooling.mix, most, &mut done) {
                best.note(state, &done);
            }
        }
        steps += BETWEEN;
    }
}
