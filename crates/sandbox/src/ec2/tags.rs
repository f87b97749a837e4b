//! Tags: reading them from requests, writing them into answers, and the three actions about them.

use super::filter::{Filters, Page, one};
use super::{Ctx, done};
use crate::error::{ApiError, ApiResult};
use crate::model::Tags;
use crate::params::Scope;
use crate::xml::Xml;

const MAX_TAGS: usize = 50;

/// The tags that `TagSpecification.N` gives to resources of `kind`; a kind that is not in `kinds` is refused.
pub(super) fn specified(p: &Scope<'_>, kind: &str, kinds: &[&str]) -> ApiResult<Tags> {
    let mut tags = Tags::new();
    for spec in p.structs("TagSpecification") {
        let for_kind = spec.need("ResourceType")?;
        if !kinds.contains(&for_kind) {
            let text = format!("'{for_kind}' is not a valid taggable resource type for this operation.");
            return Err(ApiError::invalid(text));
        }
        let given = read(&spec)?;
        if for_kind == kind {
            tags.extend(given);
        }
    }
    limited(tags)
}

fn read(p: &Scope<'_>) -> ApiResult<Tags> {
    let mut tags = Tags::new();
    for tag in p.structs("Tag") {
        let key = tag.need("Key")?;
        let value = tag.text("Value").unwrap_or_default();
        check(key, value)?;
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(ApiError::invalid(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    Ok(tags)
}

pub(crate) fn check(key: &str, value: &str) -> ApiResult<()> {
    if key.is_empty() || key.chars().count() > 128 {
        return Err(ApiError::invalid("Tag keys have 1 to 128 characters"));
    }
    if value.chars().count() > 256 {
        return Err(ApiError::invalid("Tag values have at most 256 characters"));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        let text = "Tag keys starting with 'aws:' are reserved for internal use";
        return Err(ApiError::invalid(text));
    }
    Ok(())
}

pub(crate) fn limited(tags: Tags) -> ApiResult<Tags> {
    if tags.len() > MAX_TAGS {
        return Err(ApiError::bad("TagLimitExceeded", "A resource has at most 50 tags"));
    }
    Ok(tags)
}

pub(super) fn write(x: &mut Xml, tags: &Tags) {
    if tags.is_empty() {
        return;
    }
    x.list("tagSet", tags, |x, (key, value)| {
        x.el("key", key);
        x.el("value", value);
    });
}

pub(super) fn create_tags(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let ids = resources(c)?;
    let given = read(&c.p)?;
    if given.is_empty() {
        return Err(ApiError::missing("Tag"));
    }
    for id in &ids {
        let existing = c.region.tags_mut(id).map(|t| t.clone()).unwrap_or_default();
        limited(existing.into_iter().chain(given.clone()).collect())?;
    }
    for id in ids {
        if let Some(tags) = c.region.tags_mut(id) {
            tags.extend(given.clone());
        }
    }
    Ok(done())
}

pub(super) fn delete_tags(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let ids = resources(c)?;
    let which: Vec<(&str, Option<&str>)> =
        c.p.structs("Tag").into_iter().filter_map(|t| Some((t.get("Key")?, t.text("Value")))).collect();
    for id in ids {
        let Some(tags) = c.region.tags_mut(id) else { continue };
        if which.is_empty() {
            tags.clear();
        }
        for (key, value) in &which {
            if value.is_none_or(|v| tags.get(*key).is_some_and(|has| has == v)) {
                tags.remove(*key);
            }
        }
    }
    Ok(done())
}

/// The resources of the request, all of which must exist.
fn resources<'a>(c: &mut Ctx<'a>) -> ApiResult<Vec<&'a str>> {
    let ids = c.p.list("ResourceId");
    if ids.is_empty() {
        return Err(ApiError::missing("ResourceId"));
    }
    for id in &ids {
        if c.region.tags_mut(id).is_none() {
            let code = match id.split('-').next().unwrap_or_default() {
                "i" => "InvalidInstanceID.NotFound",
                "vol" => "InvalidVolume.NotFound",
                "snap" => "InvalidSnapshot.NotFound",
                "ami" => "InvalidAMIID.NotFound",
                _ => "InvalidID",
            };
            return Err(ApiError::bad(code, format!("The ID '{id}' is not valid")));
        }
    }
    Ok(ids)
}

pub(super) fn describe_tags(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters = Filters::read(&c.p, &["key", "value", "resource-id", "resource-type"])?;
    let r = &c.region;
    let instances = r.instances.values().map(|i| ("instance", &i.id, &i.tags));
    let volumes = r.volumes.values().map(|v| ("volume", &v.id, &v.tags));
    let snapshots = r.snapshots.values().map(|s| ("snapshot", &s.id, &s.tags));
    let images = r.images.values().map(|i| ("image", &i.id, &i.tags));
    let all = instances
        .chain(volumes)
        .chain(snapshots)
        .chain(images)
        .flat_map(|(kind, id, tags)| {
            tags.iter().map(move |(key, value)| (format!("{id} {key}"), (kind, id, key, value, tags)))
        })
        .collect();
    let (page, next) = Page::read(&c.p, 5)?.of(&all, |(kind, id, key, value, tags)| {
        filters.accept(tags, |name| {
            one(match name {
                "key" => key.as_str(),
                "value" => value.as_str(),
                "resource-id" => id.as_str(),
                _ => kind,
            })
        })
    });
    let mut x = Xml::fragment();
    x.list("tagSet", page, |x, (kind, id, key, value, _)| {
        x.el("resourceId", id);
        x.el("resourceType", kind);
        x.el("key", key);
        x.el("value", value);
    });
    x.opt("nextToken", next);
    Ok(x)
}
