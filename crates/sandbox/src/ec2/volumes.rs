//! Volumes.

use super::disk_spec::{make_volume, spec};
use super::filter::{Filters, Ids, Values, maybe, one, select};
use super::run::once;
use super::{Ctx, done, tags};
use crate::clock::{Transition, iso};
use crate::error::{ApiError, ApiResult};
use crate::model::{Attachment, DiskSpec, InstanceState, Volume};
use crate::xml::Xml;

pub(super) fn create_volume(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let ids = once(c, "CreateVolume", |c| {
        let zone = c.p.need("AvailabilityZone")?;
        if c.region.network.subnet_of_zone(zone).is_none() {
            let text = format!("The zone '{zone}' does not exist.");
            return Err(ApiError::bad("InvalidZone.NotFound", text));
        }
        let tags = tags::specified(&c.p, "volume", &["volume"])?;
        let wanted = DiskSpec { size: c.p.number("Size")?, ..spec(&c.p)? };
        let volume = make_volume(c, &wanted, zone, tags)?;
        let id = volume.id.clone();
        c.region.volumes.insert(id.clone(), volume);
        Ok(vec![id])
    })?;
    let volume = ids.first().and_then(|id| c.region.volumes.get(id));
    let volume = volume
        .ok_or_else(|| ApiError::bad("InvalidVolume.NotFound", "The volume of this client token has been deleted"))?;
    let mut x = Xml::fragment();
    write(&mut x, c, volume);
    Ok(x)
}

const FILTERS: &[&str] = &[
    "attachment.attach-time",
    "attachment.delete-on-termination",
    "attachment.device",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "create-time",
    "encrypted",
    "size",
    "snapshot-id",
    "status",
    "volume-id",
    "volume-type",
];

pub(super) fn describe_volumes(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters = Filters::read(&c.p, FILTERS)?;
    let accept = |v: &Volume| filters.accept(&v.tags, |name| values(c, v, name));
    let (page, next) = select(&c.p, Ids::VOLUME, 1, &c.region.volumes, accept)?;
    let mut x = Xml::fragment();
    x.list("volumeSet", page, |x, v| write(x, c, v));
    x.opt("nextToken", next);
    Ok(x)
}

fn values<'r>(c: &Ctx<'_>, v: &'r Volume, name: &str) -> Values<'r> {
    let a = v.attachment.as_ref();
    match name {
        "attachment.attach-time" => maybe(a.map(|a| iso(a.since))),
        "attachment.delete-on-termination" => maybe(a.map(|a| a.delete_on_termination.to_string())),
        "attachment.device" => maybe(a.map(|a| a.device.as_str())),
        "attachment.instance-id" => maybe(a.map(|a| a.instance_id.as_str())),
        "attachment.status" => maybe(a.map(|a| a.status(c.now))),
        "availability-zone" => one(v.zone.as_str()),
        "create-time" => one(iso(v.created)),
        "encrypted" => one(v.encrypted.to_string()),
        "size" => one(v.size.to_string()),
        "snapshot-id" => maybe(v.snapshot_id.as_deref()),
        "status" => one(v.status(c.now)),
        "volume-id" => one(v.id.as_str()),
        "volume-type" => one(v.kind.name()),
        _ => Vec::new(),
    }
}

fn write(x: &mut Xml, c: &Ctx<'_>, v: &Volume) {
    x.el("volumeId", &v.id);
    x.el("size", v.size);
    x.el("snapshotId", v.snapshot_id.as_deref().unwrap_or_default());
    x.el("availabilityZone", &v.zone);
    x.el("status", v.status(c.now));
    x.el("createTime", iso(v.created));
    x.list("attachmentSet", &v.attachment, |x, a| write_attachment(x, &v.id, a, a.status(c.now)));
    tags::write(x, &v.tags);
    x.el("volumeType", v.kind.name());
    x.opt("iops", v.iops);
    x.opt("throughput", v.throughput);
    x.el("encrypted", v.encrypted);
    x.opt("kmsKeyId", v.kms_key.as_ref());
    x.el("multiAttachEnabled", false);
}

