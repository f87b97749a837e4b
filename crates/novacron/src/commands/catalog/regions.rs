//! `novacron catalog regions`

use novacron_catalog::{AREAS, Catalog};

use super::{find, rows::RegionRow};
use crate::{exit::Result, output::Output};

pub fn run(output: &Output, catalog: &Catalog, kind: Option<&str>, region: Option<&str>) -> Result<()> {
    let kind = kind.map(find::kind).transpose()?;
    let names: Vec<String> = region.map(str::to_owned).into_iter().collect();
    let wanted = find::regions(catalog, &names, kind)?;
    let parts = catalog.parts();
    let mut offers = vec![0u64; parts.regions.len()];
    parts.offers.region.iter().for_each(|id| offers[usize::from(id.0)] += 1);
    let rows: Vec<RegionRow> = parts
        .regions
        .iter()
        .enumerate()
        .filter(|(i, _)| wanted[*i])
        .map(|(i, region)| RegionRow::new(catalog, region, offers[i]))
        .collect();
    output.rows(&rows)?;
    if region.is_none() && output.for_people() {
        output.note(format_args!("\nGroups of regions: {}", AREAS.join(", ")));
    }
    Ok(())
}
