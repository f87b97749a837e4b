//! What an assignment costs and which constraints it breaks, computed from nothing: the search is held to this.

use crate::model::{FORBIDDEN, Model};
use std::fmt;

/// The parts of the cost, each with its weight in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub load: i128,
    pub balance: i128,
    pub process_moves: i128,
    pub service_moves: i128,
    pub machine_moves: i128,
    pub placement: i128,
}

impl Cost {
    pub fn total(&self) -> i128 {
        self.load + self.balance + self.process_moves + self.service_moves + self.machine_moves + self.placement
    }
}

/// A broken constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// With what stays in use of transient resources while processes move.
    Capacity {
        machine: usize,
        resource: usize,
        used: u64,
        capacity: u32,
    },
    Conflict {
        service: usize,
        machine: u32,
    },
    Spread {
        service: usize,
        locations: usize,
        needed: u32,
    },
    Dependency {
        service: usize,
        on: u32,
        neighbourhood: u32,
    },
    /// The process must not be on the machine.
    Forbidden {
        process: usize,
        machine: u32,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity { machine, resource, used, capacity } => {
                write!(f, "machine {machine} must hold {used} of resource {resource}, and has {capacity}")
            }
            Self::Conflict { service, machine } => write!(f, "service {service} is on machine {machine} twice"),
            Self::Spread { service, locations, needed } => {
                write!(f, "service {service} is in {locations} locations, and needs {needed}")
            }
            Self::Dependency { service, on, neighbourhood } => {
                write!(f, "service {service} is in neighbourhood {neighbourhood} without service {on}")
            }
            Self::Forbidden { process, machine } => write!(f, "process {process} must not be on machine {machine}"),
        }
    }
}

/// The cost of `assignment` when each process comes from its machine in `initial`.
///
/// # Panics
/// If the model was not checked, or an assignment has another length or names a machine that is not there.
pub fn evaluate(model: &Model, initial: &[u32], assignment: &[u32]) -> Cost {
    let used = usage(model, assignment, None);
    let mut cost = Cost::default();
    for (machine, used) in model.machines.iter().zip(&used) {
        for (r, resource) in model.resources.iter().enumerate() {
            let over = used[r].saturating_sub(u64::from(machine.safety[r]));
            cost.load += i128::from(resource.load_weight) * i128::from(over);
        }
        for balance in &model.balances {
            let free = |r: u32| i128::from(machine.capacity[r as usize]) - i128::from(used[r as usize]);
            let lack = i128::from(balance.target) * free(balance.first) - free(balance.second);
            cost.balance += i128::from(balance.weight) * lack.max(0);
        }
    }
    let mut moved = vec![0u32; model.services.len()];
    for (p, ((process, &from), &to)) in model.processes.iter().zip(initial).zip(assignment).enumerate() {
        cost.placement += i128::from(model.placement(p, to));
        if from != to {
            cost.process_moves += i128::from(model.weights.process_move) * i128::from(process.move_cost);
            cost.machine_moves += i128::from(model.weights.machine_move) * i128::from(model.way(from, to));
            moved[process.service as usize] += 1;
        }
    }
    let most = moved.into_iter().max().unwrap_or(0);
    cost.service_moves = i128::from(model.weights.service_move) * i128::from(most);
    cost
}

/// The first `limit` constraints that `assignment` breaks, by kind.
///
/// # Panics
/// As [`evaluate`].
pub fn violations(model: &Model, initial: &[u32], assignment: &[u32], limit: usize) -> Vec<Violation> {
    let mut found = Vec::new();
    for (machine, used) in usage(model, assignment, Some(initial)).into_iter().enumerate() {
        for (resource, used) in used.into_iter().enumerate() {
            let capacity = model.machines[machine].capacity[resource];
            if used > u64::from(capacity) {
                found.push(Violation::Capacity { machine, resource, used, capacity });
            }
        }
    }
    let mut homes = vec![Vec::new(); model.services.len()];
    for (process, &machine) in model.processes.iter().zip(assignment) {
        homes[process.service as usize].push(machine);
    }
    let neighbourhoods: Vec<Vec<u32>> =
        homes.iter().map(|at| distinct(at.iter().map(|&m| model.machines[m as usize].neighbourhood))).collect();
    for (service, at) in homes.iter_mut().enumerate() {
        at.sort_unstable();
        found.extend(at.windows(2).filter(|w| w[0] == w[1]).map(|w| Violation::Conflict { service, machine: w[0] }));
        let needed = model.services[service].spread;
        let locations = distinct(at.iter().map(|&m| model.machines[m as usize].location)).len();
        if locations < needed as usize {
            found.push(Violation::Spread { service, locations, needed });
        }
        for &on in &model.services[service].depends_on {
            let there = &neighbourhoods[on as usize];
            let without = neighbourhoods[service].iter().filter(|n| there.binary_search(n).is_err());
            let left = limit.saturating_sub(found.len());
            found.extend(without.take(left).map(|&n| Violation::Dependency { service, on, neighbourhood: n }));
        }
    }
    for (process, &machine) in assignment.iter().enumerate() {
        if model.placement(process, machine) == FORBIDDEN {
            found.push(Violation::Forbidden { process, machine });
        }
    }
    found.truncate(limit);
    found
}

/// Use by machine and resource; with `initial`, what is used while processes move from there.
fn usage(model: &Model, assignment: &[u32], initial: Option<&[u32]>) -> Vec<Vec<u64>> {
    let mut used = vec![vec![0u64; model.resources.len()]; model.machines.len()];
    for (p, process) in model.processes.iter().enumerate() {
        let at = assignment[p];
        let left = initial.map(|initial| initial[p]).filter(|&home| home != at);
        for (r, &need) in process.needs.iter().enumerate() {
            used[at as usize][r] += u64::from(need);
            if let Some(home) = left.filter(|_| model.resources[r].transient) {
                used[home as usize][r] += u64::from(need);
            }
        }
    }
    used
}

fn distinct(values: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut values: Vec<u32> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}
