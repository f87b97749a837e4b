//! What of a problem the search reads in its inner loop, laid out for it.

use super::Row;
use crate::problem::Problem;

pub(crate) struct Tables<const N: usize> {
    /// Of empty machines.
    pub rows: Vec<Row<N>>,
    pub location: Vec<u32>,
    pub neighbourhood: Vec<u32>,
    pub location_count: usize,
    pub neighbourhood_count: usize,
    /// By process.
    pub needs: Vec<[i64; N]>,
    /// What a process takes of its home's slack when it is there: transient needs are held there anyway.
    pub needs_at_home: Vec<[i64; N]>,
    pub home: Vec<u32>,
    pub service: Vec<u32>,
    process_move: Vec<i64>,
    machine_move: i64,
    way: Vec<u32>,
    pub service_move: i64,
    load: [i64; N],
    balances: Vec<(usize, usize, i64, i64)>,
    pub services: Vec<Links>,
    /// Processes from the smallest to the largest, all resources counted alike, and where each stands in that.
    pub by_size: Vec<u32>,
    pub rank: Vec<u32>,
    /// Processes by service.
    pub sizes: Vec<u32>,
}

/// What binds a service to others.
pub(crate) struct Links {
    pub spread: u32,
    pub needs: Vec<u32>,
    pub needed_by: Vec<u32>,
}

impl<const N: usize> Tables<N> {
    pub fn new(problem: &Problem) -> Self {
        let model = problem.model();
        let wide = |of: &[u32]| std::array::from_fn(|r| of.get(r).copied().map_or(0, i64::from));
        let (location, location_count) = compact(model.machines.iter().map(|m| m.location).collect());
        let (neighbourhood, neighbourhood_count) = compact(model.machines.iter().map(|m| m.neighbourhood).collect());
        let rows = model.machines.iter().map(|m| {
            let (capacity, safety): ([i64; N], [i64; N]) = (wide(&m.capacity), wide(&m.safety));
            Row { slack: capacity, over: safety.map(|s| -s), free: capacity }
        });
        let mut services: Vec<Links> = model
            .services
            .iter()
            .enumerate()
            .map(|(s, service)| {
                let mut needs = service.depends_on.clone();
                needs.retain(|&on| on as usize != s);
                needs.sort_unstable();
                needs.dedup();
                Links { spread: service.spread, needs, needed_by: Vec::new() }
            })
            .collect();
        for s in 0..services.len() {
            for i in 0..services[s].needs.len() {
                let on = services[s].needs[i] as usize;
                services[on].needed_by.push(s as u32);
            }
        }
        let mut sizes = vec![0; services.len()];
        for process in &model.processes {
            sizes[process.service as usize] += 1;
        }
        let (by_size, rank) = by_size(problem);
        Self {
            by_size,
            rank,
            rows: rows.collect(),
            location,
            neighbourhood,
            location_count,
            neighbourhood_count,
            needs: model.processes.iter().map(|p| wide(&p.needs)).collect(),
            needs_at_home: model
                .processes
                .iter()
                .map(|p| {
                    let kept = |r: usize| model.resources.get(r).is_none_or(|r| r.transient);
                    std::array::from_fn(|r| if kept(r) { 0 } else { i64::from(p.needs[r]) })
                })
                .collect(),
            home: problem.initial().to_vec(),
            service: model.processes.iter().map(|p| p.service).collect(),
            process_move: model
                .processes
                .iter()
                .map(|p| i64::from(p.move_cost) * i64::from(model.weights.process_move))
                .collect(),
            machine_move: i64::from(model.weights.machine_move),
            way: model.machine_move_cost.clone(),
            service_move: i64::from(model.weights.service_move),
            load: std::array::from_fn(|r| model.resources.get(r).map_or(0, |r| i64::from(r.load_weight))),
            balances: model
                .balances
                .iter()
                .map(|b| (b.first as usize, b.second as usize, i64::from(b.target), i64::from(b.weight)))
                .collect(),
            services,
            sizes,
        }
    }

    /// Cost of having moved a process from its home to `m`, without its service's part.
    #[inline]
    pub fn move_cost(&self, p: usize, m: usize) -> i64 {
        let home = self.home[p] as usize;
        if home == m {
            return 0;
        }
        self.process_move[p] + self.machine_move * i64::from(self.way[home * self.rows.len() + m])
    }

    /// What a process takes of a machine's slack when it is there.
    #[inline]
    pub fn held(&self, p: usize, m: usize) -> &[i64; N] {
        if self.home[p] as usize == m { &self.needs_at_home[p] } else { &self.needs[p] }
    }

    #[inline]
    pub fn row_cost(&self, row: &Row<N>) -> i64 {
        self.cost_with(row, &[0; N])
    }

    /// Load and balance cost of a machine on which `more` is used.
    #[inline]
    pub fn cost_with(&self, row: &Row<N>, more: &[i64; N]) -> i64 {
        let mut cost = 0;
        for (r, more) in more.iter().enumerate() {
            cost += self.load[r] * (row.over[r] + more).max(0);
        }
        for &(first, second, target, weight) in &self.balances {
            let lack = target * (row.free[first] - more[first]) - (row.free[second] - more[second]);
            cost += weight * lack.max(0);
        }
        cost
    }
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
