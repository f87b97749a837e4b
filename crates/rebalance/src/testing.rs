//! Small instances made from a seed, with a feasible initial assignment.

use crate::model::{Balance, FORBIDDEN, Machine, Model, Process, Resource, Service, Weights};
use crate::problem::Problem;
use crate::rng::Rng;

pub(crate) struct Shape {
    pub machines: usize,
    pub processes: usize,
    pub services: usize,
    pub resources: usize,
}

impl Shape {
    pub fn small() -> Self {
        Self { machines: 5, processes: 9, services: 5, resources: 3 }
    }
}

/// An instance of at most this shape: processes are put where they fit the rules, and the rules are then made as
/// tight as what came of it allows.
pub(crate) fn random(seed: u64, shape: &Shape) -> Problem {
    let rng = &mut Rng::new(seed);
    let up_to = |rng: &mut Rng, n: usize| 1 + rng.below(n);
    let (machines, resources) = (up_to(rng, shape.machines), up_to(rng, shape.resources));
    let (services, wanted) = (up_to(rng, shape.services), up_to(rng, shape.processes));
    let mut initial = Vec::new();
    let mut processes: Vec<Process> = Vec::new();
    for _ in 0..wanted {
        let (service, at) = (rng.below(services) as u32, rng.below(machines) as u32);
        if processes.iter().zip(&initial).any(|(p, &m)| p.service == service && m == at) {
            continue;
        }
        let needs = (0..resources).map(|_| rng.below(50) as u32).collect();
        processes.push(Process { service, needs, move_cost: rng.below(20) as u32, cost_class: 0 });
        initial.push(at);
    }
    let place: Vec<(u32, u32)> = (0..machines).map(|_| (rng.below(3) as u32 * 7, rng.below(4) as u32)).collect();
    let near = |s: usize, processes: &[Process]| -> Vec<u32> {
        let of = processes.iter().zip(&initial).filter(|(p, _)| p.service as usize == s);
        of.map(|(_, &m)| place[m as usize].0).collect()
    };
    let model_services = (0..services)
        .map(|s| {
            let mut at: Vec<u32> = processes
                .iter()
                .zip(&initial)
                .filter(|(p, _)| p.service as usize == s)
                .map(|(_, &m)| place[m as usize].1)
                .collect();
            at.sort_unstable();
            at.dedup();
            let depends_on = (0..services)
                .filter(|&on| near(s, &processes).iter().all(|n| near(on, &processes).contains(n)))
                .filter(|_| rng.below(2) == 0)
                .map(|on| on as u32)
                .collect();
            Service { spread: rng.below(at.len() + 1) as u32, depends_on }
        })
        .collect();
    let machines: Vec<Machine> = (0..machines)
        .map(|m| {
            let used = |r: usize| -> u32 {
                processes.iter().zip(&initial).filter(|(_, at)| **at as usize == m).map(|(p, _)| p.needs[r]).sum()
            };
            let capacity: Vec<u32> = (0..resources).map(|r| used(r) + rng.below(80) as u32).collect();
            let safety = capacity.iter().map(|&c| rng.below(c as usize + 1) as u32).collect();
            Machine { neighbourhood: place[m].0, location: place[m].1, capacity, safety }
        })
        .collect();
    let count = machines.len();
    let placement_costs = places(rng, &mut processes, &initial, count);
    let machine_move_cost =
        (0..count * count).map(|i| if i % (count + 1) == 0 { 0 } else { rng.below(9) as u32 }).collect();
    let balance = |rng: &mut Rng| Balance {
        first: rng.below(resources) as u32,
        second: rng.below(resources) as u32,
        target: rng.below(4) as u32,
        weight: rng.below(5) as u32,
    };
    let model = Model {
        resources: (0..resources)
            .map(|_| Resource { transient: rng.below(2) == 0, load_weight: rng.below(12) as u32 })
            .collect(),
        machines,
        machine_move_cost,
        services: model_services,
        processes,
        balances: (0..rng.below(3)).map(|_| balance(rng)).collect(),
        placement_costs,
        weights: Weights { process_move: 1, service_move: rng.below(12) as u32, machine_move: rng.below(3) as u32 },
    };
    Problem::new(model, initial).expect("feasible as it was made")
}

/// For half of the instances: up to three classes, and machines that some must not be on.
fn places(rng: &mut Rng, processes: &mut [Process], initial: &[u32], machines: usize) -> Vec<u32> {
    if rng.below(2) == 0 {
        return Vec::new();
    }
    let classes = 1 + rng.below(3);
    let mut costs: Vec<u32> =
        (0..classes * machines).map(|_| if rng.below(4) == 0 { FORBIDDEN } else { rng.below(100) as u32 }).collect();
    for (process, &home) in processes.iter_mut().zip(initial) {
        process.cost_class = rng.below(classes) as u32;
        let cell = &mut costs[process.cost_class as usize * machines + home as usize];
        if *cell == FORBIDDEN {
            *cell = rng.below(100) as u32;
        }
    }
    costs
}
