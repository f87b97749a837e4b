//! Machines out of parts: vCPUs × the price of a core + GiB × that of memory + GPUs and local disks × theirs.

use std::collections::{BTreeSet, HashMap};

use novacron_provider::prices::{Decimal, Machine, PriceRequest, SheetBuilder, Term};

use crate::part::{M2_PREMIUM, Part, series_of};

/// 10⁻⁹ USD of a unit of each part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    rates: HashMap<(Part, Term, String), u64>,
    /// Parts that have a price somewhere.
    somewhere: BTreeSet<(Part, Term)>,
}

impl Rates {
    /// Of two prices for the same the higher counts; whether there were two that differ.
    pub fn add(&mut self, part: Part, term: Term, region: &str, nanos: u64) -> bool {
        self.somewhere.insert((part, term));
        let rate = self.rates.entry((part, term, region.to_owned())).or_insert(nanos);
        let differ = *rate != nanos;
        *rate = nanos.max(*rate);
        differ
    }

    pub fn len(&self) -> usize {
        self.rates.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rates.is_empty()
    }

    fn get(&self, part: Part, term: Term, region: &str) -> Option<u64> {
        self.rates.get(&(part, term, region.to_owned())).copied()
    }
}

/// How much of each part a machine has: the amount is `count` ÷ `of`.
#[derive(Debug, PartialEq, Eq)]
struct Amount {
    part: Part,
    count: u64,
    of: u64,
}

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;
/// Hours of a month, for parts that are priced by the month.
const HOURS: u64 = 730;

/// Adds what a GiB and month of each disk costs to the sheet, in its group 3.
pub fn disks(rates: &Rates, request: &PriceRequest, sheet: &mut SheetBuilder) {
    for ((part, term, region), nanos) in &rates.rates {
        let name = match part {
            Part::Disk(name) => (*name).to_owned(),
            Part::LocalDisk("") => "local".to_owned(),
            Part::LocalDisk(series) => format!("local-{series}"),
            _ => continue,
        };
        if *term == Term::OnDemand && request.regions.contains(region) {
            sheet.disk(region, &name, *nanos, 3);
        }
    }
}

/// Adds every machine that can be made of the rates to the sheet, in its groups 0 (on demand), 1 (spot) and 2 (committed).
pub fn assemble(rates: &Rates, request: &PriceRequest, sheet: &mut SheetBuilder) {
    for machine in &request.machines {
        let Some(parts) = parts(machine) else {
            sheet.unpriced(&machine.name);
            continue;
        };
        for term in Term::ALL {
            // A part that has a price nowhere has a SKU that is not known, or is not sold that way: that can't be told.
            let known = parts.iter().all(|amount| rates.somewhere.contains(&(amount.part, term)));
            for region in &request.regions {
                match sum(rates, &parts, term, region).filter(|_| known) {
                    Some(nanos) => sheet.row(region, &machine.name, term, Decimal(nanos), group(term), None),
                    None if !known => sheet.unusable(region, &machine.name, term),
                    None => {}
                }
            }
        }
    }
    for region in &request.regions {
        Term::ALL.into_iter().for_each(|term| sheet.whole(term, region));
    }
}

fn group(term: Term) -> usize {
    match term {
        Term::OnDemand => 0,
        Term::Spot => 1,
        Term::Commit1Year | Term::Commit3Years => 2,
    }
}

/// In 10⁻⁹ USD an hour, rounded once, half to even; `None` when a part has no price there.
fn sum(rates: &Rates, parts: &[Amount], term: Term, region: &str) -> Option<i128> {
    // All amounts as so many of this part: cores are in thousandths, memory in bytes, disks by the month.
    const WHOLE: u128 = 1000 * GIB as u128 * HOURS as u128;
    let mut total = 0u128;
    for Amount { part, count, of } in parts {
        let rate = rates.get(*part, term, region)?;
        let scaled = u128::from(*count).checked_mul(WHOLE / u128::from(*of))?;
        total = total.checked_add(scaled.checked_mul(rate.into())?)?;
    }
    let (q, r) = (total / WHOLE, total % WHOLE);
    let up = 2 * r > WHOLE || (2 * r == WHOLE && q % 2 == 1);
    i128::try_from(q + u128::from(up)).ok()
}

