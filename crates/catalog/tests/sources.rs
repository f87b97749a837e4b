//! `docs/catalog-sources.md` is made from the catalog that ships, and this test says when it is not. `NOVACRON_WRITE_DOCS=1` writes
//! it.

#![allow(clippy::unwrap_used)]

use std::{fmt::Write, fs, path::PathBuf};

use novacron_catalog::{Catalog, GroupId};

#[test]
fn the_page_of_sources_is_what_ships() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/catalog-sources.md");
    let page = page(Catalog::embedded().unwrap());
    if std::env::var_os("NOVACRON_WRITE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap();
    assert!(there == page, "run this test with NOVACRON_WRITE_DOCS=1 and commit docs/catalog-sources.md");
}

fn page(catalog: &Catalog) -> String {
    let mut page = String::from(
        "# Where the catalog's figures come from\n\n\
         Made from the catalog that ships; [`catalog.md`](catalog.md) says what the groups mean. A group without a rule holds its \
         source's own figures; one with a rule holds figures that were derived by it.\n\n\
         | group | rows | source | as of | licence | rule |\n|---|---|---|---|---|---|\n",
    );
    for (id, group) in catalog.parts().groups.iter().enumerate() {
        let (rows, rule) = (rows(catalog, GroupId(id as u8)), group.rule.as_deref().unwrap_or("as stated"));
        let (name, source, as_of, licence) = (&group.name, &group.source, &group.as_of, &group.licence);
        writeln!(page, "| {name} | {rows} | {source} | {as_of} | {licence} | {rule} |").unwrap();
    }
    page
}

/// `12 offers, 3 regions`.
fn rows(catalog: &Catalog, group: GroupId) -> String {
    let parts = catalog.parts();
    let (regions, types) = (&parts.regions, &parts.types);
    let counts = [
        ("offers", parts.offers.group.iter().filter(|g| **g == group).count()),
        ("types", types.iter().filter(|t| t.group == group).count()),
        ("types' networks", types.iter().filter(|t| t.network_group == group && t.bandwidth_mbps().is_some()).count()),
        ("types' power", types.iter().filter(|t| t.power.is_some_and(|p| p.group == group)).count()),
        ("types' embodied carbon", types.iter().filter(|t| t.embodied.is_some_and(|e| e.group == group)).count()),
        ("regions", regions.iter().filter(|r| r.group == group).count()),
        ("regions' compliance", regions.iter().filter(|r| r.compliance_group == group).count()),
        ("grids", regions.iter().filter(|r| r.grid.is_some_and(|g| g.group == group)).count()),
        ("disks", parts.disks.iter().filter(|d| d.group == group).count()),
        ("transfers", parts.transfers.iter().filter(|t| t.group == group).count()),
        ("round trips", parts.round_trips.iter().filter(|t| t.group == group).count()),
        ("promises", parts.slas.iter().filter(|row| row.sla.group == group).count()),
    ];
    let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}"));
    counts.collect::<Vec<_>>().join(", ")
}
