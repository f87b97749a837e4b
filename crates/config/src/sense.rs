//! What may be compared with what: the constraints of manifests, and the conditions of policies.

use novacron_types::{
    Money,
    placement::{Condition, ConditionKind, Constraint, ConstraintKind, Operator, Scalar},
};

use crate::{
    check::Checker,
    keys::PRICING,
    location::Location,
    scalar::near,
    schema::{Kind, Referent},
};

use Operator::{AtLeast, AtMost, Contains, Equal, Exists, In, Less, More, Near, NotEqual, NotIn};

/// What a constraint or condition takes.
struct Rule {
    word: &'static str,
    operators: &'static [Operator],
    value: Wanted,
}

#[derive(Clone, Copy)]
enum Wanted {
    Any,
    Text,
    Name(Referent),
    Word(&'static [&'static str]),
    Dollars,
    Number { most: f64, unit: &'static str },
}

const SETS: &[Operator] = &[Equal, NotEqual, In, NotIn];
const LABELS: &[Operator] = &[Equal, NotEqual, In, NotIn, Contains, Exists];
const ORDER: &[Operator] = &[Less, AtMost, More, AtLeast, Equal, NotEqual];
const LEAST: &[Operator] = &[AtLeast, More];
const ARCHITECTURES: &[&str] = &["x86_64", "arm64"];
const MEGABITS: f64 = 1e8;

fn of_constraint(kind: ConstraintKind) -> Rule {
    let (word, operators, value) = match kind {
        ConstraintKind::Provider => ("provider", SETS, Wanted::Name(Referent::Provider)),
        ConstraintKind::Region => {
            ("region", &[Equal, NotEqual, In, NotIn, Near] as &[_], Wanted::Name(Referent::Region))
        }
        ConstraintKind::Cost => ("cost", &[Less, AtMost] as &[_], Wanted::Dollars),
        ConstraintKind::Compliance => ("compliance", &[Contains, In, Equal] as &[_], Wanted::Name(Referent::Programme)),
        ConstraintKind::Sla => ("sla", LEAST, Wanted::Number { most: 100.0, unit: "percent" }),
        ConstraintKind::Bandwidth => ("bandwidth", LEAST, Wanted::Number { most: MEGABITS, unit: "megabits a second" }),
        ConstraintKind::Pricing => ("pricing", SETS, Wanted::Word(PRICING)),
        ConstraintKind::InstanceType => ("instance-type", SETS, Wanted::Text),
        ConstraintKind::Architecture => ("architecture", &[Equal, In] as &[_], Wanted::Word(ARCHITECTURES)),
    };
    Rule { word, operators, value }
}

fn of_condition(kind: ConditionKind) -> Rule {
    let (word, operators, value) = match kind {
        ConditionKind::Label => ("label", LABELS, Wanted::Any),
        ConditionKind::Workload => ("workload", LABELS, Wanted::Any),
        ConditionKind::Cost => ("cost", ORDER, Wanted::Dollars),
        ConditionKind::Performance => ("performance", ORDER, Wanted::Number { most: 100.0, unit: "points" }),
        ConditionKind::Compliance => {
            ("compliance", &[Contains, Equal, NotEqual, In, NotIn] as &[_], Wanted::Name(Referent::Programme))
        }
        ConditionKind::Location => {
            ("location", &[Equal, NotEqual, In, NotIn, Contains] as &[_], Wanted::Name(Referent::Region))
        }
    };
    Rule { word, operators, value }
}

pub(crate) fn constraint(checker: &mut Checker<'_>, path: &str, constraint: &Constraint) {
    let rule = of_constraint(constraint.kind);
    compare(checker, path, &rule, constraint.operator, constraint.value.as_ref(), &constraint.values);
    match (constraint.operator, constraint.max_latency) {
        (Near, None) => {
            checker.fault(path, "`near` needs `maxLatency`: the longest round trip, such as `10ms`");
        }
        (operator, Some(_)) if operator != Near => {
            checker.fault(&checker.at(path, "max_latency"), format!("it belongs to `near`, and not to `{operator}`"));
        }
        _ => {}
    }
}

pub(crate) fn condition(checker: &mut Checker<'_>, path: &str, condition: &Condition) {
    let rule = of_condition(condition.kind);
    match (condition.kind, &condition.key) {
        (ConditionKind::Label, None) => checker.fault(path, "a condition on a label needs `key`: the label's name"),
        (ConditionKind::Label, _) | (_, None) => {}
        (_, Some(_)) => {
            checker.fault(&format!("{path}.key"), format!("it belongs to `label`, and not to `{}`", rule.word));
        }
    }
    compare(checker, path, &rule, condition.operator, condition.value.as_ref(), &condition.values);
}

