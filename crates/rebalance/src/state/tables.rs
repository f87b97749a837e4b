//! What of a problem the search reads in its inner loop, laid out for it. Quantities are whole numbers in floats: a
//! checked model's stay below 2⁵², so they are exact, and floats go through the machine's wide registers.

use super::Row;
use super::lanes::{Four, all, at, less, weighed};
use super::reach::reach;
use crate::model::{FORBIDDEN, Model};
use crate::problem::Problem;

pub(crate) struct Tables<'a, const K: usize> {
    pub model: &'a Model,
    /// Of empty machines.
    pub rows: Vec<Row<K>>,
    pub location: Vec<u32>,
    pub neighbourhood: Vec<u32>,
    pub location_count: usize,
    pub neighbourhood_count: usize,
    /// By process.
    pub needs: Vec<[Four; K]>,
    /// 0 for transient resources: a process's needs of those are held at its home wherever it is.
    pub kept: [Four; K],
    whole: [Four; K],
    pub home: &'a [u32],
    pub service: Vec<u32>,
    process_move: Vec<i64>,
    machine_move: i64,
    pub service_move: i64,
    /// What a unit beyond what is safe costs,
    pub load: [Four; K],
    /// and what a unit that a machine lacks weighs, which is one over what a machine has of the resource, on average.
    pub lack: [Four; K],
    balances: Vec<Balance>,
    /// By machine and balance: what the balance lacks where use is as high as is safe.
    offsets: Vec<f64>,
    pub services: Vec<Links>,
    /// Processes from the smallest to the largest, all resources counted alike, and where each stands in that.
    pub by_size: Vec<u32>,
    pub rank: Vec<u32>,
    /// Processes by service.
    pub sizes: Vec<u32>,
    pub max_moves: u32,
    /// Where each process could ever stand; any machine if there is none.
    pub reach: Option<Vec<Vec<u32>>>,
}

/// What binds a service to others.
pub(crate) struct Links {
    pub spread: u32,
    pub needs: Vec<u32>,
    pub needed_by: Vec<u32>,
}

struct Balance {
    first: usize,
    second: usize,
    target: f64,
    weight: f64,
}

impl<'a, const K: usize> Tables<'a, K> {
    pub fn new(problem: &'a Problem, max_moves: Option<u32>) -> Self {
        let model = problem.model();
        let wide = |of: &[u32]| all(|r| of.get(r).copied().map_or(0.0, f64::from));
        let (location, location_count) = compact(model.machines.iter().map(|m| m.location).collect());
        let (neighbourhood, neighbourhood_count) = compact(model.machines.iter().map(|m| m.neighbourhood).collect());
        let rows = model.machines.iter().map(|m| Row { spare: wide(&m.safety), slack: wide(&m.capacity) });
        let balances = model.balances.iter().map(|b| Balance {
            first: b.first as usize,
            second: b.second as usize,
            target: f64::from(b.target),
            weight: f64::from(b.weight),
        });
        let offsets = model.machines.iter().flat_map(|m| {
            let margin = |r: u32| f64::from(m.capacity[r as usize]) - f64::from(m.safety[r as usize]);
            model.balances.iter().map(move |b| f64::from(b.target) * margin(b.first) - margin(b.second))
        });
        let mut sizes = vec![0; model.services.len()];
        for process in &model.processes {
            sizes[process.service as usize] += 1;
        }
        let lack = |r: usize| {
            let held: f64 = model.machines.iter().map(|m| m.capacity.get(r).copied().map_or(0.0, f64::from)).sum();
            model.machines.len() as f64 / held.max(1.0)
        };
        let (by_size, rank) = by_size(problem);
        Self {
            model,
            rows: rows.collect(),
            location,
            neighbourhood,
            location_count,
            neighbourhood_count,
            needs: model.processes.iter().map(|p| wide(&p.needs)).collect(),
            kept: all(|r| if model.resources.get(r).is_some_and(|r| !r.transient) { 1.0 } else { 0.0 }),
            whole: [Four::ONE; K],
            home: problem.initial(),
            service: model.processes.iter().map(|p| p.service).collect(),
            process_move: model
                .processes
                .iter()
                .map(|p| i64::from(p.move_cost) * i64::from(model.weights.process_move))
                .collect(),
            machine_move: i64::from(model.weights.machine_move),
            service_move: i64::from(model.weights.service_move),
            load: all(|r| model.resources.get(r).map_or(0.0, |r| f64::from(r.load_weight))),
            lack: all(lack),
            balances: balances.collect(),
            offsets: offsets.collect(),
            services: links(model),
            by_size,
            rank,
            sizes,
            max_moves: max_moves.unwrap_or(u32::MAX),
            reach: None,
        }
    }

