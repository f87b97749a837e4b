//! The conformance suite of providers, on AWS over the sandbox and over moto.

#![allow(clippy::unwrap_used)] // What fails in a test's helpers fails the test.

mod support;

use std::{sync::Arc, time::Duration};

use novacron_provider::{
    Buf, DiskSnapshot, ErrorKind, NewDisk, OperationTag, Provider, Wrapped, Written,
    chaos::{Chaos, Fault, Rule, When},
    retry::{Retry, RetryPolicy},
};
use novacron_provider_suite::{Harness, run};
use novacron_types::{DiskSpec, OperationId, SnapshotId};
use support::{moto::MotoHarness, sandbox::SandboxHarness};

#[tokio::test(flavor = "multi_thread")]
async fn over_the_sandbox() {
    let report = run(&SandboxHarness::new().await).await;
    report.assert();
    assert!(report.passed() >= 30, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_sandbox_with_chaos_under_retry() {
    let mut harness = SandboxHarness::new().await;
    let rule = |chance, fault| Rule { operation: None, when: When::Chance(chance), fault };
    let chaos = Chaos::new(
        7,
        [
            rule(0.1, Fault::FailBefore(ErrorKind::Throttled { retry_after: None })),
            rule(0.15, Fault::FailAfter(ErrorKind::Unavailable)),
        ],
    );
    let retry = Retry::new(RetryPolicy {
        attempts: 12,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(20),
        budget: 1e6,
        ..RetryPolicy::default()
    });
    let wild: Arc<dyn Provider> = Arc::new(Wrapped::new(harness.provider.clone(), chaos));
    harness.provider = Arc::new(Wrapped::new(wild, retry));
    harness.loses_answers = true;
    run(&harness).await.assert();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_moto() {
    if let Some(harness) = MotoHarness::new(false).await {
        run(&harness).await.assert();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_moto_with_authentication() {
    if let Some(harness) = MotoHarness::new(true).await {
        run(&harness).await.assert();
    }
}

/// moto keeps the blocks of snapshots that were written through EBS direct.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_into_moto_and_out_again() {
    let Some(harness) = MotoHarness::new(false).await else { return };
    let aws = harness.provider();
    let sink = aws.disk_sink().unwrap();
    let size_bytes = 1_000_000;
    let tag = OperationTag(OperationId::new("bytes").unwrap());
    let spec = DiskSpec::default();
    let request = NewDisk { tag, index: 0, name: "disk".into(), size_bytes, spec, base: None };
    let disk = sink.create_disk(&request).await.unwrap();
    let writer = sink.open_writer(&disk).await.unwrap();
    let mut buf = Buf::zeroed(size_bytes as usize);
    buf.iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8 ^ (at >> 8) as u8);
    let wanted = buf.to_vec();
    writer.write(0, buf).await.unwrap();
    sink.complete_disk(&disk, Written { blocks: 2 }).await.unwrap();
    assert!(sink.disk_ready(&disk).await.unwrap().ready);
    let found = writer.read_back(0, Buf::zeroed(wanted.len())).await.unwrap();
    assert!(found[..] == wanted[..]);
    let snapshot = DiskSnapshot {
        snapshot_id: SnapshotId::new(disk.disk_id.as_str()).unwrap(),
        disk_id: disk.disk_id.clone(),
        device: "/dev/sda1".into(),
        boot: true,
        size_bytes,
        locator: disk.locator.clone(),
    };
    let reader = aws.disk_source().unwrap().open_reader(&snapshot).await.unwrap();
    let found = reader.read(524_000, Buf::zeroed(1000)).await.unwrap();
    assert!(found[..] == wanted[524_000..525_000]);
    sink.delete_disk(&disk).await.unwrap();
}
