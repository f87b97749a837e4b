//! Policies that can't all be followed.

use std::collections::{BTreeMap, BTreeSet};

use novacron_types::placement::{ActionKind, Condition, Operator, Policy, Scalar};

use crate::keys::{KINDS, PRICING};

/// Two policies, by their numbers, of which only one can be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    pub first: usize,
    pub second: usize,
    pub why: String,
}

/// Every pair of policies that certainly contradict each other for some machine. Two policies can hold for one machine when
/// either has no condition, or both look at the same label and have a value in common.
///
/// `providers` are the configured providers with their kinds.
pub fn contradictions(
    policies: &[Policy],
    providers: &BTreeMap<String, String>,
    apart: &Apart<'_>,
) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let mut names = BTreeMap::new();
    let values: Vec<BTreeSet<String>> = policies
        .iter()
        .map(|policy| policy.condition.iter().flat_map(Condition::all_values).map(Scalar::to_string).collect())
        .collect();
    for (second, policy) in policies.iter().enumerate() {
        match names.get(policy.name.as_str()) {
            Some(first) => {
                found.push(Contradiction { first: *first, second, why: "give each its own".into() });
                continue;
            }
            None => names.insert(policy.name.as_str(), second),
        };
        for (first, other) in policies[..second].iter().enumerate() {
            let both =
                || both_can_hold(other.condition.as_ref(), policy.condition.as_ref(), &values[first], &values[second]);
            if other.name == policy.name || !both() {
                continue;
            }
            if let Some(why) = clash(other, policy, providers, apart).or_else(|| clash(policy, other, providers, apart))
            {
                found.push(Contradiction { first, second, why });
            }
        }
    }
    found
}

fn clash(a: &Policy, b: &Policy, providers: &BTreeMap<String, String>, apart: &Apart<'_>) -> Option<String> {
    use ActionKind::{Distribute, Migrate, Place, Restrict, Scale};
    match (a.action.kind, b.action.kind) {
        (Restrict, Restrict | Place | Migrate) | (Place, Place) if nowhere(a, b, providers, apart) => {
            Some("both can hold for one machine, and no place is in both".to_owned())
        }
        (Migrate, Migrate) if a.priority == b.priority && nowhere(a, b, providers, apart) => Some(
            "both can move one machine, to places that have nothing in common, and neither has the higher priority"
                .to_owned(),
        ),
        (Scale, Scale) if a.priority == b.priority => {
            Some("both can scale one machine, and neither has the higher priority".to_owned())
        }
        (Restrict | Place, Distribute) if names_only_providers(a) => {
            let most = reach(&a.action.providers, providers);
            let least = b.action.min_providers.unwrap_or(0) as usize;
            (most < least).then(|| {
                format!("both can hold for the same machines, which may be at {most} of the {least} providers that are asked for")
            })
        }
        _ => None,
    }
}

/// What is known of places that have nothing in common; what is not known, may have.
pub struct Apart<'a> {
    /// Of two regions, zones or groups.
    pub regions: &'a dyn Fn(&str, &str) -> bool,
    /// Of a provider's name or kind, and a region, zone or group.
    pub provider_and_region: &'a dyn Fn(&str, &str) -> bool,
}

/// Whether it is certain that no place is in both.
fn nowhere(a: &Policy, b: &Policy, providers: &BTreeMap<String, String>, apart: &Apart<'_>) -> bool {
    let (a, b) = (names(a, providers), names(b, providers));
    a.iter().all(|a| {
        b.iter().all(|b| match (a, b) {
            (Named::Provider(a), Named::Provider(b)) => !same_provider(a, b, providers),
            (Named::Region(a), Named::Region(b)) => (apart.regions)(a, b),
            (Named::Provider(provider), Named::Region(region)) | (Named::Region(region), Named::Provider(provider)) => {
                !pays(provider, providers) && (apart.provider_and_region)(provider, region)
            }
        })
    })
}

