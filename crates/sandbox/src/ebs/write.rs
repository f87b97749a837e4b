//! StartSnapshot, PutSnapshotBlock, CompleteSnapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::{Call, find_completed, invalid, not_found, seconds};
use crate::blocks::{BLOCK, BLOCKS_PER_GIB, sha256};
use crate::clock::Transition;
use crate::ec2;
use crate::error::{ApiError, ApiResult};
use crate::faults::Effect;
use crate::model::{NO_VOLUME, Region, Remembered, SnapPhase, Snapshot, Tags, new_id, new_lineage};
use crate::reply::Reply;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Start {
    volume_size: Option<i64>,
    parent_snapshot_id: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    description: Option<String>,
    client_token: Option<String>,
    encrypted: Option<bool>,
    kms_key_arn: Option<String>,
    timeout: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) fn start_snapshot(call: &Call<'_>) -> ApiResult<Reply> {
    let mut wanted: Start = serde_json::from_slice(&call.request.body)
        .map_err(|e| invalid("INVALID_PARAMETER_VALUE", format!("The request's body cannot be read: {e}")))?;
    let token = wanted.client_token.take();
    let fingerprint = sha256(format!("{wanted:?}").as_bytes());
    let account = &call.core.config.account;
    call.with_region(|region, now| {
        let key = token.as_ref().map(|t| format!("StartSnapshot {t}"));
        let known = key.as_ref().and_then(|k| region.recall(k));
        let id = match known {
            Some(known) if known.request != fingerprint => {
                let text = "The client token was used before, with other parameters";
                return Err(ApiError::new("ConflictException", 409, text));
            }
            Some(known) => known.ids.first().cloned().unwrap_or_default(),
            None => {
                let id = start(region, &wanted, now)?;
                if let Some(key) = key {
                    region.remember(key, Remembered { request: fingerprint, ids: vec![id.clone()], at: now });
                }
                id
            }
        };
        let snapshot = region.snapshots.get(&id).ok_or_else(|| not_found(&id))?;
        let tags: Vec<_> = snapshot.tags.iter().map(|(k, v)| json!({ "Key": k, "Value": v })).collect();
        let mut body = json!({
            "SnapshotId": id,
            "OwnerId": account,
            "Status": snapshot.status(now).name(),
            "StartTime": seconds(snapshot.started),
            "VolumeSize": snapshot.size,
            "BlockSize": BLOCK,
            "Tags": tags,
            "SseType": if snapshot.encrypted { "sse-kms" } else { "sse-ebs" },
        });
        let texts = [
            ("Description", Some(&snapshot.description).filter(|d| !d.is_empty())),
            ("ParentSnapshotId", snapshot.parent.as_ref()),
            ("KmsKeyArn", snapshot.kms_key.as_ref()),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                body[name] = value.as_str().into();
            }
        }
        Ok(Reply::json(201, &body))
    })
}

fn start(region: &mut Region, wanted: &Start, now: i64) -> ApiResult<String> {
    let size = wanted
        .volume_size
        .filter(|s| (1..=65_536).contains(s))
        .ok_or_else(|| invalid("INVALID_VOLUME_SIZE", "VolumeSize is to be from 1 to 65536 GiB"))?;
    let timeout = wanted.timeout.unwrap_or(60);
    if !(10..=4320).contains(&timeout) {
        return Err(invalid("INVALID_PARAMETER_VALUE", "Timeout is to be from 10 to 4320 minutes"));
    }
    let mut tags = Tags::new();
    for tag in &wanted.tags {
        ec2::check_tag(&tag.key, &tag.value).map_err(|e| invalid("INVALID_TAG", e.message))?;
        tags.insert(tag.key.clone(), tag.value.clone());
    }
    if tags.len() > 50 {
        return Err(invalid("INVALID_TAG", "A snapshot has at most 50 tags"));
    }
    let parent = match &wanted.parent_snapshot_id {
        None => None,
        Some(id) => Some(find_completed(region, id, now)?),
    };
    if parent.is_some() && (wanted.encrypted.is_some() || wanted.kms_key_arn.is_some()) {
        let text = "A snapshot with a parent is encrypted as that is; omit Encrypted and KmsKeyArn";
        return Err(invalid("INVALID_PARAMETER_VALUE", text));
    }
    if let Some(parent) = parent.filter(|p| p.size > size) {
        let text = format!("VolumeSize is smaller than the parent's {} GiB", parent.size);
        return Err(invalid("INVALID_VOLUME_SIZE", text));
    }
    if wanted.kms_key_arn.is_some() && wanted.encrypted != Some(true) {
        return Err(invalid("INVALID_PARAMETER_VALUE", "KmsKeyArn needs Encrypted"));
    }
    let snapshot = Snapshot {
        id: new_id("snap"),
        volume_id: NO_VOLUME.to_owned(),
        size,
        description: wanted.description.clone().unwrap_or_default(),
        started: now,
        encrypted: parent.map_or(wanted.encrypted.unwrap_or(false), |p| p.encrypted),
        kms_key: parent.map_or(wanted.kms_key_arn.clone(), |p| p.kms_key.clone()),
        parent: parent.map(|p| p.id.clone()),
        tags,
        map: parent.map(|p| Arc::clone(&p.map)).unwrap_or_default(),
        lineage: parent.map_or_else(new_lineage, |p| p.lineage),
        phase: SnapPhase::Writing { written: BTreeMap::new(), last: now, timeout: timeout * 60_000, progress: 0 },
    };
    let id = snapshot.id.clone();
    region.snapshots.insert(id.clone(), snapshot);
    Ok(id)
}

