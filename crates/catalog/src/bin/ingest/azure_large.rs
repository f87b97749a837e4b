//! Azure's M series: the names do not tell the memory, so what each size has is written down.

use crate::azure_size::Name;

/// In MiB.
pub fn memory_mib(name: &Name<'_>) -> Option<u64> {
    if name.version == 3 {
        return third(name).map(|gib| gib << 10);
    }
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
        (64, "s", 1 | 2) | (64, "", 1) => 1024 << 10,
        (64, "ms", 1 | 2) | (64, "m", 1) => 1792 << 10,
        (128, "s", 1 | 2) | (128, "", 1) | (192, "is", 2) => 2048 << 10,
        (128, "ms", 1 | 2) | (128, "m", 1) => 3892 << 10,
        (192, "ims", 2) => 4096 << 10,
        (208, "s", 2) => 2850 << 10,
        (208, "ms", 2) | (416, "s", 2) => 5700 << 10,
        (416, "ms", 2) => 11_400 << 10,
        _ => return None,
    })
}

/// In GiB. The number before the version tells sizes of the same vCPUs apart; it is not the memory.
fn third(name: &Name<'_>) -> Option<u64> {
    let letters = name.letters.replace('d', "");
    Some(match (name.full, letters.as_str(), name.middle.as_slice()) {
        (12 | 24, "s", []) => u64::from(name.full) * 20,
        (48 | 96, "s", ["1"]) => 974,
        (96, "s" | "bs", ["2"]) => 1946,
        (176, "s", ["3"]) | (128, "bs", ["3"]) => 2794,
        (176, "s" | "bs", ["4"]) => 3892,
        (416, "s", ["6"]) => 5696,
        (416, "s", ["8"]) => 7600,
        (624 | 832, "s", ["12"]) => 11_400,
        (832, "is", ["16"]) => 15_200,
        (896, "ixs", ["32"]) => 30_400,
        (16 | 32 | 48 | 64 | 96 | 128, "bs", []) => u64::from(name.full) * 8,
        (176, "bs", []) => 1536,
        (64, "bs", ["1"]) => 1397,
        _ => return None,
    })
}
