//! What is answered, as a person reads it.

use novacron_catalog::{OfferId, Point};
use novacron_types::{
    ProviderKind::Aws,
    placement::{Decision, Gigabytes, Strategy},
};
use serde_json::json as j;

use super::{CLOUDS, host, json, market, rules::policies, sized};
use crate::{Ask, Candidate, Host, PlacementError, Settings, explain, why_not};

#[test]
fn the_seeds_request_has_an_answer() {
    let request = json(j!({
        "vm_id": "vm-web-001", "required_cpu": 2, "required_memory_gb": 4, "required_disk_gb": 50, "max_cost_per_hour": 0.5
    }));
    let settings = Settings { strategy: Some(Strategy::CostOptimized), ..Settings::default() };
    let decision = explain(&Ask::new(&CLOUDS, &settings, &request).unwrap());
    let placed = decision.primary_placement.unwrap();
    assert_eq!((placed.vm_id.as_str(), placed.placement_reason.as_str()), ("vm-web-001", "cost-optimized"));
    assert!(placed.vcpus >= 2 && placed.cost_per_hour.nanos < 500_000_000);
    assert_eq!(decision.alternative_placements.len(), 5);
    for other in &decision.alternative_placements {
        assert!(other.place.cost_per_hour.nanos >= placed.cost_per_hour.nanos, "{other:?}");
        assert!(other.lost_by.contains("more an hour") || other.lost_by.contains("the same"), "{}", other.lost_by);
    }
    assert_eq!(decision.considered.len(), 4);
    let asks: Vec<_> = decision.rejections.iter().map(|r| r.constraint.as_str()).collect();
    assert!(asks.contains(&"cpu") && asks.contains(&"cost") && asks.contains(&"architecture"), "{asks:?}");
    // What is cheaper, and what it would take.
    let spot = decision.relaxations.iter().find(|r| r.constraints == ["pricing"]).unwrap();
    assert!(spot.change.contains("instead of on-demand") && spot.saves_per_hour.unwrap().nanos > 0, "{spot:?}");
}

#[test]
fn a_manifests_constraints_hold() {
    let request = json(j!({
        "required_cpu": 4, "required_memory_gb": 8, "required_disk_gb": 100, "strategy": "cost-optimized",
        "constraints": [
            { "type": "provider", "operator": "in", "values": ["aws", "azure"] },
            { "type": "region", "operator": "near", "value": "us-east-1", "maxLatency": "10ms" },
            { "type": "cost", "operator": "<", "value": 0.20 },
        ]
    }));
    let placed = explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap()).primary_placement.unwrap();
    assert_eq!((placed.kind, placed.region.as_str(), placed.latency_ms), (Aws, "us-east-1", Some(0.0)));
    assert!(placed.cost_per_hour.nanos < 200_000_000);
}

#[test]
fn an_impossible_wish_names_the_smallest_sets() {
    let request = json(j!({
        "required_cpu": 64, "required_memory_gb": 256, "max_cost_per_hour": 0.05,
        "constraints": [{ "type": "provider", "operator": "in", "values": ["aws"] }],
    }));
    let decision = explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap());
    assert!(decision.primary_placement.is_none());
    let cost = decision.relaxations.iter().find(|r| r.constraints == ["cost"]).expect("the cost alone is in the way");
    assert!(cost.change.contains("an hour instead of at most 0.05 USD"), "{}", cost.change);
    assert!(decision.relaxations.iter().all(|r| r.constraints.len() == 1));
}

#[test]
fn amounts_of_other_currencies_are_refused() {
    let cost = json(j!({ "required_cpu": 2, "required_memory_gb": 4,
        "constraints": [{ "type": "cost", "operator": "<", "value": "100 JPY" }] }));
    let error = Ask::new(&CLOUDS, &Settings::default(), &cost).unwrap_err();
    assert!(error.to_string().contains("in USD"), "{error}");
    let settings = policies(j!([
        { "name": "dear", "condition": { "type": "cost", "operator": ">", "value": "1 EUR" },
          "action": { "type": "restrict", "providers": ["aws"] } },
    ]));
    let error = Ask::new(&CLOUDS, &settings, &sized(2, 4)).unwrap_err();
    assert!(error.to_string().contains("in USD"), "{error}");
}

