//! The source's "Linux" prices of some Azure series are, for 44 % of their sizes and regions, those with a Windows licence. Which
//! ones follows from the price of the other sizes: in a region a series costs the same for each vCPU, and the licence costs the
//! same for each vCPU everywhere, 0.046 USD an hour (0.0046 for the Bv2 series). So each line of sizes in a region has one price
//! per vCPU that explains all its rows, with or without the licence.

use std::collections::{BTreeMap, HashMap};

use crate::azure_size::{self, Name};

/// A size within its line: `weight` eighths of a vCPU are paid for, and `licence` in 10⁻⁹ USD if there is one.
#[derive(Clone, Copy)]
struct Member<'a> {
    sku: &'a str,
    nanos: u64,
    weight: u64,
    licence: u64,
}

type Lines<'a> = BTreeMap<(&'static str, &'a str), Vec<Member<'a>>>;

/// By region and size, the licence that is in the price.
pub fn find<'a>(rows: impl Iterator<Item = (&'a str, &'a str, u64)>) -> HashMap<(&'a str, &'a str), u64> {
    let mut lines = Lines::new();
    for (region, sku, nanos) in rows {
        if let Some((line, weight, licence)) = azure_size::parse_sku(sku).and_then(|name| line(&name)) {
            lines.entry((line, region)).or_default().push(Member { sku, nanos, weight, licence });
        }
    }
    let units: BTreeMap<_, u64> = lines.iter().map(|(key, line)| (*key, unit(line))).collect();
    let mut licences = HashMap::new();
    for ((line, region), members) in &lines {
        let unit = corrected(&units, line, region, members);
        let with = members.iter().filter(|member| with_licence(member, unit));
        licences.extend(with.map(|member| ((*region, member.sku), member.licence)));
    }
    licences
}

/// The line that a size is in, how many eighths of a vCPU of that line it costs, and what a licence for it costs.
fn line(name: &Name<'_>) -> Option<(&'static str, u64, u64)> {
    let full = u64::from(name.full);
    if !name.middle.is_empty() {
        return None;
    }
    let (line, eighths) = match (name.series, name.version, name.letters) {
        ("D", 5, "as") => ("Das", full * 8),
        ("D", 5, "ads") => ("Dads", full * 8),
        ("E", 5, "as") => ("Eas", full * 8),
        ("E", 5, "ads") => ("Eads", full * 8),
        ("E", 5, "ias") => ("Eias", full * 8),
        ("B", 2, letters) => {
            let lines = [("a", "Bas", "Bals"), ("p", "Bps", "Bpls"), ("", "Bs", "Bls")];
            let (prefix, plain, low) = lines.into_iter().find(|(prefix, ..)| letters.starts_with(prefix))?;
            // With two vCPUs, low memory costs half of the plain size and tiny memory an eighth.
            match (&letters[prefix.len()..], full) {
                ("s", _) => (plain, full * 8),
                ("ls", 2) => (plain, 8),
                ("ts", 2) => (plain, 2),
                ("ls", _) => (low, full * 8),
                _ => return None,
            }
        }
        _ => return None,
    };
    let licence = if name.series == "B" { 4_600_000 } else { 46_000_000 };
    Some((line, eighths, licence * full))
}

