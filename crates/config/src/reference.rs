//! Names of what is described elsewhere: providers in a configuration, regions in the catalog.

use std::collections::BTreeSet;

use crate::{
    check::Checker,
    error::{Fault, Place},
    keys::{KINDS, PRICING},
    scalar::near,
    schema::Referent,
};

/// A name, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub to: Referent,
    pub name: String,
    /// The name as it may be shown in an error: never what a variable gave.
    pub shown: String,
    /// Its key, such as `policies[0].action.regions[1]`.
    pub path: String,
    pub place: Place,
}

impl Checker<'_> {
    pub(crate) fn refer(&mut self, to: Referent, name: &str, path: &str) {
        let (place, shown) = (self.place(path), self.quote(path));
        self.references.push(Reference { to, name: name.to_owned(), shown, path: path.to_owned(), place });
    }
}

/// A fault for each reference to a provider that is neither one of `names` nor a kind. [`parse`](crate::parse) has found those
/// of a configuration; whoever knows a server's providers asks it for manifests.
pub fn unknown_providers(references: &[Reference], names: &[&str]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let all: BTreeSet<&str> = names.iter().chain(KINDS).copied().collect();
    for reference in references {
        let (more, what): (&[&str], _) = match reference.to {
            Referent::Provider => (&[], "provider or kind of provider"),
            Referent::Offer => (PRICING, "provider, kind of provider or way of paying"),
            Referent::Region | Referent::Place | Referent::Programme => continue,
        };
        let known = || names.iter().chain(KINDS).chain(more).copied();
        if !all.contains(reference.name.as_str()) && !more.contains(&reference.name.as_str()) {
            faults.push(reference.unknown(what, known, faults.len()));
        }
    }
    faults
}

/// A fault for each reference to a region that `is_region` does not know. `regions` are names to suggest; `providers` are those
/// that a place may be instead.
pub fn unknown_regions(
    references: &[Reference],
    is_region: &dyn Fn(&str) -> bool,
    regions: &[&str],
    providers: &[&str],
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for reference in references {
        let (more, what) = match reference.to {
            Referent::Provider | Referent::Offer | Referent::Programme => continue,
            Referent::Region => ([].iter().chain(&[]), "region, zone or group of regions"),
            Referent::Place => (providers.iter().chain(KINDS), "provider, region or zone"),
        };
        if !is_region(&reference.name) && !more.clone().any(|name| *name == reference.name) {
            let known = || regions.iter().chain(more.clone()).copied();
            faults.push(reference.unknown(what, known, faults.len()));
        }
    }
    faults
}

/// A fault for each reference to a compliance programme that `is_programme` does not know. `programmes` are names to suggest.
pub fn unknown_programmes(
    references: &[Reference],
    is_programme: &dyn Fn(&str) -> bool,
    programmes: &[&str],
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let unknown = |reference: &&Reference| reference.to == Referent::Programme && !is_programme(&reference.name);
    for reference in references.iter().filter(unknown) {
        faults.push(reference.unknown("compliance programme", || programmes.iter().copied(), faults.len()));
    }
    faults
}

/// How many names are listed where none is near, and how many faults are helped with.
const FEW: usize = 20;

impl Reference {
    /// Help is for the first of several: it takes its time, and no more of them are shown.
    fn unknown<'k, K: Iterator<Item = &'k str>>(&self, what: &str, known: impl Fn() -> K, before: usize) -> Fault {
        let help = if before < FEW {
            let known: Vec<&str> = known().collect();
            match near(&self.name, &known) {
                Some(near) => format!("; did you mean `{near}`?"),
                None if known.len() <= FEW => format!("; known here: {}", known.join(", ")),
                None if self.to == Referent::Region && self.path.ends_with("location") => {
                    "; a place that is no cloud's has latitude and longitude (`50.11,8.68`)".into()
                }
                None => String::new(),
            }
        } else {
            String::new()
        };
        let message = format!("`{}`: there is no {what} {}{help}", self.path, self.shown);
        Fault { place: Some(self.place), message }
    }
}
