//! Filling the sandbox: instances that were there before, and the bytes on their disks.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::watch;

use crate::blocks::{BLOCK, BlockMap};
use crate::clock::Transition;
use crate::core::Core;
use crate::model::{
    Attachment, Instance, InstanceState, InterfaceIds, Region, Tags, Volume, VolumeKind, new_id, new_lineage,
    type_named,
};
use crate::{Counts, Sandbox, SandboxError, volume_io};

/// An instance to be there.
#[derive(Debug, Clone)]
pub struct InstanceSeed {
    /// The tag `Name`.
    pub name: String,
    pub instance_type: String,
    /// The first is the root. None gives an empty root of 8 GiB.
    pub disks: Vec<DiskSeed>,
    pub tags: Vec<(String, String)>,
    /// In clear; it is told in base64.
    pub user_data: Option<Vec<u8>>,
    pub state: SeedState,
}

impl InstanceSeed {
    /// A running `t3.micro` with an empty disk.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            instance_type: "t3.micro".to_owned(),
            disks: Vec::new(),
            tags: Vec::new(),
            user_data: None,
            state: SeedState::Running,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedState {
    Running,
    Stopped,
}

/// A disk to be there.
#[derive(Debug, Clone)]
pub struct DiskSeed {
    /// In GiB; 0 takes the image's size, rounded up.
    pub size: i64,
    pub source: Source,
    /// Empty takes `/dev/xvda` for the root, `/dev/sdf` and so on for the others.
    pub device: String,
}

/// Where a disk's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Blank,
    /// A raw image of a disk.
    Raw(PathBuf),
}

impl DiskSeed {
    pub fn blank(size: i64) -> Self {
        Self { size, source: Source::Blank, device: String::new() }
    }

    pub fn image(path: impl Into<PathBuf>) -> Self {
        Self { size: 0, source: Source::Raw(path.into()), device: String::new() }
    }
}

impl Sandbox {
    /// Makes an instance with the bytes of its disks, settled in its state; answers its id.
    pub async fn seed_instance(&self, region: &str, seed: InstanceSeed) -> Result<String, SandboxError> {
        let core = Arc::clone(&self.core);
        let region = region.to_owned();
        let stopped = self.stop.subscribe();
        blocking(move || {
            let disks = load(&core, &seed, &stopped)?;
            seed_one(&core, &region, &seed, disks)
        })
        .await
    }

    /// Makes `n` running instances without data, named `vm-00000` and on; answers their ids.
    pub fn seed_many(&self, region: &str, n: usize) -> Result<Vec<String>, SandboxError> {
        let one = |i: usize| {
            let kinds = ["t3.micro", "t3.large", "m5.large", "c5.xlarge"];
            let seed = InstanceSeed {
                instance_type: kinds[i % kinds.len()].to_owned(),
                tags: vec![("Group".to_owned(), format!("g{}", i % 10))],
                ..InstanceSeed::named(format!("vm-{i:05}"))
            };
            seed_one(&self.core, region, &seed, vec![(DiskSeed::blank(8), BlockMap::new())])
        };
        (0..n).map(one).collect()
    }

    /// `len` bytes from `offset` of a volume or snapshot.
    pub async fn read_volume(&self, id: &str, offset: u64, len: u64) -> Result<Vec<u8>, SandboxError> {
        let (core, id) = (Arc::clone(&self.core), id.to_owned());
        blocking(move || volume_io::read(&core, &id, offset, len)).await
    }

    /// Writes bytes to a volume, as the guest would while it runs.
    pub async fn write_volume(&self, id: &str, offset: u64, bytes: Vec<u8>) -> Result<(), SandboxError> {
        let (core, id) = (Arc::clone(&self.core), id.to_owned());
        blocking(move || volume_io::write(&core, &id, offset, &bytes)).await
    }

    /// The ids of an instance's volumes, the root first.
    pub fn volumes_of(&self, instance: &str) -> Result<Vec<String>, SandboxError> {
        let now = self.core.now();
        let mut state = self.core.state();
        let found = state.all(now).find_map(|r| r.instances.get(instance).map(|i| i.volumes.clone()));
        found.ok_or_else(|| SandboxError::NotFound(format!("instance {instance}")))
    }

    /// Waits until the counts are as `expected` says, or says after `patience` what they are instead.
    pub async fn wait_for_counts(
        &self,
        patience: std::time::Duration,
        expected: impl Fn(&Counts) -> bool,
    ) -> Result<Counts, Counts> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let counts = self.counts();
            if expected(&counts) {
                return Ok(counts);
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(counts);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SandboxError> + Send + 'static,
) -> Result<T, SandboxError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(SandboxError::Disk(std::io::Error::other(e))))
}

/// The disks of a seed with their bytes stored; blocking.
fn load(
    core: &Core,
    seed: &InstanceSeed,
    stopped: &watch::Receiver<bool>,
) -> Result<Vec<(DiskSeed, BlockMap)>, SandboxError> {
    let mut disks = Vec::new();
    for disk in &seed.disks {
        let (map, least) = match &disk.source {
            Source::Blank => (BlockMap::new(), 1),
            Source::Raw(path) => load_raw(core, path, stopped)?,
        };
        let size = if disk.size == 0 { least } else { disk.size };
        if size < least {
            let text = format!("a disk of {size} GiB is too small for an image of {least} GiB");
            return Err(SandboxError::Invalid(text));
        }
        disks.push((DiskSeed { size, ..disk.clone() }, map));
    }
    if disks.is_empty() {
        disks.push((DiskSeed::blank(8), BlockMap::new()));
    }
    Ok(disks)
}

