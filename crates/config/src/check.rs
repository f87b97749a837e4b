//! Holds a tree against the keys, and turns it into plain values: as they are, and as they may be shown.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    error::{Faults, Place},
    names::{camel, join, nearest, snake},
    node::{Name, Node, Raw, clip},
    reference::Reference,
    scalar::scalar,
    schema::{Effect, Key, Kind, Referent},
    secret::{HIDDEN, mask_url},
    value::Checked,
};

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
    /// All keys of the document.
    root: &'static [Key],
    /// Names may be written in camelCase.
    pub camel: bool,
    pub faults: Faults,
    pub ineffective: Vec<Ineffective>,
    pub providers: Vec<Found<'n>>,
    /// Names of what is described elsewhere.
    pub references: Vec<Reference>,
    /// Of every value that was looked at, and how it may be quoted in a fault.
    values: BTreeMap<String, (Place, String)>,
    /// Paths of what is wrong.
    wrong: BTreeSet<String>,
}

impl<'n> Checker<'n> {
    pub(crate) fn new(root: &'static [Key], camel: bool) -> Self {
        Self {
            root,
            camel,
            faults: Faults::default(),
            ineffective: Vec::new(),
            providers: Vec::new(),
            references: Vec::new(),
            values: BTreeMap::new(),
            wrong: BTreeSet::new(),
        }
    }

    /// Whether nothing at `path` and under it was found to be wrong, so that more can be asked of it.
    pub(crate) fn is_right(&self, path: &str) -> bool {
        !self.wrong.range(path.to_owned()..).next().is_some_and(|wrong| wrong.starts_with(path))
    }