    /// Lists where each process could ever stand, which a search of a problem that is not large is quicker for. A scope
    /// that holds a part of the machines can't use it.
    pub fn find_reach(&mut self) {
        self.reach = reach(self);
    }

    /// For moves one after another: nothing stays in use where a process was.
    pub fn one_by_one(problem: &'a Problem) -> Self {
        Self { kept: [Four::ONE; K], ..Self::new(problem, None) }
    }

    /// Cost of having a process on `m`, without its service's part: its move and its place. None where it can't be.
    #[inline(always)]
    pub fn seat(&self, p: usize, m: usize) -> Option<i64> {
        let home = self.home[p] as usize;
        let moved = match home == m {
            true => 0,
            false => {
                let way = self.model.machine_move_cost[home * self.rows.len() + m];
                self.process_move[p] + self.machine_move * i64::from(way)
            }
        };
        if self.model.placement_costs.is_empty() {
            return Some(moved);
        }
        let class = self.model.processes[p].cost_class as usize;
        let place = self.model.placement_costs[class * self.rows.len() + m];
        (place != FORBIDDEN).then_some(moved + i64::from(place))
    }

    /// How much of its needs a process takes of a machine, by resource: 1, but 0 for transient resources at its home,
    /// where they are held wherever it is.
    #[inline(always)]
    pub fn takes(&self, p: usize, m: usize) -> &[Four; K] {
        if self.home[p] as usize == m { &self.kept } else { &self.whole }
    }

    /// Load and balance cost of machine `m` on which `more` is used.
    #[inline(always)]
    pub fn cost_with(&self, m: usize, row: &Row<K>, more: impl Fn(usize) -> Four) -> f64 {
        let load = weighed(&self.load, |k| less(more(k), row.spare[k]));
        if self.balances.is_empty() { load } else { load + self.balance_with(m, row, more) }
    }

    #[inline]
    fn balance_with(&self, m: usize, row: &Row<K>, more: impl Fn(usize) -> Four) -> f64 {
        let offsets = &self.offsets[m * self.balances.len()..];
        let mut cost = 0.0;
        for (b, offset) in self.balances.iter().zip(offsets) {
            let spare = |r: usize| at(&row.spare, r) - more(r / 4).to_array()[r % 4];
            cost += b.weight * (offset + b.target * spare(b.first) - spare(b.second)).max(0.0);
        }
        cost
    }
}

fn links(model: &Model) -> Vec<Links> {
    let own = |(s, service): (usize, &crate::model::Service)| {
        let mut needs = service.depends_on.clone();
        needs.retain(|&on| on as usize != s);
        needs.sort_unstable();
        needs.dedup();
        Links { spread: service.spread, needs, needed_by: Vec::new() }
    };
    let mut services: Vec<Links> = model.services.iter().enumerate().map(own).collect();
    for s in 0..services.len() {
        for i in 0..services[s].needs.len() {
            let on = services[s].needs[i] as usize;
            services[on].needed_by.push(s as u32);
        }
    }
    services
}

fn by_size(problem: &Problem) -> (Vec<u32>, Vec<u32>) {
    let model = problem.model();
    let held: Vec<f64> = (0..model.resources.len())
        .map(|r| model.machines.iter().map(|m| f64::from(m.capacity[r])).sum::<f64>().max(1.0))
        .collect();
    let size = |p: u32| model.processes[p as usize].needs.iter().zip(&held).map(|(&n, h)| f64::from(n) / h).sum();
    let sizes: Vec<f64> = (0..model.processes.len() as u32).map(size).collect();
    let mut order: Vec<u32> = (0..sizes.len() as u32).collect();
    order.sort_by(|&a, &b| sizes[a as usize].total_cmp(&sizes[b as usize]));
    let mut rank = vec![0; order.len()];
    for (place, &p) in order.iter().enumerate() {
        rank[p as usize] = place as u32;
    }
    (order, rank)
}

/// Numbers of any size as those from 0.
fn compact(of: Vec<u32>) -> (Vec<u32>, usize) {
    let mut known = of.clone();
    known.sort_unstable();
    known.dedup();
    let place = |value: u32| known.partition_point(|&k| k < value) as u32;
    (of.into_iter().map(place).collect(), known.len())
}
