//! What the provider asks of AWS, as the sandbox sees it, and what it does when AWS has a bad day.

#![allow(clippy::unwrap_used)] // What fails in a test's helpers fails the test.

mod support;

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_ec2::types::InstanceLifecycleType;
use futures::TryStreamExt;
use novacron_provider::{
    Boot, Buf, CreateRequest, ErrorKind, ListFilter, MetricQuery, NewDisk, OperationTag, Patience, Provider,
    ProviderExt, SnapshotRequest, SweepScope, wait_for_snapshot, wait_for_state,
};
use novacron_sandbox::{Credentials, Effect, Fault, Identity, InstanceSeed, SandboxConfig};
use novacron_types::{DiskSpec, GIB, InstanceId, InstanceState, Money, NetworkSpec, OperationId, Spot, VmSpec};
use serde_json::json;
use support::{
    REGION, provider,
    sandbox::{SandboxHarness, config},
};

fn tag(text: &str) -> OperationTag {
    OperationTag(OperationId::new(text).unwrap())
}

fn request(harness: &SandboxHarness, operation: &str, spec: VmSpec) -> CreateRequest {
    let root =
        DiskSpec { disk_type: Some("gp3".into()), iops: Some(4000), encrypted: Some(true), ..DiskSpec::default() };
    let boot = Boot::Image { image: harness.image.clone(), root, root_size_bytes: Some(20 * GIB) };
    CreateRequest { tag: tag(operation), name: "web".into(), spec, boot, start: true }
}

fn fault(action: &str, effect: Effect) -> Fault {
    let value = json!({ "action": action, "effect": effect });
    serde_json::from_value(value).unwrap()
}

fn error_effect(code: &str, status: u16, applied: bool) -> Effect {
    Effect::Error { code: code.into(), status, message: None, reason: None, applied }
}

