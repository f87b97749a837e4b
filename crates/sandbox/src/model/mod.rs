//! What exists in the sandbox: regions with their instances, volumes, snapshots and images.
//!
//! Everything here is memory and free of I/O; disk bytes are reached through [`crate::blocks`].

mod disks;
mod instance;
mod network;
mod types;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use rand::Rng;
use serde::Serialize;

pub(crate) use disks::{
    Attachment, DiskSpec, Image, ImageDisk, NO_VOLUME, SnapPhase, SnapStatus, Snapshot, Volume, VolumeKind,
};
pub(crate) use instance::{Instance, InstanceState, InterfaceIds, Profile, Spot};
pub(crate) use network::{Network, Subnet, VPC_CIDR};
pub(crate) use types::{InstanceType, TYPES, type_named};

use crate::blocks::{BlockMap, Digest};
use crate::clock::Millis;
use crate::cloudwatch::Metrics;

pub(crate) type Tags = BTreeMap<String, String>;

/// The regions that the sandbox has.
pub(crate) const REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Everything, by region. A region comes into being when it is first spoken to.
#[derive(Debug, Default)]
pub(crate) struct State {
    regions: BTreeMap<&'static str, Region>,
}

impl State {
    /// The region of this name, if there is such a region at all, with all that was due by `now` done.
    pub fn region(&mut self, name: &str, now: Millis) -> Option<&mut Region> {
        let name = REGIONS.iter().find(|r| **r == name)?;
        let region = self.regions.entry(name).or_insert_with(|| Region::new(name, now));
        region.settle(now);
        Some(region)
    }

    pub fn all(&mut self, now: Millis) -> impl Iterator<Item = &mut Region> {
        for region in self.regions.values_mut() {
            region.settle(now);
        }
        self.regions.values_mut()
    }
}

/// One region of the account.
#[derive(Debug)]
pub(crate) struct Region {
    pub name: &'static str,
    pub network: Network,
    pub instances: BTreeMap<String, Instance>,
    pub volumes: BTreeMap<String, Volume>,
    pub snapshots: BTreeMap<String, Snapshot>,
    pub images: BTreeMap<String, Image>,
    pub metrics: Metrics,
    /// Client tokens: what was asked with each, and what came of it.
    tokens: HashMap<String, Remembered>,
    due: BTreeSet<(Millis, String)>,
}

/// The outcome of a request that carried a client token.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    pub request: Digest,
    pub ids: Vec<String>,
    pub at: Millis,
}

const MOST_TOKENS: usize = 100_000;
const TOKEN_LIFE: Millis = 24 * 3600 * 1000;

