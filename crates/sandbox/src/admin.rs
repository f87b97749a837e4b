//! `/_sandbox/…`: what no vendor offers. It takes no signature, for it is reachable from this machine only;
//! requests that a web page sends (they carry `Origin`) are refused.
//!
//! | | |
//! |---|---|
//! | `GET /_sandbox/state` | how much there is of everything ([`crate::Counts`]) |
//! | `POST /_sandbox/faults` | puts a [`Fault`] in force, answers `{"id":…}` |
//! | `GET /_sandbox/faults` | the faults in force and how often each has happened |
//! | `DELETE /_sandbox/faults`, `…/faults/{id}` | takes all of them, or one, back |
//! | `PUT /_sandbox/prices` | moves prices of the lists: a [`PriceDrift`] |
//! | `GET /_sandbox/volumes/{id}/data` | the bytes of a volume or snapshot; `?offset=` and `?length=` |
//! | `PUT /_sandbox/volumes/{id}/write?offset=` | changes the bytes of a volume, as its guest would |

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream;
use http::request::Parts;
use http::{Method, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::SandboxError;
use crate::blocks::BLOCK;
use crate::core::Core;
use crate::faults::Fault;
use crate::prices::PriceDrift;
use crate::reply::{Body, Reply, finish};
use crate::volume_io::{self, pieces, read_block};

pub(crate) async fn answer(
    core: &Arc<Core>,
    path: &str,
    parts: &Parts,
    body: Incoming,
    request_id: &str,
) -> Response<Body> {
    if parts.headers.contains_key("origin") {
        return Reply::json(403, &json!({ "error": "not from a web page" })).into_response(request_id);
    }
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let done = match (parts.method.clone(), segments.as_slice()) {
        (Method::GET, ["state"]) => {
            let counts = serde_json::to_value(core.counts());
            counts.map(|c| Reply::json(200, &c)).map_err(|e| SandboxError::Invalid(e.to_string()))
        }
        (Method::GET, ["faults"]) => {
            let faults = serde_json::to_value(core.faults().status());
            faults.map(|f| Reply::json(200, &f)).map_err(|e| SandboxError::Invalid(e.to_string()))
        }
        (Method::POST, ["faults"]) => add_fault(core, body).await,
        (Method::DELETE, ["faults"]) => {
            core.faults().clear();
            Ok(Reply::json(200, &json!({})))
        }
        (Method::DELETE, ["faults", id]) => match id.parse().is_ok_and(|id| core.faults().remove(id)) {
            true => Ok(Reply::json(200, &json!({}))),
            false => Err(SandboxError::NotFound(format!("fault {id}"))),
        },
        (Method::PUT, ["prices"]) => read::<PriceDrift>(body).await.map(|drift| {
            core.prices_mut().drift = drift;
            Reply::json(200, &json!({}))
        }),
        (Method::GET, ["volumes", id, "data"]) => match stream_data(core, id, parts, request_id) {
            Ok(response) => return response,
            Err(e) => Err(e),
        },
        (Method::PUT, ["volumes", id, "write"]) => write(core, id, parts, body).await,
        _ => Err(SandboxError::NotFound(format!("{} /_sandbox/{path}", parts.method))),
    };
    let reply = done.unwrap_or_else(|e| {
        let status = match e {
            SandboxError::NotFound(_) => 404,
            SandboxError::Invalid(_) => 400,
            _ => 500,
        };
        Reply::json(status, &json!({ "error": e.to_string() }))
    });
    reply.into_response(request_id)
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, SandboxError> {
    let body = http_body_util::Limited::new(body, 64 * 1024).collect().await;
    let body = body.map_err(|e| SandboxError::Invalid(e.to_string()))?.to_bytes();
    serde_json::from_slice(&body).map_err(|e| SandboxError::Invalid(e.to_string()))
}

async fn add_fault(core: &Core, body: Incoming) -> Result<Reply, SandboxError> {
    let fault: Fault = read(body).await?;
    let id = core.faults().add(fault);
    Ok(Reply::json(201, &json!({ "id": id })))
}

fn query(parts: &Parts, name: &str) -> Result<Option<u64>, SandboxError> {
    let query = parts.uri.query().unwrap_or_default();
    let value = form_urlencoded::parse(query.as_bytes()).find(|(k, _)| k == name).map(|(_, v)| v);
    let wrong = |_| SandboxError::Invalid(format!("{name} is not a number"));
    value.map(|v| v.parse().map_err(wrong)).transpose()
}

/// The bytes as they are at this instant, block by block.
fn stream_data(core: &Arc<Core>, id: &str, parts: &Parts, request_id: &str) -> Result<Response<Body>, SandboxError> {
    let (map, size) = volume_io::disk(core, id)?;
    let offset = query(parts, "offset")?.unwrap_or(0);
    let most = size.checked_sub(offset).ok_or_else(|| SandboxError::Invalid("offset is too large".to_owned()))?;
    let length = query(parts, "length")?.unwrap_or(most).min(most);
    let state = (pieces(offset, length), map, Arc::clone(&core.store));
    let frames = stream::try_unfold(state, |(mut rest, map, store)| async move {
        let Some((index, range)) = rest.next() else { return Ok(None) };
        let (of, from) = (Arc::clone(&map), Arc::clone(&store));
        let data = tokio::task::spawn_blocking(move || read_block(&from, &of, index, range)).await;
        let data = data.map_err(std::io::Error::other)??;
        Ok::<_, std::io::Error>(Some((Frame::data(Bytes::from(data)), (rest, map, store))))
    });
    let headers = vec![("content-type", "application/octet-stream".to_owned()), ("content-length", length.to_string())];
    Ok(finish(200, headers, request_id, BodyExt::boxed_unsync(StreamBody::new(frames))))
}

/// Takes a body of any length in pieces of a block.
async fn write(core: &Arc<Core>, id: &str, parts: &Parts, mut body: Incoming) -> Result<Reply, SandboxError> {
    let mut offset = query(parts, "offset")?.unwrap_or(0);
    let mut held = BytesMut::new();
    let mut written: u64 = 0;
    loop {
        let frame = body.frame().await.transpose().map_err(|e| SandboxError::Invalid(e.to_string()))?;
        let ended = frame.is_none();
        if let Some(data) = frame.and_then(|f| f.into_data().ok()) {
            held.extend_from_slice(&data);
        }
        while held.len() >= BLOCK || (ended && !held.is_empty()) {
            // Whole blocks where the offset allows it, so that they need no reading first.
            let room = BLOCK - (offset % BLOCK as u64) as usize;
            let piece = held.split_to(room.min(held.len())).freeze();
            let (core, id, at, len) = (Arc::clone(core), id.to_owned(), offset, piece.len() as u64);
            let done = tokio::task::spawn_blocking(move || volume_io::write(&core, &id, at, &piece)).await;
            done.map_err(|e| SandboxError::Invalid(e.to_string()))??;
            offset += len;
            written += len;
        }
        if ended {
            return Ok(Reply::json(200, &json!({ "written": written })));
        }
    }
}