/// `None` for a machine whose parts are not known.
fn parts(machine: &Machine) -> Option<Vec<Amount>> {
    let name = machine.name.as_str();
    if let Some(whole) = ["f1-micro", "g1-small"].into_iter().find(|whole| *whole == name) {
        return Some(vec![Amount { part: Part::Machine(whole), count: 1, of: 1 }]);
    }
    let series = series_of(name)?;
    let (memory, of) = billed_memory(machine.memory_bytes);
    let mut parts = Vec::new();
    let base = if series == M2_PREMIUM { &["m1", M2_PREMIUM][..] } else { &[series][..] };
    for series in base {
        parts.push(Amount { part: Part::Core(series), count: machine.billed_milli_vcpus, of: 1000 });
        parts.push(Amount { part: Part::Ram(series), count: memory, of });
    }
    if let Some(gpu) = &machine.gpu {
        let gib = (gpu.memory_bytes / GIB).checked_mul(1000)?.checked_div(gpu.milli)?;
        let name = match (gpu.model.as_str(), gib) {
            ("NVIDIA A100", 40) => "Nvidia Tesla A100",
            ("NVIDIA A100", 80) => "Nvidia Tesla A100 80GB",
            ("NVIDIA H100", 80) if name.starts_with("a3-megagpu") => "Nvidia H100 80GB Mega",
            ("NVIDIA H100", 80) => "Nvidia H100 80GB",
            ("NVIDIA L4", _) => "Nvidia L4",
            ("NVIDIA RTX PRO 6000", _) => "RTX 6000 96GB",
            _ => return None,
        };
        parts.push(Amount { part: Part::Gpu(name), count: gpu.milli, of: 1000 });
    }
    if machine.local_disk_gb > 0 {
        let own = ["c4", "c4a", "c4d"].into_iter().find(|own| *own == series).unwrap_or_default();
        parts.push(Amount { part: Part::LocalDisk(own), count: machine.local_disk_gb, of: HOURS });
    }
    Some(parts)
}

