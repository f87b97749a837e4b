//! One process to another machine.

use super::State;
use super::rules::Step;

impl<const N: usize> State<'_, N> {
    /// By how much the cost changes if the process goes there; none if it can't, or if it changes by more than `most`.
    #[inline]
    pub fn shift(&self, p: usize, to: usize, most: i64) -> Option<i64> {
        let (t, from, s) = (self.t, self.at[p] as usize, self.t.service[p] as usize);
        if from == to || self.machines.get(s, to) > 0 {
            return None;
        }
        let (held, needs, source, target) = (t.held(p, to), &t.needs[p], &self.rows[from], &self.rows[to]);
        if (0..N).any(|r| held[r] > target.slack[r]) {
            return None;
        }
        let mut delta = t.cost_with(target, needs) - self.costs[to] + t.move_cost(p, to) - t.move_cost(p, from);
        let less = needs.map(|need| -need);
        delta += t.cost_with(source, &less) - self.costs[from];
        if t.service_move != 0 {
            delta += t.service_move * self.most_after(p, from, to);
        }
        let step = Step { service: s, from, to };
        (delta <= most && self.keeps_spread(step) && self.keeps_dependencies(step, None)).then_some(delta)
    }

    /// By how much the largest number of moves in a service changes if only this process moves.
    #[inline]
    fn most_after(&self, p: usize, from: usize, to: usize) -> i64 {
        let home = self.t.home[p] as usize;
        if from != home && to != home {
            return 0;
        }
        let count = self.moved[self.t.service[p] as usize];
        if from == home {
            return i64::from(count == self.most_moved);
        }
        -i64::from(count == self.most_moved && self.moved_count[count as usize] == 1)
    }
}
