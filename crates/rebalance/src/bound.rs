//! What no assignment can go below.

use crate::model::Model;

/// A lower bound of the cost: that of one machine as large as all together. Loads and balances are convex in a
/// machine's use, so spreading the same use over parts of it can't cost less; moves cost at least nothing.
pub fn lower_bound(model: &Model) -> i128 {
    let sum = |of: &dyn Fn(usize) -> i128| (0..model.resources.len()).map(of).collect::<Vec<i128>>();
    let used = sum(&|r| model.processes.iter().map(|p| i128::from(p.needs[r])).sum());
    let safe = sum(&|r| model.machines.iter().map(|m| i128::from(m.safety[r])).sum());
    let held = sum(&|r| model.machines.iter().map(|m| i128::from(m.capacity[r])).sum());
    let load: i128 = model
        .resources
        .iter()
        .enumerate()
        .map(|(r, resource)| i128::from(resource.load_weight) * (used[r] - safe[r]).max(0))
        .sum();
    let balance: i128 = model
        .balances
        .iter()
        .map(|b| {
            let free = |r: u32| held[r as usize] - used[r as usize];
            i128::from(b.weight) * (i128::from(b.target) * free(b.first) - free(b.second)).max(0)
        })
        .sum();
    load + balance
}
