//! What is bought around a machine: disks and transfer; and what has been measured between regions.

use crate::{GroupId, RegionId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    pub region: RegionId,
    /// The vendor's own name (`gp3`, `Standard SSD`, `balanced`, `block-10-vpu`), or the source's for it.
    pub name: String,
    /// 10⁻⁹ units of the group's currency per GB and month, on demand.
    pub nanos_per_gb_month: u64,
    pub group: GroupId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    Internet,
    /// The internet in Australia, where a vendor prices it apart.
    InternetAustralia,
    InternetChina,
    Region(RegionId),
}

/// From so many GB a month on, each GB costs this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    pub from_gb: u64,
    /// 10⁻⁹ units of the group's currency.
    pub nanos_per_gb: u64,
}

/// What leaving a region costs. The first tier begins at 0 and each later one beyond the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub from: RegionId,
    pub to: Destination,
    pub tiers: Vec<Tier>,
    pub group: GroupId,
}

impl Transfer {
    /// What `gb` in one month cost, each part by its own tier; in 10⁻⁹ units.
    pub fn cost_nanos(&self, gb: u64) -> u128 {
        let ends = self.tiers.iter().skip(1).map(|t| t.from_gb).chain([u64::MAX]);
        let part = |(tier, end): (&Tier, u64)| {
            u128::from(gb.min(end).saturating_sub(tier.from_gb)) * u128::from(tier.nanos_per_gb)
        };
        self.tiers.iter().zip(ends).map(part).sum()
    }
}

/// A measured round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    pub from: RegionId,
    pub to: RegionId,
    pub micros: u32,
    pub group: GroupId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_by_its_own_tier() {
        let tier = |from_gb, nanos_per_gb| Tier { from_gb, nanos_per_gb };
        let transfer = Transfer {
            from: RegionId(0),
            to: Destination::Internet,
            tiers: vec![tier(0, 0), tier(10_240, 8_500_000)],
            group: GroupId(0),
        };
        assert_eq!(transfer.cost_nanos(10_240), 0);
        assert_eq!(transfer.cost_nanos(10_241), 8_500_000);
        assert_eq!(transfer.cost_nanos(20_240), 85_000_000_000);
    }
}
