//! What is answered, as a person reads it.

use novacron_catalog::{OfferId, Point, Pricing};
use novacron_types::{
    ProviderKind::{Aws, Azure, Gcp, Libvirt},
    ProviderName,
    placement::{Decision, Gigabytes, PlacementRequest, Policy, Strategy},
};
use serde_json::json as j;

use super::{CLOUDS, binding, host, json, market, sized};
use crate::{Ask, Candidate, Failure, Host, Market, Peer, PlacementError, Quota, Settings, decide, explain, why_not};

pub(super) fn policies(value: serde_json::Value) -> Settings {
    let policies: Vec<Policy> = serde_json::from_value(value).unwrap();
    Settings { policies, ..Settings::default() }
}

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
fn policies_of_the_seeds() {
    let market = market(
        vec![host("on-prem", 64, 256)],
        vec![binding("aws-us-east", Aws, "us-east-1"), binding("azure-west", Azure, "westus2")],
    );
    let settings = policies(j!([
        { "name": "data-residency", "priority": 100, "condition": { "type": "label", "key": "data-residency", "value": "us" },
          "action": { "type": "restrict", "providers": ["aws-us-east", "on-prem"] } },
        { "name": "cost-optimization", "priority": 50, "condition": { "type": "workload", "value": "batch" },
          "action": { "type": "prefer", "providers": ["spot-instances"] } },
    ]));
    let mut request = sized(2, 4);
    request.strategy = Some(Strategy::CostOptimized);
    request.tags.insert("data-residency".into(), "us".into());
    // Two vCPUs at 0.005 and four GiB at 0.0005 on one's own host: cheaper than any of the machines at AWS.
    let own = explain(&Ask::new(&market, &settings, &request).unwrap());
    assert_eq!(own.primary_placement.unwrap().cloud_provider, "local");
    request.tags.insert("workload".into(), "batch".into());
    let ask = Ask::new(&market, &settings, &request).unwrap();
    for choice in decide(&ask, 50) {
        let placed = ask.placed(choice.candidate, choice.score);
        assert!(placed.region == "us-east-1" || placed.region == "on-prem", "{placed:?}");
    }
    let decision = explain(&ask);
    assert_eq!(decision.policies.len(), 2);
    // Spot is preferred enough to win.
    let placed = decision.primary_placement.unwrap();
    assert_eq!((placed.pricing.as_str(), placed.provider.unwrap().as_str()), ("spot", "aws-us-east"));
    assert_eq!(placed.score_parts.multiplier, 1.25);
}

#[test]
fn contradictory_policies_are_both_named() {
    let settings = policies(j!([
        { "name": "only-aws", "action": { "type": "restrict", "providers": ["aws"] } },
        { "name": "only-gcp", "action": { "type": "restrict", "providers": ["gcp"] } },
    ]));
    let error = Ask::new(&CLOUDS, &settings, &sized(2, 4)).unwrap_err();
    assert_eq!(error.code(), "contradictory_policies");
    let text = error.to_string();
    assert!(text.contains("only-aws") && text.contains("only-gcp"), "{text}");
}

#[test]
fn a_pricing_model_counts_also_where_a_policy_holds_only_somewhere() {
    let mut request = sized(2, 4);
    request.pricing = vec!["on-demand".into(), "spot".into()];
    let at = j!({ "type": "location", "operator": "==", "value": "us-east-1" });
    let settings = policies(j!([
        { "name": "spot-there", "condition": at, "action": { "type": "restrict", "providers": ["spot-instances"] } },
    ]));
    let region = CLOUDS.catalog().find_region(Aws, "us-east-1").unwrap();
    let offers = CLOUDS.catalog().offers();
    let broken = |pricing: Pricing| {
        let ask = Ask::new(&CLOUDS, &settings, &request).unwrap();
        let of = |i: &usize| offers.region[*i] == region && offers.pricing[*i] == pricing;
        let id = (0..offers.pricing.len()).find(of).unwrap();
        ask.rules_broken(Candidate::Offer(OfferId(id as u32))).contains(&"policy:spot-there")
    };
    assert!(broken(Pricing::OnDemand) && !broken(Pricing::Spot));
}

