//! A client of NovaCron's HTTP API.

mod sse;
mod transport;
pub mod types;

use std::{path::Path, time::Duration};

use bytes::Bytes;
use futures::Stream;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use novacron_types::Problem;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use sse::SseEvent;

use crate::exit::{Exit, Failure, Result};
use sse::SseParser;
use transport::Transport;

/// Where the API begins.
pub const API: &str = "/api/v1/multicloud";

#[derive(Clone)]
pub struct Client {
    transport: Transport,
}

/// A page of a list, whatever the list is called in the answer.
#[derive(Debug)]
pub struct ListPage<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl Client {
    /// See [`Transport::new`].
    pub fn new(server: &str, token: Option<String>, cacert: Option<&Path>) -> Result<Self> {
        Ok(Self { transport: Transport::new(server, token, cacert)? })
    }

    pub fn base(&self) -> &str {
        self.transport.base()
    }

    /// `path` is below [`API`], with its query.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.answer(Request::builder(), path, Bytes::new()).await
    }

    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.answer(json_request(Method::PATCH), path, json_body(body)?).await
    }

    /// Sends a request that starts something. The key makes it safe to send again after a broken connection.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let key = uuid::Uuid::new_v4().to_string();
        let body = json_body(body)?;
        let mut attempt = 1;
        loop {
            let request = json_request(Method::POST).header("idempotency-key", &key);
            match self.answer(request, path, body.clone()).await {
                Err(failure) if failure.exit == Exit::Unreachable && attempt < 3 => {
                    tokio::time::sleep(Duration::from_millis(200 * attempt)).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// One page of a list. The list is the answer's only array; the cursor is its `next_cursor`.
    pub async fn page<T: DeserializeOwned>(&self, path: &str, query: &[(String, String)]) -> Result<ListPage<T>> {
        let answer: Value = self.get(&with_query(path, query)).await?;
        let broken = || Failure::failed(format!("{} answered with something that is not a list", self.base()));
        let (items, next) = match answer {
            Value::Array(items) => (items, None),
            Value::Object(mut map) => {
                let next =
                    map.get("next_cursor").or_else(|| map.get("next")).and_then(Value::as_str).map(str::to_owned);
                let list = map.values_mut().find_map(Value::as_array_mut).ok_or_else(broken)?;
                (std::mem::take(list), next)
            }
            _ => return Err(broken()),
        };
        let items: Result<Vec<T>, _> = items.into_iter().map(serde_json::from_value).collect();
        Ok(ListPage { items: items.map_err(|error| self.not_understood(&error))?, next })
    }

    /// The events of a migration from `last_id` on, until the server ends the stream or it breaks.
    pub async fn events(&self, path: &str, last_id: Option<&str>) -> Result<impl Stream<Item = SseEvent> + use<>> {
        let mut request = Request::builder().header(header::ACCEPT, "text/event-stream");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = self.transport.send(request, &format!("{API}{path}"), Bytes::new()).await?;
        let response = self.refuse_problems(response).await?;
        let state = (response.into_body(), SseParser::default(), std::collections::VecDeque::new());
        Ok(futures::stream::unfold(state, |(mut body, mut parser, mut ready)| async move {
            loop {
                if let Some(event) = ready.pop_front() {
                    return Some((event, (body, parser, ready)));
                }
                let data = body.frame().await?.ok()?.into_data().unwrap_or_default();
                ready.extend(parser.push(&data).ok()?);
            }
        }))
    }

    async fn answer<T: DeserializeOwned>(&self, request: http::request::Builder, path: &str, body: Bytes) -> Result<T> {
        let response = self
            .transport
            .send(request.header(header::ACCEPT, "application/json"), &format!("{API}{path}"), body)
            .await?;
        let response = self.refuse_problems(response).await?;
        let bytes = self.transport.body(response).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.not_understood(&error))
    }

    async fn refuse_problems(&self, response: Response<Incoming>) -> Result<Response<Incoming>> {
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = self.transport.body(response).await?;
        Err(match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => refusal(status, problem),
            Err(_) => Failure::failed(format!("{} answered {status}", self.base()))
                .why("it does not seem to be a NovaCron server")
                .hint("Look at the address in --server or $NOVACRON_SERVER."),
        })
    }

    fn not_understood(&self, error: &serde_json::Error) -> Failure {
        Failure::failed(format!("cannot understand the answer of {}", self.base()))
            .why(error)
            .hint("Client and server may be of different versions; compare `novacron version` with the server's log.")
    }
}

fn json_request(method: Method) -> http::request::Builder {
    Request::builder().method(method).header(header::CONTENT_TYPE, "application/json")
}

fn json_body(body: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| Failure::failed("cannot write the request").why(error))
}

/// What the server refused, with the exit code that goes with it.
fn refusal(status: StatusCode, problem: Problem) -> Failure {
    let exit = match (status, problem.code.as_str()) {
        (_, "already_ended" | "not_held" | "not_failed" | "nothing_to_do") => Exit::NothingToDo,
        // Words of the question, not things that were looked for.
        (_, "unknown_place" | "unknown_instance_type" | "unknown_programme") => Exit::Usage,
        (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE, _) => {
            Exit::Usage
        }
        (status, _) if status.is_client_error() => Exit::Refused,
        _ => Exit::Failed,
    };
    let request = problem.vendor_request_id.map(|id| format!(", request {id} there")).unwrap_or_default();
    // The API's advice speaks of headers; the command line has its own way.
    let advice = match status {
        StatusCode::NOT_FOUND if problem.code == "unknown_placement" => {
            Some("`novacron explain` lists what was decided.".to_owned())
        }
        StatusCode::UNAUTHORIZED => Some("Give a token with --token-file FILE or $NOVACRON_TOKEN.".to_owned()),
        _ => problem.advice,
    };
    Failure::new(exit, problem.detail).why(format!("{} ({}{request})", problem.title, problem.code)).maybe_hint(advice)
}

/// A path with its query, escaped.
pub fn with_query(path: &str, query: &[(String, String)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let pairs: Vec<String> = query.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
    format!("{path}?{}", pairs.join("&"))
}

/// Escapes a piece of a path or query.
pub fn escape(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: &str) -> Problem {
        Problem {
            kind: format!("/problems/{code}"),
            title: "No such thing".into(),
            status: 404,
            code: code.into(),
            detail: "no VM is named `x`".into(),
            advice: Some("Look at `novacron vm list`.".into()),
            instance: None,
            vendor_request_id: Some("abc".into()),
        }
    }

    #[test]
    fn a_refusal_has_its_exit_code_and_its_advice() {
        let failure = refusal(StatusCode::NOT_FOUND, problem("unknown_vm"));
        assert_eq!(failure.exit, Exit::Refused);
        assert_eq!(
            failure.to_string(),
            "no VM is named `x`\n  why: No such thing (unknown_vm, request abc there)\n  try: Look at `novacron vm list`."
        );
        assert_eq!(refusal(StatusCode::CONFLICT, problem("already_ended")).exit, Exit::NothingToDo);
        assert_eq!(refusal(StatusCode::BAD_REQUEST, problem("invalid")).exit, Exit::Usage);
        assert_eq!(refusal(StatusCode::BAD_GATEWAY, problem("unavailable")).exit, Exit::Failed);
    }

    #[test]
    fn queries_are_escaped() {
        let query = [("filter.tag:Owner".to_owned(), "a b&c/é".to_owned())];
        assert_eq!(with_query("/x", &query), "/x?filter.tag%3AOwner=a%20b%26c%2F%C3%A9");
    }
}
