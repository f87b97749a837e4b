//! The mover end to end: two `files` providers, a real socket, a real ledger.

#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

use std::{os::unix::fs::FileExt, path::Path, time::Duration};

use novacron_provider::{
    Boot, CreateRequest, NewDisk, OperationTag, Provider, ProviderDefinition, Registry, SnapshotRequest, SweepScope,
    TargetDisk,
};
use novacron_provider_files::FilesFactory;
use novacron_transfer::{
    content::{content_root_of, content_root_of_disk},
    mover::{
        ChildConfig, JobOptions, JobSpec, MoverChild, MoverClient, MoverConfig, MoverError, SourceSpec, TargetSpec,
        ToMover, bind, lifeline, serve,
    },
};
use novacron_types::{ByteSize, InstanceId, OperationId, ProviderKind, ProviderName, TransferOptions, VerifyLevel};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;

struct World {
    dir: tempfile::TempDir,
    client: MoverClient,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("run/mover.sock");
        let listener = bind(&socket).unwrap();
        let stop = CancellationToken::new();
        let config = MoverConfig::new(dir.path().join("ledgers"));
        let registry = Registry::default().with(FilesFactory);
        let server = tokio::spawn(serve(listener, registry, config, stop.clone()));
        Self { client: MoverClient::new(socket), dir, stop, server }
    }

    fn definition(&self, name: &str, format: &str) -> ProviderDefinition {
        ProviderDefinition {
            name: ProviderName::new(name).unwrap(),
            kind: ProviderKind::Files,
            settings: serde_json::json!({ "path": self.dir.path().join(name), "format": format }),
        }
    }

    async fn provider(&self, name: &str, format: &str) -> std::sync::Arc<dyn Provider> {
        Registry::default().with(FilesFactory).build(self.definition(name, format)).await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        self.server.await.unwrap().unwrap();
    }
}

const NO_LIMIT: ToMover = ToMover::SetRate { bytes_per_second: None };

fn tag(text: &str) -> OperationTag {
    OperationTag(OperationId::new(text).unwrap())
}

/// A disk with holes, written here and there.
fn disk(path: &Path, size: u64, seed: u64) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    file.set_len(size).unwrap();
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..20 {
        let mut bytes = vec![0; random.random_range(1..2_000_000)];
        random.fill_bytes(&mut bytes);
        file.write_all_at(&bytes, random.random_range(0..size - 2_000_000)).unwrap();
    }
    file.write_all_at(b"the end", size - 7).unwrap();
}

async fn spec(world: &World, op: &str, format: &str) -> (JobSpec, TargetDisk) {
    let (source, target) = (world.provider("here", "raw").await, world.provider("there", format).await);
    let request = SnapshotRequest { tag: tag(op), instance: InstanceId::new("web").unwrap(), sequence: 1 };
    let snapshot = source.disk_source().unwrap().snapshot(&request).await.unwrap().remove(0);
    let new = NewDisk {
        tag: tag(op),
        index: 0,
        name: "web".into(),
        size_bytes: snapshot.size_bytes,
        spec: Default::default(),
        base: None,
    };
    let disk = target.disk_sink().unwrap().create_disk(&new).await.unwrap();
    let job = JobSpec {
        source: SourceSpec { definition: world.definition("here", "raw").into(), snapshot, base: None },
        target: TargetSpec { definition: world.definition("there", format).into(), disk: disk.clone() },
        options: JobOptions::default(),
        ledger_key: format!("{op}/0"),
    };
    (job, disk)
}

