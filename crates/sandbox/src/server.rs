//! The server: connections, and the way of one request from its signature to its answer.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::auth::{authenticate, too_many, unauthorized};
use crate::blocks::{Digest, sha256};
use crate::core::Core;
use crate::error::{ApiError, ApiResult};
use crate::faults::Effect;
use crate::identity::Caller;
use crate::params::Params;
use crate::prices::{self, OpenList, PriceFault};
use crate::reply::{Body, Protocol, Reply};
use crate::sigv4::Claim;
use crate::throttle::Family;
use crate::{admin, cloudwatch, ebs, ec2, sts};

/// The largest body of a signed request: one block and room to spare.
const MAX_BODY: usize = 1024 * 1024;

/// Where a stop waits for open connections.
const GRACE: Duration = Duration::from_secs(2);

/// Accepts connections until told to stop.
pub(crate) async fn run(listener: TcpListener, core: Arc<Core>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&core), stopped.clone()));
                }
                Err(cause) => {
                    tracing::warn!(%cause, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn connection(stream: TcpStream, core: Arc<Core>, mut stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let core = Arc::clone(&core);
        async move { answer(core, request).await }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).max_buf_size(1024 * 1024);
    let serving = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => {}
        _ = stopped.changed() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on order")]
pub(crate) struct Hangup;

async fn answer(core: Arc<Core>, request: Request<Incoming>) -> Result<Response<Body>, Hangup> {
    if let Some(path) = request.uri().path().strip_prefix("/_sandbox/") {
        let path = path.to_owned();
        let (parts, body) = request.into_parts();
        return Ok(admin::answer(&core, &path, &parts, body, &uuid()).await);
    }
    if let Some(list) = OpenList::at(request.uri().path()) {
        return prices::answer(&core, list, &request.into_parts().0, &uuid()).await;
    }
    respond(&core, request).await
}

/// Answers a request of one of the vendor's protocols.
pub(crate) async fn respond<B>(core: &Core, request: Request<B>) -> Result<Response<Body>, Hangup>
where
    B: HttpBody<Data = Bytes, Error: Display> + Unpin,
{
    let request_id = uuid();
    let (parts, body) = request.into_parts();
    let protocol = protocol_of(&parts);
    let request = match read(core, parts, body, protocol, request_id.clone()).await {
        Ok(request) => request,
        Err(e) => return Ok(Reply::error(protocol, &request_id, &e).into_response(&request_id)),
    };
    let effects = core.faults().judge(&request.action, |text| request.names(text)).effects;
    let (mut hangup, mut truncate, mut late_error) = (false, None, None);
    for effect in &effects {
        match effect {
            Effect::Delay { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Effect::Drop { applied: false } => return Err(Hangup),
            Effect::Drop { applied: true } => hangup = true,
            Effect::Truncate { after } => truncate = Some(*after),
            Effect::Error { applied: false, .. } => {
                let e = ordered(effect);
                return Ok(Reply::error(protocol, &request_id, &e).into_response(&request_id));
            }
            Effect::Error { applied: true, .. } => late_error = Some(ordered(effect)),
            Effect::Vanish => vanish(core, &request),
            _ => {}
        }
    }
    let done = match protocol {
        Protocol::Ec2 if request.action == "DescribeSpotPriceHistory" => {
            let (faults, scope) = (PriceFault::among(&effects), request.params.root());
            prices::spot_history(core.prices(), &request.region, &scope, core.now(), &faults)
                .map(|content| Reply::ec2(&request.action, &request.id, content))
        }
        Protocol::Ec2 => ec2::handle(core, &request),
        Protocol::Sts => sts::handle(core, &request),
        Protocol::RestJson => ebs::handle(core, &request, &effects).await,
        Protocol::Cbor | Protocol::AwsJson => cloudwatch::handle(core, &request),
        Protocol::Pricing => {
            prices::get_products(core.prices(), &request.action, &request.body, &PriceFault::among(&effects))
        }
    };
    if hangup {
        return Err(Hangup);
    }
    let reply = match late_error.map_or(done, Err) {
        Ok(reply) => reply,
        Err(e) => Reply::error(protocol, &request_id, &e),
    };
    Ok(match truncate {
        Some(after) => reply.into_truncated(&request_id, after),
        None => reply.into_response(&request_id),
    })
}

/// A request whose signature is good and whose sender may send it.
#[derive(Debug)]
pub(crate) struct ApiRequest {
    pub id: String,
    pub protocol: Protocol,
    pub region: String,
    pub action: String,
    pub caller: Arc<Caller>,
    pub parts: Parts,
    pub body: Bytes,
    pub body_digest: Digest,
    /// The parameters of a Query request; empty for other protocols.
    pub params: Params,
}

impl ApiRequest {
    /// The resources and values that the request mentions.
    fn names(&self, text: &str) -> bool {
        let target = self.parts.uri.path_and_query().map_or("", |p| p.as_str());
        target.split(['/', '?', '&', '=']).any(|part| part == text)
            || self.params.iter().any(|(_, value)| value == text)
    }
}

fn protocol_of(parts: &Parts) -> Protocol {
    let has = |name: &str| parts.headers.contains_key(name);
    let service = Claim::read(&parts.headers).map(|c| c.service).unwrap_or_default();
    let target = parts.headers.get("x-amz-target").and_then(|v| v.to_str().ok()).unwrap_or_default();
    match service.as_str() {
        "ebs" => Protocol::RestJson,
        "sts" => Protocol::Sts,
        "pricing" => Protocol::Pricing,
        "monitoring" if target.starts_with("GraniteServiceVersion20100801.") => Protocol::AwsJson,
        "monitoring" => Protocol::Cbor,
        _ if target.starts_with(prices::TARGET) => Protocol::Pricing,
        _ if has("smithy-protocol") => Protocol::Cbor,
        _ if parts.uri.path().starts_with("/snapshots") => Protocol::RestJson,
        _ => Protocol::Ec2,
    }
}

async fn read<B>(core: &Core, parts: Parts, body: B, protocol: Protocol, id: String) -> ApiResult<ApiRequest>
where
    B: HttpBody<Data = Bytes, Error: Display> + Unpin,
{
    let body = collect(body, &parts).await?;
    let (body, body_digest) = if body.len() > 64 * 1024 {
        tokio::task::spawn_blocking(move || {
            let digest = sha256(&body);
            (body, digest)
        })
        .await
        .map_err(ApiError::internal)?
    } else {
        let digest = sha256(&body);
        (body, digest)
    };
    let (claim, caller) = authenticate(core, &parts, &body_digest, protocol)?;
    let params = match protocol {
        Protocol::Ec2 | Protocol::Sts if parts.method == Method::POST => Params::parse(&body),
        Protocol::Ec2 | Protocol::Sts => Params::parse(parts.uri.query().unwrap_or_default().as_bytes()),
        _ => Params::default(),
    };
    let action = match protocol {
        Protocol::Ec2 | Protocol::Sts => params.root().get("Action").map(str::to_owned),
        Protocol::RestJson => ebs::action_of(&parts).map(str::to_owned),
        Protocol::Cbor | Protocol::AwsJson => cloudwatch::action_of(&parts),
        Protocol::Pricing => prices::action_of(&parts),
    };
    let action = action.ok_or_else(|| ApiError::bad(invalid_action(protocol), "The action is missing or unknown"))?;
    let service = policy_name(protocol);
    if !caller.may(service, &action) {
        return Err(unauthorized(protocol, &caller.arn, service, &action));
    }
    let throttled = !core.buckets().take(&claim.region, Family::of(service, &action), core.now());
    if throttled {
        return Err(too_many(protocol));
    }
    Ok(ApiRequest {
        id,
        protocol,
        region: claim.region,
        action,
        caller: Arc::new(caller),
        parts,
        body,
        body_digest,
        params,
    })
}

/// Reads the body into one piece; of a block, that is the only copy between the socket and the disk.
async fn collect<B>(mut body: B, parts: &Parts) -> ApiResult<Bytes>
where
    B: HttpBody<Data = Bytes, Error: Display> + Unpin,
{
    let declared = parts.headers.get("content-length").and_then(|v| v.to_str().ok()?.parse().ok());
    let declared: usize = declared.unwrap_or(0);
    let too_large = || ApiError::new("RequestEntityTooLarge", 413, "The request's body is too large");
    if declared > MAX_BODY {
        return Err(too_large());
    }
    let mut whole = BytesMut::with_capacity(declared);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| ApiError::bad("IncompleteBody", e.to_string()))?;
        if let Some(data) = frame.data_ref() {
            if whole.len() + data.len() > MAX_BODY {
                return Err(too_large());
            }
            whole.extend_from_slice(data);
        }
    }
    Ok(whole.freeze())
}

fn policy_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Ec2 => "ec2",
        Protocol::Sts => "sts",
        Protocol::RestJson => "ebs",
        Protocol::Cbor | Protocol::AwsJson => "cloudwatch",
        Protocol::Pricing => "pricing",
    }
}

fn invalid_action(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::RestJson | Protocol::Cbor | Protocol::AwsJson | Protocol::Pricing => "UnknownOperationException",
        _ => "InvalidAction",
    }
}

fn ordered(effect: &Effect) -> ApiError {
    let Effect::Error { code, status, message, reason, .. } = effect else {
        return ApiError::internal("not an error effect");
    };
    let message = message.clone().unwrap_or_else(|| "This fault was ordered from the sandbox".to_owned());
    let e = ApiError::new(code.clone(), *status, message);
    match reason {
        Some(reason) => e.with_reason(reason.clone()),
        None => e,
    }
}

fn vanish(core: &Core, request: &ApiRequest) {
    let path = request.parts.uri.path().split('/');
    let values = request.params.iter().map(|(_, v)| v);
    let ids = path.chain(values).filter(|t| ["i-", "vol-", "snap-", "ami-"].iter().any(|kind| t.starts_with(kind)));
    let ids: Vec<String> = ids.map(str::to_owned).collect();
    let _ = core.with_region(&request.region, |region, _| {
        ids.iter().for_each(|id| region.vanish(id));
        Ok(())
    });
}

fn uuid() -> String {
    let b: [u8; 16] = rand::random();
    let hex = crate::sigv4::hex(&b);
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
