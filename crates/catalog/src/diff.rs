//! What a refresh changed: two catalogs' offers side by side, by name, for ids hold within one catalog only.

use std::collections::BTreeMap;

use novacron_types::{Money, ProviderKind};

use crate::{Catalog, OfferId, Pricing};

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
