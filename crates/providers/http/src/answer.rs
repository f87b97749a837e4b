//! What comes back: the status in our words, and the body within its bounds.

use std::{error::Error, io::Read, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use novacron_provider::ErrorKind;

/// Why there is no body.
#[derive(Debug)]
pub struct Failed {
    pub kind: ErrorKind,
    pub message: String,
}

fn failed(kind: ErrorKind, message: impl Into<String>) -> Failed {
    Failed { kind, message: message.into() }
}

/// What of an error's body is shown.
const SHOWN: usize = 300;

/// The whole body of a good answer, unpacked.
pub async fn body(response: Response<Incoming>, limit: usize) -> Result<Bytes, Failed> {
    let (parts, body) = response.into_parts();
    let good = parts.status == StatusCode::OK;
    let read = Limited::new(body, if good { limit } else { 64 << 10 }).collect().await;
    if !good {
        let text = read.map(|body| body.to_bytes()).unwrap_or_default();
        return Err(refusal(parts.status, &parts.headers, &text));
    }
    let whole = read.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => too_large(limit),
        None => failed(ErrorKind::Unavailable, format!("the answer broke off: {}", deepest(error.as_ref()))),
    })?;
    let whole = whole.to_bytes();
    match parts.headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity") => Ok(whole),
        Some(b"gzip") => unpack(&whole, limit),
        Some(_) => Err(failed(ErrorKind::Unavailable, "the answer is packed in a way that was not asked for")),
    }
}

fn too_large(limit: usize) -> Failed {
    failed(ErrorKind::Invalid, format!("the answer is larger than {} MiB", limit >> 20))
}

/// No more than the limit is ever unpacked.
fn unpack(packed: &[u8], limit: usize) -> Result<Bytes, Failed> {
    let mut whole = Vec::new();
    let most = limit as u64 + 1;
    let read = flate2::read::MultiGzDecoder::new(packed).take(most).read_to_end(&mut whole);
    read.map_err(|error| failed(ErrorKind::Unavailable, format!("the answer can't be unpacked: {error}")))?;
    if whole.len() > limit { Err(too_large(limit)) } else { Ok(whole.into()) }
}

fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failed {
    let kind = match status.as_u16() {
        429 => ErrorKind::Throttled { retry_after: retry_after(headers) },
        503 if headers.contains_key(header::RETRY_AFTER) => ErrorKind::Throttled { retry_after: retry_after(headers) },
        401 | 403 => ErrorKind::Unauthorised,
        404 | 410 => ErrorKind::NotFound,
        408 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    };
    let text = String::from_utf8_lossy(body);
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = if status.is_redirection() { "it wants to send us elsewhere, and we do not go" } else { shown.as_str() };
    failed(kind, if why.is_empty() { format!("answered {status}") } else { format!("answered {status}: {why}") })
}

/// Seconds, or a date as HTTP writes it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

/// The innermost cause, which is what a person can act on.
pub fn deepest(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())])
    }

    #[test]
    fn statuses_in_our_words() {
        let kind = |status: u16| refusal(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), b"").kind;
        assert_eq!(kind(429), ErrorKind::Throttled { retry_after: None });
        assert_eq!([kind(500), kind(503), kind(408)], [ErrorKind::Unavailable; 3]);
        assert_eq!([kind(401), kind(403)], [ErrorKind::Unauthorised; 2]);
        assert_eq!([kind(301), kind(400), kind(204)], [ErrorKind::Invalid; 3]);
        let shown =
            refusal(StatusCode::BAD_REQUEST, &HeaderMap::new(), "a\u{1b}[31m\n  b".repeat(400).as_bytes()).message;
        assert!(shown.len() < 2 * SHOWN && !shown.contains(['\u{1b}', '\n']), "{shown}");
    }

    #[test]
    fn retry_after_in_both_forms() {
        assert_eq!(retry_after(&headers("7")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&headers("Sun, 06 Nov 1994 08:49:37 GMT")), Some(Duration::ZERO));
        assert!(retry_after(&headers("Sat, 06 Nov 2094 08:49:37 GMT")).unwrap() > Duration::from_secs(1 << 30));
        assert_eq!(retry_after(&headers("soon")), None);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        use std::io::Write;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![0; 4 << 20]).unwrap();
        let packed = gzip.finish().unwrap();
        assert_eq!(unpack(&packed, 4 << 20).unwrap().len(), 4 << 20);
        assert_eq!(unpack(&packed, (4 << 20) - 1).unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(unpack(&packed[..packed.len() / 2], 4 << 20).unwrap_err().kind, ErrorKind::Unavailable);
    }
}
