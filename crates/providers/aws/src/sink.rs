//! Disks into AWS: snapshots that are written block by block, and sealed.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_ec2::types::Snapshot;
use novacron_provider::{
    BlockWriter, DiskSink, ErrorKind, NewDisk, Readiness, Result, StoredCheck, TargetDisk, Written,
};
use novacron_types::DiskId;
use serde_json::json;

use crate::{
    AwsProvider, boot,
    digest::stable_name,
    error::{failed, incomplete, invalid},
    snapshots::readiness,
    tags::{self, INDEX, SIZE, Tags, filter, made_by},
    wait::until,
    writer::Writer,
};

/// Minutes without a write after which AWS gives a snapshot up: the most it allows, for held operations.
const TIMEOUT_MINUTES: i32 = 4320;
const SEALED_LIMIT: Duration = Duration::from_secs(30);

#[async_trait]
impl DiskSink for AwsProvider {
    async fn create_disk(&self, request: &NewDisk) -> Result<TargetDisk> {
        let id = match self.made_disk(request).await? {
            Some(made) => made,
            None => self.start_snapshot(request).await?,
        };
        Ok(TargetDisk {
            disk_id: DiskId::new(id).map_err(|error| invalid("StartSnapshot", error.to_string()))?,
            index: request.index,
            size_bytes: request.size_bytes,
            spec: request.spec.clone(),
            locator: json!({ "region": self.clients.region, "inherits": request.base.is_some() }),
        })
    }

    async fn complete_disk(&self, disk: &TargetDisk, written: Written) -> Result<()> {
        let id = snapshot(disk, &self.clients.region)?;
        let count = i32::try_from(written.blocks).map_err(|_| invalid("CompleteSnapshot", "too many blocks"))?;
        let answer = self
            .write_pace
            .run(|| async {
                let request = self.clients.ebs.complete_snapshot().snapshot_id(id).changed_blocks_count(count);
                request.send().await.map_err(failed("ebs", "CompleteSnapshot"))
            })
            .await;
        match answer {
            Ok(_) => Ok(()),
            // It refuses what is sealed already. Whether it is shows when it becomes ready by itself.
            Err(error) if matches!(error.kind, ErrorKind::Invalid | ErrorKind::Conflict) => {
                let ready = until("CompleteSnapshot", "a sealed snapshot", SEALED_LIMIT, || async move {
                    Ok(readiness(&self.snapshot_by_id(id).await?)?.ready.then_some(()))
                });
                ready.await.map_err(|_| error)
            }
            Err(error) => Err(error),
        }
    }

    async fn disk_ready(&self, disk: &TargetDisk) -> Result<Readiness> {
        readiness(&self.snapshot_by_id(snapshot(disk, &self.clients.region)?).await?)
    }

    async fn delete_disk(&self, disk: &TargetDisk) -> Result<()> {
        self.remove_snapshot(snapshot(disk, &self.clients.region)?).await
    }

    async fn open_writer(&self, disk: &TargetDisk) -> Result<Arc<dyn BlockWriter>> {
        let id = snapshot(disk, &self.clients.region)?;
        let inherits = disk.locator.get("inherits").and_then(serde_json::Value::as_bool).unwrap_or(true);
        Ok(Arc::new(Writer::new(self.clone(), id, disk.size_bytes, !inherits)))
    }
}

/// The snapshot that a disk is, in this region.
pub fn snapshot<'a>(disk: &'a TargetDisk, region: &str) -> Result<&'a str> {
    match disk.locator.get("region").and_then(serde_json::Value::as_str) {
        Some(there) if there != region => {
            Err(invalid("DescribeSnapshots", format!("disk {} is in region {there}, not in {region}", disk.disk_id)))
        }
        _ => Ok(disk.disk_id.as_str()),
    }
}

/// How it is known what a snapshot stored: AWS refuses a block that doesn't match the checksum sent with it.
pub const STORED_CHECK: StoredCheck = StoredCheck::StoreChecksum;

impl AwsProvider {
    async fn made_disk(&self, request: &NewDisk) -> Result<Option<String>> {
        let index = request.index.to_string();
        let filters = vec![made_by(&request.tag), filter(&format!("tag:{INDEX}"), [index.as_str()])];
        let found: Option<Snapshot> = self.snapshots_with(filters).await?.into_iter().next();
        let Some(found) = found else { return Ok(None) };
        let size = tags::value(found.tags(), SIZE).and_then(|text| text.parse().ok());
        if size != Some(request.size_bytes) {
            let id = found.snapshot_id().unwrap_or_default();
            let message = format!("{id} was made with this tag for another size than {} bytes", request.size_bytes);
            return Err(crate::error::conflict("StartSnapshot", message));
        }
        Ok(found.snapshot_id)
    }

    async fn start_snapshot(&self, request: &NewDisk) -> Result<String> {
        let index = request.index.to_string();
        let tags = Tags::new(&self.settings.tags, &request.tag)
            .with(INDEX, &index)
            .with(SIZE, request.size_bytes)
            .with("Name", &request.name);
        let parent = request.base.as_ref().map(|base| snapshot(base, &self.clients.region)).transpose()?;
        let mut call = self
            .clients
            .ebs
            .start_snapshot()
            .volume_size(i64::from(boot::whole_gib(request.size_bytes)?))
            .description(format!("NovaCron/{}", request.name.chars().take(200).collect::<String>()))
            .client_token(stable_name(&["disk", request.tag.as_str(), &index]))
            .timeout(TIMEOUT_MINUTES)
            .set_tags(Some(tags.ebs()));
        call = match parent {
            // It is encrypted as its parent is.
            Some(parent) => call.parent_snapshot_id(parent),
            None => call.set_encrypted(request.spec.encrypted).set_kms_key_arn(request.spec.kms_key.clone()),
        };
        match call.send().await.map_err(failed("ebs", "StartSnapshot")) {
            Ok(answer) => answer.snapshot_id.ok_or_else(|| incomplete("StartSnapshot", "snapshot id")),
            Err(error) if error.kind == ErrorKind::Conflict => self.made_disk(request).await?.ok_or(error),
            Err(error) => Err(error),
        }
    }
}
