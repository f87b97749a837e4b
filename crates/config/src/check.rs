//! Holds a tree against the keys, and turns it into plain values: as they are, and as they may be shown.

use novacron_types::ByteSize;
use serde_json::{Map, Number, Value, json};

use crate::{
    error::{Faults, Place},
    node::{Name, Node, Raw, clip},
    schema::{Effect, Key, Kind},
    secret::{HIDDEN, mask_url},
};

/// A value, and what may be shown of it.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub value: Value,
    pub shown: Value,
}

impl Checked {
    fn plain(value: Value) -> Self {
        Self { shown: value.clone(), value }
    }
}

/// A key that is set and changes nothing in this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ineffective {
    pub path: String,
    pub place: Place,
}

/// A provider's block as it was found.
pub(crate) struct Found<'n> {
    /// Absent for an entry of `providers`.
    pub block: Option<&'static str>,
    pub place: Place,
    pub node: &'n Node,
}

pub(crate) struct Checker<'n> {
    /// Names may be written in camelCase.
    pub camel: bool,
    pub faults: Faults,
    pub ineffective: Vec<Ineffective>,
    pub providers: Vec<Found<'n>>,
}

impl<'n> Checker<'n> {
    pub(crate) fn new(camel: bool) -> Self {
        Self { camel, faults: Faults::default(), ineffective: Vec::new(), providers: Vec::new() }
    }

    /// `None`: something is wrong, and a fault says what; or it was put aside for later.
    pub(crate) fn check(&mut self, kind: &Kind, node: &'n Node, path: &str) -> Option<Checked> {
        match kind {
            Kind::Block(keys) => self.block(keys, node, path),
            Kind::List(item) => self.list(item, node, path),
            Kind::Map => self.map(node, path),
            Kind::Any => Some(Checked::plain(plain(node))),
            Kind::Provider | Kind::Providers => None,
            scalar => match scalar_value(scalar, &node.value) {
                Ok(value) => {
                    let shown = match &value {
                        Value::String(text) => Value::String(mask_url(text)),
                        other => other.clone(),
                    };
                    Some(Checked { value, shown })
                }
                Err(message) => {
                    self.faults.at(node.place, format!("`{path}`: {message}"));
                    None
                }
            },
        }
    }

    pub(crate) fn block(&mut self, keys: &'static [Key], node: &'n Node, path: &str) -> Option<Checked> {
        let mut value = Map::new();
        let mut shown = Map::new();
        for (name, node) in self.entries(node, path)? {
            let Some(key) = self.find(keys, &name.name) else {
                self.unknown(name, path, &names(keys));
                continue;
            };
            let path = join(path, key.name);
            if value.contains_key(key.name) {
                self.faults.at(name.place, format!("`{path}` is set twice, under two names that mean the same"));
                continue;
            }
            if key.effect == Effect::None {
                self.ineffective.push(Ineffective { path: path.clone(), place: name.place });
            }
            match key.kind {
                Kind::Provider => self.providers.push(Found { block: Some(key.name), place: name.place, node }),
                Kind::Providers => self.provider_list(node, &path),
                _ => {}
            }
            if let Some(checked) = self.check(&key.kind, node, &path) {
                shown.insert(key.name.into(), if key.secret { json!(HIDDEN) } else { checked.shown });
                value.insert(key.name.into(), checked.value);
            }
        }
        Some(Checked { value: Value::Object(value), shown: Value::Object(shown) })
    }

