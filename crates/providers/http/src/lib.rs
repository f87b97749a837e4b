//! HTTP to a vendor's API that is only read: GET, JSON back.
//!
//! One [`HttpClient`] speaks to one origin. It follows no redirect, asks for no more at a time than its pace allows, waits for
//! no answer longer than its limits, reads no larger body than they say, and tries again what may succeed later, with one
//! budget for all its requests. A key is sent as a header and stands in no error.

mod answer;
mod origin;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Empty;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use novacron_provider::{
    Call, ErrorKind, Layer, ProviderError, Result,
    rate_limit::RateLimit,
    retry::{Retry, RetryPolicy},
};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

pub use origin::Origin;

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connect: Duration,
    /// From the request to the end of the body, one attempt.
    pub attempt: Duration,
    /// Bytes of a body, unpacked.
    pub body: usize,
    /// Requests a second, and how many at once after a pause.
    pub per_second: f64,
    pub burst: u32,
    pub retry: RetryPolicy,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            attempt: Duration::from_secs(120),
            body: 64 << 20,
            per_second: 10.0,
            burst: 4,
            retry: RetryPolicy { first_pause: Duration::from_millis(500), ..RetryPolicy::default() },
        }
    }
}

/// A client of one origin.
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    origin: Origin,
    /// The vendor's word for the request, for errors.
    operation: &'static str,
    secret: Option<(HeaderName, HeaderValue, SecretString)>,
    limits: Limits,
    retry: Retry,
    pace: RateLimit,
}

impl HttpClient {
    /// `base` is the origin, and the path that all requests have in common, if any: `https://prices.azure.com`. Plain http is
    /// for this machine only.
    pub fn new(operation: &'static str, base: &str, limits: Limits) -> Result<Self> {
        let wrong = |why| ProviderError::new(ErrorKind::Invalid, "configure", why);
        let origin = Origin::parse(base).map_err(wrong)?;
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(limits.connect));
        http.set_nodelay(true);
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(origin.is_https())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        let (retry, pace) = (Retry::new(limits.retry), RateLimit::new(limits.per_second, limits.burst));
        Ok(Self { client, origin, operation, secret: None, limits, retry, pace })
    }

    /// Sends `value` in the header `name` of every request.
    pub fn with_secret(mut self, name: &'static str, value: SecretString) -> Result<Self> {
        let mut header = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
            let text = format!("the value for the header {name} has characters that no header has");
            ProviderError::new(ErrorKind::Invalid, "configure", text)
        })?;
        header.set_sensitive(true);
        self.secret = Some((HeaderName::from_static(name), header, value));
        Ok(self)
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Gets `path` (and query, behind the origin's own path) and hands the body to `read`. An answer that is broken, or that
    /// `read` says is `Unavailable`, is asked for again.
    pub async fn get<T, F>(&self, path: &str, read: F) -> Result<T>
    where
        T: Send,
        F: Fn(&[u8]) -> Result<T> + Send + Sync,
    {
        let call = Call { operation: self.operation, changes: false };
        let attempt = || async {
            self.pace.before(call).await?;
            let body = tokio::time::timeout(self.limits.attempt, self.once(path)).await;
            let late =
                |_| self.error(ErrorKind::Unavailable, format!("no answer in {} s", self.limits.attempt.as_secs()));
            read(&body.map_err(late)??)
        };
        self.retry.call(call, attempt).await
    }

    /// [`HttpClient::get`] of a JSON document. One that can't be read counts as broken.
    pub async fn json<T: DeserializeOwned + Send>(&self, path: &str) -> Result<T> {
        self.get(path, |body| read_json(self.operation, body)).await
    }

    async fn once(&self, path: &str) -> Result<Bytes> {
        let mut request = Request::get(self.origin.url(path))
            .header(header::USER_AGENT, concat!("novacron/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_ENCODING, "gzip");
        if let Some((name, value, _)) = &self.secret {
            request = request.header(name, value);
        }
        let request = request.body(Empty::new()).map_err(|error| {
            self.error(ErrorKind::Invalid, format!("{path:?} is no path that can be asked for: {error}"))
        })?;
        let response = self.client.request(request).await.map_err(|error| {
            let why = answer::deepest(&error);
            self.error(ErrorKind::Unavailable, format!("{} can't be reached: {why}", self.origin))
        })?;
        answer::body(response, self.limits.body).await.map_err(|failed| self.error(failed.kind, failed.message))
    }

    fn error(&self, kind: ErrorKind, message: String) -> ProviderError {
        let message = match &self.secret {
            Some((_, _, secret)) if !secret.expose_secret().is_empty() => {
                message.replace(secret.expose_secret(), "***")
            }
            _ => message,
        };
        let error = ProviderError::new(kind, self.operation, message);
        match kind {
            ErrorKind::Unauthorised => error.advice("Look at the key and what it is allowed to do."),
            _ => error,
        }
    }
}

/// A JSON document; one that can't be read is `Unavailable`, as an answer that was cut.
pub fn read_json<'a, T: serde::Deserialize<'a>>(operation: &'static str, body: &'a [u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        ProviderError::new(ErrorKind::Unavailable, operation, format!("the answer can't be read: {error}"))
    })
}

fn tls(needed: bool) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if needed {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let text = "this machine has no certificates of authorities, so that no server can be trusted";
            return Err(ProviderError::new(ErrorKind::Invalid, "configure", text)
                .advice("Install the package ca-certificates, or set SSL_CERT_FILE."));
        }
    }
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| ProviderError::new(ErrorKind::Invalid, "configure", error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests;
