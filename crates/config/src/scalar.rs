//! One value, held against what it should be.

use novacron_types::{ByteSize, GIB, MIB, Money, nearest, placement::Millis};
use serde_json::{Number, Value, json};

use crate::{
    location::Location,
    node::Raw,
    schedule::Schedule,
    schema::{Kind, MAX_CPUS},
};

const EMPTY: &str = "it is empty; leave the key out, or give it a value";
/// Less than any machine has, and more.
const LEAST: u64 = MIB;
const MOST: u64 = GIB << 20;
/// More than anything costs: a thousand million dollars.
const MOST_DOLLARS: i128 = 1_000_000_000 * 1_000_000_000;

/// The value as JSON, or what is wrong with it, without what a variable gave.
pub(crate) fn scalar(kind: &Kind, raw: &Raw) -> Result<Value, String> {
    let wrong = || {
        let hint = match (kind, raw) {
            (Kind::Text | Kind::Path, Raw::Int(_) | Raw::Float(_) | Raw::Bool(_)) => "; write it in quotes",
            _ => "",
        };
        let plain = matches!((kind, raw), (Kind::Bool | Kind::Millis, _) | (Kind::Integer { .. }, Raw::Float(_)));
        let found = if plain { raw.quote() } else { raw.describe() };
        format!("expected {}, found {found}{hint}", kind.describe())
    };
    // A text is never taken for a number, but what a variable gave may be one.
    let given = match raw {
        Raw::Text(text) if text.source.is_some() => Some(text.text.trim()),
        _ => None,
    };
    let text = match raw {
        Raw::Text(text) => Some(text.text.as_str()),
        _ => None,
    };
    match kind {
        Kind::Bool => match (raw, given) {
            (Raw::Bool(value), _) => Ok(json!(value)),
            (_, Some("true")) => Ok(json!(true)),
            (_, Some("false")) => Ok(json!(false)),
            _ => Err(wrong()),
        },
        Kind::Integer { min, max } => {
            let number = match (raw, given) {
                (Raw::Int(number), _) => *number,
                (_, Some(given)) => given.parse().map_err(|_| wrong())?,
                _ => return Err(wrong()),
            };
            if number < i128::from(*min) || number > i128::from(*max) {
                return Err(format!("expected {}, found {}", kind.describe(), number_or(raw, &number)));
            }
            i64::try_from(number).map(|number| json!(number)).map_err(|_| wrong())
        }
        Kind::Number { min, max } => {
            let value = number(raw, given).ok_or_else(wrong)?;
            if !(value >= *min && value <= *max) {
                return Err(format!("expected {}, found {}", kind.describe(), number_or(raw, &value)));
            }
            Number::from_f64(value).map(Value::Number).ok_or_else(wrong)
        }
        // Without quotes `>` begins a text, and `!=` a tag.
        Kind::OneOf(words) if words.contains(&">=") && (*raw == Raw::Null || text == Some("")) => {
            Err("expected an operator; write it in quotes, such as `\">=\"`".into())
        }
        Kind::OneOf(words) => {
            let given = match (raw, text) {
                (_, Some(text)) => text.to_owned(),
                // `tls_version: 1.3` is a number to YAML, and what is meant is plain.
                (Raw::Float(number), _) => number.to_string(),
                _ => return Err(wrong()),
            };
            if words.contains(&given.as_str()) {
                return Ok(json!(given));
            }
            let near = near(&given, words).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Err(format!("expected {}, found {}{near}", kind.describe(), raw.quote()))
        }
        Kind::Size => match (raw, text) {
            (Raw::Int(number), _) => u64::try_from(*number).map(|bytes| json!(bytes)).map_err(|_| wrong()),
            (_, Some(text)) => text.parse::<ByteSize>().map(|size| json!(size.0)).map_err(|_| wrong()),
            _ => Err(wrong()),
        },
        Kind::Capacity => capacity(raw, given).map(|size| json!(size.0)),
        Kind::Cpus => cpus(raw, given),
        Kind::Dollars => dollars(raw, given),
        Kind::Millis => match (raw, text) {
            (Raw::Int(_) | Raw::Float(_), _) => {
                number(raw, given).filter(|n| (0.0..=1e9).contains(n)).map(|n| json!(n))
            }
            (_, Some(text)) => text.parse::<Millis>().ok().map(|time| json!(time)),
            _ => None,
        }
        .ok_or_else(wrong),
        Kind::Schedule => {
            let schedule: Result<Schedule, String> = text.ok_or_else(wrong)?.parse();
            schedule.map(|schedule| json!(schedule.as_str())).map_err(|why| match given {
                Some(_) => wrong(),
                None => format!("{}; {why}", wrong()),
            })
        }
        Kind::Location => {
            let text = text.ok_or_else(wrong)?;
            text.parse::<Location>().map(|_| json!(text.trim())).map_err(|why| format!("{}; {why}", wrong()))
        }
        Kind::Url => {
            let text = text.ok_or_else(wrong)?;
            let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            let fits = rest.is_some_and(|rest| !rest.is_empty() && !text.contains(char::is_whitespace));
            if fits { Ok(json!(text)) } else { Err(wrong()) }
        }
        Kind::Scalar => match raw {
            Raw::Bool(value) => Ok(json!(value)),
            Raw::Int(number) => i64::try_from(*number).map(|number| json!(number)).map_err(|_| wrong()),
            Raw::Float(number) => Number::from_f64(*number).map(Value::Number).ok_or_else(wrong),
            Raw::Text(text) if text.text.is_empty() => Err(EMPTY.into()),
            // What a variable gave is a number where it reads as one.
            Raw::Text(text) => match given.and_then(|given| serde_json::from_str::<Number>(given).ok()) {
                Some(number) => Ok(Value::Number(number)),
                None => Ok(json!(text.text)),
            },
            _ => Err(wrong()),
        },
        Kind::Address => {
            let text = text.ok_or_else(wrong)?;
            let full = match text.strip_prefix("localhost:") {
                Some(port) => format!("127.0.0.1:{port}"),
                None => text.to_owned(),
            };
            full.parse::<std::net::SocketAddr>()
                .map(|address| json!(address.to_string()))
                .map_err(|_| format!("expected {}, found {}", kind.describe(), raw.quote()))
        }
        Kind::StoreUrl => {
            let text = text.ok_or_else(wrong)?;
            let schemes = ["postgres://", "postgresql://", "sqlite:"];
            if schemes.iter().any(|scheme| text.starts_with(scheme)) { Ok(json!(text)) } else { Err(wrong()) }
        }
        Kind::Sha256 => {
            let text = text.ok_or_else(wrong)?;
            let fits = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
            if fits { Ok(json!(text.to_ascii_lowercase())) } else { Err(wrong()) }
        }
        _ => match text {
            Some("") => Err(EMPTY.into()),
            Some(text) if text.contains('\0') => Err("it has a NUL character".into()),
            Some(text) => Ok(json!(text)),
            None => Err(wrong()),
        },
    }
}

