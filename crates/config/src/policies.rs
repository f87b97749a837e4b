//! The policies: whether each makes sense, and whether they can all be followed.

mod contradiction;

use std::collections::BTreeMap;

use novacron_types::placement::{Action, ActionKind, Condition, ConditionKind, Policy};
use serde_json::Value;

use crate::{check::Checker, error::Place, sense};

pub use contradiction::{Apart, Contradiction, contradictions};

/// Each is held against every other, and asked at every decision.
const MOST: usize = 1000;

/// The policies, and where each stands. `value` is the list as it was checked, with holes; `providers` are the configured ones
/// with their kinds.
pub(crate) fn read(
    checker: &mut Checker<'_>,
    value: Option<&Value>,
    providers: &BTreeMap<String, String>,
) -> (Vec<Policy>, Vec<Place>) {
    let list = checker.top("policies");
    let count = value.and_then(Value::as_array).map_or(0, Vec::len);
    if count > MOST {
        checker.fault(&list, format!("there are {count} policies; {MOST} are the most"));
        return Default::default();
    }
    let mut policies = Vec::new();
    let mut places = Vec::new();
    for (index, value) in value.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let path = format!("{list}[{index}]");
        if !checker.is_right(&path) {
            continue;
        }
        let Ok(policy) = serde_json::from_value::<Policy>(value.clone()) else { continue };
        if let Some(condition) = &policy.condition {
            sense::condition(checker, &format!("{path}.condition"), condition);
            before_a_place(checker, &format!("{path}.condition"), condition, &policy.action);
        }
        action(checker, &format!("{path}.action"), &policy.action);
        places.push(checker.place(&format!("{path}.name")));
        policies.push(policy);
    }
    // Where a provider is, the catalog tells whoever has it.
    let apart = Apart { regions: &regions_apart, provider_and_region: &|_, _| false };
    for Contradiction { first, second, why } in contradictions(&policies, providers, &apart) {
        let (a, b) = (&policies[first].name, &policies[second].name);
        let message = if a == b {
            format!("there are two policies with the name `{a}`, here and in line {}; {why}", places[first].line)
        } else {
            format!("policy `{b}` contradicts policy `{a}` in line {}: {why}", places[first].line)
        };
        checker.faults.at(places[second], message);
    }
    (policies, places)
}

/// What a machine's size or group is, does not hang on where it could be.
fn before_a_place(checker: &mut Checker<'_>, path: &str, condition: &Condition, action: &Action) {
    let of_machine = matches!(condition.kind, ConditionKind::Label | ConditionKind::Workload);
    if matches!(action.kind, ActionKind::Scale | ActionKind::Distribute) && !of_machine {
        let word = checker.quote(&format!("{}.action.type", path.trim_end_matches(".condition")));
        let message = format!(
            "an action of type {word} comes before a place is known: its condition can be on `label` or `workload`"
        );
        checker.fault(&format!("{path}.type"), message);
    }
}

fn action(checker: &mut Checker<'_>, path: &str, action: &Action) {
    let to_places =
        matches!(action.kind, ActionKind::Restrict | ActionKind::Prefer | ActionKind::Place | ActionKind::Migrate);
    let word = checker.quote(&format!("{path}.type"));
    let misplaced = [
        ("providers", !action.providers.is_empty(), to_places),
        ("regions", !action.regions.is_empty(), to_places),
        ("target", action.target.is_some(), to_places),
        ("min_providers", action.min_providers.is_some(), action.kind == ActionKind::Distribute),
        ("min_zones", action.min_zones.is_some(), action.kind == ActionKind::Distribute),
        ("group_by", action.group_by.is_some(), action.kind == ActionKind::Distribute),
        ("factor", action.factor.is_some(), action.kind == ActionKind::Scale),
    ];
    for (key, set, fits) in misplaced {
        if set && !fits {
            checker.fault(&checker.at(path, key), format!("an action of type {word} has no use for it"));
        }
    }
    let needs = match action.kind {
        ActionKind::Distribute if action.min_providers.is_none() && action.min_zones.is_none() => {
            "`min_providers` or `min_zones`"
        }
        ActionKind::Scale if action.factor.is_none() => "`factor`",
        _ if to_places && action.places().next().is_none() => "`providers`, `regions` or `target`",
        _ => return,
    };
    checker.fault(path, format!("an action of type {word} needs {needs}"));
}

/// Whether two regions certainly have no place in common, as far as their names tell: those of vendors end in a digit, zones and
/// groups do not.
fn regions_apart(a: &str, b: &str) -> bool {
    let region = |name: &str| name.ends_with(|c: char| c.is_ascii_digit());
    a != b && region(a) && region(b)
}
