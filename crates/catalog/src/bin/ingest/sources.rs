//! Who states what, since when, under which licence; and the rules by which the rest is derived.

use novacron_catalog::{Group, Per};

const USD: [u8; 3] = *b"USD";

fn group(name: &str, source: &str, licence: &str, as_of: &str, rule: Option<&str>, per: Per) -> Group {
    Group {
        name: name.into(),
        source: source.into(),
        licence: licence.into(),
        as_of: as_of.into(),
        rule: rule.map(str::to_owned),
        currency: USD,
        per,
    }
}

/// Figures of an Apache-2.0 source, as they are.
pub fn exact(name: &str, source: &str, as_of: &str) -> Group {
    group(name, source, "Apache-2.0", as_of, None, Per::Hour)
}

pub fn exact_mit(name: &str, source: &str, as_of: &str) -> Group {
    group(name, source, "MIT", as_of, None, Per::Hour)
}

/// As they are, and for a month of 730 hours.
pub fn exact_monthly(name: &str, source: &str, as_of: &str) -> Group {
    group(name, source, "Apache-2.0", as_of, None, Per::Month)
}

pub fn derived(name: &str, source: &str, as_of: &str, rule: &str) -> Group {
    group(name, source, "Apache-2.0", as_of, Some(rule), Per::Hour)
}

pub fn derived_mit(name: &str, source: &str, as_of: &str, rule: &str) -> Group {
    group(name, source, "MIT", as_of, Some(rule), Per::Hour)
}

/// Figures that no file states. They are marked as derived, and say so to who reads them.
pub fn by_hand(name: &str, rule: &str) -> Group {
    let source = "written by hand, not checked against the vendor's documentation";
    // Ours, and so under our own licence.
    group(name, source, "Apache-2.0", "2026-11-23", Some(rule), Per::Hour)
}

/// `nanos` × `percent` / 100, half up.
pub fn percent(nanos: u64, percent: u64) -> u64 {
    ((u128::from(nanos) * u128::from(percent) + 50) / 100) as u64
}