/// A number that stands in the file; of one that a variable gave, where it came from.
fn number_or(raw: &Raw, number: &impl ToString) -> String {
    if matches!(raw, Raw::Text(_)) { raw.describe() } else { number.to_string() }
}

fn number(raw: &Raw, given: Option<&str>) -> Option<f64> {
    match (raw, given) {
        (Raw::Int(number), _) => Some(*number as f64),
        (Raw::Float(number), _) => Some(*number),
        (_, Some(given)) => given.parse().ok(),
        _ => None,
    }
}

/// A size that a machine can have. Most who write a bare number think of GiB.
fn capacity(raw: &Raw, given: Option<&str>) -> Result<ByteSize, String> {
    let wanted = Kind::Capacity.describe();
    let size = match raw {
        Raw::Int(number) if *number < 0 => {
            return Err(format!("expected {wanted}, found {number}, which is less than nothing"));
        }
        Raw::Int(number) if *number < i128::from(LEAST) => {
            return Err(format!(
                "expected {wanted}, found {number}, which has no unit and so is bytes; did you mean `{number}Gi`?"
            ));
        }
        Raw::Int(number) => u64::try_from(*number).ok().map(ByteSize),
        Raw::Float(number) => {
            return Err(format!("expected {wanted}, found {number}, which has no unit; did you mean `{number}Gi`?"));
        }
        Raw::Text(text) => match text.text.parse::<ByteSize>() {
            Ok(size) => Some(size),
            Err(_) if text.text.trim_start().starts_with('-') && given.is_none() => {
                return Err(format!("expected {wanted}, found {}, which is less than nothing", raw.quote()));
            }
            // With another number it is a size: this one is beyond all that can be counted.
            Err(_) if unit(&text.text).is_some_and(|unit| format!("1{unit}").parse::<ByteSize>().is_ok()) => {
                Some(ByteSize(u64::MAX))
            }
            Err(_) => None,
        },
        _ => None,
    };
    match size {
        Some(size) if size.0 < LEAST => {
            Err(format!("expected {wanted}, found {}, which is less than any machine has", raw.quote()))
        }
        Some(size) if size.0 > MOST => {
            Err(format!("expected {wanted}, found {}, which is more than any machine has", raw.quote()))
        }
        Some(size) => Ok(size),
        None => Err(format!("expected {wanted}, found {}", raw.quote())),
    }
}