#[tokio::test(flavor = "multi_thread")]
async fn makes_a_machine_as_it_was_asked() {
    let harness = SandboxHarness::new().await;
    let aws = harness.account.provider_with(json!({ "tags": {"ManagedBy": "NovaCron"} })).await;
    let spec = VmSpec {
        vcpus: Some(2),
        memory_bytes: Some(4 * GIB),
        network: NetworkSpec { public_ip: Some(true), ..NetworkSpec::default() },
        user_data: Some("#cloud-config\nhostname: web\n".into()),
        labels: BTreeMap::from([("Team".into(), "blue".into()), ("aws:reserved".into(), "no".into())]),
        iam_profile: Some("web-role".into()),
        spot: Some(Spot { max_price_per_hour: Some(Money::usd_nanos(50_000_000)), persistent: false }),
        ..VmSpec::default()
    };
    let made = aws.create(&request(&harness, "op-1", spec)).await.unwrap();
    let patience = Patience { first: Duration::from_millis(5), ..Patience::default() };
    let machine = wait_for_state(&*aws, &made.instance_id, InstanceState::Running, patience).await.unwrap();
    assert_eq!(machine.spec.instance_type.as_deref(), Some("t3.medium"));
    assert_eq!((machine.spec.vcpus, machine.spec.memory_bytes), (Some(2), Some(4 * GIB)));
    assert_eq!(machine.spec.user_data.as_deref(), Some("#cloud-config\nhostname: web\n"));
    assert_eq!(machine.spec.labels["Team"], "blue");
    assert_eq!(machine.spec.labels["ManagedBy"], "NovaCron");
    assert!(machine.spec.iam_profile.as_deref().unwrap().contains("web-role"));
    assert!(machine.spec.spot.is_some());
    let root = machine.boot_disk().unwrap();
    assert_eq!((root.size_bytes, root.iops, root.encrypted), (Some(20 * GIB), Some(4000), Some(true)));
    let outside = harness.account.ec2(REGION).describe_instances().instance_ids(made.instance_id.as_str()).send().await;
    let outside = outside.unwrap();
    let seen = &outside.reservations()[0].instances()[0];
    assert_eq!(seen.instance_lifecycle(), Some(&InstanceLifecycleType::Spot));
    assert!(!seen.tags().iter().any(|tag| tag.key() == Some("aws:reserved")));
    let refusing = harness.account.provider_with(json!({ "defaults": {"spotEnabled": false} })).await;
    let spec = VmSpec { spot: Some(Spot::default()), ..VmSpec::default() };
    let error = refusing.create(&request(&harness, "op-2", spec)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_makes_no_second_machine() {
    let harness = SandboxHarness::new().await;
    let before = harness.sandbox.counts().instances;
    for (index, action) in ["RunInstances", "RunInstances", "CreateSnapshots"].into_iter().enumerate() {
        let mut lost = fault(action, Effect::Drop { applied: true });
        lost.count = Some(if index == 0 { 1 } else { 5 });
        harness.sandbox.inject(lost);
        let request = request(&harness, &format!("lost-{index}"), VmSpec::default());
        let _ = harness.provider.create(&request).await;
        harness.sandbox.clear_faults();
        harness.provider.create(&request).await.unwrap();
        assert_eq!(harness.sandbox.counts().instances, before + index + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_swept_and_made_again_with_one_tag_is_a_new_one() {
    let harness = SandboxHarness::new().await;
    let request = request(&harness, "again", VmSpec::default());
    let first = harness.provider.create(&request).await.unwrap();
    harness.provider.sweep(&request.tag, SweepScope::Everything).await.unwrap();
    let second = harness.provider.create(&request).await.unwrap();
    assert_ne!(first.instance_id, second.instance_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_wrong_with_the_credentials() {
    let limited = Credentials { access_key: "AKIASANDBOXREADONLY1".into(), secret_key: "s".repeat(40) };
    let config = SandboxConfig { identities: vec![Identity::read_only(limited.clone())], ..config() };
    let harness = SandboxHarness::with(config).await;
    let reader = harness
        .account
        .provider_with(json!({ "access_key_id": limited.access_key, "secret_access_key": limited.secret_key }))
        .await;
    reader.list_page(&ListFilter::default(), None).await.unwrap();
    let spec = VmSpec { instance_type: Some("t3.micro".into()), ..VmSpec::default() };
    let error = reader.create(&request(&harness, "op", spec)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorised);
    assert!(error.advice.as_deref().unwrap().contains("ec2:RunInstances"), "{error:?}");
    assert!(error.request_id.is_some(), "{error:?}");

    let wrong = harness.account.provider_with(json!({ "secret_access_key": "wrong" })).await;
    for error in [wrong.health().await.unwrap_err(), wrong.list_page(&ListFilter::default(), None).await.unwrap_err()] {
        assert_eq!(error.kind, ErrorKind::Unauthorised, "{error:?}");
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
    }
    let unknown = harness.account.provider_with(json!({ "access_key_id": "AKIANOBODY" })).await;
    assert_eq!(unknown.health().await.unwrap_err().kind, ErrorKind::Unauthorised);

    let nowhere = provider(json!({
        "region": REGION, "endpoint": "http://127.0.0.1:9", "access_key_id": "a", "secret_access_key": "b",
    }));
    assert_eq!(nowhere.await.health().await.unwrap_err().kind, ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_on_a_role() {
    let harness = SandboxHarness::new().await;
    let role = "arn:aws:iam::000000000000:role/migrations";
    let aws = harness.account.provider_with(json!({ "assume_role": role, "external_id": "42" })).await;
    let health = aws.health().await.unwrap();
    assert!(health.detail.contains("assumed-role/migrations"), "{health:?}");
    aws.list_page(&ListFilter::default(), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_more_than_a_page_and_filters() {
    let harness = SandboxHarness::new().await;
    harness.sandbox.seed_many(REGION, 2_345).unwrap();
    let filter = ListFilter::default();
    let all: Vec<_> = harness.provider.list(&filter).try_collect().await.unwrap();
    assert_eq!(all.len(), 2_345);
    assert!(all.iter().all(|machine| machine.spec.memory_bytes.is_some()));
    let name = all[0].name.clone().unwrap();
    let filter = ListFilter { filters: BTreeMap::from([("tag:Name".to_owned(), vec![name])]) };
    let some: Vec<_> = harness.provider.list(&filter).try_collect().await.unwrap();
    assert_eq!(some.len(), 1);
}

/// A machine with one disk of 4 MiB of content, and its snapshot.
async fn snapshot(harness: &SandboxHarness, operation: &str) -> novacron_provider::DiskSnapshot {
    use novacron_provider_suite::Harness;
    let id: InstanceId = harness.seed("source", &[&[7; 4 << 20]]).await.unwrap();
    let source = harness.provider.disk_source().unwrap();
    let request = SnapshotRequest { tag: tag(operation), instance: id, sequence: 0 };
    let disk = source.snapshot(&request).await.unwrap().remove(0);
    let patience = Patience { first: Duration::from_millis(5), ..Patience::default() };
    wait_for_snapshot(source, &disk, patience, |_| ()).await.unwrap();
    disk
}

#[tokio::test(flavor = "multi_thread")]
async fn no_damaged_block_passes() {
    let harness = SandboxHarness::new().await;
    let disk = snapshot(&harness, "damaged").await;
    let reader = harness.provider.disk_source().unwrap().open_reader(&disk).await.unwrap();
    for effect in [Effect::CorruptByte, Effect::WrongChecksum, Effect::Truncate { after: 1000 }] {
        let id = harness.sandbox.inject(fault("GetSnapshotBlock", effect.clone()));
        let error = reader.read(0, Buf::zeroed(512 << 10)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{effect:?}: {error}");
        harness.sandbox.remove_fault(id);
        assert!(reader.read(0, Buf::zeroed(512 << 10)).await.unwrap().iter().all(|byte| *byte == 7));
    }

    let sink = harness.provider.disk_sink().unwrap();
    let request = NewDisk {
        tag: tag("written"),
        index: 0,
        name: "disk".into(),
        size_bytes: 1 << 20,
        spec: DiskSpec::default(),
        base: None,
    };
    let writer = sink.open_writer(&sink.create_disk(&request).await.unwrap()).await.unwrap();
    let id = harness.sandbox.inject(fault("PutSnapshotBlock", Effect::WrongChecksum));
    let error = writer.write(0, Buf::zeroed(512 << 10)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    harness.sandbox.remove_fault(id);
    writer.write(0, Buf::zeroed(1 << 20)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_blocks_come_in_the_end_and_vanished_ones_do_not() {
    let harness = SandboxHarness::new().await;
    let disk = snapshot(&harness, "throttled").await;
    let reader = harness.provider.disk_source().unwrap().open_reader(&disk).await.unwrap();
    let mut throttled = fault("GetSnapshotBlock", error_effect("RequestThrottledException", 400, false));
    throttled.count = Some(9);
    harness.sandbox.inject(throttled);
    assert!(reader.read(0, Buf::zeroed(1 << 20)).await.unwrap().iter().all(|byte| *byte == 7));
    harness.sandbox.clear_faults();

    let mut vanish = fault("GetSnapshotBlock", Effect::Vanish);
    vanish.count = Some(1);
    harness.sandbox.inject(vanish);
    let error = reader.read(0, Buf::zeroed(512)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_tokens_are_fetched_again() {
    let harness = SandboxHarness::with(SandboxConfig { token_ttl: Duration::from_secs(3600), ..config() }).await;
    let disk = snapshot(&harness, "expired").await;
    let reader = harness.provider.disk_source().unwrap().open_reader(&disk).await.unwrap();
    reader.read(0, Buf::zeroed(512)).await.unwrap();
    harness.sandbox.advance_clock(Duration::from_secs(7200));
    let first = reader.read(0, Buf::zeroed(512)).await;
    assert!(first.is_ok() || reader.read(0, Buf::zeroed(512)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_ec2_keep_their_meaning() {
    let harness = SandboxHarness::new().await;
    let spec = || VmSpec { instance_type: Some("t3.micro".into()), ..VmSpec::default() };
    for (code, status, kind) in [
        ("InsufficientInstanceCapacity", 500, ErrorKind::NoCapacity),
        ("VcpuLimitExceeded", 400, ErrorKind::Quota),
        ("InternalError", 500, ErrorKind::Unavailable),
    ] {
        let id = harness.sandbox.inject(fault("RunInstances", error_effect(code, status, false)));
        let error = harness.provider.create(&request(&harness, code, spec())).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        harness.sandbox.remove_fault(id);
    }
    let bogus = InstanceId::new("not-an-id").unwrap();
    assert_eq!(harness.provider.get(&bogus).await.unwrap_err().kind, ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_goes_to_another_region_and_leaves_nothing() {
    let harness = SandboxHarness::new().await;
    let seed = harness.seed_from(InstanceSeed::named("mover")).await;
    let there = harness.account.provider_with(json!({ "region": "eu-west-1" })).await;
    let before = harness.sandbox.counts();
    let image = harness.provider.images().unwrap().create_image(&tag("move"), &seed, true).await.unwrap();
    available(&*harness.provider, &image).await;
    let images = there.images().unwrap();
    let copy = images.copy_image(&tag("move"), &image, REGION).await.unwrap();
    assert_eq!(images.copy_image(&tag("move"), &image, REGION).await.unwrap(), copy);
    available(&*there, &copy).await;
    let boot = Boot::ImageId { image: copy };
    let spec = VmSpec { instance_type: Some("t3.micro".into()), ..VmSpec::default() };
    let request = CreateRequest { tag: tag("move"), name: "moved".into(), spec, boot, start: true };
    let moved = there.create(&request).await.unwrap();
    assert_eq!(moved.region.as_deref(), Some("eu-west-1"));
    harness.provider.sweep(&tag("move"), SweepScope::Everything).await.unwrap();
    there.sweep(&tag("move"), SweepScope::Everything).await.unwrap();
    let after = harness.sandbox.counts();
    assert_eq!((after.instances, after.images, after.snapshots), (before.instances, before.images, before.snapshots));
    assert_eq!(after.volumes, before.volumes);
}

async fn available(aws: &dyn Provider, image: &novacron_types::ImageId) {
    for _ in 0..500 {
        if aws.images().unwrap().image_status(image).await.unwrap().readiness.ready {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("image {image} does not become available");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_that_nobody_put_are_not_there() {
    let harness = SandboxHarness::new().await;
    let instance = harness.seed_from(InstanceSeed::named("idle")).await;
    let end = jiff::Timestamp::now();
    let query = MetricQuery {
        instance,
        metric: "CPUUtilization".into(),
        period: Duration::from_secs(60),
        start: end - jiff::SignedDuration::from_hours(48),
        end,
    };
    assert!(harness.provider.metrics().unwrap().datapoints(&query).await.unwrap().is_empty());
}
