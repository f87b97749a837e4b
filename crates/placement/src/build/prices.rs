//! Disks and traffic by region, which prices will do, and the most that may be paid.

use novacron_catalog::{Destination, RegionId, TypeId};

use super::Builder;
use crate::{Market, PlacementError, rule::Kind};

impl<'m> Builder<'m, '_> {
    /// Disks and traffic by region, and which groups of prices will do.
    pub(super) fn prices(&mut self) -> Result<(), PlacementError> {
        let market = self.ask.market;
        let catalog = market.catalog();
        let parts = catalog.parts();
        let gb = self.ask.size.disk_gb;
        let hourly = |monthly: u128| u64::try_from(div_round(monthly, 730)).unwrap_or(u64::MAX);
        let named = self.ask.request.disk_type.clone();
        let disk_of = |i: usize| match &named {
            Some(name) => catalog
                .find_disk(RegionId(i as u16), name)
                .map(|disk| (disk.nanos_per_gb_month, catalog.sold_gb(disk, gb))),
            None => market.usual_disk[i].nanos.map(|nanos| (nanos, gb.max(market.usual_disk[i].least_gb))),
        };
        let all = 0..parts.regions.len();
        let disk = |i: usize| match gb {
            0 => Some(0),
            _ => disk_of(i).map(|(nanos, gb)| hourly(u128::from(nanos) * u128::from(gb))),
        };
        self.ask.disk = all.clone().map(disk).collect();
        let leaves = self.ask.request.traffic_gb_per_month.unwrap_or(0);
        let traffic = |i: usize| {
            let key = (RegionId(i as u16), Destination::Internet);
            let row = parts.transfers.binary_search_by_key(&key, |t| (t.from, t.to)).ok()?;
            Some(hourly(parts.transfers[row].cost_nanos(leaves)))
        };
        self.ask.traffic = all.map(|i| if leaves == 0 { Some(0) } else { traffic(i) }).collect();
        self.ask.takes_disk = match &named {
            None => market.takes_usual.clone(),
            Some(name) => {
                if !parts.disks.iter().any(|disk| disk.name == *name) {
                    return Err(PlacementError::invalid("disk_type", unknown_disk(market, name)));
                }
                (0..parts.types.len()).map(|ty| catalog.takes_disk(TypeId(ty as u16), name)).collect()
            }
        };
        self.ask.priced = self.rule("price", Kind::Priced)?;
        // A host without a cost is a place all the same: it has no points for it.
        if parts.groups.iter().any(|group| group.currency != *b"USD") {
            let bit = self.rule("currency", Kind::Currency)?;
            for (mask, group) in self.ask.groups.iter_mut().zip(&parts.groups) {
                *mask |= if group.currency == *b"USD" { 0 } else { bit };
            }
        }
        if let (true, Some(days), Some(today)) =
            (self.settings.refuse_stale, self.settings.max_age_days, self.settings.today)
        {
            let bit = self.rule("fresh-prices", Kind::Fresh(days))?;
            for (mask, group) in self.ask.groups.iter_mut().zip(&parts.groups) {
                let fresh = group.age_days(today).is_some_and(|age| i64::from(age) <= i64::from(days));
                *mask |= if fresh { 0 } else { bit };
            }
        }
        Ok(())
    }

    pub(super) fn cost_limit(&mut self) -> Result<(), PlacementError> {
        let own = self.ask.request.max_cost_per_hour.map(|dollars| dollars.nanos);
        if let Some(most) = own.into_iter().chain(self.settings.max_cost_nanos).min() {
            self.cost_at_most(most, false, "max_cost_per_hour")?;
        }
        Ok(())
    }

    /// At most so much an hour, or `less`.
    pub(super) fn cost_at_most(&mut self, nanos: i128, less: bool, field: &str) -> Result<(), PlacementError> {
        let most = if less { nanos - 1 } else { nanos };
        if most < 0 {
            return Err(PlacementError::invalid(field, "a cost is not less than nothing"));
        }
        let (kind, limit) = (Kind::Cost { nanos, less }, u64::try_from(most).unwrap_or(u64::MAX));
        // Of several limits the least counts.
        match self.ask.limit {
            Some((_, known)) if known <= limit => {}
            Some((bit, _)) => {
                self.ask.rules[bit.trailing_zeros() as usize].kind = kind;
                self.ask.limit = Some((bit, limit));
            }
            None => self.ask.limit = Some((self.rule("cost", kind)?, limit)),
        }
        Ok(())
    }
}

fn unknown_disk(market: &Market, name: &str) -> String {
    let mut known: Vec<&str> = market.catalog().parts().disks.iter().map(|disk| disk.name.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    match novacron_types::nearest(name, known.iter().copied()) {
        Some(near) => format!("no vendor has a disk {name:?}; did you mean {near}?"),
        None => format!("no vendor has a disk {name:?}; there are {}", known.join(", ")),
    }
}

/// `n / d`, rounded half to even, as the catalog does.
fn div_round(n: u128, d: u128) -> u128 {
    let (q, r) = (n / d, n % d);
    match (2 * r).cmp(&d) {
        std::cmp::Ordering::Less => q,
        std::cmp::Ordering::Greater => q + 1,
        std::cmp::Ordering::Equal => q + (q & 1),
    }
}
