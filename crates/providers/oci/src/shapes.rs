//! What of the price list a machine is billed as.

/// A machine as so many of each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Billed {
    /// OCPUs, or GPUs for a shape with them.
    pub unit: (&'static str, u64),
    /// Gigabytes of memory, where they are billed apart.
    pub memory: Option<(&'static str, u64)>,
    /// Preemptible machines are sold of it.
    pub preemptible: bool,
}

/// Flexible shapes: the part of an OCPU and that of a GB.
const FLEXIBLE: [(&str, &str, &str); 8] = [
    ("VM.Standard.E3.Flex", "B92306", "B92307"),
    ("VM.Standard.E4.Flex", "B93113", "B93114"),
    ("VM.Standard.E5.Flex", "B97384", "B97385"),
    ("VM.Standard.E6.Flex", "B111129", "B111130"),
    ("VM.Standard3.Flex", "B94176", "B94177"),
    ("VM.Optimized3.Flex", "B93311", "B93312"),
    ("VM.Standard.A1.Flex", "B93297", "B93298"),
    ("VM.Standard.A2.Flex", "B109529", "B109530"),
];

/// Fixed shapes, whose names end in how many are billed: the part, and whether it is a GPU.
const FIXED: [(&str, &str, bool); 4] = [
    ("VM.Standard.E2", "B90425", false),
    ("VM.Standard2", "B88514", false),
    ("VM.GPU3", "B89734", true),
    ("VM.GPU.A10", "B95909", true),
];

/// By the catalog's name: `VM.Standard.E4.Flex:2:16` is 2 OCPU and 16 GB. `None` for a shape that is not known.
pub fn billed(machine: &str) -> Option<Billed> {
    if let Some((shape, size)) = machine.split_once(':') {
        let (ocpus, gb) = size.split_once(':')?;
        let (_, unit, memory) = FLEXIBLE.iter().find(|(name, ..)| *name == shape)?;
        return Some(Billed { unit: (unit, count(ocpus)?), memory: Some((memory, count(gb)?)), preemptible: true });
    }
    let (shape, units) = machine.rsplit_once('.')?;
    let (_, part, gpu) = FIXED.iter().find(|(name, ..)| *name == shape)?;
    Some(Billed { unit: (part, count(units)?), memory: None, preemptible: !gpu })
}

/// Every part that a machine can be billed as.
pub(crate) fn parts() -> impl Iterator<Item = &'static str> {
    FLEXIBLE.iter().flat_map(|(_, unit, memory)| [*unit, *memory]).chain(FIXED.iter().map(|(_, part, _)| *part))
}

/// No machine has more of anything.
fn count(text: &str) -> Option<u64> {
    text.parse().ok().filter(|count| (1..=100_000).contains(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_as_parts() {
        let e4 = billed("VM.Standard.E4.Flex:2:16").unwrap();
        assert_eq!((e4.unit, e4.memory, e4.preemptible), (("B93113", 2), Some(("B93114", 16)), true));
        let gpu = billed("VM.GPU.A10.2").unwrap();
        assert_eq!((gpu.unit, gpu.memory, gpu.preemptible), (("B95909", 2), None, false));
        for unknown in [
            "",
            "VM.Standard.E9.Flex:1:1",
            "VM.Standard.E4.Flex",
            "VM.Standard.E4.Flex:0:1",
            "VM.Standard2.x",
            "BM.Standard2.52",
        ] {
            assert_eq!(billed(unknown), None, "{unknown}");
        }
    }
}
