//! What a move costs once.

use novacron_catalog::{Destination, RegionId};
use novacron_placement::{Candidate, Market};
use novacron_types::{Money, placement::OneTimeCost};

use super::RebalanceOptions;
use crate::HOURS;

/// 10⁻⁹ USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Once {
    /// `None` where nobody states a price.
    pub transfer: Option<i128>,
    pub downtime: i128,
    pub risk: i128,
}

impl Once {
    /// Of moving `gb` from where an hour costs `hourly`.
    pub fn new(
        market: &Market,
        options: &RebalanceOptions<'_>,
        gb: u64,
        from: Candidate,
        hourly: Option<u64>,
        to: Candidate,
    ) -> Self {
        let month = i128::from(hourly.unwrap_or(0)) * HOURS;
        Self {
            transfer: transfer(market, gb, from, to),
            downtime: i128::from(options.downtime.minutes) * options.downtime.nanos_per_minute,
            risk: month * i128::from(options.risk_percent) / 100,
        }
    }

    /// As far as it is known.
    pub fn total(&self) -> i128 {
        self.transfer.unwrap_or(0) + self.downtime + self.risk
    }

    pub fn answer(&self) -> OneTimeCost {
        OneTimeCost {
            transfer: self.transfer.map(Money::usd_nanos),
            downtime: Money::usd_nanos(self.downtime),
            risk: Money::usd_nanos(self.risk),
            total: Money::usd_nanos(self.total()),
        }
    }
}

/// Out of a cloud's region: the price between two regions of one kind where it is stated, else that to the internet. Each
/// GB is counted at the dearest tier, since what else leaves the region in the month is not known. Nothing within a region,
/// and nothing out of a host of one's own.
fn transfer(market: &Market, gb: u64, from: Candidate, to: Candidate) -> Option<i128> {
    let Some(source) = market.region_of(from) else { return Some(0) };
    let target = market.region_of(to);
    if gb == 0 || target == Some(source) {
        return Some(0);
    }
    let catalog = market.catalog();
    let between = target.filter(|target| catalog.region(*target).kind == catalog.region(source).kind);
    let between = between.and_then(|target| dearest_tier(market, source, Destination::Region(target)));
    let nanos = between.or_else(|| dearest_tier(market, source, Destination::Internet))?;
    Some(i128::from(nanos) * i128::from(gb))
}

fn dearest_tier(market: &Market, from: RegionId, to: Destination) -> Option<u64> {
    let catalog = market.catalog();
    let transfers = &catalog.parts().transfers;
    let row = transfers.binary_search_by_key(&(from, to), |transfer| (transfer.from, transfer.to)).ok()?;
    let transfer = &transfers[row];
    let dollars = catalog.group(transfer.group).currency == *b"USD";
    transfer.tiers.iter().map(|tier| tier.nanos_per_gb).max().filter(|_| dollars)
}