    /// Where the value at `path` stands; of what is not there, the nearest that it would be in.
    pub(crate) fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some((place, _)) = self.values.get(path) {
                return *place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return Place { line: 1, column: 1 },
            }
        }
    }

    pub(crate) fn is_set(&self, path: &str) -> bool {
        self.values.contains_key(path)
    }

    /// The value at `path` as it may be shown: never what a variable gave.
    pub(crate) fn quote(&self, path: &str) -> String {
        self.values.get(path).map_or_else(|| "nothing".into(), |(_, quote)| quote.clone())
    }

    /// The path of a key, as it is written in this form.
    pub(crate) fn at(&self, path: &str, name: &str) -> String {
        if self.camel { join(path, &camel(name)) } else { join(path, name) }
    }

    /// The path of a key at the top of the configuration.
    pub(crate) fn top(&self, name: &str) -> String {
        self.at(if self.camel { "spec" } else { "" }, name)
    }

    /// A fault of the value at `path`.
    pub(crate) fn fault(&mut self, path: &str, message: impl std::fmt::Display) {
        self.wrong(self.place(path), path, format!("`{path}`: {message}"));
    }

    fn wrong(&mut self, place: Place, path: &str, message: String) {
        self.faults.at(place, message);
        self.wrong.insert(path.to_owned());
    }

    /// `None`: something is wrong, and a fault says what; or it was put aside for later.
    pub(crate) fn check(&mut self, kind: &Kind, node: &'n Node, path: &str) -> Option<Checked> {
        self.values.insert(path.to_owned(), (node.place, node.value.quote()));
        match kind {
            Kind::Block(keys) => self.block(keys, node, path),
            Kind::List(item) => self.list(item, node, path),
            Kind::Map => self.map(node, path),
            Kind::Provider | Kind::Providers => None,
            one => match scalar(one, &node.value) {
                Ok(value) => {
                    match (one, value.as_str()) {
                        (Kind::Reference(to), Some(name)) => self.refer(*to, name, path),
                        (Kind::Location, Some(name)) if !name.contains(',') => self.refer(Referent::Region, name, path),
                        _ => {}
                    }
                    let shown = match &value {
                        Value::String(text) => Value::String(mask_url(text)),
                        other => other.clone(),
                    };
                    Some(Checked { value, shown })
                }
                Err(message) => {
                    self.wrong(node.place, path, format!("`{path}`: {message}"));
                    None
                }
            },
        }
    }

    pub(crate) fn block(&mut self, keys: &'static [Key], node: &'n Node, path: &str) -> Option<Checked> {
        let mut value = Map::new();
        let mut shown = Map::new();
        let mut seen = Vec::new();
        for (name, node) in self.entries(node, path, keys)? {
            let Some(key) = self.find(keys, &name.name) else {
                let elsewhere = self.elsewhere(&name.name);
                self.unknown(name, path, &names(keys), elsewhere);
                continue;
            };
            let path = self.at(path, key.name);
            if seen.contains(&key.name) {
                self.wrong(name.place, &path, format!("`{path}` is set twice, under two names that mean the same"));
                continue;
            }
            seen.push(key.name);
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
        for missing in keys.iter().filter(|key| key.required && !seen.contains(&key.name)) {
            let (what, name, kind) = (document_or(path), self.at("", missing.name), missing.kind.describe());
            self.wrong(node.place, path, format!("{what} needs `{name}`: {kind}"));
        }
        Some(Checked { value: Value::Object(value), shown: Value::Object(shown) })
    }

    /// The entries of a block. Nothing at all is an empty block. `keys` are those that are known, as far as they are.
    pub(crate) fn entries(&mut self, node: &'n Node, path: &str, keys: &[Key]) -> Option<&'n [(Name, Node)]> {
        match &node.value {
            Raw::Map(map) => Some(map),
            Raw::Null => Some(&[]),
            other => {
                let few: Vec<String> = keys.iter().take(6).map(|key| self.at("", key.name)).collect();
                let few = if few.is_empty() { String::new() } else { format!(" ({})", few.join(", ")) };
                let close = matches!(other, Raw::Text(text) if text.text.contains(':') && !text.text.contains(": "));
                let help = if close { "; after a key's colon there is a space" } else { "" };
                let (what, found) = (document_or(path), other.describe());
                self.wrong(node.place, path, format!("{what}: expected a block of keys{few}, found {found}{help}"));
                None
            }
        }
    }

    pub(crate) fn find(&self, keys: &'static [Key], name: &str) -> Option<&'static Key> {
        let matches = |wanted: &str| keys.iter().find(|key| key.name == wanted || key.aliases.contains(&wanted));
        matches(name).or_else(|| if self.camel { matches(&snake(name)) } else { None })
    }

    pub(crate) fn unknown(&mut self, name: &Name, path: &str, known: &[&str], elsewhere: Option<String>) {
        let shown = clip(&join(path, &name.name));
        let help = match (nearest(&name.name, known), elsewhere) {
            (Some(near), _) => format!("did you mean `{}`?", self.at("", near)),
            (None, Some(elsewhere)) => format!("it belongs in `{elsewhere}`"),
            (None, None) if known.is_empty() => "no key is known here".into(),
            (None, None) => {
                let known: Vec<String> = known.iter().map(|known| self.at("", known)).collect();
                format!("known here: {}", known.join(", "))
            }
        };
        self.wrong(name.place, path, format!("unknown key `{shown}`; {help}"));
    }

    /// The one block that has a key of this name.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let mut found = Vec::new();
        self.search(self.root, "", name, &mut found);
        if let [path] = &found[..] { Some(path.clone()) } else { None }
    }

    fn search(&self, keys: &'static [Key], path: &str, name: &str, found: &mut Vec<String>) {
        if !path.is_empty() && self.find(keys, name).is_some() {
            found.push(path.to_owned());
        }
        for key in keys {
            match key.kind {
                Kind::Block(keys) => self.search(keys, &self.at(path, key.name), name, found),
                Kind::List(Kind::Block(keys)) => {
                    self.search(keys, &format!("{}[]", self.at(path, key.name)), name, found);
                }
                _ => {}
            }
        }
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
            let help = match (item, &node.value) {
                (Kind::Block(_), Raw::Map(_)) => "; begin each with `- `",
                (Kind::Block(_), _) | (_, Raw::Map(_)) => "",
                _ => "; write it between brackets: `[…]`",
            };
            let wanted = Kind::List(item).describe();
            self.wrong(node.place, path, format!("`{path}`: expected a {wanted}, found {found}{help}"));
            return None;
        };
        // What is wrong leaves a hole, so that the others keep their numbers.
        let hole = || Checked::plain(Value::Null);
        let checked: Vec<Checked> = list
            .iter()
            .enumerate()
            .map(|(index, node)| self.check(item, node, &format!("{path}[{index}]")).unwrap_or_else(hole))
            .collect();
        let (value, shown) = checked.into_iter().map(|item| (item.value, item.shown)).unzip();
        Some(Checked { value: Value::Array(value), shown: Value::Array(shown) })
    }

    fn map(&mut self, node: &'n Node, path: &str) -> Option<Checked> {
        let mut map = Map::new();
        for (name, node) in self.entries(node, path, &[])? {
            if let Some(checked) = self.check(&Kind::Text, node, &join(path, &name.name)) {
                map.insert(name.name.clone(), checked.value);
            }
        }
        Some(Checked::plain(Value::Object(map)))
    }
}

fn document_or(path: &str) -> String {
    if path.is_empty() { "the document".into() } else { format!("`{path}`") }
}

fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}
