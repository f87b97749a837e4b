//! The keys of deciding where machines run: what they come to, and what can't be.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use novacron_config::{
    BurstMode, Config, Context, HostCapacity, HostCost, HostPower, KindInfo, Location, Overrides, Referent, Stale,
    parse,
};
use novacron_provider::KeyInfo;
use novacron_types::{
    Architecture, ByteSize, GIB, ProviderKind,
    placement::{Dollars, Strategy},
};
use secrecy::ExposeSecret;

const KINDS: &[KindInfo] = &[
    KindInfo { kind: ProviderKind::Aws, keys: &[KeyInfo { name: "region", secret: false, doc: "" }] },
    KindInfo { kind: ProviderKind::Azure, keys: &[KeyInfo { name: "location", secret: false, doc: "" }] },
    KindInfo { kind: ProviderKind::Libvirt, keys: &[KeyInfo { name: "uri", secret: false, doc: "" }] },
    KindInfo { kind: ProviderKind::Files, keys: &[] },
];

fn read(text: &str) -> Result<Config, String> {
    let env = |name: &str| (name == "KEY").then(|| "hunter2".to_owned());
    let context = Context { file: "f", env: &env, kinds: KINDS, overrides: Overrides::default() };
    parse(text, &context).map_err(|error| error.to_string())
}

fn usd(nanos: i128) -> Dollars {
    Dollars { nanos }
}

