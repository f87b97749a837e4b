//! Compliance programmes, by one name each however a person writes it, and which one includes which.

use novacron_types::nearest;

use crate::Region;

/// The programmes that the catalog's regions list, and plain `FedRAMP`, which each level of it satisfies; sorted.
///
/// `GDPR` stands at regions in the European Economic Area, in Switzerland and in the United Kingdom, where that law or its
/// national twin holds, and says no more. It does not stand elsewhere, though data may lawfully be there too.
pub const PROGRAMMES: [&str; 18] = [
    "C5",
    "DoD-IL5",
    "ENS",
    "FedRAMP",
    "FedRAMP-High",
    "FedRAMP-Moderate",
    "GDPR",
    "HIPAA",
    "HITRUST",
    "IRAP",
    "IRAP-PROTECTED",
    "ISMAP",
    "ISO27001",
    "MTCS",
    "PCI-DSS",
    "SOC1",
    "SOC2",
    "SOC3",
];

/// Other words for them, as [`plain`] leaves them.
const ALIASES: [(&str, &str); 6] = [
    ("hipaahitech", "HIPAA"),
    ("isoiec27001", "ISO27001"),
    ("pci", "PCI-DSS"),
    ("soc1type2", "SOC1"),
    ("soc2type2", "SOC2"),
    ("soc2typeii", "SOC2"),
];

/// What satisfies the first satisfies the second.
const INCLUDES: [(&str, &str); 4] = [
    ("FedRAMP-High", "FedRAMP"),
    ("FedRAMP-High", "FedRAMP-Moderate"),
    ("FedRAMP-Moderate", "FedRAMP"),
    ("IRAP-PROTECTED", "IRAP"),
];

/// A programme that nothing in the catalog lists under this or a like name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no compliance programme {name:?}{}", crate::catalog::did_you_mean(.nearest))]
pub struct UnknownProgramme {
    pub name: String,
    /// At most three, nearest first.
    pub nearest: Vec<&'static str>,
}

/// The programme's name in the catalog, whatever the case and the punctuation: `iso 27001` is `ISO27001`.
pub fn programme(name: &str) -> Option<&'static str> {
    find_programme(name).ok()
}

/// [`programme`], with what was probably meant.
pub fn find_programme(name: &str) -> Result<&'static str, UnknownProgramme> {
    let wanted = plain(name);
    let alias = || ALIASES.iter().find(|(alias, _)| *alias == wanted).map(|(_, name)| *name);
    let found = PROGRAMMES.into_iter().find(|known| plain(known) == wanted).or_else(alias);
    found.ok_or_else(|| UnknownProgramme { name: name.chars().take(64).collect(), nearest: near(&wanted) })
}

fn near(wanted: &str) -> Vec<&'static str> {
    let mut known: Vec<(String, &str)> = PROGRAMMES.into_iter().map(|name| (plain(name), name)).collect();
    let mut found = Vec::new();
    while found.len() < 3
        && let Some(near) = nearest(wanted, known.iter().map(|(plain, _)| plain.as_str()))
        && let Some(row) = known.iter().position(|(plain, _)| plain == near)
    {
        found.push(known.remove(row).1);
    }
    found
}

/// Lower case, and no more than letters and digits; of an overlong name its beginning.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).take(64).flat_map(char::to_lowercase).collect()
}

impl Region {
    /// Whether the region lists the programme (by its name in [`PROGRAMMES`]) or one that includes it. No is "not known to":
    /// the list is not complete.
    pub fn satisfies(&self, programme: &str) -> bool {
        satisfies(&self.compliance, programme)
    }
}

/// Whether it is a level of another programme, which includes that one: `FedRAMP-High` of `FedRAMP`.
pub fn is_level(programme: &str) -> bool {
    INCLUDES.iter().any(|(level, _)| *level == programme)
}

/// Whether a list of programmes, each by its name in [`PROGRAMMES`], has this one or one that includes it.
pub fn satisfies(listed: &[String], programme: &str) -> bool {
    listed.iter().any(|tag| tag == programme || INCLUDES.contains(&(tag.as_str(), programme)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, name) in [
            ("hipaa", "HIPAA"),
            ("SOC 2", "SOC2"),
            ("soc-2 Type II", "SOC2"),
            ("ISO/IEC 27001", "ISO27001"),
            ("iso-27001", "ISO27001"),
            ("pci_dss", "PCI-DSS"),
            ("PCI", "PCI-DSS"),
            ("FedRamp High", "FedRAMP-High"),
            ("fedramp", "FedRAMP"),
        ] {
            assert_eq!(programme(text), Some(name), "{text}");
        }
        assert!(PROGRAMMES.is_sorted());
        for name in PROGRAMMES {
            assert_eq!(programme(name), Some(name));
        }
        assert!(ALIASES.iter().all(|(alias, name)| plain(alias) == *alias && PROGRAMMES.contains(name)));
        let unknown = find_programme("HIPPA").unwrap_err();
        assert_eq!(unknown.to_string(), "there is no compliance programme \"HIPPA\"; did you mean HIPAA?");
        assert!(find_programme("").unwrap_err().nearest.is_empty());
    }

    #[test]
    fn one_includes_another() {
        let listed = ["FedRAMP-High".to_owned()];
        for programme in ["FedRAMP", "FedRAMP-Moderate", "FedRAMP-High"] {
            assert!(satisfies(&listed, programme), "{programme}");
        }
        assert!(!satisfies(&listed, "HIPAA") && !satisfies(&["FedRAMP-Moderate".to_owned()], "FedRAMP-High"));
    }
}
