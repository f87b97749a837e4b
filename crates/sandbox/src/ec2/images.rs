//! Machine images.

use super::disk_spec::{Mapping, mappings};
use super::filter::{Filters, Ids, Values, maybe, one, select};
use super::{Ctx, done, snapshots, tags};
use crate::clock::{Transition, iso};
use crate::error::{ApiError, ApiResult};
use crate::model::{DiskSpec, Image, ImageDisk, InstanceState, Region, SnapStatus, Snapshot, VolumeKind, new_id};
use crate::xml::Xml;

pub(super) fn register_image(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let p = c.p.clone();
    let name = p.need("Name")?;
    check_name(name, c.region)?;
    let arch = p.get("Architecture").unwrap_or("i386");
    one_of("Architecture", Some(arch), &["i386", "x86_64", "arm64"])?;
    let virtualization = p.get("VirtualizationType").unwrap_or("paravirtual");
    one_of("VirtualizationType", Some(virtualization), &["hvm", "paravirtual"])?;
    one_of("BootMode", p.get("BootMode"), &["legacy-bios", "uefi", "uefi-preferred"])?;
    one_of("TpmSupport", p.get("TpmSupport"), &["v2.0"])?;
    one_of("ImdsSupport", p.get("ImdsSupport"), &["v2.0"])?;
    if p.get("ImageLocation").is_some() {
        let text = "The sandbox registers images from snapshots, not from manifests in S3";
        return Err(ApiError::bad("UnsupportedOperation", text));
    }
    let root_device = p.get("RootDeviceName").unwrap_or("/dev/sda1");
    let disks: Vec<ImageDisk> =
        mappings(&p)?.into_iter().filter(|m| !m.no_device).map(|m| image_disk(c, m)).collect::<ApiResult<_>>()?;
    let root = disks.iter().find(|d| d.device == root_device);
    if root.is_none_or(|d| d.spec.snapshot_id.is_none()) {
        let text = format!("No snapshot is given for the root device '{root_device}'");
        return Err(ApiError::bad("InvalidBlockDeviceMapping", text));
    }
    let image = Image {
        id: new_id("ami"),
        name: name.to_owned(),
        description: p.get("Description").map(str::to_owned),
        arch: arch.to_owned(),
        root_device: root_device.to_owned(),
        disks,
        virtualization: virtualization.to_owned(),
        ena: p.flag("EnaSupport")?.unwrap_or(false),
        boot_mode: p.get("BootMode").map(str::to_owned),
        tpm: p.get("TpmSupport").map(str::to_owned),
        imds: p.get("ImdsSupport").map(str::to_owned),
        sriov: p.get("SriovNetSupport").map(str::to_owned),
        source_instance: None,
        source: None,
        created: c.now,
        ready: Transition::begin(false, true, c.now, c.core.config.latency.image),
        tags: tags::specified(&p, "image", &["image", "snapshot"])?,
        from_vendor: false,
    };
    Ok(keep(c, image))
}

fn image_disk(c: &Ctx<'_>, m: Mapping) -> ApiResult<ImageDisk> {
    let mut spec = m.spec;
    if let Some(id) = spec.snapshot_id.as_deref() {
        Ids::SNAPSHOT.check(id, &c.region.snapshots)?;
        let Some(snapshot) = c.region.snapshots.get(id) else { return Err(ApiError::missing("SnapshotId")) };
        if snapshot.status(c.now) != SnapStatus::Completed {
            let text = format!("Snapshot '{id}' is not in 'completed' state");
            return Err(ApiError::bad("IncorrectState", text));
        }
        if spec.size.is_some_and(|size| size < snapshot.size) {
            let text = format!(
                "Volume of size {}GB is smaller than snapshot '{id}', expect size >= {}GB",
                spec.size.unwrap_or_default(),
                snapshot.size
            );
            return Err(ApiError::bad("InvalidBlockDeviceMapping", text));
        }
        spec.size = spec.size.or(Some(snapshot.size));
        spec.encrypted = spec.encrypted.or(Some(snapshot.encrypted));
    } else if spec.size.is_none() {
        let text = format!("The device '{}' has neither a snapshot nor a size", m.device);
        return Err(ApiError::bad("InvalidBlockDeviceMapping", text));
    }
    spec.kind = spec.kind.or(Some(VolumeKind::Standard));
    Ok(ImageDisk { device: m.device, delete_on_termination: m.delete_on_termination.unwrap_or(true), spec })
}

pub(super) fn check_name(name: &str, region: &Region) -> ApiResult<()> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b" ()[]./-'@_".contains(&b);
    if !(3..=128).contains(&name.len()) || !name.bytes().all(legal) {
        let text = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, \
                    '(', ')', '.', '-', '/', '@' and '_'";
        return Err(ApiError::bad("InvalidAMIName.Malformed", text));
    }
    if let Some(other) = region.images.values().find(|i| i.name == name && !i.from_vendor) {
        let text = format!("AMI name {name} is already in use by AMI {}", other.id);
        return Err(ApiError::bad("InvalidAMIName.Duplicate", text));
    }
    Ok(())
}

