//! The providers' blocks: held against the keys that each kind says it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use novacron_provider::{KeyInfo, ProviderDefinition};
use novacron_types::{ProviderKind, ProviderName};
use serde_json::{Map, Value, json};

use crate::{
    check::{Checker, Found},
    error::Place,
    hosts::{self, HostConfig, ProviderDefaults},
    keys::{HOST, HOST_KINDS, KINDS, PROVIDER},
    names::{join, nearest, snake},
    node::{Name, Node, Raw},
    schema::Kind,
    secret::{HIDDEN, mask_url},
    value::plain,
};

/// A kind of provider that this build has, and its keys.
#[derive(Debug, Clone, Copy)]
pub struct KindInfo {
    pub kind: ProviderKind,
    pub keys: &'static [KeyInfo],
}

/// An enabled provider of a kind that this version has no provider for. Machines can be placed there on paper, since the
/// catalog has its prices; nothing can be created, seen or moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidingOnly {
    pub name: ProviderName,
    pub kind: ProviderKind,
    /// Where it says that it is: its `location`, `region` or `zone`, as written.
    pub region: Option<String>,
    pub zone: Option<String>,
    pub place: Place,
}

impl fmt::Display for DecidingOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, place: Place { line, column }, .. } = self;
        write!(
            f,
            "{line}:{column}: provider `{name}`: this version has no providers of kind `{kind}`; places are decided there, and \
             nothing can be created"
        )
    }
}

/// Kinds that are known, and whose providers later versions bring.
const LATER: [ProviderKind; 5] =
    [ProviderKind::Azure, ProviderKind::Gcp, ProviderKind::Oci, ProviderKind::Openstack, ProviderKind::Vsphere];

/// What the blocks came to.
#[derive(Default)]
pub(crate) struct Providers {
    pub enabled: Vec<ProviderDefinition>,
    pub disabled: Vec<String>,
    pub hosts: Vec<HostConfig>,
    pub defaults: BTreeMap<ProviderName, ProviderDefaults>,
    pub deciding_only: Vec<DecidingOnly>,
    /// The kind of each, whether it is enabled or not.
    pub kinds: BTreeMap<String, String>,
    /// Of every block, by name, as it may be shown.
    pub shown: Vec<Value>,
}

/// Where secrets are looked for that the second form only names.
const SECRETS_DIR: &str = "/etc/novacron";

const SAME: [(&str, &str); 3] =
    [("project", "project_id"), ("subscription", "subscription_id"), ("tenant", "tenant_id")];

pub(crate) fn read<'n>(checker: &mut Checker<'n>, kinds: &[KindInfo], data_dir: &str) -> Providers {
    let mut providers = Providers::default();
    let mut names = BTreeSet::new();
    let mut number = 0..;
    for found in std::mem::take(&mut checker.providers) {
        let path = match found.block {
            Some(block) => block.to_owned(),
            None => format!("providers[{}]", number.next().unwrap_or_default()),
        };
        if let Some((name, enabled)) = one(checker, &found, &path, kinds, data_dir, &mut providers)
            && !names.insert(name.clone())
            && enabled
        {
            checker.faults.at(found.place, format!("there are two providers with the name `{name}`"));
        }
    }
    let has_files = kinds.iter().any(|info| info.kind == ProviderKind::Files);
    if !names.contains("local") && has_files {
        let settings = json!({ "path": default_disks(data_dir) });
        providers.shown.push(show("local", "files", true, settings.clone()));
        if let Ok(name) = ProviderName::new("local") {
            providers.kinds.insert("local".into(), "files".into());
            providers.hosts.push(hosts::host(checker, name.clone(), ProviderKind::Files, json!({}), "local"));
            providers.enabled.push(ProviderDefinition { name, kind: ProviderKind::Files, settings });
        }
    }
    providers
}

fn default_disks(data_dir: &str) -> String {
    format!("{}/disks", data_dir.trim_end_matches('/'))
}

