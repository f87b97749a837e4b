use novacron_catalog::{Catalog, EMBEDDED};
use novacron_placement::{Ask, Market, Settings, decide, explain};
use std::{sync::Arc, time::Instant};
fn main() {
    let market = Market::new(Arc::new(Catalog::from_snapshot(EMBEDDED).unwrap()), Vec::new(), Vec::new());
    let s = Settings::default();
    for v in [
        serde_json::json!({ "required_cpu": 2, "required_memory_gb": 4, "required_disk_gb": 50 }),
        serde_json::json!({ "required_cpu": 64, "required_memory_gb": 512, "required_disk_gb": 2000 }),
    ] {
        let r = serde_json::from_value(v).unwrap();
        let (mut a, mut b, mut c) = (f64::MAX, f64::MAX, f64::MAX);
        for _ in 0..300 {
            let t = Instant::now();
            let ask = Ask::new(&market, &s, &r).unwrap();
            a = a.min(t.elapsed().as_secs_f64());
            let t = Instant::now();
            std::hint::black_box(decide(&ask, 6));
            b = b.min(t.elapsed().as_secs_f64());
            let t = Instant::now();
            std::hint::black_box(explain(&ask));
            c = c.min(t.elapsed().as_secs_f64());
        }
        println!("new {:.0} decide {:.0} explain {:.0} us", a * 1e6, b * 1e6, c * 1e6);
    }
}
