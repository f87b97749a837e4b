//! What an Azure size is, read from its name: `Standard_E16-4ads_v5` is series E, 16 vCPUs of which 4 are had, AMD, with a
//! local disk, premium storage, version 5. The memory per vCPU is that of the series, with the exceptions that Azure documents;
//! Accelerated sizes, large and old ones come from short tables. A name that these do not tell is left out, not guessed.

use novacron_catalog::{Gpu, GroupId, InstanceType};
use novacron_types::{Architecture, GIB, MIB, ProviderKind};

use crate::{azure_gpu, azure_large, azure_old};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    series: String,
    vcpus: u32,
    memory_mib: u64,
    arm: bool,
    gpu: Option<(&'static str, u32, u64)>,
}

pub struct Name<'a> {
    pub series: &'a str,
    /// Of the full size.
    pub full: u32,
    /// What is had of it.
    pub vcpus: u32,
    pub letters: &'a str,
    /// Between letters and version, `A10` for instance.
    pub middle: Vec<&'a str>,
    pub version: u32,
}

pub fn read(sku: &str) -> Option<Size> {
    let bare = bare(sku)?;
    if let Some((vcpus, memory_mib)) = azure_old::read(bare) {
        let series =
            bare.trim_end_matches(|c: char| !c.is_ascii_alphabetic()).chars().take_while(char::is_ascii_alphabetic);
        return Some(Size { series: series.collect(), vcpus, memory_mib, arm: false, gpu: None });
    }
    let name = parse(bare)?;
    let (memory_mib, gpu) = match name.series {
        "NC" | "NCC" | "ND" | "NG" | "NP" | "NV" => azure_gpu::read(&name)?,
        "M" => (azure_large::memory_mib(&name)?, None),
        _ => (memory_gib(&name)? * 1024, None),
    };
    let arm = name.letters.contains('p') && matches!(name.series, "B" | "D" | "E");
    Some(Size { series: name.series.to_owned(), vcpus: name.vcpus, memory_mib, arm, gpu })
}

/// Of a size that follows the naming rules.
pub fn parse_sku(sku: &str) -> Option<Name<'_>> {
    parse(sku.strip_prefix("Standard_")?)
}

fn bare(sku: &str) -> Option<&str> {
    let bare = sku.strip_prefix("Standard_")?;
    Some(bare.strip_suffix("_Promo").unwrap_or(bare))
}

fn parse(bare: &str) -> Option<Name<'_>> {
    let mut parts: Vec<&str> = bare.split('_').collect();
    let version = match parts.last().and_then(|last| last.strip_prefix('v')).map(str::parse) {
        Some(Ok(version)) if parts.len() > 1 => {
            parts.pop();
            version
        }
        _ => 1,
    };
    let (first, middle) = parts.split_first()?;
    let digits = first.find(|c: char| c.is_ascii_digit())?;
    let (series, rest) = first.split_at(digits);
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
    let (numbers, letters) = rest.split_at(end);
    let (full, had) = numbers.split_once('-').unwrap_or((numbers, numbers));
    // `M24ds-6_v3` says behind the letters what `M24-6ds_v3` says before them.
    let (letters, had) = letters.split_once('-').unwrap_or((letters, had));
    let (full, vcpus) = (full.parse().ok()?, had.parse().ok()?);
    (vcpus > 0 && vcpus <= full && letters.bytes().all(|b| b.is_ascii_lowercase())).then(|| Name {
        series,
        full,
        vcpus,
        letters,
        middle: middle.to_vec(),
        version,
    })
}

fn memory_gib(name: &Name<'_>) -> Option<u64> {
    let (full, version, has) = (u64::from(name.full), name.version, |letter| name.letters.contains(letter));
    if !name.middle.is_empty() && name.middle != ["cc"] {
        return None;
    }
    match name.series {
        "A" if version == 2 => Some(full * if has('m') { 8 } else { 2 }),
        "B" if version == 2 && has('t') => Some(1),
        "B" if version == 2 => Some(full * if has('l') { 2 } else { 4 }),
        // What Azure has said of these two differs from time to time.
        "D" if version == 5 && full == 64 && has('p') && !has('l') => None,
        "EC" if version == 5 && full == 32 && has('a') => None,
        "D" if version >= 3 => Some(full * if has('l') { 2 } else { 4 }),
        "DC" if version == 3 => Some(full * 8),
        "DC" => Some(full * 4),
        "E" | "EC" if version >= 3 => Some(e_series(name, full)),
        "F" if version >= 6 && has('m') => Some(full * 8),
        "F" if version >= 6 && !has('l') => Some(full * 4),
        "F" => Some(full * 2),
        "FX" if full < 96 => Some(full * 21),
        "FX" => Some(1832),
        "L" if full <= 96 => Some(full * 8),
        "HB" => match (full, version) {
            (60, 1) => Some(228),
            (120, 2) => Some(456),
            _ => None,
        },
        "HC" if full == 44 => Some(352),
        "HX" if full == 176 => Some(1408),
        _ => None,
    }
}

