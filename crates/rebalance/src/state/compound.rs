//! Several processes at once: applied first, judged then, taken back if need be.

use super::State;

impl<const N: usize> State<'_, N> {
    /// Whether machines and services that `moves` touched, each a process and where it was, are as they must be.
    /// Everything else must have been before.
    pub fn holds_after(&self, moves: &[(u32, u32)]) -> bool {
        moves.iter().all(|&(p, from)| {
            let (p, from) = (p as usize, from as usize);
            let (to, s) = (self.at[p] as usize, self.t.service[p] as usize);
            let (near, links) = (&self.t.neighbourhood, &self.t.services[s]);
            self.has_room(to)
                && self.has_room(from)
                && self.machines.get(s, to) <= 1
                && self.spread[s] >= links.spread
                && (near[from] == near[to] || {
                    let (from, to) = (near[from] as usize, near[to] as usize);
                    links.needs.iter().all(|&on| self.neighbourhoods.get(on as usize, to) > 0)
                        && (self.neighbourhoods.get(s, from) > 0
                            || links.needed_by.iter().all(|&by| self.neighbourhoods.get(by as usize, from) == 0))
                })
        })
    }

    /// Whether one of the process's service is on a machine already.
    pub fn meets(&self, p: usize, m: usize) -> bool {
        self.machines.get(self.t.service[p] as usize, m) > 0
    }

    pub fn has_room(&self, m: usize) -> bool {
        self.rows[m].slack.iter().all(|&slack| slack >= 0)
    }

    /// Takes moves back, last first.
    pub fn undo(&mut self, moves: &[(u32, u32)]) {
        for &(p, from) in moves.iter().rev() {
            self.apply(p as usize, from as usize);
        }
    }

    /// Takes back what holds no longer or costs more than `most`; answers whether it stayed.
    pub fn settle(&mut self, before: i64, most: i64, moves: &[(u32, u32)]) -> bool {
        let stays = self.cost - before <= most && self.holds_after(moves);
        if !stays {
            self.undo(moves);
        }
        stays
    }
}
