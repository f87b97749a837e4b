//! The sandbox's AWS, asked by somebody who has no key: whatever the headers and the body are, it is refused politely.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use http::Request;
use libfuzzer_sys::fuzz_target;
use novacron_sandbox::{Sandbox, SandboxConfig};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
static SANDBOX: LazyLock<Sandbox> =
    LazyLock::new(|| RUNTIME.block_on(Sandbox::start(SandboxConfig::default())).expect("a sandbox"));

/// `METHOD PATH`, lines of headers, an empty line, the body.
fn request(data: &[u8]) -> Option<Request<Bytes>> {
    let head = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let mut lines = data[..head].split(|byte| *byte == b'\n');
    let (method, path) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(path);
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..at], line[at + 1..].trim_ascii());
    }
    request.body(Bytes::copy_from_slice(data.get(head + 2..).unwrap_or_default())).ok()
}

fuzz_target!(|data: &[u8]| {
    let Some(request) = request(data) else { return };
    let answer = RUNTIME.block_on(SANDBOX.answer(request)).expect("no fault is in force");
    assert!(answer.status().is_client_error(), "{answer:?}");
    assert_eq!(answer.headers()["x-novacron-sandbox"], "true");
});