/// What an eighth of a vCPU costs without a licence: what explains the most rows, and of such the most as having none.
fn unit(members: &[Member<'_>]) -> u64 {
    let without = members.iter().map(|m| m.nanos / m.weight);
    let with = members.iter().filter_map(|m| Some(m.nanos.checked_sub(m.licence)? / m.weight));
    let mut best = ((0, 0), 0);
    for unit in without.chain(with).filter(|unit| *unit > 0) {
        let plain = members.iter().filter(|m| near(m.nanos, m.weight * unit)).count();
        let all = members.iter().filter(|m| near(m.nanos, m.weight * unit) || with_licence(m, unit)).count();
        best = best.max(((all, plain), unit));
    }
    best.1
}

fn with_licence(member: &Member<'_>, unit: u64) -> bool {
    let plain = member.weight * unit;
    !near(member.nanos, plain) && near(member.nanos, plain + member.licence)
}

/// Within 1.2 %, or 0.0002 USD of the smallest sizes, whose prices have few digits.
fn near(nanos: u64, other: u64) -> bool {
    nanos.abs_diff(other) <= (nanos / 1000 * 12).max(200_000)
}

/// A line all of whose rows in a region have the licence looks like one without: then it is dearer there, compared with
/// `eastus`, than its sibling is, and without the licence it is not.
fn corrected(
    units: &BTreeMap<(&'static str, &str), u64>,
    line: &'static str,
    region: &str,
    members: &[Member<'_>],
) -> u64 {
    let sibling = match line {
        "Das" => "Dads",
        "Dads" => "Das",
        "Eas" => "Eads",
        "Eads" | "Eias" => "Eas",
        "Bas" => "Bals",
        "Bals" => "Bas",
        "Bs" => "Bls",
        "Bls" => "Bs",
        "Bps" => "Bpls",
        _ => "Bps",
    };
    let at = |line, region| units.get(&(line, region)).copied().filter(|unit| *unit > 0);
    let here = at(line, region).unwrap_or(0);
    let (Some(home), Some(other), Some(other_home)) = (at(line, "eastus"), at(sibling, region), at(sibling, "eastus"))
    else {
        return here;
    };
    let Some(Member { licence, weight, .. }) = members.iter().max_by_key(|member| member.weight) else { return here };
    let without = here.saturating_sub(licence / weight);
    // In thousandths, how much dearer here than in the sibling's proportion.
    let permille = |unit: u64| unit * other_home * 1000 / (home * other);
    let alone = members.iter().all(|member| near(member.nanos, member.weight * here));
    if alone && permille(here) > 1060 && (970..=1030).contains(&permille(without)) { without } else { here }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USD: u64 = 1_000_000_000;

    fn found(rows: &[(&'static str, &'static str, f64)]) -> Vec<&'static str> {
        let rows = rows.iter().map(|(region, sku, usd)| (*region, *sku, (usd * USD as f64).round() as u64));
        let mut found: Vec<_> = find(rows).into_keys().map(|(_, sku)| sku).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn sizes_with_a_licence_are_told_by_the_others() {
        let rows = [
            ("westus2", "Standard_D2as_v5", 0.178),
            ("westus2", "Standard_D4as_v5", 0.172),
            ("westus2", "Standard_D8as_v5", 0.344),
            ("westus2", "Standard_D16as_v5", 1.424),
            ("westus2", "Standard_D4s_v5", 9.9),
        ];
        assert_eq!(found(&rows), ["Standard_D16as_v5", "Standard_D2as_v5"]);
        // Of a size of which fewer vCPUs are had, all are licensed.
        let rows = [("uksouth", "Standard_E16-4as_v5", 1.8), ("uksouth", "Standard_E2as_v5", 0.133)];
        assert_eq!(found(&rows), ["Standard_E16-4as_v5"]);
        let rows = [("eastus", "Standard_B2ats_v2", 0.0186), ("eastus", "Standard_B2as_v2", 0.0752)];
        assert_eq!(found(&rows), ["Standard_B2ats_v2"]);
    }

    #[test]
    fn a_line_with_the_licence_throughout_is_told_by_its_sibling() {
        let mut rows = vec![
            ("eastus", "Standard_D4as_v5", 0.172),
            ("eastus", "Standard_D4ads_v5", 0.206),
            ("malaysiawest", "Standard_D4as_v5", 0.378),
            ("malaysiawest", "Standard_D4ads_v5", 0.232),
        ];
        assert_eq!(found(&rows), ["Standard_D4as_v5"]);
        // Nothing to tell it by.
        rows.pop();
        assert!(found(&rows).is_empty());
    }
}
