//! Places 10,000 machines over the embedded catalog and prints what that took: `fleet_bench [ITEMS [SECONDS [SEED [GAP [HOSTS]]]]]`.
//! For `bench/fleet.sh`.

mod instance;

use std::{
    fs,
    process::ExitCode,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use novacron_catalog::Catalog;
use novacron_fleet::{Fleet, Options, Status, solve};

/// Kilobytes of this process: at most. 0 where the system does not say.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    found.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Seconds of all cores that this process took.
fn cores() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().map(|rest| rest.split_whitespace().skip(11).take(2));
    ticks.into_iter().flatten().filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn argument<T: std::str::FromStr>(n: usize, default: T) -> T {
    std::env::args().nth(n).and_then(|a| a.parse().ok()).unwrap_or(default)
}

fn money(nanos: i128) -> String {
    format!("{}.{:02}", nanos / 1_000_000_000, nanos / 10_000_000 % 100)
}

fn main() -> ExitCode {
    let (items, seconds, seed, gap) = (argument(1, 10_000), argument(2, 10.0), argument(3, 1), argument(4, 0.0));
    let hosts = argument(5, 40);
    let Some(catalog) = Catalog::embedded() else {
        eprintln!("the embedded catalog can't be read");
        return ExitCode::FAILURE;
    };
    let (model, offers) = instance::instance(catalog, items, hosts, seed);
    println!(
        "catalog    {} offers; {offers} candidates of {} sorts of machine",
        catalog.offers().len(),
        model.classes.len()
    );
    println!(
        "items      {items} in {} spreads under {} limits, {hosts} hosts",
        model.spreads.len(),
        model.limits.len()
    );
    let (start, before) = (Instant::now(), cores());
    let fleet = match Fleet::new(model) {
        Ok(fleet) => fleet,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    println!("prepared   {:.2} s", start.elapsed().as_secs_f64());
    let stop = AtomicBool::new(false);
    let told = |p: novacron_fleet::Progress| {
        let Some(objective) = p.objective else { return };
        let gap = (objective - p.bound) as f64 / objective as f64;
        eprintln!("{:10.2} s  objective {}  gap {:.4} %", start.elapsed().as_secs_f64(), money(objective), gap * 100.0);
    };
    let until = Some(start + Duration::from_secs_f64(seconds));
    let options = Options { until, steps: None, gap, threads: 2, seed, stop: &stop, progress: Some(&told) };
    let outcome = solve(&fleet, &options);
    println!("seconds    {:.2}, {:.2} of cores", start.elapsed().as_secs_f64(), cores() - before);
    println!("status     {:?}", outcome.status);
    println!("bound      {}", money(outcome.bound));
    if let (Some(objective), Some(placement), Some(gap)) = (outcome.objective, &outcome.placement, outcome.gap()) {
        println!("objective  {}", money(objective));
        println!("gap        {:.4} %", gap * 100.0);
        println!("breaks     {}", fleet.check(placement).len());
        if fleet.cost(placement) != Some(objective) || !fleet.check(placement).is_empty() {
            return ExitCode::FAILURE;
        }
    }
    println!("memory     {} MiB at most", memory() / 1024);
    if matches!(outcome.status, Status::Optimal | Status::Feasible) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
