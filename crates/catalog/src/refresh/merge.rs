//! One vendor's sheet over a catalog. Pure: nothing is asked, and no clock is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use novacron_provider::{
    ProviderError,
    prices::{PriceRow, PriceSheet, TransferTo},
};
use novacron_types::ProviderKind;

use super::{groups, report::RefreshReport};
use crate::{
    Catalog, Destination, Disk, GroupId, NO_BAND, Offer, Parts, PartsError, Pricing, RegionId, Tier, Transfer, TypeId,
};

/// What is believed of a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergePolicy {
    /// A sheet that would take away a larger part of what the vendor said before is refused. In thousandths.
    pub most_removed_permille: u32,
    /// A region that would lose a larger part of its offers of one way of paying than this keeps them all: a list that ends early
    /// is no word on the rest. In thousandths.
    pub most_removed_of_region_permille: u32,
    /// A sheet that would make the middle price of a way of paying so many times larger or smaller is refused.
    pub most_median_factor: u32,
    /// A single price that is more than so many times larger or smaller than the one before is not taken: of an offer, whether
    /// the vendor stated that or it follows by a rule, of a disk, or of traffic.
    pub most_row_factor: u32,
    /// Takes the sheet as it is.
    pub forced: bool,
}

impl Default for MergePolicy {
    fn default() -> Self {
        Self {
            most_removed_permille: 200,
            most_removed_of_region_permille: 500,
            most_median_factor: 2,
            most_row_factor: 10,
            forced: false,
        }
    }
}

/// Why a source's prices are not in the catalog.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    #[error("{0}")]
    Fetch(#[source] Box<ProviderError>),
    #[error("{kind}'s prices came in {found}, and the catalog has them in {wanted}")]
    Currency { kind: ProviderKind, wanted: String, found: String },
    #[error(
        "{removed} of {of} {pricing} offers of {kind} would be gone, which is not believed; force the refresh if it is so"
    )]
    TooManyRemoved { kind: ProviderKind, pricing: Pricing, removed: usize, of: usize },
    #[error(
        "{kind}'s {pricing} prices would be {} times those before, which is not believed; force the refresh if it is so",
        thousandths(*.permille)
    )]
    MedianMoved {
        kind: ProviderKind,
        pricing: Pricing,
        /// New by old, in thousandths.
        permille: u64,
    },
    #[error("the catalog has no room for more groups of rows")]
    TooManyGroups,
    #[error(transparent)]
    Parts(#[from] PartsError),
}

fn thousandths(permille: u64) -> String {
    format!("{}.{:03}", permille / 1000, permille % 1000)
}

type Key = (TypeId, Pricing, RegionId);

/// Puts a sheet over a catalog, and says what that changed. Types and regions stay, with their ids; an offer keeps its zones
/// and its interruption band. An offer that the sheet does not have goes only if the sheet has all that is sold there.
pub fn merge(
    catalog: &Catalog,
    sheet: &PriceSheet,
    today: Date,
    policy: &MergePolicy,
) -> Result<(Catalog, RefreshReport), RefreshError> {
    check_currency(catalog, sheet)?;
    let mut parts = catalog.parts().clone();
    groups::compact(&mut parts, groups::FOLD_BEYOND);
    let new_groups = groups::of(sheet, today);
    if parts.groups.len() + new_groups.len() > 1 << 8 {
        return Err(RefreshError::TooManyGroups);
    }
    let first = parts.groups.len();
    parts.groups.extend(new_groups);
    let group = |index: usize| GroupId((first + index.min(sheet.groups.len().saturating_sub(1))) as u8);

    let mut report = RefreshReport::new(sheet.kind);
    report.oddities = sheet.oddities.clone();
    offers(catalog, sheet, policy, &mut parts, &group, &mut report)?;
    around(catalog, sheet, policy, &mut parts, &group, &mut report);
    groups::compact(&mut parts, groups::FOLD_BEYOND);
    Ok((Catalog::new(parts)?, report))
}

fn check_currency(catalog: &Catalog, sheet: &PriceSheet) -> Result<(), RefreshError> {
    let mut offers = catalog.offers().iter();
    let other = offers.find_map(|offer| {
        let currency = catalog.group(offer.group).currency;
        (catalog.region(offer.region).kind == sheet.kind && currency != sheet.currency).then_some(currency)
    });
    let text = |code: [u8; 3]| String::from_utf8_lossy(&code).into_owned();
    match other {
        Some(wanted) => {
            Err(RefreshError::Currency { kind: sheet.kind, wanted: text(wanted), found: text(sheet.currency) })
        }
        None => Ok(()),
    }
}

/// A region with fewer offers of one way of paying may lose most of them.
const FEW: u64 = 4;

/// What is looked at before a sheet is believed, for one way of paying.
#[derive(Default)]
struct Guard {
    stated: usize,
    removed: usize,
    /// New by old, in thousandths.
    ratios: Vec<u64>,
}

