//! What a SKU is a price of, by its description. A description that is not known as a whole is something else: custom and
//! sole-tenant machines, reservations and premiums have SKUs with much the same words.

/// A part of machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A vCPU of a series, an hour.
    Core(&'static str),
    /// A GiB of memory of a series, an hour.
    Ram(&'static str),
    /// A GPU, by the vendor's name of it, an hour.
    Gpu(&'static str),
    /// A GiB of local disk, a month: of a series, or of all that have none of their own (`""`).
    LocalDisk(&'static str),
    /// A whole machine, an hour.
    Machine(&'static str),
    /// A GiB of a network disk, a month, by the catalog's name of it.
    Disk(&'static str),
}

impl Part {
    /// The unit that the vendor prices it by.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Core(_) | Self::Gpu(_) | Self::Machine(_) => "h",
            Self::Ram(_) => "GiBy.h",
            Self::LocalDisk(_) | Self::Disk(_) => "GiBy.mo",
        }
    }
}

/// The vendor's word for a series, and the first word of its machine types; `m4-ultramem-224` and what makes an `m2` of an `m1`
/// have SKUs of their own.
const SERIES: [(&str, &str); 26] = [
    ("A2", "a2"),
    ("A3", "a3"),
    ("C2D", "c2d"),
    ("C3", "c3"),
    ("C3D", "c3d"),
    ("C4", "c4"),
    ("C4A", "c4a"),
    ("C4D", "c4d"),
    ("C4N", "c4n"),
    ("Compute optimized", "c2"),
    ("E2", "e2"),
    ("G2", "g2"),
    ("G4", "g4"),
    ("H3", "h3"),
    ("M3 Memory-optimized", "m3"),
    ("M4", "m4"),
    ("M4N", "m4n"),
    ("M4Ultramem224", "m4-ultramem-224"),
    ("Memory-optimized", "m1"),
    ("Memory Optimized Upgrade Premium for Memory-optimized", M2_PREMIUM),
    ("N1", "n1"),
    ("N2", "n2"),
    ("N2D", "n2d"),
    ("N4", "n4"),
    ("N4A", "n4a"),
    ("N4D", "n4d"),
];
const MORE_SERIES: [(&str, &str); 3] = [("T2A", "t2a"), ("T2D", "t2d"), ("Z3", "z3")];

/// What an `m2` costs beside what an `m1` of its size would.
pub(crate) const M2_PREMIUM: &str = "m2-premium";

const GPUS: [&str; 6] = [
    "Nvidia Tesla A100",
    "Nvidia Tesla A100 80GB",
    "Nvidia H100 80GB",
    "Nvidia H100 80GB Mega",
    "Nvidia L4",
    "RTX 6000 96GB",
];

const DISKS: [(&str, &str); 9] = [
    ("Balanced PD Capacity", "balanced"),
    ("Extreme PD Capacity", "extreme"),
    ("Hyperdisk Extreme Capacity", "hyperdisk-extreme"),
    ("Regional Balanced PD Capacity", "balanced-replicated"),
    ("Regional SSD backed PD Capacity", "ssd-replicated"),
    ("Regional Storage PD Capacity", "hdd-replicated"),
    ("SSD backed PD Capacity", "ssd"),
    ("Storage PD Capacity", "hdd"),
    ("Storage PD Snapshot", "snapshot"),
];

/// The series that a machine type belongs to, if it has SKUs that are known.
pub(crate) fn series_of(machine: &str) -> Option<&'static str> {
    let first = machine.split('-').next().unwrap_or_default();
    let own = all_series().find(|(_, series)| *series == machine);
    let by_name = all_series().find(|(_, series)| *series == first || (first == "m2" && *series == M2_PREMIUM));
    own.or(by_name).map(|(_, series)| series)
}

fn all_series() -> impl Iterator<Item = (&'static str, &'static str)> {
    SERIES.into_iter().chain(MORE_SERIES)
}

/// Reads a description. `committed` are those of commitments, which are worded otherwise.
pub fn read_part(description: &str, committed: bool) -> Option<Part> {
    let text = match committed {
        true => description.strip_prefix("Commitment v1: ").or_else(|| description.strip_prefix("Commitment: "))?,
        false => {
            let rest =
                description.strip_prefix("Spot Preemptible ").or_else(|| description.strip_prefix("Preemptible "));
            rest.unwrap_or(description)
        }
    };
    whole_machine(text, committed)
        .or_else(|| disk(description))
        .or_else(|| local_disk(text))
        .or_else(|| core_or_ram(text, committed))
        .or_else(|| gpu(text))
}

fn whole_machine(text: &str, committed: bool) -> Option<Part> {
    let shared = [("Micro Instance with burstable CPU", "f1-micro"), ("Small Instance with 1 VCPU", "g1-small")];
    let found = shared.into_iter().find(|(words, _)| !committed && text.starts_with(words));
    found.map(|(_, machine)| Part::Machine(machine))
}

fn disk(description: &str) -> Option<Part> {
    let name = description.split(" in ").next()?;
    DISKS.iter().find(|(words, _)| *words == name).map(|(_, disk)| Part::Disk(disk))
}

fn local_disk(text: &str) -> Option<Part> {
    if text.starts_with("SSD backed Local Storage ") {
        return Some(Part::LocalDisk(""));
    }
    let (before, after) = text.split_once("Local SSD ")?;
    let place = after.starts_with("in ") || after.starts_with("In ") || after.starts_with("running in ");
    match before.trim_end().trim_end_matches("Instance").trim_end() {
        "" => Some(Part::LocalDisk("")),
        name => all_series().find(|(word, _)| *word == name).map(|(_, series)| Part::LocalDisk(series)),
    }
    .filter(|_| place)
}

fn core_or_ram(text: &str, committed: bool) -> Option<Part> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let at = words.iter().position(|word| ["Core", "Cpu", "CPU", "Ram", "RAM"].contains(word))?;
    if !matches!(words.get(at + 1), Some(&("running" | "in" | "In"))) {
        return None;
    }
    let name: Vec<&str> =
        words[..at].iter().copied().filter(|word| !["Instance", "AMD", "Arm", "Predefined"].contains(word)).collect();
    let name = match name.join(" ") {
        // The oldest series is not named in its commitments.
        name if name.is_empty() && committed => "N1".to_owned(),
        name => name,
    };
    let (_, series) = all_series().find(|(word, _)| *word == name)?;
    Some(if words[at].eq_ignore_ascii_case("ram") { Part::Ram(series) } else { Part::Core(series) })
}

fn gpu(text: &str) -> Option<Part> {
    let end = [" running in ", " attached to ", " in ", " In "].iter().filter_map(|word| text.find(word)).min()?;
    let name = text[..end].trim_end_matches(" GPU");
    GPUS.into_iter().find(|known| *known == name).map(Part::Gpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn descriptions() {
        for (text, part) in [
            ("E2 Instance Core running in Virginia", Part::Core("e2")),
            ("E2 Instance Ram running in Virginia", Part::Ram("e2")),
            ("Spot Preemptible E2 Instance Core running in Virginia", Part::Core("e2")),
            ("N1 Predefined Instance Core running in Americas", Part::Core("n1")),
            ("N2D AMD Instance Ram running in Iowa", Part::Ram("n2d")),
            ("T2A Arm Instance Core running in Iowa", Part::Core("t2a")),
            ("Compute optimized Core running in Iowa", Part::Core("c2")),
            ("Compute optimized Instance Ram running in Iowa", Part::Ram("c2")),
            ("Memory-optimized Instance Core running in Iowa", Part::Core("m1")),
            ("M3 Memory-optimized Instance Ram running in Iowa", Part::Ram("m3")),
            ("M4Ultramem224 Instance Core running in Iowa", Part::Core("m4-ultramem-224")),
            (
                "Memory Optimized Upgrade Premium for Memory-optimized Instance Core running in Iowa",
                Part::Core(M2_PREMIUM),
            ),
            ("Nvidia Tesla A100 GPU running in Iowa", Part::Gpu("Nvidia Tesla A100")),
            ("Nvidia Tesla A100 80GB GPU running in Iowa", Part::Gpu("Nvidia Tesla A100 80GB")),
            ("Nvidia L4 GPU attached to Spot Preemptible VMs running in Iowa", Part::Gpu("Nvidia L4")),
            ("RTX 6000 96GB running in Iowa", Part::Gpu("RTX 6000 96GB")),
            ("SSD backed Local Storage in Iowa", Part::LocalDisk("")),
            ("SSD backed Local Storage attached to Spot Preemptible VMs in Iowa", Part::LocalDisk("")),
            ("C4 Instance Local SSD running in Iowa", Part::LocalDisk("c4")),
            ("Storage PD Capacity", Part::Disk("hdd")),
            ("Regional Balanced PD Capacity in Iowa", Part::Disk("balanced-replicated")),
            ("Micro Instance with burstable CPU running in Iowa", Part::Machine("f1-micro")),
            ("Spot Preemptible Small Instance with 1 VCPU running in Iowa", Part::Machine("g1-small")),
        ] {
            assert_eq!(read_part(text, false), Some(part), "{text}");
        }
        for (text, part) in [
            ("Commitment v1: Cpu in Iowa for 1 Year", Part::Core("n1")),
            ("Commitment v1: Ram in Iowa for 3 Years", Part::Ram("n1")),
            ("Commitment v1: N2D AMD Cpu in Iowa for 1 Year", Part::Core("n2d")),
            ("Commitment v1: C4A Arm Ram in Iowa for 1 Year", Part::Ram("c4a")),
            ("Commitment: Compute optimized Cpu in Iowa for 1 Year", Part::Core("c2")),
            ("Commitment v1: Local SSD In Iowa for 1 Year", Part::LocalDisk("")),
            ("Commitment v1: C4D Local SSD in Iowa for 3 Years", Part::LocalDisk("c4d")),
            ("Commitment v1: Nvidia L4 GPU running in Iowa for 1 Year", Part::Gpu("Nvidia L4")),
        ] {
            assert_eq!(read_part(text, true), Some(part), "{text}");
        }
    }

    #[test]
    fn what_has_much_the_same_words() {
        for text in [
            "Custom Instance Core running in Americas",
            "N2 Custom Instance Core running in Iowa",
            "N2 Custom Extended Instance Ram running in Iowa",
            "N2 Sole Tenancy Instance Core running in Iowa",
            "Reserved A2 Instance Core running in Iowa",
            "DWS Calendar Mode A3 Instance Core running in Iowa",
            "Sole Tenancy Premium for N2 Sole Tenancy Instance Core running in Iowa",
            "Cpu in Iowa",
            "Nvidia Tesla A100 80GB Plus GPU running in Iowa",
            "Licensing Fee for SUSE Linux Enterprise Server 15 on VM with 1 VCPU (CPU cost)",
            "Commitment v1: Cpu in Iowa for 1 Year",
            "Vertex Local SSD in Iowa",
            "E2 Instance Core",
            "Storage PD Capacity Asynchronous Replication in Iowa",
            "Hyperdisk Balanced Capacity in Iowa",
        ] {
            assert_eq!(read_part(text, false), None, "{text}");
        }
        assert_eq!(read_part("Commitment v1: N2 Custom Cpu in Iowa for 1 Year", true), None);
        assert_eq!(read_part("E2 Instance Core running in Iowa", true), None);
    }

    #[test]
    fn machines_of_series() {
        for (machine, series) in [
            ("e2-micro", Some("e2")),
            ("m4-ultramem-224", Some("m4-ultramem-224")),
            ("m4-megamem-28", Some("m4")),
            ("m2-ultramem-208", Some(M2_PREMIUM)),
            ("custom-1-7680-ext", None),
            ("x9-standard-4", None),
        ] {
            assert_eq!(series_of(machine), series, "{machine}");
        }
    }

    proptest! {
        #[test]
        fn no_description_panics(text in "(Commitment v1: |Spot Preemptible )?[A-Za-z0-9 é]{0,40}(Core|Ram| Local SSD )?( running)? in [a-z]{0,5}") {
            let _ = (read_part(&text, true), read_part(&text, false));
        }
    }
}