#[tokio::test(flavor = "multi_thread")]
async fn moves_a_disk_proves_it_and_makes_a_machine() {
    let world = World::new().await;
    let image = world.dir.path().join("here/web.raw");
    for (format, size) in [("raw", 40_000_321), ("qcow2", 40_000_512)] {
        disk(&image, size, 1);
        let (root, _) = content_root_of(std::fs::File::open(&image).unwrap()).unwrap();
        let op = format!("op-{format}");
        let (job, target_disk) = spec(&world, &op, format).await;
        let report = world.client.start(job.clone()).await.unwrap().done().await.unwrap();
        assert_eq!((report.source_root, report.target_root, report.size_bytes), (root, Some(root), size));
        assert_eq!(report.verified, VerifyLevel::Stored);
        assert_eq!(report.stats.bytes_verified, report.stats.bytes_transferred);
        assert!(report.stats.bytes_zero > 0);

        let target = world.provider("there", format).await;
        target.disk_sink().unwrap().complete_disk(&target_disk, report.written).await.unwrap();
        let request = CreateRequest {
            tag: tag(&op),
            name: "web".into(),
            spec: Default::default(),
            boot: Boot::Disks { disks: vec![target_disk] },
            start: false,
        };
        let made = target.create(&request).await.unwrap();
        assert_eq!(target.create(&request).await.unwrap().instance_id, made.instance_id);
        assert_eq!(made.disks[0].size_bytes, Some(size));

        let again = SnapshotRequest { tag: tag("check"), instance: made.instance_id.clone(), sequence: 1 };
        let snapshot = target.disk_source().unwrap().snapshot(&again).await.unwrap().remove(0);
        let reader = target.disk_source().unwrap().open_reader(&snapshot).await.unwrap();
        assert_eq!(content_root_of_disk(reader.as_ref()).await.unwrap(), root);
        drop(reader);
        assert_eq!(target.delete(&made.instance_id).await.unwrap_err().kind.code(), "conflict");
        target.sweep(&tag("check"), SweepScope::Everything).await.unwrap();
        assert_eq!(target.sweep(&tag(&op), SweepScope::Everything).await.unwrap(), [made.instance_id.to_string()]);
        assert!(target.sweep(&tag(&op), SweepScope::Everything).await.unwrap().is_empty());
        world.client.forget(&job.ledger_key).await.unwrap();
    }
    assert_eq!(std::fs::read_dir(world.dir.path().join("ledgers")).unwrap().count(), 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_after_lost_connections() {
    let world = World::new().await;
    disk(&world.dir.path().join("here/web.raw"), 100 << 20, 2);
    let (mut job, _) = spec(&world, "op", "raw").await;
    job.options.transfer = TransferOptions { bandwidth_limit: Some(ByteSize(4_000_000)), ..TransferOptions::default() };
    for _ in 0..2 {
        let lost = world.client.start(job.clone()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        drop(lost);
    }

    let handle = world.client.start(job).await.unwrap();
    handle.controls().send(NO_LIMIT).await.unwrap();
    let report = handle.done().await.unwrap();
    assert!(report.stats.bytes_resumed > 2_000_000, "{:?}", report.stats);
    assert_eq!(Some(report.source_root), report.target_root);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_wrong() {
    let world = World::new().await;
    disk(&world.dir.path().join("here/web.raw"), 10 << 20, 3);
    let (job, _) = spec(&world, "op", "raw").await;

    let mut wrong = job.clone();
    wrong.target.disk.locator =
        serde_json::json!({ "operation": "..", "machine": "x", "file": "disk-0.raw", "format": "raw" });
    let MoverError::Job(fault) = world.client.start(wrong).await.unwrap().done().await.unwrap_err() else { panic!() };
    assert_eq!(fault.code, "invalid");

    let mut gone = job.clone();
    gone.source.snapshot.locator = serde_json::json!({ "pin": "snap-0123456789abcdef", "disk": 0 });
    let MoverError::Job(fault) = world.client.start(gone).await.unwrap().done().await.unwrap_err() else { panic!() };
    assert_eq!((fault.code.as_str(), fault.provider.unwrap().as_str()), ("not_found", "here"));

    disk(&world.dir.path().join("here/web.raw"), 10 << 20, 4);
    let MoverError::Job(fault) = world.client.start(job).await.unwrap().done().await.unwrap_err() else { panic!() };
    assert_eq!(fault.code, "conflict");
    assert!(fault.message.contains("was changed"));
    world.end().await;
}

/// Run by the next test as a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn is_a_mover_when_told_so() {
    let Ok(dir) = std::env::var("MOVER_TEST_DIR") else { return };
    let dir = Path::new(&dir);
    let listener = bind(&dir.join("run/child.sock")).unwrap();
    let stop = CancellationToken::new();
    let config = MoverConfig::new(dir.join("ledgers"));
    tokio::spawn({
        let stop = stop.clone();
        async move {
            lifeline().await;
            stop.cancel();
        }
    });
    serve(listener, Registry::default().with(FilesFactory), config, stop).await.unwrap();
}

fn child_config(dir: &Path) -> ChildConfig {
    let arguments = [
        format!("MOVER_TEST_DIR={}", dir.display()).into(),
        std::env::current_exe().unwrap().into_os_string(),
        "--exact".into(),
        "is_a_mover_when_told_so".into(),
        "--nocapture".into(),
    ];
    ChildConfig::new("env", arguments.into(), dir.join("run/child.sock"))
}

/// Waits, bounded, until something of the only job is in its ledger.
async fn recorded(dir: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let pages = || {
        let ledger = std::fs::read_dir(dir.join("ledgers")).ok()?.flatten().next()?;
        Some(ledger.metadata().ok()?.blocks() * 512)
    };
    // More than the first page, the header.
    let some = async {
        while pages().unwrap_or(0) <= 4096 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), some).await.unwrap();
}

fn signal(pid: u32, name: &str) {
    let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// A signal takes a while to stop all threads of a process that is at work.
async fn stopped_by_now(pid: u32) {
    let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
        // The state comes after the name, which is in brackets.
        let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        Some(stat.rsplit(')').next()?.trim_start().starts_with('T'))
    };
    let all = || std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|task| is_stopped(task).unwrap_or(true));
    let wait = async {
        while !all() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
}

/// A mover that is stopped, not dead: its jobs are given up, it is replaced, and the next run goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_hangs_is_replaced() {
    let world = World::new().await;
    let dir = world.dir.path();
    let silence = Duration::from_secs(6);
    let child = MoverChild::start(ChildConfig { silence, ..child_config(dir) }).await.unwrap();
    let (first, client) = (child.pid().unwrap(), child.client());

    disk(&dir.join("here/web.raw"), 60 << 20, 6);
    let (mut job, _) = spec(&world, "op", "raw").await;
    job.options.transfer.bandwidth_limit = Some(ByteSize(8_000_000));
    let running = client.start(job.clone()).await.unwrap();
    recorded(dir).await;
    let stopped = std::time::Instant::now();
    signal(first, "STOP");
    stopped_by_now(first).await;
    let (ended, forgotten) = tokio::join!(running.done(), client.forget("another"));
    let error = ended.unwrap_err();
    assert!(error.is_transient() && matches!(error, MoverError::Lost(_)), "{error}");
    forgotten.expect("it waits for the mover that comes in its place");
    assert!(stopped.elapsed() < Duration::from_secs(60), "{:?}", stopped.elapsed());
    assert_ne!(child.pid(), Some(first));

    job.options.transfer.bandwidth_limit = None;
    let report = client.start(job).await.unwrap().done().await.unwrap();
    assert!(report.stats.bytes_resumed > 0, "{:?}", report.stats);
    child.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_is_started_again_and_goes_with_its_parent() {
    let world = World::new().await;
    let dir = world.dir.path();
    let config = child_config(dir);
    let child = MoverChild::start(config).await.unwrap();
    let (first, client) = (child.pid().unwrap(), child.client());

    disk(&dir.join("here/web.raw"), 60 << 20, 5);
    let (mut job, _) = spec(&world, "op", "raw").await;
    job.options.transfer.bandwidth_limit = Some(ByteSize(8_000_000));
    let running = client.start(job.clone()).await.unwrap();
    recorded(dir).await;
    signal(first, "KILL");
    let error = running.done().await.unwrap_err();
    assert!(error.is_transient() && matches!(error, MoverError::Lost(_)), "{error}");

    let mut tries = 0;
    while client.ping().await.is_err() {
        tries += 1;
        assert!(tries < 200, "it is not started again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_ne!(child.pid(), Some(first));
    let running = client.start(job).await.unwrap();
    running.controls().send(NO_LIMIT).await.unwrap();
    let report = running.done().await.unwrap();
    assert!(report.stats.bytes_resumed > 0 && Some(report.source_root) == report.target_root, "{:?}", report.stats);
    child.stop().await;
    assert!(client.ping().await.is_err());
    world.end().await;
}