/// What follows a number.
fn unit(text: &str) -> Option<&str> {
    let rest = text.trim().trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.trim().len()).then_some(rest)
}

fn cpus(raw: &Raw, given: Option<&str>) -> Result<Value, String> {
    let wanted = Kind::Cpus.describe();
    let count = match (raw, given) {
        (Raw::Int(count), _) => Some(*count),
        (_, Some(given)) => given.parse().ok(),
        _ => None,
    };
    match (count, raw) {
        (Some(count), _) if (1..=i128::from(MAX_CPUS)).contains(&count) => Ok(json!(count as i64)),
        (Some(_), Raw::Int(count)) => Err(format!("expected {wanted}, found {count}")),
        (_, Raw::Float(part)) if (0.0..=MAX_CPUS as f64).contains(part) => Err(format!(
            "expected {wanted}, found {part}; a machine has no part of one: write {}",
            part.ceil().max(1.0)
        )),
        (_, Raw::Text(text)) if given.is_none() && text.text.parse::<u32>().is_ok() => {
            Err(format!("expected {wanted}, found the text {}; take the quotes away", raw.quote()))
        }
        (_, Raw::Text(text)) if given.is_none() && text.text.ends_with('m') => {
            Err(format!("expected {wanted}, found {}; thousandths of one are for containers", raw.quote()))
        }
        _ => Err(format!("expected {wanted}, found {}", raw.quote())),
    }
}

/// Kept as it was written, so that nothing is lost on the way to exact money.
fn dollars(raw: &Raw, given: Option<&str>) -> Result<Value, String> {
    let wanted = Kind::Dollars.describe();
    let wrong = |why: &str| Err(format!("expected {wanted}, found {}{why}", raw.quote()));
    let (money, value): (Option<Money>, Value) = match raw {
        Raw::Int(number) => (number.to_string().parse().ok(), json!(number.to_string())),
        Raw::Float(number) => (format!("{number}").parse().ok(), json!(format!("{number}"))),
        Raw::Text(text) => (text.text.parse().ok(), json!(given.unwrap_or(&text.text))),
        _ => (None, Value::Null),
    };
    match money {
        None if matches!(raw, Raw::Float(_)) => wrong("; money has at most nine decimals"),
        None => wrong("; write at most nine decimals, and no currency but USD"),
        Some(money) if money.currency != *b"USD" => wrong("; prices are compared in US dollars: convert it"),
        Some(money) if money.nanos < 0 => wrong(", which is less than nothing"),
        Some(money) if money.nanos > MOST_DOLLARS => wrong(", which is more than anything costs"),
        Some(_) => Ok(value),
    }
}

/// What others call the same.
const SYNONYMS: [(&str, &str); 6] = [
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("aarch64", "arm64"),
    ("reserved", "commit-1y"),
    ("preemptible", "spot"),
    ("equals", "=="),
];

/// The word that was probably meant, whatever its case.
pub(crate) fn near<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = given.to_lowercase();
    let meant = SYNONYMS.iter().find(|(other, _)| *other == lower).map_or(lower.as_str(), |(_, ours)| ours);
    let same = known.iter().find(|known| known.to_lowercase() == meant).copied();
    same.or_else(|| nearest(given, known.iter().copied())).or_else(|| nearest(&lower, known.iter().copied()))
}
