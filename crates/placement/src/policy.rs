//! Policies as they bear on one question.

use std::collections::BTreeMap;

use novacron_types::{
    Money,
    placement::{Action, ActionKind, Condition, ConditionKind, Operator, PlacementRequest, Policy, Scalar},
};

use crate::{Market, PlacementError, Places, Settings};

/// What a preference multiplies by where the policy does not say.
const PREFERRED: f64 = 1.25;

/// A policy that applied, for the explanation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Applied {
    pub name: String,
    pub words: String,
}

/// A comparison of an exact amount in 10⁻⁹.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compare {
    pub operator: Operator,
    pub nanos: i128,
}

impl Compare {
    pub fn holds(self, value: i128) -> bool {
        match self.operator {
            Operator::Less => value < self.nanos,
            Operator::AtMost => value <= self.nanos,
            Operator::More => value > self.nanos,
            Operator::AtLeast => value >= self.nanos,
            Operator::NotEqual => value != self.nanos,
            _ => value == self.nanos,
        }
    }
}

/// Where a condition holds, once the machine is known.
#[derive(Debug, Clone)]
pub(crate) enum Where {
    Everywhere,
    /// In these regions.
    At(Places),
    Cost(Compare),
    Performance(Compare),
}

/// A policy whose condition may hold for the machine.
#[derive(Debug, Clone)]
pub(crate) struct Bearing<'p> {
    pub policy: &'p Policy,
    pub place: Where,
    /// What the action's places stand for; absent where it names none.
    pub places: Option<Places>,
}

impl Bearing<'_> {
    pub fn factor(&self) -> Option<f64> {
        let own = self.policy.score_multiplier;
        if self.policy.action.kind == ActionKind::Prefer { Some(own.unwrap_or(PREFERRED)) } else { own }
    }

    /// Nowhere else than at its places.
    pub fn restricts(&self) -> bool {
        matches!(self.policy.action.kind, ActionKind::Restrict | ActionKind::Place)
    }

    pub fn applied(&self) -> Applied {
        let action = action_words(&self.policy.action, self.factor());
        let words = match self.policy.condition.as_ref().filter(|_| !matches!(self.place, Where::Everywhere)) {
            Some(condition) => format!("{action}, where {}", condition_words(condition)),
            None => action,
        };
        Applied { name: self.policy.name.clone(), words }
    }
}

/// The policies that bear on a request, the highest priority first.
pub(crate) fn bearing<'p>(
    market: &Market,
    settings: &'p Settings,
    request: &PlacementRequest,
) -> Result<Vec<Bearing<'p>>, PlacementError> {
    let mut found = Vec::new();
    for policy in &settings.policies {
        let Some(place) = applies(market, policy, request)? else { continue };
        if !matches!(place, Where::Everywhere) && is_before_a_place(policy.action.kind) {
            return Err(wrong(
                policy,
                "its action comes before a place is known: its condition can be on a label or the workload",
            ));
        }
        let mut names = policy.action.places().peekable();
        let places = match names.peek() {
            None => None,
            Some(_) => Some(Places::any_of(market, names).map_err(|error| wrong(policy, &error.to_string()))?),
        };
        check_factor(policy)?;
        found.push(Bearing { policy, place, places });
    }
    found.sort_by(|a, b| b.policy.priority.cmp(&a.policy.priority).then_with(|| a.policy.name.cmp(&b.policy.name)));
    contradictions(&found)?;
    Ok(found)
}

/// What a machine's size or group is, does not hang on where it could be.
fn is_before_a_place(kind: ActionKind) -> bool {
    matches!(kind, ActionKind::Scale | ActionKind::Distribute)
}

fn check_factor(policy: &Policy) -> Result<(), PlacementError> {
    let fits = |factor: Option<f64>| factor.is_none_or(|factor| (0.01..=100.0).contains(&factor));
    if !fits(policy.score_multiplier) || !fits(policy.action.factor) {
        return Err(wrong(policy, "a multiplier or factor is between 0.01 and 100"));
    }
    Ok(())
}

fn wrong(policy: &Policy, why: &str) -> PlacementError {
    PlacementError::Policy { policy: policy.name.clone(), why: why.to_owned() }
}

