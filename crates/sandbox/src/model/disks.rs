//! Volumes, snapshots and images.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::{Tags, new_lineage};
use crate::blocks::{BlockMap, Digest};
use crate::clock::{Millis, Transition};
use crate::error::{ApiError, ApiResult};

/// The types of EBS volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VolumeKind {
    Gp2,
    Gp3,
    Io1,
    Io2,
    St1,
    Sc1,
    Standard,
}

impl VolumeKind {
    pub fn parse(text: &str) -> ApiResult<Self> {
        Ok(match text {
            "gp2" => Self::Gp2,
            "gp3" => Self::Gp3,
            "io1" => Self::Io1,
            "io2" => Self::Io2,
            "st1" => Self::St1,
            "sc1" => Self::Sc1,
            "standard" => Self::Standard,
            other => {
                return Err(ApiError::invalid(format!("Invalid value '{other}' for parameter VolumeType")));
            }
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Gp2 => "gp2",
            Self::Gp3 => "gp3",
            Self::Io1 => "io1",
            Self::Io2 => "io2",
            Self::St1 => "st1",
            Self::Sc1 => "sc1",
            Self::Standard => "standard",
        }
    }
}

/// How a disk is to be made; what is absent is the vendor's default.
#[derive(Debug, Clone, Default)]
pub(crate) struct DiskSpec {
    pub size: Option<i64>,
    pub kind: Option<VolumeKind>,
    pub iops: Option<i64>,
    pub throughput: Option<i64>,
    pub encrypted: Option<bool>,
    pub kms_key: Option<String>,
    pub snapshot_id: Option<String>,
}

/// An EBS volume.
#[derive(Debug)]
pub(crate) struct Volume {
    pub id: String,
    /// In GiB.
    pub size: i64,
    pub kind: VolumeKind,
    pub iops: Option<i64>,
    pub throughput: Option<i64>,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub zone: String,
    pub snapshot_id: Option<String>,
    pub created: Millis,
    /// Whether it is available yet.
    pub ready: Transition<bool>,
    pub attachment: Option<Attachment>,
    pub tags: Tags,
    pub map: Arc<BlockMap>,
    pub lineage: u64,
    /// Held by whoever changes bytes within a block.
    pub writing: Arc<Mutex<()>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    pub instance_id: String,
    pub device: String,
    pub delete_on_termination: bool,
    pub since: Millis,
    pub done: Transition<bool>,
}

impl Volume {
    pub fn status(&self, now: Millis) -> &'static str {
        match (&self.attachment, self.ready.at(now)) {
            (Some(_), _) => "in-use",
            (None, true) => "available",
            (None, false) => "creating",
        }
    }
}

impl Attachment {
    pub fn status(&self, now: Millis) -> &'static str {
        if self.done.at(now) { "attached" } else { "attaching" }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnapStatus {
    Pending,
    Completed,
    Error,
}

impl SnapStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Error => "error",
        }
    }
}

/// An EBS snapshot: a map of blocks that does not change once it is completed.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub id: String,
    pub volume_id: String,
    /// In GiB.
    pub size: i64,
    pub description: String,
    pub started: Millis,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub parent: Option<String>,
    pub tags: Tags,
    pub map: Arc<BlockMap>,
    pub lineage: u64,
    pub phase: SnapPhase,
}

#[derive(Debug)]
pub(crate) enum SnapPhase {
    /// Being copied from a volume or another region, or sealed; the data is all there.
    Settling(Transition<bool>),
    /// Open for PutSnapshotBlock. It fails when nothing is written for `timeout`.
    Writing { written: BTreeMap<u32, Digest>, last: Millis, timeout: Millis, progress: i64 },
}

/// The volume id that EC2 shows for snapshots that come from no volume.
pub(crate) const NO_VOLUME: &str = "vol-ffffffff";

impl Snapshot {
    pub fn status(&self, now: Millis) -> SnapStatus {
        match &self.phase {
            SnapPhase::Settling(t) if t.at(now) => SnapStatus::Completed,
            SnapPhase::Settling(_) => SnapStatus::Pending,
            SnapPhase::Writing { last, timeout, .. } if now - last > *timeout => SnapStatus::Error,
            SnapPhase::Writing { .. } => SnapStatus::Pending,
        }
    }

    pub fn progress(&self, now: Millis) -> i64 {
        match &self.phase {
            SnapPhase::Settling(t) => t.percent(now),
            SnapPhase::Writing { progress, .. } => *progress,
        }
    }

    /// A snapshot of the volume as it is at this instant.
    pub fn of(volume: &Volume, id: String, now: Millis, done: Transition<bool>) -> Self {
        Self {
            id,
            volume_id: volume.id.clone(),
            size: volume.size,
            description: String::new(),
            started: now,
            encrypted: volume.encrypted,
            kms_key: volume.kms_key.clone(),
            parent: None,
            tags: Tags::new(),
            map: Arc::clone(&volume.map),
            lineage: volume.lineage,
            phase: SnapPhase::Settling(done),
        }
    }

    /// A copy for another region, which starts a line of its own.
    pub fn copied(&self, id: String, now: Millis, done: Transition<bool>) -> Self {
        Self {
            id,
            volume_id: NO_VOLUME.to_owned(),
            size: self.size,
            description: String::new(),
            started: now,
            encrypted: self.encrypted,
            kms_key: self.kms_key.clone(),
            parent: None,
            tags: Tags::new(),
            map: Arc::clone(&self.map),
            lineage: new_lineage(),
            phase: SnapPhase::Settling(done),
        }
    }
}

/// A machine image.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub arch: String,
    pub root_device: String,
    pub disks: Vec<ImageDisk>,
    pub virtualization: String,
    pub ena: bool,
    pub boot_mode: Option<String>,
    pub tpm: Option<String>,
    pub imds: Option<String>,
    pub sriov: Option<String>,
    pub source_instance: Option<String>,
    /// Region and id of the image that this one was copied from.
    pub source: Option<(String, String)>,
    pub created: Millis,
    /// Whether it is available yet.
    pub ready: Transition<bool>,
    pub tags: Tags,
    /// Owned by the vendor rather than by the account.
    pub from_vendor: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ImageDisk {
    pub device: String,
    pub delete_on_termination: bool,
    pub spec: DiskSpec,
}

impl Image {
    /// The images of a fresh region. Their disk is blank, as their name says: there is no guest in it.
    pub fn blanks(region: &str, now: Millis) -> Vec<Self> {
        let image = |arch: &str| {
            let seed = crate::sigv4::hex(&crate::blocks::sha256(format!("image {region} {arch}").as_bytes()));
            Self {
                id: format!("ami-0{}", &seed[..16]),
                name: format!("novacron-sandbox-blank-{arch}"),
                description: Some("An empty 8 GiB disk of the NovaCron sandbox; no guest".to_owned()),
                arch: arch.to_owned(),
                root_device: "/dev/xvda".to_owned(),
                disks: vec![ImageDisk {
                    device: "/dev/xvda".to_owned(),
                    delete_on_termination: true,
                    spec: DiskSpec { size: Some(8), kind: Some(VolumeKind::Gp3), ..DiskSpec::default() },
                }],
                virtualization: "hvm".to_owned(),
                ena: true,
                boot_mode: Some("uefi-preferred".to_owned()).filter(|_| arch == "x86_64"),
                tpm: None,
                imds: None,
                sriov: Some("simple".to_owned()),
                source_instance: None,
                source: None,
                created: now,
                ready: Transition::settled(true),
                tags: Tags::new(),
                from_vendor: true,
            }
        };
        vec![image("x86_64"), image("arm64")]
    }
}
