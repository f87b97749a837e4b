//! What Google and Oracle document as the most that a machine can send; no file has it. Series and sizes whose figure is not
//! certain are left unknown.

/// Megabits per second at most, within the network and without paying for a higher tier; 0 when unknown.
pub fn google(name: &str, vcpus: u32) -> u32 {
    let (series, size) = name.split_once('-').unwrap_or((name, ""));
    let gbps = match (series, vcpus) {
        ("f1" | "g1", _) => 1,
        ("e2", _) => match size {
            "micro" | "small" => 1,
            "medium" => 2,
            _ => (2 * vcpus).min(16),
        },
        ("n1", 1) => 2,
        ("n1", 2..=4) | ("n2" | "n2d" | "n4" | "c2" | "c2d", 2..=4) | ("t2a" | "t2d", 1..=4) => 10,
        ("n1" | "n2" | "n2d" | "n4" | "c2" | "c2d" | "t2a" | "t2d", 8) => 16,
        ("n4", 16 | 32) | ("n1" | "n2" | "n2d" | "c2" | "c2d" | "t2a" | "t2d", 16..) => 32,
        ("c3", 4..=22) => 23,
        ("c3", 44) => 32,
        ("c3" | "z3", 88) => 62,
        ("c3", 176 | 192) | ("z3", 176) => 100,
        ("c3d", 4..=30) => 20,
        ("c3d", 60) => 40,
        ("c3d", 90) => 60,
        ("c3d", 180 | 360) => 100,
        ("c4", 2) | ("c4a", 1 | 2) => 10,
        ("c4", 4 | 8 | 16 | 32) | ("c4a", 4..=32) => 23,
        ("c4" | "c4a", 48) => 34,
        ("c4a", 64) => 45,
        ("c4a", 72) => 50,
        ("c4", 96) => 67,
        ("c4", 192) => 100,
        ("m1" | "m2" | "m3", _) => 32,
        ("h3", 88) => 200,
        ("a2", 12) => 24,
        ("a2", 24) => 32,
        ("a2", 48) => 50,
        ("a2", 96) => 100,
        ("g2", 4) => 10,
        ("g2", 8 | 12) => 16,
        ("g2", 16 | 24 | 32) => 32,
        ("g2", 48) => 50,
        ("g2", 96) => 100,
        _ => 0,
    };
    gbps * 1000
}

/// Megabits per second at most; 0 when unknown. `ocpus` is what a flexible shape has of them.
pub fn oracle(shape: &str, ocpus: u64) -> u32 {
    let mbps = match shape {
        "VM.Optimized3.Flex" => (4000 * ocpus).min(40_000),
        "VM.Standard.E3.Flex" | "VM.Standard.E4.Flex" | "VM.Standard.E5.Flex" | "VM.Standard.A1.Flex" => {
            (1000 * ocpus).min(40_000)
        }
        "VM.Standard3.Flex" => (1000 * ocpus).min(32_000),
        // Beyond 40 OCPUs the limit is not certain.
        "VM.Standard.E6.Flex" | "VM.Standard.A2.Flex" if ocpus <= 40 => 1000 * ocpus,
        "VM.Standard.E2.1" => 700,
        "VM.Standard.E2.2" => 1400,
        "VM.Standard.E2.4" => 2800,
        "VM.Standard.E2.8" => 5600,
        "VM.Standard2.1" => 1000,
        "VM.Standard2.2" => 2000,
        "VM.Standard2.4" => 4100,
        "VM.Standard2.8" => 8200,
        "VM.Standard2.16" => 16_400,
        "VM.Standard2.24" => 24_600,
        "VM.GPU3.1" => 4000,
        "VM.GPU3.2" => 8000,
        "VM.GPU3.4" => 24_600,
        "VM.GPU.A10.1" => 24_000,
        "VM.GPU.A10.2" => 48_000,
        _ => 0,
    };
    mbps as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_documented_and_nothing_else() {
        for (name, vcpus, gbps) in [
            ("e2-medium", 2, 2),
            ("e2-standard-4", 4, 8),
            ("e2-highcpu-32", 32, 16),
            ("n1-standard-1", 1, 2),
            ("n2-standard-2", 2, 10),
            ("n2d-standard-224", 224, 32),
            ("c3-standard-22-lssd", 22, 23),
            ("c3-highmem-192-metal", 192, 100),
            ("c4a-standard-1", 1, 10),
            ("a2-megagpu-16g", 96, 100),
            ("c4n-standard-8", 8, 0),
            ("n4-standard-64", 64, 0),
        ] {
            assert_eq!(google(name, vcpus), gbps * 1000, "{name}");
        }
        assert_eq!(oracle("VM.Standard.E4.Flex", 64), 40_000);
        assert_eq!(oracle("VM.Standard.E6.Flex", 64), 0);
        assert_eq!(oracle("VM.Optimized3.Flex", 2), 8000);
    }
}