/// By coordinates as by name, for clouds and for hosts.
#[test]
fn near_a_point_on_the_map() {
    let frankfurt = Point { lat_micro: 50_110_000, lon_micro: 8_680_000 };
    let rack = Host { point: Some(frankfurt), ..host("rack", 8, 32) };
    let far = Host { point: Some(Point { lat_micro: 0, lon_micro: 0 }), ..host("far", 8, 32) };
    let market = market(vec![rack, far, host("lost", 8, 32)], Vec::new());
    let mut request = sized(2, 4);
    request.near = Some("50.11, 8.68".into());
    request.performance_targets.get_or_insert_default().max_latency_ms = Some("21ms".parse().unwrap());
    let ask = Ask::new(&market, &Settings::default(), &request).unwrap();
    // 18.9 ms and 0.0151 ms a km, looked up by a hand of its own.
    let catalog = market.catalog();
    for (i, region) in catalog.parts().regions.iter().enumerate() {
        let near = region.point.is_some_and(|point| 18.9 + 0.0151 * point.km_to(frankfurt) <= 21.0);
        let breaks = ask.regions[i] & 1 << ask.rules.iter().position(|rule| rule.name == "latency").unwrap() != 0;
        assert_eq!(breaks, !near, "{}", region.name);
    }
    assert!(ask.rules_broken(Candidate::Host(0)).is_empty());
    assert_eq!(ask.rules_broken(Candidate::Host(1)), ["latency"]);
    assert_eq!(ask.rules_broken(Candidate::Host(2)), ["latency"], "nobody knows where it is");
    let placed = ask.placed(Candidate::Host(0), 0.0);
    assert_eq!((placed.latency_ms, placed.latency_basis.as_deref()), (Some(0.0), Some("same place")));
    let placed = explain(&ask).primary_placement.unwrap();
    assert!(placed.latency_ms.unwrap() <= 21.0);

    // The configuration's counts where the request has none, and a constraint's is one too.
    let settings = Settings {
        location: Some("-33.87, 151.21".into()),
        strategy: Some(Strategy::Performance),
        ..Settings::default()
    };
    let placed = explain(&Ask::new(&CLOUDS, &settings, &sized(2, 4)).unwrap()).primary_placement.unwrap();
    assert_eq!(placed.latency_basis.as_deref(), Some("modelled from the distance"));
    assert!(placed.latency_ms.unwrap() < 60.0, "{placed:?}");
    let constraint = |value: &str| {
        let near = j!({ "type": "region", "operator": "near", "value": value, "maxLatency": 20 });
        Ask::new(&CLOUDS, &Settings::default(), &json(j!({ "required_cpu": 1, "constraints": [near] }))).map(|_| ())
    };
    assert!(constraint("51.5,-0.12").is_ok());
    for wrong in ["91,0", "0,181", "a,b", "1,2,3", "nan,0", ","] {
        assert_eq!(constraint(wrong).unwrap_err().code(), "invalid_placement", "{wrong}");
    }
}

#[test]
fn a_limit_is_told_as_it_was_written() {
    let asks = |operator: &str, value: &str| {
        let cost = j!({ "type": "cost", "operator": operator, "value": value });
        let request = json(j!({ "required_cpu": 64, "constraints": [cost] }));
        let decision = explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap());
        decision.rejections.into_iter().find(|row| row.constraint == "cost").unwrap().asks
    };
    assert_eq!(asks("<", "0.10"), "less than 0.10 USD an hour");
    assert_eq!(asks("<=", "0.1"), "at most 0.10 USD an hour");
    assert_eq!(asks("<", "0.123456789"), "less than 0.123456789 USD an hour");
    // What costs as much is not less, and what is dearer by a hair does not look as if it would do.
    let price = 96_000_000;
    let limited = |operator: &str, value: String| {
        let constraint = j!({ "type": "cost", "operator": operator, "value": value });
        let request =
            json(j!({ "instance_type": "m5.large", "preferred_regions": ["us-east-1"], "constraints": [constraint,
            { "type": "region", "operator": "in", "values": ["us-east-1"] }] }));
        explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap())
    };
    assert!(limited("<=", "0.096".into()).primary_placement.unwrap().cost_per_hour.nanos == price);
    let change =
        |decision: Decision| decision.relaxations.into_iter().find(|row| row.constraints == ["cost"]).unwrap().change;
    assert_eq!(change(limited("<", "0.096".into())), "0.096 USD an hour instead of less than 0.096 USD");
    assert_eq!(change(limited("<=", "0.095999999".into())), "0.096 USD an hour instead of at most 0.095999999 USD");
}

