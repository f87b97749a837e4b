//! The mover over its socket: movers that hang, and movers that are started again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on ends there")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use novacron_provider::{
    BuildFuture, DiskSnapshot, Identity, KeyInfo, NewDisk, OperationTag, Provider, ProviderDefinition, ProviderFactory,
    Registry, SnapshotRequest, TargetDisk,
    memory::{MemoryOptions, MemoryProvider},
};
use novacron_transfer::{
    content::content_root_of,
    mover::{JobOptions, JobSpec, MoverClient, MoverConfig, MoverError, SourceSpec, TargetSpec, bind, serve},
};
use novacron_types::{ByteSize, OperationId, ProviderKind, TransferOptions, VmSpec};
use tokio::{net::UnixListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Providers that are there already, by their names.
struct Known(Vec<MemoryProvider>);

impl ProviderFactory for Known {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Memory
    }
    fn keys(&self) -> &'static [KeyInfo] {
        &[]
    }
    fn build(&self, definition: ProviderDefinition) -> BuildFuture {
        let found = self.0.iter().find(|provider| provider.identity().name == definition.name).cloned().unwrap();
        Box::pin(async move { Ok(Arc::new(found) as Arc<dyn Provider>) })
    }
}

/// Two providers, a disk at one of them with a snapshot, and an empty one at the other.
struct World {
    dir: tempfile::TempDir,
    source: MemoryProvider,
    target: MemoryProvider,
    bytes: Vec<u8>,
    snapshot: DiskSnapshot,
    disk: TargetDisk,
}

impl World {
    async fn new(size: usize) -> Self {
        let source = MemoryProvider::new("here", MemoryOptions::default());
        let target = MemoryProvider::new("there", MemoryOptions::default());
        let bytes: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8 | 1).collect();
        let instance = source.seed_instance("web", VmSpec::default(), &[&bytes]);
        let tag = OperationTag(OperationId::new("op-1").unwrap());
        let request = SnapshotRequest { tag: tag.clone(), instance, sequence: 1 };
        let snapshot = source.disk_source().unwrap().snapshot(&request).await.unwrap().remove(0);
        let new = NewDisk {
            tag,
            index: 0,
            name: "web".into(),
            size_bytes: snapshot.size_bytes,
            spec: Default::default(),
            base: None,
        };
        let disk = target.disk_sink().unwrap().create_disk(&new).await.unwrap();
        Self { dir: tempfile::tempdir().unwrap(), source, target, bytes, snapshot, disk }
    }

    fn job(&self, rate: Option<u64>) -> JobSpec {
        let definition = |identity: &Identity| {
            let settings = serde_json::json!({});
            ProviderDefinition { name: identity.name.clone(), kind: ProviderKind::Memory, settings }.into()
        };
        let transfer = TransferOptions { bandwidth_limit: rate.map(ByteSize), ..TransferOptions::default() };
        JobSpec {
            source: SourceSpec {
                definition: definition(self.source.identity()),
                snapshot: self.snapshot.clone(),
                base: None,
            },
            target: TargetSpec { definition: definition(self.target.identity()), disk: self.disk.clone() },
            options: JobOptions { transfer, ..JobOptions::default() },
            ledger_key: "op-1/0".into(),
        }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("run/mover.sock")
    }

    fn serve(&self) -> (CancellationToken, JoinHandle<std::io::Result<()>>) {
        let stop = CancellationToken::new();
        let registry = Registry::default().with(Known(vec![self.source.clone(), self.target.clone()]));
        let config = MoverConfig::new(self.dir.path().join("ledgers"));
        let server = tokio::spawn(serve(bind(&self.socket()).unwrap(), registry, config, stop.clone()));
        (stop, server)
    }
}

/// Waits, bounded, until the job has moved so much.
async fn moved(progress: &mut tokio::sync::watch::Receiver<novacron_transfer::engine::Progress>, bytes: u64) {
    let enough = progress.wait_for(|now| now.stats.bytes_transferred >= bytes);
    tokio::time::timeout(Duration::from_secs(30), enough).await.expect("it does not move").unwrap();
}

/// A mover that takes connections and never says a word: what a stopped process looks like.
fn silent(path: &Path) -> JoinHandle<()> {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_mover_that_says_nothing_is_not_waited_for() {
    let world = World::new(100_000).await;
    let path = world.dir.path().join("silent.sock");
    let _mover = silent(&path);
    let client = MoverClient::new(&path);
    let within = Duration::from_secs(60);
    let job = client.start(world.job(None)).await.unwrap();
    for (what, answer) in [
        ("a question", tokio::time::timeout(within, client.ping()).await.map(|answer| answer.map(drop))),
        ("a request", tokio::time::timeout(within, client.forget("op-1/0")).await),
        ("a job", tokio::time::timeout(within, job.done()).await.map(|answer| answer.map(drop))),
    ] {
        let error = answer.unwrap_or_else(|_| panic!("{what} is waited for without end")).unwrap_err();
        assert!(error.is_transient() && matches!(error, MoverError::Lost(_)), "{what}: {error}");
        assert!(error.to_string().contains("silent"), "{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_on_from_its_ledger_after_each_restart_of_the_mover() {
    let world = World::new(96 << 20).await;
    let client = MoverClient::new(world.socket());
    let (root, _) = content_root_of(&world.bytes[..]).unwrap();
    for _ in 0..3 {
        let (stop, server) = world.serve();
        let job = client.start(world.job(Some(6 << 20))).await.unwrap();
        moved(&mut job.progress(), 4 << 20).await;
        stop.cancel();
        let error = job.done().await.unwrap_err();
        assert!(matches!(&error, MoverError::Job(fault) if fault.is_cancelled()), "{error}");
        server.await.unwrap().unwrap();
    }
    let (stop, server) = world.serve();
    let report = client.start(world.job(None)).await.unwrap().done().await.unwrap();
    assert!(report.stats.bytes_resumed >= 12 << 20, "what three movers moved is not moved again: {:?}", report.stats);
    assert_eq!(report.source_root, root);
    assert!(world.target.read_disk(&world.disk.disk_id).unwrap() == world.bytes);
    client.forget("op-1/0").await.unwrap();
    assert_eq!(std::fs::read_dir(world.dir.path().join("ledgers")).unwrap().count(), 0);
    stop.cancel();
    server.await.unwrap().unwrap();
}
