//! What to try next: kinds of moves and sizes of processes, the more often the nearer they are to seldom succeeding.
//!
//! While large processes hardly ever find a place, moves of small ones are made and taken back all the time; later,
//! those of small ones are all that still happens. Tried alike, nearly every step would be one whose outcome is known.

use super::moves::{KINDS, Kind};
use crate::rng::Rng;

/// Equal parts of the processes, from the smallest to the largest.
const SIZES: usize = 16;
const ARMS: usize = KINDS.len() * SIZES;
/// Draws, shared out among arms.
const TABLE: usize = 4096;

/// The part of tries that succeeds where most is to be found out.
const SELDOM: f64 = 1e-3;
/// By what power of the distance from that an arm is tried less, above and below.
const MORE: f64 = 0.6;
const LESS: f64 = 0.5;
/// The part of all tries that is shared out evenly, so that nothing is given up.
const EVENLY: f64 = 0.1;
/// What counts of all that was before, each time shares are set anew.
const KEPT: f64 = 0.5;

#[derive(Clone, Copy, Default)]
struct Arm {
    tried: f64,
    done: f64,
}

/// Which kind of move to try, and with which process.
pub(super) struct Arms {
    arms: [Arm; ARMS],
    table: Vec<u16>,
    drawn: usize,
}

impl Arms {
    pub fn new() -> Self {
        let mut arms = Self { arms: [Arm::default(); ARMS], table: vec![0; TABLE], drawn: 0 };
        arms.share();
        arms
    }

    /// A kind of move and a place among `processes`, which are sorted by size; there is one at least.
    #[inline]
    pub fn draw(&mut self, rng: &mut Rng, processes: usize) -> (Kind, usize) {
        let random = rng.next();
        self.drawn = usize::from(self.table[random as usize % TABLE]);
        let size = self.drawn % SIZES;
        let first = size * processes / SIZES;
        let count = ((size + 1) * processes / SIZES - first).max(1);
        (KINDS[self.drawn / SIZES], first + (((random >> 32) * count as u64) >> 32) as usize)
    }

    /// What came of the last draw.
    #[inline]
    pub fn note(&mut self, done: bool) {
        let arm = &mut self.arms[self.drawn];
        arm.tried += 1.0;
        arm.done += f64::from(u8::from(done));
    }

    /// Sets shares by what came of each, of late.
    pub fn share(&mut self) {
        let weights = self.arms.map(|arm| {
            let succeeds = (arm.done + 0.1) / (arm.tried + 1.0) / SELDOM;
            succeeds.powf(if succeeds > 1.0 { -MORE } else { LESS })
        });
        let sum: f64 = weights.iter().sum();
        let (mut from, mut part) = (0, 0.0);
        for (arm, weight) in weights.iter().enumerate() {
            part += EVENLY / ARMS as f64 + (1.0 - EVENLY) * weight / sum;
            let to = if arm + 1 == ARMS { TABLE } else { ((part * TABLE as f64) as usize).min(TABLE) };
            self.table[from..to].fill(arm as u16);
            from = to;
        }
        for arm in &mut self.arms {
            arm.tried *= KEPT;
            arm.done *= KEPT;
        }
    }
}
