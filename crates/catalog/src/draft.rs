//! Builds a catalog from rows that name each other instead of counting, in any order.

use std::collections::{BTreeMap, HashMap};

use novacron_types::ProviderKind;

use crate::{
    Catalog, Destination, Disk, Group, GroupId, InstanceType, NO_BAND, Offer, Parts, PartsError, Pricing, Region,
    RegionId, RoundTrip, Sla, SlaRow, SlaScope, Tier, Transfer, TypeId,
};

type Key = (ProviderKind, String);

/// Rows on their way into a catalog. What is added twice is the later.
#[derive(Debug, Default)]
pub struct Draft {
    groups: Vec<Group>,
    regions: BTreeMap<Key, Region>,
    types: BTreeMap<Key, InstanceType>,
    offers: BTreeMap<(ProviderKind, String, Pricing, String), DraftOffer>,
    disks: BTreeMap<(ProviderKind, String, String), (u64, GroupId)>,
    transfers: BTreeMap<(ProviderKind, String, DraftDestination), (Vec<Tier>, GroupId)>,
    round_trips: BTreeMap<(Key, Key), (u32, GroupId)>,
    slas: BTreeMap<(ProviderKind, SlaScope), Sla>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DraftDestination {
    Internet,
    InternetAustralia,
    InternetChina,
    /// Of the same kind.
    Region(String),
}

#[derive(Debug, Clone, Copy)]
pub struct DraftOffer {
    pub group: GroupId,
    pub price_nanos: u64,
    pub band: u8,
    pub zones: u16,
}

impl DraftOffer {
    pub fn new(group: GroupId, price_nanos: u64) -> Self {
        Self { group, price_nanos, band: NO_BAND, zones: 0 }
    }
}

impl Draft {
    /// All rows of a catalog, to change some of them: a refresh puts what a vendor says now over what was known. Group ids
    /// stay what they were.
    pub fn from_catalog(catalog: &Catalog) -> Self {
        let parts = catalog.parts();
        let key = |id: RegionId| (catalog.region(id).kind, catalog.region(id).name.clone());
        let mut draft = Self { groups: parts.groups.clone(), ..Self::default() };
        parts.regions.iter().cloned().for_each(|region| draft.region(region));
        parts.types.iter().cloned().for_each(|ty| draft.instance_type(ty));
        for Offer { ty, pricing, region, group, price_nanos, band, zones } in parts.offers.iter() {
            let offer = DraftOffer { group, price_nanos, band, zones };
            let (ty, region) = (catalog.instance_type(ty), catalog.region(region));
            draft.offer(ty.kind, &ty.name, pricing, &region.name, offer);
        }
        for disk in &parts.disks {
            let (kind, region) = key(disk.region);
            draft.disk(kind, &region, &disk.name, disk.nanos_per_gb_month, disk.group);
        }
        for transfer in &parts.transfers {
            let (kind, from) = key(transfer.from);
            let to = match transfer.to {
                Destination::Internet => DraftDestination::Internet,
                Destination::InternetAustralia => DraftDestination::InternetAustralia,
                Destination::InternetChina => DraftDestination::InternetChina,
                Destination::Region(to) => DraftDestination::Region(catalog.region(to).name.clone()),
            };
            draft.transfer(kind, &from, to, transfer.tiers.clone(), transfer.group);
        }
        for trip in &parts.round_trips {
            draft.round_trip(key(trip.from), key(trip.to), trip.micros, trip.group);
        }
        parts.slas.iter().for_each(|row| draft.sla(row.scope.clone(), row.sla));
        draft
    }

    /// Leaves out offers that are no more.
    pub fn retain_offers(&mut self, mut keep: impl FnMut(ProviderKind, &str, Pricing, &str, &DraftOffer) -> bool) {
        self.offers.retain(|(kind, ty, pricing, region), offer| keep(*kind, ty, *pricing, region, offer));
    }

    pub fn group(&mut self, group: Group) -> GroupId {
        self.groups.push(group);
        GroupId((self.groups.len() - 1) as u8)
    }

    pub fn region(&mut self, region: Region) {
        self.regions.insert((region.kind, region.name.clone()), region);
    }

    pub fn region_mut(&mut self, kind: ProviderKind, name: &str) -> Option<&mut Region> {
        self.regions.get_mut(&(kind, name.to_owned()))
    }

    pub fn instance_type(&mut self, ty: InstanceType) {
        self.types.insert((ty.kind, ty.name.clone()), ty);
    }