fn offers(
    catalog: &Catalog,
    sheet: &PriceSheet,
    policy: &MergePolicy,
    parts: &mut Parts,
    group: &impl Fn(usize) -> GroupId,
    report: &mut RefreshReport,
) -> Result<(), RefreshError> {
    let mut fresh = known_rows(catalog, sheet, report);
    let spoken: BTreeSet<RegionId> = fresh.keys().map(|key| key.2).collect();
    let terms: BTreeSet<Pricing> = sheet.rows.iter().map(|row| row.term.into()).collect();
    let whole: BTreeSet<(Pricing, RegionId)> = sheet
        .whole
        .iter()
        .filter_map(|(term, region)| Some((Pricing::from(*term), catalog.find_region(sheet.kind, region)?)))
        .filter(|(pricing, region)| terms.contains(pricing) && spoken.contains(region))
        .collect();
    let shrunk = if policy.forced { BTreeSet::new() } else { shrunk(catalog, sheet, policy, &whole, &fresh) };
    let mut guards: BTreeMap<Pricing, Guard> = BTreeMap::new();
    let (mut kept, mut silent, mut unstated) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let old_offers = std::mem::take(&mut parts.offers);
    for (old, hourly) in old_offers.iter().zip(&catalog.offers().hourly_nanos) {
        let (ty, region) = (catalog.instance_type(old.ty), catalog.region(old.region));
        if region.kind != sheet.kind {
            kept.push(old);
            continue;
        }
        let key = (old.ty, old.pricing, old.region);
        // What a refresh derived follows from the vendor's own figures; what shipped derived may be a guess.
        let group_of = &parts.groups[usize::from(old.group.0)];
        let stated = !group_of.is_derived() || group_of.licence == groups::LICENCE;
        let guard = guards.entry(old.pricing).or_default();
        guard.stated += usize::from(stated && whole.contains(&(old.pricing, old.region)));
        if let Some(row) = fresh.remove(&key) {
            let ratio = u128::from(row.nanos) * 1000 / u128::from((*hourly).max(1));
            guard.ratios.push(ratio as u64);
            if !policy.forced && too_far(row.nanos, *hourly, policy.most_row_factor) {
                report.held_back.add(|| format!("{} in {} {}", ty.name, region.name, old.pricing));
                kept.push(old);
                continue;
            }
            report.changed += usize::from(row.nanos != *hourly);
            report.confirmed += usize::from(row.nanos == *hourly);
            kept.push(Offer { price_nanos: row.nanos, group: group(row.group), ..old });
        } else if whole.contains(&(old.pricing, old.region)) && !cannot_say(sheet, &ty.name, &region.name, old.pricing)
        {
            guard.removed += usize::from(stated);
            if shrunk.contains(&(old.pricing, old.region)) {
                report.missing.add(|| format!("{} in {} {}", ty.name, region.name, old.pricing));
                report.kept += 1;
                kept.push(old);
            } else {
                report.removed += 1;
            }
        } else {
            if !spoken.contains(&old.region) && silent.insert(old.region) {
                report.silent_regions.add(|| region.name.clone());
            }
            if !terms.contains(&old.pricing) {
                unstated.insert(old.pricing);
            }
            report.kept += 1;
            kept.push(old);
        }
    }
    report.without_prices = unstated.into_iter().collect();
    if !policy.forced {
        guards.into_iter().try_for_each(|(pricing, guard)| guard.check(sheet.kind, pricing, policy))?;
    }
    report.added = fresh.len();
    for ((ty, pricing, region), row) in fresh {
        let zones = catalog.find_offer(ty, region, Pricing::OnDemand).map_or(0, |(_, offer)| offer.zones);
        kept.push(Offer { ty, pricing, region, group: group(row.group), price_nanos: row.nanos, band: NO_BAND, zones });
    }
    kept.sort_unstable_by_key(|offer| (offer.ty, offer.pricing, offer.region));
    parts.offers = kept.into_iter().collect();
    Ok(())
}

/// The regions, each with a way of paying, of whose offers so many are missing that the list is not believed to be whole.
fn shrunk(
    catalog: &Catalog,
    sheet: &PriceSheet,
    policy: &MergePolicy,
    whole: &BTreeSet<(Pricing, RegionId)>,
    fresh: &HashMap<Key, &PriceRow>,
) -> BTreeSet<(Pricing, RegionId)> {
    let mut counts: BTreeMap<(Pricing, RegionId), (u64, u64)> = BTreeMap::new();
    let offers = catalog.offers();
    for ((&ty, &pricing), &region) in offers.ty.iter().zip(&offers.pricing).zip(&offers.region) {
        if !whole.contains(&(pricing, region)) {
            continue;
        }
        let (missing, all) = counts.entry((pricing, region)).or_default();
        *all += 1;
        let said = fresh.contains_key(&(ty, pricing, region))
            || cannot_say(sheet, &catalog.instance_type(ty).name, &catalog.region(region).name, pricing);
        *missing += u64::from(!said);
    }
    let most = u64::from(policy.most_removed_of_region_permille);
    let early = |(missing, all): (u64, u64)| all >= FEW && missing * 1000 > all * most;
    counts.into_iter().filter(|(_, count)| early(*count)).map(|(of, _)| of).collect()
}