/// A snapshot that takes blocks, with what has been written to it.
fn open<'r>(region: &'r mut Region, id: &str, now: i64) -> ApiResult<&'r mut Snapshot> {
    super::check_id(id)?;
    let snapshot = region.snapshots.get_mut(id).ok_or_else(|| not_found(id))?;
    match &snapshot.phase {
        SnapPhase::Writing { last, timeout, .. } if now - last > *timeout => {
            let text = format!("The snapshot '{id}' has failed: nothing was written to it for its Timeout");
            Err(invalid("WRITE_REQUEST_TIMEOUT", text))
        }
        SnapPhase::Writing { .. } => Ok(snapshot),
        SnapPhase::Settling(_) => {
            let text = format!("The snapshot '{id}' is sealed; blocks go into pending snapshots of StartSnapshot");
            Err(invalid("INVALID_SNAPSHOT_ID", text))
        }
    }
}

pub(super) async fn put_snapshot_block(call: &Call<'_>, effects: &[Effect]) -> ApiResult<Reply> {
    let (id, index) = (call.segment(1), call.block_index()?);
    let body = &call.request.body;
    let length = call.header("x-amz-data-length").unwrap_or("nothing");
    if length.parse() != Ok(BLOCK) || body.len() != BLOCK {
        let text = format!("A block has {BLOCK} bytes; x-amz-Data-Length says {length}, the body has {}", body.len());
        return Err(invalid("INVALID_BLOCK", text));
    }
    check_sha256(call.header("x-amz-checksum-algorithm"))?;
    let checksum = call.header("x-amz-checksum").unwrap_or_default();
    let digest = call.request.body_digest;
    if BASE64_STANDARD.decode(checksum).ok().as_deref() != Some(digest.as_slice()) {
        let text = "The SHA256 of the data is not the one in x-amz-Checksum";
        return Err(invalid("INVALID_PARAMETER_VALUE", text));
    }
    let progress = call.header("x-amz-progress").map(|t| super::number("x-amz-Progress", t)).transpose()?;
    if progress.is_some_and(|p| p > 100) {
        return Err(invalid("INVALID_PARAMETER_VALUE", "x-amz-Progress is to be from 0 to 100"));
    }
    call.with_region(|region, now| {
        let snapshot = open(region, id, now)?;
        if u64::from(index) >= snapshot.size.unsigned_abs() * BLOCKS_PER_GIB {
            let text = format!("Block {index} is beyond the volume's {} GiB", snapshot.size);
            return Err(invalid("INVALID_BLOCK", text));
        }
        Ok(())
    })?;
    let (store, data) = (Arc::clone(&call.core.store), body.clone());
    let stored = tokio::task::spawn_blocking(move || store.put(&data, digest)).await;
    let stored = stored.map_err(ApiError::internal)?.map_err(ApiError::internal)?;
    call.with_region(|region, now| {
        let snapshot = open(region, id, now)?;
        let map = Arc::make_mut(&mut snapshot.map);
        match stored {
            Some(block) => map.insert(index, block),
            None => map.remove(&index),
        };
        if let SnapPhase::Writing { written, last, progress: shown, .. } = &mut snapshot.phase {
            written.insert(index, digest);
            *last = now;
            *shown = progress.map_or(*shown, i64::from);
        }
        Ok(())
    })?;
    let mut told = digest;
    if effects.iter().any(|e| matches!(e, Effect::WrongChecksum)) {
        told[0] ^= 1;
    }
    Ok(Reply::json(201, &json!({}))
        .with("x-amz-checksum", BASE64_STANDARD.encode(told))
        .with("x-amz-checksum-algorithm", "SHA256"))
}

pub(super) fn complete_snapshot(call: &Call<'_>) -> ApiResult<Reply> {
    let id = call.segment(2);
    let count = call
        .header("x-amz-changedblockscount")
        .ok_or_else(|| invalid("INVALID_PARAMETER_VALUE", "x-amz-ChangedBlocksCount is missing"))?;
    let count = super::number("x-amz-ChangedBlocksCount", count)?;
    let checksum = call.header("x-amz-checksum");
    if checksum.is_some() {
        check_sha256(call.header("x-amz-checksum-algorithm"))?;
        if call.header("x-amz-checksum-aggregation-method") != Some("LINEAR") {
            return Err(invalid("INVALID_PARAMETER_VALUE", "x-amz-Checksum-Aggregation-Method is to be LINEAR"));
        }
    }
    let latency = call.core.config.latency.snapshot;
    call.with_region(|region, now| {
        let snapshot = open(region, id, now)?;
        let SnapPhase::Writing { written, .. } = &snapshot.phase else { return Err(not_found(id)) };
        if written.len() != count as usize {
            let text = format!("{} blocks were written, but x-amz-ChangedBlocksCount is {count}", written.len());
            return Err(invalid("INVALID_PARAMETER_VALUE", text));
        }
        if let Some(checksum) = checksum {
            let mut linear = digest::Context::new(&digest::SHA256);
            written.values().for_each(|d| linear.update(d));
            if BASE64_STANDARD.encode(linear.finish()) != checksum {
                let text = "The checksum is not that of the checksums of all written blocks in order";
                return Err(invalid("INVALID_PARAMETER_VALUE", text));
            }
        }
        snapshot.phase = SnapPhase::Settling(Transition::begin(false, true, now, latency));
        Ok(Reply::json(202, &json!({ "Status": snapshot.status(now).name() })))
    })
}

fn check_sha256(algorithm: Option<&str>) -> ApiResult<()> {
    if algorithm == Some("SHA256") {
        return Ok(());
    }
    Err(invalid("INVALID_PARAMETER_VALUE", "x-amz-Checksum-Algorithm is to be SHA256"))
}
