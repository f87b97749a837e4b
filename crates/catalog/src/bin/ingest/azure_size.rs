//! What an Azure size is, read from its name: `Standard_E16-4ads_v5` is series E, 16 vCPUs of which 4 are had, AMD, with a
//! local disk, premium storage, version 5. The memory per vCPU is that of the series, with the exceptions that Azure documents;
//! GPU sizes and old ones come from short tables. A name that these do not tell is left out, not guessed.

use novacron_catalog::{Gpu, GroupId, InstanceType};
use novacron_types::{Architecture, GIB, MIB, ProviderKind};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    series: String,
    vcpus: u32,
    memory_mib: u64,
    arm: bool,
    gpu: Option<(&'static str, u32, u64)>,
}

struct Name<'a> {
    series: &'a str,
    /// Of the full size.
    full: u32,
    /// What is had of it.
    vcpus: u32,
    letters: &'a str,
    /// Between letters and version, `A10` for instance.
    middle: Vec<&'a str>,
    version: u32,
}

pub fn read(sku: &str) -> Option<Size> {
    let bare = sku.strip_prefix("Standard_")?;
    let bare = bare.strip_suffix("_Promo").unwrap_or(bare);
    if let Some((vcpus, memory_mib)) = old(bare) {
        let series =
            bare.trim_end_matches(|c: char| !c.is_ascii_alphabetic()).chars().take_while(char::is_ascii_alphabetic);
        return Some(Size { series: series.collect(), vcpus, memory_mib, arm: false, gpu: None });
    }
    let name = parse(bare)?;
    let (memory_mib, gpu) = match name.series {
        "NC" | "NCC" | "ND" | "NV" => accelerated(&name)?,
        "M" => (large(&name)?, None),
        _ => (memory_gib(&name)? * 1024, None),
    };
    let arm = name.letters.contains('p') && matches!(name.series, "B" | "D" | "E");
    Some(Size { series: name.series.to_owned(), vcpus: name.vcpus, memory_mib, arm, gpu })
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

/// The first two versions of the M series, in MiB. What later ones have, their names do not tell.
fn large(name: &Name<'_>) -> Option<u64> {
    if !name.middle.is_empty() {
        return None;
    }
    let letters = name.letters.replace('d', "");
    Some(match (name.full, letters.as_str(), name.version) {
        (8, "ms", 1) => 224_000,
        (16, "ms", 1) => 448_000,
        (32, "ls", 1) => 256 << 10,
        (32, "ts", 1) => 192 << 10,
        (32, "ms", 1) | (32, "ms", 2) => 875 << 10,
        (64, "ls", 1) => 512 << 10,
        (64, "s", 1 | 2) => 1024 << 10,
        (64, "ms", 1 | 2) => 1792 << 10,
        (128, "s", 1 | 2) => 2048 << 10,
        (128, "ms", 1 | 2) => 3892 << 10,
        (208, "s", 2) => 2850 << 10,
        (208, "ms", 2) | (416, "s", 2) => 5700 << 10,
        (416, "ms", 2) => 11_400 << 10,
        _ => return None,
    })
}

type Accelerated = (u64, Option<(&'static str, u32, u64)>);

/// Memory in MiB; the GPU's model, thousandths of devices, and GiB of all of them.
fn accelerated(name: &Name<'_>) -> Option<Accelerated> {
    let middle = name.middle.join("_");
    let high = name.letters.contains('m');
    let (gib, model, milli, gpu_gib) = match (name.series, name.full, middle.as_str(), name.version) {
        ("NC", n @ (6 | 12 | 24), "", 3) => (u64::from(n) * 56 / 3, "NVIDIA V100", n / 6 * 1000, u64::from(n / 6) * 16),
        ("NC", 4, "T4", 3) => (28, "NVIDIA T4", 1000, 16),
        ("NC", 8, "T4", 3) => (56, "NVIDIA T4", 1000, 16),
        ("NC", 16, "T4", 3) => (110, "NVIDIA T4", 1000, 16),
        ("NC", 64, "T4", 3) => (440, "NVIDIA T4", 4000, 64),
        ("NC", n @ (24 | 48 | 96), "A100", 4) => {
            (u64::from(n / 24) * 220, "NVIDIA A100", n / 24 * 1000, u64::from(n / 24) * 80)
        }
        ("NC" | "NCC", n @ (40 | 80), "H100", 5) => {
            (u64::from(n / 40) * 320, "NVIDIA H100 NVL", n / 40 * 1000, u64::from(n / 40) * 94)
        }
        ("ND", 40, "", 2) => (672, "NVIDIA V100", 8000, 256),
        ("ND", 96, "A100", 4) if high => (1900, "NVIDIA A100", 8000, 640),
        ("ND", 96, "" | "A100", 4) => (900, "NVIDIA A100", 8000, 320),
        ("ND", 96, "H100", 5) => (1900, "NVIDIA H100", 8000, 640),
        ("ND", 96, "H200", 5) => (1850, "NVIDIA H200", 8000, 1128),
        ("ND", 96, "MI300X", 5) => (1850, "AMD MI300X", 8000, 1536),
        ("NV", n @ (12 | 24 | 48), "", 3) => {
            (u64::from(n / 12) * 112, "NVIDIA M60", n / 12 * 1000, u64::from(n / 12) * 8)
        }
        ("NV", n @ (4 | 8 | 16 | 32), "", 4) => (u64::from(n / 4) * 14, "AMD MI25", n / 4 * 125, u64::from(n / 4) * 2),
        ("NV", 6, "A10", 5) => (55, "NVIDIA A10", 167, 4),
        ("NV", 12, "A10", 5) => (110, "NVIDIA A10", 333, 8),
        ("NV", 18, "A10", 5) => (220, "NVIDIA A10", 500, 12),
        ("NV", 36, "A10", 5) => (if high { 880 } else { 440 }, "NVIDIA A10", 1000, 24),
        ("NV", 72, "A10", 5) => (880, "NVIDIA A10", 2000, 48),
        _ => return None,
    };
    Some((gib * 1024, Some((model, milli, gpu_gib))))
}

/// Sizes from before the naming rules: vCPUs and MiB.
fn old(bare: &str) -> Option<(u32, u64)> {
    const TABLE: [(&str, u32, u64); 37] = [
        ("A0", 1, 768),
        ("A1", 1, 1792),
        ("A2", 2, 3584),
        ("A3", 4, 7168),
        ("A4", 8, 14_336),
        ("A5", 2, 14_336),
        ("A6", 4, 28_672),
        ("A7", 8, 57_344),
        ("B1ls", 1, 512),
        ("B1s", 1, 1024),
        ("B1ms", 1, 2048),
        ("B2s", 2, 4096),
        ("B2ms", 2, 8192),
        ("B4ms", 4, 16_384),
        ("B8ms", 8, 32_768),
        ("B12ms", 12, 49_152),
        ("B16ms", 16, 65_536),
        ("B20ms", 20, 81_920),
        ("D1", 1, 3584),
        ("D2", 2, 7168),
        ("D3", 4, 14_336),
        ("D4", 8, 28_672),
        ("D5", 16, 57_344),
        ("D11", 2, 14_336),
        ("D12", 4, 28_672),
        ("D13", 8, 57_344),
        ("D14", 16, 114_688),
        ("D15", 20, 143_360),
        ("D15i", 20, 143_360),
        ("G1", 2, 28_672),
        ("G2", 4, 57_344),
        ("G3", 8, 114_688),
        ("G4", 16, 229_376),
        ("G5", 32, 458_752),
        ("H8", 8, 57_344),
        ("H16", 16, 114_688),
        ("H16r", 16, 114_688),
    ];
    let v2 = bare.strip_suffix("_v2");
    let name = v2.unwrap_or(bare);
    let (series, _) = name.split_at(name.find(|c: char| c.is_ascii_digit())?);
    if v2.is_some() && !matches!(series, "D" | "DS") {
        return None;
    }
    let plain = name.replacen("DS", "D", 1).replacen("GS", "G", 1);
    let (plain, had) = match plain.split_once('-') {
        Some((plain, had)) => (plain, Some(had.parse().ok()?)),
        None => (plain.as_str(), None),
    };
    let row = TABLE.iter().find(|row| row.0 == plain)?;
    Some((had.unwrap_or(row.1), row.2))
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
        ] {
            let size = read(sku).unwrap_or_else(|| panic!("{sku} is not read"));
            assert_eq!((size.vcpus, size.memory_mib, size.arm), (vcpus, gib * 1024, arm), "{sku}");
        }
        assert_eq!(read("Standard_NV6ads_A10_v5").and_then(|s| s.gpu), Some(("NVIDIA A10", 167, 4)));
        for unknown in [
            "Standard_M128bds_3_v4",
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