/// The rows of types and regions that the catalog knows; the others are counted.
fn known_rows<'a>(catalog: &Catalog, sheet: &'a PriceSheet, report: &mut RefreshReport) -> HashMap<Key, &'a PriceRow> {
    let (mut types, mut regions) = (HashMap::new(), HashMap::new());
    let mut fresh = HashMap::with_capacity(sheet.rows.len());
    for row in &sheet.rows {
        let ty = *types.entry(&row.machine).or_insert_with(|| {
            let found = catalog.find_type(sheet.kind, &row.machine);
            if found.is_none() {
                report.unknown_types.add(|| row.machine.to_string());
            }
            found
        });
        let region = *regions.entry(&row.region).or_insert_with(|| {
            let found = catalog.find_region(sheet.kind, &row.region);
            if found.is_none() {
                report.unknown_regions.add(|| row.region.to_string());
            }
            found
        });
        if let (Some(ty), Some(region)) = (ty, region) {
            fresh.insert((ty, row.term.into(), region), row);
        }
    }
    fresh
}

fn too_far(new: u64, old: u64, factor: u32) -> bool {
    let (new, old, factor) = (u128::from(new), u128::from(old), u128::from(factor));
    new > old * factor || new * factor < old
}

/// Whether the vendor may sell it though the sheet has no price.
fn cannot_say(sheet: &PriceSheet, machine: &str, region: &str, pricing: Pricing) -> bool {
    sheet.unpriced.contains(machine)
        || (!sheet.unusable.is_empty() && sheet.unusable.contains(&(region.into(), machine.into(), pricing.into())))
}

impl Guard {
    fn check(mut self, kind: ProviderKind, pricing: Pricing, policy: &MergePolicy) -> Result<(), RefreshError> {
        let (removed, of) = (self.removed, self.stated);
        if removed as u64 * 1000 > of as u64 * u64::from(policy.most_removed_permille) {
            return Err(RefreshError::TooManyRemoved { kind, pricing, removed, of });
        }
        if self.ratios.is_empty() {
            return Ok(());
        }
        let middle = self.ratios.len() / 2;
        let permille = *self.ratios.select_nth_unstable(middle).1;
        if too_far(permille, 1000, policy.most_median_factor) {
            return Err(RefreshError::MedianMoved { kind, pricing, permille });
        }
        Ok(())
    }
}

/// Disks and transfers that the sheet states are put over those that were known; none is taken away.
fn around(
    catalog: &Catalog,
    sheet: &PriceSheet,
    policy: &MergePolicy,
    parts: &mut Parts,
    group: &impl Fn(usize) -> GroupId,
    report: &mut RefreshReport,
) {
    let region = |name: &str| catalog.find_region(sheet.kind, name);
    // What was free, or a part of it, may come to cost something.
    let believed = |old: Option<u64>, new: u64| {
        policy.forced || !old.is_some_and(|old| old > 0 && too_far(new, old, policy.most_row_factor))
    };
    let disks = std::mem::take(&mut parts.disks);
    let mut disks: BTreeMap<_, _> = disks.into_iter().map(|disk| ((disk.region, disk.name.clone()), disk)).collect();
    for row in &sheet.disks {
        let Some(region) = region(&row.region) else { continue };
        let (name, nanos_per_gb_month) = (row.name.clone(), row.nanos_per_gb_month);
        let known = disks.get(&(region, name.clone())).map(|disk| disk.nanos_per_gb_month);
        if !believed(known, nanos_per_gb_month) {
            report.held_back.add(|| format!("the disk {name} in {}", row.region));
            continue;
        }
        disks.insert((region, name.clone()), Disk { region, name, nanos_per_gb_month, group: group(row.group) });
        report.disks += 1;
    }
    parts.disks = disks.into_values().collect();

    let transfers = std::mem::take(&mut parts.transfers);
    let mut transfers: BTreeMap<_, _> = transfers.into_iter().map(|row| ((row.from, row.to), row)).collect();
    for row in &sheet.transfers {
        let to = match &row.to {
            TransferTo::Internet => Some(Destination::Internet),
            TransferTo::Region(name) => region(name).map(Destination::Region),
        };
        let (Some(from), Some(to)) = (region(&row.from), to) else { continue };
        let tiers: Vec<_> =
            row.tiers.iter().map(|t| Tier { from_gb: t.from_gb, nanos_per_gb: t.nanos_per_gb }).collect();
        let dearest = |tiers: &[Tier]| tiers.iter().map(|tier| tier.nanos_per_gb).max().unwrap_or(0);
        if !believed(transfers.get(&(from, to)).map(|known| dearest(&known.tiers)), dearest(&tiers)) {
            report.held_back.add(|| match &row.to {
                TransferTo::Internet => format!("traffic from {} to the internet", row.from),
                TransferTo::Region(to) => format!("traffic from {} to {to}", row.from),
            });
            continue;
        }
        transfers.insert((from, to), Transfer { from, to, tiers, group: group(row.group) });
        report.transfers += 1;
    }
    parts.transfers = transfers.into_values().collect();
}
