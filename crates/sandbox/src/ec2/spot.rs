//! Spot requests, which here exist only as the other side of spot instances.

use super::Ctx;
use super::filter::{Filters, Page, one};
use super::tags;
use crate::clock::iso;
use crate::error::{ApiError, ApiResult};
use crate::model::{Instance, InstanceState, Spot};
use crate::xml::Xml;

pub(super) fn describe_spot_instance_requests(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters = Filters::read(&c.p, &["instance-id", "spot-instance-request-id", "state"])?;
    let ids = c.p.list("SpotInstanceRequestId");
    if let Some(id) = ids.iter().find(|id| !c.region.instances.values().any(|i| is_of(i, id))) {
        let text = format!("The spot instance request ID '{id}' does not exist");
        return Err(ApiError::bad("InvalidSpotInstanceRequestID.NotFound", text));
    }
    let (page, next) = Page::read(&c.p, 5)?.of(&c.region.instances, |i| {
        let Some(spot) = &i.spot else { return false };
        (ids.is_empty() || ids.contains(&spot.request_id.as_str()))
            && filters.accept(&i.tags, |name| match name {
                "instance-id" => one(i.id.as_str()),
                "state" => one(state(c, i)),
                _ => one(spot.request_id.as_str()),
            })
    });
    let page = page.into_iter().filter_map(|i| Some((i, i.spot.as_ref()?)));
    let mut x = Xml::fragment();
    x.list("spotInstanceRequestSet", page, |x, (i, spot)| request(x, c, i, spot));
    x.opt("nextToken", next);
    Ok(x)
}

fn request(x: &mut Xml, c: &Ctx<'_>, i: &Instance, spot: &Spot) {
    x.el("spotInstanceRequestId", &spot.request_id);
    x.opt("spotPrice", spot.max_price.as_ref());
    x.el("type", if spot.persistent { "persistent" } else { "one-time" });
    x.el("state", state(c, i));
    x.wrap("status", |x| {
        x.el("code", if state(c, i) == "active" { "fulfilled" } else { "instance-terminated-by-user" });
        x.el("updateTime", iso(i.launched));
        x.el("message", "");
    });
    x.wrap("launchSpecification", |x| {
        x.el("imageId", &i.image_id);
        x.el("instanceType", i.kind.name);
        x.el("subnetId", &i.subnet_id);
        x.wrap("placement", |x| x.el("availabilityZone", &i.zone));
    });
    x.el("instanceId", &i.id);
    x.el("createTime", iso(i.launched));
    x.el("productDescription", "Linux/UNIX");
    tags::write(x, &crate::model::Tags::new());
    x.el("launchedAvailabilityZone", &i.zone);
    x.el("instanceInterruptionBehavior", &spot.interruption);
}

/// Cancelling a request leaves its instance running, as it does at EC2.
pub(super) fn cancel_spot_instance_requests(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let ids = c.p.list("SpotInstanceRequestId");
    if let Some(id) = ids.iter().find(|id| !c.region.instances.values().any(|i| is_of(i, id))) {
        let text = format!("The spot instance request ID '{id}' does not exist");
        return Err(ApiError::bad("InvalidSpotInstanceRequestID.NotFound", text));
    }
    for instance in c.region.instances.values_mut().filter(|i| ids.iter().any(|id| is_of(i, id))) {
        if let Some(spot) = &mut instance.spot {
            spot.persistent = false;
        }
    }
    let mut x = Xml::fragment();
    x.list("spotInstanceRequestSet", ids, |x, id| {
        x.el("spotInstanceRequestId", id);
        x.el("state", "cancelled");
    });
    Ok(x)
}

fn is_of(i: &Instance, request: &str) -> bool {
    i.spot.as_ref().is_some_and(|s| s.request_id == request)
}

fn state(c: &Ctx<'_>, i: &Instance) -> &'static str {
    match i.state.at(c.now) {
        InstanceState::Terminated | InstanceState::ShuttingDown => "closed",
        InstanceState::Stopped | InstanceState::Stopping => "disabled",
        _ => "active",
    }
}
