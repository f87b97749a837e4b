//! Manifests that are wrong in the ways in which people get them wrong: what is said, and where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use novacron_config::{Context, KindInfo, Manifest, Overrides, manifests, unknown_providers, unknown_regions};
use novacron_types::ProviderKind;
use proptest::prelude::*;

const KINDS: &[KindInfo] = &[KindInfo { kind: ProviderKind::Files, keys: &[] }];
const SECRET: &str = "hunter2hunter2";

fn read(text: &str) -> Result<Vec<Manifest>, String> {
    let env = |name: &str| match name {
        "SECRET" => Some(SECRET.to_owned()),
        "CPUS" => Some("4".to_owned()),
        "PRICE" => Some("0.25".to_owned()),
        _ => None,
    };
    let context = Context { file: "vm.yaml", env: &env, kinds: KINDS, overrides: Overrides::default() };
    manifests(text, &context).map_err(|error| error.to_string())
}

fn faults(text: &str) -> String {
    read(text).expect_err(text)
}

/// A machine with these resources, and with this much more to say under `spec`.
fn machine(resources: &str, more: &str) -> String {
    format!(
        "apiVersion: novacron.io/v1alpha1
kind: VirtualMachine
metadata: {{name: web}}
spec:
  template: {{spec: {{resources: {{{resources}}}}}}}
{more}"
    )
}

fn constraint(text: &str) -> String {
    machine("cpu: 1, memory: 1Gi", &format!("  federation: {{placement: {{constraints: [{{{text}}}]}}}}"))
}

#[test]
fn resources() {
    for (resources, says) in [
        ("cpu: 2.5, memory: 1Gi", "vm.yaml:5:38: `spec.template.spec.resources.cpu`"),
        ("cpu: 2.5, memory: 1Gi", "no part of one: write 3"),
        ("cpu: 0.1, memory: 1Gi", "write 1"),
        ("cpu: -1, memory: 1Gi", "found -1"),
        ("cpu: 0, memory: 1Gi", "found 0"),
        ("cpu: 99999999999999999999999, memory: 1Gi", "from 1 to 100000"),
        ("cpu: 500m, memory: 1Gi", "thousandths of one are for containers"),
        ("cpu: '4', memory: 1Gi", "take the quotes away"),
        ("cpu: four, memory: 1Gi", "found `four`"),
        ("cpu: [4], memory: 1Gi", "found a list"),
        ("cpu: , memory: 1Gi", "found nothing"),
        ("cpus: 4, memory: 1Gi", "did you mean `cpu`?"),
        ("memory: 1Gi", "`spec.template.spec.resources` needs `cpu`"),
        ("cpu: 1, memory: 8", "has no unit and so is bytes; did you mean `8Gi`?"),
        ("cpu: 1, memory: 8.5", "did you mean `8.5Gi`?"),
        ("cpu: 1, memory: -8Gi", "less than nothing"),
        ("cpu: 1, memory: -8", "less than nothing"),
        ("cpu: 1, memory: 1Ki", "less than any machine has"),
        ("cpu: 1, memory: 2000Ti", "more than any machine has"),
        ("cpu: 1, memory: 99999999999Ti", "more than any machine has"),
        ("cpu: 1, memory: 8GG", "found `8GG`"),
        ("cpu: 1, memory: {gb: 8}", "found a block of keys"),
        ("cpu: 1, memory: 1Gi, disk: lots", "resources.disk`: expected size with its unit"),
        ("cpu: 1, memory: 1Gi, gpu: 1", "expected a block of keys (count, model, memoryGb)"),
        ("cpu: 1, memory: 1Gi, gpu: {count: 0}", "from 1 to 1024"),
        ("cpu: 1e999, memory: 1Gi", "non-finite"),
    ] {
        let shown = faults(&machine(resources, ""));
        assert!(shown.contains(says), "{resources}\n{shown}");
    }
    for good in [
        "cpu: 4, memory: 8GB",
        "cpu: 4, memory: 8589934592",
        "cpu: '${CPUS}', memory: 1.5 GiB",
        "cpu: 1, memory: 512Mi, gpu: {}",
    ] {
        assert_eq!(read(&machine(good, "")).map(|all| all.len()), Ok(1), "{good}");
    }
}

