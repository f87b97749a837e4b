//! Which machines take which disks, and the least of each that is sold.
//!
//! From the vendors' pages on machine series and disk types, written by hand. A series that is not named here is taken to have
//! what is usual, so that a new one is not ruled out.

use novacron_types::ProviderKind;

use crate::InstanceType;

/// Google's series that take no Persistent Disk.
const HYPERDISK_ONLY: [&str; 12] = ["n4", "n4a", "n4d", "c4", "c4a", "c4d", "c4n", "m4", "m4n", "g4", "x4", "a4"];
/// Those that take no Hyperdisk.
const PERSISTENT_ONLY: [&str; 7] = ["e2", "f1", "g1", "n1", "c2", "c2d", "t2a"];
/// Persistent Disk of the newer kinds only: no standard (`hdd`) ones.
const NO_STANDARD: [&str; 7] = ["c3", "c3d", "h3", "m3", "g2", "a3", "z3"];
/// Hyperdisks other than Balanced; the older series take no Balanced one.
const NO_BALANCED_HYPERDISK: [&str; 4] = ["n2", "n2d", "t2d", "g2"];
/// With so many vCPUs at least.
const EXTREME_HYPERDISK: [(&str, u32); 13] = [
    ("n2", 80),
    ("c3", 88),
    ("c3d", 60),
    ("c4", 96),
    ("c4a", 64),
    ("c4d", 64),
    ("m1", 80),
    ("m2", 0),
    ("m3", 64),
    ("m4", 112),
    ("x4", 0),
    ("z3", 0),
    ("a3", 0),
];
const NO_LOCAL: [&str; 5] = ["e2", "f1", "g1", "t2a", "t2d"];

/// Whether the type takes the disk. What is no disk of a machine (`snapshot`) none takes.
pub(crate) fn attaches(ty: &InstanceType, disk: &str) -> bool {
    if ty.kind != ProviderKind::Gcp || disk == "snapshot" {
        return disk != "snapshot";
    }
    let series = ty.name.split('-').next().unwrap_or_default();
    if let Some(own) = disk.strip_prefix("local") {
        return match own {
            "" => !HYPERDISK_ONLY.contains(&series) && !NO_LOCAL.contains(&series),
            own => own.strip_prefix('-') == Some(series),
        };
    }
    if disk.starts_with("hyperdisk") && PERSISTENT_ONLY.contains(&series)
        || !disk.starts_with("hyperdisk") && HYPERDISK_ONLY.contains(&series)
    {
        return false;
    }
    match disk {
        "hyperdisk-extreme" => EXTREME_HYPERDISK.iter().any(|(known, least)| *known == series && ty.vcpus >= *least),
        "hyperdisk-balanced" => !NO_BALANCED_HYPERDISK.contains(&series),
        "hdd" => !NO_STANDARD.contains(&series),
        "ssd" => series != "h3",
        _ => true,
    }
}

/// GB: a smaller disk is sold, and paid for, as one of this size.
pub(crate) fn least_gb(kind: ProviderKind, disk: &str) -> u64 {
    match (kind, disk) {
        (ProviderKind::Aws, "st1" | "sc1") => 125,
        (ProviderKind::Aws, "io1" | "io2") => 4,
        (ProviderKind::Gcp, "hyperdisk-throughput") => 2048,
        (ProviderKind::Gcp, "hyperdisk-extreme") => 64,
        (ProviderKind::Gcp, "hyperdisk-balanced" | "hyperdisk-ml") => 4,
        (ProviderKind::Gcp, _) => 10,
        (ProviderKind::Oci, _) => 50,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use crate::Catalog;
    use novacron_types::ProviderKind::{Aws, Gcp, Oci};

    #[test]
    fn what_is_sold_together() {
        let catalog = Catalog::embedded().unwrap();
        let takes = |ty: &str, disk: &str| catalog.takes_disk(catalog.find_type(Gcp, ty).unwrap(), disk);
        for (ty, disk, sold) in [
            ("e2-medium", "hyperdisk-extreme", false),
            ("e2-medium", "balanced", true),
            ("e2-medium", "hdd", true),
            ("n2-standard-8", "hyperdisk-extreme", false),
            ("n2-standard-80", "hyperdisk-extreme", true),
            ("n2-standard-80", "hyperdisk-balanced", false),
            ("c3-standard-8", "hdd", false),
            ("c3-standard-8", "ssd", true),
            ("c3-standard-8", "hyperdisk-balanced", true),
            ("n4-standard-2", "balanced", false),
            ("n4-standard-2", "hyperdisk-balanced", true),
            ("n4-standard-2", "hyperdisk-extreme", false),
            ("n1-standard-1", "local", true),
            ("n1-standard-1", "snapshot", false),
        ] {
            assert_eq!(takes(ty, disk), sold, "{ty} {disk}");
        }
    }

    #[test]
    fn the_least_that_is_sold_is_paid() {
        assert_eq!(
            [super::least_gb(Aws, "gp3"), super::least_gb(Aws, "st1"), super::least_gb(Oci, "block-10-vpu")],
            [1, 125, 50]
        );
    }
}
