//! AWS Signature Version 4, the verifying side, for requests that carry it in the `Authorization` header.

use aws_lc_rs::{constant_time, digest, hmac};
use http::HeaderMap;
use http::request::Parts;

use crate::clock::Millis;

/// How far a client's clock may be off.
pub(crate) const SKEW_MILLIS: Millis = 15 * 60 * 1000;

/// What the `Authorization` header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub access_key: String,
    pub date: String,
    pub region: String,
    pub service: String,
    signed_headers: Vec<String>,
    signature: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No signature, or not one that can be read.
    Missing,
    /// The date is absent, unreadable, or not the scope's.
    BadDate,
    /// Signed too long ago, or in the future.
    Skewed,
    /// The key's secret does not give this signature.
    Mismatch,
    /// The body is not the one that was signed.
    PayloadMismatch,
}

impl Claim {
    /// Reads `AWS4-HMAC-SHA256 Credential=…/date/region/service/aws4_request, SignedHeaders=…, Signature=…`.
    pub fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let text = headers.get(http::header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let rest = text.and_then(|t| t.strip_prefix("AWS4-HMAC-SHA256")).ok_or(Refusal::Missing)?;
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for part in rest.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", v)) => credential = Some(v),
                Some(("SignedHeaders", v)) => signed = Some(v),
                Some(("Signature", v)) => signature = Some(v),
                _ => return Err(Refusal::Missing),
            }
        }
        let scope: Vec<&str> = credential.ok_or(Refusal::Missing)?.split('/').collect();
        let [access_key, date, region, service, "aws4_request"] = scope[..] else {
            return Err(Refusal::Missing);
        };
        let signed_headers: Vec<String> =
            signed.ok_or(Refusal::Missing)?.split(';').map(str::to_ascii_lowercase).collect();
        if !signed_headers.iter().any(|h| h == "host") {
            return Err(Refusal::Missing);
        }
        Ok(Self {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers,
            signature: signature.ok_or(Refusal::Missing)?.to_owned(),
        })
    }

    /// Checks the signature over `parts` and a body with the SHA-256 `body_digest`, given the key's `secret`.
    ///
    /// The body's digest must be the one that was signed, unless the client declared the payload unsigned.
    /// `may_be_unsigned` tells that the operation's body may go unsigned without the header that says so.
    pub fn verify(
        &self,
        secret: &str,
        parts: &Parts,
        body_digest: &[u8],
        may_be_unsigned: bool,
        now: Millis,
    ) -> Result<(), Refusal> {
        let stamp = parts.headers.get("x-amz-date").and_then(|v| v.to_str().ok()).ok_or(Refusal::BadDate)?;
        let at = read_stamp(stamp).ok_or(Refusal::BadDate)?;
        if !stamp.starts_with(&self.date) {
            return Err(Refusal::BadDate);
        }
        if (now - at).abs() > SKEW_MILLIS {
            return Err(Refusal::Skewed);
        }
        let body_hex = hex(body_digest);
        let declared = parts.headers.get("x-amz-content-sha256").and_then(|v| v.to_str().ok());
        let candidates: &[&str] = match declared {
            Some(declared) => {
                if declared != UNSIGNED && declared != body_hex {
                    return Err(Refusal::PayloadMismatch);
                }
                &[declared]
            }
            None if may_be_unsigned => &[body_hex.as_str(), UNSIGNED],
            None => &[body_hex.as_str()],
        };
        let key = signing_key(secret, &self.date, &self.region, &self.service);
        let given = unhex(&self.signature).ok_or(Refusal::Mismatch)?;
        for payload in candidates {
            let canonical = self.canonical_request(parts, payload);
            let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
            let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
            let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}");
            let expected = hmac::sign(&key, to_sign.as_bytes());
            if constant_time::verify_slices_are_equal(expected.as_ref(), &given).is_ok() {
                return Ok(());
            }
        }
        Err(Refusal::Mismatch)
    }

    fn canonical_request(&self, parts: &Parts, payload: &str) -> String {
        let mut out = String::with_capacity(512);
        out.push_str(parts.method.as_str());
        out.push('\n');
        // All services but S3 encode the path that is on the wire once more.
        encode_into(&mut out, parts.uri.path(), true);
        out.push('\n');
        out.push_str(&canonical_query(parts.uri.query().unwrap_or_default()));
        out.push('\n');
        for name in &self.signed_headers {
            out.push_str(name);
            out.push(':');
            for (i, value) in parts.headers.get_all(name.as_str()).iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                let text = String::from_utf8_lossy(value.as_bytes());
                let mut words = text.split_ascii_whitespace();
                if let Some(first) = words.next() {
                    out.push_str(first);
                }
                for word in words {
                    out.push(' ');
                    out.push_str(word);
                }
            }
            out.push('\n');
        }
        out.push('\n');
        out.push_str(&self.signed_headers.join(";"));
        out.push('\n');
        out.push_str(payload);
        out
    }
}

