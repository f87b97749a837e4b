//! Policies: what makes no sense, what contradicts what, and where it is said to be.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use novacron_config::{Config, Context, KindInfo, Overrides, parse};
use novacron_provider::KeyInfo;
use novacron_types::ProviderKind;

const KINDS: &[KindInfo] = &[
    KindInfo { kind: ProviderKind::Aws, keys: &[KeyInfo { name: "region", secret: false, doc: "" }] },
    KindInfo { kind: ProviderKind::Files, keys: &[] },
];

/// With two providers of kind `aws` beside `local`.
fn read(policies: &str) -> Result<Config, String> {
    let text = format!(
        "providers: [{{name: aws-us-east, kind: aws}}, {{name: aws-eu-west, kind: aws}}]\npolicies:\n{policies}"
    );
    let context = Context { file: "f", env: &|_| None, kinds: KINDS, overrides: Overrides::default() };
    parse(&text, &context).map_err(|error| error.to_string())
}

fn policy(condition: &str, action: &str) -> String {
    format!("- {{name: p, condition: {{{condition}}}, action: {{{action}}}}}\n")
}

#[test]
fn what_makes_no_sense() {
    let anywhere = "type: prefer, target: aws";
    for (condition, action, says) in [
        ("type: label, value: us", anywhere, "f:3:24: `policies[0].condition`: a condition on a label needs `key`"),
        ("type: label, key: a", anywhere, "`label ==` needs a `value`"),
        ("type: label, key: a, operator: <, value: 1", anywhere, "`label <` makes no sense"),
        ("type: label, key: a, operator: exists, value: 1", anywhere, "`exists` takes no value"),
        ("type: workload, key: a, value: batch", anywhere, "it belongs to `label`, and not to `workload`"),
        ("type: cost, value: 1", anywhere, "`cost` needs an `operator`: `<`, `<=`, `>`, `>=`, `==`, `!=`"),
        ("type: cost, operator: '>', value: 1 EUR", anywhere, "convert it"),
        ("type: performance, operator: '>', value: fast", anywhere, "from 0 to 100 (points)"),
        ("type: location, operator: near, value: us-east", anywhere, "`location near` makes no sense"),
        ("type: weather, value: rain", anywhere, "expected one of `label`"),
        ("type: label, key: a, value: [b]", anywhere, "expected text, number, `true` or `false`, found a list"),
        (
            "type: workload, value: a",
            "type: restrict",
            "an action of type `restrict` needs `providers`, `regions` or `target`",
        ),
        ("type: workload, value: a", "type: distribute", "needs `min_providers` or `min_zones`"),
        ("type: workload, value: a", "type: distribute, min_providers: 0", "from 1 to 1000, found 0"),
        ("type: workload, value: a", "type: scale", "needs `factor`"),
        ("type: workload, value: a", "type: scale, factor: 0", "from 0.01 to 100"),
        (
            "type: workload, value: a",
            "type: prefer, target: aws, factor: 2",
            "`policies[0].action.factor`: an action of type `prefer` has no use for it",
        ),
        ("type: workload, value: a", "type: distribute, min_zones: 2, providers: [aws]", "has no use for it"),
        ("type: workload, value: a", "type: restrict, provider: [aws]", "did you mean `providers`?"),
        ("type: workload, value: a", "type: restrict, providers: aws", "expected a list"),
        (
            "type: workload, value: a",
            "type: restrict, providers: [aws-us-eats]",
            "there is no provider, kind of provider or way of paying `aws-us-eats`; did you mean `aws-us-east`?",
        ),
        (
            "type: location, operator: in, values: [eu]",
            "type: scale, factor: 4",
            "`policies[0].condition.type`: an action of type `scale` comes before a place is known",
        ),
        ("type: cost, operator: '>', value: 1", "type: distribute, min_zones: 2", "can be on `label` or `workload`"),
        ("type: workload, value: a", "type: prefer, providers: [spot-instance]", "did you mean `spot-instances`?"),
    ] {
        let shown = read(&policy(condition, action)).expect_err(action);
        assert!(shown.contains(says), "{condition} {action}\n{shown}");
        assert_eq!(shown.lines().count(), 1, "{shown}");
    }
    let shown = read("- {name: p, priority: -1, score_multiplier: 1000, action: {type: prefer, target: aws}}\n- {action: {type: prefer, target: aws}}").unwrap_err();
    assert!(shown.contains("`policies[0].priority`: expected whole number from 0"), "{shown}");
    assert!(shown.contains("`policies[0].score_multiplier`: expected number from 0.01 to 100, found 1000"), "{shown}");
    assert!(shown.contains("f:4:3: `policies[1]` needs `name`"), "{shown}");
}

