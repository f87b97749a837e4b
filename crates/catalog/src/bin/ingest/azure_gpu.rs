//! Azure's sizes with GPUs or FPGAs.

use crate::azure_size::Name;

type Accelerated = (u64, Option<(&'static str, u32, u64)>);

/// Memory in MiB; the GPU's model, thousandths of devices, and GiB of all of them.
pub fn read(name: &Name<'_>) -> Option<Accelerated> {
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
        ("NV", 4, "V710", 5) => (16, "AMD Radeon PRO V710", 167, 4),
        ("NV", 8, "V710", 5) => (32, "AMD Radeon PRO V710", 333, 8),
        ("NV", 12, "V710", 5) => (64, "AMD Radeon PRO V710", 500, 12),
        ("NV", 24, "V710", 5) => (128, "AMD Radeon PRO V710", 1000, 24),
        ("NV", 28, "V710", 5) if high => (160, "AMD Radeon PRO V710", 1000, 24),
        ("NG", 32, "V620", 1) if high => (176, "AMD Radeon PRO V620", 1000, 32),
        ("NG", n @ (8 | 16 | 32), "V620", 1) => (u64::from(n) * 2, "AMD Radeon PRO V620", n * 125 / 4, u64::from(n)),
        // Alveo U250, which is no GPU.
        ("NP", n @ (10 | 20 | 40), "", 1) => return Some((u64::from(n / 10) * 168 * 1024, None)),
        ("NV", 6, "A10", 5) => (55, "NVIDIA A10", 167, 4),
        ("NV", 12, "A10", 5) => (110, "NVIDIA A10", 333, 8),
        ("NV", 18, "A10", 5) => (220, "NVIDIA A10", 500, 12),
        ("NV", 36, "A10", 5) => (if high { 880 } else { 440 }, "NVIDIA A10", 1000, 24),
        ("NV", 72, "A10", 5) => (880, "NVIDIA A10", 2000, 48),
        _ => return None,
    };
    Some((gib * 1024, Some((model, milli, gpu_gib))))
}