#[test]
fn constraints() {
    for (text, says) in [
        ("type: cost, operator: in, values: [1]", "`cost in` makes no sense; `cost` takes `<`, `<=`"),
        ("type: cost, value: 3", "`cost` needs an `operator`: `<`, `<=`"),
        ("type: cost, operator: <, value: 0.1 EUR", "prices are compared in US dollars: convert it"),
        ("type: cost, operator: <, value: 0", "nothing costs less than 0"),
        ("type: cost, operator: <=, value: -1", "nothing costs less than -1"),
        ("type: cost, operator: <, value: cheap", "expected dollars an hour (`0.05`), found `cheap`"),
        ("type: cost, operator: <, value: 0.00000000001", "at most nine decimals"),
        ("type: cost, operator: =<, value: 1", "did you mean `<=`?"),
        ("type: region, operator: near, value: us-east-1", "`near` needs `maxLatency`"),
        ("type: region, operator: near, value: '91,0', maxLatency: 1", "the latitude is a number from -90 to 90"),
        ("type: region, operator: nearby, value: a", "did you mean `near`?"),
        (
            "type: region, operator: in, values: [a], maxLatency: 10ms",
            "constraints[0].maxLatency`: it belongs to `near`",
        ),
        ("type: region, operator: near, value: a, maxLatency: 10 minutes", "found `10 minutes`"),
        ("type: region, operator: near, values: [a, b], maxLatency: 1", "`near` takes one value, found 2"),
        ("type: regoin, value: a", "did you mean `region`?"),
        (
            "type: provider, operator: <, value: aws",
            "`provider <` makes no sense; `provider` takes `==`, `!=`, `in`, `not-in`",
        ),
        ("type: provider, values: [aws, azure]", "`==` takes one value, found 2; did you mean `in`?"),
        ("type: provider, operator: '!=', values: [aws, azure]", "did you mean `not-in`?"),
        ("type: provider, operator: in", "`provider in` needs a `value`"),
        ("type: provider, operator: in, values: aws", "expected a list"),
        ("type: provider, value: 3", "expected a text, found 3; write it in quotes"),
        ("type: sla, operator: '>=', value: 99.95%", "write the number alone"),
        ("type: sla, operator: '>=', value: 101", "from 0 to 100 (percent), found 101"),
        ("type: bandwidth, operator: '>=', value: 10Gbps", "megabits a second"),
        ("type: pricing, value: spott", "did you mean `spot`?"),
        ("type: architecture, value: amd64", "did you mean `x86_64`?"),
        ("operator: in", "needs `type`"),
        ("typ: cost", "unknown key `spec.federation.placement.constraints[0].typ`; did you mean `type`?"),
        ("type: region, operator: near, value: a, maxLatncy: 1ms", "did you mean `maxLatency`?"),
    ] {
        let shown = faults(&constraint(text));
        assert!(shown.contains(says), "{text}\n{shown}");
        // What is wrong with a key is not held against its neighbours.
        let most = if text.contains("typ:") || text.contains("Latncy") { 2 } else { 1 };
        assert!(shown.lines().count() <= most, "{text}\n{shown}");
    }
    for good in [
        "type: cost, operator: <, value: '${PRICE}'",
        "type: cost, operator: <=, value: 0.05 USD",
        "type: region, operator: near, value: us-east-1, max_latency: 0.5s",
        "type: region, operator: near, value: '50.11, 8.68', max_latency: 20ms",
        "type: compliance, operator: contains, value: HIPAA",
        "type: instance-type, operator: not_in, values: [m5, t3.micro]",
        "type: architecture, operator: =, value: arm64",
    ] {
        assert_eq!(read(&constraint(good)).map(|all| all.len()), Ok(1), "{good}");
    }
}

