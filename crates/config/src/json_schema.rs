//! JSON Schemas (2020-12) of the configuration and of manifests, from the one table.
//!
//! They say the form. What depends on several values together, such as which operator goes with what, is said by
//! [`parse`](crate::parse) and [`manifests`](crate::manifests) only.

use serde_json::{Map, Value, json};

use crate::{
    keys::{FEDERATION, HOST, HOST_KINDS, PROVIDER, TOP, VIRTUAL_MACHINE},
    names::camel,
    providers::KindInfo,
    schema::{Key, Kind, MAX_CPUS},
};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Both forms of the configuration. Blocks of kinds that are not given take any key.
pub fn json_schema(kinds: &[KindInfo]) -> Value {
    let snake = Writer { kinds, camel: false };
    let camel = Writer { kinds, camel: true };
    json!({
        "$schema": DIALECT,
        "title": "NovaCron configuration",
        "oneOf": [{ "$ref": "#/$defs/multicloud" }, { "$ref": "#/$defs/federation" }],
        "$defs": {
            "multicloud": snake.block(TOP, "#/$defs/multicloud"),
            "federation": camel.block(FEDERATION, "#/$defs/federation"),
            "variable": variable(),
        }
    })
}

/// The manifest `kind: VirtualMachine`.
pub fn machine_schema() -> Value {
    let mut schema = Writer { kinds: &[], camel: true }.block(VIRTUAL_MACHINE, "#");
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!("NovaCron virtual machine");
    schema["$defs"] = json!({ "variable": variable() });
    schema
}

/// A value may be written as a variable wherever it stands.
fn variable() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{[A-Za-z_]" })
}

struct Writer<'k> {
    kinds: &'k [KindInfo],
    /// Names are written in camelCase, and read in snake_case too.
    camel: bool,
}

impl Writer<'_> {
    /// `pointer` is where the block will stand, for names that mean the same.
    fn block(&self, keys: &[Key], pointer: &str) -> Value {
        let mut properties = Map::new();
        let mut needed = Vec::new();
        let mut either = Vec::new();
        for key in keys {
            let name = if self.camel { camel(key.name) } else { key.name.to_owned() };
            let at = format!("{pointer}/properties/{name}");
            properties.insert(name.clone(), self.key(key, &at));
            let mut names = vec![name.clone()];
            names.extend(key.aliases.iter().map(|alias| (*alias).to_owned()));
            names.extend((name != key.name).then(|| key.name.to_owned()));
            for other in &names[1..] {
                properties.insert(other.clone(), json!({ "$ref": at }));
            }
            match (key.required, names.len()) {
                (false, _) => {}
                (true, 1) => needed.push(name),
                (true, _) => {
                    let each: Vec<Value> = names.iter().map(|name| json!({ "required": [name] })).collect();
                    either.push(json!({ "anyOf": each }));
                }
            }
        }
        let of = if needed.is_empty() { json!(["object", "null"]) } else { json!("object") };
        let mut schema = json!({ "type": of, "additionalProperties": false, "properties": properties });
        if !needed.is_empty() {
            schema["required"] = json!(needed);
        }
        if !either.is_empty() {
            schema["allOf"] = json!(either);
        }
        schema
    }

    fn key(&self, key: &Key, pointer: &str) -> Value {
        let mut schema = self.of(&key.kind, key.name, pointer);
        schema["description"] = json!(key.doc);
        if !key.default.is_empty() && !key.default.contains(' ') {
            schema["default"] = serde_json::from_str(key.default).unwrap_or_else(|_| json!(key.default));
        }
        if key.secret {
            schema["writeOnly"] = json!(true);
        }
        schema
    }

    fn of(&self, kind: &Kind, name: &str, pointer: &str) -> Value {
        let or_variable = |schema: Value| json!({ "anyOf": [schema, { "$ref": "#/$defs/variable" }] });
        let matching = |pattern: &str| or_variable(json!({ "type": "string", "pattern": pattern }));
        let number_or = |least: f64, most: f64, pattern: &str| {
            let number = json!({ "type": "number", "minimum": least, "maximum": most });
            json!({ "anyOf": [number, { "type": "string", "pattern": pattern }, { "$ref": "#/$defs/variable" }] })
        };
        match kind {
            Kind::Text | Kind::Path | Kind::Address | Kind::Location | Kind::Reference(_) => {
                json!({ "type": "string", "minLength": 1 })
            }
            Kind::StoreUrl => matching("^(postgres|postgresql)://|^sqlite:"),
            Kind::Sha256 => matching("^[0-9A-Fa-f]{64}$"),
            Kind::Url => matching("^https?://\\S+$"),
            Kind::Schedule => matching("^\\s*(\\S+\\s+){4}\\S+\\s*$"),
            Kind::Bool => or_variable(json!({ "type": "boolean" })),
            Kind::Integer { min, max } if *max == i64::MAX => or_variable(json!({ "type": "integer", "minimum": min })),
            Kind::Integer { min, max } => or_variable(json!({ "type": "integer", "minimum": min, "maximum": max })),
            Kind::Cpus => or_variable(json!({ "type": "integer", "minimum": 1, "maximum": MAX_CPUS })),
            Kind::Number { min, max } if *max == f64::MAX => or_variable(json!({ "type": "number", "minimum": min })),
            Kind::Number { min, max } => or_variable(json!({ "type": "number", "minimum": min, "maximum": max })),
            Kind::OneOf(words) => or_variable(json!({ "enum": words })),
            Kind::Size => json!({ "type": ["integer", "string"], "minimum": 0 }),
            Kind::Capacity => number_or(
                novacron_types::MIB as f64,
                f64::from(1 << 20) * novacron_types::GIB as f64,
                "^\\s*([0-9]+(\\.[0-9]*)?|\\.[0-9]+)\\s*([KkMmGgTt][Ii]?)?[Bb]?\\s*$",
            ),
            Kind::Dollars => number_or(0.0, 1e9, "^\\s*\\$?[0-9]+(\\.[0-9]{0,9})?( +USD)?\\s*$"),
            Kind::Millis => number_or(0.0, 1e9, "^\\s*[0-9.]+\\s*(ms|us|s)?\\s*$"),
            Kind::Scalar => json!({ "type": ["string", "number", "boolean"] }),
            Kind::List(item) => json!({ "type": "array", "items": self.of(item, name, &format!("{pointer}/items")) }),
            Kind::Map => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            Kind::Block(keys) => self.block(keys, pointer),
            Kind::Provider => self.provider(self.kinds.iter().find(|info| info.kind.as_str() == name), pointer),
            Kind::Providers => {
                let mut item = self.provider(None, &format!("{pointer}/items"));
                item["required"] = json!(["name"]);
                json!({ "type": "array", "items": item })
            }
        }
    }

    fn provider(&self, info: Option<&KindInfo>, pointer: &str) -> Value {
        let of_host = info.is_none_or(|info| HOST_KINDS.contains(&info.kind.as_str()));
        let mut keys = PROVIDER.to_vec();
        // A kind's own key goes before one of hosts.
        let own = |name: &str| info.is_some_and(|info| info.keys.iter().any(|key| key.name == name));
        keys.extend(HOST.iter().filter(|key| of_host && info.is_some() && !own(key.name)));
        let mut schema = self.block(&keys, pointer);
        for key in info.into_iter().flat_map(|info| info.keys) {
            schema["properties"][key.name] = json!({ "description": key.doc, "writeOnly": key.secret });
        }
        if info.is_none() || self.camel {
            schema["additionalProperties"] = json!(true);
        }
        schema
    }
}
