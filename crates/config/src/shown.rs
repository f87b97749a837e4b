//! The configuration as it may be shown.

use serde_json::{Map, Value, json};

use crate::{
    config::{Config, PlainLogging},
    parse::{DAY, GRACE_SECONDS},
    placement::Bursting,
    providers::Providers,
    secret::HIDDEN,
};

/// What was set, with the defaults of what was not, and without secrets.
pub(crate) fn shown(config: &Config, set: Value, providers: Providers) -> Value {
    let mut shown = match set {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let mut section = |name: &str, defaults: Value| {
        let entry = shown.entry(name).or_insert_with(|| json!({}));
        if let (Value::Object(entry), Value::Object(defaults)) = (entry, defaults) {
            for (key, value) in defaults {
                entry.entry(key).or_insert(value);
            }
        }
    };
    let server = &config.server;
    section(
        "server",
        json!({
            "listen": server.listen.to_string(), "tokens": [],
            "max_connections": server.max_connections, "shutdown_seconds": server.shutdown_seconds,
        }),
    );
    let days = config.store.retention.map_or(0, |keep| keep.as_secs() / DAY);
    section("store", json!({ "url": format!("sqlite:{}", config.data_dir.display()), "retention_days": days }));
    let logging = PlainLogging::default();
    section("logging", json!({ "level": logging.level, "format": logging.format, "output": logging.output }));
    section(
        "migration_options",
        json!({
            "compression_enabled": true, "compression_level": 3, "chunk_size_mb": 100, "parallel_transfers": 4,
            "bandwidth_limit": 0, "verify_integrity": true, "grace_period_seconds": GRACE_SECONDS,
        }),
    );
    section("mover", json!({ "memory_limit": config.mover.memory_limit.0 }));
    let upkeep = &config.optimization;
    section(
        "optimization",
        json!({
            "enabled": upkeep.enabled, "schedule": upkeep.schedule.as_str(), "strategies": upkeep.strategies,
            "apply": upkeep.apply, "max_moves": upkeep.max_moves, "min_saving": upkeep.min_saving,
            "payback_days": upkeep.payback_days, "hysteresis_percent": upkeep.hysteresis_percent,
        }),
    );
    let bursting = Bursting::default();
    section(
        "bursting",
        json!({
            "enabled": bursting.enabled, "threshold_percent": bursting.threshold_percent,
            "return_percent": bursting.return_percent, "window_minutes": bursting.window_minutes,
            "mode": "best-effort",
        }),
    );
    let days = config.catalog.max_age.as_secs() / DAY;
    section("catalog", json!({ "max_age_days": days, "stale": "mark" }));
    shown.insert("data_dir".into(), json!(config.data_dir));
    shown.insert("providers".into(), Value::Array(providers.shown));
    hide_tokens(&mut shown);
    Value::Object(shown)
}

/// A token's digest is no secret, but nobody needs to see it either.
fn hide_tokens(shown: &mut Map<String, Value>) {
    let tokens = shown.get_mut("server").and_then(|server| server.get_mut("tokens")).and_then(Value::as_array_mut);
    for token in tokens.into_iter().flatten() {
        if let Some(digest) = token.get_mut("token_sha256") {
            *digest = json!(HIDDEN);
        }
    }
}
