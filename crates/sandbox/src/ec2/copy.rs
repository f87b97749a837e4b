//! CopyImage, the one action that looks at two regions.

use super::images::check_name;
use super::run::once;
use super::{Ctx, filter::Ids, tags};
use crate::clock::Transition;
use crate::core::Core;
use crate::error::{ApiError, ApiResult};
use crate::model::{Image, SnapStatus, Snapshot, new_id};
use crate::server::ApiRequest;
use crate::xml::Xml;

pub(super) fn copy_image(core: &Core, request: &ApiRequest) -> ApiResult<Xml> {
    let p = request.params.root();
    let source_region = p.need("SourceRegion")?;
    let source_id = p.need("SourceImageId")?;
    let done = |now| Transition::begin(false, true, now, core.config.latency.snapshot);
    let source = core.with_region(source_region, |region, now| {
        Ids::IMAGE.check(source_id, &region.images)?;
        let Some(image) = region.images.get(source_id) else { return Err(ApiError::missing("SourceImageId")) };
        if !image.ready.at(now) {
            let text = format!("The image '{source_id}' is not available yet");
            return Err(ApiError::bad("InvalidAMIID.Unavailable", text));
        }
        let mut copy = Image { id: new_id("ami"), ..image.clone() };
        let mut snapshots: Vec<Snapshot> = Vec::new();
        for disk in &mut copy.disks {
            let Some(id) = &disk.spec.snapshot_id else { continue };
            let snapshot = region.snapshots.get(id).filter(|s| s.status(now) == SnapStatus::Completed);
            let snapshot = snapshot.ok_or_else(|| {
                ApiError::bad("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."))
            })?;
            let description = format!("Copied for DestinationAmi {} from SourceAmi {source_id}", copy.id);
            let made = Snapshot { description, ..snapshot.copied(new_id("snap"), now, done(now)) };
            disk.spec.snapshot_id = Some(made.id.clone());
            snapshots.push(made);
        }
        Ok((copy, snapshots))
    });
    let source = source.map_err(|e| match e.code.as_ref() {
        "AuthFailure" => ApiError::invalid(format!("Invalid value '{source_region}' for SourceRegion")),
        _ => e,
    });
    core.with_region(&request.region, |region, now| {
        let mut c = Ctx { core, region, now, p, request };
        // A repeated request is answered even when its source is gone by now.
        let ids = once(&mut c, "CopyImage", |c| {
            let (copy, snapshots) = source?;
            insert(c, copy, snapshots, (source_region, source_id))
        })?;
        let mut x = Xml::fragment();
        x.opt("imageId", ids.first());
        Ok(x)
    })
}

fn insert(c: &mut Ctx<'_>, copy: Image, mut snapshots: Vec<Snapshot>, source: (&str, &str)) -> ApiResult<Vec<String>> {
    let p = &c.p;
    let name = p.need("Name")?;
    check_name(name, c.region)?;
    let kinds = ["image", "snapshot"];
    let own_tags = if p.flag("CopyImageTags")?.unwrap_or(false) { copy.tags.clone() } else { Default::default() };
    let image_tags = own_tags.into_iter().chain(tags::specified(p, "image", &kinds)?).collect();
    let snapshot_tags = tags::specified(p, "snapshot", &kinds)?;
    let encrypted = p.flag("Encrypted")?.unwrap_or(false);
    if p.get("KmsKeyId").is_some() && !encrypted {
        let text = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
        return Err(ApiError::bad("InvalidParameterDependency", text));
    }
    let latency = c.core.config.latency;
    let mut image = Image {
        name: name.to_owned(),
        description: p.get("Description").map(str::to_owned).or(copy.description),
        source: Some((source.0.to_owned(), source.1.to_owned())),
        created: c.now,
        ready: Transition::begin(false, true, c.now, latency.image.max(latency.snapshot)),
        tags: tags::limited(image_tags)?,
        from_vendor: false,
        source_instance: None,
        ..copy
    };
    for disk in image.disks.iter_mut().filter(|_| encrypted) {
        disk.spec.encrypted = Some(true);
    }
    for snapshot in &mut snapshots {
        snapshot.tags = snapshot_tags.clone();
        snapshot.encrypted |= encrypted;
        if encrypted {
            snapshot.kms_key = p.get("KmsKeyId").map(str::to_owned);
        }
    }
    for snapshot in snapshots {
        c.region.snapshots.insert(snapshot.id.clone(), snapshot);
    }
    let id = image.id.clone();
    c.region.images.insert(id.clone(), image);
    Ok(vec![id])
}
