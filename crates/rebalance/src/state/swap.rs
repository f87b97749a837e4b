//! Two processes in each other's place.

use super::State;
use super::rules::Step;

impl<const N: usize> State<'_, N> {
    /// By how much the cost changes if the two change places, but for the part of services' moves, which is exact
    /// once they have; none if they can't, or if it changes by more than `most`.
    #[inline]
    pub fn swap(&self, p: usize, q: usize, most: i64) -> Option<i64> {
        let (t, a, b) = (self.t, self.at[p] as usize, self.at[q] as usize);
        let (sp, sq) = (t.service[p] as usize, t.service[q] as usize);
        if a == b || sp != sq && (self.machines.get(sp, b) > 0 || self.machines.get(sq, a) > 0) {
            return None;
        }
        let (row_a, row_b) = (&self.rows[a], &self.rows[b]);
        let (p_comes, p_goes, q_comes, q_goes) = (t.held(p, b), t.held(p, a), t.held(q, a), t.held(q, b));
        if (0..N).any(|r| p_comes[r] > row_b.slack[r] + q_goes[r] || q_comes[r] > row_a.slack[r] + p_goes[r]) {
            return None;
        }
        let more: [i64; N] = std::array::from_fn(|r| t.needs[p][r] - t.needs[q][r]);
        let less = more.map(|need| -need);
        let delta = t.cost_with(row_b, &more) - self.costs[b] + t.cost_with(row_a, &less) - self.costs[a]
            + t.move_cost(p, b)
            - t.move_cost(p, a)
            + t.move_cost(q, a)
            - t.move_cost(q, b);
        if delta > most {
            return None;
        }
        let (go, come) = (Step { service: sp, from: a, to: b }, Step { service: sq, from: b, to: a });
        (sp == sq
            || self.keeps_spread(go)
                && self.keeps_spread(come)
                && self.keeps_dependencies(go, Some(come))
                && self.keeps_dependencies(come, Some(go)))
        .then_some(delta)
    }
}
