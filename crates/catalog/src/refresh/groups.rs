//! Groups after a refresh: those that no row belongs to any more go, and there are never more than an id can count.

use std::collections::BTreeMap;

use jiff::civil::Date;
use novacron_provider::prices::PriceSheet;

use crate::{Group, GroupId, Parts, Per};

/// Of what a program fetched from a vendor by itself. It is no licence to publish the prices.
pub(super) const LICENCE: &str = "LicenseRef-vendor-price-list";
/// More groups than this are folded: refreshed rows that were left over on many days.
pub(super) const FOLD_BEYOND: usize = 200;

/// All of a refreshed group but its date.
type Likeness<'a> = (&'a str, &'a str, Option<&'a str>, [u8; 3]);

/// The groups of a sheet that was fetched today.
pub(super) fn of(sheet: &PriceSheet, today: Date) -> Vec<Group> {
    let group = |group: &novacron_provider::prices::PriceGroup| Group {
        name: format!("{}-{today}", group.name),
        source: group.source.clone(),
        licence: LICENCE.to_owned(),
        as_of: today.to_string(),
        rule: group.rule.clone(),
        currency: sheet.currency,
        per: Per::Hour,
    };
    sheet.groups.iter().map(group).collect()
}

/// Drops groups that no row has, and makes one of those that are the same. Beyond `most` groups, refreshed ones that differ in
/// their date only become one with the oldest date: an age is never understated.
pub(super) fn compact(parts: &mut Parts, most: usize) {
    let mut used = vec![false; parts.groups.len()];
    each(parts, &mut |id| used[usize::from(id.0)] = true);
    let kept = |fold: bool| {
        let mut kept: Vec<Group> = Vec::new();
        let mut ids = vec![GroupId(0); parts.groups.len()];
        let mut folded: BTreeMap<Likeness<'_>, usize> = BTreeMap::new();
        for (old, group) in parts.groups.iter().enumerate().filter(|(old, _)| used[*old]) {
            let base = group.name.strip_suffix(group.as_of.as_str()).filter(|_| fold && group.licence == LICENCE);
            let key = base.map(|base| (base, group.source.as_str(), group.rule.as_deref(), group.currency));
            let same = match key.as_ref().and_then(|key| folded.get(key)) {
                Some(same) => Some(*same),
                None => kept.iter().position(|known| known == group),
            };
            let new = same.unwrap_or(kept.len());
            match kept.get_mut(new) {
                Some(known) if known.as_of_date() > group.as_of_date() => *known = group.clone(),
                Some(_) => {}
                None => kept.push(group.clone()),
            }
            key.map(|key| folded.insert(key, new));
            ids[old] = GroupId(new as u8);
        }
        (kept, ids)
    };
    let (mut groups, mut ids) = kept(false);
    if groups.len() > most {
        (groups, ids) = kept(true);
    }
    each(parts, &mut |id| *id = ids[usize::from(id.0)]);
    parts.groups = groups;
}

/// Every place where a row names its group. A list that is added to [`Parts`] does not compile until it is here.
fn each(parts: &mut Parts, see: &mut impl FnMut(&mut GroupId)) {
    let Parts { groups: _, regions, types, offers, disks, transfers, round_trips, slas } = parts;
    for region in regions {
        see(&mut region.group);
        see(&mut region.compliance_group);
        region.grid.iter_mut().for_each(|grid| see(&mut grid.group));
    }
    for ty in types {
        see(&mut ty.group);
        see(&mut ty.network_group);
        ty.power.iter_mut().for_each(|power| see(&mut power.group));
        ty.embodied.iter_mut().for_each(|embodied| see(&mut embodied.group));
    }
    offers.group.iter_mut().for_each(&mut *see);
    disks.iter_mut().for_each(|row| see(&mut row.group));
    transfers.iter_mut().for_each(|row| see(&mut row.group));
    round_trips.iter_mut().for_each(|row| see(&mut row.group));
    slas.iter_mut().for_each(|row| see(&mut row.sla.group));
}