    pub fn type_mut(&mut self, kind: ProviderKind, name: &str) -> Option<&mut InstanceType> {
        self.types.get_mut(&(kind, name.to_owned()))
    }

    pub fn types(&self) -> impl Iterator<Item = &InstanceType> {
        self.types.values()
    }

    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.values()
    }

    pub fn offer(&mut self, kind: ProviderKind, ty: &str, pricing: Pricing, region: &str, offer: DraftOffer) {
        self.offers.insert((kind, ty.to_owned(), pricing, region.to_owned()), offer);
    }

    pub fn find_offer(&self, kind: ProviderKind, ty: &str, pricing: Pricing, region: &str) -> Option<DraftOffer> {
        self.offers.get(&(kind, ty.to_owned(), pricing, region.to_owned())).copied()
    }

    pub fn disk(&mut self, kind: ProviderKind, region: &str, name: &str, nanos_per_gb_month: u64, group: GroupId) {
        self.disks.insert((kind, region.to_owned(), name.to_owned()), (nanos_per_gb_month, group));
    }

    pub fn transfer(&mut self, kind: ProviderKind, from: &str, to: DraftDestination, tiers: Vec<Tier>, group: GroupId) {
        self.transfers.insert((kind, from.to_owned(), to), (tiers, group));
    }

    pub fn round_trip(&mut self, from: Key, to: Key, micros: u32, group: GroupId) {
        self.round_trips.insert((from, to), (micros, group));
    }

    pub fn sla(&mut self, scope: SlaScope, sla: Sla) {
        self.slas.insert((sla.kind, scope), sla);
    }

    /// Rows whose region or type was not added are left out; with them, types that nobody offers. Returns how many offers
    /// were left out.
    pub fn finish(self) -> Result<(Catalog, usize), PartsError> {
        let mut types: BTreeMap<&Key, TypeId> = BTreeMap::new();
        let regions: HashMap<&Key, RegionId> =
            self.regions.keys().enumerate().map(|(i, key)| (key, RegionId(i as u16))).collect();
        let region = |kind: ProviderKind, name: &str| regions.get(&(kind, name.to_owned())).copied();

        let mut kept = Vec::new();
        let offered: std::collections::HashSet<Key> = self.offers.keys().map(|k| (k.0, k.1.clone())).collect();
        for (key, ty) in self.types.iter().filter(|(key, _)| offered.contains(*key)) {
            types.insert(key, TypeId(kept.len() as u16));
            kept.push(ty.clone());
        }
        let mut offers = Vec::with_capacity(self.offers.len());
        for ((kind, ty, pricing, at), offer) in &self.offers {
            let (Some(ty), Some(region)) = (types.get(&(*kind, ty.clone())), region(*kind, at)) else { continue };
            let DraftOffer { group, price_nanos, band, zones } = *offer;
            offers.push(Offer { ty: *ty, pricing: *pricing, region, group, price_nanos, band, zones });
        }
        offers.sort_unstable_by_key(|offer| (offer.ty, offer.pricing, offer.region));
        let left_out = self.offers.len() - offers.len();

        let disks = self.disks.iter().filter_map(|((kind, at, name), (nanos, group))| {
            Some(Disk { region: region(*kind, at)?, name: name.clone(), nanos_per_gb_month: *nanos, group: *group })
        });
        let transfers = self.transfers.iter().filter_map(|((kind, from, to), (tiers, group))| {
            let to = match to {
                DraftDestination::Internet => Destination::Internet,
                DraftDestination::InternetAustralia => Destination::InternetAustralia,
                DraftDestination::InternetChina => Destination::InternetChina,
                DraftDestination::Region(to) => Destination::Region(region(*kind, to)?),
            };
            Some(Transfer { from: region(*kind, from)?, to, tiers: tiers.clone(), group: *group })
        });
        let trips = self.round_trips.iter().filter_map(|((from, to), (micros, group))| {
            let (from, to) = (region(from.0, &from.1)?, region(to.0, &to.1)?);
            Some(RoundTrip { from, to, micros: *micros, group: *group })
        });
        let mut parts = Parts {
            disks: disks.collect(),
            transfers: transfers.collect(),
            round_trips: trips.collect(),
            slas: self.slas.into_iter().map(|((_, scope), sla)| SlaRow { scope, sla }).collect(),
            offers: offers.into_iter().collect(),
            types: kept,
            groups: self.groups,
            regions: Vec::new(),
        };
        drop(types);
        parts.regions = self.regions.into_values().collect();
        Ok((Catalog::new(parts)?, left_out))
    }
}
