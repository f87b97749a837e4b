//! The documentation of the keys, and their JSON Schema, from the one table.

use serde_json::{Map, Value, json};

use crate::{
    keys::{FEDERATION, PROVIDER, TOP},
    providers::KindInfo,
    schema::{Effect, Key, Kind},
};

/// The keys as tables in Markdown. The keys of each kind of provider are listed for the kinds that are given.
pub fn markdown(kinds: &[KindInfo]) -> String {
    let mut text = String::new();
    table(&mut text, "Top level", TOP);
    sections(&mut text, "", TOP);
    table(&mut text, "Every provider's block", PROVIDER);
    sections(&mut text, "*provider*", PROVIDER);
    for info in kinds {
        text.push_str(&format!("### Keys of kind `{}`\n\n| key | meaning |\n|---|---|\n", info.kind));
        for key in info.keys {
            let secret = if key.secret { " Secret: shown as `***`." } else { "" };
            text.push_str(&format!("| `{}` | {}{secret} |\n", key.name, cell(key.doc)));
        }
        text.push('\n');
    }
    table(&mut text, "The form `kind: FederationConfig`", FEDERATION);
    if let Some(Key { kind: Kind::Block(metadata), .. }) = FEDERATION.iter().find(|key| key.name == "metadata") {
        table(&mut text, "`metadata`", metadata);
    }
    text
}

fn sections(text: &mut String, path: &str, keys: &[Key]) {
    for key in keys {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        let (path, keys) = match key.kind {
            Kind::Block(keys) => (path, keys),
            Kind::List(Kind::Block(keys)) => (format!("{path}[]"), *keys),
            _ => continue,
        };
        table(text, &format!("`{path}`"), keys);
        sections(text, &path, keys);
    }
}

fn table(text: &mut String, title: &str, keys: &[Key]) {
    text.push_str(&format!("### {title}\n\n| key | type | default | meaning |\n|---|---|---|---|\n"));
    for key in keys {
        let mut doc = cell(key.doc);
        if !key.aliases.is_empty() {
            doc.push_str(&format!(" Also written `{}`.", key.aliases.join("`, `")));
        }
        if key.secret {
            doc.push_str(" Secret: shown as `***`.");
        }
        if key.effect == Effect::None {
            doc.push_str(" *Checked, without effect in this version.*");
        }
        let default = if key.default.is_empty() {
            "–".to_owned()
        } else if key.default.contains(' ') {
            key.default.to_owned()
        } else {
            format!("`{}`", key.default)
        };
        text.push_str(&format!("| `{}` | {} | {default} | {doc} |\n", key.name, cell(&key.kind.describe())));
    }
    text.push('\n');
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A JSON Schema (2020-12) of both forms. Blocks of kinds that are not given take any key.
pub fn json_schema(kinds: &[KindInfo]) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "NovaCron configuration",
        "oneOf": [{ "$ref": "#/$defs/multicloud" }, { "$ref": "#/$defs/federation" }],
        "$defs": {
            "multicloud": block(TOP, kinds),
            "federation": federation(),
            // A value may be written as a variable wherever it stands.
            "variable": { "type": "string", "pattern": "\\$\\{[A-Za-z_]" },
        }
    })
}

fn federation() -> Value {
    let mut schema = block(&FEDERATION[..3], &[]);
    // Its keys may be in camelCase, which a schema can't say: `novacron config check` does.
    schema["properties"]["spec"] = json!({ "type": "object", "description": FEDERATION[3].doc });
    schema["required"] = json!(["apiVersion", "kind", "spec"]);
    schema
}

fn block(keys: &[Key], kinds: &[KindInfo]) -> Value {
    let mut properties = Map::new();
    for key in keys {
        let mut schema = of(&key.kind, key.name, kinds);
        if let Value::Object(map) = &mut schema {
            map.insert("description".into(), json!(key.doc));
            if !key.default.is_empty() && !key.default.contains(' ') {
                let default = serde_json::from_str(key.default).unwrap_or_else(|_| json!(key.default));
                map.insert("default".into(), default);
            }
            if key.secret {
                map.insert("writeOnly".into(), json!(true));
            }
        }
        for alias in key.aliases {
            properties.insert((*alias).to_owned(), schema.clone());
        }
        properties.insert(key.name.to_owned(), schema);
    }
    json!({ "type": ["object", "null"], "additionalProperties": false, "properties": properties })
}

fn of(kind: &Kind, name: &str, kinds: &[KindInfo]) -> Value {
    let or_variable = |schema: Value| json!({ "anyOf": [schema, { "$ref": "#/$defs/variable" }] });
    match kind {
        Kind::Text | Kind::Path | Kind::Address => json!({ "type": "string", "minLength": 1 }),
        Kind::StoreUrl => or_variable(json!({ "type": "string", "pattern": "^(postgres|postgresql)://|^sqlite:" })),
        Kind::Sha256 => or_variable(json!({ "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" })),
        Kind::Bool => or_variable(json!({ "type": "boolean" })),
        Kind::Integer { min, max } if *max == i64::MAX => or_variable(json!({ "type": "integer", "minimum": min })),
        Kind::Integer { min, max } => or_variable(json!({ "type": "integer", "minimum": min, "maximum": max })),
        Kind::Number { min, max } if *max == f64::MAX => or_variable(json!({ "type": "number", "minimum": min })),
        Kind::Number { min, max } => or_variable(json!({ "type": "number", "minimum": min, "maximum": max })),
        Kind::OneOf(words) => or_variable(json!({ "enum": words })),
        Kind::Size => json!({ "type": ["integer", "string"], "minimum": 0 }),
        Kind::List(item) => json!({ "type": "array", "items": of(item, name, kinds) }),
        Kind::Map => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Block(keys) => block(keys, kinds),
        Kind::Provider => provider(kinds.iter().find(|info| info.kind.as_str() == name)),
        Kind::Providers => {
            let mut item = provider(None);
            item["required"] = json!(["name"]);
            json!({ "type": "array", "items": item })
        }
        Kind::Any => json!({}),
    }
}

fn provider(info: Option<&KindInfo>) -> Value {
    let mut schema = block(PROVIDER, &[]);
    match info {
        Some(info) => {
            for key in info.keys {
                schema["properties"][key.name] = json!({ "description": key.doc, "writeOnly": key.secret });
            }
        }
        None => schema["additionalProperties"] = json!(true),
    }
    schema
}
