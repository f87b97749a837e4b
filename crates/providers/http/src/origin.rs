//! Where a client may send requests: one scheme, host and port, and a path before all others.

use std::fmt;

use http::{Uri, uri::Scheme};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
    /// Without a slash at the end; often empty.
    path: String,
}

impl Origin {
    pub fn parse(base: &str) -> Result<Self, String> {
        let uri: Uri = base.parse().map_err(|error| format!("{base:?} is not a URL: {error}"))?;
        if uri.query().is_some() {
            return Err(format!("{base:?} has a query; give the address alone"));
        }
        let path = uri.path().trim_end_matches('/').to_owned();
        let origin =
            Self { path, ..Self::of(&uri).ok_or_else(|| format!("{base:?} is not an http or https URL of a host"))? };
        if !origin.https && !origin.is_loopback() {
            return Err(format!("{base:?} is not encrypted; plain http is for this machine only"));
        }
        Ok(origin)
    }

    fn of(uri: &Uri) -> Option<Self> {
        let https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|a| !a.as_str().contains('@') && !a.host().is_empty())?;
        let digits = authority.as_str().strip_prefix(authority.host())?;
        let port = match digits.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None if https => 443,
            None => 80,
        };
        Some(Self { https, host: authority.host().to_ascii_lowercase(), port, path: String::new() })
    }

    pub fn is_https(&self) -> bool {
        self.https
    }

    fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The URL of a path and query behind this origin.
    pub fn url(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// The path and query of an absolute link, as [`Origin::url`] takes it; `None` when it leads to another scheme, host, port
    /// or path: whoever wrote the link does not choose where this machine sends requests.
    pub fn same_place(&self, link: &str) -> Option<String> {
        let uri: Uri = link.parse().ok()?;
        let other = Self { path: self.path.clone(), ..Self::of(&uri)? };
        let rest = uri.path_and_query()?.as_str().strip_prefix(self.path.as_str())?;
        (other == *self && rest.starts_with('/')).then(|| rest.to_owned())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.https { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != usual {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_is_safe() {
        for good in [
            "https://prices.azure.com",
            "https://a.example/x/y/",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "prices.azure.com",
            "ftp://a",
            "http://a.example",
            "https://u:p@a",
            "https://a?b",
            "https://",
            "/x",
            "http://127.0.0.1.example",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Origin::parse("https://A.example:443/x/").unwrap().to_string(), "https://a.example/x");
    }

    #[test]
    fn links_lead_nowhere_else() {
        let azure = Origin::parse("https://prices.azure.com").unwrap();
        let link = "https://prices.azure.com:443/api/retail/prices?$filter=a%20eq%20%27b%27&$skip=100";
        assert_eq!(azure.same_place(link).unwrap(), "/api/retail/prices?$filter=a%20eq%20%27b%27&$skip=100");
        for bad in [
            "http://prices.azure.com/api",
            "https://prices.azure.com:444/api",
            "https://prices.azure.com.example/api",
            "https://prices.azure.com@evil.example/api",
            "https://evil.example/prices.azure.com",
            "//evil.example/api",
            "/api",
            "",
        ] {
            assert_eq!(azure.same_place(bad), None, "{bad}");
        }
        let below = Origin::parse("https://a.example/x").unwrap();
        assert_eq!(below.same_place("https://a.example/x/y").as_deref(), Some("/y"));
        assert_eq!(below.same_place("https://a.example/xy"), None);
    }

    proptest! {
        #[test]
        fn a_link_that_is_let_through_stays_at_the_origin(link in "(https?://)?[a-z.@:/?#\\[\\]0-9%]{0,40}") {
            let origin = Origin::parse("https://a.example").unwrap();
            if let Some(path) = origin.same_place(&link) {
                let url: Uri = origin.url(&path).parse().unwrap();
                prop_assert_eq!(url.authority().unwrap().as_str(), "a.example");
            }
        }
    }
}
