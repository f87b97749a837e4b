//! From text to [`Config`]: read, fill in, check, make typed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use novacron_types::{
    MIB,
    placement::{Strategy, Weights},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    check::Checker,
    config::{Config, Mover, Plain, PlainToken, Server, Store},
    error::ConfigError,
    expand::{Env, expand},
    keys::{FEDERATION, HOST_KINDS, TOP},
    node::{Node, Raw, read},
    placement::{Bursting, Optimization, Orchestrator, PlainOptimization, Quota},
    policies,
    providers::{self, KindInfo},
    reference::unknown_providers,
    shown::shown,
    token::{MIN_TOKEN, TokenConfig, TokenSource, too_short},
    value::{Checked, without_holes},
};

pub(crate) const GRACE_SECONDS: u64 = 300;
pub(crate) const DAY: u64 = 24 * 3600;

/// What a configuration is read with.
pub struct Context<'a> {
    /// Where the text came from, for errors.
    pub file: &'a str,
    pub env: Env<'a>,
    /// The kinds of provider that this build has.
    pub kinds: &'a [KindInfo],
    pub overrides: Overrides,
}

/// What the command line says goes before what the file says.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub data_dir: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
    pub store_url: Option<String>,
}

/// Reads a configuration in either form. It touches no file and no network; what it takes is bounded in size,
/// depth and number of nodes. The error has every fault that was found, in the order of the file.
pub fn parse(text: &str, context: &Context<'_>) -> Result<Config, ConfigError> {
    let mut tree = read(text, context.file)?;
    let mut checker = if is_federation(&tree) { Checker::new(FEDERATION, true) } else { Checker::new(TOP, false) };
    expand(&mut tree, context.env, &mut checker.faults);
    match configuration(&mut checker, &tree, context) {
        Some(config) if checker.faults.is_empty() => Ok(config),
        _ => Err(checker.faults.into_error(context.file)),
    }
}

/// One document, filled in. Whether it can be used is for the checker's faults to say.
pub(crate) fn configuration<'n>(checker: &mut Checker<'n>, tree: &'n Node, context: &Context<'_>) -> Option<Config> {
    let mut checked = if checker.camel {
        checker.block(FEDERATION, tree, "").and_then(|whole| part(&whole, "spec"))
    } else {
        checker.block(TOP, tree, "")
    }
    .unwrap_or_else(|| Checked { value: json!({}), shown: json!({}) });
    checked.apply(&context.overrides);

    let mut value = checked.value.clone();
    without_holes(&mut value);
    let plain: Plain = serde_json::from_value(value).unwrap_or_else(|error| {
        // The checker lets through nothing that has no type, and so this is never reached without a fault.
        if checker.faults.is_empty() {
            checker.faults.add(error.to_string());
        }
        Plain::default()
    });
    let data_dir = plain.data_dir.to_string_lossy().into_owned();
    let providers = providers::read(checker, context.kinds, &data_dir);
    let names: Vec<&str> = providers.kinds.keys().map(String::as_str).collect();
    let (policies, policy_places) = policies::read(checker, checked.value.get("policies"), &providers.kinds);
    unknown_providers(&checker.references, &names).into_iter().for_each(|fault| checker.faults.push(fault));
    if plain.mover.memory_limit.0 < 16 * MIB {
        checker.faults.add("`mover.memory_limit` must be at least 16MiB");
    }
    let tokens = tokens(plain.server.tokens, checker);
    together(checker, &plain.orchestrator, &plain.bursting);
    targets(checker, &plain.bursting, &providers.kinds);
    strategies(checker, &plain.optimization.strategies);
    let optimization = optimization(checker, plain.optimization, plain.orchestrator.cost_optimization)?;

    let server = Server {
        listen: plain.server.listen,
        tls: plain.server.tls,
        tokens,
        max_connections: plain.server.max_connections,
        shutdown_seconds: plain.server.shutdown_seconds,
    };
    let mut config = Config {
        server,
        store: Store {
            url: plain.store.url.map(SecretString::from),
            retention: Some(plain.store.retention_days)
                .filter(|days| *days > 0)
                .map(|days| Duration::from_secs(days * DAY)),
        },
        data_dir: plain.data_dir,
        logging: plain.logging.into(),
        grace_period: Duration::from_secs(plain.migration_options.grace_period_seconds.unwrap_or(GRACE_SECONDS)),
        migration_options: plain.migration_options.into(),
        mover: Mover { memory_limit: plain.mover.memory_limit },
        providers: providers.enabled.clone(),
        disabled_providers: providers.disabled.clone(),
        deciding_only: providers.deciding_only.clone(),
        hosts: providers.hosts.clone(),
        provider_defaults: providers.defaults.clone(),
        orchestrator: plain.orchestrator,
        policies,
        policy_places,
        optimization,
        bursting: plain.bursting,
        catalog: plain.catalog.into(),
        references: std::mem::take(&mut checker.references),
        ineffective: std::mem::take(&mut checker.ineffective),
        shown: Value::Null,
    };
    config.shown = shown(&config, checked.shown, providers);
    Some(config)
}

fn optimization(checker: &mut Checker<'_>, plain: PlainOptimization, cost_optimization: bool) -> Option<Optimization> {
    plain
        .finish(cost_optimization)
        .map_err(|why| checker.fault(&checker.at(&checker.top("optimization"), "schedule"), why))
        .ok()
}

