//! What a refresh did, for people.

use std::{collections::BTreeMap, fmt};

use novacron_provider::prices::Oddity;
use novacron_types::ProviderKind;

use crate::Pricing;

/// How many, and the first of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examples {
    pub count: usize,
    /// At most ten.
    pub names: Vec<String>,
}

impl Examples {
    pub(super) fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.names.len() < 10 {
            self.names.push(name());
        }
    }
}

/// What one source's prices changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshReport {
    pub kind: ProviderKind,
    pub added: usize,
    pub changed: usize,
    /// Stated again, at the same price.
    pub confirmed: usize,
    /// Not sold any more.
    pub removed: usize,
    /// The sheet says nothing of them that can be used; they keep their price and their date.
    pub kept: usize,
    /// Disks and transfers that were stated.
    pub disks: usize,
    pub transfers: usize,
    /// Machine types that the catalog does not know, and so can't offer.
    pub unknown_types: Examples,
    pub unknown_regions: Examples,
    /// Regions with offers in the catalog of which the sheet says nothing.
    pub silent_regions: Examples,
    /// Offers that are not in the list of a region that lacks most of what it had; they are kept.
    pub missing: Examples,
    /// Prices so far from the one before that they were not taken.
    pub held_back: Examples,
    /// Ways of paying of which the sheet has no price at all.
    pub without_prices: Vec<Pricing>,
    /// What the source itself could not use, by reason.
    pub oddities: BTreeMap<&'static str, Oddity>,
}

impl RefreshReport {
    pub(super) fn new(kind: ProviderKind) -> Self {
        Self {
            kind,
            added: 0,
            changed: 0,
            confirmed: 0,
            removed: 0,
            kept: 0,
            disks: 0,
            transfers: 0,
            unknown_types: Examples::default(),
            unknown_regions: Examples::default(),
            silent_regions: Examples::default(),
            missing: Examples::default(),
            held_back: Examples::default(),
            without_prices: Vec::new(),
            oddities: BTreeMap::new(),
        }
    }
}

impl fmt::Display for RefreshReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, added, changed, confirmed, removed, kept, .. } = self;
        write!(
            f,
            "{kind}: {changed} prices changed, {confirmed} confirmed, {added} added, {removed} removed, {kept} kept"
        )?;
        let lists = [
            ("types that are not known", &self.unknown_types),
            ("regions that are not known", &self.unknown_regions),
            ("regions without an answer, kept", &self.silent_regions),
            ("missing in lists that lack most of a region, kept", &self.missing),
            ("prices too far from the one before, not taken", &self.held_back),
        ];
        for (what, Examples { count, names }) in lists.into_iter().filter(|(_, examples)| examples.count > 0) {
            let more = if *count > names.len() { ", …" } else { "" };
            write!(f, "\n  {count} {what}: {}{more}", names.join(", "))?;
        }
        for pricing in &self.without_prices {
            write!(f, "\n  no {pricing} price at all: those are kept")?;
        }
        for (why, Oddity { count, example }) in &self.oddities {
            write!(f, "\n  {count} {why}, such as {example}")?;
        }
        Ok(())
    }
}
