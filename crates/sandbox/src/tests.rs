//! The sandbox as a whole, over its own port: faults, limits, time, and speed.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::blocks::sha256;
use crate::testing::Client;
use crate::{
    BLOCK, DiskSeed, Effect, Fault, InstanceSeed, Latency, Rate, Sandbox, SandboxConfig, SandboxError, Source, Throttle,
};

async fn sandbox() -> (Sandbox, Client) {
    let config = SandboxConfig { latency: Latency::none(), ..SandboxConfig::default() };
    let sandbox = Sandbox::start(config).await.unwrap();
    let client = Client::of(&sandbox);
    (sandbox, client)
}

fn data(n: u32) -> Vec<u8> {
    (0..BLOCK as u32).map(|i| (i.wrapping_mul(2_654_435_761) ^ n) as u8 | 1).collect()
}

/// A completed snapshot with data at the first `n` indices.
async fn snapshot(client: &Client, n: u32) -> String {
    let id = client.start_snapshot(r#"{"VolumeSize":1}"#).await;
    for index in 0..n {
        let (status, _, body) = client.put_block(&id, index, data(index)).await.unwrap();
        assert_eq!(status, 201, "{body:?}");
    }
    assert_eq!(client.complete(&id, n).await, 202);
    id
}

#[tokio::test]
async fn reads_go_wrong_on_order_and_only_then() {
    let (sandbox, client) = sandbox().await;
    let id = snapshot(&client, 1).await;
    let (index, token) = client.blocks(&id).await.remove(0);
    let get = async || client.get_block(&id, index, &token).await;
    let is_as_it_should_be = |answer: crate::testing::Answer| {
        let (status, headers, body) = answer.unwrap();
        assert_eq!(status, 200);
        let honest = headers["x-amz-checksum"].to_str().unwrap() == BASE64_STANDARD.encode(sha256(&body));
        (body == data(0), honest)
    };
    assert_eq!(is_as_it_should_be(get().await), (true, true));
    for (effect, expected) in [
        (Effect::CorruptByte, (false, false)),
        (Effect::CorruptBlock, (false, true)),
        (Effect::WrongChecksum, (true, false)),
    ] {
        sandbox.inject(Fault::times("GetSnapshotBlock", 1, effect));
        assert_eq!(is_as_it_should_be(get().await), expected);
        assert_eq!(is_as_it_should_be(get().await), (true, true));
    }
    for effect in [Effect::Truncate { after: 1000 }, Effect::Drop { applied: false }] {
        sandbox.inject(Fault::times("Get*", 1, effect));
        assert!(get().await.is_err());
        assert_eq!(is_as_it_should_be(get().await), (true, true));
    }
    let error = Effect::Error {
        code: "InternalServerException".into(),
        status: 500,
        message: None,
        reason: None,
        applied: false,
    };
    sandbox.inject(Fault { about: Some(id.clone()), ..Fault::times("*", 1, error) });
    let (status, headers, _) = get().await.unwrap();
    assert_eq!((status, headers["x-amzn-errortype"].to_str().unwrap()), (500, "InternalServerException"));
    sandbox.inject(Fault::times("Get*", 1, Effect::Vanish));
    assert_eq!(get().await.unwrap().0, 404);
    let counts = sandbox.counts();
    assert_eq!((counts.snapshots, counts.stored_blocks), (0, 0));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_lying_list_of_changes_leaves_some_out() {
    let (sandbox, client) = sandbox().await;
    let id = snapshot(&client, 6).await;
    let path = format!("/snapshots/{id}/changedblocks");
    let count = async || client.ebs("GET", &path).await.1["ChangedBlocks"].as_array().unwrap().len();
    assert_eq!(count().await, 6);
    sandbox.inject(Fault::times("ListChangedBlocks", 1, Effect::OmitBlocks { every: 3 }));
    assert_eq!((count().await, count().await), (4, 6));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_lost_answer_has_been_carried_out() {
    let (sandbox, client) = sandbox().await;
    sandbox.inject(Fault::times("StartSnapshot", 1, Effect::Drop { applied: true }));
    let body = br#"{"VolumeSize":1,"ClientToken":"t"}"#.to_vec();
    assert!(client.send("POST", "ebs", "/snapshots", &[], body).await.is_err());
    assert_eq!(sandbox.counts().pending_snapshots, 1);
    client.start_snapshot(r#"{"VolumeSize":1,"ClientToken":"t"}"#).await;
    assert_eq!(sandbox.counts().snapshots, 1);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn limits_are_kept_and_lifted() {
    let (sandbox, client) = sandbox().await;
    let id = snapshot(&client, 1).await;
    let limit = Some(Rate { per_second: 0.001, burst: 1.0 });
    sandbox.set_throttle(Throttle { ec2_read: limit, ebs_list: limit, ..Throttle::default() });
    assert_eq!(client.ec2("Action=DescribeRegions").await.0, 200);
    let (status, text) = client.ec2("Action=DescribeRegions").await;
    assert!(status == 503 && text.contains("<Code>RequestLimitExceeded</Code>"), "{text}");
    let path = format!("/snapshots/{id}/blocks");
    assert_eq!(client.ebs("GET", &path).await.0, 200);
    let (status, body) = client.ebs("GET", &path).await;
    assert_eq!((status, body["Reason"].as_str()), (400, Some("ACCOUNT_THROTTLED")));
    sandbox.set_throttle(Throttle::default());
    assert_eq!(client.ebs("GET", &path).await.0, 200);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn tokens_and_unfinished_snapshots_expire() {
    let (sandbox, client) = sandbox().await;
    let id = snapshot(&client, 1).await;
    let open = client.start_snapshot(r#"{"VolumeSize":1,"Timeout":10}"#).await;
    let (index, token) = client.blocks(&id).await.remove(0);
    assert_eq!(client.get_block(&id, index, &token).await.unwrap().0, 200);
    sandbox.advance_clock(Duration::from_secs(601));
    let (status, _, body) = client.put_block(&open, 0, data(0)).await.unwrap();
    assert!(status == 400 && String::from_utf8_lossy(&body).contains("WRITE_REQUEST_TIMEOUT"));
    assert!(client.ec2(&format!("Action=DescribeSnapshots&SnapshotId.1={open}")).await.1.contains(">error<"));
    sandbox.advance_clock(Duration::from_secs(7 * 24 * 3600));
    let (status, _, body) = client.get_block(&id, index, &token).await.unwrap();
    assert!(status == 400 && String::from_utf8_lossy(&body).contains("INVALID_BLOCK_TOKEN"));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn states_take_the_time_that_they_are_given() {
    let sandbox = Sandbox::start(SandboxConfig {
        latency: Latency { snapshot: Duration::from_secs(100), ..Latency::none() },
        ..SandboxConfig::default()
    })
    .await
    .unwrap();
    let client = Client::of(&sandbox);
    let vm = sandbox.seed_instance("us-east-1", InstanceSeed::named("vm")).await.unwrap();
    let volume = sandbox.volumes_of(&vm).unwrap().remove(0);
    let (_, text) = client.ec2(&format!("Action=CreateSnapshot&VolumeId={volume}")).await;
    assert!(text.contains("<status>pending</status>") && text.contains("<progress>0%</progress>"), "{text}");
    sandbox.advance_clock(Duration::from_secs(50));
    let (_, text) = client.ec2("Action=DescribeSnapshots").await;
    assert!(text.contains("<progress>50%</progress>"), "{text}");
    sandbox.advance_clock(Duration::from_secs(50));
    assert!(client.ec2("Action=DescribeSnapshots").await.1.contains("<status>completed</status>"));
    client.ec2(&format!("Action=TerminateInstances&InstanceId.1={vm}")).await;
    let counts = sandbox.counts();
    assert_eq!((counts.instances, counts.terminated_instances, counts.volumes), (0, 1, 0));
    sandbox.advance_clock(Duration::from_secs(3601));
    assert_eq!(sandbox.counts().terminated_instances, 0);
    assert_eq!(client.ec2("Action=DescribeInstances").await.1.matches("<instanceId>").count(), 0);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn seeded_disks_hold_what_their_images_hold() {
    let (sandbox, _) = sandbox().await;
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("disk.raw");
    let bytes: Vec<u8> = data(1).into_iter().chain(vec![0; BLOCK]).chain(data(2)).take(2 * BLOCK + 777).collect();
    std::fs::write(&image, &bytes).unwrap();
    let disks = vec![DiskSeed { size: 2, source: Source::Raw(image.clone()), device: "/dev/sda1".into() }];
    let seed = InstanceSeed { disks, ..InstanceSeed::named("vm") };
    let vm = sandbox.seed_instance("us-east-1", seed).await.unwrap();
    let volume = sandbox.volumes_of(&vm).unwrap().remove(0);
    assert_eq!(sandbox.counts().stored_blocks, 2);
    let whole = sandbox.read_volume(&volume, 0, 3 * BLOCK as u64).await.unwrap();
    assert_eq!((&whole[..bytes.len()], whole[bytes.len()..].iter().any(|b| *b != 0)), (&bytes[..], false));
    let at = BLOCK as u64 - 3;
    sandbox.write_volume(&volume, at, b"abcdef".to_vec()).await.unwrap();
    assert_eq!(sandbox.read_volume(&volume, at - 1, 8).await.unwrap()[1..7], *b"abcdef");
    let end = 2u64 << 30;
    assert!(matches!(sandbox.write_volume(&volume, end - 1, vec![1, 2]).await, Err(SandboxError::Invalid(_))));
    let small = DiskSeed { source: Source::Raw(dir.path().join("none.raw")), ..DiskSeed::blank(1) };
    let seed = InstanceSeed { disks: vec![small], ..InstanceSeed::named("vm") };
    assert!(matches!(sandbox.seed_instance("us-east-1", seed).await, Err(SandboxError::Image { .. })));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn the_temporary_directory_goes_with_the_sandbox() {
    let (sandbox, client) = sandbox().await;
    snapshot(&client, 2).await;
    let dir = sandbox.data_dir();
    assert!(dir.exists());
    sandbox.shutdown().await;
    assert!(!dir.exists());
    let listen = "192.0.2.1:0".parse().unwrap();
    let refused = Sandbox::start(SandboxConfig { listen, ..SandboxConfig::default() }).await;
    assert!(matches!(refused, Err(SandboxError::NotLoopback(_))));
}

#[tokio::test]
async fn unsigned_and_unreadable_requests_are_refused() {
    let (sandbox, client) = sandbox().await;
    let unsigned =
        reply_to(&sandbox, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    assert!(unsigned.starts_with("HTTP/1.1 401") && unsigned.contains("AuthFailure"), "{unsigned}");
    assert!(unsigned.to_lowercase().contains("x-novacron-sandbox: true"));
    let page = "GET /_sandbox/state HTTP/1.1\r\nhost: x\r\norigin: http://evil\r\nconnection: close\r\n\r\n";
    assert!(reply_to(&sandbox, page).await.starts_with("HTTP/1.1 403"));
    let large = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n";
    assert!(reply_to(&sandbox, large).await.starts_with("HTTP/1.1 413"));
    let (status, text) = client.ec2("Action=MakeCoffee").await;
    assert!(status == 400 && text.contains("InvalidAction"), "{text}");
    let mut elsewhere = Client::of(&sandbox);
    elsewhere.region = "moon-1";
    assert_eq!(elsewhere.ec2("Action=DescribeInstances").await.0, 401);
    for path in ["/snapshots/x/blocks", "/snapshots/snap-1/blocks/-1?blockToken=x", "/nothing"] {
        let (status, body) = client.ebs("GET", path).await;
        assert!((400..500).contains(&status), "{path}: {status} {body}");
    }
    sandbox.shutdown().await;
}

async fn reply_to(sandbox: &Sandbox, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(sandbox.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_instances_are_listed_quickly() {
    let (sandbox, client) = sandbox().await;
    let began = Instant::now();
    assert_eq!(sandbox.seed_many("us-east-1", 10_000).unwrap().len(), 10_000);
    let seeded = began.elapsed();
    let began = Instant::now();
    let (mut seen, mut token, mut pages) = (0, String::new(), 0);
    loop {
        let (status, text) = client.ec2(&format!("Action=DescribeInstances&MaxResults=1000{token}")).await;
        assert_eq!(status, 200);
        seen += text.matches("<instanceId>").count();
        pages += 1;
        let Some((_, rest)) = text.split_once("<nextToken>") else { break };
        let next = rest.split('<').next().unwrap();
        token = format!("&NextToken={}", form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>());
    }
    println!("seeded in {seeded:?}, listed in {:?} ({pages} pages)", began.elapsed());
    assert_eq!((seen, pages), (10_000, 10));
    assert!(began.elapsed() < Duration::from_secs(10));
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_stream() {
    let (sandbox, client) = sandbox().await;
    let count: u32 = 256;
    let id = client.start_snapshot(r#"{"VolumeSize":1}"#).await;
    let began = Instant::now();
    let bodies: Vec<Vec<u8>> = (0..count).map(data).collect();
    let made = began.elapsed();
    for (index, body) in bodies.into_iter().enumerate() {
        assert_eq!(client.put_block(&id, index as u32, body).await.unwrap().0, 201);
    }
    let put = began.elapsed() - made;
    assert_eq!(client.complete(&id, count).await, 202);
    let blocks = client.blocks(&id).await;
    let began = Instant::now();
    for (index, token) in &blocks {
        assert_eq!(client.get_block(&id, *index, token).await.unwrap().2.len(), BLOCK);
    }
    let rate = |t: Duration| f64::from(count) * BLOCK as f64 / 1e6 / t.as_secs_f64();
    // One request at a time, a connection each: the client's own hashing counts.
    println!("put {:.0} MB/s, get {:.0} MB/s", rate(put), rate(began.elapsed()));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_request_is_answered_without_a_connection_too() {
    let (sandbox, _) = sandbox().await;
    let request = http::Request::post("/").body(bytes::Bytes::from("Action=DescribeInstances")).unwrap();
    let answer = sandbox.answer(request).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(String::from_utf8_lossy(answer.body()).contains("AuthFailure"));
}
