//! An assignment that knows its cost, and what each move would change of it in time that depends on resources only.

mod compound;
mod presence;
mod rules;
mod shift;
mod swap;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use tables::Tables;

use presence::Presence;

/// What a machine holds, by resource. Resources beyond the model's are 0 throughout.
#[derive(Clone, Copy)]
pub(crate) struct Row<const N: usize> {
    /// Capacity less use, less what stays in use of transient resources by those who left.
    slack: [i64; N],
    /// Use less safety capacity.
    over: [i64; N],
    /// Capacity less use.
    free: [i64; N],
}

#[derive(Clone)]
pub(crate) struct State<'t, const N: usize> {
    pub t: &'t Tables<N>,
    rows: Vec<Row<N>>,
    /// Load and balance cost of each machine.
    costs: Vec<i64>,
    pub at: Vec<u32>,
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
    pub cost: i64,
}

impl<'t, const N: usize> State<'t, N> {
    /// `at` is feasible.
    pub fn new(t: &'t Tables<N>, at: &[u32]) -> Self {
        let services = t.services.len();
        let mut state = Self {
            t,
            rows: t.rows.clone(),
            costs: Vec::new(),
            at: at.to_vec(),
            on: vec![Vec::new(); t.rows.len()],
            place: vec![0; at.len()],
            machines: Presence::new(&t.sizes, t.rows.len()),
            locations: Presence::new(&t.sizes, t.location_count),
            neighbourhoods: Presence::new(&t.sizes, t.neighbourhood_count),
            spread: vec![0; services],
            moved: vec![0; services],
            moved_count: vec![0; at.len() + 2],
            most_moved: 0,
            cost: 0,
        };
        for (p, &m) in at.iter().enumerate() {
            state.place[p] = state.on[m as usize].len() as u32;
            state.on[m as usize].push(p as u32);
            state.enter(p, m as usize);
            let home = t.home[p];
            state.moved[t.service[p] as usize] += u32::from(home != m);
            // Transient needs are held at home wherever the process is.
            let home = &mut state.rows[home as usize];
            for r in 0..N {
                home.slack[r] -= t.needs[p][r] - t.needs_at_home[p][r];
            }
        }
        for &count in &state.moved {
            state.moved_count[count as usize] += 1;
            state.most_moved = state.most_moved.max(count);
        }
        state.costs = state.rows.iter().map(|row| t.row_cost(row)).collect();
        let moves: i64 = at.iter().enumerate().map(|(p, &m)| t.move_cost(p, m as usize)).sum();
        state.cost = state.costs.iter().sum::<i64>() + moves + t.service_move * i64::from(state.most_moved);
        state
    }

    /// Puts a process on a machine, whatever that breaks, and answers by how much the cost changed.
    pub fn apply(&mut self, p: usize, to: usize) -> i64 {
        let (t, from) = (self.t, self.at[p] as usize);
        let (home, before) = (t.home[p] as usize, self.cost);
        self.cost += t.move_cost(p, to) - t.move_cost(p, from);
        self.cost +=
            t.service_move * self.moves_by(t.service[p] as usize, i32::from(to != home) - i32::from(from != home));
        self.leave(p, from);
        self.enter(p, to);
        self.at[p] = to as u32;
        for m in [from, to] {
            let cost = t.row_cost(&self.rows[m]);
            self.cost += cost - self.costs[m];
            self.costs[m] = cost;
        }
        let place = self.place[p] as usize;
        self.on[from].swap_remove(place);
        if let Some(&last) = self.on[from].get(place) {
            self.place[last as usize] = place as u32;
        }
        self.place[p] = self.on[to].len() as u32;
        self.on[to].push(p as u32);
        self.cost - before
    }

    fn enter(&mut self, p: usize, m: usize) {
        let t = self.t;
        let (needs, held) = (&t.needs[p], t.held(p, m));
        let row = &mut self.rows[m];
        for r in 0..N {
            row.slack[r] -= held[r];
            row.over[r] += needs[r];
            row.free[r] -= needs[r];
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
        let (needs, held) = (&t.needs[p], t.held(p, m));
        let row = &mut self.rows[m];
        for r in 0..N {
            row.slack[r] += held[r];
            row.over[r] -= needs[r];
            row.free[r] += needs[r];
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