/// 8 GiB per vCPU, but the largest of a generation fill their host.
fn e_series(name: &Name<'_>, full: u64) -> u64 {
    let amd = name.letters.contains('a');
    match (name.series, full, name.version) {
        ("E", 64, 3) => 432,
        ("E", 64 | 80, 4) if !amd => 504,
        ("E", 96, 4) => 672,
        ("E", 96 | 104 | 112, 5) | ("EC", 96, 5) => 672,
        ("E", 96, 6) if amd || name.letters.contains('p') => 672,
        ("E", 32, 5) if name.letters.contains('p') => 208,
        ("EC", 96, 6) => 672,
        ("E", 192, 6) => 1832,
        ("EC", 128, 5) => 768,
        _ => full * 8,
    }
}

impl Size {
    pub fn instance_type(&self, sku: &str, group: GroupId) -> InstanceType {
        let burstable = self.series == "B";
        let gpu = self.gpu.map(|(model, milli, gib)| Gpu { model: model.into(), milli, memory_bytes: gib * GIB });
        InstanceType {
            kind: ProviderKind::Azure,
            name: sku.to_owned(),
            vcpus: self.vcpus,
            sustained_milli_vcpus: if burstable { 0 } else { self.vcpus * 1000 },
            memory_bytes: self.memory_mib * MIB,
            architecture: if self.arm { Architecture::Arm64 } else { Architecture::X86_64 },
            gpu,
            network_mbps: 0,
            network_peak_mbps: 0,
            network_group: group,
            local_disk_gb: 0,
            burstable,
            shared_core: sku == "Standard_A0",
            bare_metal: false,
            power: None,
            embodied: None,
            group,
        }
    }

    /// Azure has no spot for the B series and promotional sizes.
    pub fn has_spot(&self, sku: &str) -> bool {
        self.series != "B" && !sku.ends_with("_Promo")
    }

    /// Nor reservations for promotional sizes and the first generations.
    pub fn has_reservations(&self, sku: &str) -> bool {
        let first = matches!(self.series.as_str(), "A" | "D" | "DS" | "G" | "GS" | "H") && !sku.contains("_v");
        !first && self.series != "A" && !sku.ends_with("_Promo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (sku, vcpus, gib, arm) in [
            ("Standard_B2s", 2, 4, false),
            ("Standard_B2ts_v2", 2, 1, false),
            ("Standard_B4pls_v2", 4, 8, true),
            ("Standard_D2s_v5", 2, 8, false),
            ("Standard_D4s_v5", 4, 16, false),
            ("Standard_D4plds_v6", 4, 8, true),
            ("Standard_DS14-4_v2", 4, 112, false),
            ("Standard_D3_v2", 4, 14, false),
            ("Standard_E16-4ads_v5", 4, 128, false),
            ("Standard_E64_v3", 64, 432, false),
            ("Standard_F16ams_v6", 16, 128, false),
            ("Standard_F72s_v2", 72, 144, false),
            ("Standard_FX12-6mds_v2", 6, 252, false),
            ("Standard_EC20as_cc_v5", 20, 160, false),
            ("Standard_NC4as_T4_v3", 4, 28, false),
            ("Standard_NC6s_v3", 6, 112, false),
            ("Standard_L8s_v3", 8, 64, false),
            ("Standard_D2as_v5_Promo", 2, 8, false),
            ("Standard_A9", 16, 112, false),
            ("Standard_H16mr_Promo", 16, 224, false),
            ("Standard_M128m", 128, 3892, false),
            ("Standard_M192idms_v2", 192, 4096, false),
            ("Standard_M176ds-44_4_v3", 44, 3892, false),
            ("Standard_M128-64bds_3_v3", 64, 2794, false),
            ("Standard_M832ids-208_16_v3", 208, 15_200, false),
            ("Standard_NP20s", 20, 336, false),
        ] {
            let size = read(sku).unwrap_or_else(|| panic!("{sku} is not read"));
            assert_eq!((size.vcpus, size.memory_mib, size.arm), (vcpus, gib * 1024, arm), "{sku}");
        }
        assert_eq!(read("Standard_NV6ads_A10_v5").and_then(|s| s.gpu), Some(("NVIDIA A10", 167, 4)));
        assert_eq!(read("Standard_NV8ads_V710_v5").and_then(|s| s.gpu), Some(("AMD Radeon PRO V710", 333, 8)));
        for unknown in [
            "Standard_M128bds_3_v4",
            "Standard_M176ds_v3",
            "Standard_M12s-6_v32",
            "Standard_M176bds_3_v3",
            "Standard_PB6s",
            "Standard_SQLG7_NVME",
            "Standard_",
            "Standard_D",
            "Basic_A1",
            "Standard_D64ps_v5",
        ] {
            assert_eq!(read(unknown), None, "{unknown}");
        }
    }
}