/// An image's blocks, and its size in GiB. A large one takes long, and ends early with the sandbox.
fn load_raw(core: &Core, path: &Path, stopped: &watch::Receiver<bool>) -> Result<(BlockMap, i64), SandboxError> {
    let failed = |source| SandboxError::Image { path: path.display().to_string(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut map = BlockMap::new();
    let mut buffer = vec![0; BLOCK];
    let mut size: u64 = 0;
    for index in 0u32.. {
        if *stopped.borrow() {
            return Err(SandboxError::Invalid(format!("the sandbox was stopped while it read {}", path.display())));
        }
        let mut filled = 0;
        while filled < BLOCK {
            match file.read(&mut buffer[filled..]).map_err(failed)? {
                0 => break,
                n => filled += n,
            }
        }
        if filled == 0 {
            break;
        }
        size += filled as u64;
        buffer[filled..].fill(0);
        if let Some(block) = core.store.store(&buffer)? {
            map.insert(index, block);
        }
    }
    Ok((map, i64::try_from(size.div_ceil(1 << 30).max(1)).unwrap_or(i64::MAX)))
}

fn seed_one(
    core: &Core,
    region: &str,
    seed: &InstanceSeed,
    disks: Vec<(DiskSeed, BlockMap)>,
) -> Result<String, SandboxError> {
    let now = core.now();
    let mut state = core.state();
    let region = state.region(region, now).ok_or_else(|| SandboxError::NotFound(format!("region {region}")))?;
    let kind = type_named(&seed.instance_type)
        .ok_or_else(|| SandboxError::NotFound(format!("instance type {}", seed.instance_type)))?;
    let arch = kind.archs.last().copied().unwrap_or("x86_64");
    let image = region.images.values().find(|i| i.from_vendor && i.arch == arch);
    let image_id = image.map(|i| i.id.clone()).unwrap_or_default();
    let subnet = region.network.subnets.iter().max_by_key(|s| s.free()).map(|s| (s.id.clone(), s.zone.clone()));
    let (subnet_id, zone) = subnet.ok_or_else(|| SandboxError::NotFound("subnet".to_owned()))?;
    let private_ip = region
        .network
        .lease(&subnet_id)
        .ok_or_else(|| SandboxError::Invalid("the region has no free address left".to_owned()))?;
    let id = new_id("i");
    let mut tags: Tags = seed.tags.iter().cloned().collect();
    tags.insert("Name".to_owned(), seed.name.clone());
    let root_device = device(&disks[0].0, 0);
    let volumes = attach(region, &id, &zone, disks, &seed.name, now);
    let settled = match seed.state {
        SeedState::Running => InstanceState::Running,
        SeedState::Stopped => InstanceState::Stopped,
    };
    let instance = Instance {
        id: id.clone(),
        reservation_id: new_id("r"),
        launch_index: 0,
        image_id,
        kind,
        arch: arch.to_owned(),
        zone,
        subnet_id,
        groups: vec![region.network.group_id.clone()],
        private_ip,
        interface: InterfaceIds::new(),
        key_name: None,
        launched: now,
        tags,
        user_data: seed.user_data.as_ref().map(|d| BASE64_STANDARD.encode(d)),
        profile: None,
        spot: None,
        ebs_optimized: false,
        monitoring: false,
        tenancy: "default".to_owned(),
        boot_mode: None,
        ena: true,
        root_device,
        volumes,
        state: Transition::settled(settled),
        state_reason: None,
        transition_reason: String::new(),
        client_token: None,
        termination_protected: false,
        forget_at: i64::MAX,
    };
    region.instances.insert(id.clone(), instance);
    Ok(id)
}

fn attach(
    region: &mut Region,
    instance: &str,
    zone: &str,
    disks: Vec<(DiskSeed, BlockMap)>,
    name: &str,
    now: i64,
) -> Vec<String> {
    let mut ids = Vec::new();
    for (n, (disk, map)) in disks.into_iter().enumerate() {
        let volume = Volume {
            id: new_id("vol"),
            size: disk.size,
            kind: VolumeKind::Gp3,
            iops: Some(3_000),
            throughput: Some(125),
            encrypted: false,
            kms_key: None,
            zone: zone.to_owned(),
            snapshot_id: None,
            created: now,
            ready: Transition::settled(true),
            attachment: Some(Attachment {
                instance_id: instance.to_owned(),
                device: device(&disk, n),
                delete_on_termination: true,
                since: now,
                done: Transition::settled(true),
            }),
            tags: Tags::from([("Name".to_owned(), format!("{name}-{n}"))]),
            map: Arc::new(map),
            lineage: new_lineage(),
            writing: Arc::default(),
        };
        ids.push(volume.id.clone());
        region.volumes.insert(volume.id.clone(), volume);
    }
    ids
}

fn device(disk: &DiskSeed, n: usize) -> String {
    match (disk.device.as_str(), n) {
        ("", 0) => "/dev/xvda".to_owned(),
        ("", n) => format!("/dev/sd{}", char::from(b'e' + u8::try_from(n.min(20)).unwrap_or(20))),
        (given, _) => given.to_owned(),
    }
}
