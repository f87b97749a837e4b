//! The sandbox's AWS, asked by somebody with its key: any action with any parameters is answered or refused, never a
//! fault of the server, and what it answers can be read as its protocol says.
#![no_main]

use std::{cell::RefCell, time::Duration};

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use novacron_sandbox::{Credentials, Latency, Sandbox, SandboxConfig};
use tokio::runtime::{Builder, Runtime};

/// Inputs to one sandbox, so that what they make stays little.
const INPUTS: u32 = 50;
/// Between the requests of one input.
const NEXT: &[u8] = b"\n--\n";

struct World {
    runtime: Runtime,
    sandbox: Sandbox,
    left: u32,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

fn world() -> World {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = SandboxConfig { latency: Latency::none(), ..SandboxConfig::default() };
    let sandbox = runtime.block_on(Sandbox::start(config)).expect("a sandbox");
    World { runtime, sandbox, left: INPUTS }
}

fuzz_target!(|data: &[u8]| {
    WORLD.with_borrow_mut(|place| {
        let world = place.get_or_insert_with(world);
        world.runtime.block_on(async {
            let mut ids = Ids::default();
            let mut rest = data;
            for _ in 0..8 {
                let end = rest.windows(NEXT.len()).position(|next| next == NEXT);
                let request = ids.fill_in(&rest[..end.unwrap_or(rest.len())]);
                if let Some(answer) = ask(&world.sandbox, &request).await {
                    ids.learn(&answer);
                }
                let Some(end) = end else { break };
                rest = &rest[end + NEXT.len()..];
            }
            world.sandbox.advance_clock(Duration::from_secs(1));
        });
        world.left -= 1;
        if world.left == 0 {
            *place = None;
        }
    });
});

/// The last id of each kind that was told, which a later request can name as `@i`, `@v`, `@s` or `@a`.
#[derive(Default)]
struct Ids(Vec<(&'static str, Vec<u8>)>);

const KINDS: [(&str, &str); 4] = [("@i", "i-"), ("@v", "vol-"), ("@s", "snap-"), ("@a", "ami-")];

impl Ids {
    fn learn(&mut self, answer: &[u8]) {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        for word in answer.split(|byte| !fits(byte)) {
            let kind =
                KINDS.iter().find(|(_, start)| word.starts_with(start.as_bytes()) && word.len() == start.len() + 17);
            if let Some((mark, _)) = kind {
                self.0.retain(|(known, _)| known != mark);
                self.0.push((mark, word.to_vec()));
            }
        }
    }

    fn fill_in(&self, request: &[u8]) -> Vec<u8> {
        let mut filled = Vec::with_capacity(request.len());
        let mut rest = request;
        while let Some(first) = rest.first() {
            match self.0.iter().find(|(mark, _)| rest.starts_with(mark.as_bytes())) {
                Some((mark, id)) => {
                    filled.extend(id);
                    rest = &rest[mark.len()..];
                }
                None => {
                    filled.push(*first);
                    rest = &rest[1..];
                }
            }
        }
        filled
    }
}

/// A request is its protocol's letter and the body; before the body is for metrics the action, for EBS direct the
/// method and the path.
async fn ask(sandbox: &Sandbox, request: &[u8]) -> Option<Bytes> {
    let (kind, rest) = request.split_first()?;
    let word = |bytes: &[u8]| -> Option<(String, usize)> {
        let end = bytes.iter().position(|byte| *byte == b' ')?;
        Some((String::from_utf8(bytes[..end].to_vec()).ok()?, end + 1))
    };
    let form = [("content-type", "application/x-www-form-urlencoded")];
    match kind {
        b'q' => ask_signed(sandbox, "ec2", "POST", "/", rest, &form).await,
        b's' => ask_signed(sandbox, "sts", "POST", "/", rest, &form).await,
        b'j' => {
            let (action, at) = word(rest)?;
            let target = format!("GraniteServiceVersion20100801.{action}");
            ask_signed(sandbox, "monitoring", "POST", "/", &rest[at..], &[("x-amz-target", &target)]).await
        }
        b'c' => {
            let (action, at) = word(rest)?;
            let path = format!("/service/GraniteServiceVersion20100801/operation/{action}");
            ask_signed(sandbox, "monitoring", "POST", &path, &rest[at..], &[("smithy-protocol", "rpc-v2-cbor")]).await
        }
        b'e' => {
            let (method, at) = word(rest)?;
            let rest = &rest[at..];
            let (path, at) = word(rest)?;
            ask_signed(sandbox, "ebs", &method, &path, &rest[at..], &[]).await
        }
        _ => None,
    }
}

async fn ask_signed(
    sandbox: &Sandbox,
    service: &str,
    method: &str,
    path: &str,
    body: &[u8],
    more: &[(&str, &str)],
) -> Option<Bytes> {
    let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut request =
        Request::builder().method(method).uri(path).header("host", "sandbox").header("x-amz-date", &stamp);
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Bytes::copy_from_slice(body)).ok()?;
    let authorization = sign(&request, &sandbox.credentials(), service, &stamp);
    request.headers_mut().insert("authorization", authorization.parse().expect("a header"));
    let answer = sandbox.answer(request).await.expect("no fault is in force");
    assert_ne!(answer.status().as_u16(), 500, "{answer:?}");
    if matches!(service, "ec2" | "sts") {
        let text = std::str::from_utf8(answer.body()).expect("text");
        roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    Some(answer.into_body())
}

/// Signature Version 4 over the host and the date. A query is taken to be encoded as it should.
fn sign(request: &Request<Bytes>, key: &Credentials, service: &str, stamp: &str) -> String {
    let hash = |bytes: &[u8]| hex(digest::digest(&digest::SHA256, bytes).as_ref());
    let (date, region) = (&stamp[..8], "us-east-1");
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let mut query: Vec<&str> = request.uri().query().into_iter().flat_map(|query| query.split('&')).collect();
    query.sort_unstable();
    let canonical = format!(
        "{}\n{}\n{}\nhost:sandbox\nx-amz-date:{stamp}\n\nhost;x-amz-date\n{}",
        request.method(),
        request.uri().path(),
        query.join("&"),
        hash(request.body())
    );
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hash(canonical.as_bytes()));
    let mut secret = format!("AWS4{}", key.secret_key).into_bytes();
    for part in [date, region, service, "aws4_request", &to_sign] {
        secret = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), part.as_bytes()).as_ref().to_vec();
    }
    let (key, signature) = (&key.access_key, hex(&secret));
    format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