impl Region {
    fn new(name: &'static str, now: Millis) -> Self {
        let images = Image::blanks(name, now);
        Self {
            name,
            network: Network::of(name),
            instances: BTreeMap::new(),
            volumes: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            images: images.into_iter().map(|i| (i.id.clone(), i)).collect(),
            metrics: Metrics::default(),
            tokens: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// What came of the request with this client token.
    pub fn recall(&self, token: &str) -> Option<&Remembered> {
        self.tokens.get(token)
    }

    /// Tokens are good for a day at least; older ones go when there are too many.
    pub fn remember(&mut self, token: String, outcome: Remembered) {
        if self.tokens.len() >= MOST_TOKENS {
            self.tokens.retain(|_, known| outcome.at - known.at < TOKEN_LIFE);
        }
        self.tokens.insert(token, outcome);
    }

    /// Asks for the instance to be looked at again at `when`, see [`Region::settle`].
    pub fn remind(&mut self, when: Millis, instance: &str) {
        self.due.insert((when, instance.to_owned()));
    }

    /// Does what a terminated instance leaves to do: its volumes go or come free, and later it is forgotten.
    fn settle(&mut self, now: Millis) {
        while self.due.first().is_some_and(|(when, _)| *when <= now) {
            let Some((_, id)) = self.due.pop_first() else { return };
            let Some(instance) = self.instances.get_mut(&id) else { continue };
            if instance.state.at(now) != InstanceState::Terminated {
                continue;
            }
            if instance.forget_at <= now {
                self.instances.remove(&id);
                continue;
            }
            let forget_at = instance.forget_at;
            self.network.release(instance.private_ip);
            for volume_id in std::mem::take(&mut instance.volumes) {
                let Some(volume) = self.volumes.get_mut(&volume_id) else { continue };
                if volume.attachment.as_ref().is_some_and(|a| a.delete_on_termination) {
                    self.volumes.remove(&volume_id);
                } else {
                    volume.attachment = None;
                }
            }
            self.remind(forget_at, &id);
        }
    }

    /// The image that uses the snapshot, if one does.
    pub fn image_of_snapshot(&self, snapshot: &str) -> Option<&Image> {
        self.images.values().find(|i| i.disks.iter().any(|d| d.spec.snapshot_id.as_deref() == Some(snapshot)))
    }

    /// The tags of any resource.
    pub fn tags_mut(&mut self, id: &str) -> Option<&mut Tags> {
        match id.split('-').next()? {
            "i" => self.instances.get_mut(id).map(|r| &mut r.tags),
            "vol" => self.volumes.get_mut(id).map(|r| &mut r.tags),
            "snap" => self.snapshots.get_mut(id).map(|r| &mut r.tags),
            "ami" => self.images.get_mut(id).map(|r| &mut r.tags),
            _ => None,
        }
    }

    /// Removes a resource as if it had never been. What it used is let go.
    pub fn vanish(&mut self, id: &str) {
        self.volumes.remove(id);
        self.snapshots.remove(id);
        self.images.remove(id);
        if let Some(instance) = self.instances.remove(id) {
            self.network.release(instance.private_ip);
            for volume in &instance.volumes {
                self.volumes.remove(volume);
            }
        }
        for instance in self.instances.values_mut() {
            instance.volumes.retain(|v| v != id);
        }
    }

    pub fn count_into(&self, counts: &mut Counts, now: Millis) {
        for instance in self.instances.values() {
            match instance.state.at(now) {
                InstanceState::Terminated => counts.terminated_instances += 1,
                _ => counts.instances += 1,
            }
        }
        counts.volumes += self.volumes.len();
        counts.attached_volumes += self.volumes.values().filter(|v| v.attachment.is_some()).count();
        counts.snapshots += self.snapshots.len();
        counts.pending_snapshots += self.snapshots.values().filter(|s| s.status(now) == SnapStatus::Pending).count();
        counts.images += self.images.values().filter(|i| !i.from_vendor).count();
    }

    pub fn maps(&self) -> impl Iterator<Item = &BlockMap> {
        self.volumes.values().map(|v| &*v.map).chain(self.snapshots.values().map(|s| &*s.map))
    }
}

/// How much there is of everything the account owns, over all regions: what a leak test compares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Instances that are not terminated.
    pub instances: usize,
    /// Terminated instances that are still listed.
    pub terminated_instances: usize,
    pub volumes: usize,
    /// Those of the volumes that are attached to an instance.
    pub attached_volumes: usize,
    pub snapshots: usize,
    /// Those of the snapshots that are not completed (nor failed).
    pub pending_snapshots: usize,
    /// Images of the account's own.
    pub images: usize,
    /// Blocks that the maps of volumes and snapshots refer to, counted as often as they are referred to.
    pub mapped_blocks: usize,
    /// Different blocks on the disk.
    pub stored_blocks: usize,
}

/// A new id such as `vol-0123456789abcdef0`.
pub(crate) fn new_id(kind: &str) -> String {
    let bits: u128 = rand::rng().random();
    format!("{kind}-0{:016x}", bits as u64)
}

/// Whether the text is an id of this kind, though not necessarily of something that exists.
pub(crate) fn is_id(kind: &str, text: &str) -> bool {
    let hex = text.strip_prefix(kind).and_then(|t| t.strip_prefix('-'));
    hex.is_some_and(|h| matches!(h.len(), 8 | 17) && h.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// A new line of descent, which volumes and snapshots hand on to each other.
pub(crate) fn new_lineage() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
