//! `BlockDeviceMapping` and `CreateVolume` parameters, and the rules about them.

use std::sync::Arc;

use super::Ctx;
use super::filter::Ids;
use crate::clock::Transition;
use crate::error::{ApiError, ApiResult};
use crate::model::{Attachment, DiskSpec, ImageDisk, SnapStatus, Tags, Volume, VolumeKind, new_id, new_lineage};
use crate::params::Scope;

/// One entry of `BlockDeviceMapping.N`.
#[derive(Debug)]
pub(super) struct Mapping {
    pub device: String,
    pub no_device: bool,
    pub delete_on_termination: Option<bool>,
    pub spec: DiskSpec,
}

pub(super) fn mappings(p: &Scope<'_>) -> ApiResult<Vec<Mapping>> {
    let mut found: Vec<Mapping> = Vec::new();
    for m in p.structs("BlockDeviceMapping") {
        let device = m.need("DeviceName")?.to_owned();
        if found.iter().any(|f| f.device == device) {
            let text = format!("Invalid device name: the device '{device}' is used more than once");
            return Err(ApiError::bad("InvalidBlockDeviceMapping", text));
        }
        let ebs = m.within("Ebs");
        found.push(Mapping {
            device,
            no_device: m.text("NoDevice").is_some_and(|v| v != "false"),
            delete_on_termination: ebs.flag("DeleteOnTermination")?,
            spec: DiskSpec { size: ebs.number("VolumeSize")?, ..spec(&ebs)? },
        });
    }
    Ok(found)
}

/// What `Ebs.…` and CreateVolume have in common.
pub(super) fn spec(p: &Scope<'_>) -> ApiResult<DiskSpec> {
    Ok(DiskSpec {
        size: None,
        kind: p.get("VolumeType").map(VolumeKind::parse).transpose()?,
        iops: p.number("Iops")?,
        throughput: p.number("Throughput")?,
        encrypted: p.flag("Encrypted")?,
        kms_key: p.get("KmsKeyId").map(str::to_owned),
        snapshot_id: p.get("SnapshotId").map(str::to_owned),
    })
}

/// The image's disks as the request changes them: by device, with additions and removals.
pub(super) fn merged(image: &[ImageDisk], changes: Vec<Mapping>, root: &str) -> ApiResult<Vec<ImageDisk>> {
    let mut disks = image.to_vec();
    for change in changes {
        if change.no_device {
            disks.retain(|d| d.device != change.device);
            continue;
        }
        let base = disks.iter_mut().find(|d| d.device == change.device);
        let Some(base) = base else {
            disks.push(ImageDisk {
                delete_on_termination: change.delete_on_termination.unwrap_or(change.device == root),
                device: change.device,
                spec: change.spec,
            });
            continue;
        };
        let given = change.spec;
        if given.snapshot_id.is_some() && given.snapshot_id != base.spec.snapshot_id {
            let text = "snapshotId cannot be modified on root device";
            if base.device == root {
                return Err(ApiError::bad("InvalidBlockDeviceMapping", text));
            }
        }
        let kind_changes = given.kind.is_some() && given.kind != base.spec.kind;
        base.delete_on_termination = change.delete_on_termination.unwrap_or(base.delete_on_termination);
        base.spec = DiskSpec {
            size: given.size.or(base.spec.size),
            kind: given.kind.or(base.spec.kind),
            // The image's numbers belong to its own type of volume.
            iops: given.iops.or(base.spec.iops.filter(|_| !kind_changes)),
            throughput: given.throughput.or(base.spec.throughput.filter(|_| !kind_changes)),
            encrypted: given.encrypted.or(base.spec.encrypted),
            kms_key: given.kms_key.or(base.spec.kms_key.clone()),
            snapshot_id: given.snapshot_id.or(base.spec.snapshot_id.clone()),
        };
    }
    Ok(disks)
}

