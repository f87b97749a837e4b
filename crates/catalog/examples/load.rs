//! Loads the embedded catalog so many times and prints what it takes: `load [RUNS]`. For `bench/catalog.sh`.

use std::{fs, process::ExitCode, time::Instant};

use novacron_catalog::{Catalog, EMBEDDED};

/// Kilobytes of this process: `VmRSS` now or `VmHWM` at most. 0 where the system does not say.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
    found.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn main() -> ExitCode {
    let runs = std::env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(1usize).max(1);
    let before = memory("VmRSS");
    let mut millis = Vec::new();
    let mut loaded = None;
    for _ in 0..runs {
        drop(loaded.take());
        let start = Instant::now();
        match Catalog::from_snapshot(EMBEDDED) {
            Ok(catalog) => loaded = Some(catalog),
            Err(why) => {
                eprintln!("the embedded catalog can't be read: {why}");
                return ExitCode::FAILURE;
            }
        }
        millis.push(start.elapsed().as_secs_f64() * 1e3);
    }
    millis.sort_by(f64::total_cmp);
    let offers = loaded.as_ref().map_or(0, |catalog| catalog.offers().len());
    println!(
        "{offers} offers from {} bytes: median {:.1} ms, worst {:.1} ms; {} KiB more than before, {} KiB at most",
        EMBEDDED.len(),
        millis[millis.len() / 2],
        millis[millis.len() - 1],
        memory("VmRSS").saturating_sub(before),
        memory("VmHWM")
    );
    ExitCode::SUCCESS
}