fn one_of(what: &str, value: Option<&str>, known: &[&str]) -> ApiResult<()> {
    match value {
        Some(v) if !known.contains(&v) => {
            Err(ApiError::invalid(format!("Value ({v}) for parameter {what} is invalid.")))
        }
        _ => Ok(()),
    }
}

fn keep(c: &mut Ctx<'_>, image: Image) -> Xml {
    let mut x = Xml::fragment();
    x.el("imageId", &image.id);
    c.region.images.insert(image.id.clone(), image);
    x
}

/// Snapshots of all the volumes of an instance, at one instant, and an image of them.
pub(super) fn create_image(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let p = c.p.clone();
    let id = p.need("InstanceId")?;
    Ids::INSTANCE.check(id, &c.region.instances)?;
    let name = p.need("Name")?;
    check_name(name, c.region)?;
    if !p.structs("BlockDeviceMapping").is_empty() {
        let text = "The sandbox's CreateImage takes all volumes as they are, without BlockDeviceMapping";
        return Err(ApiError::bad("UnsupportedOperation", text));
    }
    let image_tags = tags::specified(&p, "image", &["image", "snapshot"])?;
    let snapshot_tags = tags::specified(&p, "snapshot", &["image", "snapshot"])?;
    let Some(instance) = c.region.instances.get(id) else { return Err(ApiError::missing("InstanceId")) };
    if !matches!(instance.state.at(c.now), InstanceState::Running | InstanceState::Stopped) {
        let text = format!("The instance '{id}' is not in a state from which an image can be made.");
        return Err(ApiError::bad("IncorrectState", text));
    }
    let image_id = new_id("ami");
    let (mut disks, mut taken): (Vec<ImageDisk>, Vec<Snapshot>) = (Vec::new(), Vec::new());
    for volume in instance.volumes.iter().filter_map(|v| c.region.volumes.get(v)) {
        let Some(a) = &volume.attachment else { continue };
        let description = format!("Created by CreateImage({id}) for {image_id}");
        let snapshot = snapshots::take(c, volume, &description, snapshot_tags.clone());
        disks.push(ImageDisk {
            device: a.device.clone(),
            delete_on_termination: a.delete_on_termination,
            spec: DiskSpec {
                size: Some(volume.size),
                kind: Some(volume.kind),
                iops: volume.iops.filter(|_| volume.kind != VolumeKind::Gp2),
                throughput: volume.throughput,
                encrypted: Some(volume.encrypted),
                kms_key: None,
                snapshot_id: Some(snapshot.id.clone()),
            },
        });
        taken.push(snapshot);
    }
    let latency = c.core.config.latency;
    let image = Image {
        id: image_id,
        name: name.to_owned(),
        description: p.get("Description").map(str::to_owned),
        arch: instance.arch.clone(),
        root_device: instance.root_device.clone(),
        disks,
        virtualization: "hvm".to_owned(),
        ena: instance.ena,
        boot_mode: instance.boot_mode.clone(),
        tpm: None,
        imds: None,
        sriov: Some("simple".to_owned()),
        source_instance: Some(id.to_owned()),
        source: None,
        created: c.now,
        ready: Transition::begin(false, true, c.now, latency.image.max(latency.snapshot)),
        tags: image_tags,
        from_vendor: false,
    };
    for snapshot in taken {
        snapshots::keep(c, snapshot);
    }
    Ok(keep(c, image))
}

const FILTERS: &[&str] = &[
    "architecture",
    "block-device-mapping.device-name",
    "block-device-mapping.snapshot-id",
    "block-device-mapping.volume-size",
    "block-device-mapping.volume-type",
    "creation-date",
    "description",
    "ena-support",
    "hypervisor",
    "image-id",
    "image-type",
    "is-public",
    "name",
    "owner-alias",
    "owner-id",
    "platform-details",
    "root-device-name",
    "root-device-type",
    "source-image-id",
    "source-image-region",
    "source-instance-id",
    "state",
    "virtualization-type",
];

pub(super) fn describe_images(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters = Filters::read(&c.p, FILTERS)?;
    let owners = c.p.list("Owner");
    let accept = |i: &Image| {
        let theirs = |o: &&str| match *o {
            "amazon" => i.from_vendor,
            "self" => !i.from_vendor,
            account => account == owner(c, i),
        };
        (owners.is_empty() || owners.iter().any(theirs)) && filters.accept(&i.tags, |name| values(c, i, name))
    };
    let (page, next) = select(&c.p, Ids::IMAGE, 1, &c.region.images, accept)?;
    let mut x = Xml::fragment();
    x.list("imagesSet", page, |x, i| write(x, c, i));
    x.opt("nextToken", next);
    Ok(x)
}

/// The account of the vendor's own images.
const VENDOR: &str = "000000000001";

fn owner<'a>(c: &'a Ctx<'_>, i: &Image) -> &'a str {
    if i.from_vendor { VENDOR } else { c.account() }
}

