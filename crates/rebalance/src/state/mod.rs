//! An assignment that knows its cost, and what each move would change of it in time that depends on resources only.
//! It may break constraints: what it lacks is counted, and weighs in the energy that a search goes by.

mod chain;
mod lanes;
mod obstacle;
mod presence;
mod reach;
mod rules;
mod shift;
mod swap;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use tables::Tables;

use lanes::{Four, add, less, times, weighed};
use presence::Presence;
use rules::Step;

/// What a machine has left, by resource. Resources beyond the model's are 0 throughout.
#[derive(Clone, Copy)]
pub(crate) struct Row<const K: usize> {
    /// Safety capacity less use.
    pub spare: [Four; K],
    /// Capacity less use, less what stays in use of transient resources by those who left.
    pub slack: [Four; K],
}

/// What broken constraints weigh: capacity by the part of a machine that lacks, rules by their number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Penalty {
    pub capacity: f64,
    pub rule: f64,
}

#[derive(Clone)]
pub(crate) struct State<'t, const K: usize> {
    pub t: &'t Tables<'t, K>,
    rows: Vec<Row<K>>,
    /// Load and balance cost of each machine, and what it lacks.
    costs: Vec<(f64, f64)>,
    pub at: Vec<u32>,
    /// What each process costs where it is, but for load and balance.
    seats: Vec<i64>,
    /// Processes by machine, and where each stands there.
    pub on: Vec<Vec<u32>>,
    place: Vec<u32>,
    machines: Presence,
    locations: Presence,
    neighbourhoods: Presence,
    /// Distinct locations by service.
    spread: Vec<u32>,
    /// Moved processes by service, and the number of services by that.
    moved: Vec<u32>,
    moved_count: Vec<u32>,
    most_moved: u32,
    moved_in_all: u32,
    pub cost: i64,
    /// Machines that lack something.
    pub short: u32,
    /// Rules broken, moves beyond what is allowed included.
    pub broken: i64,
    penalty: Penalty,
    /// By machine: how many times as much what it lacks weighs.
    stress: Vec<f64>,
    /// The penalty of a unit that lacks, by resource.
    lack: [Four; K],
    /// What mending every broken rule would save.
    mendable: f64,
}

impl<'t, const K: usize> State<'t, K> {
    pub fn new(t: &'t Tables<'t, K>, at: &[u32]) -> Self {
        let services = t.services.len();
        let mut state = Self {
            t,
            rows: t.rows.clone(),
            costs: Vec::new(),
            at: at.to_vec(),
            seats: vec![0; at.len()],
            on: vec![Vec::new(); t.rows.len()],
            place: vec![0; at.len()],
            machines: Presence::new(&t.sizes, t.rows.len()),
            locations: Presence::new(&t.sizes, t.location_count),
            neighbourhoods: Presence::new(&t.sizes, t.neighbourhood_count),
            spread: vec![0; services],
            moved: vec![0; services],
            moved_count: vec![0; at.len() + 2],
            most_moved: 0,
            moved_in_all: 0,
            cost: 0,
            short: 0,
            broken: 0,
            penalty: Penalty { capacity: 0.0, rule: 0.0 },
            stress: vec![1.0; t.rows.len()],
            lack: [Four::ZERO; K],
            mendable: 0.0,
        };
        // All at home first, where nothing is broken; then each goes where it is.
        state.moved_count[0] = services as u32;
        for (p, &m) in t.home.iter().enumerate() {
            state.at[p] = m;
            state.seats[p] = t.seat(p, m as usize).unwrap_or(0);
            state.place[p] = state.on[m as usize].len() as u32;
            state.on[m as usize].push(p as u32);
            state.enter(p, m as usize);
            // Transient needs are held at home wherever the process is.
            let slack = &mut state.rows[m as usize].slack;
            for (k, slack) in slack.iter_mut().enumerate() {
                *slack = less(*slack, less(t.needs[p][k], times(t.needs[p][k], t.kept[k])));
            }
        }
        state.costs = (0..t.rows.len()).map(|m| state.row_cost(m)).collect();
        let load: f64 = state.costs.iter().map(|cost| cost.0).sum();
        state.cost = load as i64 + state.seats.iter().sum::<i64>();
        for (p, &m) in at.iter().enumerate() {
            if state.at[p] != m {
                state.apply(p, m as usize);
            }
        }
        state
    }

    /// What a search goes by; changes nothing that is kept.
    pub fn weigh(&mut self, penalty: Penalty) {
        self.penalty = penalty;
        self.lack = self.t.lack.map(|lack| lack * penalty.capacity);
        self.mendable = penalty.rule * self.broken as f64;
    }

    /// What lacks for long weighs ever more where it lacks, until something else gives way; by these factors.
    pub fn press(&mut self, lacking: f64, whole: f64, most: f64) {
        for (stress, &(_, lacks)) in self.stress.iter_mut().zip(&self.costs) {
            *stress = (*stress * if lacks > 0.0 { lacking } else { whole }).clamp(1.0, most);
        }
    }

    /// Whether a machine lacks something.
    pub fn is_short(&self, m: usize) -> bool {
        self.costs[m].1 > 0.0
    }

