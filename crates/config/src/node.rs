//! YAML as a tree in which every key and value knows its place.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_saphyr::Spanned;

use crate::error::{ConfigError, Fault, Place};

/// The largest file that is read.
pub(crate) const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 24;
const MAX_NODES: usize = 50_000;
const MAX_DOCUMENTS: usize = 1000;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub place: Place,
    pub value: Raw,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Text),
    List(Vec<Node>),
    Map(Vec<(Name, Node)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub text: String,
    /// As it stands in the file, if something was filled in: the text itself may then be a secret.
    pub source: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub name: String,
    pub place: Place,
}

impl Raw {
    /// What it is, for an error. Shows no value that may be a secret.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".into(),
            Self::Bool(value) => format!("{value}"),
            Self::Int(_) | Self::Float(_) => "a number".into(),
            Self::Text(Text { source: Some(source), .. }) => {
                format!("the text that `{}` gives", clip(source))
            }
            Self::Text(_) => "a text".into(),
            Self::List(_) => "a list".into(),
            Self::Map(_) => "a block of keys".into(),
        }
    }

    /// As [`describe`](Self::describe), with a text or a number as it stands in the file.
    pub(crate) fn quote(&self) -> String {
        match self {
            Self::Text(Text { text, source: None }) => format!("`{}`", clip(text)),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            other => other.describe(),
        }
    }
}

pub(crate) fn clip(text: &str) -> String {
    let mut short: String = text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > 60 {
        short.push('…');
    }
    short
}

/// Reads one document within bounds of size, depth and number of nodes, aliases counted as what they stand for.
/// An empty document is an empty map.
pub(crate) fn read(text: &str, file: &str) -> Result<Node, ConfigError> {
    bounded(text, file)?;
    match serde_saphyr::from_str_with_options::<Option<Node>>(text, options(1)) {
        Ok(Some(node)) => Ok(node),
        Ok(None) => Ok(Node { place: Place { line: 1, column: 1 }, value: Raw::Map(Vec::new()) }),
        Err(error) => Err(unreadable(&error, text, file)),
    }
}

/// As [`read`], any number of documents up to a bound, of which those that are empty are left out.
pub(crate) fn read_all(text: &str, file: &str) -> Result<Vec<Node>, ConfigError> {
    bounded(text, file)?;
    serde_saphyr::from_multiple_with_options::<Node>(text, options(MAX_DOCUMENTS))
        .map_err(|error| unreadable(&error, text, file))
}

fn bounded(text: &str, file: &str) -> Result<(), ConfigError> {
    if text.len() <= MAX_BYTES {
        return Ok(());
    }
    let message = format!("the file has {} bytes; it may have at most {MAX_BYTES}", text.len());
    Err(ConfigError::whole(file, message))
}

fn options(max_documents: usize) -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: 1000,
            max_anchors: 1000,
            max_documents: max_documents,
            max_recorded_anchor_events: 4 * MAX_NODES,
            max_recorded_anchor_bytes: 4 * MAX_BYTES,
            max_total_scalar_bytes: 4 * MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 16,
        },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}

fn unreadable(error: &serde_saphyr::Error, text: &str, file: &str) -> ConfigError {
    let place = error.location().map(|at| Place { line: at.line(), column: at.column() });
    let said = error.without_snippet().to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    let message = match said.strip_prefix("duplicate mapping key: ") {
        Some(rest) => format!("duplicate key `{}`", clip(rest.split(", set ").next().unwrap_or_default())),
        None => format!("this is not YAML that can be read: {said}{}", hint(place, text)),
    };
    ConfigError { file: file.to_owned(), faults: vec![Fault { place, message }] }
}

/// What the most usual mistakes are, which the parser can't know of.
fn hint(place: Option<Place>, text: &str) -> String {
    let first = place.and_then(|place| usize::try_from(place.line).ok()).unwrap_or(1).max(1) - 1;
    let mut lines = text.lines().enumerate().skip(first);
    let here = lines.clone().next().map_or("", |(_, line)| line);
    let tab = lines.find(|(_, line)| line[..line.len() - line.trim_start().len()].contains('\t'));
    match tab {
        Some((index, _)) => format!("; line {} is indented with a tab, and YAML takes only spaces", index + 1),
        None if here.contains(": >") || here.contains(": |") => "; an operator stands in quotes".into(),
        None if here.contains("${") => "; between braces and brackets a variable stands in quotes".into(),
        None => String::new(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Raw>::deserialize(deserializer)?;
        let place = Place { line: spanned.referenced.line(), column: spanned.referenced.column() };
        Ok(Node { place, value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> de::Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Raw, E> {
        Ok(Raw::Int(v.into()))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Raw, E> {
        Ok(Raw::Int(v.into()))
    }
    fn visit_i128<E>(self, v: i128) -> Result<Raw, E> {
        Ok(Raw::Int(v))
    }
    fn visit_u128<E: de::Error>(self, v: u128) -> Result<Raw, E> {
        i128::try_from(v).map(Raw::Int).map_err(|_| E::custom("the number is too large"))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Raw, E> {
        Ok(Raw::Float(v))
    }
    fn visit_str<E>(self, v: &str) -> Result<Raw, E> {
        Ok(Raw::Text(Text { text: v.to_owned(), source: None }))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = access.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }
    fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let place = Place { line: key.referenced.line(), column: key.referenced.column() };
            map.push((Name { name: key.value, place }, access.next_value()?));
        }
        Ok(Raw::Map(map))
    }
}