fn state(c: &Ctx<'_>, i: &Image) -> &'static str {
    if i.ready.at(c.now) { "available" } else { "pending" }
}

fn values<'r>(c: &'r Ctx<'_>, i: &'r Image, name: &str) -> Values<'r> {
    match name {
        "architecture" => one(i.arch.as_str()),
        "block-device-mapping.device-name" => i.disks.iter().map(|d| d.device.as_str().into()).collect(),
        "block-device-mapping.snapshot-id" => {
            i.disks.iter().filter_map(|d| d.spec.snapshot_id.as_deref()).map(Into::into).collect()
        }
        "block-device-mapping.volume-size" => {
            i.disks.iter().filter_map(|d| d.spec.size).map(|s| s.to_string().into()).collect()
        }
        "block-device-mapping.volume-type" => {
            i.disks.iter().filter_map(|d| d.spec.kind).map(|k| k.name().into()).collect()
        }
        "creation-date" => one(iso(i.created)),
        "description" => maybe(i.description.as_deref()),
        "ena-support" => one(i.ena.to_string()),
        "hypervisor" => one("xen"),
        "image-id" => one(i.id.as_str()),
        "image-type" => one("machine"),
        "is-public" => one(i.from_vendor.to_string()),
        "name" => one(i.name.as_str()),
        "owner-alias" => maybe(i.from_vendor.then_some("amazon")),
        "owner-id" => one(owner(c, i)),
        "platform-details" => one("Linux/UNIX"),
        "root-device-name" => one(i.root_device.as_str()),
        "root-device-type" => one("ebs"),
        "source-image-id" => maybe(i.source.as_ref().map(|s| s.1.as_str())),
        "source-image-region" => maybe(i.source.as_ref().map(|s| s.0.as_str())),
        "source-instance-id" => maybe(i.source_instance.as_deref()),
        "state" => one(state(c, i)),
        "virtualization-type" => one(i.virtualization.as_str()),
        _ => Vec::new(),
    }
}

fn write(x: &mut Xml, c: &Ctx<'_>, i: &Image) {
    let owner = owner(c, i);
    x.el("imageId", &i.id);
    x.el("imageLocation", format!("{owner}/{}", i.name));
    x.el("imageState", state(c, i));
    x.el("imageOwnerId", owner);
    x.opt("imageOwnerAlias", i.from_vendor.then_some("amazon"));
    x.el("creationDate", iso(i.created));
    x.el("isPublic", i.from_vendor);
    x.el("architecture", &i.arch);
    x.el("imageType", "machine");
    x.el("platformDetails", "Linux/UNIX");
    x.el("usageOperation", "RunInstances");
    x.el("name", &i.name);
    x.opt("description", i.description.as_ref());
    x.el("rootDeviceType", "ebs");
    x.el("rootDeviceName", &i.root_device);
    x.list("blockDeviceMapping", &i.disks, |x, d| {
        x.el("deviceName", &d.device);
        x.wrap("ebs", |x| {
            x.opt("snapshotId", d.spec.snapshot_id.as_ref());
            x.opt("volumeSize", d.spec.size);
            x.el("deleteOnTermination", d.delete_on_termination);
            x.opt("volumeType", d.spec.kind.map(VolumeKind::name));
            x.opt("iops", d.spec.iops);
            x.opt("throughput", d.spec.throughput);
            x.el("encrypted", d.spec.encrypted.unwrap_or(false));
        });
    });
    x.el("virtualizationType", &i.virtualization);
    tags::write(x, &i.tags);
    x.el("hypervisor", "xen");
    x.el("enaSupport", i.ena);
    x.opt("sriovNetSupport", i.sriov.as_ref());
    x.opt("bootMode", i.boot_mode.as_ref());
    x.opt("tpmSupport", i.tpm.as_ref());
    x.opt("imdsSupport", i.imds.as_ref());
    x.opt("sourceInstanceId", i.source_instance.as_ref());
    if let Some((region, id)) = &i.source {
        x.el("sourceImageRegion", region);
        x.el("sourceImageId", id);
    }
}

pub(super) fn deregister_image(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let id = c.p.need("ImageId")?;
    Ids::IMAGE.check(id, &c.region.images)?;
    let with_snapshots = c.p.flag("DeleteAssociatedSnapshots")?.unwrap_or(false);
    if c.region.images.get(id).is_some_and(|i| i.from_vendor) {
        let text = format!("You are not authorized to deregister the image '{id}', which is not yours");
        return Err(ApiError::new("AuthFailure", 403, text));
    }
    let Some(image) = c.region.images.remove(id) else { return Ok(done()) };
    let mut x = done();
    if with_snapshots {
        let snapshots = image.disks.into_iter().filter_map(|d| d.spec.snapshot_id);
        x.list("deleteSnapshotResultSet", snapshots, |x, snapshot| {
            let in_use = c.region.image_of_snapshot(&snapshot).is_some();
            if !in_use {
                c.region.snapshots.remove(&snapshot);
            }
            x.el("snapshotId", &snapshot);
            x.el("returnCode", if in_use { "skipped" } else { "success" });
        });
    }
    Ok(x)
}
