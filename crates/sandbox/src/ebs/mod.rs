//! EBS direct: the blocks of snapshots, over REST and JSON.

mod read;
mod tokens;
mod write;

use http::Method;
use http::request::Parts;

pub(crate) use tokens::Tokens;

use crate::core::Core;
use crate::error::{ApiError, ApiResult};
use crate::faults::Effect;
use crate::model::{Region, SnapStatus, Snapshot, is_id};
use crate::reply::Reply;
use crate::server::ApiRequest;

/// The operation that method and path name.
pub(crate) fn action_of(parts: &Parts) -> Option<&'static str> {
    let path = parts.uri.path().trim_matches('/');
    let segments: Vec<&str> = path.split('/').collect();
    match (parts.method.clone(), segments.as_slice()) {
        (Method::POST, ["snapshots"]) => Some("StartSnapshot"),
        (Method::POST, ["snapshots", "completion", _]) => Some("CompleteSnapshot"),
        (Method::GET, ["snapshots", _, "blocks"]) => Some("ListSnapshotBlocks"),
        (Method::GET, ["snapshots", _, "changedblocks"]) => Some("ListChangedBlocks"),
        (Method::GET, ["snapshots", _, "blocks", _]) => Some("GetSnapshotBlock"),
        (Method::PUT, ["snapshots", _, "blocks", _]) => Some("PutSnapshotBlock"),
        _ => None,
    }
}

pub(crate) async fn handle(core: &Core, request: &ApiRequest, effects: &[Effect]) -> ApiResult<Reply> {
    let call = Call::read(core, request);
    let reply = match request.action.as_str() {
        "ListSnapshotBlocks" => read::list_snapshot_blocks(&call),
        "ListChangedBlocks" => read::list_changed_blocks(&call, effects),
        "GetSnapshotBlock" => read::get_snapshot_block(&call, effects).await,
        "StartSnapshot" => write::start_snapshot(&call),
        "PutSnapshotBlock" => write::put_snapshot_block(&call, effects).await,
        "CompleteSnapshot" => write::complete_snapshot(&call),
        other => Err(ApiError::new("UnknownOperationException", 404, format!("Unknown operation {other}"))),
    };
    // What EC2's half of the sandbox words differently.
    reply.map_err(|e| match e.code.as_ref() {
        "AuthFailure" => ApiError::new("UnrecognizedClientException", 403, e.message),
        "InternalError" => ApiError::new("InternalServerException", 500, e.message),
        _ => e,
    })
}

/// One request and the parts of its address.
pub(crate) struct Call<'a> {
    core: &'a Core,
    request: &'a ApiRequest,
    segments: Vec<&'a str>,
}

impl<'a> Call<'a> {
    fn read(core: &'a Core, request: &'a ApiRequest) -> Self {
        Self { core, request, segments: request.parts.uri.path().trim_matches('/').split('/').collect() }
    }

    fn segment(&self, n: usize) -> &'a str {
        self.segments.get(n).copied().unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        self.request.parts.headers.get(name).and_then(|v| v.to_str().ok())
    }

    fn query(&self, name: &str) -> Option<String> {
        let query = self.request.parts.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
    }

    fn query_number(&self, name: &str) -> ApiResult<Option<u32>> {
        self.query(name).map(|text| number(name, &text)).transpose()
    }

    fn block_index(&self) -> ApiResult<u32> {
        number("blockIndex", self.segment(3))
    }

    fn with_region<T>(&self, work: impl FnOnce(&mut Region, i64) -> ApiResult<T>) -> ApiResult<T> {
        self.core.with_region(&self.request.region, work)
    }
}

fn number(name: &str, text: &str) -> ApiResult<u32> {
    let wrong = || invalid("INVALID_PARAMETER_VALUE", format!("{name} is not a number from 0: '{text}'"));
    text.parse::<u32>().ok().filter(|n| *n <= i32::MAX as u32).ok_or_else(wrong)
}

fn invalid(reason: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::bad("ValidationException", message).with_reason(reason)
}

fn check_id(id: &str) -> ApiResult<()> {
    if is_id("snap", id) {
        return Ok(());
    }
    Err(invalid("INVALID_SNAPSHOT_ID", format!("The snapshot ID '{id}' is malformed")))
}

fn find<'r>(region: &'r Region, id: &str) -> ApiResult<&'r Snapshot> {
    check_id(id)?;
    region.snapshots.get(id).ok_or_else(|| not_found(id))
}

fn not_found(id: &str) -> ApiError {
    let text = format!("The snapshot '{id}' does not exist.");
    ApiError::new("ResourceNotFoundException", 404, text).with_reason("SNAPSHOT_NOT_FOUND")
}

/// A snapshot whose blocks can be read.
fn find_completed<'r>(region: &'r Region, id: &str, now: i64) -> ApiResult<&'r Snapshot> {
    let snapshot = find(region, id)?;
    if snapshot.status(now) != SnapStatus::Completed {
        return Err(invalid("INVALID_SNAPSHOT_ID", format!("The snapshot '{id}' is not completed")));
    }
    Ok(snapshot)
}

/// Seconds with a fraction, as JSON times are.
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
