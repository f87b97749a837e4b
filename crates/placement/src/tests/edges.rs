//! Where an answer could easily be false.

use novacron_catalog::Point;
use novacron_types::{
    ProviderKind::{Aws, Gcp, Openstack},
    placement::Decision,
};
use serde_json::json as j;

use super::{CLOUDS, binding, host, json, market, rules::policies, sized};
use crate::{Ask, Binding, Host, HostCost, Settings, explain, why_not};

#[test]
fn what_is_had_without_giving_a_rule_up_is_not_told_as_a_reason_to() {
    let request = json(j!({
        "required_cpu": 4, "required_memory_gb": 8, "required_disk_gb": 100, "strategy": "performance",
    }));
    let decision = explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap());
    let cheapest =
        decision.considered.iter().filter_map(|row| row.cheapest_per_hour).map(|cost| cost.nanos).min().unwrap();
    assert!(decision.primary_placement.as_ref().unwrap().cost_per_hour.nanos > cheapest);
    for row in &decision.relaxations {
        assert!(row.cost_per_hour.nanos < cheapest, "{row:?}");
        assert_eq!(row.saves_per_hour.unwrap().nanos, cheapest - row.cost_per_hour.nanos);
    }
    let note = decision.notes.iter().find(|note| note.starts_with("The cheapest place that breaks no rule")).unwrap();
    assert!(note.contains("an hour; it has fewer points"), "{note}");
}

#[test]
fn more_sets_than_are_told_are_counted() {
    let request = json(j!({
        "required_cpu": 8, "required_memory_gb": 2, "required_disk_gb": 100, "gpu": { "count": 1 },
        "preferred_regions": [], "max_cost_per_hour": 0.5,
        "constraints": [
            { "type": "region", "operator": "in", "values": ["us-east-1"] },
            { "type": "compliance", "operator": "in", "values": ["GDPR"] },
        ],
    }));
    let decision = explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap());
    assert_eq!(decision.relaxations.len(), 5);
    let note = decision.notes.iter().find(|note| note.contains("of as few constraints would do as well"));
    assert!(note.is_some(), "{:?}", decision.notes);
}

#[test]
fn bandwidth_is_measured_by_what_a_vendor_documents() {
    let request =
        json(j!({ "required_cpu": 2, "required_memory_gb": 4, "performance_targets": { "min_bandwidth_mbps": 1000 } }));
    let feasible = |decision: &Decision, cloud: &str| {
        decision.considered.iter().find(|row| row.cloud_provider == cloud).map_or(0, |row| row.feasible)
    };
    let decision = explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap());
    for cloud in ["aws", "gcp", "oci"] {
        assert!(feasible(&decision, cloud) > 0, "{cloud}: {:?}", decision.considered);
    }
    // Of Azure nothing is known, and unknown is not good.
    assert_eq!(feasible(&decision, "azure"), 0);
    let request = json(j!({
        "required_cpu": 2, "required_memory_gb": 4, "performance_targets": { "min_bandwidth_mbps": 1000 },
        "constraints": [{ "type": "provider", "operator": "in", "values": ["gcp"] }],
    }));
    let decision = explain(&Ask::new(&CLOUDS, &Settings::default(), &request).unwrap());
    let note = decision.notes.iter().find(|note| note.starts_with("The bandwidth of"));
    assert!(note.is_some_and(|note| note.contains("gcp documents: a limit, and no promise")), "{:?}", decision.notes);
}

#[test]
fn a_host_at_a_point_is_held_to_the_zones() {
    let settings = Settings { compliance_zones: vec!["us-west".to_owned()], ..Settings::default() };
    let small = json(j!({ "required_cpu": 1, "required_memory_gb": 1, "strategy": "cost-optimized" }));
    let wins = |host: Host| {
        let market = CLOUDS.with_hosts(vec![host]);
        explain(&Ask::new(&market, &settings, &small).unwrap()).primary_placement.unwrap().cloud_provider == "local"
    };
    let home = Host { cost: None, ..host("here", 64, 256) };
    let cheap = Host {
        cost: Some(HostCost { nanos_per_vcpu_hour: 1, nanos_per_gib_hour: 1, nanos_per_disk_gib_hour: 0 }),
        ..home
    };
    assert!(wins(cheap.clone()), "it says nothing of where it is");
    assert!(wins(Host { region: "us-west-2".to_owned(), ..cheap.clone() }), "in a region of the group");
    assert!(!wins(Host { region: "eu-central-1".to_owned(), ..cheap.clone() }));
    let point = Some(Point { lat_micro: 50_110_000, lon_micro: 8_680_000 });
    assert!(!wins(Host { point, ..cheap }));
}

#[test]
fn near_is_a_known_place_even_where_a_constraint_says_another() {
    let request = json(j!({
        "required_cpu": 1, "required_memory_gb": 1, "near": "mars-1",
        "constraints": [{ "type": "region", "operator": "near", "value": "us-east-1" }],
    }));
    let error = Ask::new(&CLOUDS, &Settings::default(), &request).unwrap_err();
    assert!(error.to_string().contains("mars-1"), "{error}");
}

#[test]
fn a_score_beyond_all_measure_is_one() {
    let prefer = |n: usize| j!({ "name": format!("p{n}"), "action": { "type": "prefer", "providers": ["aws"] }, "score_multiplier": 100.0 });
    let settings = policies(j!((0..6).map(prefer).collect::<Vec<_>>()));
    let decision = explain(&Ask::new(&CLOUDS, &settings, &sized(2, 4)).unwrap());
    assert_eq!(decision.primary_placement.unwrap().kind, Aws);
}

