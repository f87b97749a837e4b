//! How hot a walk is and what it tries: figures found by trial on the challenge's set A.

use super::anneal::Cooling;
use super::moves::Mix;
use crate::rng::Rng;
use crate::state::State;

/// Parts of the budget, one a round. The first anneals from scratch; the others start from the best, ever cooler.
pub(super) const ROUNDS: [f64; 5] = [0.5, 0.2, 0.1, 0.1, 0.1];

/// How much cooler each round begins than the first.
const COOLER: [f64; 5] = [1.0, 0.1, 0.05, 0.02, 0.01];

/// What moves cost at the start, and whether homes are dear.
#[derive(Clone, Copy)]
pub(super) struct Heat {
    /// What the largest moves change of the cost.
    most: f64,
    transient: bool,
}

/// Samples moves. A few processes can be so large that what they change is a thousand times the usual, and where
/// those end up decides most of the cost: it must be hot enough for them.
pub(super) fn heat<const N: usize>(state: &State<'_, N>, rng: &mut Rng) -> Heat {
    let (processes, machines) = (state.at.len(), state.on.len());
    let mut deltas = Vec::new();
    if processes > 0 {
        for _ in 0..20_000 {
            let (p, q) = (rng.below(processes), rng.below(processes));
            deltas.extend(state.shift(p, rng.below(machines), i64::MAX).map(i64::unsigned_abs));
            deltas.extend(state.swap(p, q, i64::MAX).map(i64::unsigned_abs));
        }
    }
    deltas.sort_unstable();
    let most = deltas.get(deltas.len().saturating_mul(99) / 100).copied().unwrap_or(1) as f64;
    // Where little can move at first, the sample says little.
    let most = most.max(state.cost as f64 / processes.max(1) as f64).max(1.0);
    let transient = state.t.needs != state.t.needs_at_home;
    Heat { most, transient }
}

/// What walk `w` does in a round.
pub(super) fn cooling(heat: Heat, round: usize, w: usize) -> Cooling {
    let from = heat.most * COOLER[round.min(COOLER.len() - 1)];
    let to = (heat.most * 1e-6).max(0.5).min(from);
    // Transient resources fill up with what moved; then hardly anything moves but what goes home again, and makes room.
    let (home, shift, chain, rearrange) = match (heat.transient, w % 2) {
        (true, 0) => (0.9, 0.4, 0.4, 0.02),
        (true, _) => (0.25, 0.45, 0.05, 0.02),
        (false, 0) => (0.15, 0.2, 0.3, 0.03),
        (false, _) => (0.15, 0.2, 0.05, 0.05),
    };
    Cooling { from, to, mix: Mix { shift, chain, swap: 1.0 - shift - chain - rearrange, near: 0.5, home } }
}
