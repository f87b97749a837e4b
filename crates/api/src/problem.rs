//! Errors as problem details (RFC 9457).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use novacron_control::{ControlError, ErrorClass};
use novacron_types::Problem;

pub const PROBLEM_JSON: &str = "application/problem+json";

/// A request that was not done, and why.
#[derive(Debug, Clone)]
pub struct Failure {
    pub status: StatusCode,
    pub code: String,
    pub detail: String,
    pub advice: Option<String>,
    pub vendor_request_id: Option<String>,
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { status, code: code.into(), detail: detail.into(), advice: None, vendor_request_id: None }
    }

    pub fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// For a response that something below us made without a body that says why.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (code, detail, advice) = match status {
            StatusCode::NOT_FOUND => {
                ("route_not_found", "there is nothing at this path", "`GET /api/docs` lists what there is.")
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method_not_allowed", "the path is there, for other methods", "The `Allow` header lists them.")
            }
            StatusCode::PAYLOAD_TOO_LARGE => (
                "body_too_large",
                "the body is too large",
                "A body of `/burst` and `/machines` may have 4 MiB, all others 64 KiB.",
            ),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("unsupported_media_type", "the body is not JSON", "Send `Content-Type: application/json`.")
            }
            StatusCode::BAD_REQUEST => ("bad_request", "the request can't be read", "`GET /api/docs` shows its form."),
            _ => ("internal", "something went wrong here", "The log has more, under this answer's `x-request-id`."),
        };
        Self::new(status, code, detail).advice(advice)
    }

    pub(crate) fn problem(&self) -> Problem {
        Problem {
            kind: format!("/problems/{}", self.code),
            title: title(self.status).to_owned(),
            status: self.status.as_u16(),
            code: self.code.clone(),
            detail: self.detail.clone(),
            advice: self.advice.clone(),
            instance: None,
            vendor_request_id: self.vendor_request_id.clone(),
        }
    }
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "The request can't be read",
        StatusCode::UNAUTHORIZED => "A valid token is needed",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::CONFLICT => "At odds with what is going on",
        StatusCode::UNPROCESSABLE_ENTITY => "The request can't be right as it stands",
        StatusCode::BAD_GATEWAY => "The provider refused",
        StatusCode::SERVICE_UNAVAILABLE => "Not available at present",
        StatusCode::GATEWAY_TIMEOUT => "It took too long",
        other => other.canonical_reason().unwrap_or("Error"),
    }
}

const AT_ODDS: [&str; 7] = [
    "ambiguous_provider",
    "ambiguous_name",
    "same_provider",
    "no_such_capability",
    "contradictory_policies",
    "invalid_policy",
    "not_configured",
];
/// Names of what the catalog does not have.
const NOT_THERE: [&str; 3] = ["unknown_place", "unknown_instance_type", "unknown_programme"];

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        let status = match error.class {
            // These depend on what is configured, not on the request alone.
            ErrorClass::Invalid if AT_ODDS.contains(&error.code.as_str()) => StatusCode::CONFLICT,
            ErrorClass::Invalid if NOT_THERE.contains(&error.code.as_str()) => StatusCode::NOT_FOUND,
            ErrorClass::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorClass::NotFound => StatusCode::NOT_FOUND,
            ErrorClass::Conflict => StatusCode::CONFLICT,
            ErrorClass::ProviderRefused => StatusCode::BAD_GATEWAY,
            ErrorClass::ProviderUnavailable | ErrorClass::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorClass::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self {
            status,
            code: error.code,
            detail: error.message,
            advice: error.advice,
            vendor_request_id: error.vendor_request_id,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(code = %self.code, status = self.status.as_u16(), "{}", self.detail);
        }
        let mut response = (self.status, Json(self.problem())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"novacron\""));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}