/// Sizes such as 14.4 GiB are no whole MiB; what is billed is the tenth that the size stands for.
fn billed_memory(bytes: u64) -> (u64, u64) {
    let tenths = (u128::from(bytes) * 10 + u128::from(GIB) / 2) / u128::from(GIB);
    let exact = tenths * u128::from(GIB) / 10;
    match u64::try_from(tenths) {
        Ok(tenths) if u128::from(bytes).abs_diff(exact) < u128::from(MIB) => (tenths, 10),
        _ => (bytes, GIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::Date;
    use novacron_provider::prices::{MachineGpu, PriceGroup, PriceSheet};
    use novacron_types::ProviderKind;
    use proptest::prelude::*;

    fn machine(name: &str, milli: u64, memory_bytes: u64) -> Machine {
        Machine { name: name.into(), billed_milli_vcpus: milli, memory_bytes, gpu: None, local_disk_gb: 0 }
    }

    fn sheet(rates: &[(Part, u64)], machines: Vec<Machine>) -> PriceSheet {
        let group = PriceGroup { name: "g".into(), source: "s".into(), rule: None };
        let mut sheet = SheetBuilder::new(ProviderKind::Gcp, *b"USD", vec![group]);
        let mut all = Rates::default();
        for (part, nanos) in rates {
            assert!(!all.add(*part, Term::OnDemand, "us-central1", *nanos));
        }
        let regions = vec!["us-central1".to_owned(), "us-east1".to_owned()];
        assemble(&all, &PriceRequest { today: Date::constant(2026, 11, 28), regions, machines }, &mut sheet);
        sheet.finish("Prices").unwrap()
    }

    fn price(rates: &[(Part, u64)], machine: Machine) -> u64 {
        let sheet = sheet(rates, vec![machine]);
        assert_eq!(sheet.rows.len(), 1, "{sheet:?}");
        sheet.rows[0].nanos
    }

    const E2: [(Part, u64); 2] = [(Part::Core("e2"), 21_811_590), (Part::Ram("e2"), 2_923_530)];

    #[test]
    fn figures_that_everyone_knows() {
        assert_eq!(price(&E2, machine("e2-standard-2", 2000, 8 * GIB)), 67_011_420);
        assert_eq!(price(&E2, machine("e2-medium", 1000, 4 * GIB)), 33_505_710);
        assert_eq!(price(&E2, machine("e2-micro", 250, GIB)), 8_376_428);
        let n1 = [(Part::Core("n1"), 31_611_000), (Part::Ram("n1"), 4_237_000)];
        // 14.4 GiB, in whole MiB.
        assert_eq!(price(&n1, machine("n1-highcpu-16", 16_000, 14_746 * MIB)), 16 * 31_611_000 + 61_012_800);
        assert_eq!(price(&n1, machine("n1-standard-1", 1000, 3840 * MIB)), 31_611_000 + 15_888_750);
        assert_eq!(price(&[(Part::Machine("f1-micro"), 7_600_000)], machine("f1-micro", 200, 614 * MIB)), 7_600_000);
    }

    #[test]
    fn gpus_disks_and_premiums() {
        let gpu = MachineGpu { model: "NVIDIA A100".into(), milli: 2000, memory_bytes: 160 * GIB };
        let a2 = Machine { gpu: Some(gpu), local_disk_gb: 730, ..machine("a2-ultragpu-2g", 1000, GIB) };
        let rates = [
            (Part::Core("a2"), 1),
            (Part::Ram("a2"), 10),
            (Part::Gpu("Nvidia Tesla A100"), 9_000_000),
            (Part::Gpu("Nvidia Tesla A100 80GB"), 100),
            (Part::LocalDisk(""), 1000),
        ];
        assert_eq!(price(&rates, a2), 1 + 10 + 200 + 1000);
        let m2 =
            [(Part::Core("m1"), 10), (Part::Ram("m1"), 5), (Part::Core(M2_PREMIUM), 2), (Part::Ram(M2_PREMIUM), 1)];
        assert_eq!(price(&m2, machine("m2-ultramem-208", 1000, GIB)), 18);
    }

    #[test]
    fn what_is_not_sold_and_what_can_not_be_told() {
        let sheet = sheet(
            &E2,
            vec![machine("e2-standard-2", 2000, 8 * GIB), machine("n9-x-1", 1, 1), machine("n2-standard-2", 2000, GIB)],
        );
        assert_eq!(sheet.rows.len(), 1);
        assert!(sheet.unpriced.contains("n9-x-1"));
        let unusable =
            |region: &str, machine: &str, term| sheet.unusable.contains(&(region.into(), machine.into(), term));
        // No commitment of it is anywhere; on demand it is not sold in the other region.
        assert!(unusable("us-east1", "e2-standard-2", Term::Commit1Year));
        assert!(!unusable("us-east1", "e2-standard-2", Term::OnDemand));
        assert!(unusable("us-central1", "n2-standard-2", Term::OnDemand));
    }

    proptest! {
        #[test]
        fn a_sum_is_exact(core in 1u64..1_000_000_000, ram in 1u64..100_000_000, vcpus in 1u64..2000, gib in 1u64..40_000) {
            let rates = [(Part::Core("n2"), core), (Part::Ram("n2"), ram)];
            let expected = core * vcpus + ram * gib;
            prop_assert_eq!(price(&rates, machine("n2-standard-2", vcpus * 1000, gib * GIB)), expected);
        }
    }
}
