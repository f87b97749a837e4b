//! The catalog in memory: rows that hold together, and the ways to find one.

use std::{collections::HashMap, ops::Range};

use novacron_types::{Money, ProviderKind, nearest};

use crate::{
    EncodeError, Group, GroupId, InstanceType, Offer, OfferId, Offers, Parts, PartsError, Pricing, Region, RegionId,
    SnapshotError, TypeId, snapshot,
};

/// Checked rows and their indexes. Never changes; a refresh makes another one.
#[derive(Debug, Clone)]
pub struct Catalog {
    parts: Parts,
    regions: HashMap<(ProviderKind, String), RegionId>,
    types: HashMap<(ProviderKind, String), TypeId>,
    /// Offers of type n are `starts[n]..starts[n + 1]`.
    starts: Vec<u32>,
}

/// A region that the catalog does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no region {name:?}{}", did_you_mean(.nearest))]
pub struct UnknownRegion {
    pub name: String,
    /// At most three, nearest first.
    pub nearest: Vec<String>,
}

pub(crate) fn did_you_mean(nearest: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = nearest.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(", ")) }
}

impl Catalog {
    /// `hourly_nanos` is computed here, whatever it was.
    pub fn new(mut parts: Parts) -> Result<Self, PartsError> {
        parts.finish()?;
        let regions = parts.regions.iter().enumerate();
        let regions = regions.map(|(i, r)| ((r.kind, r.name.clone()), RegionId(i as u16))).collect();
        let types = parts.types.iter().enumerate();
        let types = types.map(|(i, t)| ((t.kind, t.name.clone()), TypeId(i as u16))).collect();
        let start = |ty: usize| parts.offers.ty.partition_point(|t| usize::from(t.0) < ty) as u32;
        let starts = (0..=parts.types.len()).map(start).collect();
        Ok(Self { parts, regions, types, starts })
    }

    /// Reads a snapshot. Any damage is an error, and no more than 64 MiB are ever asked for on its word.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        snapshot::decode(bytes)
    }

    /// The same catalog gives the same bytes.
    pub fn to_snapshot(&self) -> Result<Vec<u8>, EncodeError> {
        snapshot::encode(&self.parts)
    }

    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    pub fn into_parts(self) -> Parts {
        self.parts
    }

    pub fn offers(&self) -> &Offers {
        &self.parts.offers
    }

    /// # Panics
    /// When the id is not of this catalog; so do the three below.
    pub fn region(&self, id: RegionId) -> &Region {
        &self.parts.regions[usize::from(id.0)]
    }

    pub fn instance_type(&self, id: TypeId) -> &InstanceType {
        &self.parts.types[usize::from(id.0)]
    }

    pub fn group(&self, id: GroupId) -> &Group {
        &self.parts.groups[usize::from(id.0)]
    }

    /// What an hour costs: the source's price, or a month's by 730 and rounded half to even.
    pub fn hourly(&self, id: OfferId) -> Money {
        let i = id.0 as usize;
        let currency = self.group(self.parts.offers.group[i]).currency;
        Money { nanos: self.parts.offers.hourly_nanos[i].into(), currency }
    }

    /// By the vendor's exact name.
    pub fn find_region(&self, kind: ProviderKind, name: &str) -> Option<RegionId> {
        self.regions.get(&(kind, name.to_owned())).copied()
    }

    /// By the vendor's exact name.
    pub fn find_type(&self, kind: ProviderKind, name: &str) -> Option<TypeId> {
        self.types.get(&(kind, name.to_owned())).copied()
    }

    /// All offers of a type, by pricing and then region; empty for an id that is not of this catalog.
    pub fn offers_of(&self, ty: TypeId) -> Range<u32> {
        let ty = usize::from(ty.0);
        match (self.starts.get(ty), self.starts.get(ty + 1)) {
            (Some(start), Some(end)) => *start..*end,
            _ => 0..0,
        }
    }

    pub fn find_offer(&self, ty: TypeId, region: RegionId, pricing: Pricing) -> Option<(OfferId, Offer)> {
        let Range { start, end } = self.offers_of(ty);
        let key = |i: u32| (self.parts.offers.pricing[i as usize], self.parts.offers.region[i as usize]);
        let (mut low, mut high) = (start, end);
        while low < high {
            let middle = low + (high - low) / 2;
            if key(middle) < (pricing, region) { low = middle + 1 } else { high = middle }
        }
        (low < end && key(low) == (pricing, region))
            .then_some(OfferId(low))
            .and_then(|id| Some((id, self.offers().get(id)?)))
    }

    /// The zones that are known to have an offer (`us-east-1a`); empty when no source says which.
    pub fn zones(&self, id: OfferId) -> Vec<String> {
        let Some(offer) = self.offers().get(id) else { return Vec::new() };
        let region = &self.region(offer.region).name;
        let letters = ('a'..='p').enumerate().filter(|(bit, _)| offer.zones & (1 << bit) != 0);
        letters.map(|(_, letter)| format!("{region}{letter}")).collect()
    }

    /// Up to three of the catalog's names of regions and groups of regions that were probably meant.
    pub fn nearest_regions(&self, name: &str) -> Vec<String> {
        let mut known: Vec<&str> = self.parts.regions.iter().map(|r| r.name.as_str()).chain(crate::AREAS).collect();
        known.sort_unstable();
        known.dedup();
        let mut found = Vec::new();
        while found.len() < 3
            && let Some(near) = nearest(name, known.iter().copied())
        {
            known.retain(|k| *k != near);
            found.push(near.to_owned());
        }
        found
    }
}
