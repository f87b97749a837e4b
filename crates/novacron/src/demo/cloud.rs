//! The demo's cloud: an AWS in a box with a few machines whose disks hold real file systems.

use std::{
    io,
    path::Path,
    sync::{Arc, LazyLock},
};

use novacron_sandbox::{DiskSeed, InstanceSeed, Sandbox, SandboxConfig, SeedState};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::{
    bytes::ReadAt,
    disk::{self, Content, FileSystem, NewFile},
};
use crate::exit::{Failure, Result};

pub const REGION: &str = "us-east-1";
/// The file whose digest is shown.
pub const WITNESS: &str = "/srv/data/orders.db";

/// The sandbox and the machine that will be moved.
pub struct Cloud {
    pub sandbox: Arc<Sandbox>,
    pub instance: String,
    pub filesystem: FileSystem,
    pub size: u64,
    /// SHA-256 of the witness as it was made.
    pub witness: [u8; 32],
}

/// How many MiB of random data the machine that is moved has; it decides how long the demo takes.
const DATA_MIB: u64 = 256;
/// What a volume of the cloud has at least.
const VOLUME: u64 = 1 << 30;

struct Machine {
    name: &'static str,
    instance_type: &'static str,
    state: SeedState,
    filesystem: FileSystem,
    /// The size of the image; the rest of its volume is empty.
    size: u64,
    files: Vec<NewFile>,
}

impl Cloud {
    pub async fn start(dir: &Path) -> Result<Self> {
        let config = SandboxConfig { data_dir: Some(dir.join("cloud")), ..SandboxConfig::default() };
        let sandbox = Sandbox::start(config).await.map_err(cannot)?;
        let images = dir.join("images");
        std::fs::create_dir(&images).map_err(cannot)?;
        let mut first = None;
        for machine in machines() {
            let image = images.join(format!("{}.raw", machine.name));
            let (image, machine) = on_thread(move || {
                disk::make(&image, machine.size, machine.filesystem, machine.name, &machine.files)?;
                Ok((image, machine))
            })
            .await?;
            let seed = InstanceSeed {
                instance_type: machine.instance_type.to_owned(),
                disks: vec![DiskSeed::image(&image)],
                tags: vec![("ManagedBy".to_owned(), "NovaCron".to_owned())],
                state: machine.state,
                ..InstanceSeed::named(machine.name)
            };
            let id = sandbox.seed_instance(REGION, seed).await.map_err(cannot)?;
            std::fs::remove_file(&image).map_err(cannot)?;
            first.get_or_insert((id, machine));
        }
        let (instance, machine) = first.ok_or_else(|| Failure::failed("the demo has no machine"))?;
        let (filesystem, witness) = on_thread(move || {
            let witness = machine.files.iter().find(|file| file.path == WITNESS);
            let witness = witness.ok_or_else(|| io::Error::other("there is no witness file"))?;
            Ok((machine.filesystem, disk::expected(&witness.content)?))
        })
        .await?;
        Ok(Self { sandbox: Arc::new(sandbox), instance, filesystem, size: VOLUME, witness })
    }

    /// The bytes of an instance's first volume.
    pub fn disk_of(&self, instance: &str) -> Result<Arc<dyn ReadAt>> {
        let volumes = self.sandbox.volumes_of(instance).map_err(cannot)?;
        let id = volumes.first().cloned().ok_or_else(|| Failure::failed(format!("{instance} has no volume")))?;
        Ok(Arc::new(Volume { sandbox: Arc::clone(&self.sandbox), id, size: self.size, runtime: Handle::current() }))
    }
}

fn machines() -> Vec<Machine> {
    let text = |path, text: &str| NewFile { path, content: Content::Text(text.to_owned()) };
    vec![
        Machine {
            name: "web-1",
            instance_type: "t3.small",
            state: SeedState::Running,
            filesystem: disk::best(),
            size: 640 << 20,
            files: vec![
                text("/etc/hostname", "web-1\n"),
                text("/srv/www/index.html", "<!doctype html><title>web-1</title><p>It moved.\n"),
                NewFile { path: WITNESS, content: Content::Random { len: DATA_MIB << 20, seed: 1 } },
                NewFile { path: "/var/log/app.log", content: Content::Log { len: 16 << 20 } },
            ],
        },
        Machine {
            name: "db-1",
            instance_type: "t3.large",
            state: SeedState::Running,
            filesystem: FileSystem::Fat32,
            size: 64 << 20,
            files: vec![
                text("/etc/hostname", "db-1\n"),
                NewFile { path: "/srv/data/ledger.db", content: Content::Random { len: 16 << 20, seed: 2 } },
            ],
        },
        Machine {
            name: "build-1",
            instance_type: "t3.micro",
            state: SeedState::Stopped,
            filesystem: FileSystem::Fat32,
            size: 64 << 20,
            files: vec![text("/etc/hostname", "build-1\n")],
        },
    ]
}

/// A volume of the sandbox, read as bytes. Its calls block, on threads that may.
struct Volume {
    sandbox: Arc<Sandbox>,
    id: String,
    size: u64,
    runtime: Handle,
}

impl ReadAt for Volume {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let data = self.runtime.block_on(self.sandbox.read_volume(&self.id, offset, buf.len() as u64));
        buf.copy_from_slice(&data.map_err(io::Error::other)?);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.size
    }
}

/// Work on threads, which goes on when nobody waits for it any more.
static THREADS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Runs what blocks on a thread that may.
pub async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    THREADS.spawn_blocking(work).await.map_err(cannot)?.map_err(cannot)
}

/// Waits until nothing writes to the demo's directory any more.
pub async fn threads_ended() {
    THREADS.close();
    THREADS.wait().await;
}

fn cannot(error: impl std::fmt::Display) -> Failure {
    Failure::failed("the demo can't make its cloud")
        .why(error)
        .hint("It needs about 1 GB of room in its directory; --dir names another one.")
}
