//! `novacron catalog sources`

use novacron_catalog::{Catalog, GroupId};

use super::rows::SourceRow;
use crate::{commands::place::today, exit::Result, output::Output};

pub fn run(output: &Output, catalog: &Catalog) -> Result<()> {
    let rows = count(catalog);
    let today = today();
    let groups = catalog.parts().groups.iter().zip(&rows).map(|(group, rows)| SourceRow {
        group: group.name.clone(),
        source: group.source.clone(),
        licence: group.licence.clone(),
        as_of: group.as_of.clone(),
        age_days: group.age_days(today),
        rows: *rows,
        rule: group.rule.clone(),
        currency: String::from_utf8_lossy(&group.currency).into_owned(),
    });
    output.rows(&groups.collect::<Vec<_>>())?;
    output.note("~ is derived from the source's figures, by the rule that -o wide shows. Every price has its group and its age.");
    Ok(())
}

/// How many rows of all lists are each group's.
fn count(catalog: &Catalog) -> Vec<u64> {
    let parts = catalog.parts();
    let mut rows = vec![0u64; parts.groups.len()];
    let mut add = |id: GroupId| {
        if let Some(count) = rows.get_mut(usize::from(id.0)) {
            *count += 1;
        }
    };
    parts.offers.group.iter().copied().for_each(&mut add);
    parts.disks.iter().for_each(|disk| add(disk.group));
    parts.transfers.iter().for_each(|transfer| add(transfer.group));
    parts.round_trips.iter().for_each(|trip| add(trip.group));
    parts.slas.iter().for_each(|row| add(row.sla.group));
    for region in &parts.regions {
        add(region.group);
        add(region.compliance_group);
        region.grid.iter().for_each(|grid| add(grid.group));
    }
    for ty in &parts.types {
        add(ty.group);
        add(ty.network_group);
        ty.power.iter().for_each(|power| add(power.group));
        ty.embodied.iter().for_each(|embodied| add(embodied.group));
    }
    rows
}
