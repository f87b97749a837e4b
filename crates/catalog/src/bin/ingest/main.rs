//! Makes the catalog's snapshot from a folder of CSV files: `ingest FOLDER OUT`. Not in the shipped program.
//!
//! Each source has a module, and each module says which of its rows are left out and why; the counts are printed. What the
//! files do not state is derived by a rule that is written into the group of the derived rows.

mod aws;
mod azure;
mod azure_gpu;
mod azure_large;
mod azure_licence;
mod azure_old;
mod azure_size;
mod carbon;
mod gcp;
mod network;
mod oci;
mod regions;
mod sla;
mod sources;
mod table;

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use novacron_catalog::{Catalog, Draft};

/// Rows that were left out, by reason.
#[derive(Default)]
pub struct LeftOut(BTreeMap<String, usize>);

impl LeftOut {
    pub fn row(&mut self, why: &str) {
        *self.0.entry(why.to_owned()).or_default() += 1;
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, out] = args.as_slice() else {
        eprintln!("usage: ingest FOLDER OUT");
        return ExitCode::from(2);
    };
    match run(Path::new(folder), Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("ingest: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, out: &Path) -> Result<(), String> {
    let (mut draft, mut left_out) = (Draft::default(), LeftOut::default());
    regions::add(folder, &mut draft, &mut left_out)?;
    aws::add(folder, &mut draft, &mut left_out)?;
    azure::add(folder, &mut draft, &mut left_out)?;
    gcp::add(folder, &mut draft, &mut left_out)?;
    oci::add(folder, &mut draft, &mut left_out)?;
    sla::add(&mut draft);
    carbon::add(folder, &mut draft, &mut left_out)?;
    let (catalog, orphans) = draft.finish().map_err(|error| error.to_string())?;
    let bytes = catalog.to_snapshot().map_err(|error| error.to_string())?;
    std::fs::write(out, &bytes).map_err(|error| format!("{}: {error}", out.display()))?;
    report(&catalog, bytes.len(), orphans, &left_out);
    Ok(())
}

fn report(catalog: &Catalog, bytes: usize, orphans: usize, left_out: &LeftOut) {
    let mut counts = BTreeMap::new();
    for offer in catalog.offers().iter() {
        let kind = catalog.region(offer.region).kind;
        *counts.entry((kind, offer.pricing)).or_insert(0usize) += 1;
    }
    for ((kind, pricing), count) in counts {
        println!("{kind:8} {pricing:12} {count:7}");
    }
    let parts = catalog.parts();
    let (regions, types, offers) = (parts.regions.len(), parts.types.len(), parts.offers.len());
    let (disks, transfers, trips) = (parts.disks.len(), parts.transfers.len(), parts.round_trips.len());
    println!(
        "{offers} offers, {types} types, {regions} regions, {disks} disks, {transfers} transfers, {trips} round trips"
    );
    println!("{bytes} bytes");
    println!("left out: {orphans} offers without a type or a region");
    left_out.0.iter().for_each(|(why, count)| println!("left out: {count} {why}"));
}
