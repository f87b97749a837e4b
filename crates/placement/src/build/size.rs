//! How large the machine is, and what counts.

use novacron_types::{
    GIB, MIB,
    placement::{ActionKind, PlacementRequest, Strategy, Weights},
};

use crate::{
    PlacementError, Settings,
    policy::Bearing,
    score::{self, Size},
};

/// More of these is a slip of the pen, not a machine.
const MOST_VCPUS: u32 = 100_000;
const MOST_MEMORY: u64 = GIB << 20;
const MOST_GB: u64 = 1_000_000_000;

pub(super) fn size(
    settings: &Settings,
    request: &PlacementRequest,
    bearing: &[Bearing<'_>],
) -> Result<Size, PlacementError> {
    let targets = [request.performance_targets.unwrap_or_default(), settings.targets];
    let asked =
        |own: Option<u64>, targets: [Option<u64>; 2]| own.into_iter().chain(targets.into_iter().flatten()).max();
    let vcpus = asked(request.required_cpu.map(u64::from), targets.map(|t| t.min_cpu.map(u64::from)));
    let memory =
        asked(request.required_memory_gb.map(|gb| gb.bytes), targets.map(|t| t.min_memory_gb.map(|gb| gb.bytes)));
    if vcpus.is_none() && memory.is_none() && request.gpu.is_none() && request.instance_type.is_none() {
        return Err(PlacementError::invalid(
            "required_cpu",
            "say how large the machine is: `required_cpu` and `required_memory_gb`",
        ));
    }
    if memory.is_some_and(|bytes| bytes < MIB) {
        return Err(PlacementError::invalid("required_memory_gb", "no machine has less than a MiB of memory"));
    }
    let factor = bearing.iter().find(|b| b.policy.action.kind == ActionKind::Scale);
    let factor = factor.and_then(|b| b.policy.action.factor).unwrap_or(1.0);
    let scaled = |value: u64| (value as f64 * factor).ceil() as u64;
    let vcpus = scaled(vcpus.unwrap_or(1));
    let memory_bytes = scaled(memory.unwrap_or(0));
    let in_range = |field: &str, value: u64, low: u64, high: u64, unit: &str| match value {
        value if value < low => Err(PlacementError::invalid(field, format!("{value}{unit} is less than {low}{unit}"))),
        value if value > high => {
            Err(PlacementError::invalid(field, format!("{value}{unit} is more than there can be ({high}{unit})")))
        }
        _ => Ok(()),
    };
    in_range("required_cpu", vcpus, 1, MOST_VCPUS.into(), "")?;
    in_range("required_memory_gb", memory_bytes / GIB, 0, MOST_MEMORY / GIB, " GiB")?;
    let disk_gb = request.required_disk_gb.map_or(0, |gb| gb.whole());
    in_range("required_disk_gb", disk_gb, 0, MOST_GB, " GB")?;
    in_range("traffic_gb_per_month", request.traffic_gb_per_month.unwrap_or(0), 0, MOST_GB, " GB")?;
    let gpus = request.gpu.as_ref().map_or(0, |gpu| gpu.count);
    if request.gpu.is_some() {
        in_range("gpu.count", gpus.into(), 1, 1024, "")?;
    }
    Ok(Size { vcpus: vcpus as u32, memory_bytes, disk_gb, gpus })
}

pub(super) fn weights(
    settings: &Settings,
    request: &PlacementRequest,
) -> Result<(Strategy, Weights, Weights), PlacementError> {
    let strategy = request.strategy.or(settings.strategy).unwrap_or(Strategy::Balanced);
    // A request's strategy goes before the configuration's weights.
    let own = request.weights.or(if request.strategy.is_none() { settings.weights } else { None });
    let weights = own.unwrap_or_else(|| score::weights_of(strategy));
    let all = [weights.cost, weights.performance, weights.compliance, weights.location, weights.carbon];
    let sum: f64 = all.iter().sum();
    if all.iter().any(|w| !(0.0..=1e6).contains(w)) || sum <= 0.0 {
        return Err(PlacementError::invalid("weights", "weights are from 0 to 1000000, and one is more than 0"));
    }
    let part = |w: f64| w / sum;
    let share = Weights {
        cost: part(weights.cost),
        performance: part(weights.performance),
        compliance: part(weights.compliance),
        location: part(weights.location),
        carbon: part(weights.carbon),
    };
    Ok((strategy, weights, share))
}
