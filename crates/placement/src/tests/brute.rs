//! What is fast must say the same as what looks at everything.

use std::collections::BTreeMap;

use novacron_catalog::OfferId;
use novacron_types::placement::PlacementRequest;
use proptest::prelude::*;
use serde_json::json;

use super::CLOUDS;
use crate::{
    Ask, Candidate, Settings, decide,
    survey::{Near, distance, is_graded, survey},
};

fn requests() -> impl Strategy<Value = PlacementRequest> {
    let strategy = prop::sample::select(vec!["cost-optimized", "performance", "balanced", "compliance", "carbon"]);
    let near = prop::option::of(prop::sample::select(vec!["us-east-1", "eu-west", "westeurope", "asia-east1"]));
    let cost = prop::option::of(prop::sample::select(vec!["0.005", "0.05", "0.5", "5"]));
    let places = prop::collection::vec(prop::sample::select(vec!["aws", "azure", "gcp", "oci"]), 0..3);
    let programmes = prop::collection::vec(prop::sample::select(vec!["HIPAA", "GDPR", "PCI-DSS"]), 0..2);
    let pricing = prop::collection::vec(prop::sample::select(vec!["on-demand", "spot", "commit-1y"]), 0..3);
    let gpu = prop::option::weighted(0.1, 1u32..9);
    (
        (1u32..130, 1u64..600, 0u64..500, 0u64..2000),
        (strategy, near, cost, places, programmes, pricing, gpu),
        prop::option::of(1u32..20_000),
        any::<bool>(),
    )
        .prop_map(|((cpu, memory, disk, traffic), rest, bandwidth, burstable)| {
            let (strategy, near, cost, places, programmes, pricing, gpu) = rest;
            let mut constraints = Vec::new();
            if !places.is_empty() {
                constraints.push(json!({ "type": "provider", "operator": "in", "values": places }));
            }
            if let Some(near) = near {
                constraints.push(json!({ "type": "region", "operator": "near", "value": near, "maxLatency": 60 }));
            }
            if let Some(cost) = cost {
                constraints.push(json!({ "type": "cost", "operator": "<", "value": cost }));
            }
            if let Some(mbps) = bandwidth.filter(|mbps| mbps % 3 == 0) {
                constraints.push(json!({ "type": "bandwidth", "operator": ">=", "value": mbps }));
            }
            serde_json::from_value(json!({
                "required_cpu": cpu, "required_memory_gb": memory, "required_disk_gb": disk,
                "traffic_gb_per_month": traffic, "strategy": strategy, "constraints": constraints,
                "compliance_requirements": programmes, "pricing": pricing,
                "gpu": gpu.map(|count| json!({ "count": count })), "allow_burstable": burstable,
            }))
            .unwrap()
        })
}

proptest! {
    // Each looks at all offers twice.
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_best_are_the_best_of_all(request in requests()) {
        let ask = Ask::new(&CLOUDS, &Settings::default(), &request).unwrap();
        let mut runs: BTreeMap<_, _> = BTreeMap::new();
        let (mut feasible, mut least_broken) = (0u64, u32::MAX);
        let winner = decide(&ask, 1);
        // With a winner, what is cheaper than all that breaks no rule.
        let all = (0..ask.catalog().offers().len() as u32).map(|id| Candidate::Offer(OfferId(id)));
        let free = all.filter(|candidate| ask.broken(*candidate) == 0);
        let below = free.map(|candidate| (ask.cost(candidate).hourly_nanos, candidate)).min();
        let mut cheapest = BTreeMap::new();
        let mut fails = vec![(0u64, 0u64, None); ask.rules.len()];
        for id in 0..ask.catalog().offers().len() as u32 {
            let candidate = Candidate::Offer(OfferId(id));
            let broken = ask.broken(candidate);
            for (place, (all, alone, nearest)) in fails.iter_mut().enumerate() {
                *all += broken >> place & 1;
                if broken == 1 << place {
                    *alone += 1;
                    let kind = &ask.rules[place].kind;
                    let distance = if is_graded(kind) { distance(&ask, kind, candidate) } else { 0 };
                    let near = Near { distance, hourly_nanos: ask.cost(candidate).hourly_nanos, candidate };
                    if below.is_none_or(|(hourly, _)| near.hourly_nanos < hourly) {
                        *nearest = Some(nearest.map_or(near, |known: Near| known.min(near)));
                    }
                }
            }
            least_broken = least_broken.min(broken.count_ones());
            if broken == 0 {
                feasible += 1;
                let kind = ask.catalog().instance_type(ask.offer(OfferId(id)).ty).kind;
                let cost = ask.cost(candidate).hourly_nanos;
                cheapest.entry(kind).and_modify(|least: &mut u64| *least = cost.min(*least)).or_insert(cost);
                let offer = ask.offer(OfferId(id));
                let rank = ask.rank(candidate);
                let best = runs.entry((offer.ty, offer.pricing)).or_insert((rank, candidate));
                *best = (*best).max((rank, candidate));
            }
        }
        let mut all: Vec<_> = runs.into_values().collect();
        all.sort_by(|a, b| b.cmp(a));
        let best: Vec<Candidate> = all.iter().take(7).map(|(_, candidate)| *candidate).collect();
        let found: Vec<Candidate> = decide(&ask, 7).iter().map(|choice| choice.candidate).collect();
        prop_assert_eq!(&found, &best);

        let survey = survey(&ask, winner.first());
        let counted: Vec<_> = survey.fails.iter().map(|fails| (fails.all, fails.alone, fails.nearest)).collect();
        prop_assert_eq!(counted, fails);
        prop_assert_eq!(survey.cheapest, below);
        prop_assert_eq!(survey.kinds.values().map(|kind| kind.feasible).sum::<u64>(), feasible);
        let found = survey.kinds.iter().filter_map(|(kind, found)| Some((*kind, found.cheapest?)));
        prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), cheapest);
        // Nothing smaller than the sets that are told would do; what nobody can give up is in none.
        for (bits, near) in &survey.sets {
            prop_assert!(bits.count_ones() >= least_broken && least_broken > 0);
            prop_assert_eq!(ask.broken(near.candidate), *bits);
        }
        prop_assert_eq!(winner.is_empty(), feasible == 0);
    }

    #[test]
    fn a_cost_is_the_catalogs_estimate(request in requests()) {
        let ask = Ask::new(&CLOUDS, &Settings::default(), &request).unwrap();
        for choice in decide(&ask, 3) {
            let cost = ask.breakdown(choice.candidate);
            let hourly = cost.as_ref().map(|cost| cost.hourly.nanos);
            prop_assert_eq!(hourly, Some(i128::from(choice.hourly_nanos)));
        }
    }
}