#[test]
fn contradictions_name_both() {
    let two = |a: &str, b: &str| read(&format!("- {{name: one, {a}}}\n- {{name: two, {b}}}\n"));
    for (a, b, says) in [
        (
            "action: {type: restrict, providers: [aws]}",
            "action: {type: restrict, providers: [local]}",
            "no place is in both",
        ),
        (
            "action: {type: restrict, providers: [aws-us-east]}",
            "priority: 9, action: {type: place, providers: [aws-eu-west, local]}",
            "no place is in both",
        ),
        (
            "condition: {type: label, key: zone, value: eu}, action: {type: restrict, providers: [aws]}",
            "condition: {type: label, key: zone, operator: in, values: [us, eu]}, action: {type: restrict, providers: [local]}",
            "no place is in both",
        ),
        (
            "condition: {type: label, key: zone, operator: exists}, action: {type: restrict, providers: [aws]}",
            "condition: {type: label, key: zone, value: eu}, action: {type: restrict, providers: [local]}",
            "no place is in both",
        ),
        (
            "action: {type: restrict, regions: [us-east-1]}",
            "action: {type: restrict, regions: [eu-west-1, eu-west-2]}",
            "no place is in both",
        ),
        ("action: {type: migrate, target: aws}", "action: {type: restrict, providers: [local]}", "no place is in both"),
        (
            "action: {type: migrate, target: eu-west-1}",
            "action: {type: restrict, regions: [us-east-1]}",
            "no place is in both",
        ),
        (
            "priority: 5, action: {type: scale, factor: 2}",
            "priority: 5, action: {type: scale, factor: 0.5}",
            "neither has the higher priority",
        ),
        (
            "action: {type: restrict, providers: [local]}",
            "action: {type: distribute, min_providers: 2}",
            "1 of the 2 providers",
        ),
        (
            "action: {type: distribute, min_providers: 3}",
            "action: {type: restrict, providers: [aws]}",
            "2 of the 3 providers",
        ),
    ] {
        let shown = two(a, b).expect_err(b);
        assert!(shown.starts_with("f:4:10: policy `two` contradicts policy `one` in line 3: "), "{shown}");
        assert!(shown.contains(says) && shown.lines().count() == 1, "{shown}");
    }
    for (a, b) in [
        ("action: {type: restrict, providers: [aws]}", "action: {type: restrict, providers: [aws-us-east, local]}"),
        ("action: {type: prefer, providers: [aws]}", "action: {type: prefer, providers: [local]}"),
        ("action: {type: restrict, providers: [aws]}", "action: {type: restrict, providers: [spot]}"),
        ("action: {type: restrict, regions: [us-east-1]}", "action: {type: restrict, regions: [us-east]}"),
        ("action: {type: restrict, regions: [us-east-1]}", "action: {type: restrict, providers: [local]}"),
        ("priority: 5, action: {type: scale, factor: 2}", "priority: 6, action: {type: scale, factor: 0.5}"),
        ("action: {type: restrict, providers: [aws]}", "action: {type: distribute, min_providers: 2}"),
        (
            "condition: {type: label, key: zone, value: eu}, action: {type: restrict, providers: [aws]}",
            "condition: {type: label, key: zone, value: us}, action: {type: restrict, providers: [local]}",
        ),
        (
            "condition: {type: label, key: zone, value: eu}, action: {type: restrict, providers: [aws]}",
            "condition: {type: label, key: zone, operator: not-in, values: [eu, us]}, action: {type: restrict, providers: [local]}",
        ),
        (
            "condition: {type: label, key: zone, value: eu}, action: {type: restrict, providers: [aws]}",
            "condition: {type: workload, value: batch}, action: {type: restrict, providers: [local]}",
        ),
    ] {
        assert_eq!(two(a, b).map(|config| config.policies.len()), Ok(2), "{a} {b}");
    }
    let many: String =
        (0..1001).map(|n| format!("- {{name: p{n}, action: {{type: prefer, target: aws}}}}\n")).collect();
    assert_eq!(read(&many).unwrap_err(), "f:3:3: `policies`: there are 1001 policies; 1000 are the most");
    let same =
        read("- {name: p, action: {type: prefer, target: aws}}\n- {name: p, action: {type: prefer, target: local}}\n");
    assert!(same.unwrap_err().starts_with("f:4:10: there are two policies with the name `p`, here and in line 3"));
}