#[test]
fn documents() {
    for (text, says) in [
        ("- a", "vm.yaml:1:1: expected a document with `apiVersion` and `kind`, found a list"),
        ("text", "found a text"),
        ("metadata: {}", "the document needs `kind`"),
        ("kind: Pod", "there is no kind `Pod`; there are FederationConfig and VirtualMachine"),
        (
            "kind: virtualmachine",
            "vm.yaml:1:7: `kind`: there is no kind `virtualmachine`; did you mean `VirtualMachine`?",
        ),
        ("kind: [VirtualMachine]", "found a list"),
        (
            "apiVersion: v1\nkind: VirtualMachine",
            "vm.yaml:1:13: `apiVersion`: expected one of `novacron.io/v1alpha1`, found `v1`",
        ),
        ("kind: VirtualMachine", "the document needs `apiVersion`"),
        (
            "kind: VirtualMachine\nmetadata: [a]",
            "`metadata`: expected a block of keys (name, labels, annotations), found a list",
        ),
        ("kind: VirtualMachine\nkind: VirtualMachine", "vm.yaml:2:1: duplicate key `kind`"),
        ("kind: VirtualMachine\nmetadata:\n\tname: a", "line 3 is indented with a tab"),
        ("kind: VirtualMachine\n\tmetadata: a", "line 2 is indented with a tab"),
        ("kind: VirtualMachine\nmetadata: {name: ${SECRET}}", "a variable stands in quotes"),
        ("kind: VirtualMachine\nmetadata: {name: '${NOPE}'}", "`NOPE` is not set"),
        (
            "kind: FederationConfig\napiVersion: novacron.io/v1alpha1\n---\nkind: FederationConfig\napiVersion: novacron.io/v1alpha1",
            "two configurations, here and in line 1",
        ),
    ] {
        let shown = faults(text);
        assert!(shown.contains(says), "{text}\n{shown}");
    }
    let head =
        "apiVersion: novacron.io/v1alpha1\nkind: VirtualMachine\nmetadata: {name: web}\nspec:\n  replicas: 1.5\n";
    let listed = "  federation:\n    placement:\n      constraints:\n";
    for (text, says) in [
        ("  strategy: cost", "vm.yaml:6:3: unknown key `spec.strategy`; it belongs in `spec.federation.placement`"),
        ("  template: {spec: {memory: 8Gi}}", "it belongs in `spec.template.spec.resources`"),
        ("  template: {spec: {storage: 8Gi}}", "known here: resources, architecture, instanceType"),
        ("  template:\n    cpu:4", "found a text; after a key's colon there is a space"),
        ("  replicas: three", "duplicate key `replicas`"),
        (
            "  federation: {placement: {constraints: {type: cost}}}",
            "expected a list of blocks of keys, found a block of keys; begin each with `- `",
        ),
        ("  federation: {failover: {priority: aws}}", "found a text; write it between brackets"),
    ] {
        let shown = faults(&format!("{head}{text}"));
        assert!(shown.contains(says), "{text}\n{shown}");
        assert!(
            text.contains("three")
                || shown.contains("vm.yaml:5:13: `spec.replicas`: expected whole number from 1 to 10000, found 1.5"),
            "{shown}"
        );
    }
    for (operator, says) in [
        (">", "expected an operator; write it in quotes"),
        (
            "!=",
            "vm.yaml:10:23: `spec.federation.placement.constraints[0].operator`: expected an operator; write it in quotes",
        ),
        (">=", "vm.yaml:10:21: this is not YAML that can be read"),
        (">=", "an operator stands in quotes"),
    ] {
        let shown =
            faults(&format!("{head}{listed}        - type: sla\n          operator: {operator}\n          value: 99"));
        assert!(shown.contains(says), "{operator}\n{shown}");
    }
    let spec = "spec:\n  replicas: 0\n  federation: {enabled: yes, placement: {strategy: cheap, weights: {cost: 0}, pricing: spot, max_cost_per_hour: 1, maxCostPerHour: 2}}";
    let whole = faults(&format!(
        "apiVersion: novacron.io/v1alpha1\nkind: VirtualMachine\nmetadata: {{name: a b, labels: {{a: 1, b: true}}}}\n{spec}"
    ));
    for says in [
        "`metadata.name`: expected at most 128 letters",
        "`metadata.labels.a`: expected text, found a number; write it in quotes",
        "`metadata.labels.b`: expected text, found true",
        "`spec` needs `template`",
        "`spec.replicas`: expected whole number from 1 to 10000, found 0",
        "`spec.federation.enabled`: expected `true` or `false`, found `yes`",
        "`spec.federation.placement.strategy`: expected one of",
        "`spec.federation.placement.weights`: at least one weight is more than 0",
        "`spec.federation.placement.pricing`: expected a list",
        "`spec.federation.placement.maxCostPerHour` is set twice",
    ] {
        assert!(whole.contains(says), "{says}\n{whole}");
    }
    assert_eq!(whole.lines().count(), 10, "{whole}");
}