fn show(name: &str, kind: &str, enabled: bool, settings: Value) -> Value {
    let mut shown = Map::new();
    shown.insert("name".into(), json!(name));
    shown.insert("kind".into(), json!(kind));
    shown.insert("enabled".into(), json!(enabled));
    if let Value::Object(settings) = settings {
        shown.extend(settings);
    }
    Value::Object(shown)
}

/// One block. Returns its name and whether it is enabled.
fn one<'n>(
    checker: &mut Checker<'n>,
    found: &Found<'n>,
    path: &str,
    kinds: &[KindInfo],
    data_dir: &str,
    providers: &mut Providers,
) -> Option<(String, bool)> {
    let entries = checker.entries(found.node, path, PROVIDER)?;
    let (common, mut own) = sort(checker, entries, path);

    let raw = |key: &str| common.iter().find(|(name, _)| *name == key).map(|(_, node)| &node.value);
    let text = |key: &str| match raw(key) {
        Some(Raw::Text(text)) => Some(text.text.clone()),
        _ => None,
    };
    let quoted_kind = || raw("kind").map(Raw::quote).unwrap_or_default();
    let enabled = match common.iter().find(|(name, _)| *name == "enabled") {
        Some((_, node)) => checker.check(&Kind::Bool, node, &join(path, "enabled"))?.value != json!(false),
        None => true,
    };
    let (name, kind) = match found.block {
        Some("local") => ("local".to_owned(), text("kind").unwrap_or_else(|| "files".into())),
        Some(block) => (block.to_owned(), block.to_owned()),
        None => match (text("name"), text("kind")) {
            (Some(name), Some(kind)) => (name, kind),
            _ => {
                checker.faults.at(found.place, "a provider in `providers` needs a `name` and a `kind`");
                return None;
            }
        },
    };
    // Whatever is wrong with it, it is known.
    providers.kinds.insert(name.clone(), kind.clone());
    if found.block == Some("local") && !["files", "libvirt"].contains(&kind.as_str()) {
        checker.faults.at(found.place, format!("`local.kind`: expected `files` or `libvirt`, found {}", quoted_kind()));
        return None;
    }
    let Ok(kind) = kind.parse::<ProviderKind>() else {
        let near = nearest(&kind, KINDS).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        checker.faults.at(found.place, format!("{} is not a kind of provider{near}", quoted_kind()));
        return None;
    };
    let info = kinds.iter().find(|info| info.kind == kind);
    let takes_defaults = info.is_some_and(|info| info.keys.iter().any(|key| key.name == "defaults"));
    let mut defaults = None;
    for (name, node) in &common {
        if let Some(key) = PROVIDER.iter().find(|key| key.name == *name && key.name != "enabled") {
            let checked = checker.check(&key.kind, node, &join(path, name))?;
            if key.name == "defaults" {
                defaults = Some(checked);
            }
        }
    }
    let provider_name = match ProviderName::new(name.clone()) {
        Ok(name) if !name.as_str().contains('/') => name,
        _ => {
            checker.faults.at(found.place, "a provider's name has no white space, no `/` and at most 255 bytes");
            return None;
        }
    };
    let Some(info) = info else {
        if enabled && !LATER.contains(&kind) {
            checker.faults.at(found.place, absent(&name, kind, kinds));
            return None;
        }
        let defaults = defaults.filter(|_| enabled).and_then(|checked| serde_json::from_value(checked.value).ok());
        if enabled {
            // Its own keys are for a provider that is not here yet; what of it is a host can be decided by.
            if HOST_KINDS.contains(&kind.as_str()) {
                let unknown = KindInfo { kind, keys: &[] };
                let (_, typed) = host_keys(checker, &mut own, &unknown, path);
                let host = typed.map(|keys| hosts::host(checker, provider_name.clone(), kind, keys, path));
                providers.hosts.extend(host);
            }
            providers.defaults.extend(defaults.map(|typed| (provider_name.clone(), typed)));
            let text = |wanted: &[&str]| {
                let is_text = |node: &Node| match &node.value {
                    Raw::Text(text) => Some(text.text.clone()),
                    _ => None,
                };
                wanted
                    .iter()
                    .find_map(|wanted| own.iter().find(|(key, _, _)| key == wanted).and_then(|(_, _, n)| is_text(n)))
            };
            providers.deciding_only.push(DecidingOnly {
                name: provider_name,
                kind,
                region: text(&["location", "region"]),
                zone: text(&["zone"]),
                place: found.place,
            });
        }
        // Which of its keys are secret is not known, so none is shown.
        let hidden = own.iter().map(|(key, _, _)| (key.clone(), json!(HIDDEN))).collect();
        providers.shown.push(show(&name, kind.as_str(), enabled, Value::Object(hidden)));
        if !enabled {
            providers.disabled.push(name.clone());
        }
        return Some((name, enabled));
    };
    let host = HOST_KINDS.contains(&kind.as_str()).then(|| host_keys(checker, &mut own, info, path));
    let (mut settings, mut shown) = settings(checker, &own, info, path);
    if let Some((keys, typed)) = host {
        shown.extend(keys);
        providers.hosts.extend(
            typed.filter(|_| enabled).map(|keys| hosts::host(checker, provider_name.clone(), kind, keys, path)),
        );
    }
    if let Some(defaults) = defaults {
        if let Ok(typed) = serde_json::from_value(defaults.value.clone())
            && enabled
        {
            providers.defaults.insert(provider_name.clone(), typed);
        }
        if takes_defaults {
            settings.insert("defaults".into(), defaults.value);
        }
        shown.insert("defaults".into(), defaults.shown);
    }
    if found.block == Some("local") && kind == ProviderKind::Files && !settings.contains_key("path") {
        settings.insert("path".into(), json!(default_disks(data_dir)));
        shown.insert("path".into(), json!(default_disks(data_dir)));
    }
    providers.shown.push(show(&name, kind.as_str(), enabled, Value::Object(shown)));
    if enabled {
        providers.enabled.push(ProviderDefinition { name: provider_name, kind, settings: Value::Object(settings) });
    } else {
        providers.disabled.push(name.clone());
    }
    Some((name, enabled))
}

