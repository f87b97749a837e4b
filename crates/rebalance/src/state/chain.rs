//! A process in the place of another, which goes to a third machine.

use super::State;
use super::lanes::{Four, less, times};
use super::rules::Step;

const NONE: Four = Four::ZERO;

impl<const K: usize> State<'_, K> {
    /// By how much the energy changes if `p` goes to where `q` is and `q` to `to`, but for what depends on how many
    /// moved; none if they can't, or if it changes by more than `most`. Both of one service are not tried.
    #[inline]
    pub fn chain(&self, p: usize, q: usize, to: usize, most: f64) -> Option<f64> {
        let (t, a, b) = (self.t, self.at[p] as usize, self.at[q] as usize);
        let (sp, sq) = (t.service[p] as usize, t.service[q] as usize);
        if a == b || to == a || to == b || sp == sq {
            return None;
        }
        let most_here = most + self.mendable;
        let mut delta = self.in_place_of(p, q, to, most_here)?;
        let (of_p, of_q) = (&t.needs[p], &t.needs[q]);
        let takes = t.takes(q, to);
        delta += self.energy_with(to, |k| of_q[k], |k| times(of_q[k], takes[k])) - self.energy(to);
        if delta > most_here {
            return None;
        }
        let takes = t.takes(p, a);
        delta += self.energy_with(a, |k| less(NONE, of_p[k]), |k| less(NONE, times(of_p[k], takes[k])));
        if delta > most_here {
            return None;
        }
        let (go, come) = (Step { service: sp, from: a, to: b }, Step { service: sq, from: b, to });
        delta += self.penalty.rule * (self.breaks(go, None) + self.breaks(come, Some(go))) as f64;
        (delta <= most).then_some(delta)
    }
}