fn compare(
    checker: &mut Checker<'_>,
    path: &str,
    rule: &Rule,
    operator: Operator,
    value: Option<&Scalar>,
    values: &[Scalar],
) {
    let takes: Vec<String> = rule.operators.iter().map(|operator| format!("`{operator}`")).collect();
    let (word, takes) = (rule.word, takes.join(", "));
    let key = format!("{path}.operator");
    if matches!(rule.value, Wanted::Dollars | Wanted::Number { .. }) && !checker.is_set(&key) {
        // `==` is seldom what is meant of an amount.
        checker.fault(path, format!("`{word}` needs an `operator`: {takes}"));
        return;
    }
    if !rule.operators.contains(&operator) {
        checker.fault(&key, format!("`{word} {operator}` makes no sense; `{word}` takes {takes}"));
        return;
    }
    let count = values.len() + usize::from(value.is_some());
    match (operator, count) {
        (Exists, 0) | (In | NotIn, 1..) => {}
        (Exists, _) => checker.fault(path, "`exists` takes no value"),
        (_, 1) => {}
        (_, 0) => checker.fault(path, format!("`{} {operator}` needs a `value`", rule.word)),
        (Equal | NotEqual, _) => {
            let meant = if operator == Equal { In } else { NotIn };
            checker.fault(path, format!("`{operator}` takes one value, found {count}; did you mean `{meant}`?"));
        }
        _ => checker.fault(path, format!("`{operator}` takes one value, found {count}")),
    }
    let singles = value.map(|value| (format!("{path}.value"), value));
    let listed = values.iter().enumerate().map(|(index, value)| (format!("{path}.values[{index}]"), value));
    for (path, value) in singles.into_iter().chain(listed) {
        one(checker, &path, rule, operator, value);
    }
}

fn one(checker: &mut Checker<'_>, path: &str, rule: &Rule, operator: Operator, value: &Scalar) {
    let found = checker.quote(path);
    let fault = match (rule.value, value) {
        (Wanted::Any, _) | (Wanted::Text, Scalar::Text(_)) => return,
        (Wanted::Name(_), Scalar::Text(name)) if operator == Near && name.contains(',') => {
            match name.parse::<Location>() {
                Ok(_) => return,
                Err(why) => {
                    format!("expected a region, or latitude and longitude (`50.11,8.68`), found {found}; {why}")
                }
            }
        }
        (Wanted::Name(to), Scalar::Text(name)) => return checker.refer(to, name, path),
        (Wanted::Word(words), Scalar::Text(word)) if words.contains(&word.as_str()) => return,
        (Wanted::Word(words), _) => {
            let near = near(&value.to_string(), words).map(|near| format!("; did you mean `{near}`?"));
            format!("expected one of {}, found {found}{}", words.join(", "), near.unwrap_or_default())
        }
        (Wanted::Text | Wanted::Name(_), _) => format!("expected a text, found {found}; write it in quotes"),
        (Wanted::Dollars, value) => match dollars(value) {
            Ok(nanos) if nanos < 0 || nanos == 0 && operator == Less => {
                format!("nothing costs less than {found}")
            }
            Ok(_) => return,
            Err(why) => format!("expected dollars an hour (`0.05`), found {found}{why}"),
        },
        (Wanted::Number { most, unit }, Scalar::Number(number)) => match number.as_f64() {
            Some(number) if (0.0..=most).contains(&number) => return,
            _ => format!("expected a number from 0 to {most} ({unit}), found {found}"),
        },
        (Wanted::Number { most, unit }, _) => {
            format!("expected a number from 0 to {most} ({unit}), found {found}; write the number alone")
        }
    };
    checker.fault(path, fault);
}

fn dollars(value: &Scalar) -> Result<i128, &'static str> {
    let text = match value {
        Scalar::Bool(_) => return Err(""),
        // The shortest form of the number, which is what was written.
        Scalar::Number(number) => number.as_f64().map(|number| number.to_string()).unwrap_or_default(),
        Scalar::Text(text) => text.clone(),
    };
    match text.parse::<Money>() {
        Ok(money) if money.currency == *b"USD" => Ok(money.nanos),
        Ok(_) => Err("; prices are compared in US dollars: convert it"),
        Err(_) => Err("; write at most nine decimals, and no currency but USD"),
    }
}

/// Of constraints and of conditions: what each is on, the operators that it takes, and its value, in words.
pub(crate) fn tables() -> [Vec<[String; 3]>; 2] {
    use ConditionKind as On;
    use ConstraintKind as Of;
    let constraints = [
        Of::Provider,
        Of::Region,
        Of::Cost,
        Of::Compliance,
        Of::Sla,
        Of::Bandwidth,
        Of::Pricing,
        Of::InstanceType,
        Of::Architecture,
    ];
    let conditions = [On::Label, On::Workload, On::Cost, On::Performance, On::Compliance, On::Location];
    [constraints.map(|kind| of_constraint(kind).row()).into(), conditions.map(|kind| of_condition(kind).row()).into()]
}

impl Rule {
    fn row(&self) -> [String; 3] {
        let code = |words: Vec<String>| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let value = match self.value {
            Wanted::Any => "text, number, `true` or `false`".into(),
            Wanted::Text => "text".into(),
            Wanted::Name(to) => Kind::Reference(to).describe(),
            Wanted::Word(words) => code(words.iter().map(|word| (*word).to_owned()).collect()),
            Wanted::Dollars => "dollars an hour".into(),
            Wanted::Number { most, unit } => format!("number from 0 to {most} ({unit})"),
        };
        [format!("`{}`", self.word), code(self.operators.iter().map(ToString::to_string).collect()), value]
    }
}