/// Whatever it costs: of the regions beyond the latency that break nothing else, the nearest, and its cheapest offer.
#[test]
fn what_is_just_too_far_is_told() {
    for strategy in [Strategy::CostOptimized, Strategy::Performance] {
        let request = json(j!({
            "required_cpu": 4, "required_memory_gb": 8, "strategy": strategy,
            "constraints": [{ "type": "region", "operator": "near", "value": "us-east-1", "maxLatency": 10 },
                            { "type": "provider", "operator": "in", "values": ["aws", "azure"] }],
        }));
        let ask = Ask::new(&CLOUDS, &Settings::default(), &request).unwrap();
        let bit = 1u64 << ask.rules.iter().position(|rule| rule.name == "latency").unwrap();
        let (near, offers) = (ask.near.as_ref().unwrap(), ask.catalog().offers());
        let all = (0..offers.len() as u32).map(|id| Candidate::Offer(OfferId(id)));
        let beyond = all.filter(|candidate| ask.broken(*candidate) == bit);
        let far = |candidate: Candidate| near.regions[usize::from(ask.market.region_of(candidate).unwrap().0)];
        let best =
            beyond.min_by_key(|candidate| (far(*candidate), ask.cost(*candidate).hourly_nanos, *candidate)).unwrap();
        let wanted = ask.placed(best, 0.0);
        let decision = explain(&ask);
        let of_latency: Vec<_> = decision.relaxations.iter().filter(|row| row.constraints == ["latency"]).collect();
        let told =
            of_latency.iter().find(|row| row.region == wanted.region && row.cost_per_hour == wanted.cost_per_hour);
        let told = told.unwrap_or_else(|| panic!("{wanted:?} {of_latency:?}"));
        assert!(told.change.contains(&format!("{} ms to us-east-1", wanted.latency_ms.unwrap())), "{}", told.change);
        let all = (0..offers.len() as u32).map(|id| Candidate::Offer(OfferId(id)));
        let free = all.filter(|candidate| ask.broken(*candidate) == 0);
        let cheapest = free.map(|candidate| ask.cost(candidate).hourly_nanos).min().unwrap();
        let saves = i128::from(cheapest) - wanted.cost_per_hour.nanos;
        assert_eq!(told.saves_per_hour.unwrap().nanos, saves);
        let row = decision.rejections.iter().find(|row| row.constraint == "latency").unwrap();
        assert!(row.example.as_ref().unwrap().contains(&wanted.region), "{row:?}");
    }
}

#[test]
fn a_loser_is_told_what_it_is_better_in() {
    let mut request = sized(2, 4);
    (request.strategy, request.alternatives) = (Some(Strategy::Balanced), Some(50));
    let decision = explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap());
    let winner = decision.primary_placement.unwrap().score_parts;
    let mut better = 0;
    for other in &decision.alternative_placements {
        let theirs = &other.place.score_parts;
        let parts = [
            ("cost", 0.4 * (theirs.cost - winner.cost)),
            ("performance", 0.3 * (theirs.performance - winner.performance)),
            ("compliance", 0.2 * (theirs.compliance - winner.compliance)),
        ];
        for (name, more) in parts.into_iter().filter(|(_, more)| more.abs() > 0.01) {
            let sign = if more > 0.0 { '+' } else { '−' };
            assert!(
                other.lost_by.contains(&format!("{name} {sign}{:.2}", more.abs())),
                "{name} {more} {}",
                other.lost_by
            );
            better += u32::from(more > 0.0);
        }
        assert_eq!(other.lost_by.contains("though"), other.lost_by.contains('+'), "{}", other.lost_by);
    }
    assert!(better > 0, "none of these is better in anything");
}

#[test]
fn what_to_change_is_named() {
    let request = json(
        j!({ "required_cpu": 2, "required_memory_gb": 4, "allow_burstable": false, "strategy": "cost-optimized" }),
    );
    let decision = explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap());
    let steady = decision.relaxations.iter().find(|row| row.constraints == ["steady"]).unwrap();
    assert!(steady.change.contains("`allow_burstable: false`"), "{}", steady.change);
    let request = json(j!({ "required_cpu": 2, "gpu": { "count": 1, "model": "A100" }, "strategy": "cost-optimized" }));
    let decision = explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap());
    let gpu = decision.relaxations.iter().find(|row| row.constraints == ["gpu"]).unwrap();
    assert!(gpu.change.contains("`gpu`"), "{}", gpu.change);
}