enum Named<'p> {
    /// A provider, a kind of provider, or a way of paying.
    Provider(&'p str),
    Region(&'p str),
}

/// The places of an action: any of them will do.
fn names<'p>(policy: &'p Policy, providers: &BTreeMap<String, String>) -> Vec<Named<'p>> {
    let action = &policy.action;
    let is_provider = |name: &str| providers.contains_key(name) || KINDS.contains(&name) || PRICING.contains(&name);
    let target = action.target.as_deref();
    let target = target.map(|name| if is_provider(name) { Named::Provider(name) } else { Named::Region(name) });
    let all = action.providers.iter().map(|name| Named::Provider(name));
    all.chain(action.regions.iter().map(|name| Named::Region(name))).chain(target).collect()
}

fn names_only_providers(policy: &Policy) -> bool {
    let action = &policy.action;
    !action.providers.is_empty() && action.regions.is_empty() && action.target.is_none()
}

/// A way of paying can be had anywhere.
fn pays(name: &str, providers: &BTreeMap<String, String>) -> bool {
    PRICING.contains(&name) && !providers.contains_key(name)
}

/// Whether one provider can be both: by name, or by its kind.
fn same_provider(a: &str, b: &str, providers: &BTreeMap<String, String>) -> bool {
    let kind_of = |name: &str, kind: &str| providers.get(name).is_some_and(|of| of == kind);
    a == b || pays(a, providers) || pays(b, providers) || kind_of(a, b) || kind_of(b, a)
}

/// At how many providers a machine can be at most: each one that is named, and all of the kinds that are.
fn reach(names: &[String], providers: &BTreeMap<String, String>) -> usize {
    let mut all = BTreeSet::new();
    for name in names {
        if providers.contains_key(name) {
            all.insert(name.as_str());
        } else if PRICING.contains(&name.as_str()) {
            return usize::MAX;
        } else {
            let of_kind: Vec<&str> =
                providers.iter().filter(|(_, kind)| *kind == name).map(|(name, _)| name.as_str()).collect();
            // A kind without a configured provider is one place to go all the same.
            all.extend(if of_kind.is_empty() { vec![name.as_str()] } else { of_kind });
        }
    }
    all.len()
}

/// Whether both are certain to hold for some machine that is written to meet them: one has no condition, or both look at the
/// same thing and a value meets both.
fn both_can_hold(
    a: Option<&Condition>,
    b: Option<&Condition>,
    mine: &BTreeSet<String>,
    theirs: &BTreeSet<String>,
) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return true };
    if a.kind != b.kind || a.key != b.key {
        return false;
    }
    if a == b {
        return true;
    }
    match (set(a), set(b)) {
        (Some(true), Some(true)) => !mine.is_disjoint(theirs),
        (Some(true), Some(false)) => !mine.is_subset(theirs),
        (Some(false), Some(true)) => !theirs.is_subset(mine),
        // There is always a value that neither names.
        (Some(false), Some(false)) => true,
        // A label that is there can have the other's value.
        _ => a.operator == Operator::Exists || b.operator == Operator::Exists,
    }
}