#[test]
fn everything_set() {
    let config = read(
        "
aws: {region: us-east-1, defaults: {instance_family: m5, spot_enabled: true}}
orchestrator:
  default_cloud: aws
  weights: {cost: 70, carbon: 30}
  max_cost_per_hour: 0.25 USD
  location: 50.11, 8.68
  quotas:
    - {provider: aws, region: us-east-1, vcpus: 64, monthly_budget: 1000.50}
    - {instances: 100}
optimization: {schedule: '*/30 * * * *', strategies: [carbon, cost], apply: true, max_moves: 3, min_saving: 5, payback_days: 7, hysteresis_percent: 10}
bursting: {enabled: true, threshold_percent: 90, return_percent: 50, window_minutes: 5, targets: [aws, azure], mode: all-or-nothing}
catalog:
  max_age_days: 30
  stale: refuse
  refresh_schedule: 0 4 * * SUN
  refresh_limit_seconds: 90
  sources: {gcp: {api_key: '${KEY}', endpoint_url: 'http://127.0.0.1:9/'}, oci: {enabled: false}}
",
    )
    .unwrap();
    let orchestrator = &config.orchestrator;
    assert_eq!(orchestrator.default_cloud.as_deref(), Some("aws"));
    assert_eq!(orchestrator.weights.map(|weights| (weights.cost, weights.carbon)), Some((70.0, 30.0)));
    assert_eq!(orchestrator.max_cost_per_hour, Some(usd(250_000_000)));
    assert_eq!(orchestrator.location, Some(Location::Point { lat_micro: 50_110_000, lon_micro: 8_680_000 }));
    assert_eq!(orchestrator.quotas[0].monthly_budget, Some(usd(1_000_500_000_000)));
    assert_eq!((orchestrator.quotas[1].provider.as_deref(), orchestrator.quotas[1].instances), (None, Some(100)));
    let optimization = &config.optimization;
    assert_eq!(optimization.strategies, [Strategy::Carbon, Strategy::CostOptimized]);
    assert_eq!((optimization.apply, optimization.max_moves, optimization.payback_days), (true, 3, 7));
    assert_eq!((optimization.min_saving, optimization.hysteresis_percent), (usd(5_000_000_000), 10));
    let bursting = &config.bursting;
    assert_eq!((bursting.enabled, bursting.threshold_percent, bursting.return_percent), (true, 90, 50));
    assert_eq!((bursting.window_minutes, bursting.mode), (5, BurstMode::AllOrNothing));
    assert_eq!(bursting.targets, ["aws", "azure"]);
    let catalog = &config.catalog;
    assert_eq!((catalog.max_age, catalog.stale), (Duration::from_secs(30 * 86_400), Stale::Refuse));
    assert_eq!(catalog.refresh_schedule.as_ref().unwrap().as_str(), "0 4 * * SUN");
    assert_eq!(catalog.refresh_limit, Duration::from_secs(90));
    assert_eq!(catalog.sources.gcp.api_key.as_ref().unwrap().expose_secret(), "hunter2");
    assert!(!catalog.sources.oci.enabled && catalog.sources.azure.enabled);
    assert!(config.provider_defaults.values().next().unwrap().spot_enabled);
    let regions: Vec<&str> =
        config.references.iter().filter(|r| r.to == Referent::Region).map(|r| r.path.as_str()).collect();
    assert_eq!(regions, ["orchestrator.quotas[0].region"]);
    assert!(config.ineffective.is_empty(), "{:?}", config.ineffective);
    for shown in [config.redacted_yaml(), format!("{config:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn nothing_set() {
    let config = read("").unwrap();
    assert!(!config.optimization.enabled && !config.optimization.apply && !config.bursting.enabled);
    assert_eq!((config.bursting.threshold_percent, config.bursting.return_percent), (80, 60));
    assert_eq!(config.catalog.stale, Stale::Mark);
    let [local] = &config.hosts[..] else { panic!("one host") };
    assert_eq!((local.provider.as_str(), local.capacity, local.cost), ("local", None, None));
    let shown = config.redacted_yaml();
    for says in ["threshold_percent: 80", "max_age_days: 180", "apply: false"] {
        assert!(shown.contains(says), "{shown}");
    }
    // What is set goes before what follows from another key.
    assert!(
        !read("{orchestrator: {cost_optimization: true}, optimization: {enabled: false}}")
            .unwrap()
            .optimization
            .enabled
    );
}

#[test]
fn hosts() {
    let config = read(
        "
local:
  kind: libvirt
  uri: qemu:///system
  capacity: {vcpus: 64, memory: 256Gi, disk: 4Ti}
  cost: {price: 12000, lifetime_years: 4, watts: 350, price_per_kwh: 0.31}
  power: {idle_watts: 120, full_watts: 600, grid_g_per_kwh: 380}
  location: 50.11,8.68
  country: DE
  compliance: [GDPR]
azure: {location: eastus}
providers:
  - {name: lab, kind: files, architecture: arm64, cost: {per_hour: 0.40}, location: us-east}
",
    )
    .unwrap();
    let [local, lab] = &config.hosts[..] else { panic!("two hosts") };
    let capacity = HostCapacity { vcpus: 64, memory: ByteSize(256 * GIB), disk: Some(ByteSize(4096 * GIB)) };
    assert_eq!((local.kind, local.capacity), (ProviderKind::Libvirt, Some(capacity)));
    let owned = HostCost::Owned {
        price: usd(12_000_000_000_000),
        lifetime_years: 4,
        watts: 350,
        price_per_kwh: usd(310_000_000),
    };
    assert_eq!(local.cost, Some(owned));
    assert_eq!(local.power, Some(HostPower { idle_watts: 120, full_watts: 600, grid_g_per_kwh: 380 }));
    assert_eq!((local.country.as_deref(), &local.compliance[..]), (Some("DE"), &["GDPR".to_owned()][..]));
    assert_eq!((lab.cost, lab.architecture), (Some(HostCost::Hourly(usd(400_000_000))), Architecture::Arm64));
    assert!(config.references.iter().any(|reference| reference.path == "providers[0].location"));
    assert_eq!(lab.location, Some(Location::Region("us-east".into())));
    // They are no settings of the provider, and a cloud's own key of that name stays its own.
    let settings = |name: &str| &config.providers.iter().find(|p| p.name.as_str() == name).unwrap().settings;
    assert_eq!(settings("local").as_object().unwrap().keys().collect::<Vec<_>>(), ["uri"]);
    assert_eq!(settings("azure")["location"], "eastus");
    assert!(config.redacted_yaml().contains("per_hour"), "{}", config.redacted_yaml());
}

#[test]
fn what_can_not_be() {
    for (text, says) in [
        (
            "bursting: {threshold_percent: 50, return_percent: 50}",
            "f:1:51: `bursting.return_percent`: 50 is not less than `threshold_percent`, 50",
        ),
        ("bursting: {threshold_percent: 50}", "60 is not less than"),
        (
            "bursting: {targets: [asw]}",
            "`bursting.targets[0]`: there is no provider or kind of provider `asw`; did you mean `aws`?",
        ),
        ("bursting: {mode: some}", "all-or-nothing"),
        ("orchestrator: {default_cloud: lcoal}", "did you mean `local`?"),
        ("orchestrator: {weights: {cost: 0}}", "at least one weight is more than 0"),
        ("orchestrator: {weights: {cost: -1}}", "number from 0"),
        ("orchestrator: {weights: {price: 1}}", "known here: cost, performance"),
        ("orchestrator: {max_cost_per_hour: -1}", "less than nothing"),
        ("orchestrator: {max_cost_per_hour: 1 EUR}", "convert it"),
        ("orchestrator: {max_cost_per_hour: 1e300}", "nine decimals"),
        ("orchestrator: {max_cost_per_hour: 1000000001}", "more than anything costs"),
        ("orchestrator: {performance_targets: {min_cpu: 1.5}}", "write 2"),
        ("orchestrator: {performance_targets: {required_sla: 100.1}}", "from 0 to 100"),
        ("orchestrator: {placement_policy: cheapest}", "expected one of"),
        ("orchestrator: {location: '95, 10'}", "latitude"),
        ("orchestrator: {location: 50.1}", "expected region, or latitude and longitude"),
        ("orchestrator: {quotas: [{provider: aws}]}", "`orchestrator.quotas[0]`: it limits nothing"),
        (
            "orchestrator: {quotas: [{vcpus: 1}, {instances: 2}]}",
            "f:1:37: `orchestrator.quotas[1]`: there is a quota for the same",
        ),
        (
            "optimization: {schedule: daily}",
            "expected five fields of cron (`0 2 * * *`), found a text; it has 1 fields",
        ),
        (
            "optimization: {schedule: '0 25 * * *'}",
            "f:1:26: `optimization.schedule`: expected five fields of cron (`0 2 * * *`), found a text; its hour is `25`",
        ),
        ("optimization: {schedule: '0 0 31 2 *'}", "there is no such day"),
        ("optimization: {max_moves: 0}", "from 1"),
        ("catalog: {stale: ignore}", "one of `mark`, `refuse`"),
        ("catalog: {sources: {aws: {endpoint_url: 'ftp://x'}}}", "expected URL"),
        ("catalog: {sources: {aws: {api_key: x}}}", "unknown key"),
        ("aws: {capacity: {vcpus: 1, memory: 1Gi}}", "`aws.capacity` is for hosts of one's own"),
        ("local: {capacity: {vcpus: 4}}", "`local.capacity` needs `memory`"),
        ("local: {capacity: {vcpus: 4, memory: 16}}", "did you mean `16Gi`?"),
        ("local: {cost: {}}", "f:1:15: `local.cost`: it needs `per_hour`, or `price` and `lifetime_years`"),
        ("local: {cost: {per_hour: 1, price: 5}}", "`per_hour` is all of it already"),
        ("local: {cost: {per_hour: 1, currency: EUR}}", "expected one of `USD`"),
        ("local: {cost: {price: -1, lifetime_years: 3}}", "less than nothing"),
        ("local: {power: {idle_watts: 9, full_watts: 8, grid_g_per_kwh: 1}}", "8 W at full load and 9 W without"),
        ("local: {country: Germany}", "two letters"),
        ("local: {country: ZZ}", "f:1:18: `local.country`: expected the two letters of a country"),
        ("local: {country: UK}", "did you mean `GB`?"),
        ("local: {country: de}", "write it in capitals"),
        ("bursting: {targets: [aws, local]}", "f:1:27: `bursting.targets[1]`: `local` is a host of one's own"),
        ("{bursting: {targets: [lab]}, providers: [{name: lab, kind: files}]}", "`lab` is a host of one's own"),
        ("bursting: {targets: [libvirt]}", "`libvirt` is a host of one's own"),
        ("optimization: {strategies: []}", "f:1:28: `optimization.strategies`: it is empty"),
        (
            "optimization: {strategies: [cost, carbon, cost-optimized]}",
            "f:1:43: `optimization.strategies[2]`: `cost-optimized` stands before it already",
        ),
        ("catalog: {refresh_limit_seconds: 0}", "from 1"),
        ("local: {capcity: {}}", "did you mean `capacity`?"),
    ] {
        let shown = read(text).expect_err(text);
        assert!(shown.contains(says), "{text}\n{shown}");
        assert_eq!(shown.lines().count(), 1, "{text}\n{shown}");
    }
}