fn write_attachment(x: &mut Xml, volume: &str, a: &Attachment, status: &str) {
    x.el("volumeId", volume);
    x.el("instanceId", &a.instance_id);
    x.el("device", &a.device);
    x.el("status", status);
    x.el("attachTime", iso(a.since));
    x.el("deleteOnTermination", a.delete_on_termination);
}

pub(super) fn attach_volume(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let (volume_id, instance_id) = (c.p.need("VolumeId")?, c.p.need("InstanceId")?);
    let device = c.p.need("Device")?;
    Ids::VOLUME.check(volume_id, &c.region.volumes)?;
    Ids::INSTANCE.check(instance_id, &c.region.instances)?;
    let taken = c.region.volumes.values().filter_map(|v| v.attachment.as_ref());
    if taken.into_iter().any(|a| a.instance_id == instance_id && a.device == device) {
        let text = format!("Invalid value '{device}' for unixDevice. Attachment point {device} is already in use");
        return Err(ApiError::invalid(text));
    }
    let (Some(volume), Some(instance)) = (c.region.volumes.get_mut(volume_id), c.region.instances.get_mut(instance_id))
    else {
        return Err(ApiError::missing("VolumeId"));
    };
    if volume.attachment.is_some() {
        let text = format!("{volume_id} is already attached to an instance");
        return Err(ApiError::bad("VolumeInUse", text));
    }
    if !volume.ready.at(c.now) {
        return Err(ApiError::bad("IncorrectState", format!("Volume '{volume_id}' is not 'available'.")));
    }
    if !matches!(instance.state.at(c.now), InstanceState::Running | InstanceState::Stopped) {
        let text = format!("Instance '{instance_id}' is not 'running'.");
        return Err(ApiError::bad("IncorrectState", text));
    }
    if volume.zone != instance.zone {
        let text = format!("The volume '{volume_id}' is not in the same availability zone as instance '{instance_id}'");
        return Err(ApiError::bad("InvalidVolume.ZoneMismatch", text));
    }
    let attachment = Attachment {
        instance_id: instance_id.to_owned(),
        device: device.to_owned(),
        delete_on_termination: false,
        since: c.now,
        done: Transition::begin(false, true, c.now, c.core.config.latency.volume),
    };
    instance.volumes.push(volume_id.to_owned());
    let mut x = Xml::fragment();
    write_attachment(&mut x, volume_id, &attachment, "attaching");
    volume.attachment = Some(attachment);
    Ok(x)
}

pub(super) fn detach_volume(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let volume_id = c.p.need("VolumeId")?;
    Ids::VOLUME.check(volume_id, &c.region.volumes)?;
    let wanted = c.p.get("InstanceId");
    let Some(volume) = c.region.volumes.get_mut(volume_id) else { return Err(ApiError::missing("VolumeId")) };
    let Some(a) = volume.attachment.clone().filter(|a| wanted.is_none_or(|w| w == a.instance_id)) else {
        return Err(ApiError::bad("IncorrectState", format!("Volume '{volume_id}' is in the 'available' state.")));
    };
    if let Some(instance) = c.region.instances.get_mut(&a.instance_id) {
        if instance.root_device == a.device && instance.state.at(c.now) != InstanceState::Stopped {
            let text = format!("Unable to detach root volume '{volume_id}' from instance '{}'", a.instance_id);
            return Err(ApiError::bad("OperationNotPermitted", text));
        }
        instance.volumes.retain(|v| v != volume_id);
    }
    volume.attachment = None;
    let mut x = Xml::fragment();
    write_attachment(&mut x, volume_id, &a, "detaching");
    Ok(x)
}

pub(super) fn delete_volume(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let id = c.p.need("VolumeId")?;
    Ids::VOLUME.check(id, &c.region.volumes)?;
    if let Some(a) = c.region.volumes.get(id).and_then(|v| v.attachment.as_ref()) {
        let text = format!("Volume {id} is currently attached to {}", a.instance_id);
        return Err(ApiError::bad("VolumeInUse", text));
    }
    c.region.volumes.remove(id);
    Ok(done())
}