/// Replicas are named after the document: the longest of these names is held to the rule of names.
#[test]
fn a_name_has_room_for_its_replicas() {
    let of = |length: usize, replicas: u32| {
        format!(
            "apiVersion: novacron.io/v1alpha1\nkind: VirtualMachine\nmetadata:\n  name: {}\nspec:\n  \
             replicas: {replicas}\n  template: {{spec: {{resources: {{cpu: 1, memory: 1Gi}}}}}}\n",
            "x".repeat(length)
        )
    };
    for (length, replicas) in [(128, 1), (126, 10), (125, 11), (125, 100)] {
        assert_eq!(read(&of(length, replicas)).map(|read| read.len()), Ok(1), "{length} {replicas}");
    }
    let shown = faults(&of(126, 11));
    let says = "vm.yaml:4:9: `metadata.name`: 11 replicas get `-0` and so on behind it: expected at most 125 characters, found 126";
    assert!(shown.contains(says) && shown.lines().count() == 1, "{shown}");
    assert!(faults(&of(128, 2)).contains("at most 126 characters"));
}

#[test]
fn several_documents_and_json() {
    let one = machine("cpu: 1, memory: 1Gi", "");
    let two = one.replace("name: web", "name: db");
    let text = format!("---\n# nothing\n---\n{one}\n---\n{two}\n---\n");
    let all = read(&text).unwrap();
    assert_eq!(all.iter().map(|manifest| manifest.place().line).collect::<Vec<_>>(), [4, 11]);
    assert!(read("").unwrap().is_empty());

    let json = "{\n\t\"apiVersion\": \"novacron.io/v1alpha1\",\n\t\"kind\": \"VirtualMachine\",\n\t\"metadata\": {\"name\": \"web\", \"labels\": {\"a\": \"\\ud83d\\ude00\\/\"}},\n\t\
                \"spec\": {\"template\": {\"spec\": {\"resources\": {\"cpu\": 1, \"memory\": \"1Gi\"}}}}\n}";
    let all = read(json).unwrap();
    let [Manifest::VirtualMachine(document)] = &all[..] else { panic!("one machine") };
    assert_eq!(document.machine.metadata.labels["a"], "😀/");
    let shown = faults(&json.replace("\"cpu\": 1", "\"cpu\": 0"));
    assert!(shown.starts_with("vm.yaml:5:54: "), "{shown}");

    // A fault of each.
    let both =
        faults(&format!("{}\n---\n{}", one.replace("cpu: 1", "cpu: 0"), two.replace("memory: 1Gi", "memory: 1")));
    assert_eq!(both.lines().map(|line| line.split(':').nth(1).unwrap()).collect::<Vec<_>>(), ["5", "12"]);
}

#[test]
fn a_machine_has_its_name_for_itself() {
    let one = machine("cpu: 1, memory: 1Gi", "");
    let shown = faults(&format!("{one}\n---\n{one}"));
    assert!(shown.contains("vm.yaml:8:1: there are two machines with the name `web`, here and in line 1"), "{shown}");
    let numbered = machine("cpu: 1, memory: 1Gi", "  replicas: 3");
    let third = one.replace("name: web", "name: web-2");
    assert!(faults(&format!("{numbered}\n---\n{third}")).contains("the name `web-2`"));
    assert_eq!(read(&format!("{numbered}\n---\n{one}")).unwrap().len(), 2);
    let many: Vec<String> =
        (0..11).map(|n| machine("cpu: 1, memory: 1Gi", "  replicas: 10000").replace("web", &format!("w{n}"))).collect();
    assert!(faults(&many.join("\n---\n")).contains("110000 machines; 100000 are the most"));
}

