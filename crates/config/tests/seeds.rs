//! The documents that were asked for load exactly as they stand (`tests/seeds`), and do what they say.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use novacron_config::{Config, Context, KindInfo, Manifest, Overrides, manifests, parse};
use novacron_provider::KeyInfo;
use novacron_types::{
    GIB, ProviderKind,
    placement::{ActionKind, ConditionKind, ConstraintKind, Dollars, Millis, Operator, Strategy},
};

const fn k(name: &'static str) -> KeyInfo {
    KeyInfo { name, secret: false, doc: "" }
}

const KINDS: &[KindInfo] = &[
    KindInfo {
        kind: ProviderKind::Aws,
        keys: &[
            k("region"),
            k("access_key_id"),
            KeyInfo { name: "secret_access_key", secret: true, doc: "" },
            k("credentials_file"),
            k("default_vpc"),
            k("default_subnet"),
            k("security_groups"),
            k("s3_bucket"),
            k("key_pair_name"),
            k("tags"),
        ],
    },
    KindInfo {
        kind: ProviderKind::Azure,
        keys: &[
            k("subscription_id"),
            k("tenant_id"),
            k("client_id"),
            KeyInfo { name: "client_secret", secret: true, doc: "" },
            k("resource_group"),
            k("location"),
            k("virtual_network"),
            k("subnet"),
            k("security_group"),
            k("storage_account"),
            k("storage_container"),
        ],
    },
    KindInfo {
        kind: ProviderKind::Gcp,
        keys: &[
            k("project_id"),
            k("credentials_file"),
            k("region"),
            k("zone"),
            k("vpc_network"),
            k("subnet"),
            k("storage_bucket"),
            k("stackdriver_enabled"),
        ],
    },
    KindInfo { kind: ProviderKind::Openstack, keys: &[k("auth_url"), k("project_id")] },
    KindInfo { kind: ProviderKind::Files, keys: &[k("path")] },
];

fn context(file: &str) -> Context<'_> {
    Context { file, env: &|name| Some(format!("of-{name}")), kinds: KINDS, overrides: Overrides::default() }
}

fn load(text: &str) -> Config {
    parse(text, &context("seed.yaml")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_first_form() {
    let config = load(include_str!("seeds/multicloud.yaml"));
    let orchestrator = &config.orchestrator;
    assert_eq!(orchestrator.default_cloud.as_deref(), Some("local"));
    assert_eq!(orchestrator.placement_policy, Some(Strategy::CostOptimized));
    assert!(orchestrator.cost_optimization && orchestrator.auto_failover && orchestrator.load_balancing);
    assert_eq!(orchestrator.compliance_zones, ["us-east", "us-west"]);
    assert_eq!(orchestrator.max_cost_per_hour, Some(Dollars { nanos: 1_000_000_000 }));
    let targets = orchestrator.performance_targets.unwrap();
    assert_eq!((targets.min_cpu, targets.min_memory_gb.unwrap().bytes), (Some(2), 4 * GIB));
    assert_eq!(targets.max_latency_ms, Some(Millis { micros: 100_000 }));
    assert_eq!((targets.min_bandwidth_mbps, targets.required_sla), (Some(1000), Some(99.95)));
    // Savings are asked for, and so they are looked for, and only shown.
    assert!(config.optimization.enabled && !config.optimization.apply);
    assert_eq!(config.optimization.strategies, [Strategy::CostOptimized]);
    let idle: Vec<&str> = config.ineffective.iter().map(|key| key.path.as_str()).collect();
    assert_eq!(idle, ["orchestrator.auto_failover"]);
    let zones: Vec<(&str, u64)> = config
        .references
        .iter()
        .filter(|r| r.path.contains("zones"))
        .map(|r| (r.name.as_str(), r.place.line))
        .collect();
    assert_eq!(zones, [("us-east", 48), ("us-west", 49)]);
}

#[test]
fn the_second_form() {
    let config = load(include_str!("seeds/federation.yaml"));
    let names: Vec<&str> = config.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["data-residency", "cost-optimization", "high-availability"]);
    let lines: Vec<u64> = config.policy_places.iter().map(|place| place.line).collect();
    assert_eq!(lines, [39, 49, 58]);
    let [residency, batch, spread] = &config.policies[..] else { panic!("three policies") };
    assert_eq!((residency.priority, residency.action.kind), (100, ActionKind::Restrict));
    assert_eq!(residency.action.providers, ["aws-us-east", "on-prem"]);
    assert_eq!(batch.condition.as_ref().unwrap().kind, ConditionKind::Workload);
    assert_eq!(spread.action.min_providers, Some(2));
    assert_eq!(config.optimization.strategies, [Strategy::CostOptimized, Strategy::Performance, Strategy::Carbon]);
    assert_eq!(config.optimization.schedule.as_str(), "0 2 * * *");
    let aws = config.providers.iter().find(|provider| provider.name.as_str() == "aws-us-east").unwrap();
    let defaults = &config.provider_defaults[&aws.name];
    assert_eq!((defaults.instance_family.as_deref(), defaults.spot_enabled), (Some("t3"), true));
    let hosts: Vec<&str> = config.hosts.iter().map(|host| host.provider.as_str()).collect();
    assert_eq!(hosts, ["on-prem", "local"]);
    assert!(config.ineffective.iter().all(|key| key.path.contains("networking") || key.path.contains("metadata")));
}

#[test]
fn the_machine() {
    let read = manifests(include_str!("seeds/machine.yaml"), &context("vm.yaml")).unwrap();
    let [Manifest::VirtualMachine(document)] = &read[..] else { panic!("one machine") };
    let request = document.machine.request();
    assert_eq!(request.vm_id.as_deref(), Some("multi-cloud-app"));
    assert_eq!((request.required_cpu, request.required_memory_gb.unwrap().bytes), (Some(4), 8 * GIB));
    assert_eq!(request.required_disk_gb.unwrap().bytes, 100 * GIB);
    assert_eq!(request.strategy, Some(Strategy::CostOptimized));
    let [provider, region, cost] = &request.constraints[..] else { panic!("three constraints") };
    assert_eq!((provider.kind, provider.operator), (ConstraintKind::Provider, Operator::In));
    assert_eq!((region.operator, region.max_latency), (Operator::Near, Some(Millis { micros: 10_000 })));
    assert_eq!(cost.all_values().map(ToString::to_string).collect::<Vec<_>>(), ["0.1"]);
    let failover = document.machine.spec.federation.failover.as_ref().unwrap();
    assert_eq!(failover.priority, ["aws-us-east", "azure-west", "gcp-central"]);
    assert_eq!(document.machine.names().collect::<Vec<_>>(), ["multi-cloud-app"]);
    let references: Vec<&str> = document.references.iter().map(|reference| reference.name.as_str()).collect();
    assert_eq!(references, ["aws-us-east", "azure-west", "gcp-central", "aws", "azure", "us-east-1"]);
}