/// Signs a request as a client would: the `Authorization` header for it.
#[cfg(test)]
pub(crate) fn sign(
    parts: &Parts,
    access_key: &str,
    secret: &str,
    (region, service): (&str, &str),
    signed_headers: &[&str],
    body: &[u8],
) -> String {
    let stamp = parts.headers["x-amz-date"].to_str().unwrap();
    let claim = Claim {
        access_key: access_key.to_owned(),
        date: stamp[..8].to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        signed_headers: signed_headers.iter().map(|h| (*h).to_owned()).collect(),
        signature: String::new(),
    };
    let payload = hex(digest::digest(&digest::SHA256, body).as_ref());
    let canonical = hex(digest::digest(&digest::SHA256, claim.canonical_request(parts, &payload).as_bytes()).as_ref());
    let scope = format!("{}/{region}/{service}/aws4_request", claim.date);
    let key = signing_key(secret, &claim.date, region, service);
    let signature = hmac::sign(&key, format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}").as_bytes());
    format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={}, Signature={}",
        signed_headers.join(";"),
        hex(signature.as_ref())
    )
}

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> hmac::Key {
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    for part in [date, region, service, "aws4_request"] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    key
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.replace('+', "%2B").as_bytes()).map(|(k, v)| (encode(&k), encode(&v))).collect();
    pairs.sort();
    let joined: Vec<String> = pairs.into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    joined.join("&")
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text, false);
    out
}

fn encode_into(out: &mut String, text: &str, keep_slash: bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for b in text.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
            b'/' if keep_slash => out.push('/'),
            b => {
                out.push('%');
                out.push(HEX[usize::from(b >> 4)] as char);
                out.push(HEX[usize::from(b & 15)] as char);
            }
        }
    }
}

/// `20261123T101112Z` to milliseconds.
fn read_stamp(stamp: &str) -> Option<Millis> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the vendor's own documentation (IAM ListUsers of 2015-08-30).
    fn example() -> (Parts, Claim) {
        let (parts, ()) = http::Request::get("/?Action=ListUsers&Version=2010-05-08")
            .header("host", "iam.amazonaws.com")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, \
                 Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            )
            .body(())
            .unwrap()
            .into_parts();
        let claim = Claim::read(&parts.headers).unwrap();
        (parts, claim)
    }

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn empty() -> Vec<u8> {
        digest::digest(&digest::SHA256, b"").as_ref().to_vec()
    }

    fn at() -> Millis {
        read_stamp("20150830T123600Z").unwrap()
    }

    #[test]
    fn the_vendors_example_verifies_and_nothing_else_does() {
        let (parts, claim) = example();
        assert_eq!(
            (claim.access_key.as_str(), claim.region.as_str(), claim.service.as_str()),
            ("AKIDEXAMPLE", "us-east-1", "iam")
        );
        assert_eq!(claim.verify(SECRET, &parts, &empty(), false, at()), Ok(()));
        assert_eq!(claim.verify("other", &parts, &empty(), false, at()), Err(Refusal::Mismatch));
        let other = digest::digest(&digest::SHA256, b"x");
        assert_eq!(claim.verify(SECRET, &parts, other.as_ref(), false, at()), Err(Refusal::Mismatch));
    }

    #[test]
    fn clocks_may_differ_by_fifteen_minutes() {
        let (parts, claim) = example();
        assert_eq!(claim.verify(SECRET, &parts, &empty(), false, at() + SKEW_MILLIS), Ok(()));
        for now in [at() + SKEW_MILLIS + 1, at() - SKEW_MILLIS - 1] {
            assert_eq!(claim.verify(SECRET, &parts, &empty(), false, now), Err(Refusal::Skewed));
        }
    }

    #[test]
    fn an_unreadable_header_is_a_missing_one() {
        for text in ["", "Basic eA==", "AWS4-HMAC-SHA256 Credential=a/b, Signature=0", "AWS4-HMAC-SHA256 x"] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", text.parse().unwrap());
            assert_eq!(Claim::read(&headers), Err(Refusal::Missing), "{text}");
        }
    }

    #[test]
    fn queries_are_sorted_and_encoded_again() {
        assert_eq!(canonical_query("b=2&a=x%2Fy%3D&a=A+B&c"), "a=A%2BB&a=x%2Fy%3D&b=2&c=");
    }
}