fn absent(name: &str, kind: ProviderKind, kinds: &[KindInfo]) -> String {
    let has: Vec<&str> = kinds.iter().map(|info| info.kind.as_str()).collect();
    format!(
        "provider `{name}`: this build has no providers of kind `{kind}`, only {}; set `enabled: false`, or take the block out",
        has.join(", ")
    )
}

type Common<'n> = Vec<(&'static str, &'n Node)>;
type Own<'n> = Vec<(String, &'n Name, &'n Node)>;

/// The keys that every provider has, and those of its kind under the names that the kind uses.
fn sort<'n>(checker: &mut Checker<'n>, entries: &'n [(Name, Node)], path: &str) -> (Common<'n>, Own<'n>) {
    let mut common = Common::new();
    let mut own = Own::new();
    for (name, node) in entries {
        if let Some(key) = checker.find(PROVIDER, &name.name) {
            common.push((key.name, node));
        } else if checker.camel && name.name == "config" {
            // The second form keeps the kind's own keys one level down.
            let nested = checker.entries(node, &join(path, "config"), &[]).unwrap_or_default();
            for (name, node) in nested {
                match checker.find(PROVIDER, &name.name) {
                    Some(key) if key.name == "defaults" => common.push((key.name, node)),
                    _ => own.push((snake(&name.name), name, node)),
                }
            }
        } else {
            let key = if checker.camel { snake(&name.name) } else { name.name.clone() };
            own.push((key, name, node));
        }
    }
    (common, own)
}