#[test]
fn spot_is_had_where_the_provider_that_makes_it_allows_it() {
    let spot = Binding { spot: true, ..binding("east", Aws, "us-east-1") };
    let market = market(Vec::new(), vec![spot, binding("west", Aws, "us-west-2")]);
    let request = |more: serde_json::Value| {
        let mut request = j!({ "required_cpu": 2, "required_memory_gb": 4, "strategy": "cost-optimized" });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json(request)
    };
    let placed = |more: serde_json::Value| {
        explain(&Ask::new(&market, &Settings::default(), &request(more)).unwrap()).primary_placement.unwrap()
    };
    let at = |name: &str| j!({ "constraints": [{ "type": "provider", "operator": "in", "values": [name] }] });
    assert_eq!(placed(at("east")).pricing, "spot");
    for elsewhere in ["west", "gcp", "azure"] {
        assert_eq!(placed(at(elsewhere)).pricing, "on-demand", "{elsewhere}");
    }
    // Who asks for it has it anywhere.
    let mut asked = at("gcp");
    asked["pricing"] = j!(["spot"]);
    assert_eq!(placed(asked).pricing, "spot");
}

#[test]
fn a_provider_without_offers_is_a_name_that_is_known() {
    let on_prem = Binding { kind: Openstack, region: None, ..binding("on-prem", Aws, "x") };
    let market = market(Vec::new(), vec![on_prem, binding("aws-us", Aws, "us-east-1")]);
    let settings = |names: serde_json::Value| {
        policies(j!([{ "name": "data", "action": { "type": "restrict", "providers": names } }]))
    };
    let decision = explain(&Ask::new(&market, &settings(j!(["on-prem", "aws-us"])), &sized(2, 4)).unwrap());
    assert_eq!(decision.primary_placement.unwrap().region, "us-east-1");
    let decision = explain(&Ask::new(&market, &settings(j!(["on-prem"])), &sized(2, 4)).unwrap());
    assert!(decision.primary_placement.is_none());
    assert!(decision.relaxations.iter().any(|row| row.constraints.contains(&"policy:data".to_owned())), "{decision:?}");
}

#[test]
fn what_comes_before_a_place_has_no_condition_on_one() {
    let settings = policies(j!([{
        "name": "big", "condition": { "type": "location", "operator": "in", "values": ["eu"] },
        "action": { "type": "scale", "factor": 4.0 },
    }]));
    let error = Ask::new(&CLOUDS, &settings, &sized(2, 4)).unwrap_err().to_string();
    assert!(error.contains("big") && error.contains("label or the workload"), "{error}");
}

#[test]
fn a_policy_of_some_places_is_told_with_them() {
    let settings = policies(j!([{
        "name": "abroad", "condition": { "type": "location", "operator": "!=", "value": "us-east" },
        "action": { "type": "restrict", "providers": ["gcp"] },
    }]));
    let decision = explain(&Ask::new(&CLOUDS, &settings, &sized(2, 4)).unwrap());
    assert_eq!(decision.policies, ["abroad: only gcp, where location != us-east"]);
}

#[test]
fn the_levels_of_a_programme_count_once() {
    let listed = |names: &[&str]| {
        let bit = |name: &&str| 1u32 << novacron_catalog::PROGRAMMES.iter().position(|known| known == name).unwrap();
        crate::score::compliance_points(names.iter().map(bit).fold(0, |bits, bit| bits | bit))
    };
    assert_eq!(listed(&["FedRAMP", "FedRAMP-Moderate", "FedRAMP-High"]), listed(&["FedRAMP"]));
    assert_eq!(listed(&["FedRAMP", "SOC2"]), 2.0 * listed(&["SOC2"]));
    let host = Host { compliance: vec!["fedramp high".to_owned()], ..host("here", 4, 8) };
    assert!(host.lists("FedRAMP-Moderate") && !host.lists("SOC2"));
}

#[test]
fn what_is_misspelt_is_told_by_what_is_near() {
    let gpu = |model: &str| {
        let request = json(j!({ "required_cpu": 1, "required_memory_gb": 1, "gpu": { "count": 1, "model": model } }));
        Ask::new(&CLOUDS, &Settings::default(), &request).map(|_| ()).map_err(|error| error.to_string())
    };
    gpu("a100").unwrap();
    assert!(gpu("H1000").unwrap_err().ends_with("did you mean H100?"), "{:?}", gpu("H1000"));
    assert!(gpu("voodoo").unwrap_err().contains("there are "), "{:?}", gpu("voodoo"));
    let request = sized(2, 4);
    let ask = Ask::new(&CLOUDS, &Settings::default(), &request).unwrap();
    let error = why_not(&ask, &["us-east-1".to_owned(), "m5.xlarg".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("m5.xlarge"), "{error}");
    let government = json(j!({ "required_cpu": 1, "required_memory_gb": 1,
        "constraints": [{ "type": "region", "operator": "in", "values": ["us-gov"] }] }));
    let decision = explain(&Ask::new(&CLOUDS, &Settings::default(), &government).unwrap());
    assert!(decision.primary_placement.unwrap().region.contains("gov"));
}

#[test]
fn a_small_amount_is_one_however_it_is_written() {
    let settings = policies(j!([{
        "name": "dear", "condition": { "type": "cost", "operator": ">", "value": 0.0000001 },
        "action": { "type": "restrict", "providers": ["gcp"] },
    }]));
    let decision = explain(&Ask::new(&CLOUDS, &settings, &sized(2, 4)).unwrap());
    assert_eq!(decision.primary_placement.unwrap().kind, Gcp);
}
