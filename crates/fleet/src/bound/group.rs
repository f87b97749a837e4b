//! The cheapest way for a few items to keep apart: a flow of least cost.

/// What one kind of the group pays.
pub(super) struct Member {
    pub count: u32,
    /// Domain, cost: each domain once.
    pub costs: Vec<(u32, i128)>,
    /// Of being left out.
    pub out: Option<i128>,
}

/// In no domain that is counted.
pub(super) const NOWHERE: u32 = u32::MAX;
/// Left out, in [`Flow::to`].
pub(super) const LEFT_OUT: u32 = u32::MAX - 1;

pub(super) struct Flow {
    pub cost: i128,
    /// Member, domain, how many.
    pub to: Vec<(usize, u32, u32)>,
}

/// The least that all members cost together when they stand in `at_least` domains, less one for each that is left out, and
/// at most `at_most` in one. `None` when they can't.
pub(super) fn cheapest(mut members: Vec<Member>, at_least: u32, at_most: u32) -> Option<Flow> {
    let units: u32 = members.iter().map(|m| m.count).sum();
    if units < at_least {
        return None;
    }
    // One never needs more than as many of the cheapest domains as there are items: one of them is free. Nowhere is no domain.
    for member in &mut members {
        member.costs.sort_unstable_by_key(|&(domain, cost)| (cost, domain));
        let nowhere = member.costs.iter().position(|c| c.0 == NOWHERE).filter(|&at| at > units as usize);
        let nowhere = nowhere.map(|at| member.costs[at]);
        member.costs.truncate(units as usize + 1);
        member.costs.extend(nowhere);
    }
    Network::new(&members, at_least, at_most, units).run(&members)
}

struct Arc {
    from: usize,
    to: usize,
    room: u32,
    cost: i128,
}

/// Nodes are the members, then the domains, then where all second items of domains go through, then the end. Arc `2n + 1` is
/// arc `2n` backwards.
struct Network {
    arcs: Vec<Arc>,
    domains: Vec<u32>,
    nodes: usize,
}

impl Network {
    fn new(members: &[Member], at_least: u32, at_most: u32, units: u32) -> Self {
        let mut domains: Vec<u32> = members.iter().flat_map(|m| m.costs.iter().map(|c| c.0)).collect();
        domains.sort_unstable();
        domains.dedup();
        let (rest, end) = (members.len() + domains.len(), members.len() + domains.len() + 1);
        let mut network = Self { arcs: Vec::new(), domains, nodes: end + 1 };
        for (m, member) in members.iter().enumerate() {
            for &(domain, cost) in &member.costs {
                let to = members.len() + network.domains.binary_search(&domain).unwrap_or(0);
                network.add(m, to, member.count, cost);
            }
            if let Some(out) = member.out {
                network.add(m, end, member.count, out);
            }
        }
        for d in 0..network.domains.len() {
            let (node, nowhere) = (members.len() + d, network.domains[d] == NOWHERE);
            if !nowhere {
                network.add(node, end, 1.min(at_most), 0);
            }
            network.add(node, rest, if nowhere { units } else { at_most.saturating_sub(1).min(units) }, 0);
        }
        network.add(rest, end, units - at_least, 0);
        network
    }

    fn add(&mut self, from: usize, to: usize, room: u32, cost: i128) {
        self.arcs.push(Arc { from, to, room, cost });
        self.arcs.push(Arc { from: to, to: from, room: 0, cost: -cost });
    }

    /// Sends one item after another along the cheapest way that is left.
    fn run(mut self, members: &[Member]) -> Option<Flow> {
        let mut cost = 0;
        for (m, member) in members.iter().enumerate() {
            for _ in 0..member.count {
                cost += self.send(m)?;
            }
        }
        let mut to = Vec::new();
        for pair in self.arcs.chunks_exact(2).filter(|pair| pair[0].from < members.len() && pair[1].room > 0) {
            let domain = self.domains.get(pair[0].to - members.len()).copied().unwrap_or(LEFT_OUT);
            to.push((pair[0].from, domain, pair[1].room));
        }
        Some(Flow { cost, to })
    }

    fn send(&mut self, from: usize) -> Option<i128> {
        let mut reached: Vec<Option<(i128, usize)>> = vec![None; self.nodes];
        reached[from] = Some((0, usize::MAX));
        // No cycle has a negative cost, so that this ends.
        loop {
            let mut changed = false;
            for (a, arc) in self.arcs.iter().enumerate().filter(|(_, arc)| arc.room > 0) {
                let Some((cost, _)) = reached[arc.from] else { continue };
                let cost = cost + arc.cost;
                if reached[arc.to].is_none_or(|(old, _)| cost < old) {
                    reached[arc.to] = Some((cost, a));
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        let (cost, mut arc) = reached[self.nodes - 1]?;
        while arc != usize::MAX {
            self.arcs[arc].room -= 1;
            self.arcs[arc ^ 1].room += 1;
            arc = reached[self.arcs[arc].from]?.1;
        }
        Some(cost)
    }
}
