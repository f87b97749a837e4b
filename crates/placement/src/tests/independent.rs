//! A score is a place's own: more offers never turn the order of those that there were.

use std::sync::Arc;

use novacron_catalog::{Catalog, Draft, DraftOffer, Group, InstanceType, Per, Point, Pricing, Region, Sector};
use novacron_types::{
    Architecture, GIB,
    ProviderKind::{Aws, Gcp},
};
use proptest::prelude::*;

use super::sized;
use crate::{Ask, Candidate, Market, Settings, decide};

/// vCPUs, GiB, price in 10⁻⁶ USD, region.
type Row = (u32, u64, u64, usize);

fn made(rows: &[Row]) -> Market {
    let mut draft = Draft::default();
    let group = draft.group(Group {
        name: "made".into(),
        source: "test".into(),
        licence: "MIT".into(),
        as_of: "2026-11-01".into(),
        rule: None,
        currency: *b"USD",
        per: Per::Hour,
    });
    for (i, kind) in [Aws, Aws, Gcp].into_iter().enumerate() {
        draft.region(Region {
            kind,
            name: format!("made-region{i}"),
            display: String::new(),
            country: "US".into(),
            sector: Sector::Commercial,
            point: Some(Point { lat_micro: 40_000_000, lon_micro: -70_000_000 + 5_000_000 * i as i32 }),
            zones: 3,
            compliance: if i == 1 { vec!["HIPAA".into()] } else { Vec::new() },
            grid: None,
            group,
            compliance_group: group,
        });
    }
    for (i, (vcpus, gib, micros, region)) in rows.iter().enumerate() {
        let kind = if *region == 2 { Gcp } else { Aws };
        let name = format!("type{i:04}");
        draft.instance_type(InstanceType {
            kind,
            name: name.clone(),
            vcpus: *vcpus,
            sustained_milli_vcpus: vcpus * 1000,
            memory_bytes: gib * GIB,
            architecture: Architecture::X86_64,
            gpu: None,
            network_mbps: vcpus * 500,
            network_peak_mbps: 0,
            network_group: group,
            local_disk_gb: 0,
            burstable: i % 5 == 0,
            shared_core: false,
            bare_metal: false,
            power: None,
            embodied: None,
            group,
        });
        draft.offer(
            kind,
            &name,
            Pricing::OnDemand,
            &format!("made-region{region}"),
            DraftOffer::new(group, micros * 1000),
        );
    }
    let (catalog, _): (Catalog, usize) = draft.finish().unwrap();
    Market::new(Arc::new(catalog), Vec::new(), Vec::new())
}

fn rows(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((1u32..9, 1u64..33, 1u64..1_000_000, 0usize..3), count)
}

/// Names of the types in the order of the decision, with their scores.
fn order(market: &Market, strategy: &str, near: bool) -> Vec<(String, i64)> {
    let mut request = sized(2, 4);
    request.strategy = Some(strategy.parse().unwrap());
    request.near = near.then(|| "made-region0".to_owned());
    let ask = Ask::new(market, &Settings::default(), &request).unwrap();
    let named = |candidate| match candidate {
        Candidate::Offer(id) => ask.catalog().instance_type(ask.offer(id).ty).name.clone(),
        Candidate::Host(index) => ask.host(index).provider.to_string(),
    };
    let all = decide(&ask, usize::from(u16::MAX));
    all.iter().map(|choice| (named(choice.candidate), (choice.score * 1e6).round() as i64)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn more_offers_turn_no_order(
        few in rows(1..12), more in rows(0..12),
        strategy in prop::sample::select(vec!["cost-optimized", "performance", "balanced", "compliance", "carbon"]),
        near in any::<bool>(),
    ) {
        let before = order(&made(&few), strategy, near);
        let all: Vec<Row> = few.iter().chain(&more).copied().collect();
        let mut after = order(&made(&all), strategy, near);
        let known: Vec<&String> = before.iter().map(|(name, _)| name).collect();
        after.retain(|(name, _)| known.contains(&name));
        prop_assert_eq!(before, after);
    }

    #[test]
    fn what_is_dominated_never_wins(few in rows(1..12), worse in 1u64..1000, strategy in 0usize..3) {
        let strategy = ["cost-optimized", "performance", "balanced"][strategy];
        let best = order(&made(&few), strategy, false).first().cloned();
        // The same as each, but dearer.
        let dominated = few.iter().map(|(cpu, gib, micros, region)| (*cpu, *gib, micros + worse, *region));
        let all: Vec<Row> = few.iter().copied().chain(dominated).collect();
        // Which of them share their cores goes by the place in the list: that of the first stays.
        prop_assume!(few.len() % 5 == 0);
        prop_assert_eq!(order(&made(&all), strategy, false).first().cloned(), best);
    }
}
