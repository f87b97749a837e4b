//! Two processes in each other's place.

use super::State;
use super::lanes::{less, times};
use super::rules::Step;

impl<const K: usize> State<'_, K> {
    /// By how much the energy changes if the two change places, but for what depends on how many moved, which is known
    /// once they have; none if they can't, or if it changes by more than `most`.
    #[inline]
    pub fn swap(&self, p: usize, q: usize, most: f64) -> Option<f64> {
        let (t, a, b) = (self.t, self.at[p] as usize, self.at[q] as usize);
        if a == b {
            return None;
        }
        let most_here = most + self.mendable;
        let mut delta = self.in_place_of(p, q, a, most_here)?;
        let (of_p, of_q) = (&t.needs[p], &t.needs[q]);
        let (p_takes, q_takes) = (t.takes(p, a), t.takes(q, a));
        delta += self.energy_with(
            a,
            |k| less(of_q[k], of_p[k]),
            |k| less(times(of_q[k], q_takes[k]), times(of_p[k], p_takes[k])),
        );
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

    /// What changes where `q` is if `p` takes its place, with the seats of both if `q` goes to `to`, less all that `p`'s
    /// machine costs now: what that costs then is still to be added. None if they can't, or if it is more than `most`.
    #[inline(always)]
    pub(super) fn in_place_of(&self, p: usize, q: usize, to: usize, most: f64) -> Option<f64> {
        let (t, a, b) = (self.t, self.at[p] as usize, self.at[q] as usize);
        let mut delta = (t.seat(p, b)? - self.seats[p] + t.seat(q, to)? - self.seats[q]) as f64;
        delta -= self.energy(a) + self.energy(b);
        if delta > most {
            return None;
        }
        let (of_p, of_q) = (&t.needs[p], &t.needs[q]);
        let (p_takes, q_takes) = (t.takes(p, b), t.takes(q, b));
        delta += self.energy_with(
            b,
            |k| less(of_p[k], of_q[k]),
            |k| less(times(of_p[k], p_takes[k]), times(of_q[k], q_takes[k])),
        );
        (delta <= most).then_some(delta)
    }
}