    /// The entries of a block. Nothing at all is an empty block.
    pub(crate) fn entries(&mut self, node: &'n Node, path: &str) -> Option<&'n [(Name, Node)]> {
        match &node.value {
            Raw::Map(map) => Some(map),
            Raw::Null => Some(&[]),
            other => {
                let what = if path.is_empty() { "the configuration" } else { path };
                self.faults.at(node.place, format!("`{what}`: expected a block of keys, found {}", other.describe()));
                None
            }
        }
    }

    pub(crate) fn find(&self, keys: &'static [Key], name: &str) -> Option<&'static Key> {
        let matches = |wanted: &str| keys.iter().find(|key| key.name == wanted || key.aliases.contains(&wanted));
        matches(name).or_else(|| if self.camel { matches(&snake(name)) } else { None })
    }

    pub(crate) fn unknown(&mut self, name: &Name, path: &str, known: &[&str]) {
        let shown = clip(&join(path, &name.name));
        let nearest = nearest(&name.name, known);
        let help = match nearest {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "no key is known here".into(),
            None => format!("known here: {}", known.join(", ")),
        };
        self.faults.at(name.place, format!("unknown key `{shown}`; {help}"));
    }

    fn provider_list(&mut self, node: &'n Node, path: &str) {
        match &node.value {
            Raw::List(list) => {
                self.providers.extend(list.iter().map(|node| Found { block: None, place: node.place, node }));
            }
            other => {
                self.faults
                    .at(node.place, format!("`{path}`: expected a list of providers, found {}", other.describe()));
            }
        }
    }

    fn list(&mut self, item: &'static Kind, node: &'n Node, path: &str) -> Option<Checked> {
        let Raw::List(list) = &node.value else {
            let found = node.value.describe();
            self.faults.at(node.place, format!("`{path}`: expected a list of {}, found {found}", item.describe()));
            return None;
        };
        let checked: Vec<Checked> = list
            .iter()
            .enumerate()
            .filter_map(|(index, node)| self.check(item, node, &format!("{path}[{index}]")))
            .collect();
        let (value, shown) = checked.into_iter().map(|item| (item.value, item.shown)).unzip();
        Some(Checked { value: Value::Array(value), shown: Value::Array(shown) })
    }

    fn map(&mut self, node: &'n Node, path: &str) -> Option<Checked> {
        let mut map = Map::new();
        for (name, node) in self.entries(node, path)? {
            let checked = self.check(&Kind::Text, node, &join(path, &name.name))?;
            map.insert(name.name.clone(), checked.value);
        }
        Some(Checked::plain(Value::Object(map)))
    }
}

fn scalar_value(kind: &Kind, raw: &Raw) -> Result<Value, String> {
    let wrong = || {
        let quote = match (kind, raw) {
            (Kind::Text | Kind::Path, Raw::Int(_) | Raw::Float(_) | Raw::Bool(_)) => "; write it in quotes",
            _ => "",
        };
        format!("expected {}, found {}{quote}", kind.describe(), raw.describe())
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
            let number = match (raw, given) {
                (Raw::Int(number), _) => *number as f64,
                (Raw::Float(number), _) => *number,
                (_, Some(given)) => given.parse().map_err(|_| wrong())?,
                _ => return Err(wrong()),
            };
            if !(number >= *min && number <= *max) {
                return Err(format!("expected {}, found {}", kind.describe(), number_or(raw, &number)));
            }
            Number::from_f64(number).map(Value::Number).ok_or_else(wrong)
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
            let near = nearest(&given, words).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Err(format!("expected {}, found {}{near}", kind.describe(), raw.quote()))
        }
        Kind::Size => match (raw, text) {
            (Raw::Int(number), _) => u64::try_from(*number).map(|bytes| json!(bytes)).map_err(|_| wrong()),
            (_, Some(text)) => text.parse::<ByteSize>().map(|size| json!(size.0)).map_err(|_| wrong()),
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
            Some("") => Err("it is empty; leave the key out, or give it a value".into()),
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

/// A value without a form of its own, as it stands.
pub(crate) fn plain(node: &Node) -> Value {
    match &node.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => json!(value),
        Raw::Int(number) => match (i64::try_from(*number), u64::try_from(*number)) {
            (Ok(number), _) => json!(number),
            (_, Ok(number)) => json!(number),
            _ => json!(number.to_string()),
        },
        Raw::Float(number) => json!(number),
        Raw::Text(text) => json!(text.text),
        Raw::List(list) => Value::Array(list.iter().map(plain).collect()),
        Raw::Map(map) => Value::Object(map.iter().map(|(name, node)| (name.name.clone(), plain(node))).collect()),
    }
}

fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The known name that was probably meant.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    novacron_types::nearest(&snake(name), known.iter().copied())
}

/// `resourceGroup` → `resource_group`; a name that is in snake_case already stays as it is.
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(if c == '-' { '_' } else { c });
        }
    }
    out
}
