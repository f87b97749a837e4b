//! How hot a walk is and how much may lack: figures found by trial on the challenge's set A.

use super::anneal::{Cooling, Laxity};
use crate::rng::Rng;
use crate::state::{Penalty, State};

/// Parts of the budget, one a round. In the first, walks anneal from the start through states that lack something; in
/// the second, they go on from the best without.
pub(super) const ROUNDS: [f64; 2] = [0.85, 0.15];

/// What moves change of the cost.
#[derive(Clone, Copy)]
pub(super) struct Heat {
    /// A large one: nine of ten change less.
    large: f64,
    /// By what a machine's capacity of a resource is filled, all together.
    machine: f64,
}

/// Samples moves as if nothing bound them.
pub(super) fn heat<const K: usize>(state: &mut State<'_, K>, rng: &mut Rng) -> Heat {
    let (processes, machines) = (state.at.len(), state.on.len());
    let mut deltas = Vec::new();
    state.weigh(Penalty { capacity: 0.0, rule: 0.0 });
    if processes > 0 {
        for _ in 0..20_000 {
            let p = rng.below(processes);
            deltas.extend(state.shift(p, rng.below(machines), f64::INFINITY).map(f64::abs));
        }
    }
    let mean = deltas.iter().sum::<f64>() / deltas.len().max(1) as f64;
    let machine = mean * processes as f64 / (machines * state.t.model.resources.len()) as f64;
    deltas.sort_unstable_by(f64::total_cmp);
    let large = deltas.get(deltas.len() * 9 / 10).copied().unwrap_or(1.0);
    Heat { large: large.max(1.0), machine: machine.max(1.0) }
}

/// So cold that what costs one unit more is hardly ever done: costs are whole numbers, and none is too small to matter.
const COLDEST: f64 = 0.03;

/// What a walk does in a round. Neighbours start differently hot: where few moves fit, the longer time at middling heat
/// finds more, elsewhere the hotter start. Of a large problem, every other walk lets nothing lack: its steps are
/// quicker, and there are too few for each process to mend everywhere what lacks.
pub(super) fn cooling(heat: Heat, round: usize, walk: usize, large: bool) -> Cooling {
    let (polish, even) = (round > 0, walk.is_multiple_of(2));
    let powers: &[(f64, f64)] = match polish {
        true => &[(0.0, -3.5), (1.0, f64::NEG_INFINITY)],
        false => &[(0.0, if even { -0.4 } else { -0.9 }), (0.8, -2.2), (1.0, -4.2)],
    };
    let heats = powers.iter().map(|&(part, power)| (part, (heat.large * 10f64.powf(power)).max(COLDEST))).collect();
    let (capacity, rule) = (1000.0 * heat.machine, 100.0 * heat.large);
    let laxity = if polish || large && even {
        Laxity { short: 0.0, until: 1.0, strict: 0.0, capacity: (capacity, capacity), rule: (rule, rule) }
    } else {
        let lightest = heat.machine;
        Laxity { short: 0.5, until: 0.8, strict: 0.9, capacity: (lightest, capacity), rule: (0.0, rule) }
    };
    Cooling { heats, laxity }
}
