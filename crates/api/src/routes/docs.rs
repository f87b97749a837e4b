//! The API's description, and a page to browse it. The page is self-contained and loads nothing from elsewhere.

use std::sync::LazyLock;

use axum::{
    Json,
    http::header,
    response::{Html, IntoResponse, Response},
};
use serde_json::Value;

use crate::{input::Params, openapi, problem::Result};

pub const DOCUMENT_PATH: &str = "/api/v1/openapi.json";

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);

const PAGE: &str = include_str!("../docs.html");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "docs", operation_id = "openapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
pub async fn document(params: Params) -> Result<Json<&'static Value>> {
    params.end()?;
    Ok(Json(&DOCUMENT))
}

/// A page to browse this document.
#[utoipa::path(get, path = "/api/docs", tag = "docs", operation_id = "docs", security(()),
    responses((status = 200, description = "The page", body = String, content_type = "text/html")))]
pub async fn page(params: Params) -> Result<Response> {
    params.end()?;
    Ok(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE)).into_response())
}
