//! `novacron config …`

use std::path::Path;

use novacron_config::{Config, KindInfo, Loaded, Overrides};
use serde_json::json;

use crate::{
    cli::{ConfigCommand, ConfigFile},
    exit::{Failure, Result},
    output::{Format, Output},
    registry,
    serve::{api_config, local},
};

pub async fn run(output: &Output, command: ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Check(file) => check(output, &load(&file, Overrides::default())?).await,
        ConfigCommand::Show(file) => show(output, &load(&file, Overrides::default())?.config),
        ConfigCommand::Schema => {
            let schema = Output { format: if output.for_people() { Format::Json } else { output.format }, ..*output };
            schema.one(&novacron_config::json_schema(&kinds()), String::new)
        }
    }
}

/// Reads and checks the configuration against the kinds of provider that this build has.
pub fn load(file: &ConfigFile, overrides: Overrides) -> Result<Loaded> {
    let env = |name: &str| std::env::var(name).ok();
    novacron_config::load(file.config.as_deref(), &env, &kinds(), overrides).map_err(|error| {
        Failure::usage("the configuration can't be used")
            .why(error)
            .hint("docs/configuration.md lists every key; `novacron config check` reads the file again.")
    })
}

pub fn kinds() -> Vec<KindInfo> {
    let registry = registry::registry();
    let info = |kind| registry.factory(kind).map(|factory| KindInfo { kind, keys: factory.keys() });
    registry.kinds().filter_map(info).collect()
}

async fn check(output: &Output, loaded: &Loaded) -> Result<()> {
    let file = shown(loaded.file.as_deref());
    let config = &loaded.config;
    as_serve_would(&file, config).await?;
    let providers: Vec<String> = config.providers.iter().map(|p| format!("{} ({})", p.name, p.kind)).collect();
    let ineffective: Vec<String> = config.ineffective.iter().map(ToString::to_string).collect();
    let value = json!({
        "file": file, "valid": true, "providers": providers, "disabled": config.disabled_providers,
        "without_effect": ineffective,
    });
    output.one(&value, || {
        let mut text = format!("{file}: every key is known and right.\nProviders: {}", list(&providers));
        if !config.disabled_providers.is_empty() {
            text.push_str(&format!("\nDisabled: {}", list(&config.disabled_providers)));
        }
        for line in &ineffective {
            text.push_str(&format!("\n{line}"));
        }
        text
    })
}

/// What `serve` refuses is refused here: a provider's values, and an address that others can reach without a token.
async fn as_serve_would(file: &str, config: &Config) -> Result<()> {
    let registry = registry::registry();
    for definition in &config.providers {
        let name = definition.name.clone();
        registry.build(definition.clone()).await.map_err(|error| {
            let hint = error.advice.clone().unwrap_or_else(|| "docs/configuration.md lists every key.".to_owned());
            Failure::usage(format!("{file}: provider `{name}` can't be used")).why(error.message).hint(hint)
        })?;
    }
    local(config)?;
    let api = api_config(config)?;
    let refused = |why: &dyn std::fmt::Display| Failure::usage(format!("{file}: `server` can't be used")).why(why);
    novacron_api::check_exposure(config.server.listen, &api).map_err(|exposed| refused(&exposed))?;
    novacron_api::check_tls(&api).map_err(|error| refused(&error))
}

fn show(output: &Output, config: &Config) -> Result<()> {
    output.one(config.redacted(), || config.redacted_yaml())
}

fn shown(file: Option<&Path>) -> String {
    file.map_or_else(|| "built-in defaults".to_owned(), |path| path.display().to_string())
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
