//! Measures decisions: `decide [--offers N] [--rounds N]`. Prints the times of one decision with its explanation, by kind of
//! request and over all, and how many a second are made without on all cores.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use novacron_catalog::{Catalog, EMBEDDED};
use novacron_placement::{Ask, Market, Settings, decide, explain};
use novacron_types::placement::PlacementRequest;
use serde_json::json;

/// What is asked, by name.
fn requests() -> Vec<(&'static str, PlacementRequest)> {
    let request = |value| serde_json::from_value(value).unwrap_or_default();
    vec![
        ("small", request(json!({ "required_cpu": 2, "required_memory_gb": 4, "required_disk_gb": 50 }))),
        (
            "small, cost",
            request(json!({ "required_cpu": 2, "required_memory_gb": 4, "required_disk_gb": 50, "strategy": "cost" })),
        ),
        ("large", request(json!({ "required_cpu": 64, "required_memory_gb": 512, "required_disk_gb": 2000 }))),
        (
            "gpu",
            request(json!({ "required_cpu": 8, "required_memory_gb": 32, "gpu": { "count": 1, "model": "a100" } })),
        ),
        (
            "tight",
            request(json!({
                "required_cpu": 4, "required_memory_gb": 8, "required_disk_gb": 100, "traffic_gb_per_month": 500,
                "compliance_requirements": ["HIPAA", "PCI-DSS"], "max_cost_per_hour": 0.25, "strategy": "performance",
                "performance_targets": { "min_bandwidth_mbps": 1000, "required_sla": 99.95 },
                "constraints": [
                    { "type": "provider", "operator": "in", "values": ["aws", "gcp"] },
                    { "type": "region", "operator": "near", "value": "us-east-1", "maxLatency": "40ms" },
                ],
            })),
        ),
        (
            "any pricing",
            request(json!({
                "required_cpu": 4, "required_memory_gb": 16, "pricing": ["on-demand", "spot", "commit-1y", "commit-3y"],
            })),
        ),
        ("carbon", request(json!({ "required_cpu": 4, "required_memory_gb": 16, "strategy": "carbon" }))),
        (
            "infeasible",
            request(json!({
                "required_cpu": 96, "required_memory_gb": 768, "max_cost_per_hour": 0.01,
                "constraints": [{ "type": "region", "operator": "in", "values": ["eu-west"] }],
                "compliance_requirements": ["FedRAMP-High"],
            })),
        ),
    ]
}

fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(200);
    let Ok(catalog) = Catalog::from_snapshot(EMBEDDED) else {
        eprintln!("the embedded catalog is damaged");
        return;
    };
    let start = Instant::now();
    let market = Market::new(Arc::new(catalog), Vec::new(), Vec::new());
    println!("offers {}, indexed in {:.1} ms", market.catalog().offers().len(), ms(start.elapsed()));
    let settings = Settings::default();
    let requests = requests();
    println!("{:14} {:>10} {:>10} {:>10}", "request", "median µs", "p99 µs", "bare µs");
    let mut all = Vec::new();
    for (name, request) in &requests {
        let time = |work: &dyn Fn(&Ask<'_>)| -> Vec<Duration> {
            let one = |_| {
                let start = Instant::now();
                if let Ok(ask) = Ask::new(&market, &settings, request) {
                    work(&ask);
                }
                start.elapsed()
            };
            let mut times: Vec<Duration> = (0..rounds).map(one).collect();
            times.sort_unstable();
            times
        };
        let full = time(&|ask| drop(std::hint::black_box(explain(ask))));
        let bare = time(&|ask| drop(std::hint::black_box(decide(ask, 1))));
        println!(
            "{name:14} {:>10.0} {:>10.0} {:>10.0}",
            1e3 * ms(full[rounds / 2]),
            1e3 * ms(full[rounds * 99 / 100]),
            1e3 * ms(bare[rounds / 2])
        );
        all.extend(full);
    }
    all.sort_unstable();
    println!("explained: p50 {:.3} ms, p99 {:.3} ms", ms(all[all.len() / 2]), ms(all[all.len() * 99 / 100]));

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let start = Instant::now();
    let made: usize = std::thread::scope(|scope| {
        let work = || {
            let mut made = 0;
            while start.elapsed() < Duration::from_secs(2) {
                for (_, request) in &requests {
                    if let Ok(ask) = Ask::new(&market, &settings, request) {
                        std::hint::black_box(decide(&ask, 1));
                        made += 1;
                    }
                }
            }
            made
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
    });
    println!("bare: {:.0} decisions/s on {cores} cores", made as f64 / start.elapsed().as_secs_f64());
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
