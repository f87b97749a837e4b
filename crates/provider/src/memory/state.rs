//! What is in one region.

use std::collections::BTreeMap;

use novacron_types::{DiskId, DiskSpec, Instance, InstanceDisk, InstanceId, InstanceState, VmSpec};

use super::{not_found, sparse::Sparse};
use crate::{Datapoint, OperationTag, Result};

/// How many there are of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub instances: usize,
    pub disks: usize,
    pub snapshots: usize,
    pub images: usize,
}

#[derive(Default)]
pub(super) struct State {
    pub machines: BTreeMap<String, Machine>,
    pub disks: BTreeMap<String, Disk>,
    pub snapshots: BTreeMap<String, Snapshot>,
    pub images: BTreeMap<String, Image>,
    pub datapoints: BTreeMap<(String, String), Vec<Datapoint>>,
    pub load_permille: Option<u32>,
    made: u64,
}

pub(super) struct Machine {
    pub instance: Instance,
    pub tag: Option<OperationTag>,
    /// Where it is going, and how many more questions it takes.
    pub transition: Option<(InstanceState, u32)>,
}

pub(super) struct Disk {
    pub content: Sparse,
    pub tag: Option<OperationTag>,
    pub index: u32,
    pub spec: DiskSpec,
    pub from_base: bool,
    pub sealed: bool,
    pub attached: bool,
    pub asks: u32,
}

pub(super) struct Snapshot {
    pub content: Sparse,
    pub disk_id: DiskId,
    pub tag: OperationTag,
    pub instance: InstanceId,
    pub sequence: u32,
    pub device: String,
    pub boot: bool,
    pub asks: u32,
}

#[derive(Clone)]
pub(super) struct Image {
    pub name: Option<String>,
    pub disks: Vec<Sparse>,
    pub tag: Option<OperationTag>,
    pub asks: u32,
}

impl State {
    /// An id that was never given before.
    #[expect(clippy::expect_used, reason = "the prefixes are our own")]
    pub fn new_id<T: std::str::FromStr<Err = novacron_types::IdError>>(&mut self, prefix: &str) -> T {
        self.made += 1;
        format!("{prefix}-{:08x}", self.made).parse().expect("letters, a dash and digits are an id")
    }

    pub fn attach_new_disk(
        &mut self,
        _machine: &InstanceId,
        index: usize,
        content: Sparse,
        tag: Option<OperationTag>,
    ) -> InstanceDisk {
        let id: DiskId = self.new_id("disk");
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let disk = Disk {
            content,
            tag,
            index,
            spec: DiskSpec::default(),
            from_base: false,
            sealed: true,
            attached: true,
            asks: 0,
        };
        let description = disk.describe(&id);
        self.disks.insert(id.as_str().to_owned(), disk);
        description
    }

    pub fn disk_mut(&mut self, id: &DiskId, operation: &str) -> Result<&mut Disk> {
        self.disks.get_mut(id.as_str()).ok_or_else(|| not_found(operation, "disk", id.as_str()))
    }

    pub fn machine_mut(&mut self, id: &InstanceId, operation: &str) -> Result<&mut Machine> {
        self.machines.get_mut(id.as_str()).ok_or_else(|| not_found(operation, "instance", id.as_str()))
    }

    pub fn machine_with(&self, tag: &OperationTag) -> Option<&Machine> {
        self.machines.values().find(|machine| machine.tag.as_ref() == Some(tag))
    }

    pub fn stored(&self) -> u64 {
        self.disks.values().map(|disk| disk.content.stored()).sum()
    }

    pub fn counts(&self) -> Counts {
        Counts {
            instances: self.machines.len(),
            disks: self.disks.len(),
            snapshots: self.snapshots.len(),
            images: self.images.len(),
        }
    }
}

impl Machine {
    pub fn new(
        id: InstanceId,
        name: &str,
        spec: VmSpec,
        disks: Vec<InstanceDisk>,
        image: Option<String>,
        tag: Option<OperationTag>,
    ) -> Self {
        let instance = Instance {
            instance_id: id,
            name: Some(name.to_owned()),
            state: InstanceState::Running,
            region: None,
            zone: spec.network.zone.clone(),
            spec,
            disks,
            interfaces: Vec::new(),
            image,
            launched_at: None,
            details: BTreeMap::new(),
        };
        Self { instance, tag, transition: None }
    }

    /// Begins a change of state that takes so many questions.
    pub fn begin(&mut self, meanwhile: InstanceState, finally: InstanceState, settle_after: u32) {
        self.instance.state = if settle_after == 0 { finally } else { meanwhile };
        self.transition = (settle_after > 0).then_some((finally, settle_after));
    }

    /// The state after one more question.
    pub fn ask(&mut self) {
        if let Some((finally, left)) = &mut self.transition {
            *left -= 1;
            if *left == 0 {
                self.instance.state = *finally;
                self.transition = None;
            }
        }
    }
}

impl Disk {
    pub fn describe(&self, id: &DiskId) -> InstanceDisk {
        let letter = char::from(b'a' + u8::try_from(self.index % 26).unwrap_or(0));
        InstanceDisk {
            disk_id: id.clone(),
            device: format!("vd{letter}"),
            boot: self.index == 0,
            size_bytes: Some(self.content.size()),
            disk_type: self.spec.disk_type.clone(),
            iops: self.spec.iops,
            encrypted: self.spec.encrypted,
            delete_on_termination: Some(true),
        }
    }
}
