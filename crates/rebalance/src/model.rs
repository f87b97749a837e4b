//! What is to be rebalanced: machines with capacities, and processes that use them.
//!
//! The terms and the cost are those of Google's machine-reassignment problem (ROADEF/EURO challenge 2012), of which
//! rebalancing VMs is a case: a machine is a host or a pool of one, a process is a VM, a service is a group whose
//! members are kept apart. Quantities are whole numbers in whatever unit the caller chose for a resource.

/// One kind of capacity. What a moved process used of a `transient` resource stays in use on the machine it leaves
/// (disk, for as long as the copy lasts), so a machine must hold both those that come and those that go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub transient: bool,
    /// Cost of one unit above a machine's safety capacity.
    pub load_weight: u32,
}

/// A place to run. `capacity` is never exceeded; use above `safety` costs. One entry a resource in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Services that depend on others want those in the same neighbourhood.
    pub neighbourhood: u32,
    /// Services spread over at least so many locations.
    pub location: u32,
    pub capacity: Vec<u32>,
    pub safety: Vec<u32>,
}

/// Processes that are never on one machine together, run in at least `spread` locations, and in a neighbourhood
/// only if each service of `depends_on` runs there too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub spread: u32,
    pub depends_on: Vec<u32>,
}

/// What is placed. One need a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub service: u32,
    pub needs: Vec<u32>,
    /// Cost of moving it at all, times [`Weights::process_move`].
    pub move_cost: u32,
    /// Its row in [`Model::placement_costs`]; 0 if there are none.
    pub cost_class: u32,
}

/// Wants `target` times the free capacity of `first` to be matched by that of `second` on each machine; each unit
/// that lacks costs `weight`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    pub first: u32,
    pub second: u32,
    pub target: u32,
    pub weight: u32,
}

/// What moves cost: each process, the largest number of moves in one service, each way from machine to machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    pub process_move: u32,
    pub service_move: u32,
    pub machine_move: u32,
}

/// The whole of it. Checked by [`crate::Problem::new`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub resources: Vec<Resource>,
    pub machines: Vec<Machine>,
    /// Cost of going from a machine to another, row by row: `machines × machines`.
    pub machine_move_cost: Vec<u32>,
    pub services: Vec<Service>,
    pub processes: Vec<Process>,
    pub balances: Vec<Balance>,
    pub weights: Weights,
    /// Cost of having a process of a class on a machine, row by row: classes × machines. Processes with the same costs
    /// share a class. A process is never where it costs [`FORBIDDEN`]. Empty if places cost nothing.
    pub placement_costs: Vec<u32>,
}

/// In [`Model::placement_costs`]: not allowed there.
pub const FORBIDDEN: u32 = u32::MAX;

impl Model {
    /// Cost of moving anything from a machine to another, before its weight.
    pub fn way(&self, from: u32, to: u32) -> u32 {
        self.machine_move_cost[from as usize * self.machines.len() + to as usize]
    }

    /// Cost of having process `p` on a machine, [`FORBIDDEN`] if it must not be there.
    pub fn placement(&self, p: usize, machine: u32) -> u32 {
        if self.placement_costs.is_empty() {
            return 0;
        }
        self.placement_costs[self.processes[p].cost_class as usize * self.machines.len() + machine as usize]
    }
}

/// The machine of each process.
pub type Assignment = Vec<u32>;
