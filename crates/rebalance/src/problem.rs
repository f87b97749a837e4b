//! A model and an initial assignment that were checked, so that the search need not.

use crate::evaluate::{Cost, Violation, evaluate, violations};
use crate::model::{Assignment, Balance, FORBIDDEN, Model};
use thiserror::Error;

/// The most there may be of each. The challenge's largest instances have 5,000 machines, 50,000 processes, 20 resources.
pub mod limits {
    pub const RESOURCES: usize = 32;
    pub const MACHINES: usize = 20_000;
    pub const SERVICES: usize = 1_000_000;
    pub const PROCESSES: usize = 1_000_000;
    pub const BALANCES: usize = 64;
    /// Of all services together.
    pub const DEPENDENCIES: usize = 4_000_000;
    /// What the dearest thinkable assignment may cost.
    pub const COST: i128 = 1 << 52;
    /// Classes of placement costs times machines.
    pub const PLACEMENT_COSTS: usize = 1 << 28;
}

/// Why a model or an assignment is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProblemError {
    #[error("{count} {what}; at most {limit} are taken")]
    TooMany { what: &'static str, count: usize, limit: usize },
    #[error("there is no {0}; at least one is needed")]
    None(&'static str),
    #[error("{owner} {index} has {count} {what}; {expected} are needed, one each")]
    Count { owner: &'static str, index: usize, what: &'static str, count: usize, expected: usize },
    #[error("{owner} {index} names {what} {named}; there are {count}, counted from 0")]
    Unknown { owner: &'static str, index: usize, what: &'static str, named: u32, count: usize },
    #[error("the dearest thinkable assignment costs {0}, which is beyond what is computed exactly: use larger units")]
    Cost(i128),
    #[error("the initial assignment has {count} machines; there are {expected} processes")]
    Length { count: usize, expected: usize },
    #[error("the initial assignment breaks a constraint: {0}")]
    Infeasible(Violation),
    #[error("the assignment to move to breaks a constraint: {0}")]
    Goal(Violation),
}

/// A checked model with a feasible initial assignment.
#[derive(Clone, Debug)]
pub struct Problem {
    model: Model,
    initial: Assignment,
}

impl Problem {
    /// Checks sizes, references, the range of the cost, and that the initial assignment breaks no constraint.
    pub fn new(model: Model, initial: Assignment) -> Result<Self, ProblemError> {
        check_model(&model)?;
        check_assignment(&model, &initial)?;
        if let Some(first) = violations(&model, &initial, &initial, 1).into_iter().next() {
            return Err(ProblemError::Infeasible(first));
        }
        Ok(Self { model, initial })
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    pub fn initial(&self) -> &[u32] {
        &self.initial
    }

    /// The cost of an assignment, exact. Its length and machines must be the model's.
    pub fn cost(&self, assignment: &[u32]) -> Cost {
        evaluate(&self.model, &self.initial, assignment)
    }

    /// The first `limit` constraints that an assignment breaks.
    pub fn violations(&self, assignment: &[u32], limit: usize) -> Vec<Violation> {
        violations(&self.model, &self.initial, assignment, limit)
    }
}

/// Whether each process has a machine that exists.
pub fn check_assignment(model: &Model, assignment: &[u32]) -> Result<(), ProblemError> {
    let (count, expected) = (assignment.len(), model.processes.len());
    if count != expected {
        return Err(ProblemError::Length { count, expected });
    }
    for (index, &machine) in assignment.iter().enumerate() {
        known("process", index, "machine", machine, model.machines.len())?;
    }
    Ok(())
}

/// Whether sizes and references hold together and no cost overflows.
pub fn check_model(model: &Model) -> Result<(), ProblemError> {
    let (resources, machines) = (model.resources.len(), model.machines.len());
    let dependencies = model.services.iter().map(|s| s.depends_on.len()).sum();
    for (what, count, limit) in [
        ("resources", resources, limits::RESOURCES),
        ("machines", machines, limits::MACHINES),
        ("services", model.services.len(), limits::SERVICES),
        ("processes", model.processes.len(), limits::PROCESSES),
        ("balances", model.balances.len(), limits::BALANCES),
        ("dependencies", dependencies, limits::DEPENDENCIES),
        ("placement costs", model.placement_costs.len(), limits::PLACEMENT_COSTS),
    ] {
        if count > limit {
            return Err(ProblemError::TooMany { what, count, limit });
        }
    }
    for (what, count) in [("resource", resources), ("machine", machines)] {
        if count == 0 {
            return Err(ProblemError::None(what));
        }
    }
    each("machine", "capacities", resources, model.machines.iter().map(|m| m.capacity.len()))?;
    each("machine", "safety capacities", resources, model.machines.iter().map(|m| m.safety.len()))?;
    each("process", "needs", resources, model.processes.iter().map(|p| p.needs.len()))?;
    each("model", "machine move costs", machines * machines, std::iter::once(model.machine_move_cost.len()))?;
    for (index, service) in model.services.iter().enumerate() {
        for &on in &service.depends_on {
            known("service", index, "service", on, model.services.len())?;
        }
    }
    for (index, process) in model.processes.iter().enumerate() {
        known("process", index, "service", process.service, model.services.len())?;
    }
    if !model.placement_costs.is_empty() {
        let rows = model.placement_costs.len().div_ceil(machines);
        each("model", "placement costs", rows * machines, std::iter::once(model.placement_costs.len()))?;
        for (index, process) in model.processes.iter().enumerate() {
            known("process", index, "class of placement costs", process.cost_class, rows)?;
        }
    }
    for (index, balance) in model.balances.iter().enumerate() {
        known("balance", index, "resource", balance.first, resources)?;
        known("balance", index, "resource", balance.second, resources)?;
    }
    let dearest = dearest(model);
    if dearest > limits::COST { Err(ProblemError::Cost(dearest)) } else { Ok(()) }
}

fn each(
    owner: &'static str,
    what: &'static str,
    expected: usize,
    counts: impl Iterator<Item = usize>,
) -> Result<(), ProblemError> {
    match counts.enumerate().find(|&(_, count)| count != expected) {
        Some((index, count)) => Err(ProblemError::Count { owner, index, what, count, expected }),
        None => Ok(()),
    }
}

fn known(owner: &'static str, index: usize, what: &'static str, named: u32, count: usize) -> Result<(), ProblemError> {
    if (named as usize) < count { Ok(()) } else { Err(ProblemError::Unknown { owner, index, what, named, count }) }
}

/// More than any assignment can cost, and than any intermediate sum of the search can reach.
fn dearest(model: &Model) -> i128 {
    let sum = |of: &dyn Fn(usize) -> i128| (0..model.resources.len()).map(of).collect::<Vec<i128>>();
    let used = sum(&|r| model.processes.iter().map(|p| i128::from(p.needs[r])).sum());
    let held = sum(&|r| model.machines.iter().map(|m| i128::from(m.capacity[r]) + i128::from(m.safety[r])).sum());
    let load: i128 =
        model.resources.iter().enumerate().map(|(r, of)| i128::from(of.load_weight) * (used[r] + held[r])).sum();
    let reach = |r: u32| used[r as usize] + held[r as usize];
    let balance = |b: &Balance| i128::from(b.weight) * (i128::from(b.target) * reach(b.first) + reach(b.second));
    let balances: i128 = model.balances.iter().map(balance).sum();
    let (weights, way) = (model.weights, model.machine_move_cost.iter().copied().max().unwrap_or(0));
    let moves: i128 = model.processes.iter().map(|p| i128::from(weights.process_move) * i128::from(p.move_cost)).sum();
    let place = model.placement_costs.iter().copied().filter(|&cost| cost != FORBIDDEN).max().unwrap_or(0);
    let each =
        i128::from(weights.service_move) + i128::from(weights.machine_move) * i128::from(way) + i128::from(place);
    load + balances + moves + each * model.processes.len() as i128
}
