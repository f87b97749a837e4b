//! `novacron catalog diff`: what changed between two catalogs.

use std::path::Path;

use novacron_catalog::{Beside, BesideChange, Catalog, Change, OfferKey, diff, diff_beside, refresh::LastGood};
use novacron_types::Money;
use serde::Serialize;

use super::data_dir;
use crate::{
    cli::CatalogFrom,
    exit::{Exit, Failure, Result},
    output::{Column, Output, Row, human},
    placing,
};

/// A price that is new, gone or another.
#[derive(Debug, Serialize)]
pub struct ChangeRow {
    /// `price`, `added` and `removed` of an offer; `disk` and `traffic` whatever happened to their price.
    pub change: &'static str,
    pub kind: String,
    pub region: String,
    pub instance_type: String,
    pub pricing: String,
    /// What the price is for: an `hour`, a `GB-month`, a `GB`.
    pub per: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
}

impl ChangeRow {
    pub fn new(change: &Change) -> Self {
        let (word, offer, old, new) = match change {
            Change::Added { offer, price } => ("added", offer, None, Some(*price)),
            Change::Removed { offer, price } => ("removed", offer, Some(*price), None),
            Change::Price { offer, old, new } => ("price", offer, Some(*old), Some(*new)),
        };
        let OfferKey { kind, region, ty, pricing } = offer;
        Self {
            change: word,
            kind: kind.to_string(),
            region: region.clone(),
            instance_type: ty.clone(),
            pricing: pricing.to_string(),
            per: "hour",
            old,
            new,
            percent: percent(old, new),
        }
    }

    fn beside(change: &BesideChange) -> Self {
        let BesideChange { kind, region, what, old, new } = change;
        let (change, name, per) = match what {
            Beside::Disk(name) => ("disk", name.clone(), "GB-month"),
            Beside::Traffic { to, from_gb: 0 } => ("traffic", format!("to {to}"), "GB"),
            Beside::Traffic { to, from_gb } => ("traffic", format!("to {to} beyond {from_gb} GB"), "GB"),
        };
        Self {
            change,
            kind: kind.to_string(),
            region: region.clone(),
            instance_type: name,
            pricing: String::new(),
            per,
            old: *old,
            new: *new,
            percent: percent(*old, *new),
        }
    }
}

fn percent(old: Option<Money>, new: Option<Money>) -> Option<f64> {
    let (old, new) = old.zip(new).filter(|(old, new)| old.nanos > 0 && old.currency == new.currency)?;
    Some((new.nanos - old.nanos) as f64 / old.nanos as f64 * 100.0)
}

impl Row for ChangeRow {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("CHANGE"),
            Column::new("CLOUD"),
            Column::new("REGION"),
            Column::new("TYPE"),
            Column::new("PAID"),
            Column::new("BEFORE"),
            Column::new("AFTER"),
            Column::new("BY"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        let unit = if self.per == "hour" { "h" } else { self.per };
        let words = |price: Money| format!("{} {}/{unit}", human::hour(price), price.currency());
        let price = |price: Option<Money>| price.map(words).unwrap_or_default();
        vec![
            self.change.to_owned(),
            self.kind.clone(),
            self.region.clone(),
            self.instance_type.clone(),
            self.pricing.clone(),
            price(self.old),
            price(self.new),
            self.percent.map(|percent| format!("{percent:+.1} %")).unwrap_or_default(),
        ]
    }
}

pub fn run(output: &Output, from: &CatalogFrom, old: &str, new: &str, least: f64, limit: usize) -> Result<()> {
    let before = named(output, from, old)?;
    let after = named(output, from, new)?;
    let rows = rows(&before, &after);
    if rows.is_empty() {
        output.rows::<ChangeRow>(&[])?;
        return Err(Failure::new(Exit::NothingToDo, format!("{old} and {new} have the same prices")));
    }
    show(output, rows, least, limit)
}

/// Every price that differs: those of machines, then those of disks and traffic.
pub fn rows(before: &Catalog, after: &Catalog) -> Vec<ChangeRow> {
    let offers = diff(before, after).iter().map(ChangeRow::new).collect::<Vec<_>>();
    offers.into_iter().chain(diff_beside(before, after).iter().map(ChangeRow::beside)).collect()
}

/// The first of the changes, and a count of all.
pub fn show(output: &Output, all: Vec<ChangeRow>, least: f64, limit: usize) -> Result<()> {
    let count = |word: &str| human::thousands(all.iter().filter(|row| row.change == word).count() as u128);
    let counts = format!(
        "{} prices changed, {} offers are new, {} are gone; {} prices of disks and {} of traffic changed",
        count("price"),
        count("added"),
        count("removed"),
        count("disk"),
        count("traffic"),
    );
    let rows: Vec<ChangeRow> =
        all.into_iter().filter(|row| row.percent.is_none_or(|percent| percent.abs() >= least)).collect();
    let shown = if limit == 0 { rows.len() } else { limit.min(rows.len()) };
    output.rows(&rows[..shown])?;
    let rest = if shown < rows.len() { format!("; {shown} are shown, -n 0 shows all") } else { String::new() };
    output.note(format_args!("{counts}{rest}"));
    Ok(())
}

fn named(output: &Output, from: &CatalogFrom, name: &str) -> Result<Catalog> {
    match name {
        "embedded" => placing::embedded(),
        "current" | "previous" => {
            let kept = LastGood::new(placing::catalog_folder(&data_dir(output, from)?));
            let found = match name {
                "previous" => kept.previous(),
                _ => {
                    let loaded = kept.load();
                    loaded.warnings.iter().for_each(|warning| output.note(warning));
                    loaded.catalog
                }
            };
            match (found, name) {
                (Some(catalog), _) => Ok(catalog),
                // Before the first refresh there is the executable's own; so there is before the second.
                (None, _) => placing::embedded(),
            }
        }
        path => file(Path::new(path)),
    }
}

fn file(path: &Path) -> Result<Catalog> {
    const MOST: u64 = 64 << 20;
    let unusable = |why: String| {
        Failure::usage(format!("{} is no catalog that can be used", path.display()))
            .why(why)
            .hint("Name a snapshot's file, or `embedded`, `previous` or `current`.")
    };
    let about = std::fs::metadata(path).map_err(|error| unusable(error.to_string()))?;
    if !about.is_file() || about.len() > MOST {
        return Err(unusable("it is not a file that a snapshot can be".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    Catalog::from_snapshot(&bytes).map_err(|error| unusable(error.to_string()))
}