/// Takes the keys of hosts out of a block's own, and checks them: as they may be shown, and as they are, which are there only
/// where nothing is wrong.
fn host_keys<'n>(
    checker: &mut Checker<'n>,
    own: &mut Own<'n>,
    info: &KindInfo,
    path: &str,
) -> (Map<String, Value>, Option<Value>) {
    let before = checker.faults.len();
    let (mut values, mut shown) = (Map::new(), Map::new());
    own.retain(|(name, written, node)| {
        let of_kind = info.keys.iter().any(|key| key.name == name);
        let Some(key) = HOST.iter().find(|key| key.name == name && !of_kind) else { return true };
        if let Some(checked) = checker.check(&key.kind, node, &join(path, key.name)) {
            shown.insert(key.name.into(), checked.shown);
            if values.insert(key.name.to_owned(), checked.value).is_some() {
                checker
                    .faults
                    .at(written.place, format!("`{path}.{name}` is set twice, under two names that mean the same"));
            }
        }
        false
    });
    (shown, (checker.faults.len() == before).then_some(Value::Object(values)))
}

/// A kind's own settings, and what may be shown of them.
fn settings<'n>(
    checker: &mut Checker<'n>,
    own: &Own<'n>,
    info: &KindInfo,
    path: &str,
) -> (Map<String, Value>, Map<String, Value>) {
    let known: Vec<&str> = info.keys.iter().map(|key| key.name).collect();
    let mut settings = Map::new();
    let mut shown = Map::new();
    for (key, name, node) in own {
        let (key, value) = match named_secret(checker, key, node, &known) {
            Some(file) => ("credentials_file".to_owned(), json!(file)),
            None => (canonical(key, &known), plain(node)),
        };
        let Some(key_info) = info.keys.iter().find(|known| known.name == key) else {
            if HOST.iter().any(|of_host| of_host.name == key) {
                let kinds = HOST_KINDS.join(", ");
                checker.faults.at(name.place, format!("`{path}.{key}` is for hosts of one's own, of kind {kinds}"));
                continue;
            }
            let mut all = known.clone();
            all.extend(["enabled", "defaults"]);
            if HOST_KINDS.contains(&info.kind.as_str()) {
                all.extend(HOST.iter().map(|key| key.name));
            }
            let help = nearest(&key, &all);
            checker.unknown(name, path, help.as_ref().map_or(all.as_slice(), std::slice::from_ref), None);
            continue;
        };
        if value.is_null() {
            checker.faults.at(node.place, format!("`{path}.{key}` has no value; leave the key out, or give it one"));
            continue;
        }
        shown.insert(key.clone(), if key_info.secret { json!(HIDDEN) } else { masked(&value) });
        if settings.insert(key.clone(), value).is_some() {
            checker.faults.at(name.place, format!("`{path}.{key}` is set twice, under two names that mean the same"));
        }
    }
    (settings, shown)
}

fn canonical(key: &str, known: &[&str]) -> String {
    let same = SAME.iter().find(|(other, name)| *other == key && !known.contains(&key) && known.contains(name));
    same.map_or(key, |(_, name)| name).to_owned()
}

/// `credentials: {secret: NAME}` of the second form: the file of that name among the secrets.
fn named_secret(checker: &Checker<'_>, key: &str, node: &Node, known: &[&str]) -> Option<String> {
    let Raw::Map(map) = &node.value else { return None };
    let [(name, node)] = map.as_slice() else { return None };
    let Raw::Text(text) = &node.value else { return None };
    let fits = checker.camel
        && key == "credentials"
        && name.name == "secret"
        && known.contains(&"credentials_file")
        && !known.contains(&"credentials")
        && !text.text.is_empty()
        && !text.text.contains('/')
        && text.text != "..";
    fits.then(|| format!("{SECRETS_DIR}/{}", text.text))
}

fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(mask_url(text)),
        Value::Array(list) => Value::Array(list.iter().map(masked).collect()),
        Value::Object(map) => Value::Object(map.iter().map(|(name, value)| (name.clone(), masked(value))).collect()),
        other => other.clone(),
    }
}
