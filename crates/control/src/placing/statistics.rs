//! How many machines there are where, and what they cost.

use std::collections::BTreeMap;

use novacron_types::placement::{Dollars, PlacementStatus, Statistics};

use super::Placing;
use crate::{Control, ControlError};

/// On machines that a burst placed.
pub(crate) const BURST_LABEL: &str = "novacron/burst";

impl Control {
    pub async fn statistics(&self) -> Result<Statistics, ControlError> {
        let placing = &self.inner.tools.placing;
        // What machines cost is told by these.
        placing.prices().await?;
        let records = placing.records().await?;
        let (mut by_provider, mut by_region) = (BTreeMap::new(), BTreeMap::new());
        let (mut nanos, mut unknown, mut bursted) = (0i128, 0u64, 0u64);
        for record in &records {
            *by_provider.entry(cloud(placing, record.provider.as_str())).or_insert(0u64) += 1;
            *by_region.entry(placing.region(record)).or_insert(0u64) += 1;
            match placing.monthly_nanos(record) {
                Some(monthly) => nanos += monthly,
                None => unknown += 1,
            }
            bursted += u64::from(record.instance.spec.labels.contains_key(BURST_LABEL));
        }
        let names = Placing::count(records.iter().map(|record| record.provider.as_str()));
        let counts = self.store().counts().placement_counts().await?;
        let count = |status: PlacementStatus| counts.get(&status).copied().unwrap_or(0);
        let placements = PlacementStatus::ALL.into_iter().map(|status| (status.to_string(), count(status))).collect();
        Ok(Statistics {
            total_vms: records.len() as u64,
            by_provider,
            by_provider_name: names.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
            by_region,
            bursted_vms: bursted,
            placements,
            cost_per_hour: Dollars { nanos: nanos / 730 },
            vms_without_known_cost: unknown,
        })
    }
}

/// The kind of a cloud; hosts of one's own are `local`.
fn cloud(placing: &Placing, provider: &str) -> String {
    let kind = placing.kind_of(provider);
    kind.filter(|kind| kind.is_cloud()).map_or("local".to_owned(), |kind| kind.to_string())
}
