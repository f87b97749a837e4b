//! A request's id, its line in the log, its share in the metrics, and the time that it may take.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use tracing::Instrument;

use crate::problem::{Failure, PROBLEM_JSON};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest that an answer may take to begin, streams and profiles apart: a discovery asks a cloud.
const LIMIT: Duration = Duration::from_secs(90);
/// A profile takes as long as it was asked to.
pub(crate) const UNLIMITED: &str = "/debug/pprof/profile";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    method: String,
    route: String,
    status: u16,
}

/// Figures about HTTP itself.
pub struct HttpMetrics {
    registry: Mutex<Registry>,
    requests: Family<Labels, Counter>,
    seconds: Histogram,
    pub connections: Gauge,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let requests = Family::<Labels, Counter>::default();
        registry.register("novacron_http_requests", "Requests answered", requests.clone());
        let seconds = Histogram::new(exponential_buckets(0.001, 4.0, 8));
        registry.register(
            "novacron_http_request_duration_seconds",
            "Time from a request to the head of its answer",
            seconds.clone(),
        );
        let connections = Gauge::default();
        registry.register("novacron_http_connections", "Connections open", connections.clone());
        Self { registry: Mutex::new(registry), requests, seconds, connections }
    }
}

impl HttpMetrics {
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

pub async fn observe(State(metrics): State<Arc<HttpMetrics>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let instance: String = path.chars().take(256).collect();
    // Neither the query nor a header is logged: both may hold what nobody should read.
    let span = tracing::info_span!("request", id = %id, method = %method, path = %instance);
    let mut response = async {
        let answer = next.run(request);
        let answer = if route == UNLIMITED {
            answer.await
        } else {
            tokio::time::timeout(LIMIT, answer).await.unwrap_or_else(|_| {
                Failure::new(StatusCode::GATEWAY_TIMEOUT, "timeout", format!("no answer within {} s", LIMIT.as_secs()))
                    .advice("Look at `GET /api/v1/multicloud/health`, then try again.")
                    .into_response()
            })
        };
        explain(answer)
    }
    .instrument(span.clone())
    .await;
    let status = response.status();
    let elapsed = started.elapsed();
    span.in_scope(|| tracing::info!(status = status.as_u16(), ms = elapsed.as_millis() as u64, "answered"));
    metrics.seconds.observe(elapsed.as_secs_f64());
    let known = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"].contains(&method.as_str());
    let method = if known { method.to_string() } else { "other".to_owned() };
    metrics.requests.get_or_create(&Labels { method, route, status: status.as_u16() }).inc();

    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID.clone(), value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The caller's own id if it is one that can be printed, else a new one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    given.filter(plain).map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

/// Refusals that come from below the handlers get the same form as ours.
fn explain(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let has_reason = kind.is_some_and(|kind| kind == PROBLEM_JSON.as_bytes() || kind == b"application/json");
    if has_reason || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let mut explained = Failure::of_status(status).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        explained.headers_mut().insert(header::ALLOW, allow.clone());
    }
    explained
}
