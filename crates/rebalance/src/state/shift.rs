//! One process to another machine.

use super::State;
use super::lanes::{Four, less, times};
use super::rules::Step;

const NONE: Four = Four::ZERO;

impl<const K: usize> State<'_, K> {
    /// By how much the energy changes if the process goes there; none if it can't, or if it changes by more than `most`.
    #[inline]
    pub fn shift(&self, p: usize, to: usize, most: f64) -> Option<f64> {
        let (t, from) = (self.t, self.at[p] as usize);
        if from == to {
            return None;
        }
        let mut delta = (t.seat(p, to)? - self.seats[p]) as f64;
        // What leaving saves at most, known before anything is looked at closely.
        let source = self.energy(from);
        let most_here = most + self.mendable;
        if delta - source > most_here {
            return None;
        }
        let needs = &t.needs[p];
        let takes = t.takes(p, to);
        delta += self.energy_with(to, |k| needs[k], |k| times(needs[k], takes[k])) - self.energy(to);
        if delta - source > most_here {
            return None;
        }
        let takes = t.takes(p, from);
        delta += self.energy_with(from, |k| less(NONE, needs[k]), |k| less(NONE, times(needs[k], takes[k]))) - source;
        if delta > most_here {
            return None;
        }
        delta += self.counted(p, from, to);
        let step = Step { service: t.service[p] as usize, from, to };
        delta += self.penalty.rule * self.breaks(step, None) as f64;
        (delta <= most).then_some(delta)
    }

    /// What depends on how many moved: the largest number of moves in a service, and moves beyond what is allowed.
    #[inline]
    fn counted(&self, p: usize, from: usize, to: usize) -> f64 {
        let home = self.t.home[p] as usize;
        if from != home && to != home {
            return 0.0;
        }
        let count = self.moved[self.t.service[p] as usize];
        let highest = count == self.most_moved;
        if from == home {
            let over = self.moved_in_all >= self.t.max_moves;
            self.penalty.rule * f64::from(u8::from(over)) + self.t.service_move as f64 * f64::from(u8::from(highest))
        } else {
            let over = self.moved_in_all > self.t.max_moves;
            let alone = highest && self.moved_count[count as usize] == 1;
            -(self.penalty.rule * f64::from(u8::from(over)) + self.t.service_move as f64 * f64::from(u8::from(alone)))
        }
    }
}
