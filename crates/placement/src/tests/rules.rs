//! What policies, groups, quotas and peers do to a decision.

use novacron_catalog::{OfferId, Pricing};
use novacron_types::{
    ProviderKind::{Aws, Azure, Gcp, Libvirt},
    ProviderName,
    placement::{PlacementRequest, Policy, Strategy},
};
use serde_json::json as j;

use super::{CLOUDS, binding, host, json, market, sized};
use crate::{Ask, Candidate, Failure, Market, Peer, Quota, Settings, decide, explain};

pub(super) fn policies(value: serde_json::Value) -> Settings {
    let policies: Vec<Policy> = serde_json::from_value(value).unwrap();
    Settings { policies, ..Settings::default() }
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
