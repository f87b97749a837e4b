//! Both forms, their errors and their bounds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use novacron_config::{Config, ConfigError, Context, KindInfo, LogFormat, LogOutput, Overrides, parse};
use novacron_provider::KeyInfo;
use novacron_types::{ProviderKind, Role};
use proptest::prelude::*;
use secrecy::ExposeSecret;

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
            k("endpoint_url"),
            k("tags"),
            k("defaults"),
        ],
    },
    KindInfo { kind: ProviderKind::Files, keys: &[k("path")] },
    KindInfo { kind: ProviderKind::Libvirt, keys: &[k("uri"), k("pool")] },
];

fn env(name: &str) -> Option<String> {
    match name {
        "AWS_ACCESS_KEY_ID" => Some("AKIAEXAMPLE".into()),
        "AWS_SECRET_ACCESS_KEY" => Some("hunter2: [not, yaml]\nserver: {}".into()),
        "LEVEL" => Some("chatty-secret".into()),
        "COUNT" => Some("8".into()),
        "MANY" => Some("4711".into()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Config, ConfigError> {
    parse(text, &Context { file: "multicloud.yaml", env: &env, kinds: KINDS, overrides: Overrides::default() })
}

fn faults(text: &str) -> String {
    read(text).expect_err(text).to_string()
}

const WHOLE: &str = r#"
aws:
  enabled: true
  region: us-east-1
  access_key_id: ${AWS_ACCESS_KEY_ID}
  secret_access_key: ${AWS_SECRET_ACCESS_KEY}
  default_vpc: vpc-1
  security_groups:
    - sg-1
  tags:
    ManagedBy: NovaCron
azure:
  enabled: false
  client_secret: kept-out-of-sight
local:
  kind: libvirt
  uri: qemu:///session
server:
  listen: localhost:9000
  tls: {cert_file: c.pem, key_file: k.pem}
  tokens:
    - {name: ci, role: operator, token: "0123456789abcdef"}
store:
  url: postgres://nova:topsecret@db/nova
orchestrator:
  placement_policy: cost
  max_cost_per_hour: 1.0
  performance_targets: {min_cpu: 2, required_sla: 99.95}
migration_options:
  chunk_size_mb: 64
  parallel_transfers: ${COUNT}
  bandwidth_limit: 100MB
  tls_version: 1.3
logging: {level: debug, format: json, output: /var/log/novacron/debug.log}
"#;

#[test]
fn the_first_form_loads_and_hides_its_secrets() {
    let config = read(WHOLE).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(config.server.tokens[0].role, Role::Operator);
    assert_eq!(config.store.url.as_ref().unwrap().expose_secret(), "postgres://nova:topsecret@db/nova");
    assert_eq!(config.migration_options.parallel_transfers, Some(8));
    assert_eq!(config.migration_options.bandwidth_limit.unwrap().0, 100_000_000);
    assert_eq!(config.logging.format, LogFormat::Json);
    assert_eq!(config.logging.output, LogOutput::File("/var/log/novacron/debug.log".into()));
    assert_eq!(config.disabled_providers, ["azure"]);
    let names: Vec<&str> = config.providers.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["aws", "local"]);
    assert_eq!(config.providers[0].settings["tags"]["ManagedBy"], "NovaCron");
    // What a variable gives stays one text, whatever is in it.
    assert_eq!(config.providers[0].settings["secret_access_key"], "hunter2: [not, yaml]\nserver: {}");
    assert_eq!(config.providers[1].kind, ProviderKind::Libvirt);
    let idle: Vec<&str> = config.ineffective.iter().map(|key| key.path.as_str()).collect();
    assert_eq!(idle, ["migration_options.tls_version"]);

    for shown in [config.redacted_yaml(), config.redacted().to_string(), format!("{config:?}")] {
        for secret in ["hunter2", "topsecret", "kept-out-of-sight", "0123456789abcdef"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("***") || shown.contains("REDACTED"));
    }
}

#[test]
fn nothing_at_all_is_the_defaults() {
    for text in ["", "# only a comment\n", "{}"] {
        let config = read(text).unwrap();
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.providers[0].name.as_str(), "local");
        assert_eq!(config.providers[0].settings["path"], "/var/lib/novacron/disks");
        assert_eq!(config.grace_period.as_secs(), 300);
    }
}

#[test]
fn both_forms_give_the_same() {
    let first = "
providers:
  - {name: aws-us-east, kind: aws, region: us-east-1, credentials_file: /etc/novacron/aws-credentials, default_subnet: s, defaults: {instance_family: t3, spot_enabled: true}}
  - {name: on-prem, kind: libvirt, uri: 'qemu:///system'}
";
    let second = "
apiVersion: novacron.io/v1alpha1
kind: FederationConfig
metadata: {name: production}
spec:
  providers:
    - name: aws-us-east
      type: aws
      config:
        region: us-east-1
        credentials: {secret: aws-credentials}
        defaultSubnet: s
        defaults: {instanceFamily: t3, spotEnabled: true}
    - name: on-prem
      type: libvirt
      config: {uri: 'qemu:///system'}
  policies:
    - name: residency
      priority: 100
      condition: {type: label, key: data-residency, value: us}
      action: {type: restrict, providers: [aws-us-east]}
  networking: {mode: overlay, overlay: {type: wireguard, mesh: true, encryption: chacha20poly1305}}
  optimization: {enabled: true, schedule: '0 2 * * *', strategies: [cost, carbon-footprint]}
";
    let (first, second) = (read(first).unwrap(), read(second).unwrap());
    let aws = |config: &Config| config.providers[0].settings.clone();
    assert_eq!(aws(&second)["defaults"]["instance_family"], "t3");
    assert!(!second.ineffective.iter().any(|key| key.path.contains("defaults")));
    assert!(first.providers == second.providers, "{:?} {:?}", first.redacted(), second.redacted());
}

/// Of a kind that later versions bring: it is decided there, its keys are not shown, and hosts are weighed.
#[test]
fn kinds_that_are_not_here_yet() {
    let text = "azure: {location: eastus, client_secret: hunter2}\nproviders:\n- name: rack\n  kind: openstack\n  \
                auth_url: https://x\n  capacity: {vcpus: 8, memory: 16Gi}\n- {name: g, kind: gcp, enabled: false}\n";
    let config = read(text).unwrap();
    let found: Vec<_> = config.deciding_only.iter().map(|p| (p.name.as_str(), p.kind, p.region.as_deref())).collect();
    assert_eq!(found, [("azure", ProviderKind::Azure, Some("eastus")), ("rack", ProviderKind::Openstack, None)]);
    assert!(config.deciding_only[0].to_string().starts_with("1:1: provider `azure`"), "{}", config.deciding_only[0]);
    assert!(config.providers.iter().all(|provider| provider.kind == ProviderKind::Files));
    assert_eq!(config.hosts.iter().find(|host| host.provider.as_str() == "rack").unwrap().capacity.unwrap().vcpus, 8);
    assert_eq!(config.disabled_providers, ["g"]);
    assert!(!config.redacted_yaml().contains("hunter2"));
}

#[test]
fn faults_say_where_and_what_to_do() {
    for (text, says) in [
        ("serwer: {}", "multicloud.yaml:1:1: unknown key `serwer`; did you mean `server`?"),
        ("aws:\n  regoin: x", "multicloud.yaml:2:3: unknown key `aws.regoin`; did you mean `region`?"),
        ("server:\n  listen: 8080", "multicloud.yaml:2:11: `server.listen`: expected address"),
        ("data_dir: 12", "write it in quotes"),
        ("migration_options: {chunk_size_mb: 0}", "whole number from 1 to 1024, found 0"),
        ("migration_options: {compression_enabled: yes}", "expected `true` or `false`"),
        ("logging: {level: debgu}", "did you mean `debug`?"),
        ("store: {url: 'mysql://x'}", "postgres://"),
        ("aws: {region: '${NOPE}'}", "multicloud.yaml:1:15: the environment variable `NOPE` is not set"),
        ("providers: [{name: m, kind: memory}]", "this build has no providers of kind `memory`"),
        ("providers: [{name: a, kind: aws}, {name: a, kind: aws}]", "two providers with the name `a`"),
        ("providers: [{name: a, kind: awz}]", "did you mean `aws`?"),
        ("providers: [{name: a}]", "needs a `name` and a `kind`"),
        ("server: {tokens: [{name: a, role: admin}]}", "exactly one of"),
        ("server: {tokens: [{name: a, role: admin, token: short}]}", "at least 16"),
        ("server: {tls: {cert_file: a}}", "key_file"),
        ("mover: {memory_limit: 1MiB}", "at least 16MiB"),
        ("a: [", "multicloud.yaml:1:"),
        ("server: {}\nserver: {}", "duplicate"),
        ("apiVersion: v2\nkind: FederationConfig", "novacron.io/v1alpha1"),
        ("[1, 2]", "expected a block of keys"),
    ] {
        let shown = faults(text);
        assert!(shown.contains(says), "{text}\n{shown}");
    }
    assert_eq!(faults("x: 1\ny: 2\nlogging: {format: 3}").lines().count(), 3);
}

#[test]
fn a_fault_never_shows_what_a_variable_gave() {
    let shown = faults("logging: {level: '${LEVEL}'}");
    assert!(shown.contains("${LEVEL}") && !shown.contains("chatty"), "{shown}");
    for text in [
        "server: {listen: '127.0.0.1:${LEVEL}'}",
        "local: {kind: '${LEVEL}'}",
        "providers: [{name: a, kind: '${LEVEL}'}]",
        "mover: {memory_limit: '${LEVEL}'}",
        "store: {url: '${LEVEL}'}",
    ] {
        let shown = faults(text);
        assert!(shown.contains("${LEVEL}") && !shown.contains("chatty"), "{shown}");
    }
    let shown = faults("migration_options: {compression_level: '${MANY}'}");
    assert!(shown.contains("${MANY}") && !shown.contains("4711"), "{shown}");
}

#[test]
fn what_has_ended_is_kept_for_some_days_or_for_ever() {
    let kept = |text: &str| read(text).unwrap().store.retention.map(|keep| keep.as_secs() / 86_400);
    assert_eq!(kept(""), Some(90));
    assert_eq!(kept("store: {retention_days: 7}"), Some(7));
    assert_eq!(kept("store: {retention_days: 0}"), None);
    assert!(faults("store: {retention_days: -1}").contains("retention_days"));
    assert!(read("").unwrap().redacted_yaml().contains("retention_days: 90"));
}

#[test]
fn bounds_hold() {
    let deep = "[".repeat(5000);
    assert!(faults(&deep).len() < 2000);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]";
    assert!(faults(bomb).contains("can be read"));
    assert!(faults(&"# x\n".repeat(400_000)).contains("at most"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\n]{0,200}") { let _ = read(&text); }

    #[test]
    fn any_yaml_like_text_is_read_or_refused(
        text in "((server|aws|local|providers|spec|kind|store|logging): ?(\\{\\}|\\[\\]|\\$\\{X:-a\\}|&a|\\*a|1|'x'|\n  [a-z_]{1,8}: x)\n){0,6}"
    ) { let _ = read(&text); }
}