/// Makes a volume, which is not yet the region's, from a description; refuses what EC2 refuses.
pub(super) fn make_volume(c: &Ctx<'_>, spec: &DiskSpec, zone: &str, tags: Tags) -> ApiResult<Volume> {
    let kind = spec.kind.unwrap_or(VolumeKind::Gp2);
    let snapshot = match &spec.snapshot_id {
        None => None,
        Some(id) => {
            Ids::SNAPSHOT.check(id, &c.region.snapshots)?;
            c.region.snapshots.get(id)
        }
    };
    if let Some(snapshot) = snapshot.filter(|s| s.status(c.now) != SnapStatus::Completed) {
        let text = format!("Snapshot '{}' is not 'completed'", snapshot.id);
        return Err(ApiError::bad("IncorrectState", text));
    }
    let size = spec.size.or(snapshot.map(|s| s.size)).ok_or_else(|| ApiError::missing("size/snapshot"))?;
    if let Some(snapshot) = snapshot.filter(|s| s.size > size) {
        return Err(ApiError::bad(
            "InvalidBlockDeviceMapping",
            format!(
                "Volume of size {size}GB is smaller than snapshot '{}', expect size >= {}GB",
                snapshot.id, snapshot.size
            ),
        ));
    }
    let (iops, throughput) = performance(kind, size, spec)?;
    let inherited = snapshot.is_some_and(|s| s.encrypted);
    if spec.encrypted == Some(false) && inherited {
        let text = "An unencrypted volume cannot be made from an encrypted snapshot";
        return Err(ApiError::bad("InvalidParameterDependency", text));
    }
    let encrypted = spec.encrypted.unwrap_or(inherited);
    if spec.kms_key.is_some() && !encrypted {
        let text = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
        return Err(ApiError::bad("InvalidParameterDependency", text));
    }
    let default_key =
        || format!("arn:aws:kms:{}:{}:key/00000000-0000-4000-8000-000000000000", c.region.name, c.account());
    let kms_key = spec.kms_key.clone().or(snapshot.and_then(|s| s.kms_key.clone()));
    Ok(Volume {
        id: new_id("vol"),
        size,
        kind,
        iops,
        throughput,
        encrypted,
        kms_key: encrypted.then(|| kms_key.unwrap_or_else(default_key)),
        zone: zone.to_owned(),
        snapshot_id: spec.snapshot_id.clone(),
        created: c.now,
        ready: Transition::begin(false, true, c.now, c.core.config.latency.volume),
        attachment: None,
        tags,
        map: snapshot.map(|s| Arc::clone(&s.map)).unwrap_or_default(),
        lineage: snapshot.map_or_else(new_lineage, |s| s.lineage),
        writing: Arc::default(),
    })
}

pub(super) fn attachment(c: &Ctx<'_>, instance: &str, disk: &ImageDisk) -> Attachment {
    Attachment {
        instance_id: instance.to_owned(),
        device: disk.device.clone(),
        delete_on_termination: disk.delete_on_termination,
        since: c.now,
        done: Transition::begin(false, true, c.now, c.core.config.latency.volume),
    }
}

