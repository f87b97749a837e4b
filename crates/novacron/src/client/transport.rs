//! HTTP to the server: one request, its limits, and TLS where the address asks for it.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};

use crate::exit::{Exit, Failure, Result};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The longest that an answer's head may take; discovery asks a cloud, which is slow at times.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
const BODY_LIMIT: usize = 64 << 20;

type Connector = HttpsConnector<HttpConnector>;

/// Sends requests to one server.
#[derive(Clone)]
pub struct Transport {
    client: Client<Connector, Full<Bytes>>,
    base: String,
    /// Not `Debug`, and never printed.
    token: Option<Arc<str>>,
}

impl Transport {
    /// `server` is the address without the API's path: `http://127.0.0.1:8080`.
    pub fn new(server: &str, token: Option<String>, cacert: Option<&Path>) -> Result<Self> {
        let base = base(server)?;
        let tls = tls(cacert, base.starts_with("https:"))?;
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_LIMIT));
        http.set_nodelay(true);
        http.enforce_http(false);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self { client, base, token: token.map(Arc::from) })
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends one request and returns when the answer's head is there.
    pub async fn send(&self, request: http::request::Builder, path: &str, body: Bytes) -> Result<Response<Incoming>> {
        let mut request = request
            .uri(format!("{}{path}", self.base))
            .header(header::USER_AGENT, concat!("novacron/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            let mut value = header::HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| bad_token())?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let request: Request<Full<Bytes>> = request
            .body(Full::new(body))
            .map_err(|error| Failure::usage("cannot make a request of these arguments").why(error))?;
        let (method, began) = (request.method().clone(), Instant::now());
        match tokio::time::timeout(ANSWER_LIMIT, self.client.request(request)).await {
            Ok(Ok(response)) => {
                let ms = began.elapsed().as_millis();
                tracing::debug!(%method, path, status = response.status().as_u16(), ms, "asked the server");
                Ok(response)
            }
            Ok(Err(error)) => Err(self.unreachable(&error)),
            Err(_) => Err(Failure::new(
                Exit::Unreachable,
                format!("no answer from {} within {} s", self.base, ANSWER_LIMIT.as_secs()),
            )
            .hint("Look at the server's log; `novacron provider check` shows which cloud is slow.")),
        }
    }

    /// The whole body, bounded.
    pub async fn body(&self, response: Response<Incoming>) -> Result<Bytes> {
        match tokio::time::timeout(ANSWER_LIMIT, Limited::new(response.into_body(), BODY_LIMIT).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) => {
                Err(Failure::new(Exit::Unreachable, format!("the answer from {} broke off", self.base)).why(error))
            }
            Err(_) => Err(Failure::new(Exit::Unreachable, format!("the answer from {} did not end", self.base))),
        }
    }

    fn unreachable(&self, error: &hyper_util::client::legacy::Error) -> Failure {
        let why = deepest(error);
        let failure = Failure::new(Exit::Unreachable, format!("cannot reach the server at {}", self.base)).why(&why);
        if why.contains("CaUsedAsEndEntity") {
            return failure.hint("The server's own certificate is an authority's. Make it one with `CA:FALSE`, such as by\nopenssl req -x509 … -addext basicConstraints=critical,CA:FALSE");
        }
        if why.contains("certificate") || why.contains("invalid peer") {
            return failure.hint("Give the authority that signed the server's certificate with --cacert FILE.");
        }
        if why.contains("InvalidContentType") || why.contains("corrupt message") {
            return failure.hint("The server seems to speak plain http; write http:// in --server.");
        }
        failure.hint("Start it with `novacron serve`, or say where it is with --server URL or $NOVACRON_SERVER.")
    }
}

fn bad_token() -> Failure {
    Failure::usage("the token has characters that no token has")
        .hint("Look at the token file or $NOVACRON_TOKEN for stray lines.")
}

/// Checks the address; `host:port` alone means http.
fn base(server: &str) -> Result<String> {
    let wrong = |why: &str| {
        Failure::usage(format!("{server:?} is not a server's address"))
            .why(why)
            .hint("Write --server http://127.0.0.1:8080")
    };
    let server = server.trim().trim_end_matches('/');
    let text = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
    let uri: Uri = text.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(wrong("it must begin with http:// or https://")),
    }
    let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
    if authority.host().is_empty() || authority.as_str().ends_with(':') {
        return Err(wrong("it names no host, or no port after the colon"));
    }
    if authority.as_str().contains('@') {
        return Err(wrong("a password has no place in it; use --token-file"));
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong("it has a path; give the address alone"));
    }
    Ok(text)
}

/// The system's authorities, or only the one given.
fn tls(cacert: Option<&Path>, needed: bool) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match cacert {
        Some(path) => {
            let wrong = |why: String| {
                Failure::usage(format!("cannot use the certificates in {}", path.display()))
                    .why(why)
                    .hint("--cacert wants a PEM file with the authority's certificate.")
            };
            let certificates: Result<Vec<_>, _> =
                CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?.collect();
            let (added, _) = roots.add_parsable_certificates(certificates.map_err(|error| wrong(error.to_string()))?);
            if added == 0 {
                return Err(wrong("there is no certificate in it".to_owned()));
            }
        }
        None if needed => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        None => {}
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::failed("cannot set up TLS").why(error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The innermost cause, which is the one that says something.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_as_people_write_them() {
        for (text, address) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("localhost:8080", "http://localhost:8080"),
            ("https://nova.example", "https://nova.example"),
            ("[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(base(text).unwrap(), address, "{text}");
        }
        for bad in ["", "ftp://x", "http://", "http://u:p@h", "http://h/api/v1", "http://h?x", "http://a b"] {
            assert_eq!(base(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }
}
