//! Two processes in each other's place.

use super::State;
use super::rules::Step;

impl<const N: usize> State<'_, N> {
    /// By how much the energy changes if the two change places, but for what depends on how many moved, which is known
    /// once they have; none if they can't, or if it changes by more than `most`.
    #[inline]
    pub fn swap(&self, p: usize, q: usize, most: f64) -> Option<f64> {
        let (t, a, b) = (self.t, self.at[p] as usize, self.at[q] as usize);
        if a == b {
            return None;
        }
        let mut delta = (t.seat(p, b)? - t.seat(p, a)? + t.seat(q, a)? - t.seat(q, b)?) as f64;
        let (at_a, at_b) = (self.energy(a), self.energy(b));
        delta -= at_a + at_b;
        let most_here = most + self.mendable;
        if delta > most_here {
            return None;
        }
        let more: [f64; N] = std::array::from_fn(|r| t.needs[p][r] - t.needs[q][r]);
        let (p_comes, q_goes) = (t.held(p, b), t.held(q, b));
        delta += self.energy_with(b, &more, &std::array::from_fn(|r| p_comes[r] - q_goes[r]));
        if delta > most_here {
            return None;
        }
        let (p_goes, q_comes) = (t.held(p, a), t.held(q, a));
        delta += self.energy_with(a, &more.map(|need| -need), &std::array::from_fn(|r| q_comes[r] - p_goes[r]));
        if delta > most_here {
            return None;
        }
        let (sp, sq) = (t.service[p] as usize, t.service[q] as usize);
        if sp != sq {
            let (go, come) = (Step { service: sp, from: a, to: b }, Step { service: sq, from: b, to: a });
            delta += self.penalty.rule * (self.breaks(go, None) + self.breaks(come, Some(go))) as f64;
        }
        (delta <= most).then_some(delta)
    }
}
