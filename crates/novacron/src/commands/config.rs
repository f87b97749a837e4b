//! `novacron config …`

use novacron_config::{Config, Context, KindInfo, Loaded, Overrides};
use serde_json::json;

use crate::{
    cli::{ConfigCommand, ConfigFile},
    exit::{Failure, Result},
    output::{Format, Output},
    registry,
    serve::{check_config, shown_file},
};

pub async fn run(output: &Output, command: ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Check(file) => check(output, &load(&file, Overrides::default())?).await,
        ConfigCommand::Show(file) => show(output, &load(&file, Overrides::default())?.config),
        ConfigCommand::Schema { kind } => {
            let schema = match kind.as_str() {
                "VirtualMachine" => novacron_config::machine_schema(),
                _ => novacron_config::json_schema(&kinds()),
            };
            let output = Output { format: if output.for_people() { Format::Json } else { output.format }, ..*output };
            output.one(&schema, String::new)
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

/// The built-in defaults, whatever files there are.
pub fn defaults(overrides: Overrides) -> Result<Config> {
    let env = |_: &str| None;
    let context = Context { file: "built-in defaults", env: &env, kinds: &kinds(), overrides };
    novacron_config::parse("", &context).map_err(|error| Failure::failed("the defaults can't be used").why(error))
}

pub fn kinds() -> Vec<KindInfo> {
    let registry = registry::registry();
    let info = |kind| registry.factory(kind).map(|factory| KindInfo { kind, keys: factory.keys() });
    registry.kinds().filter_map(info).collect()
}

async fn check(output: &Output, loaded: &Loaded) -> Result<()> {
    check_config(loaded).await?;
    let file = shown_file(loaded);
    let config = &loaded.config;
    let providers: Vec<String> = config.providers.iter().map(|p| format!("{} ({})", p.name, p.kind)).collect();
    let mut ineffective: Vec<String> = config.deciding_only.iter().map(ToString::to_string).collect();
    ineffective.extend(config.ineffective.iter().map(ToString::to_string));
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

fn show(output: &Output, config: &Config) -> Result<()> {
    output.one(config.redacted(), || config.redacted_yaml())
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