/// Whether the condition holds for the values that it names (true), or for all others (false).
fn set(condition: &Condition) -> Option<bool> {
    match condition.operator {
        Operator::Equal | Operator::In => Some(true),
        Operator::NotEqual | Operator::NotIn => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::subsequence};

    use super::*;

    const VALUES: [&str; 3] = ["a", "b", "c"];
    const PLACES: [&str; 5] = ["one", "two", "three", "aws", "azure"];

    fn providers() -> BTreeMap<String, String> {
        [("one", "aws"), ("two", "aws"), ("three", "gcp")].map(|(name, kind)| (name.into(), kind.into())).into()
    }

    fn policies() -> impl Strategy<Value = Vec<Policy>> {
        let operator = prop_oneof![Just(None), Just(Some("in")), Just(Some("not-in")), Just(Some("exists"))];
        let action = prop_oneof![
            Just("restrict"),
            Just("place"),
            Just("prefer"),
            Just("migrate"),
            Just("distribute"),
            Just("scale")
        ];
        let one = (operator, subsequence(&VALUES, 1..=3), action, subsequence(&PLACES, 1..=3), 0..2u32, 1..5u32);
        proptest::collection::vec(one, 2..4).prop_map(|all| {
            let policy = |(index, (operator, values, kind, places, priority, least)): (usize, _)| {
                let condition: Option<&str> = operator;
                let values: Vec<&str> = values;
                let action = match kind {
                    "distribute" => serde_json::json!({ "type": kind, "min_providers": least }),
                    "scale" => serde_json::json!({ "type": kind, "factor": 2 }),
                    _ => serde_json::json!({ "type": kind, "providers": places }),
                };
                let condition = condition.map(|operator| {
                    let values = if operator == "exists" { Vec::new() } else { values };
                    serde_json::json!({ "type": "label", "key": "k", "operator": operator, "values": values })
                });
                serde_json::from_value(serde_json::json!({
                    "name": format!("p{index}"), "priority": priority, "condition": condition, "action": action,
                }))
                .unwrap()
            };
            all.into_iter().enumerate().map(policy).collect()
        })
    }

    /// Whether the policy holds for a machine whose label has the value.
    fn holds(policy: &Policy, value: &str) -> bool {
        policy.condition.as_ref().is_none_or(|condition| {
            let named = condition.values.iter().any(|named| named.to_string() == value);
            match condition.operator {
                Operator::In => named,
                Operator::NotIn => !named,
                _ => true,
            }
        })
    }

    /// The providers that it names, those of its kinds, and kinds of which there is none.
    fn places(policy: &Policy) -> BTreeSet<String> {
        let configured = providers();
        let names = policy.action.providers.iter();
        let each = names.flat_map(|name| {
            let of_kind: Vec<String> =
                configured.iter().filter(|(_, kind)| *kind == name).map(|(n, _)| n.clone()).collect();
            if of_kind.is_empty() { vec![name.clone()] } else { of_kind }
        });
        each.collect()
    }

    /// Whether some machine can't follow both.
    fn impossible(a: &Policy, b: &Policy) -> bool {
        let both = ["a", "b", "c", "another"].into_iter().any(|value| holds(a, value) && holds(b, value));
        let confines = |policy: &Policy| matches!(policy.action.kind, ActionKind::Restrict | ActionKind::Place);
        let spread = |a: &Policy, b: &Policy| {
            confines(a)
                && b.action.kind == ActionKind::Distribute
                && places(a).len() < b.action.min_providers.unwrap() as usize
        };
        let is = |policy: &Policy, kind| policy.action.kind == kind;
        let apart = places(a).is_disjoint(&places(b));
        let moves = |a: &Policy, b: &Policy| is(a, ActionKind::Restrict) && is(b, ActionKind::Migrate) && apart;
        let equal = a.priority == b.priority;
        both && (confines(a) && confines(b) && apart
            || spread(a, b)
            || spread(b, a)
            || moves(a, b)
            || moves(b, a)
            || is(a, ActionKind::Migrate) && is(b, ActionKind::Migrate) && apart && equal
            || is(a, ActionKind::Scale) && is(b, ActionKind::Scale) && equal)
    }

    proptest! {
        #[test]
        fn as_trying_every_machine_and_place(policies in policies()) {
            let found: Vec<_> = contradictions(&policies, &providers(), &Apart { regions: &|_, _| false, provider_and_region: &|_, _| false })
                .into_iter()
                .map(|contradiction| (contradiction.first, contradiction.second))
                .collect();
            let mut wanted = Vec::new();
            for second in 0..policies.len() {
                wanted.extend((0..second).filter(|first| impossible(&policies[*first], &policies[second])).map(|first| (first, second)));
            }
            prop_assert_eq!(found, wanted);
        }
    }
}
