//! Policies that can't all be followed.

use std::collections::{BTreeMap, BTreeSet};

use novacron_types::placement::{ActionKind, Condition, Operator, Policy, Scalar};

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
/// `providers` are the configured providers with their kinds. `apart` says whether two regions, zones or groups certainly have
/// no place in common.
pub fn contradictions(
    policies: &[Policy],
    providers: &BTreeMap<String, String>,
    apart: &dyn Fn(&str, &str) -> bool,
) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let mut names = BTreeMap::new();
    for (second, policy) in policies.iter().enumerate() {
        match names.get(policy.name.as_str()) {
            Some(first) => {
                found.push(Contradiction { first: *first, second, why: "give each its own".into() });
                continue;
            }
            None => names.insert(policy.name.as_str(), second),
        };
        for (first, other) in policies[..second].iter().enumerate() {
            if other.name == policy.name || !both_can_hold(other.condition.as_ref(), policy.condition.as_ref()) {
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

fn clash(
    a: &Policy,
    b: &Policy,
    providers: &BTreeMap<String, String>,
    apart: &dyn Fn(&str, &str) -> bool,
) -> Option<String> {
    let confines = |policy: &Policy| matches!(policy.action.kind, ActionKind::Restrict | ActionKind::Place);
    match (a.action.kind, b.action.kind) {
        _ if confines(a) && confines(b) => {
            let nowhere = if names_only_providers(a) && names_only_providers(b) {
                disjoint(&a.action.providers, &b.action.providers, &|a, b| !same_provider(a, b, providers))
            } else {
                names_only_regions(a) && names_only_regions(b) && disjoint(&a.action.regions, &b.action.regions, apart)
            };
            nowhere.then(|| "both can hold for one machine, and no place is in both".to_owned())
        }
        (ActionKind::Scale, ActionKind::Scale) if a.priority == b.priority => {
            Some("both can scale one machine, and neither has the higher priority".to_owned())
        }
        (_, ActionKind::Distribute) if confines(a) && names_only_providers(a) => {
            let most = reach(&a.action.providers, providers);
            let least = b.action.min_providers.unwrap_or(0) as usize;
            (most < least).then(|| {
                format!("both can hold for the same machines, which may be at {most} of the {least} providers that are asked for")
            })
        }
        _ => None,
    }
}

fn names_only_providers(policy: &Policy) -> bool {
    let action = &policy.action;
    !action.providers.is_empty() && action.regions.is_empty() && action.target.is_none()
}

fn names_only_regions(policy: &Policy) -> bool {
    let action = &policy.action;
    !action.regions.is_empty() && action.providers.is_empty() && action.target.is_none()
}

fn disjoint(a: &[String], b: &[String], apart: &dyn Fn(&str, &str) -> bool) -> bool {
    a.iter().all(|a| b.iter().all(|b| apart(a, b)))
}

/// Whether one provider can be both: by name, or by its kind. A way of paying can be had anywhere.
fn same_provider(a: &str, b: &str, providers: &BTreeMap<String, String>) -> bool {
    let pays = |name: &str| crate::keys::PRICING.contains(&name) && !providers.contains_key(name);
    let kind_of = |name: &str, kind: &str| providers.get(name).is_some_and(|of| of == kind);
    a == b || pays(a) || pays(b) || kind_of(a, b) || kind_of(b, a)
}

/// At how many providers a machine can be at most: each one that is named, and all of the kinds that are.
fn reach(names: &[String], providers: &BTreeMap<String, String>) -> usize {
    let mut all = BTreeSet::new();
    for name in names {
        if providers.contains_key(name) {
            all.insert(name.as_str());
        } else if crate::keys::PRICING.contains(&name.as_str()) {
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
fn both_can_hold(a: Option<&Condition>, b: Option<&Condition>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return true };
    if a.kind != b.kind || a.key != b.key {
        return false;
    }
    if a == b {
        return true;
    }
    let texts = |condition: &Condition| condition.all_values().map(Scalar::to_string).collect::<BTreeSet<_>>();
    let (mine, theirs) = (texts(a), texts(b));
    match (set(a), set(b)) {
        (Some(true), Some(true)) => !mine.is_disjoint(&theirs),
        (Some(true), Some(false)) => !mine.is_subset(&theirs),
        (Some(false), Some(true)) => !theirs.is_subset(&mine),
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
