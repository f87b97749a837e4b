//! Points: each part from 0 to 100, each from the place and the question alone.

use novacron_catalog::{PROGRAMMES, is_level};
use novacron_types::{
    GIB,
    placement::{Strategy, Weights},
};

use crate::market::Lean;

/// What a fair offer of the size costs: a vCPU, a GiB of memory, a GB of disk, a GPU; 10⁻⁹ USD an hour. The cost part is 50
/// points at this price, 100 at nothing. Which figures are taken shifts all places alike.
const VCPU: f64 = 35_000_000.0;
const MEMORY_GIB: f64 = 4_500_000.0;
const DISK_GB: f64 = 130_000.0;
const GPU: f64 = 900_000_000.0;

/// Grams of CO2-equivalent an hour for a vCPU that get 50 points.
const GRAMS_PER_VCPU: f64 = 1.5;

/// A round trip that gets 50 points, in microseconds.
const HALF_MICROS: f64 = 20_000.0;

/// What a strategy counts.
pub fn weights_of(strategy: Strategy) -> Weights {
    let weights =
        |cost, performance, compliance, location, carbon| Weights { cost, performance, compliance, location, carbon };
    match strategy {
        Strategy::CostOptimized => weights(100.0, 0.0, 0.0, 0.0, 0.0),
        Strategy::Performance => weights(15.0, 65.0, 5.0, 15.0, 0.0),
        Strategy::Balanced => weights(40.0, 30.0, 20.0, 10.0, 0.0),
        Strategy::Compliance => weights(15.0, 10.0, 65.0, 10.0, 0.0),
        Strategy::Carbon => weights(20.0, 5.0, 5.0, 5.0, 65.0),
    }
}

/// What was asked for, as the score needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Size {
    pub vcpus: u32,
    pub memory_bytes: u64,
    pub disk_gb: u64,
    pub gpus: u32,
}

impl Size {
    /// 10⁻⁹ USD an hour.
    pub fn fair_price(&self) -> f64 {
        let memory = self.memory_bytes as f64 / GIB as f64;
        (f64::from(self.vcpus) * VCPU
            + memory * MEMORY_GIB
            + self.disk_gb as f64 * DISK_GB
            + f64::from(self.gpus) * GPU)
            .max(1.0)
    }
}

pub(crate) fn cost_points(hourly_nanos: f64, fair: f64) -> f64 {
    100.0 / (1.0 + hourly_nanos / fair)
}

/// 0 for unknown or nothing, 1 for 25 Gbit/s and more, by the logarithm.
pub(crate) fn network_points(mbps: u32) -> f64 {
    ((1.0 + f64::from(mbps) / 1e3).log2() / 26f64.log2()).min(1.0)
}

/// 45 for vCPUs that are had all the time, 8 for room to grow up to twice what was asked for, 30 for the network, 17 for a
/// type that does not share its cores. Room that nobody asked for counts little, or twice the machine at twice the price would
/// win. A burstable type whose baseline is not known counts as a fifth of its vCPUs.
pub(crate) fn performance_points(ty: &Lean, size: &Size) -> f64 {
    let asked = f64::from(size.vcpus.max(1));
    let sustained = match ty.sustained_milli_vcpus {
        0 => f64::from(ty.vcpus) / 5.0,
        milli => f64::from(milli) / 1e3,
    };
    let steady = (sustained / asked).min(1.0);
    let spare_cpu = (sustained / asked - 1.0).clamp(0.0, 1.0);
    let spare_memory = (ty.memory_bytes as f64 / (size.memory_bytes.max(1)) as f64 - 1.0).clamp(0.0, 1.0);
    let own = if ty.shared { 0.0 } else { 1.0 };
    45.0 * steady + 4.0 * (spare_cpu + spare_memory) + 30.0 * ty.network + 17.0 * own
}

/// All of what was asked for is given by the rules; the rest is how many of the programmes the place is listed for, as bits in
/// the order of [`PROGRAMMES`]. The levels of one count once.
pub(crate) fn compliance_points(listed: u32) -> f64 {
    let whole = PROGRAMMES.iter().enumerate().filter(|(_, name)| !is_level(name));
    let whole = whole.fold(0u32, |bits, (place, _)| bits | 1 << place);
    100.0 * f64::from((listed & whole).count_ones()) / f64::from(whole.count_ones())
}

/// By the round trip to where it should be near, 0 for unknown.
pub(crate) fn latency_points(micros: Option<u64>) -> f64 {
    micros.map_or(0.0, |micros| 100.0 / (1.0 + micros as f64 / HALF_MICROS))
}

pub(crate) fn carbon_points(milligrams: u64, vcpus: u32) -> f64 {
    let fair = GRAMS_PER_VCPU * 1e3 * f64::from(vcpus.max(1));
    100.0 / (1.0 + milligrams as f64 / fair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_stay_in_their_range_and_fall_with_what_is_bad() {
        let size = Size { vcpus: 2, memory_bytes: 4 * GIB, disk_gb: 50, gpus: 0 };
        let fair = size.fair_price();
        assert!((cost_points(fair, fair) - 50.0).abs() < 1e-9);
        assert!(cost_points(0.0, fair) == 100.0 && cost_points(1e18, fair) >= 0.0);
        assert!(cost_points(1e6, fair) > cost_points(2e6, fair));
        assert_eq!(network_points(0), 0.0);
        assert_eq!(network_points(400_000), 1.0);
        assert_eq!(latency_points(Some(20_000)), 50.0);
        assert_eq!(latency_points(None), 0.0);
        for strategy in Strategy::ALL {
            let w = weights_of(strategy);
            assert_eq!(w.cost + w.performance + w.compliance + w.location + w.carbon, 100.0, "{strategy}");
        }
    }
}
