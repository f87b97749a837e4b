//! Snapshots, as EC2 knows them.

use super::filter::{Filters, Ids, Values, maybe, one, select};
use super::{Ctx, done, tags};
use crate::clock::{Transition, iso};
use crate::error::{ApiError, ApiResult};
use crate::model::{InstanceState, Snapshot, Tags, Volume, new_id};
use crate::xml::Xml;

pub(super) fn create_snapshot(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let volume_id = c.p.need("VolumeId")?;
    Ids::VOLUME.check(volume_id, &c.region.volumes)?;
    let tags = tags::specified(&c.p, "snapshot", &["snapshot"])?;
    let description = c.p.text("Description").unwrap_or_default();
    let id = match c.region.volumes.get(volume_id) {
        Some(volume) => take(c, volume, description, tags),
        None => return Err(ApiError::missing("VolumeId")),
    };
    let id = keep(c, id);
    let mut x = Xml::fragment();
    if let Some(snapshot) = c.region.snapshots.get(&id) {
        write(&mut x, c, snapshot, "status");
    }
    Ok(x)
}

/// All of an instance's volumes at one instant: nothing changes between the first and the last.
pub(super) fn create_snapshots(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let spec = c.p.within("InstanceSpecification");
    let id = spec.need("InstanceId")?;
    Ids::INSTANCE.check(id, &c.region.instances)?;
    let tags = tags::specified(&c.p, "snapshot", &["snapshot"])?;
    let copy_tags = match c.p.get("CopyTagsFromSource") {
        None => false,
        Some("volume") => true,
        Some(other) => return Err(ApiError::invalid(format!("Invalid value '{other}' for CopyTagsFromSource"))),
    };
    let no_boot = spec.flag("ExcludeBootVolume")?.unwrap_or(false);
    let excluded = spec.list("ExcludeDataVolumeId");
    let Some(instance) = c.region.instances.get(id) else { return Err(ApiError::missing("InstanceId")) };
    if matches!(instance.state.at(c.now), InstanceState::Terminated | InstanceState::ShuttingDown) {
        let text = format!("The instance '{id}' is not in a state from which snapshots can be taken.");
        return Err(ApiError::bad("IncorrectInstanceState", text));
    }
    let attached = instance.volumes.iter().filter_map(|v| c.region.volumes.get(v));
    let is_boot = |v: &Volume| v.attachment.as_ref().is_some_and(|a| a.device == instance.root_device);
    if let Some(root) = attached.clone().find(|v| is_boot(v) && excluded.contains(&v.id.as_str())) {
        let text = format!("The root volume '{}' is excluded with ExcludeBootVolume, not by its id", root.id);
        return Err(ApiError::invalid(text));
    }
    if let Some(id) = excluded.iter().find(|id| !instance.volumes.iter().any(|v| v == *id)) {
        return Err(ApiError::invalid(format!("The volume '{id}' is not attached to the instance")));
    }
    let wanted = attached.filter(|v| (!no_boot || !is_boot(v)) && !excluded.contains(&v.id.as_str()));
    let description = c.p.text("Description").unwrap_or_default();
    let taken: Vec<Snapshot> = wanted
        .map(|volume| {
            let own = if copy_tags { volume.tags.clone() } else { Tags::new() };
            take(c, volume, description, own.into_iter().chain(tags.clone()).collect())
        })
        .collect();
    if taken.is_empty() {
        return Err(ApiError::invalid("No volume of the instance is left to take a snapshot of"));
    }
    let ids: Vec<String> = taken.into_iter().map(|s| keep(c, s)).collect();
    let mut x = Xml::fragment();
    let snapshots = ids.iter().filter_map(|id| c.region.snapshots.get(id));
    x.list("snapshotSet", snapshots, |x, s| write(x, c, s, "state"));
    Ok(x)
}

/// A snapshot of the volume as it is now, which is not yet the region's.
pub(super) fn take(c: &Ctx<'_>, volume: &Volume, description: &str, tags: Tags) -> Snapshot {
    let done = Transition::begin(false, true, c.now, c.core.config.latency.snapshot);
    Snapshot { description: description.to_owned(), tags, ..Snapshot::of(volume, new_id("snap"), c.now, done) }
}

pub(super) fn keep(c: &mut Ctx<'_>, snapshot: Snapshot) -> String {
    let id = snapshot.id.clone();
    c.region.snapshots.insert(id.clone(), snapshot);
    id
}

const FILTERS: &[&str] = &[
    "description",
    "encrypted",
    "owner-alias",
    "owner-id",
    "progress",
    "snapshot-id",
    "start-time",
    "status",
    "storage-tier",
    "volume-id",
    "volume-size",
];

pub(super) fn describe_snapshots(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters = Filters::read(&c.p, FILTERS)?;
    let ours = owned_by_account(c, "Owner") && owned_by_account(c, "RestorableBy");
    let accept = |s: &Snapshot| ours && filters.accept(&s.tags, |name| values(c, s, name));
    let (page, next) = select(&c.p, Ids::SNAPSHOT, 5, &c.region.snapshots, accept)?;
    let mut x = Xml::fragment();
    x.list("snapshotSet", page, |x, s| write(x, c, s, "status"));
    x.opt("nextToken", next);
    Ok(x)
}

fn owned_by_account(c: &Ctx<'_>, list: &str) -> bool {
    let owners = c.p.list(list);
    owners.is_empty() || owners.iter().any(|o| *o == "self" || *o == c.account())
}

fn values<'r>(c: &'r Ctx<'_>, s: &'r Snapshot, name: &str) -> Values<'r> {
    match name {
        "description" => one(s.description.as_str()),
        "encrypted" => one(s.encrypted.to_string()),
        "owner-alias" => Vec::new(),
        "owner-id" => one(c.account()),
        "progress" => one(format!("{}%", s.progress(c.now))),
        "snapshot-id" => one(s.id.as_str()),
        "start-time" => one(iso(s.started)),
        "status" => one(s.status(c.now).name()),
        "storage-tier" => one("standard"),
        "volume-id" => one(s.volume_id.as_str()),
        "volume-size" => maybe(Some(s.size.to_string())),
        _ => Vec::new(),
    }
}

fn write(x: &mut Xml, c: &Ctx<'_>, s: &Snapshot, status_tag: &str) {
    x.el("snapshotId", &s.id);
    x.el("volumeId", &s.volume_id);
    x.el(status_tag, s.status(c.now).name());
    x.el("startTime", iso(s.started));
    x.el("progress", format!("{}%", s.progress(c.now)));
    x.el("ownerId", c.account());
    x.el("volumeSize", s.size);
    x.el("description", &s.description);
    x.el("encrypted", s.encrypted);
    x.opt("kmsKeyId", s.kms_key.as_ref());
    tags::write(x, &s.tags);
    x.el("storageTier", "standard");
}

pub(super) fn delete_snapshot(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let id = c.p.need("SnapshotId")?;
    Ids::SNAPSHOT.check(id, &c.region.snapshots)?;
    if let Some(image) = c.region.image_of_snapshot(id) {
        let text = format!("The snapshot {id} is currently in use by {}", image.id);
        return Err(ApiError::bad("InvalidSnapshot.InUse", text));
    }
    c.region.snapshots.remove(id);
    Ok(done())
}
