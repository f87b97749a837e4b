//! EC2's Query protocol: form-encoded actions in, XML out.

mod copy;
mod disk_spec;
mod filter;
mod images;
mod instances;
mod lifecycle;
mod places;
mod run;
mod snapshots;
mod spot;
mod tags;
mod volumes;

pub(crate) use tags::check as check_tag;

use crate::clock::Millis;
use crate::core::Core;
use crate::error::{ApiError, ApiResult};
use crate::model::Region;
use crate::params::Scope;
use crate::reply::Reply;
use crate::server::ApiRequest;
use crate::xml::Xml;

/// What an action works on: one region, held for the time of the action.
pub(crate) struct Ctx<'a> {
    pub core: &'a Core,
    pub region: &'a mut Region,
    pub now: Millis,
    pub p: Scope<'a>,
    pub request: &'a ApiRequest,
}

impl Ctx<'_> {
    pub fn account(&self) -> &str {
        &self.core.config.account
    }
}

type Action = fn(&mut Ctx<'_>) -> ApiResult<Xml>;

pub(crate) fn handle(core: &Core, request: &ApiRequest) -> ApiResult<Reply> {
    let p = request.params.root();
    let copying = request.action == "CopyImage";
    let action = action(&request.action);
    if action.is_none() && !copying {
        let text = format!("The action {} is not valid for this web service.", request.action);
        return Err(ApiError::bad("InvalidAction", text));
    }
    if p.flag("DryRun")? == Some(true) {
        let text = "Request would have succeeded, but DryRun flag is set.";
        return Err(ApiError::new("DryRunOperation", 412, text));
    }
    let content = match action {
        Some(action) => {
            core.with_region(&request.region, |region, now| action(&mut Ctx { core, region, now, p, request }))?
        }
        None => copy::copy_image(core, request)?,
    };
    Ok(Reply::ec2(&request.action, &request.id, content))
}

fn action(name: &str) -> Option<Action> {
    Some(match name {
        "RunInstances" => run::run_instances,
        "DescribeInstances" => instances::describe_instances,
        "DescribeInstanceStatus" => instances::describe_instance_status,
        "DescribeInstanceAttribute" => instances::describe_instance_attribute,
        "ModifyInstanceAttribute" => lifecycle::modify_instance_attribute,
        "StartInstances" => lifecycle::start_instances,
        "StopInstances" => lifecycle::stop_instances,
        "RebootInstances" => lifecycle::reboot_instances,
        "TerminateInstances" => lifecycle::terminate_instances,
        "DescribeSpotInstanceRequests" => spot::describe_spot_instance_requests,
        "CancelSpotInstanceRequests" => spot::cancel_spot_instance_requests,
        "CreateSnapshot" => snapshots::create_snapshot,
        "CreateSnapshots" => snapshots::create_snapshots,
        "DescribeSnapshots" => snapshots::describe_snapshots,
        "DeleteSnapshot" => snapshots::delete_snapshot,
        "RegisterImage" => images::register_image,
        "CreateImage" => images::create_image,
        "DescribeImages" => images::describe_images,
        "DeregisterImage" => images::deregister_image,
        "CreateVolume" => volumes::create_volume,
        "DescribeVolumes" => volumes::describe_volumes,
        "AttachVolume" => volumes::attach_volume,
        "DetachVolume" => volumes::detach_volume,
        "DeleteVolume" => volumes::delete_volume,
        "CreateTags" => tags::create_tags,
        "DeleteTags" => tags::delete_tags,
        "DescribeTags" => tags::describe_tags,
        "DescribeRegions" => places::describe_regions,
        "DescribeAvailabilityZones" => places::describe_availability_zones,
        "DescribeVpcs" => places::describe_vpcs,
        "DescribeSubnets" => places::describe_subnets,
        "DescribeSecurityGroups" => places::describe_security_groups,
        "DescribeInstanceTypes" => places::describe_instance_types,
        _ => return None,
    })
}

/// The answer of actions that have nothing to tell.
fn done() -> Xml {
    let mut x = Xml::fragment();
    x.el("return", true);
    x
}
