//! What a refresh changed: two catalogs' prices side by side, by name, for ids hold within one catalog only.

use std::collections::BTreeMap;

use novacron_types::{Money, ProviderKind};

use crate::{Catalog, Destination, OfferId, Pricing};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferKey {
    pub kind: ProviderKind,
    pub region: String,
    pub ty: String,
    pub pricing: Pricing,
}

/// Prices are for an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Added { offer: OfferKey, price: Money },
    Removed { offer: OfferKey, price: Money },
    Price { offer: OfferKey, old: Money, new: Money },
}

/// What is bought beside a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Beside {
    /// A GB and month of a disk, by the vendor's name of it.
    Disk(String),
    /// A GB of traffic to there beyond so many GB of the month.
    Traffic { to: String, from_gb: u64 },
}

/// A price of a disk or of traffic that is new, gone or another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BesideChange {
    pub kind: ProviderKind,
    pub region: String,
    pub what: Beside,
    pub old: Option<Money>,
    pub new: Option<Money>,
}

/// As [`diff`], of disks and traffic.
pub fn diff_beside(old: &Catalog, new: &Catalog) -> Vec<BesideChange> {
    let mut both: BTreeMap<_, [Option<Money>; 2]> = BTreeMap::new();
    for (side, catalog) in [old, new].into_iter().enumerate() {
        for (key, price) in beside(catalog) {
            both.entry(key).or_default()[side] = Some(price);
        }
    }
    let changed = both.into_iter().filter(|(_, [old, new])| old != new);
    changed.map(|((kind, region, what), [old, new])| BesideChange { kind, region, what, old, new }).collect()
}

fn beside(catalog: &Catalog) -> impl Iterator<Item = ((ProviderKind, String, Beside), Money)> {
    let key = move |id, what| {
        let region = catalog.region(id);
        (region.kind, region.name.clone(), what)
    };
    let money = move |group, nanos: u64| Money { nanos: nanos.into(), currency: catalog.group(group).currency };
    let disks = catalog.parts().disks.iter().map(move |disk| {
        (key(disk.region, Beside::Disk(disk.name.clone())), money(disk.group, disk.nanos_per_gb_month))
    });
    let traffic = catalog.parts().transfers.iter().flat_map(move |transfer| {
        let to = match transfer.to {
            Destination::Internet => "the internet".to_owned(),
            Destination::InternetAustralia => "the internet in Australia".to_owned(),
            Destination::InternetChina => "the internet in China".to_owned(),
            Destination::Region(id) => catalog.region(id).name.clone(),
        };
        transfer.tiers.iter().map(move |tier| {
            let what = Beside::Traffic { to: to.clone(), from_gb: tier.from_gb };
            (key(transfer.from, what), money(transfer.group, tier.nanos_per_gb))
        })
    });
    disks.chain(traffic)
}

/// What must be done to `old` to have `new`, sorted by offer.
pub fn diff(old: &Catalog, new: &Catalog) -> Vec<Change> {
    let (mut before, after) = (prices(old), prices(new));
    let mut changes = BTreeMap::new();
    for (key, price) in after {
        let change = match before.remove(&key) {
            None => Change::Added { offer: key.owned(), price },
            Some(old) if old != price => Change::Price { offer: key.owned(), old, new: price },
            Some(_) => continue,
        };
        changes.insert(key.owned(), change);
    }
    for (key, price) in before {
        changes.insert(key.owned(), Change::Removed { offer: key.owned(), price });
    }
    changes.into_values().collect()
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
struct Key<'a>(ProviderKind, &'a str, &'a str, Pricing);

impl Key<'_> {
    fn owned(&self) -> OfferKey {
        OfferKey { kind: self.0, region: self.1.to_owned(), ty: self.2.to_owned(), pricing: self.3 }
    }
}

fn prices(catalog: &Catalog) -> BTreeMap<Key<'_>, Money> {
    let offers = catalog.offers().iter().enumerate();
    let price = |(i, offer): (usize, crate::Offer)| {
        let (region, ty) = (catalog.region(offer.region), catalog.instance_type(offer.ty));
        (Key(region.kind, &region.name, &ty.name, offer.pricing), catalog.hourly(OfferId(i as u32)))
    };
    offers.map(price).collect()
}