#[test]
fn performance_policies_bind_ones_own_hosts_too() {
    let market = market(vec![host("on-prem", 64, 256)], vec![]);
    let slow = j!({ "type": "performance", "operator": ">=", "value": "0" });
    let settings = policies(j!([
        { "name": "clouds", "condition": slow, "action": { "type": "restrict", "providers": ["aws"] } },
    ]));
    let ask = Ask::new(&market, &settings, &sized(2, 4)).unwrap();
    assert_eq!(ask.rules_broken(Candidate::Host(0)), ["policy:clouds"]);
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

#[test]
fn a_group_is_spread_while_it_has_too_few_providers() {
    let mut settings = policies(j!([
        { "name": "high-availability", "priority": 90, "condition": { "type": "label", "key": "tier", "value": "critical" },
          "action": { "type": "distribute", "minProviders": 2 } },
    ]));
    let mut request = sized(2, 4);
    request.tags.insert("tier".into(), "critical".into());
    let first = explain(&Ask::new(&CLOUDS, &settings, &request).unwrap()).primary_placement.unwrap();
    settings.peers.push(crate::Peer {
        vm_id: "vm-0".into(),
        provider: None,
        kind: first.kind,
        region: first.region.clone(),
        zone: None,
        vcpus: 2,
        monthly_nanos: 0,
        labels: request.tags.clone(),
    });
    let decision = explain(&Ask::new(&CLOUDS, &settings, &request).unwrap());
    assert_ne!(decision.primary_placement.unwrap().kind, first.kind);
    assert!(decision.rejections.iter().any(|r| r.constraint == "policy:high-availability"));
}

/// Groups by workload are told apart by what requests and peers say of it, as a tag or by itself.
#[test]
fn a_group_of_one_workload_is_spread_by_itself() {
    let mut settings = policies(j!([
        { "name": "apart", "action": { "type": "distribute", "minProviders": 2, "group_by": "workload" } },
    ]));
    let request = PlacementRequest { workload: Some("batch".into()), ..sized(2, 4) };
    let first = explain(&Ask::new(&CLOUDS, &settings, &request).unwrap()).primary_placement.unwrap();
    let peer = |labels| Peer {
        vm_id: "vm-0".into(),
        provider: None,
        kind: first.kind,
        region: first.region.clone(),
        zone: None,
        vcpus: 2,
        monthly_nanos: 0,
        labels,
    };
    let mut chosen = |peer: Peer| {
        settings.peers = vec![peer];
        explain(&Ask::new(&CLOUDS, &settings, &request).unwrap()).primary_placement.unwrap().kind
    };
    assert_ne!(chosen(peer(request.labels())), first.kind, "it stays with its own kind");
    let other = PlacementRequest { workload: Some("web".into()), ..sized(2, 4) };
    assert_eq!(chosen(peer(other.labels())), first.kind, "it keeps away from others");
}

#[test]
fn what_failed_lately_and_what_is_full_is_not_chosen_again() {
    let mut settings = Settings { strategy: Some(Strategy::CostOptimized), ..Settings::default() };
    let request = sized(2, 4);
    let first = explain(&Ask::new(&CLOUDS, &settings, &request).unwrap()).primary_placement.unwrap();
    settings.failures.push(Failure {
        kind: first.kind,
        region: first.region.clone(),
        instance_type: Some(first.instance_type.clone()),
        multiplier: 0.1,
    });
    let second = explain(&Ask::new(&CLOUDS, &settings, &request).unwrap()).primary_placement.unwrap();
    assert_ne!((&first.region, &first.instance_type), (&second.region, &second.instance_type));
    settings.failures.clear();
    settings.quotas.push(Quota { provider: Some(first.kind.to_string()), vcpus: Some(1), ..Quota::default() });
    let third = explain(&Ask::new(&CLOUDS, &settings, &request).unwrap()).primary_placement.unwrap();
    assert_ne!(third.kind, first.kind);
}

/// What is used at two places that are counted together leaves as much of the quota as it does not use, whoever has it.
#[test]
fn a_quota_counts_its_places_together_and_no_others() {
    let of = |market: &Market, quotas: Vec<Quota>, peers: Vec<Peer>, request: &PlacementRequest| {
        let settings = Settings { strategy: Some(Strategy::CostOptimized), quotas, peers, ..Settings::default() };
        explain(&Ask::new(market, &settings, request).unwrap()).primary_placement
    };
    let there = |id: &str, provider: &str, kind, region: &str, vcpus| Peer {
        vm_id: id.into(),
        provider: Some(ProviderName::new(provider).unwrap()),
        kind,
        region: region.into(),
        zone: None,
        vcpus,
        monthly_nanos: 0,
        labels: Default::default(),
    };
    let providers =
        vec![binding("prod", Aws, "us-east-1"), binding("dev", Aws, "us-east-1"), binding("b", Gcp, "us-east1")];
    let market = market(vec![host("rack", 64, 256)], providers);
    let peers = || {
        vec![
            there("1", "dev", Aws, "us-east-1", 4),
            there("2", "b", Gcp, "us-east1", 3),
            there("3", "rack", Libvirt, "rack", 2),
        ]
    };
    let quota = |provider: Option<&str>, region: Option<&str>, vcpus| {
        let (provider, region) = (provider.map(str::to_owned), region.map(str::to_owned));
        vec![Quota { provider, region, vcpus: Some(vcpus), ..Quota::default() }]
    };
    let mut request = sized(2, 4);
    let will_do = |request: &PlacementRequest, quotas| of(&market, quotas, peers(), request).is_some();
    // Nine are used of all together, on hosts too.
    assert!(will_do(&request, quota(None, None, 11)) && !will_do(&request, quota(None, None, 10)));
    // A provider in a region: neither its other regions nor others in that region.
    request = json(
        j!({ "required_cpu": 2, "constraints": [{ "type": "region", "operator": "in", "values": ["us-east-1"] }] }),
    );
    assert!(will_do(&request, quota(Some("aws"), Some("us-east-1"), 6)));
    assert!(!will_do(&request, quota(Some("aws"), Some("us-east-1"), 5)));
    assert!(
        will_do(&request, quota(Some("gcp"), Some("us-east-1"), 0))
            && will_do(&request, quota(Some("aws"), Some("us-west-2"), 0))
    );
    // Who would make it counts, and not who else is in its region.
    assert!(will_do(&request, quota(Some("prod"), None, 2)) && will_do(&request, quota(Some("dev"), None, 0)));
    assert!(!will_do(&request, quota(Some("prod"), None, 1)));
    // A host's vCPUs and what a machine on it costs are held as a cloud's are.
    request =
        json(j!({ "required_cpu": 2, "constraints": [{ "type": "provider", "operator": "in", "values": ["rack"] }] }));
    assert!(will_do(&request, quota(Some("rack"), None, 4)) && !will_do(&request, quota(Some("rack"), None, 3)));
    let budget = |nanos| vec![Quota { provider: Some("rack".into()), monthly_nanos: Some(nanos), ..Quota::default() }];
    let cost = of(&market, Vec::new(), peers(), &request).unwrap().cost_per_hour.nanos * 730;
    assert!(cost > 0 && will_do(&request, budget(cost)) && !will_do(&request, budget(cost - 1)));
    // A way to pay is no provider.
    assert!(quota(Some("spot"), None, 1)[0].counted(&market).is_err());
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
fn the_default_cloud_wins_where_nothing_else_is_said() {
    let market = market(vec![host("on-prem", 64, 256)], Vec::new());
    let settings = Settings { default_cloud: Some("azure".into()), ..Settings::default() };
    let placed = explain(&Ask::new(&market, &settings, &sized(2, 4)).unwrap()).primary_placement.unwrap();
    assert_eq!(placed.kind, Azure);
    let said = Settings { strategy: Some(Strategy::CostOptimized), ..settings };
    let placed = explain(&Ask::new(&market, &said, &sized(2, 4)).unwrap()).primary_placement.unwrap();
    assert_eq!(placed.cloud_provider, "local");
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
