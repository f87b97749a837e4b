//! Machines whose places break what they were declared with.

use novacron_placement::Settings;
use novacron_types::{
    ProviderKind::{Aws, Gcp},
    ProviderName,
    placement::{RebalancePlan, Strategy},
};
use serde_json::json;

use super::{Row, host, market, moves::options_of, request};
use crate::{Machine, Whereabouts, rebalance};

/// A machine on a cheap host, with these constraints; another place is at Google, and dear.
fn plan(constraints: serde_json::Value, offers: &[Row]) -> RebalancePlan {
    let market = market(offers, vec![host("h0", 4, 64, 1_000_000)]);
    let machine = |name: &str, constraints: serde_json::Value| {
        let mut request = request(name, 1, 1, "a");
        request.constraints = serde_json::from_value(constraints).unwrap();
        Machine { request, at: Whereabouts::Host(ProviderName::new("h0").unwrap()), disk_gb: 1, movable: true }
    };
    let machines = [machine("vm0", constraints), machine("vm1", json!([]))];
    rebalance(&market, &Settings::default(), &machines, &options_of(Strategy::CostOptimized)).unwrap()
}

#[test]
fn they_move_whatever_it_costs() {
    let gcp = json!([{ "type": "provider", "operator": "in", "values": ["gcp"] }]);
    let offers = [Row(Aws, "us-east-1", "small", 2, 4, 40_000_000), Row(Gcp, "us-central1", "small", 2, 4, 50_000_000)];
    let plan = plan(gcp, &offers);
    assert_eq!(plan.moves.len(), 1);
    let step = &plan.moves[0];
    assert_eq!((step.vm_id.as_str(), step.to.region.as_str()), ("vm0", "us-central1"));
    assert_eq!(step.mandatory_by.as_deref(), Some("what it was declared with: provider"));
    assert_eq!(step.reason, "it has to be elsewhere: where it is, it breaks provider");
    assert!(step.saves_per_month.unwrap().nanos < 0);
}

#[test]
fn they_are_told_where_there_is_no_place() {
    let wish = json!([{ "type": "region", "operator": "in", "values": ["us-central1"] },
        { "type": "cost", "operator": "<", "value": 0.01 }]);
    let plan = plan(wish, &[Row(Gcp, "us-central1", "small", 2, 4, 50_000_000)]);
    assert!(plan.moves.is_empty());
    assert!(plan.kept[0].why.starts_with("it has to be elsewhere: where it is, it breaks region"), "{:?}", plan.kept);
    assert!(plan.kept[0].why.contains("no other provider's place breaks none"), "{:?}", plan.kept);
}

/// What it costs where it is, is for savings to say.
#[test]
fn a_price_alone_demands_nothing() {
    let cheap = json!([{ "type": "cost", "operator": "<", "value": 0.0001 }]);
    assert!(
        plan(cheap, &[Row(Gcp, "us-central1", "small", 2, 4, 50_000)])
            .moves
            .iter()
            .all(|step| step.mandatory_by.is_none())
    );
}
