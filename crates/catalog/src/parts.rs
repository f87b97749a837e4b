//! A catalog as plain rows, and what must hold of them.

use std::cmp::Ordering;

use crate::{
    Destination, Disk, Group, GroupId, InstanceType, Interruption, NO_BAND, Offers, Per, Region, RegionId, RoundTrip,
    SlaRow, Transfer, offer::div_round,
};

/// Everything that a catalog knows. Ids are indices into these lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    pub groups: Vec<Group>,
    /// Sorted by kind and name, none twice; so are `types`.
    pub regions: Vec<Region>,
    pub types: Vec<InstanceType>,
    pub offers: Offers,
    /// Sorted by region and name.
    pub disks: Vec<Disk>,
    /// Sorted by origin and destination.
    pub transfers: Vec<Transfer>,
    /// Sorted by origin and destination.
    pub round_trips: Vec<RoundTrip>,
    /// Sorted by kind and scope.
    pub slas: Vec<SlaRow>,
}

/// Rows that make no catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the catalog's {list} are not usable at row {row}: {why}")]
pub struct PartsError {
    pub list: &'static str,
    pub row: usize,
    pub why: &'static str,
}

impl Parts {
    /// Fills what follows from the rest (`hourly_nanos`) and checks that every id exists and every list is in order.
    pub(crate) fn finish(&mut self) -> Result<(), PartsError> {
        self.check_lists()?;
        self.check_offers()?;
        let offers = &mut self.offers;
        let groups = &self.groups;
        let hourly = |(nanos, group): (&u64, &GroupId)| match groups[usize::from(group.0)].per {
            Per::Hour => *nanos,
            Per::Month => div_round(u128::from(*nanos), 730) as u64,
        };
        offers.hourly_nanos = offers.price_nanos.iter().zip(&offers.group).map(hourly).collect();
        Ok(())
    }

    fn check_lists(&self) -> Result<(), PartsError> {
        let fits = |list, len: usize, most: usize| match len <= most {
            true => Ok(()),
            false => Err(PartsError { list, row: most, why: "there are too many" }),
        };
        fits("groups", self.groups.len(), 1 << 8)?;
        fits("regions", self.regions.len(), 1 << 16)?;
        fits("types", self.types.len(), 1 << 16)?;
        let group = |g: GroupId| usize::from(g.0) < self.groups.len();
        let region = |r: RegionId| usize::from(r.0) < self.regions.len();
        ordered("regions", &self.regions, |r| (r.kind, r.name.as_str()))?;
        ordered("types", &self.types, |t| (t.kind, t.name.as_str()))?;
        ordered("disks", &self.disks, |d| (d.region, d.name.as_str()))?;
        ordered("transfers", &self.transfers, |t| (t.from, t.to))?;
        ordered("round trips", &self.round_trips, |r| (r.from, r.to))?;
        each("regions", &self.regions, |r| {
            let grid = r.grid.is_none_or(|g| group(g.group));
            let degrees = |micro: i32, most: u32| micro.unsigned_abs() <= most * 1_000_000;
            let point = r.point.is_none_or(|p| degrees(p.lat_micro, 90) && degrees(p.lon_micro, 180));
            group(r.group) && group(r.compliance_group) && grid && point
        })?;
        each("types", &self.types, |t| {
            let power = t.power.is_none_or(|p| group(p.group));
            group(t.group)
                && group(t.network_group)
                && power
                && t.embodied.is_none_or(|e| group(e.group))
                && t.vcpus > 0
                && t.memory_bytes > 0
        })?;
        each("disks", &self.disks, |d| group(d.group) && region(d.region))?;
        each("transfers", &self.transfers, |t| {
            let to = if let Destination::Region(to) = t.to { region(to) } else { true };
            let tiers = t.tiers.first().is_some_and(|t| t.from_gb == 0)
                && t.tiers.windows(2).all(|pair| pair[0].from_gb < pair[1].from_gb);
            group(t.group) && region(t.from) && to && tiers
        })?;
        each("round trips", &self.round_trips, |r| group(r.group) && region(r.from) && region(r.to))?;
        ordered("promises", &self.slas, |row| (row.sla.kind, &row.scope))?;
        each("promises", &self.slas, |SlaRow { sla, .. }| {
            let promises = [sla.single_milli_percent, sla.spread_milli_percent, sla.multi_zone_milli_percent];
            group(sla.group) && promises.iter().all(|promise| *promise <= 100_000)
        })
    }

    fn check_offers(&self) -> Result<(), PartsError> {
        let offers = &self.offers;
        let fail = |row, why| Err(PartsError { list: "offers", row, why });
        let mut before = None;
        if u32::try_from(offers.len()).is_err() {
            return fail(u32::MAX as usize, "there are too many");
        }
        for (row, offer) in offers.iter().enumerate() {
            let key = (offer.ty, offer.pricing, offer.region);
            let (Some(ty), Some(region)) =
                (self.types.get(usize::from(offer.ty.0)), self.regions.get(usize::from(offer.region.0)))
            else {
                return fail(row, "its type or region does not exist");
            };
            if ty.kind != region.kind {
                return fail(row, "its type and region are of different kinds");
            }
            if usize::from(offer.group.0) >= self.groups.len() {
                return fail(row, "its group does not exist");
            }
            if offer.price_nanos == 0 || offer.price_nanos > i64::MAX as u64 {
                return fail(row, "its price is nothing or absurd");
            }
            if offer.band != NO_BAND && Interruption::from_code(offer.band).is_none() {
                return fail(row, "its interruption band does not exist");
            }
            if before >= Some(key) {
                return fail(row, "it is out of order or there twice");
            }
            before = Some(key);
        }
        Ok(())
    }
}

fn ordered<'a, T, K: Ord>(list: &'static str, rows: &'a [T], key: impl Fn(&'a T) -> K) -> Result<(), PartsError> {
    match rows.windows(2).position(|pair| key(&pair[0]).cmp(&key(&pair[1])) != Ordering::Less) {
        Some(row) => Err(PartsError { list, row: row + 1, why: "it is out of order or there twice" }),
        None => Ok(()),
    }
}

fn each<T>(list: &'static str, rows: &[T], good: impl Fn(&T) -> bool) -> Result<(), PartsError> {
    match rows.iter().position(|row| !good(row)) {
        Some(row) => Err(PartsError { list, row, why: "it has an id that does not exist or a figure that can't be" }),
        None => Ok(()),
    }
}