    pub fn feasible(&self) -> bool {
        self.short == 0 && self.broken == 0
    }

    /// Puts a process on a machine, whatever that breaks, and answers by how much the energy changed. It must be
    /// allowed there.
    pub fn apply(&mut self, p: usize, to: usize) -> f64 {
        let (t, from) = (self.t, self.at[p] as usize);
        let (home, before) = (t.home[p] as usize, (self.cost, self.broken));
        let step = Step { service: t.service[p] as usize, from, to };
        self.broken += self.breaks(step, None);
        let seat = t.seat(p, to).unwrap_or(0);
        self.cost += seat - self.seats[p];
        self.seats[p] = seat;
        self.cost += t.service_move * self.moves_by(step.service, i32::from(to != home) - i32::from(from != home));
        self.leave(p, from);
        self.enter(p, to);
        self.at[p] = to as u32;
        let mut lacks = 0.0;
        for m in [from, to] {
            let (old, new) = (self.costs[m], self.row_cost(m));
            self.cost += (new.0 - old.0) as i64;
            lacks += (new.1 - old.1) * self.stress[m];
            self.short = self.short + u32::from(new.1 > 0.0) - u32::from(old.1 > 0.0);
            self.costs[m] = new;
        }
        let place = self.place[p] as usize;
        self.on[from].swap_remove(place);
        if let Some(&last) = self.on[from].get(place) {
            self.place[last as usize] = place as u32;
        }
        self.place[p] = self.on[to].len() as u32;
        self.on[to].push(p as u32);
        self.mendable = self.penalty.rule * self.broken as f64;
        (self.cost - before.0) as f64
            + lacks * self.penalty.capacity
            + (self.broken - before.1) as f64 * self.penalty.rule
    }

    /// Takes moves back, each a process and where it was, last first.
    pub fn undo(&mut self, moves: &[(u32, u32)]) {
        for &(p, from) in moves.iter().rev() {
            self.apply(p as usize, from as usize);
        }
    }

    #[inline(always)]
    fn energy(&self, m: usize) -> f64 {
        let (cost, lacks) = self.costs[m];
        cost + lacks * self.penalty.capacity * self.stress[m]
    }

    /// Of machine `m` on which `more` is used and `held` is held.
    #[inline(always)]
    fn energy_with(&self, m: usize, more: impl Fn(usize) -> Four, held: impl Fn(usize) -> Four) -> f64 {
        let row = &self.rows[m];
        let lacks = weighed(&self.lack, |k| less(held(k), row.slack[k]));
        lacks * self.stress[m] + self.t.cost_with(m, row, more)
    }

    fn row_cost(&self, m: usize) -> (f64, f64) {
        let row = &self.rows[m];
        let nothing = Four::ZERO;
        (self.t.cost_with(m, row, |_| nothing), weighed(&self.t.lack, |k| less(nothing, row.slack[k])))
    }

    fn enter(&mut self, p: usize, m: usize) {
        let t = self.t;
        let (needs, takes) = (&t.needs[p], t.takes(p, m));
        let row = &mut self.rows[m];
        for k in 0..K {
            row.slack[k] = less(row.slack[k], times(needs[k], takes[k]));
            row.spare[k] = less(row.spare[k], needs[k]);
        }
        let s = t.service[p] as usize;
        self.machines.add(s, m);
        self.neighbourhoods.add(s, t.neighbourhood[m] as usize);
        if self.locations.add(s, t.location[m] as usize) == 1 {
            self.spread[s] += 1;
        }
    }

    fn leave(&mut self, p: usize, m: usize) {
        let t = self.t;
        let (needs, takes) = (&t.needs[p], t.takes(p, m));
        let row = &mut self.rows[m];
        for k in 0..K {
            row.slack[k] = add(row.slack[k], times(needs[k], takes[k]));
            row.spare[k] = add(row.spare[k], needs[k]);
        }
        let s = t.service[p] as usize;
        self.machines.remove(s, m);
        self.neighbourhoods.remove(s, t.neighbourhood[m] as usize);
        if self.locations.remove(s, t.location[m] as usize) == 0 {
            self.spread[s] -= 1;
        }
    }

    /// Counts moves of a service, and answers by how much the largest number of moves changed.
    fn moves_by(&mut self, s: usize, by: i32) -> i64 {
        if by == 0 {
            return 0;
        }
        let over = |moved: u32| i64::from(moved.saturating_sub(self.t.max_moves));
        let in_all = self.moved_in_all.wrapping_add_signed(by);
        self.broken += over(in_all) - over(self.moved_in_all);
        self.moved_in_all = in_all;
        let before = self.most_moved;
        let count = self.moved[s];
        self.moved_count[count as usize] -= 1;
        let count = count.wrapping_add_signed(by);
        self.moved_count[count as usize] += 1;
        self.moved[s] = count;
        if count > self.most_moved {
            self.most_moved = count;
        } else if by < 0 && self.moved_count[self.most_moved as usize] == 0 {
            self.most_moved -= 1;
        }
        i64::from(self.most_moved) - i64::from(before)
    }
}
