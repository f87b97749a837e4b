//! What a plan makes no worse: the cost of each machine, and its points by other strategies.

use novacron_placement::{Ask, Candidate, Market, Settings};
use novacron_types::placement::Strategy;

use super::{
    Machine, RebalanceOptions,
    now::{Home, known_cost},
    of_strategy,
    once::Once,
    ways::loses_no_money,
};
use crate::{PlanError, questions::Questions};

pub(super) struct Floor<'a, 'm> {
    market: &'m Market,
    options: &'a RebalanceOptions<'a>,
    cost: bool,
    points: Vec<Questions<'m>>,
}

impl<'a, 'm> Floor<'a, 'm> {
    pub fn new(
        market: &'m Market,
        settings: &Settings,
        machines: &[Machine],
        options: &'a RebalanceOptions<'a>,
    ) -> Result<Self, PlanError> {
        let of = |strategy: &Strategy| {
            let requests: Vec<_> = machines.iter().map(|machine| of_strategy(machine, *strategy)).collect();
            Questions::new(market, settings, &requests)
        };
        let points = options.not_worse.iter().filter(|strategy| **strategy != Strategy::CostOptimized);
        let points = points.map(of).collect::<Result<_, _>>()?;
        Ok(Self { market, options, cost: options.not_worse.contains(&Strategy::CostOptimized), points })
    }

    /// Whether a machine could go there and lose nothing. Its cost counts over the window, with what the move costs once.
    pub fn keeps(&self, number: usize, machine: &Machine, ask: &Ask<'_>, home: &Home, to: Candidate) -> bool {
        let Some(now) = home.candidate else { return false };
        if self.cost {
            let Some((old, new)) = home.hourly.zip(known_cost(ask, to)) else { return false };
            let saves = i128::from(old) - i128::from(new);
            // Most fail by the price alone.
            if saves < 0 {
                return false;
            }
            let once = Once::new(self.market, self.options, machine.disk_gb, now, home.hourly, to);
            if once.transfer.is_none() || !loses_no_money(saves, once.total(), self.options) {
                return false;
            }
        }
        self.points.iter().all(|questions| {
            let ask = questions.ask(number);
            ask.candidate_score(to) >= ask.candidate_score(now)
        })
    }
}
