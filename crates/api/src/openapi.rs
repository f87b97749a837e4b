//! The OpenAPI document: the handlers' own annotations, and what is the same for all of them.

use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use crate::routes;

/// The whole document, as it is served and as it is committed.
pub fn document() -> Value {
    let (_, mut api) = routes::protected();
    api.merge(routes::open().1);
    let mut document = serde_json::to_value(&api).unwrap_or_default();
    document["info"] = json!({
        "title": "NovaCron",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "One API for the virtual machines of every cloud. Long work answers 202 and is followed as a \
            migration. Errors are problem details (RFC 9457) with a stable `code`; docs/api.md lists them. \
            Every answer has an `x-request-id`.",
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    document["tags"] = json!([
        { "name": "providers", "description": "Clouds and hosts, and the machines there." },
        { "name": "migrations", "description": "Imports, exports and moves." },
        { "name": "placements", "description": "Where machines should run, why, and what follows from it." },
        { "name": "vms", "description": "The federation's records of machines." },
        { "name": "health", "description": "How things are." },
        { "name": "docs", "description": "This document." },
    ]);
    document["security"] = json!([{ "bearer": [] }, {}]);
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer",
            "description": "A token of the configuration's `server.tokens`. Needed where any is configured." },
    });
    document["components"]["responses"] = responses();
    schemas(&mut document["components"]["schemas"]);
    for item in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        for operation in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            parameters(operation);
            errors(operation);
            links(operation);
            streams(operation);
        }
    }
    document
}

/// A stream is described by one of its events.
fn streams(operation: &mut Value) {
    let Some(stream) = operation.pointer_mut("/responses/200/content/text~1event-stream") else { return };
    *stream = json!({ "schema": {
        "type": "object",
        "description": "One event: its `data` is JSON, the migration or the work for `progress`, else `seq`, `at`, `kind`, `step`, `message`.",
        "required": ["event", "data"],
        "properties": {
            "event": { "type": "string", "enum": ["status", "step", "checkpoint", "log", "progress"] },
            "id": { "type": "string", "pattern": "^[0-9]+$" },
            "data": { "type": "string" },
        },
    } });
}

/// What the types can't say of themselves.
fn schemas(schemas: &mut Value) {
    schemas["Problem"] = problem_schema();
    for (name, deletes) in [("ImportOptions", "terminate_source"), ("ExportOptions", "delete_source")] {
        flatten(schemas, name);
        // What a running source writes after its snapshot would be deleted with it.
        schemas[name]["not"] = json!({
            "required": ["migration_type", deletes],
            "properties": { "migration_type": { "const": "snapshot" }, deletes: { "const": true } },
        });
    }
    for name in ["InstanceId", "VmId"] {
        schemas[name] = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" });
    }
    schemas["ByteSize"] = json!({
        "description": "Bytes: a number, or a text with a unit. Answers have the number.",
        "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991u64 },
            { "type": "string", "pattern": "^[0-9]{1,5}(\\.[0-9]{1,3})? ?([KMGT]i?)?B?$", "example": "100MB" },
        ],
    });
    for request in ["ImportRequest", "ExportRequest", "MigrateRequest"] {
        let properties = &mut schemas[request]["properties"];
        properties["options"] = json!({ "$ref": properties["options"]["$ref"] });
        properties["name"]["pattern"] = json!("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$");
        for field in ["source", "target", "destination"] {
            if properties.get(field).is_some() {
                properties[field]["maxLength"] = json!(255);
            }
        }
    }
}

/// An object that takes in another's fields is one object, so that it can be said to have no others.
fn flatten(schemas: &mut Value, name: &str) {
    let mut properties = Map::new();
    let parts = schemas[name]["allOf"].as_array().cloned().unwrap_or_default();
    for part in parts {
        let part = match part["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
            Some(name) => schemas[name].clone(),
            None => part,
        };
        properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
    }
    let description = "How it is to be done. What is left open the configuration says, or the default.";
    schemas[name] = json!({
        "type": "object", "description": description, "additionalProperties": false, "properties": properties,
    });
}

/// A parameter that may be left out is not one that may be null.
fn parameters(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let schema = &mut parameter["schema"];
        let kind = schema["type"].as_array().and_then(|kinds| kinds.iter().find(|kind| *kind != "null")).cloned();
        if let Some(kind) = kind {
            schema["type"] = kind;
        }
        let inner =
            schema["oneOf"].as_array().and_then(|any| any.iter().find(|one| one.get("$ref").is_some())).cloned();
        if let Some(inner) = inner {
            *schema = inner;
        }
    }
}

fn problem_schema() -> Value {
    serde_json::to_value(novacron_types::Problem::schema()).unwrap_or_default()
}

/// Every error that can come, with what it means.
const ERRORS: [(u16, &str); 15] = [
    (400, "The request can't be read: a parameter, a header or JSON that is none"),
    (401, "A valid token is needed"),
    (403, "The token's role does not allow it, or the request comes from a page of another site"),
    (404, "There is no such thing"),
    (405, "The path is there, for other methods"),
    (409, "At odds with what is going on, or with the state that something is in"),
    (413, "The body is larger than 64 KiB; of bursts and declared machines, than 4 MiB"),
    (414, "The URL is longer than 65,534 bytes; there is no body"),
    (415, "The body is not `application/json`"),
    (422, "It can be read, and can't be right: a field, an option, a value out of its range"),
    (431, "The request's head is larger than 64 KiB; there is no body"),
    (500, "Something went wrong here"),
    (502, "The provider refused our credentials, or lacks a permission"),
    (503, "The provider or the store can't be reached at present"),
    (504, "It took too long"),
];