/// Machines leave hosts of one's own; to another of them they would not burst.
fn targets(checker: &mut Checker<'_>, bursting: &Bursting, kinds: &BTreeMap<String, String>) {
    let path = checker.at(&checker.top("bursting"), "targets");
    if !checker.is_right(&path) {
        return;
    }
    for (index, target) in bursting.targets.iter().enumerate() {
        let kind = kinds.get(target).map_or(target.as_str(), String::as_str);
        if HOST_KINDS.contains(&kind) {
            let path = format!("{path}[{index}]");
            let found = checker.quote(&path);
            checker.fault(&path, format!("{found} is a host of one's own, which machines overflow from; name clouds, or leave the key out for all of them"));
        }
    }
}

fn strategies(checker: &mut Checker<'_>, strategies: &[Strategy]) {
    let path = checker.at(&checker.top("optimization"), "strategies");
    if !checker.is_set(&path) || !checker.is_right(&path) {
        return;
    }
    if strategies.is_empty() {
        checker.fault(&path, "it is empty; name at least one strategy, or leave the key out");
    }
    for (index, strategy) in strategies.iter().enumerate() {
        if strategies[..index].contains(strategy) {
            checker.fault(
                &format!("{path}[{index}]"),
                format!("`{strategy}` stands before it already; a strategy counts once"),
            );
        }
    }
}

/// What each of several keys may be by itself, and not beside the others.
fn together(checker: &mut Checker<'_>, orchestrator: &Orchestrator, bursting: &Bursting) {
    if bursting.return_percent >= bursting.threshold_percent {
        let (back, out) = (bursting.return_percent, bursting.threshold_percent);
        checker.fault(
            &checker.at(&checker.top("bursting"), "return_percent"),
            format!(
                "{back} is not less than `threshold_percent`, {out}: machines would come home and leave again at once"
            ),
        );
    }
    let path = checker.at(&checker.top("orchestrator"), "weights");
    if checker.is_right(&path) && orchestrator.weights.is_some_and(|weights| no_weight(&weights)) {
        checker.fault(&path, NO_WEIGHT);
    }
    for (index, quota) in orchestrator.quotas.iter().enumerate() {
        let path = format!("{}[{index}]", checker.at(&checker.top("orchestrator"), "quotas"));
        if quota.vcpus.is_none() && quota.instances.is_none() && quota.monthly_budget.is_none() {
            checker.fault(&path, "it limits nothing; give it `vcpus`, `instances` or `monthly_budget`");
        }
        let same = |other: &&Quota| (&other.provider, &other.region) == (&quota.provider, &quota.region);
        if orchestrator.quotas[..index].iter().find(same).is_some() {
            checker.fault(&path, "there is a quota for the same before it; write both in one");
        }
    }
}

pub(crate) const NO_WEIGHT: &str = "at least one weight is more than 0";

pub(crate) fn no_weight(weights: &Weights) -> bool {
    weights.cost + weights.performance + weights.compliance + weights.location + weights.carbon <= 0.0
}

fn is_federation(tree: &Node) -> bool {
    let Raw::Map(map) = &tree.value else { return false };
    map.iter().any(|(name, _)| name.name == "apiVersion" || name.name == "spec")
        || map.iter().any(|(name, node)| name.name == "kind" && matches!(node.value, Raw::Text(_)))
}

fn part(whole: &Checked, name: &str) -> Option<Checked> {
    Some(Checked { value: whole.value.get(name)?.clone(), shown: whole.shown.get(name)?.clone() })
}

impl Checked {
    fn apply(&mut self, overrides: &Overrides) {
        let mut set = |path: &[&str], value: String| {
            for (root, value) in [(&mut self.value, value.clone()), (&mut self.shown, crate::secret::mask_url(&value))]
            {
                let mut at = root;
                for name in path {
                    if !at.is_object() {
                        *at = json!({});
                    }
                    at = &mut at[*name];
                }
                *at = json!(value);
            }
        };
        if let Some(dir) = &overrides.data_dir {
            set(&["data_dir"], dir.to_string_lossy().into_owned());
        }
        if let Some(listen) = &overrides.listen {
            set(&["server", "listen"], listen.to_string());
        }
        if let Some(url) = &overrides.store_url {
            set(&["store", "url"], url.clone());
        }
    }
}

fn tokens(plain: Vec<PlainToken>, checker: &mut Checker<'_>) -> Vec<TokenConfig> {
    let mut names = BTreeSet::new();
    let mut tokens = Vec::new();
    for (index, token) in plain.into_iter().enumerate() {
        let path = format!("server.tokens[{index}]");
        if !names.insert(token.name.clone()) {
            checker.faults.add(format!("`{path}`: there are two tokens with the name `{}`", token.name));
        }
        let source = match (token.token, token.token_file, token.token_sha256) {
            (Some(token), None, None) if token.len() >= MIN_TOKEN => TokenSource::Inline(token.into()),
            (Some(_), None, None) => {
                checker.faults.add(format!("`{path}.token`: {}", too_short()));
                continue;
            }
            (None, Some(file), None) => TokenSource::File(file),
            (None, None, Some(hex)) => match digest(&hex) {
                Some(digest) => TokenSource::Sha256(digest),
                None => continue,
            },
            _ => {
                checker.faults.add(format!(
                    "`{path}` (`{}`) needs exactly one of `token`, `token_file` and `token_sha256`",
                    token.name
                ));
                continue;
            }
        };
        tokens.push(TokenConfig { name: token.name, role: token.role, source });
    }
    tokens
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(digest)
}
