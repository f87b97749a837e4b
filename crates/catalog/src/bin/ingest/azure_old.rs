//! Azure's sizes from before the naming rules.

/// vCPUs and MiB.
pub fn read(bare: &str) -> Option<(u32, u64)> {
    const TABLE: [(&str, u32, u64); 44] = [
        ("A0", 1, 768),
        ("A1", 1, 1792),
        ("A2", 2, 3584),
        ("A3", 4, 7168),
        ("A4", 8, 14_336),
        ("A5", 2, 14_336),
        ("A6", 4, 28_672),
        ("A7", 8, 57_344),
        ("A8", 8, 57_344),
        ("A9", 16, 114_688),
        ("A10", 8, 57_344),
        ("A11", 16, 114_688),
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
        ("H8m", 8, 114_688),
        ("H16m", 16, 229_376),
        ("H16mr", 16, 229_376),
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
