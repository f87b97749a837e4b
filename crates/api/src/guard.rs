//! Keeps web pages out. Without tokens everyone on the machine is admin, and a page in a browser on the machine can
//! send requests too: by a name that it makes point here, or straight across sites.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::Response,
};

use crate::problem::{Failure, Result};

/// Whether only names of this machine may be used.
#[derive(Debug, Clone, Copy)]
pub struct LocalNamesOnly(pub bool);

pub async fn guard(State(local): State<LocalNamesOnly>, request: Request, next: Next) -> Result<Response> {
    check(local, request.uri(), request.headers())?;
    Ok(next.run(request).await)
}

fn check(local: LocalNamesOnly, uri: &Uri, headers: &HeaderMap) -> Result<()> {
    let host = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST).and_then(|host| host.to_str().ok()),
    };
    if local.0 && !host.is_some_and(|host| is_local(name_of(host))) {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "host_not_allowed",
            "without tokens the API answers to localhost, 127.0.0.1 and [::1] only",
        )
        .advice("Use one of these names, or configure `server.tokens`."));
    }
    let cross_site = || {
        Failure::new(StatusCode::FORBIDDEN, "cross_site", "the request comes from a page of another site")
            .advice("Call the API from a program, or from a page that it serves itself.")
    };
    if let Some(origin) = headers.get(header::ORIGIN) {
        let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, rest)| rest);
        if authority.is_none() || authority != host {
            return Err(cross_site());
        }
    }
    match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        Some(b"cross-site" | b"same-site") => Err(cross_site()),
        _ => Ok(()),
    }
}

/// The host without its port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_local(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "::1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(local: bool, fields: &[(&'static str, &str)]) -> Option<String> {
        let headers = fields
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        check(LocalNamesOnly(local), &Uri::from_static("/x"), &headers).err().map(|failure| failure.code)
    }

    #[test]
    fn pages_of_other_sites_stay_out() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:9", "[::1]:8080", "[::1]"] {
            assert_eq!(ask(true, &[("host", host)]), None, "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example:8080", "localhost.evil", "[::2]:1", ""] {
            assert_eq!(ask(true, &[("host", host)]).as_deref(), Some("host_not_allowed"), "{host}");
        }
        assert_eq!(ask(true, &[]).as_deref(), Some("host_not_allowed"));
        assert_eq!(ask(false, &[("host", "nova.example")]), None);

        let host = ("host", "localhost:8080");
        assert_eq!(ask(true, &[host, ("origin", "http://localhost:8080")]), None);
        for origin in ["http://evil.example", "null", "http://localhost:9090", "http://localhost:8080.evil"] {
            assert_eq!(ask(true, &[host, ("origin", origin)]).as_deref(), Some("cross_site"), "{origin}");
        }
        assert_eq!(ask(true, &[host, ("sec-fetch-site", "cross-site")]).as_deref(), Some("cross_site"));
        assert_eq!(ask(true, &[host, ("sec-fetch-site", "same-origin")]), None);
    }
}