/// Two that each leave some places, and together none.
fn contradictions(bearing: &[Bearing<'_>]) -> Result<(), PlacementError> {
    let hard: Vec<_> = bearing.iter().filter(|b| b.restricts() && matches!(b.place, Where::Everywhere)).collect();
    for (i, first) in hard.iter().enumerate() {
        for second in &hard[i + 1..] {
            let (Some(a), Some(b)) = (&first.places, &second.places) else { continue };
            let paid = a.pricing.zip(b.pricing).is_none_or(|(a, b)| a & b != 0);
            if !a.is_empty() && !b.is_empty() && (!a.meets(b) || !paid) {
                let names = |b: &Bearing<'_>| b.policy.action.places().collect::<Vec<_>>().join(", ");
                return Err(PlacementError::Contradiction {
                    first: first.policy.name.clone(),
                    second: second.policy.name.clone(),
                    why: format!("the one allows only {}, the other only {}", names(first), names(second)),
                });
            }
        }
    }
    Ok(())
}

/// `None` where the policy is not about this machine.
fn applies(market: &Market, policy: &Policy, request: &PlacementRequest) -> Result<Option<Where>, PlacementError> {
    let Some(condition) = &policy.condition else { return Ok(Some(Where::Everywhere)) };
    let everywhere = |holds: bool| Ok(holds.then_some(Where::Everywhere));
    match condition.kind {
        ConditionKind::Label => {
            let Some(key) = &condition.key else { return Err(wrong(policy, "a condition on a label needs its `key`")) };
            everywhere(text_holds(condition, request.tags.get(key).map(String::as_str)))
        }
        ConditionKind::Workload => {
            let workload = request.workload.as_deref().or_else(|| request.tags.get("workload").map(String::as_str));
            everywhere(text_holds(condition, workload))
        }
        ConditionKind::Cost => Ok(Some(Where::Cost(compare(policy, condition)?))),
        ConditionKind::Performance => Ok(Some(Where::Performance(compare(policy, condition)?))),
        ConditionKind::Compliance => {
            let mut places = Places::none(market);
            for value in condition.all_values() {
                let programme = crate::build::programme_bit(&value.to_string())?;
                for (in_it, listed) in places.regions.iter_mut().zip(&market.compliance) {
                    *in_it |= listed & programme != 0;
                }
                let name = value.to_string();
                for (in_it, host) in places.hosts.iter_mut().zip(&market.hosts) {
                    *in_it |= host.lists(&name);
                }
            }
            Ok(Some(Where::At(negated(condition, places))))
        }
        ConditionKind::Location => {
            let mut places = Places::none(market);
            for value in condition.all_values() {
                places.join(&Places::of_region(market, &value.to_string()).map_err(|e| wrong(policy, &e.to_string()))?);
            }
            Ok(Some(Where::At(negated(condition, places))))
        }
    }
}

fn negated(condition: &Condition, mut places: Places) -> Places {
    if matches!(condition.operator, Operator::NotEqual | Operator::NotIn) {
        places.regions.iter_mut().chain(&mut places.hosts).for_each(|in_it| *in_it = !*in_it);
    }
    places
}

/// Whether a text meets a condition; one that is absent equals nothing.
pub(crate) fn text_holds(condition: &Condition, text: Option<&str>) -> bool {
    let any = |test: &dyn Fn(&str, &str) -> bool| {
        text.is_some_and(|text| condition.all_values().any(|value| test(text, &value.to_string())))
    };
    let ordered = |wanted: fn(std::cmp::Ordering) -> bool| {
        any(&|text, value| {
            let (Ok(a), Ok(b)) = (text.parse::<f64>(), value.parse::<f64>()) else { return false };
            a.partial_cmp(&b).is_some_and(wanted)
        })
    };
    match condition.operator {
        Operator::Equal | Operator::In => any(&|text, value| text == value),
        Operator::NotEqual | Operator::NotIn => !any(&|text, value| text == value),
        Operator::Contains => any(&|text, value| text.contains(value)),
        Operator::Exists => text.is_some(),
        Operator::Less => ordered(|o| o.is_lt()),
        Operator::AtMost => ordered(|o| o.is_le()),
        Operator::More => ordered(|o| o.is_gt()),
        Operator::AtLeast => ordered(|o| o.is_ge()),
        Operator::Near => false,
    }
}

fn compare(policy: &Policy, condition: &Condition) -> Result<Compare, PlacementError> {
    use Operator::{AtLeast, AtMost, Equal, Less, More, NotEqual};
    if !matches!(condition.operator, Less | AtMost | More | AtLeast | Equal | NotEqual) {
        return Err(wrong(policy, &format!("`{}` does not compare amounts; write <, <=, > or >=", condition.operator)));
    }
    let value = condition.all_values().next().map(Scalar::to_string).unwrap_or_default();
    // A number that is written with an exponent is read in full.
    let whole = value.parse::<f64>().map_or_else(|_| value.clone(), |number| number.to_string());
    let amount: Money = whole.parse().map_err(|_| wrong(policy, &format!("{value:?} is not an amount")))?;
    if amount.currency != Money::usd_nanos(0).currency {
        return Err(wrong(policy, &format!("{value:?}: prices are compared in USD")));
    }
    Ok(Compare { operator: condition.operator, nanos: amount.nanos })
}

/// Labels of a peer as a request would have them, so that one condition serves both.
pub(crate) fn peer_matches(policy: &Policy, labels: &BTreeMap<String, String>) -> bool {
    let Some(condition) = &policy.condition else { return true };
    match condition.kind {
        ConditionKind::Label => {
            condition.key.as_ref().is_some_and(|key| text_holds(condition, labels.get(key).map(String::as_str)))
        }
        ConditionKind::Workload => text_holds(condition, labels.get("workload").map(String::as_str)),
        _ => true,
    }
}

/// `location != us-east`.
fn condition_words(condition: &Condition) -> String {
    let kind = match condition.kind {
        ConditionKind::Label => "label",
        ConditionKind::Workload => "workload",
        ConditionKind::Cost => "cost",
        ConditionKind::Performance => "performance",
        ConditionKind::Compliance => "compliance",
        ConditionKind::Location => "location",
    };
    let values: Vec<String> = condition.all_values().map(ToString::to_string).collect();
    format!("{kind} {} {}", condition.operator, values.join(", "))
}

pub(crate) fn action_words(action: &Action, factor: Option<f64>) -> String {
    let places = action.places().collect::<Vec<_>>().join(", ");
    let times = factor.map(|factor| format!(" (score × {factor})")).unwrap_or_default();
    match action.kind {
        ActionKind::Restrict => format!("only {places}{times}"),
        ActionKind::Place => format!("new machines only at {places}{times}"),
        ActionKind::Prefer => format!("rather {places}{times}"),
        ActionKind::Migrate => format!("machines that exist are to move to {places}{times}"),
        ActionKind::Scale => format!("size × {}{times}", action.factor.unwrap_or(1.0)),
        ActionKind::Distribute => {
            let least = |n: Option<u32>, what: &str| n.map(|n| format!("at least {n} {what}"));
            let parts: Vec<_> = [least(action.min_providers, "providers"), least(action.min_zones, "zones")]
                .into_iter()
                .flatten()
                .collect();
            format!("spread over {}{times}", parts.join(" and "))
        }
    }
}
