//! Asking the API without a network.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use novacron_api::{ApiConfig, BASE, router};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::World;

pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The code of a problem, which has the right form.
    pub fn code(&self) -> String {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["type"], format!("/problems/{}", problem["code"].as_str().unwrap()));
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem["code"].as_str().unwrap().to_owned()
    }
}

pub fn app(world: &World, config: &ApiConfig) -> Router {
    router(world.control.clone(), config, CancellationToken::new())
}

pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    assert!(headers.contains_key("x-request-id"));
    let text = String::from_utf8_lossy(&response.into_body().collect().await.unwrap().to_bytes()).into_owned();
    Answer { status, headers, text }
}

pub fn ask(method: Method, path: &str) -> axum::http::request::Builder {
    let path = if path.starts_with('/') { path.to_owned() } else { format!("{BASE}/{path}") };
    Request::builder().method(method).uri(path).header(header::HOST, "localhost:8080")
}

pub async fn get(app: &Router, path: &str) -> Answer {
    send(app, ask(Method::GET, path).body(Body::empty()).unwrap()).await
}

pub async fn post(app: &Router, path: &str, body: Value) -> Answer {
    let request = ask(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
    send(app, request.body(Body::from(body.to_string())).unwrap()).await
}