/// IOPS and throughput as the volume will have them; errors are those of CreateVolume.
fn performance(kind: VolumeKind, size: i64, spec: &DiskSpec) -> ApiResult<(Option<i64>, Option<i64>)> {
    use VolumeKind::{Gp2, Gp3, Io1, Io2, Sc1, St1, Standard};
    let name = kind.name();
    let (least, most) = match kind {
        Gp2 => (1, 16_384),
        Gp3 => (1, 65_536),
        Io1 => (4, 16_384),
        Io2 => (4, 65_536),
        St1 | Sc1 => (125, 16_384),
        Standard => (1, 1_024),
    };
    if !(least..=most).contains(&size) {
        let text = format!("Volume size must be between {least} GiB and {most} GiB for {name} volumes, not {size}");
        return Err(ApiError::invalid(text));
    }
    if spec.throughput.is_some() && kind != Gp3 {
        return Err(ApiError::combination(format!("The parameter throughput is not supported for {name} volumes.")));
    }
    let iops = match (kind, spec.iops) {
        (Gp3, None) => Some(3_000),
        (Gp3, Some(n)) => Some(in_range("iops", n, 3_000, (size * 500).clamp(3_000, 80_000))?),
        (Io1 | Io2, None) => {
            let text = format!("The parameter iops must be specified for {name} volumes.");
            return Err(ApiError::bad("MissingParameter", text));
        }
        (Io1, Some(n)) => Some(in_range("iops", n, 100, (size * 50).min(64_000))?),
        (Io2, Some(n)) => Some(in_range("iops", n, 100, (size * 1_000).min(256_000))?),
        (_, Some(_)) => {
            return Err(ApiError::combination(format!("The parameter iops is not supported for {name} volumes.")));
        }
        (Gp2, None) => Some((size * 3).clamp(100, 16_000)),
        (_, None) => None,
    };
    let throughput = match (kind, spec.throughput) {
        (Gp3, None) => Some(125),
        (Gp3, Some(n)) => Some(in_range("throughput", n, 125, 2_000)?),
        _ => None,
    };
    Ok((iops, throughput))
}

fn in_range(what: &str, n: i64, least: i64, most: i64) -> ApiResult<i64> {
    if (least..=most).contains(&n) {
        return Ok(n);
    }
    let text = format!("Volume {what} of {n} is not between {least} and {most}, which this volume can have");
    Err(ApiError::invalid(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: VolumeKind, size: i64, iops: Option<i64>) -> Result<Option<i64>, String> {
        let spec = DiskSpec { iops, ..DiskSpec::default() };
        performance(kind, size, &spec).map(|(iops, _)| iops).map_err(|e| e.code.into_owned())
    }

    #[test]
    fn iops_follow_the_type_of_volume() {
        assert_eq!(of(VolumeKind::Gp3, 8, None), Ok(Some(3_000)));
        assert_eq!(of(VolumeKind::Gp3, 8, Some(4_000)), Ok(Some(4_000)));
        assert_eq!(of(VolumeKind::Gp3, 8, Some(100)), Err("InvalidParameterValue".into()));
        assert_eq!(of(VolumeKind::Gp2, 8, None), Ok(Some(100)));
        assert_eq!(of(VolumeKind::Gp2, 8, Some(100)), Err("InvalidParameterCombination".into()));
        assert_eq!(of(VolumeKind::Io1, 8, None), Err("MissingParameter".into()));
        assert_eq!(of(VolumeKind::Io1, 8, Some(400)), Ok(Some(400)));
        assert_eq!(of(VolumeKind::Sc1, 8, None), Err("InvalidParameterValue".into()));
    }

    #[test]
    fn requests_change_the_images_disks() {
        let image = [ImageDisk {
            device: "/dev/xvda".into(),
            delete_on_termination: true,
            spec: DiskSpec { size: Some(8), kind: Some(VolumeKind::Gp2), iops: Some(1), ..DiskSpec::default() },
        }];
        let change = |device: &str, no_device, kind| Mapping {
            device: device.into(),
            no_device,
            delete_on_termination: None,
            spec: DiskSpec { kind: Some(kind), ..DiskSpec::default() },
        };
        let two = vec![change("/dev/xvda", false, VolumeKind::Gp3), change("/dev/sdb", false, VolumeKind::St1)];
        let disks = merged(&image, two, "/dev/xvda").unwrap();
        assert_eq!((disks[0].spec.size, disks[0].spec.iops), (Some(8), None));
        assert!(disks[0].delete_on_termination && !disks[1].delete_on_termination);
        let none = merged(&image, vec![change("/dev/xvda", true, VolumeKind::Gp3)], "/dev/xvda").unwrap();
        assert!(none.is_empty());
    }
}
