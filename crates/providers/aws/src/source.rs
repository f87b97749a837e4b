//! Disks out of AWS: one snapshot over all volumes of a machine, and what changed between two.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use aws_sdk_ec2::types::{Instance as Ec2Instance, InstanceSpecification, ResourceType, Volume};
use novacron_provider::{
    BlockReader, ChangedBlocks, DiskSnapshot, DiskSource, ErrorKind, ExtentPage, Readiness, Result, SnapshotRequest,
};
use novacron_types::{DiskId, GIB, SnapshotId};
use serde_json::json;

use crate::{
    AwsProvider,
    error::{conflict, ec2, failed, incomplete, invalid},
    instance::true_size,
    reader::{BLOCK, MOST_BLOCKS, Reader, block_index, extents},
    snapshots::readiness,
    tags::{SEQUENCE, Tags, filter, made_by},
};

/// On snapshots: the machine whose disks they are.
const INSTANCE: &str = "novacron:instance";

#[async_trait]
impl DiskSource for AwsProvider {
    async fn snapshot(&self, request: &SnapshotRequest) -> Result<Vec<DiskSnapshot>> {
        let machine = self.machine(request.instance.as_str()).await?;
        let made: Vec<Made> = match self.made_snapshots(request).await? {
            made if made.is_empty() => self.take_snapshots(request).await?,
            made => made,
        };
        let volumes = self.volumes(made.iter().map(|made| made.volume.as_str())).await?;
        let volumes: HashMap<&str, &Volume> =
            volumes.iter().filter_map(|volume| Some((volume.volume_id()?, volume))).collect();
        let mut disks = Vec::new();
        for made in &made {
            disks.push(self.disk_of(made, &machine, volumes.get(made.volume.as_str()).copied())?);
        }
        disks.sort_by(|a, b| (!a.boot, &a.device).cmp(&(!b.boot, &b.device)));
        Ok(disks)
    }

    async fn snapshot_ready(&self, snapshot: &DiskSnapshot) -> Result<Readiness> {
        readiness(&self.snapshot_by_id(snapshot.snapshot_id.as_str()).await?)
    }

    async fn delete_snapshot(&self, snapshot: &DiskSnapshot) -> Result<()> {
        self.remove_snapshot(snapshot.snapshot_id.as_str()).await
    }

    async fn open_reader(&self, snapshot: &DiskSnapshot) -> Result<Arc<dyn BlockReader>> {
        let reader = Reader::new(self.clone(), snapshot.snapshot_id.as_str(), snapshot.size_bytes);
        reader.extents(0).await?;
        Ok(Arc::new(reader))
    }
}

/// A snapshot of one volume.
struct Made {
    snapshot: String,
    volume: String,
    gib: Option<i32>,
}

impl AwsProvider {
    async fn made_snapshots(&self, request: &SnapshotRequest) -> Result<Vec<Made>> {
        let sequence = request.sequence.to_string();
        let filters = vec![
            made_by(&request.tag),
            filter(&format!("tag:{SEQUENCE}"), [sequence.as_str()]),
            filter(&format!("tag:{INSTANCE}"), [request.instance.as_str()]),
        ];
        let snapshots = self.snapshots_with(filters).await?;
        let made = snapshots.into_iter().map(|found| Made::new(found.snapshot_id, found.volume_id, found.volume_size));
        made.collect()
    }

    async fn take_snapshots(&self, request: &SnapshotRequest) -> Result<Vec<Made>> {
        let tags = Tags::new(&self.settings.tags, &request.tag)
            .with(SEQUENCE, request.sequence)
            .with(INSTANCE, &request.instance)
            .with("Name", format!("novacron-{}", request.instance));
        let answer = self
            .clients
            .ec2
            .create_snapshots()
            .instance_specification(InstanceSpecification::builder().instance_id(request.instance.as_str()).build())
            .description(format!("NovaCron/{}", request.instance))
            .tag_specifications(tags.specification(ResourceType::Snapshot))
            .send()
            .await
            .map_err(ec2("CreateSnapshots"))?;
        let snapshots = answer.snapshots.unwrap_or_default();
        if snapshots.is_empty() {
            return Err(invalid("CreateSnapshots", format!("{} has no EBS volume", request.instance)));
        }
        let made = snapshots.into_iter().map(|info| Made::new(info.snapshot_id, info.volume_id, info.volume_size));
        made.collect()
    }

    fn disk_of(&self, made: &Made, machine: &Ec2Instance, volume: Option<&Volume>) -> Result<DiskSnapshot> {
        let mapping = machine
            .block_device_mappings()
            .iter()
            .find(|mapping| mapping.ebs().and_then(|ebs| ebs.volume_id()) == Some(made.volume.as_str()));
        // A volume that was detached since has no device any more.
        let device = mapping.and_then(|mapping| mapping.device_name()).unwrap_or(made.volume.as_str());
        let size = volume.and_then(|volume| true_size(volume, device, machine.tags()));
        let size = size.or_else(|| u64::try_from(made.gib?).ok()?.checked_mul(GIB));
        let bad_id = |error: novacron_types::IdError| invalid("CreateSnapshots", error.to_string());
        Ok(DiskSnapshot {
            snapshot_id: SnapshotId::new(made.snapshot.as_str()).map_err(bad_id)?,
            disk_id: DiskId::new(made.volume.as_str()).map_err(bad_id)?,
            device: device.to_owned(),
            boot: machine.root_device_name() == Some(device),
            size_bytes: size.ok_or_else(|| incomplete("CreateSnapshots", "volume size"))?,
            locator: json!({ "region": self.clients.region }),
        })
    }
}

impl Made {
    fn new(snapshot: Option<String>, volume: Option<String>, gib: Option<i32>) -> Result<Self> {
        let snapshot = snapshot.ok_or_else(|| incomplete("CreateSnapshots", "snapshot id"))?;
        let volume = volume.ok_or_else(|| incomplete("CreateSnapshots", "volume id"))?;
        Ok(Self { snapshot, volume, gib })
    }
}

#[async_trait]
impl ChangedBlocks for AwsProvider {
    async fn changed(&self, base: &DiskSnapshot, target: &DiskSnapshot, from: u64) -> Result<ExtentPage> {
        let answer = self
            .read_pace
            .run(|| async {
                self.clients
                    .ebs
                    .list_changed_blocks()
                    .first_snapshot_id(base.snapshot_id.as_str())
                    .second_snapshot_id(target.snapshot_id.as_str())
                    .starting_block_index(block_index(from)?)
                    .max_results(MOST_BLOCKS)
                    .send()
                    .await
                    .map_err(failed("ebs", "ListChangedBlocks"))
            })
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Conflict) => {
                // Which of the two can't be used is not said.
                self.snapshot_by_id(target.snapshot_id.as_str()).await?;
                return Err(conflict(
                    "ListChangedBlocks",
                    format!("{} is no base: {}", base.snapshot_id, error.message),
                )
                .request_id(error.request_id));
            }
            Err(error) => return Err(error),
        };
        let indices = answer.changed_blocks().iter().filter_map(|block| block.block_index());
        let mut offsets: Vec<u64> = indices.filter_map(|index| u64::try_from(index).ok()).map(|i| i * BLOCK).collect();
        offsets.sort_unstable();
        let more = answer.next_token().is_some_and(|token| !token.is_empty());
        let end = if more { offsets.last().map(|last| last + BLOCK) } else { None };
        Ok(extents(offsets, from, end, target.size_bytes))
    }
}