#[test]
fn why_not_says_what_speaks_against_it() {
    let mut request = sized(4, 16);
    request.strategy = Some(Strategy::CostOptimized);
    let ask = Ask::new(&CLOUDS, &Settings::default(), &request).unwrap();
    let why = why_not(&ask, &["m5.large".to_owned(), "us-east-1".to_owned()]).unwrap();
    assert!(why.breaks.iter().any(|b| b.starts_with("cpu: 2 vCPUs instead of 4")), "{:?}", why.breaks);
    let why = why_not(&ask, &["m5.xlarge".to_owned()]).unwrap();
    assert!(why.breaks.is_empty() && why.points_less.unwrap() > 0.0, "{why:?}");
    assert!(why_not(&ask, &["m5.huge".to_owned()]).is_err());
}

#[test]
fn wrong_questions_are_refused_in_words() {
    let settings = Settings::default();
    let wrong = |value| Ask::new(&CLOUDS, &settings, &json(value)).unwrap_err();
    let nowhere = wrong(
        j!({ "required_cpu": 1, "constraints": [{ "type": "region", "operator": "in", "values": ["us-esat-1"] }] }),
    );
    assert!(
        matches!(&nowhere, PlacementError::UnknownPlace { nearest, .. } if nearest[0].contains("us-east-1")),
        "{nowhere}"
    );
    let provider = wrong(j!({ "required_cpu": 1, "near": "aws" }));
    assert!(provider.to_string().starts_with("\"aws\" is a provider, and a region"), "{provider}");
    let absurd = wrong(j!({ "required_cpu": 1, "performance_targets": { "required_sla": 1e308 } }));
    assert!(absurd.to_string().len() < 60, "{absurd}");
    for (value, code) in [
        (j!({}), "invalid_placement"),
        (j!({ "required_cpu": 0 }), "invalid_placement"),
        (j!({ "required_cpu": 1, "required_memory_gb": 0 }), "invalid_placement"),
        (j!({ "required_cpu": 1, "required_memory_gb": 1e-300 }), "invalid_placement"),
        (j!({ "required_cpu": 1_000_000 }), "invalid_placement"),
        (j!({ "required_cpu": 1, "instance_type": "m5.xlrage" }), "unknown_instance_type"),
        (j!({ "required_cpu": 1, "compliance_requirements": ["HIPPA"] }), "unknown_programme"),
        (j!({ "required_cpu": 1, "weights": { "cost": 0 } }), "invalid_placement"),
        (j!({ "required_cpu": 1, "weights": { "cost": -1 } }), "invalid_placement"),
        (j!({ "required_cpu": 1, "pricing": ["free"] }), "invalid_placement"),
        (j!({ "required_cpu": 1, "required_disk_gb": 10, "disk_type": "gp33" }), "invalid_placement"),
        (j!({ "required_cpu": 1, "max_cost_per_hour": -1 }), "invalid_placement"),
        (
            j!({ "required_cpu": 1, "constraints": [{ "type": "cost", "operator": "near", "value": 1 }] }),
            "invalid_placement",
        ),
        (j!({ "required_cpu": 1, "constraints": [{ "type": "region" }] }), "invalid_placement"),
    ] {
        assert_eq!(wrong(value.clone()).code(), code, "{value}");
    }
    let mut huge = sized(1, 1);
    huge.required_memory_gb = Some(Gigabytes { bytes: u64::MAX });
    assert_eq!(Ask::new(&CLOUDS, &settings, &huge).unwrap_err().code(), "invalid_placement");
}

#[test]
fn stale_prices_are_refused_where_configuration_says_so() {
    let today = Some(jiff::civil::Date::constant(2027, 6, 1));
    let mark = Settings { today, max_age_days: Some(30), ..Settings::default() };
    let decision = explain(&Ask::new(&CLOUDS, &mark, &sized(2, 4)).unwrap());
    assert!(decision.sources.iter().all(|source| source.stale && source.age_days > Some(30)));
    assert!(decision.notes.iter().any(|note| note.contains("older")));
    let refuse = Settings { refuse_stale: true, ..mark };
    let decision = explain(&Ask::new(&CLOUDS, &refuse, &sized(2, 4)).unwrap());
    assert!(decision.primary_placement.is_none());
    assert_eq!(decision.relaxations[0].constraints, ["fresh-prices"]);
}
