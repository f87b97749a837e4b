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
        { "name": "vms", "description": "The federation's records of machines." },
        { "name": "health", "description": "How things are." },
        { "name": "docs", "description": "This document." },
    ]);
    document["security"] = json!([{ "bearer": [] }, {}]);
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer",
            "description": "A token of the configuration's `server.tokens`. Needed where any is configured." },
    });
    document["components"]["schemas"]["Problem"] = problem_schema();
    document["components"]["responses"] = responses();
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                add_errors(path, method, operation);
            }
        }
    }
    document
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
    (413, "The body is larger than 64 KiB"),
    (415, "The body is not `application/json`"),
    (422, "It can be read, and can't be right: a field, an option, a value out of its range"),
    (431, "The head of the request is too large"),
    (500, "Something went wrong here"),
    (502, "The provider refused our credentials, or lacks a permission"),
    (503, "The provider or the store can't be reached at present"),
    (504, "It took too long"),
    (408, "The request did not come in time"),
];

fn responses() -> Value {
    let mut responses = Map::new();
    for (status, description) in ERRORS {
        let mut response = json!({
            "description": description,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
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

fn add_errors(path: &str, method: &str, operation: &mut Value) {
    let open = operation["security"] == json!([{}]) || operation["security"] == json!([]);
    let has_body = operation.get("requestBody").is_some();
    let takes_body = has_body || method == "post";
    let mut statuses = vec![400, 403, 500, 504];
    if !open {
        statuses.push(401);
    }
    if path.contains('{') || has_body {
        statuses.extend([404, 503]);
    }
    if path.contains("/providers/") || (path.ends_with("/migrations") && has_body) {
        statuses.push(502);
    }
    if path.ends_with("/migrations") || path.ends_with("/vms") || path.ends_with("/metrics") {
        statuses.extend([404, 503]);
    }
    if takes_body {
        statuses.extend([409, 413, 415, 422]);
    }
    if path.ends_with("/discover") || path.contains("/vms") || method == "get" && path.contains("{id}") {
        statuses.push(422);
    }
    if path.ends_with("/profile") {
        statuses.extend([409, 503]);
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for status in statuses {
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
    fn everything_that_is_referred_to_is_there() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
