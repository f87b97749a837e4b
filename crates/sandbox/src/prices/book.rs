//! The prices themselves: those of the catalog that ships, some of them moved.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use novacron_catalog::{Catalog, Offer, OfferId, Pricing, RegionId};
use novacron_types::ProviderKind;
use serde::Deserialize;

use super::{gcp, oci};

/// Which prices differ from the catalog's: as the vendors', they move a little, and the same way for the same seed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceDrift {
    pub seed: u64,
    /// How many of a thousand prices are moved, each by 1 to 10 % up or down.
    pub permille: u32,
}

impl PriceDrift {
    /// The price of what these words name.
    pub(super) fn moved(self, nanos: u64, words: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, words).hash(&mut hasher);
        let draw = hasher.finish();
        if draw % 1000 >= u64::from(self.permille) {
            return nanos;
        }
        let percent = 1 + (draw >> 32) % 10;
        let part = nanos / 100 * percent;
        if draw >> 63 == 0 { nanos + part.max(1) } else { (nanos - part).max(1) }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Book {
    pub drift: PriceDrift,
    /// Rows on a page; each vendor has its own largest.
    pub page: usize,
}

impl Default for Book {
    fn default() -> Self {
        Self { drift: PriceDrift::default(), page: 1000 }
    }
}

/// An offer with its names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub offer: Offer,
    /// By the hour, as it is stated.
    pub nanos: u64,
    pub ty: &'static str,
}

impl Book {
    pub(super) fn catalog(self) -> Option<&'static Catalog> {
        Catalog::embedded()
    }

    /// Everything that is sold in a region, by type and pricing.
    pub(super) fn offers(self, kind: ProviderKind, region: &str) -> Vec<Listed> {
        let Some(catalog) = self.catalog() else { return Vec::new() };
        let Some(region) = catalog.find_region(kind, region) else { return Vec::new() };
        let ids = by_region(catalog).get(&region).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.listed(catalog, OfferId(*id))).collect()
    }

    /// The disks of a region, and what a GB and month of each costs.
    pub(super) fn disks(self, kind: ProviderKind, region: &str) -> Vec<(&'static str, u64)> {
        let Some(catalog) = self.catalog() else { return Vec::new() };
        let region = catalog.find_region(kind, region);
        let disks = catalog.parts().disks.iter().filter(|disk| Some(disk.region) == region);
        disks
            .map(|disk| (disk.name.as_str(), self.drift.moved(disk.nanos_per_gb_month, (&disk.name, region))))
            .collect()
    }

    fn listed(self, catalog: &'static Catalog, id: OfferId) -> Option<Listed> {
        let offer = catalog.offers().get(id)?;
        let (ty, region) = (&catalog.instance_type(offer.ty).name, catalog.region(offer.region));
        let hourly = catalog.hourly(id).nanos as u64;
        let nanos = self.drift.moved(hourly, (region.kind.as_str(), &region.name, ty, offer.pricing));
        Some(Listed { offer, nanos, ty })
    }

    /// What is stated for an hour of a machine.
    pub(crate) fn price(self, kind: ProviderKind, region: &str, ty: &str, pricing: Pricing) -> Option<u64> {
        let catalog = self.catalog()?;
        let (id, region) = (catalog.find_type(kind, ty)?, catalog.find_region(kind, region)?);
        let (offer, _) = catalog.find_offer(id, region, pricing)?;
        match kind {
            ProviderKind::Oci => oci::machine(self, ty, pricing),
            ProviderKind::Gcp => gcp::machine(self, catalog, catalog.instance_type(id), pricing, region),
            _ => self.listed(catalog, offer).map(|listed| listed.nanos),
        }
    }
}

fn by_region(catalog: &Catalog) -> &'static BTreeMap<RegionId, Vec<u32>> {
    static INDEX: OnceLock<BTreeMap<RegionId, Vec<u32>>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index: BTreeMap<RegionId, Vec<u32>> = BTreeMap::new();
        for (id, region) in (0u32..).zip(&catalog.offers().region) {
            index.entry(*region).or_default().push(id);
        }
        index
    })
}

/// An amount of 10⁻⁹ units as a plain decimal.
pub(super) fn decimal(nanos: i128) -> String {
    novacron_types::Money { nanos, currency: *b"USD" }.amount()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_prices_move_a_little_and_the_same_way_each_time() {
        let drift = PriceDrift { seed: 7, permille: 250 };
        let moved: Vec<u64> = (0..4000).map(|i| drift.moved(1_000_000, i)).collect();
        assert_eq!(moved, (0..4000).map(|i| drift.moved(1_000_000, i)).collect::<Vec<_>>());
        let differ = moved.iter().filter(|nanos| **nanos != 1_000_000).count();
        assert!((800..1200).contains(&differ), "{differ}");
        assert!(moved.iter().all(|nanos| (900_000..=1_100_000).contains(nanos)));
        assert_eq!(PriceDrift::default().moved(5, "x"), 5);
    }
}