/// What is refused before it is a request.
const BARE: [u16; 2] = [414, 431];

fn responses() -> Value {
    let mut responses = Map::new();
    for (status, description) in ERRORS {
        let mut response = json!({
            "description": description,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        if BARE.contains(&status) {
            response = json!({ "description": description });
        }
        let header = match status {
            401 => Some("WWW-Authenticate"),
            405 => Some("Allow"),
            503 => Some("Retry-After"),
            _ => None,
        };
        if let Some(header) = header {
            response["headers"] = json!({ header: { "schema": { "type": "string" } } });
        }
        responses.insert(format!("Problem{status}"), response);
    }
    Value::Object(responses)
}

/// What an answer leads to.
fn links(operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let link = |status: &str, parameter: &str, from: &str, to: &[&str]| {
        let parameters = json!({ parameter: format!("$response.body#/{from}") });
        let links = to.iter().map(|to| ((*to).to_owned(), json!({ "operationId": to, "parameters": parameters })));
        (status.to_owned(), Value::Object(links.collect()))
    };
    let of_migration = [
        "get_migration",
        "migration_events",
        "cancel_migration",
        "change_migration",
        "continue_migration",
        "retry_migration",
    ];
    let (status, links) = match id.as_str() {
        "import" | "export" | "migrate" => link("202", "id", "migration_id", &of_migration),
        "list_migrations" => link("200", "id", "migrations/0/migration_id", &of_migration),
        "list_operations" => {
            let of_operation = ["get_operation", "operation_events", "cancel_operation", "retry_operation"];
            link("200", "id", "operations/0/operation_id", &of_operation)
        }
        "list_providers" => link("200", "provider", "providers/0/name", &["discover", "import", "export"]),
        "list_vms" => link("200", "id", "vms/0/vm_id", &["get_vm"]),
        _ => return,
    };
    operation["responses"][status.as_str()]["links"] = links;
}

/// The errors of each operation, beside those that every one has.
const OWN_ERRORS: [(&str, &[u16]); 28] = [
    ("audit", &[422, 503]),
    ("discover", &[404, 409, 422, 502, 503]),
    ("import", &[404, 409, 422, 502, 503]),
    ("export", &[404, 409, 422, 502, 503]),
    ("migrate", &[404, 409, 422, 502, 503]),
    ("list_migrations", &[422, 503]),
    ("get_migration", &[404, 503]),
    ("change_migration", &[404, 409, 422, 503]),
    ("cancel_migration", &[404, 409, 422, 503]),
    ("continue_migration", &[404, 409, 422, 503]),
    ("retry_migration", &[404, 409, 422, 503]),
    ("migration_events", &[404, 503]),
    ("list_vms", &[404, 409, 422, 503]),
    ("get_vm", &[404, 409, 503]),
    ("place", &[404, 409, 413, 415, 422, 503]),
    ("list_placements", &[422, 503]),
    ("get_placement", &[404, 503]),
    ("why_not", &[404, 409, 422, 503]),
    ("burst", &[404, 409, 413, 415, 422, 502, 503]),
    ("apply", &[404, 409, 413, 415, 422, 503]),
    ("plan_optimization", &[409, 413, 415, 422, 503]),
    ("apply_optimization", &[404, 409, 413, 415, 422, 503]),
    ("list_operations", &[422, 503]),
    ("get_operation", &[404, 503]),
    ("operation_events", &[404, 503]),
    ("cancel_operation", &[404, 409, 413, 415, 422, 503]),
    ("retry_operation", &[404, 409, 413, 415, 422, 503]),
    ("profile", &[409, 503]),
];

fn errors(operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let open = operation["security"] == json!([{}]);
    let own = OWN_ERRORS.iter().find(|(name, _)| *name == id).map_or(&[][..], |(_, own)| own);
    let mut statuses = vec![400, 403, 414, 431, 500, 504];
    if !open {
        statuses.push(401);
    }
    if ["import", "export", "migrate"].contains(&id.as_str()) || id.ends_with("_migration") && id != "get_migration" {
        statuses.extend([413, 415]);
    }
    if id == "metrics" || id == "statistics" {
        statuses.push(503);
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for status in statuses.iter().chain(own) {
        responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "$ref": format!("#/components/responses/Problem{status}") }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
    }

    #[test]
    fn the_committed_document_is_the_one_that_is_served() {
        let document = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(committed(), &document).unwrap();
        }
        let committed = std::fs::read_to_string(committed()).unwrap_or_default();
        assert!(committed == document, "docs/openapi.json is old; run this test with UPDATE_DOCS=1");
    }

    #[test]
    fn nothing_is_null_that_must_not_be() {
        for (path, item) in document()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                for (key, value) in operation.as_object().unwrap() {
                    assert!(!value.is_null(), "{method} {path}: {key}");
                }
            }
        }
    }

    #[test]
    fn every_operation_is_known_to_the_table() {
        let document = document();
        let operations =
            document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        let ids: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        for (id, _) in OWN_ERRORS {
            assert!(ids.contains(&id), "{id}");
        }
    }

    #[test]
    fn everything_that_is_referred_to_is_there() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