#[test]
fn names_of_providers_and_regions() {
    let text = machine(
        "cpu: 1, memory: 1Gi",
        "  federation: {placement: {near: us-esat-1, constraints: [{type: provider, operator: in, values: [aws, loacl]}]}}",
    );
    let all = read(&text).unwrap();
    let [Manifest::VirtualMachine(document)] = &all[..] else { panic!("one machine") };
    let said: Vec<String> = unknown_providers(&document.references, &["local"])
        .into_iter()
        .chain(unknown_regions(&document.references, &|name| name == "us-east-1", &["us-east-1"], &[]))
        .map(|fault| fault.message)
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].ends_with("there is no provider or kind of provider `loacl`; did you mean `local`?"), "{said:?}");
    assert!(said[1].ends_with("there is no region, zone or group of regions `us-esat-1`; did you mean `us-east-1`?"));

    // Where the configuration is beside it, it is known.
    let shown = faults(&format!("apiVersion: novacron.io/v1alpha1\nkind: FederationConfig\n---\n{text}"));
    assert!(shown.contains("vm.yaml:9:104: ") && shown.contains("`loacl`"), "{shown}");
}

#[test]
fn what_a_variable_gave_is_never_shown() {
    let from = "'${SECRET}'";
    for text in [
        machine(&format!("cpu: {from}, memory: {from}, disk: {from}, gpu: {from}"), ""),
        constraint(&format!("type: cost, operator: <, value: {from}")),
        constraint(&format!("type: sla, operator: '>', value: {from}")),
        constraint(&format!("type: {from}, operator: {from}, maxLatency: {from}")),
        constraint(&format!("type: pricing, value: {from}")),
        machine(
            "cpu: 1, memory: 1Gi",
            &format!(
                "  federation: {{enabled: {from}, placement: {{strategy: {from}, pricing: [{from}], maxCostPerHour: {from}}}}}"
            ),
        ),
        format!("kind: {from}"),
        format!("kind: VirtualMachine\napiVersion: {from}\nspec: {from}\nmetadata: {{name: '${{SECRET}} x'}}"),
    ] {
        let shown = faults(&text);
        assert!(!shown.contains(SECRET), "{text}\n{shown}");
    }
}

#[test]
fn there_may_be_more_faults_than_are_shown() {
    let text: String = (0..50).map(|n| format!("k{n}: 1\n")).collect();
    let shown = faults(&format!("kind: VirtualMachine\n{text}"));
    assert_eq!(shown.lines().count(), 21);
    assert!(shown.ends_with("and 33 more faults"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\n\t]{0,200}") { let _ = read(&text); }

    #[test]
    fn any_machine_is_read_or_refused(
        key in "[a-zA-Z]{1,8}", value in "(-?[0-9]{0,3}\\.?[0-9]{0,3}[GMKTigb]{0,3}|\\[\\]|\\{\\}|'[ -&(-~]{0,9}')",
    ) {
        for text in [
            machine(&format!("cpu: {value}, memory: {value}"), ""),
            machine(&format!("cpu: 1, memory: 1Gi, {key}: {value}"), ""),
            constraint(&format!("type: cost, operator: <, value: {value}, {key}: {value}")),
        ] {
            let _ = read(&text);
        }
    }
}

#[test]
fn a_machine_that_is_printed_reads_as_itself() {
    let printed = |text: &str| {
        let all = read(text).unwrap();
        let [Manifest::VirtualMachine(document)] = &all[..] else { panic!("one machine") };
        serde_json::to_string(&document.machine).unwrap()
    };
    for label in ["plain", "true", "1e3", "a\u{85}b\u{2028}c\u{feff}", "tab\tnew\nline \\ \" '", "\u{1b}[0m", "ünï 😀"]
    {
        let text = machine(
            "cpu: 2, memory: 1.5Gi, gpu: {memoryGb: 0.1}",
            "  federation: {placement: {maxCostPerHour: 0.123456789, constraints: [{type: region, operator: near, value: a, maxLatency: 0.5s}]}}",
        );
        let text = text.replace(
            "{name: web}",
            &format!("{{name: web, labels: {{a: {}}}}}", serde_json::to_string(label).unwrap()),
        );
        let once = printed(&text);
        assert!(once.contains(&serde_json::to_string(label).unwrap()), "{once}");
        assert_eq!(printed(&once), once);
    }
}
